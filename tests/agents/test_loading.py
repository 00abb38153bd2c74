"""Agents by name, from the table, from outside the project, and those that do not exist."""

from pathlib import Path

import gymnasium as gym
import pytest

from agents.agent import Agent, RandomAgent
from agents.loading import load_agent
from agents.runs import Run
from hardware_sim.errors import InputError

FOREIGN = """
class Left:
    def __init__(self, env):
        self.env = env
    def reset(self, seed):
        self.seed = seed
    def act(self, observation, info):
        return 0

class Mute:
    def reset(self, seed):
        pass

class Ready:
    def reset(self, seed):
        pass
    def act(self, observation, info):
        return 1

ready = Ready()
mute = Mute()

def make(env):
    return Left(env)
"""


@pytest.fixture
def env() -> gym.Env:
    return gym.make("CartPole-v1")


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A third party's module in the working folder."""
    name = f"foreign_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(FOREIGN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere", *__import__("sys").path])
    return name


def test_random(env: gym.Env) -> None:
    agent = load_agent("random", env)
    assert isinstance(agent, RandomAgent)


@pytest.mark.parametrize(("attribute", "action"), [("Left", 0), ("make", 0), ("ready", 1)])
def test_third_partys_agent_by_module_and_attribute(
    env: gym.Env, foreign: str, attribute: str, action: int
) -> None:
    agent = load_agent(f"{foreign}:{attribute}", env)
    assert isinstance(agent, Agent)
    agent.reset(0)
    assert agent.act(env.reset(seed=0)[0], {}) == action


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:Agent", "cannot be found: No module named"),
        ("{foreign}:Nobody", "cannot be found"),
        ("{foreign}:mute", r"has no act\(\)"),
        ("agents.algorithms.text:TextAgent", "is not made from an environment alone .*'usage'"),
        ("alphago", r"unknown agent 'alphago'; allowed: random, .*run folder, or module:attribute"),
        ("heft", "unknown agent 'heft'"),
    ],
)
def test_agents_that_do_not_exist(env: gym.Env, foreign: str, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_agent(name.format(foreign=foreign), env)


def test_folder_that_is_no_run(env: gym.Env, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run folder"):
        load_agent(str(tmp_path), env)


def test_run_without_a_checkpoint(env: gym.Env, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"env_id": "CartPole-v1", "engine": "sb3"})
    with pytest.raises(InputError, match="no checkpoint yet"):
        load_agent(str(run.folder), env)


def test_run_of_an_unknown_engine(env: gym.Env, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"env_id": "CartPole-v1", "engine": "sb4"})
    with pytest.raises(InputError, match=r"unknown engine 'sb4' \(did you mean 'sb3'\?\)"):
        load_agent(str(run.folder), env)


def test_heuristics_of_the_domain_are_listed() -> None:
    env = gym.make("envs:DevicePlacement-InceptionV3-v0")
    with pytest.raises(InputError, match=r"allowed: random, .*heft.*, the path"):
        load_agent("heftt", env)
    assert isinstance(load_agent("heft", env), Agent)
