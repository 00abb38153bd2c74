"""Transitions of a demonstration are what the environment gave."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from agents.loading import load_agent
from envs.web.demonstration import Step
from envs.web.demonstration_file import read_demonstrations, write_demonstrations
from envs.web.transitions import transitions
from experiments.web.demonstrate import demonstrate
from hardware_sim.errors import InputError


@pytest.mark.parametrize(
    ("env_id", "agent", "seed"),
    [
        ("WoB-United-v0", "expert", 4),
        ("WoB-DragSort-v0", "expert", 1),
        ("WoB-Search-v0", "expert", 2),
        ("WoB-ClickLink-v0", "random", 5),
        ("WoB-Login-v0", "random", 3),
    ],
)
def test_an_agents_demonstration_gives_back_its_episode(env_id, agent, seed, tmp_path):
    env = gym.make(f"envs:{env_id}", backend="twin")
    player = load_agent(agent, env)
    shown = demonstrate(env, player, agent, seed, {"split": "test"})
    path = write_demonstrations(tmp_path / "one.jsonl.xz", [shown])
    (read,) = read_demonstrations(path)
    assert read == shown
    given = transitions(read)
    observation, _ = env.reset(seed=seed, options={"split": "test"})
    for step, action in enumerate(given.actions):
        for key, value in observation.items():
            assert np.array_equal(value, given.observations[key][step]), key
        observation, reward, terminated, truncated, info = env.step(action)
        assert given.rewards[step] == np.float32(reward)
        assert (terminated or truncated) == (step == len(given.actions) - 1)
    for key, value in observation.items():
        assert np.array_equal(value, given.observations[key][-1]), key
    assert terminated == given.terminated == (read.score is not None)
    assert read.score in (None, info["score"])
    assert read.success == info["is_success"]
    assert given.unmapped == []
    env.close()


def test_what_cannot_be_observed_is_refused(tmp_path):
    env = gym.make("envs:WoB-Login-v0", backend="twin")
    shown = demonstrate(env, load_agent("expert", env), "expert", 0, {})
    foreign = replace(shown, seed=None, env_id="miniwob/x")
    with pytest.raises(InputError, match="miniwob/x was recorded on foreign pages"):
        transitions(foreign)
    idle = replace(shown, steps=(Step(0, "load", shown.steps[0].state),))
    with pytest.raises(InputError, match="there is no action"):
        transitions(idle)
    row = shown.steps[0].state.rows[0]
    crowded = shown.steps[0].state._replace(rows=[row] * 97)
    steps = (Step(0, "act", crowded, action=shown.steps[0].action),)
    with pytest.raises(InputError, match="97 elements; at most 96"):
        transitions(replace(shown, steps=steps))
