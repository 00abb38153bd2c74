"""Observations, predictions and choices by a measured table are the same wherever the code runs."""

from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents.convolution import cost_model, recipe
from agents.loading import load_agent
from envs.convolution import tables
from envs.registration import CURRENT
from experiments.convolution import model as convolution_model
from hardware_sim.host import this_machine
from hardware_sim.kernels import roofline, space
from hardware_sim.kernels.layers import find
from tests.hosts import GREATER, LESSER, pretend

ENV_ID = "envs:ConvTuning-v1"
IDS = [f"envs:{name}" for name, entry in CURRENT.items() if entry.domain == "convolution"]
MODELS = ("hardware_sim.kernels.roofline:predict", "agents.convolution.cost_model:predict")
AGENTS = ("greedy", "roofline", "cost-model", "adaptive", "pretrained", "oracle")
LAYERS = ["ResNet4", "AlexNet2"]
HOSTS = {
    "half the caches, no AVX-512": (LESSER, (16, 512, 16384), 1),
    "twice the caches, AVX-512": (GREATER, (64, 2048, 65536), 64),
}


def walked(env: gym.Env[Any, Any], agent: Any, steps: int) -> list[Any]:
    """Observations, rewards and actions of an episode's first steps."""
    observation, info = env.reset(seed=5)
    agent.reset(5)
    found = [observation, env.unwrapped.action_masks()]
    for _ in range(steps):
        action = agent.act(observation, info)
        observation, reward, _, _, info = env.step(action)
        found += [observation, reward, action]
    env.close()
    return found


def environments() -> list[Any]:
    """Outcomes of every id, and of the backends that are deterministic."""
    made = [partial(gym.make, env_id) for env_id in IDS]
    made += [partial(gym.make, ENV_ID, layers=LAYERS, backend="model", model=m) for m in MODELS]
    found = []
    for make in made:
        env = make()
        found.append(walked(env, load_agent("random", env), 3))
    vector = gym.make_vec(ENV_ID, num_envs=3)
    found += [vector.reset(seed=5), vector.step(vector.action_space.sample() * 0)]
    vector.close()
    return found


def choices() -> list[Any]:
    """Outcomes of every agent."""
    made = [gym.make(ENV_ID, layers=LAYERS[:1], split="all", budget=6) for _ in AGENTS]
    agents = [
        load_agent(name, env, deterministic=False) for name, env in zip(AGENTS, made, strict=True)
    ]
    return [walked(env, agent, 6) for env, agent in zip(made, agents, strict=True)]


def predictions() -> list[Any]:
    """Predictions of roofline and cost model, the space, and samples that a recipe fits."""
    machine, found = tables.measured_on(), []
    for problem in (find(layer).problem for layer in LAYERS):
        found += [roofline.predict(problem, machine), cost_model.predict(problem, machine)]
        found += [space.masks(problem, machine), [*space.choices(problem, machine).items()]]
        found += [cost_model.table(problem, machine)]
    found += [part.numpy() for part in recipe.samples(tables.layers(LAYERS))]
    table = tables.replay()["ResNet4"]
    return [*found, convolution_model.compared(table, np.log(table.speedup))]


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks gain nothing from two threads, and on a busy machine wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("outcomes", [environments, choices, predictions])
def test_nothing_depends_on_the_host(outcomes, tmp_path, monkeypatch):
    here, machine = outcomes(), this_machine()
    for number, (features, kib, cores) in enumerate(HOSTS.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        pretend(monkeypatch, folder, features, kib, cores)
        assert this_machine() != machine
        np.testing.assert_equal(outcomes(), here)


def test_the_hosts_differ_in_what_they_would_predict(tmp_path, monkeypatch):
    """Guards the test above: a prediction that asks the host differs between them."""
    problem, found = find("ResNet4").problem, []
    for number, (features, kib, cores) in enumerate(HOSTS.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        pretend(monkeypatch, folder, features, kib, cores)
        found.append((this_machine(), roofline.predict(problem, this_machine())))
    (lesser, low), (greater, high) = found
    assert lesser.isa().name == "avx2"
    assert greater.isa().name == "avx512"
    table = tables.measured_on()
    assert 2 * lesser.l2_bytes == table.l2_bytes == greater.l2_bytes / 2
    assert not np.array_equal(low, high, equal_nan=True)
    assert not np.array_equal(roofline.predict(problem, table), low, equal_nan=True)
