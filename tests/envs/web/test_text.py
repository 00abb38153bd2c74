"""Pages as text: what a language model reads."""

import gymnasium as gym
import numpy as np
import pytest

from envs.registration import ENTRIES
from envs.web.browser import release_browsers
from envs.web.snapshot import Row, Snapshot
from envs.web.text import MAX_LENGTH, ROLES, AccessibilityText, page_text, plain
from hardware_sim.errors import InputError

WEB = [name for name, entry in ENTRIES.items() if entry.domain == "web"]
TEXT = Row("input", "text", "From", "", 0, 0, 9, 9, False, False, False, False, False, (), "")
BUTTON = TEXT._replace(tag="button", type="button", text="Go", value="7")


def page(*rows, focus=-1, held=-1):
    return Snapshot("", "Café", list(rows), focus, held)


def lines(*rows, **marks):
    return page_text("Do it.", page(*rows, **marks)).split("\n")[2:]


def test_the_instruction_and_the_title_come_first():
    assert page_text("Fly to Zürich\n→ soon.", page()) == (
        "Instruction: Fly to Zurich ? soon.\nPage: Cafe"
    )


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (TEXT, '[0] textbox "From"'),
        (TEXT._replace(value='say "no"'), r'[0] textbox "From" value="say \"no\""'),
        (TEXT._replace(readonly=True, covered=True), '[0] textbox "From" readonly covered'),
        (BUTTON, '[0] button "Go"'),
        (BUTTON._replace(disabled=True, classes="a open"), '[0] button "Go" expanded disabled'),
        (TEXT._replace(type="radio", checked=True), '[0] radio "From" checked'),
        (TEXT._replace(type="range", value="3"), '[0] slider "From" value="3"'),
        (
            TEXT._replace(tag="select", type="", value="2", options=("1", "2")),
            '[0] combobox "From" value="2" options=["1", "2"]',
        ),
        (TEXT._replace(tag="li", type="", draggable=True), '[0] listitem "From" draggable'),
        (TEXT._replace(tag="h1", type="", classes="selected"), '[0] heading "From" selected'),
    ],
)
def test_an_element_is_a_line(row, line):
    assert lines(row) == [line]


def test_elements_that_are_not_displayed_have_no_line():
    assert lines(None, BUTTON, TEXT, focus=2, held=1) == [
        '[1] button "Go" dragged',
        '[2] textbox "From" focused',
    ]


def test_a_long_page_loses_its_last_lines_and_counts_them():
    whole = page_text("Do it.", page(*[TEXT] * 9))
    assert page_text("Do it.", page(*[TEXT] * 9), len(whole)) == whole
    short = page_text("Do it.", page(*[TEXT] * 9), len(whole) - 1)
    assert len(short) < len(whole)
    kept = whole.split("\n")[: short.count("\n")]
    assert short.split("\n") == [*kept, f"... {11 - len(kept)} more lines"]
    assert len(page_text("Do it.", page(TEXT), 5)) == 5


def test_characters_become_printable_ascii():
    assert plain(" São  Paulo\t– ﬁne 😀") == "Sao Paulo ? fine ?"


def read(env_id, seed, steps=15):
    """Every text of a random episode, in an environment of acts on elements."""
    env = AccessibilityText(gym.make(f"envs:{env_id}", backend="twin"))
    random = np.random.default_rng(seed)
    text, _ = env.reset(seed=seed)
    for _ in range(steps):
        yield env, text
        legal = np.flatnonzero(env.get_wrapper_attr("action_masks")())
        text, _, terminated, truncated, _ = env.step(random.choice(legal))
        if terminated or truncated:
            break


@pytest.mark.parametrize("env_id", WEB)
def test_every_page_fits(env_id):
    for env, text in read(env_id, seed=1):
        assert text in env.observation_space
        assert len(text) < MAX_LENGTH / 2
        shown = [row for row in env.unwrapped.snapshot.rows if row is not None]
        assert text.count("\n") == 1 + len(shown)


@pytest.mark.parametrize("task", ["Login", "United"])
def test_the_browser_and_the_twin_read_alike(task):
    def make(**settings):
        return AccessibilityText(gym.make(f"envs:WoB-{task}-v0", actions="text", **settings))

    browser, twin = make(), make(backend="twin")
    read = [env.reset(seed=3)[0] for env in (browser, twin)]
    box = next(line for line in read[0].split("\n") if "textbox" in line)
    ref = box.partition("]")[0].strip("[")
    for command in (f'type {ref} "New York"', "press Tab", "press Escape", "nonsense"):
        assert read[0] == read[1]
        read = [env.step(command)[0] for env in (browser, twin)]
    assert f'[{ref}] textbox "' in read[0]
    assert 'value="New York"' in read[0]
    assert "focused" in read[0]
    browser.close()
    release_browsers()


def test_only_web_environments_can_be_read():
    with pytest.raises(InputError, match="web environment"):
        AccessibilityText(gym.make("CartPole-v1"))
    assert set(ROLES.values()) >= {"link", "combobox", "slider"}
