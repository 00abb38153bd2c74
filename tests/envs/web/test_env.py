"""The environments keep the contract, with a browser and without."""

import os
import signal

import gymnasium as gym
import numpy as np
import pytest

from envs.testing import CHECKS
from envs.web.browser import release_browsers
from envs.web.drawing import BAND
from envs.web.env import WebEnv
from hardware_sim.errors import InputError

TASK = "envs.web.tasks.catalogue:make:"
SLOW = {"check_determinism_across_processes", "check_long_rollout_memory"}
PICTURES = {"check_render_modes", "check_close", "check_long_rollout_memory"}
"""Checks that render, which the twin cannot."""


@pytest.fixture(scope="module")
def ids():
    """Ids of environments with a browser and without, as anybody would register them."""
    names = {}
    for task in ("Login", "DragSort", "ClickLink"):
        for backend in ("shell", "twin"):
            name = f"Web{task}{backend.title()}-v0"
            gym.register(
                name,
                entry_point="envs.web.env:WebEnv",
                vector_entry_point="envs.web.vector:WebVectorEnv",
                kwargs={"task": TASK + task} | ({"backend": "twin"} if backend == "twin" else {}),
            )
            names[task, backend] = name
    yield names
    for name in names.values():
        del gym.registry[name]
    release_browsers()


@pytest.mark.parametrize("check", sorted(set(CHECKS) - PICTURES))
@pytest.mark.parametrize("task", ["Login", "DragSort"])
def test_the_twin_keeps_the_contract(ids, task, check):
    assert CHECKS[check](ids[task, "twin"])


@pytest.mark.parametrize("task", ["Login", "DragSort", "ClickLink"])
def test_a_browser_goes_the_way_of_the_vectorised_twin(ids, task):
    assert "3 rows" in CHECKS["check_vector_equals_single"](ids[task, "shell"])


@pytest.mark.parametrize("check", sorted(set(CHECKS) - SLOW - {"check_masks"}))
def test_the_browser_keeps_the_contract(ids, check):
    assert CHECKS[check](ids["Login", "shell"])


def test_pixels_are_the_screen(ids):
    env = gym.make(ids["Login", "shell"], pixels=True, render_mode="rgb_array")
    observation, _ = env.reset(seed=1)
    assert observation["pixels"].shape == (210, 160, 3)
    assert len(np.unique(observation["pixels"].reshape(-1, 3), axis=0)) > 10
    assert np.array_equal(observation["pixels"], env.render())
    env.close()


def test_films_show_the_pointer_and_the_instruction():
    env = gym.make("envs:WoB-United-v0", render_mode="rgb_array", pixels=True)
    observation, _ = env.reset(seed=0)
    first = env.render()
    assert first.shape == (667 + BAND, 375, 3)
    assert np.array_equal(first[BAND:], observation["pixels"])
    assert len(np.unique(first[:BAND].reshape(-1, 3), axis=0)) > 2
    row = env.unwrapped.snapshot.rows[4]
    observation, *_ = env.step(4)
    x, y = row.left + row.width // 2, row.top + row.height // 2
    shown, screen = env.render()[BAND:], observation["pixels"]
    changed = np.argwhere((shown != screen).any(axis=2))
    assert len(changed) > 50
    assert (changed.min(axis=0) >= (y, x)).all()
    assert (changed.max(axis=0) <= (y + 20, x + 12)).all()
    env.close()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"task": TASK + "Nothing"}, "ClickButton"),
        ({"task": "no.module:Task"}, "is none of ours"),
        ({"task": TASK + "Login", "backend": "netscape"}, "twin"),
        ({"task": TASK + "Login", "backend": "twin", "pixels": True}, "draws nothing"),
    ],
)
def test_bad_arguments_name_what_is_allowed(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        WebEnv(**settings)


def test_a_lost_browser_truncates_and_the_next_episode_works(ids):
    env = gym.make(ids["Login", "shell"])
    env.reset(seed=0)
    browser = env.unwrapped.session.client.page.browser
    os.killpg(browser.process.popen.pid, signal.SIGKILL)
    action = int(np.flatnonzero(env.unwrapped.action_masks())[0])
    *_, truncated, info = env.step(action)
    assert truncated
    assert "browser" in info["lost"]
    observation, _ = env.reset(seed=0)
    assert observation["element_mask"].any()
    env.close()
