"""The tasks of an installed MiniWoB++ through our driver."""

import os
import signal

import gymnasium as gym
import numpy as np
import pytest

from envs.registration import BRIDGED
from envs.testing import CHECKS
from envs.web.actions import Action, encode
from envs.web.application import Request
from envs.web.browser import release_browsers
from envs.web.miniwob.env import MiniWoBEnv
from envs.web.miniwob.fields import fields
from envs.web.miniwob.folder import Folder
from envs.web.miniwob.package import reloaded, tasks
from experiments.web.miniwob_check import check_task, compare, play
from hardware_sim.errors import InputError

CLICK_BUTTON = "envs:WoB-MiniWoB-click-button-v0"
FEWER = {
    "check_masks": {"steps": 30},
    "check_determinism_across_processes": {"steps": 50},
    "check_long_rollout_memory": {"steps": 300, "warm_up": 100},
}
SAMPLE = (
    "choose-list",
    "click-checkboxes",
    "click-collapsible",
    "drag-items",
    "email-inbox",
    "enter-date",
    "login-user-popup",
    "search-engine",
    "social-media",
    "terminal",
    "use-slider",
)


@pytest.fixture(scope="module", autouse=True)
def _browsers_end():
    yield
    release_browsers()


def make(task, **settings):
    return gym.make(f"envs:WoB-MiniWoB-{task}-v0", disable_env_checker=True, **settings)


def ref_of(env, **wanted):
    """The first element whose row has these values."""
    rows = env.unwrapped.snapshot.rows
    return next(
        ref
        for ref, row in enumerate(rows)
        if row and all(getattr(row, name) == value for name, value in wanted.items())
    )


def kill_browser(env):
    """Kills the process group of an environment's browser."""
    os.killpg(env.unwrapped.client.page.browser.process.popen.pid, signal.SIGKILL)


def test_every_page_of_the_package_is_an_id():
    assert len(tasks()) == len(BRIDGED) >= 100
    assert set(SAMPLE) | reloaded() <= set(tasks())


@pytest.mark.parametrize("check", CHECKS)
def test_the_contract_holds(check):
    assert CHECKS[check](CLICK_BUTTON, **FEWER.get(check, {}))


@pytest.mark.peers
@pytest.mark.parametrize("task", SAMPLE)
def test_tasks_repeat_whatever_went_before(task):
    assert check_task(task, steps=4)["fault"] == ""


def test_a_difference_is_a_fault():
    env = make("click-button", pixels=True)
    assert compare(play(env, 1, 2), play(env, 2, 2)).startswith("step 0: ")
    env.close()


def test_the_right_button_earns_one_and_the_last_screen_is_real():
    env = make("click-button", pixels=True)
    before, info = env.reset(seed=4)
    wanted = info["instruction"].split('"')[1]
    after, reward, terminated, truncated, info = env.step(ref_of(env, tag="button", text=wanted))
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info["is_success"] is True
    assert 0.9 < info["scaled"] < 1
    assert after["element_mask"].sum() == before["element_mask"].sum()
    assert (after["pixels"] != before["pixels"]).mean() < 0.2
    env.close()


def test_typing_and_fields():
    env = make("enter-text")
    env.reset(seed=0)
    field = ref_of(env, tag="input")
    env.step(encode(Action("type", field, 0)))
    assert env.unwrapped.snapshot.rows[field].value == env.unwrapped.encoder.texts[0]
    *_, info = env.step(ref_of(env, tag="button"))
    assert info["score"] == 1.0
    env.close()


def test_a_date_and_a_select_take_their_text():
    for task in ("enter-date", "choose-list"):
        env = make(task)
        env.reset(seed=0)
        tag = "input" if task == "enter-date" else "select"
        env.step(encode(Action("type", ref_of(env, tag=tag), 0)))
        *_, info = env.step(ref_of(env, tag="button"))
        assert info["score"] == 1.0
        env.close()


def test_what_is_scrolled_away_is_scrolled_into_view_and_clicked():
    env = make("email-inbox")
    env.reset(seed=0)
    away = max(env.unwrapped.client._away)
    text = env.unwrapped.snapshot.rows[away].text
    assert env.unwrapped.action_masks()[away]
    assert env.unwrapped.snapshot.rows[away].top > 210
    env.step(away)
    assert text in {row.text for row in env.unwrapped.snapshot.rows if row}
    env.close()


def test_what_lies_beside_the_page_cannot_be_acted_on():
    env = make("book-flight")  # its suggestions have helpers for screen readers at -1 pixels
    env.reset(seed=0)
    beside = [
        ref
        for ref, row in enumerate(env.unwrapped.snapshot.rows)
        if row is not None and row.left + row.width // 2 < 0
    ]
    assert beside
    mask = env.unwrapped.action_masks()
    assert not any(mask[encode(Action("click", ref))] for ref in beside)
    env.close()


def test_page_time_ends_an_episode_that_does_nothing():
    env = make("click-button", max_steps=200)
    env.reset(seed=0)
    ended, steps = False, 0
    while not ended:
        _, reward, ended, truncated, info = env.step(encode(Action("press", key="Escape")))
        steps += 1
        assert not truncated
    assert (reward, steps) == (-1.0, 79)  # of 125 ms each after the first, of 10 s
    assert info["is_success"] is False
    env.close()


def test_the_step_limit_truncates():
    env = make("click-button", max_steps=2)
    env.reset(seed=0)
    press = encode(Action("press", key="Escape"))
    assert [env.step(press)[2:4] for _ in range(2)] == [(False, False), (False, True)]
    with pytest.raises(InputError, match="reset"):
        env.step(press)
    env.close()


def test_a_lost_browser_ends_the_episode_and_the_next_one_works():
    env = gym.make(CLICK_BUTTON)
    first, _ = env.reset(seed=0)
    action = int(np.flatnonzero(first["action_mask"])[0])
    kill_browser(env)
    *_, terminated, truncated, info = env.step(action)
    assert truncated
    assert not terminated
    assert "browser" in info["lost"]
    again, _ = env.reset(seed=0)
    kill_browser(env)  # between episodes: nobody notices
    once_more, _ = env.reset(seed=0)
    for key, array in first.items():
        assert np.array_equal(array, again[key]), key
        assert np.array_equal(array, once_more[key]), key
    env.close()


def test_chromium_shows_the_same_elements():
    rows = []
    for backend in ("shell", "chromium"):
        env = make("click-checkboxes", backend=backend)
        env.reset(seed=3)
        env.step(ref_of(env, tag="input", type="checkbox"))
        rows.append(
            [row and (row.tag, row.text, row.checked) for row in env.unwrapped.snapshot.rows]
        )
        env.close()
    assert rows[0] == rows[1]
    assert any(row and row[2] for row in rows[0])


def test_the_folder_gives_only_its_own_files(tmp_path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a b.html").write_text("<p>ü")
    (tmp_path / "secret").write_text("no")
    (tmp_path / "pages" / "link").symlink_to(tmp_path / "secret")
    folder = Folder(tmp_path / "pages")
    found = folder.respond(Request("GET", "a%20b.html"))
    assert (found.status, found.kind) == (200, "text/html; charset=utf-8")
    assert found.file == "<p>ü".encode()
    for path in ("../secret", "%2e%2e/secret", "/etc/passwd", "link", "", ".", "a\0b"):
        assert folder.respond(Request("GET", path)).status == 404
    assert folder.respond(Request("POST", "a%20b.html")).status == 405


@pytest.mark.parametrize(
    ("utterance", "marked", "texts"),
    [
        ('Enter the password "z8wBu" into both text fields.', (), ["z8wBu"]),
        ("Select 11/27/2016 as the date and hit submit.", (), ["11/27/2016"]),
        ("Select 8wB, rQUGo and click Submit.", (), ["8wB", "rQUGo"]),
        ("Enter 8:19 AM as the time and press submit.", (), ["8:19 AM"]),
        ("From: Nome, AK on 1/2/2016.", ("Nome, AK",), ["Nome, AK", "1/2/2016"]),
        ("Select Edythe>Ola>Guenevere", (), ["Edythe", "Ola", "Guenevere"]),
        ("Click the button.", (), []),
    ],
)  # fmt: skip
def test_fields_are_the_texts_to_type(utterance, marked, texts):
    assert [text for _, text in fields(utterance, marked)] == texts


def test_a_field_is_named_by_the_words_before_it():
    assert fields('Enter the username "juan".') == (("the username", "juan"),)
    assert len(fields(" ".join(f'"{number}x"' for number in range(20)))) == 12


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"task": "no-task"}, "click-button"),
        ({"task": "click-button", "backend": "twin"}, "chromium"),
        ({"task": "click-button", "max_steps": 0}, "at least 1"),
    ],
)
def test_bad_arguments_name_what_is_allowed(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        MiniWoBEnv(**settings)


def test_bad_options_name_what_is_allowed():
    env = make("click-button")
    for options in ({"split": "dev"}, {"difficulty": 3}):
        with pytest.raises(InputError, match="allowed"):
            env.reset(options=options)
    env.close()
