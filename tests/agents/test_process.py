"""Agents in a process of their own: what they get, what they cannot reach, and how they fail."""

import os
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from agents.process import AgentProcess
from agents.shared import SharedArrays, layout_of, memory_file
from envs.placement.env import DevicePlacementEnv
from experiments.evaluate import evaluate
from experiments.seeds import Seeds
from hardware_sim.errors import InputError
from tests.agents import cheats

BERT = "DevicePlacement-BERT24-v0"
HERE = "tests.agents.cheats"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    return tmp_path


@pytest.fixture
def env():
    env = gym.make(f"envs:{BERT}")
    yield env
    env.close()


@pytest.fixture(scope="module")
def honest():
    return evaluate(BERT, f"{HERE}:Honest", Seeds((0,)), in_process=True)["episodes"]


@pytest.mark.parametrize("cheat", ["Reads", "Patches", "Rewinds", "Answers"])
def test_a_cheat_reaches_nothing_in_its_process(cheat, folder, honest):
    result = evaluate(BERT, f"{HERE}:{cheat}", Seeds((0,)))
    assert result["episodes"] == honest
    assert not cheats.REACHED.exists()
    assert (result["kind"], result["in_process"]) == ("agent", False)


def test_the_same_cheat_reaches_the_environment_in_the_judges_process(folder, honest):
    """So that the test before this one is about the process, not about a cheat that is none."""
    with pytest.raises(InputError, match=r"beyond the bound 0\.1254.* of .msr_bert24"):
        evaluate(BERT, f"{HERE}:Patches", Seeds((0,)), in_process=True)
    assert str(DevicePlacementEnv) in cheats.REACHED.read_text()


@pytest.mark.parametrize("in_process", [False, True])
@pytest.mark.parametrize("cheat", ["Given", "GivenReset", "GivenStep"])
def test_what_an_agent_is_made_from_is_no_environment(cheat, in_process, folder):
    message = "receives spaces, observations and infos, not the environment"
    with pytest.raises((InputError, AttributeError), match=message):
        evaluate(BERT, f"{HERE}:{cheat}", Seeds((0,)), in_process=in_process)


def test_the_judge_imports_nothing_of_a_strangers(folder):
    (folder / "stranger.py").write_text(
        "import os\nfrom tests.agents.cheats import Honest\nprint('imported by', os.getpid())\n"
        "open(f'imported-{os.getpid()}', 'w')\n"
    )
    evaluate(BERT, "stranger:Honest", Seeds((0,)))
    assert len(list(folder.glob("imported-*"))) == 1
    assert not (folder / f"imported-{os.getpid()}").exists()


def test_a_view_names_spaces_arguments_and_metadata(folder, env):
    AgentProcess(f"{HERE}:described", env).close()
    text = cheats.REACHED.read_text()
    assert BERT in text
    assert "Discrete(6)" in text
    assert "render_modes" in text


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ("Exits", "'tests.agents.cheats:Exits' ended by itself with status 7"),
        ("Hangs", "did not act within 3 s"),
        ("Raises", "the agent raised ZeroDivisionError: of my own"),
        ("Talks", "sent something that is no reply"),
        ("TalksNonsense", "sent something that is no reply"),
        ("TalksPickled", "sent something that is no reply"),
        ("TalksDeep", "sent something that is no reply"),
        ("TalksLong", "sent something that is no reply"),
        ("ChoosesBeyond", r"action 99 does not belong to Discrete\(6\)"),
    ],
)
def test_an_agent_that_fails_is_one_clear_error(agent, message, folder, env):
    process = AgentProcess(f"{HERE}:{agent}", env)
    process.wait_at_most(3.0)
    observation, info = env.reset(seed=0)
    process.reset(0)
    with pytest.raises(InputError, match=message) as failure:
        process.act(observation, info)
    assert "\n" not in str(failure.value)
    process.close()
    assert process.ended
    assert not cheats.REACHED.exists()


@pytest.mark.parametrize(
    ("agent", "message"), [("Claims", "kind of agent 'king'"), ("Empty", r"has know\(problem\)")]
)
def test_kinds_that_an_agent_may_not_state(agent, message, env):
    with pytest.raises(InputError, match=message):
        AgentProcess(f"{HERE}:{agent}", env)


def test_a_process_dies_with_its_agents_last_use(env):
    process = AgentProcess("random", env)
    ends = process.close
    del process
    assert not ends.alive


def test_what_an_agent_prints_is_not_the_commands_output(folder, honest, capfd):
    result = evaluate(BERT, f"{HERE}:Prints", Seeds((0,)))
    assert result["episodes"] == honest
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "a thought" in printed.err
    assert "another" in printed.err


class Chosen(gym.Env):
    """The legal action is another each step, which only a method says."""

    observation_space = gym.spaces.Text(9)
    action_space = gym.spaces.Discrete(5)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return "a text", {}

    def action_masks(self):
        return np.arange(5) == self.steps

    def step(self, action):
        right = action == self.steps
        self.steps += 1
        return "a text", float(right), self.steps == 5, False, {}


def test_legal_actions_reach_the_agent_where_a_method_gives_them():
    env = Chosen()
    process = AgentProcess(f"{HERE}:Masked", env)
    observation, info = env.reset(seed=0)
    process.reset(0)
    ended, total = False, 0.0
    while not ended:
        observation, reward, ended, _, info = env.step(process.act(observation, info))
        total += reward
    process.close()
    assert total == 5


@pytest.mark.parametrize(
    "observation",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array(3.0),
        {"a": np.arange(5, dtype=np.int8), "b": np.zeros((0, 4)), "c": np.ones((3, 3))[:, ::2]},
        {"large": np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)},
    ],
)
def test_arrays_pass_through_shared_memory(observation):
    descriptor = memory_file()
    layout = layout_of(observation)
    ours, theirs = SharedArrays(descriptor, layout), SharedArrays(descriptor, layout)
    assert ours.put(observation)
    found = theirs.get()
    assert data_equivalence(observation, found)
    assert ours.put(found)
    assert data_equivalence(theirs.get(), found)
    os.close(descriptor)


@pytest.mark.parametrize(
    "other",
    [
        *("text", 3, {}, {"a": {"b": np.zeros(2)}}, np.array([None])),
        *(np.ma.ones(3), {"a": np.zeros(2), "b": 1.0}),
    ],
)
def test_what_is_no_plain_array_has_no_place_in_shared_memory(other):
    assert layout_of(other) is None
    descriptor = memory_file()
    assert not SharedArrays(descriptor, layout_of({"a": np.zeros(2)})).put(other)
    os.close(descriptor)


class Changing(gym.Env):
    """Each observation has another type, order, shape or dtype than the one before."""

    observation_space = gym.spaces.Text(9)
    action_space = gym.spaces.Discrete(2**32)
    observations = (
        {"a": np.arange(3, dtype=np.float32), "b": np.int8([[1, 2]])},
        {"a": np.arange(3, dtype=np.float32) + 1, "b": np.int8([[3, 4]])},
        {"b": np.int8([[3, 4]]), "a": np.arange(3, dtype=np.float32)},
        {"b": np.int8([[3, 4]]), "a": np.arange(3, dtype=np.float64)},
        {"b": np.int8([3, 4]), "a": np.arange(3, dtype=">f8")},
        {"b": np.int8([3, 4])},
        np.int8([3, 4]),
        np.arange(10)[::-2],
        np.ma.array([5, 6], mask=[False, True]),
        {},
        "a text",
        3,
        {"a": {"c": np.ones(2)}, "b": 4.0},
        np.ones((200, 200, 3)),
        np.array(2.5),
    )

    def reset(self, *, seed=None, options=None):
        return self.observations[0], {}


def test_an_agent_receives_what_the_environment_gave():
    env, received = Changing(), []
    process = AgentProcess(f"{HERE}:Sums", env)
    process.reset(0)
    for number, observation in enumerate(env.observations):
        info = {"step": number, "nested": {"mask": np.arange(number)}}
        received.append((observation, info))
        assert process.act(observation, info) == cheats.total(received)
    process.close()
