"""The same tasks through raw events and through commands as text."""

from functools import partial

import gymnasium as gym
import numpy as np
import pytest

from envs.testing import CHECKS
from envs.web.browser import release_browsers
from envs.web.env import STEP_MS, WebEnv
from envs.web.events import KeyEvent, PointerEvent, encode
from envs.web.text import AccessibilityText
from hardware_sim.errors import InputError

LOGIN = "envs.web.tasks.catalogue:make:Login"
NATIVE = "check_vector_equals_single"  # the native class acts on elements only
PICTURES = {"check_render_modes", "check_close", "check_long_rollout_memory"}
FEWER = {
    "check_determinism_across_processes": {"steps": 40},
    "check_long_rollout_memory": {"steps": 200, "warm_up": 100},
    "check_pickle": {"steps": 30},
    "check_spec_json": {"steps": 10},
}
"""A frame in a browser takes a hundred times as long as a step of a simulator."""


@pytest.fixture(scope="module", autouse=True)
def browser_process():
    yield
    release_browsers()


def read_login(**settings):
    env = gym.make("envs:WoB-Login-v0", backend="twin", actions="text", **settings)
    return AccessibilityText(env)


@pytest.mark.parametrize("check", sorted(set(CHECKS) - PICTURES - {NATIVE}))
def test_text_keeps_the_contract(check):
    assert CHECKS[check](read_login, **FEWER.get(check, {}))


@pytest.mark.parametrize("check", sorted(set(CHECKS) - {NATIVE}))
def test_events_keep_the_contract(check):
    make = partial(gym.make, "envs:WoB-Login-v0", actions="events", max_events=3)
    assert CHECKS[check](make, **FEWER.get(check, {}))


@pytest.mark.parametrize(("frame_rate", "frame_ms"), [(8, [125]), (12, [83, 84, 83])])
def test_page_time_goes_by_the_frame_rate(frame_rate, frame_ms):
    env = gym.make("envs:WoB-ClickButton-v0", actions="events", frame_rate=frame_rate)
    env.reset(seed=0)
    page = env.unwrapped.session.client.page
    moments = [page.step([], 0, "Date.now()")]
    for frame in range(2 * frame_rate):
        env.step(encode([PointerEvent(frame, 0, False), KeyEvent("a")]))
        moments.append(page.step([], 0, "Date.now()"))
    assert moments[-1] - moments[0] == 2000
    assert set(np.diff(moments)) == set(frame_ms)
    assert env.metadata["render_fps"] == frame_rate
    env.close()


def test_acts_take_as_long_as_frames():
    env = gym.make("envs:WoB-Login-v0", actions="text", frame_rate=4)
    env.reset(seed=0)
    page = env.unwrapped.session.client.page
    before = page.step([], 0, "Date.now()")
    env.step("press Tab")
    assert page.step([], 0, "Date.now()") - before == 250 == 2 * STEP_MS
    env.close()


def test_the_pointer_is_seen_and_starts_anew():
    env = gym.make("envs:WoB-DragSort-v0", actions="events", pixels=True)
    observation, _ = env.reset(seed=0)
    assert "action_mask" not in observation
    assert observation["pointer"].tolist() == [0, 0, 0]
    item = next(row for row in env.unwrapped.snapshot.rows if row and row.draggable)
    place = (item.left + 5, item.top + 5)
    observation, *_ = env.step(encode([PointerEvent(*place, True)]))
    assert observation["pointer"].tolist() == [*place, 1]
    assert env.unwrapped.snapshot.held >= 0
    observation, *_ = env.step(encode([KeyEvent("x")]))
    assert observation["pointer"].tolist() == [*place, 1]
    assert env.reset(seed=0)[0]["pointer"].tolist() == [0, 0, 0]
    env.close()


def test_moves_behind_keys_are_taken_at_once(monkeypatch):
    env = gym.make("envs:WoB-Login-v0", actions="events")
    env.reset(seed=0)
    # Chromium gives up waiting for a frame after 15 s; the driver would give up before.
    monkeypatch.setattr(env.unwrapped.session.client.page.pipe, "timeout_s", 5)
    for x in range(150):
        frame = [KeyEvent("Y"), KeyEvent("0"), KeyEvent("^"), PointerEvent(x, 81, False)]
        *_, info = env.step(encode(frame))
        assert "lost" not in info
    env.close()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"actions": "mouse"}, "allowed: elements, events, text"),
        ({"actions": "events", "backend": "twin"}, "need a browser"),
        ({"actions": "events", "max_events": 0}, "max_events is 0; at least 1"),
        ({"frame_rate": 0}, "frame_rate is 0; allowed: above 0"),
    ],
)
def test_bad_settings_name_what_is_allowed(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        WebEnv(LOGIN, **settings)


@pytest.mark.parametrize("actions", ["text", "events"])
def test_there_is_no_step_outside_an_episode(actions):
    env = WebEnv(LOGIN, actions=actions)
    for action in ("click 0", np.zeros(20, np.int64), 3):
        with pytest.raises(InputError):
            env.step(action)


def test_only_acts_on_elements_have_masks():
    for actions, masked in (("elements", True), ("events", False), ("text", False)):
        assert hasattr(WebEnv(LOGIN, actions=actions), "action_masks") == masked
    with pytest.raises(InputError, match="allowed: elements"):
        gym.make_vec("envs:WoB-Login-v0", num_envs=2, actions="text")
    vector = gym.make_vec(
        "envs:WoB-Login-v0",
        num_envs=2,
        vectorization_mode="sync",
        actions="text",
        backend="twin",
    )
    vector.reset(seed=0)
    _, rewards, *_ = vector.step(("click 0", "click nothing"))
    assert rewards.tolist() == [0, -0.05]
    vector.close()
