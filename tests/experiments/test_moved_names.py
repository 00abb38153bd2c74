"""A run and a result of a time when modules had other names: they load, play and verify."""

import json
import shutil
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents.actions import decode_action
from agents.loading import load_agent
from agents.rollout import rollout
from experiments.verify import verify

OLD = Path(__file__).with_name("old_run")
OLD_MODEL, MODEL = "agents.critics.convolution:predict", "agents.convolution.cost_model:predict"


@pytest.fixture
def run(tmp_path):
    """A copy, so that nothing is written beside the tests."""
    return shutil.copytree(OLD, tmp_path / "run")


def test_the_files_hold_old_names(run):
    checkpoint = next((run / "checkpoints").glob("*.pt"))
    content = torch.load(checkpoint, weights_only=True)
    assert content["network"]["extractor"] == "agents.policies.convolution:TuningExtractor"
    assert json.loads((run / "config.json").read_text())["env_kwargs"]["model"] == OLD_MODEL


def test_the_checkpoint_acts_as_it_did(run):
    result = json.loads((run / "result.json").read_text())
    env = gym.make(result["env_id"])
    agent = load_agent(str(run), env)
    for episode in result["episodes"]:
        moments = list(rollout(env, agent, episode["seed"]))
        actions = [decode_action(env.action_space, each) for each in episode["actions"]]
        assert np.array_equal([moment.action for moment in moments[1:]], actions)
        assert moments[-1].info["score"] == episode["score"]
    env.close()


def test_the_result_verifies(run):
    verdict = verify(run / "result.json")
    assert verdict.differences == []
    assert verdict.standing == "legacy format, not comparable"


def test_a_model_by_its_old_name_is_the_same():
    rewards = []
    for name in (OLD_MODEL, MODEL):
        env = gym.make("envs:ConvTuning-ResNet2-v0", backend="model", model=name)
        agent = load_agent("random", env)
        rewards.append([moment.reward for moment in rollout(env, agent, 0)])
        env.close()
    assert rewards[0] == rewards[1]
    assert len(set(rewards[0])) > 3
