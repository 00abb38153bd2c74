"""Commands as text: their forms, what is refused and what they do."""

import gymnasium as gym
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envs.web.commands import CHARSET, EXAMPLES, USAGE, Command, check, parse, to_text
from envs.web.session import ILLEGAL
from envs.web.snapshot import KEYS, Row, Snapshot
from hardware_sim.errors import InputError

REFS, NOWHERE, NOTHING = st.integers(0, 9999), st.just(-1), st.just("")
COMMANDS = st.one_of(
    st.builds(Command, st.just("click"), REFS, NOWHERE, NOTHING),
    st.builds(Command, st.just("drag"), REFS, REFS, NOTHING),
    st.builds(Command, st.sampled_from(["type", "select"]), REFS, NOWHERE, st.text()),
    st.builds(Command, st.just("press"), NOWHERE, NOWHERE, st.sampled_from(KEYS)),
)


@given(COMMANDS)
def test_parsing_inverts_writing(command):
    text = to_text(command)
    assert parse(text) == parse(f"  {text} ") == command
    assert set(text) <= set(CHARSET)


@pytest.mark.parametrize("text", EXAMPLES.values())
def test_examples_are_commands_that_the_usage_shows(text):
    assert to_text(parse(text)) == text
    assert text in USAGE


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "'' is no command; commands look like: click 12; type"),
        ("tap 3", "'tap' is no command"),
        ("click", "click looks like: click 12"),
        ("click twelve", "click looks like"),
        ("click 12 13", "click looks like"),
        ("click 123456789", "click looks like"),
        ("click ١٢", "click looks like"),
        ("type 3 New York", 'type looks like: type 12 "New York"'),
        ('type 3 "New York', "type looks like"),
        ('type 3 "New" "York"', "is no JSON string"),
        (r'type 3 "\x"', "is no JSON string"),
        ("drag 3", "drag looks like: drag 3 7"),
        ("press entr", "unknown key 'entr'"),
    ],
)
def test_a_text_that_is_no_command_is_refused_with_an_example(text, sentence):
    with pytest.raises(InputError) as caught:
        parse(text)
    assert sentence in str(caught.value)


PLAIN = Row("p", "", "", "", 0, 0, 9, 9, False, False, False, False, False, (), "")
TEXT = PLAIN._replace(tag="input", type="text")
PAGE = Snapshot(
    "",
    "",
    [
        TEXT,
        None,
        PLAIN._replace(covered=True),
        PLAIN._replace(disabled=True),
        TEXT._replace(readonly=True),
        TEXT._replace(type="range"),
        PLAIN._replace(tag="select", options=("one", "two")),
        PLAIN._replace(draggable=True),
    ],
    -1,
    -1,
)


@pytest.mark.parametrize(
    "text",
    [
        "click 0",
        'type 0 "A b"',
        'type 0 ""',
        'type 5 "-3"',
        'select 6 "two"',
        "drag 7 3",
        "press Tab",
    ],
)
def test_what_can_be_done_passes(text):
    assert check(parse(text), PAGE) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("click 1", "there is no element 1 on the page"),
        ("click 8", "there is no element 8 on the page"),
        ("click 2", "element 2 is covered by another"),
        ("click 3", "element 3 is disabled"),
        ('type 4 "x"', "element 4 takes no typing"),
        ('type 5 "x"', "element 5 takes a whole number, not 'x'"),
        ('type 5 "99999999999"', "takes a whole number"),
        ('type 6 "two"', "element 6 is no text box"),
        (r'type 0 "a\n"', r"'a\\n' has characters that no key types"),
        (r'type 0 "\ud800"', "has characters that no key types"),
        ('select 0 "two"', "element 0 has no options"),
        ('select 6 "tow"', r"unknown option of element 6 'tow' \(did you mean 'two'\?\)"),
        ("drag 0 7", "element 0 cannot be dragged"),
        ("drag 7 2", "element 2 is covered"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(text, sentence):
    with pytest.raises(InputError, match=sentence):
        check(parse(text), PAGE)


@pytest.fixture(scope="module")
def env():
    env = gym.make("envs:WoB-Login-v0", backend="twin", actions="text")
    env.unwrapped.session.max_steps = 10**9
    env.reset(seed=0)
    return env


@given(st.text() | st.text(alphabet='clicktypeselectdragpress 0123456789"\\'))
@example("type 0 \x00")
@example('type 3 "' + "x" * 300 + '"')
def test_any_text_is_a_command_or_costs_a_penalty_with_a_reason(env, text):
    _, reward, terminated, _, info = env.step(text)
    assert not terminated
    assert (reward == ILLEGAL) == bool(info.get("error"))
