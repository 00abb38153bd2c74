"""The evaluate verb: seeds, actions of every kind of space, any agent, and what it refuses."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import typer
from gymnasium.utils.env_checker import data_equivalence
from typer.testing import CliRunner

from agents.actions import decode_action, encode_action
from agents.agent import RandomAgent
from agents.placement.baselines import Heft
from agents.rollout import Moment
from agents.runs import Run
from agents.tables import training_settings
from agents.view import View
from envs.registration import normalised, references
from experiments import evaluate as verb
from experiments.evaluate import evaluate, play
from experiments.results import digest, read_result
from experiments.seeds import Seeds, agent_seed, drawn, episode_seed, named, parse
from experiments.statistics import iqm
from experiments.train import configure, train
from experiments.verify import verify
from hardware_sim.errors import InputError

BERT = "DevicePlacement-BERT24-v0"
FIRST_ALLOWED = """
import numpy as np

class FirstAllowed:
    def __init__(self, env):
        self.seeds = []

    def reset(self, seed):
        self.seeds.append(seed)

    def act(self, observation, info):
        return int(np.flatnonzero(observation["action_mask"])[0])

class Wild(FirstAllowed):
    def act(self, observation, info):
        return 99
"""

app = typer.Typer()
app.command()(verb.command)


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_the_result_is_what_the_environment_gave() -> None:
    result = evaluate(BERT, "heft", Seeds((3, 7), episodes=2))
    assert [(e["seed"], e["episode"]) for e in result["episodes"]] == [
        (3, 0),
        (3, 1),
        (7, 0),
        (7, 1),
    ]
    env = gym.make(f"envs:{BERT}")
    agent = Heft(View.of(env))
    observation, info = env.reset(seed=7)
    agent.reset(0)
    agent.know(env.unwrapped.problem())
    total, ended, actions = 0.0, False, []
    while not ended:
        actions.append(agent.act(observation, info))
        observation, reward, ended, _, info = env.step(actions[-1])
        total += float(reward)
    assert result["episodes"][2] == {
        "seed": 7,
        "episode": 0,
        "return": total,
        "score": info["score"],
        "is_success": info["is_success"],
        "problem": "msr_bert24_training",
        "bound": info["bound"],
        "length": len(actions),
        "actions": actions,
    }
    assert env.spec is not None
    assert json.loads(result["env_spec"]) == json.loads(env.spec.to_json())
    assert result["env_id"] == f"envs:{BERT}"
    assert result["format"] == 2
    assert result["versions"]["gymnasium"] == gym.__version__


def test_aggregates_and_digest_follow_from_the_episodes() -> None:
    result = evaluate(BERT, "random", Seeds((0, 1, 2), episodes=2))
    found = result["aggregate"]
    scores = [episode["score"] for episode in result["episodes"]]
    assert len(set(scores)) == 6  # neither seeds nor episodes repeat each other
    assert found["iqm"] == iqm(np.array(scores))
    assert found["mean"] == pytest.approx(np.mean(scores))
    assert min(scores) <= found["low"] < found["iqm"] < found["high"] <= max(scores)
    scaled = [normalised(BERT, e["score"], e["problem"]) for e in result["episodes"]]
    assert found["normalised_iqm"] == iqm(np.array(scaled))
    assert found["left_out"] == 0
    assert found["unit"] == references(BERT)["unit"] == "s"
    successes = [episode["is_success"] for episode in result["episodes"]]
    assert found["success_rate"] == np.mean(successes)
    content = {name: value for name, value in result.items() if name != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert result["digest"] == hashlib.sha256(text.encode()).hexdigest()


def test_evaluating_again_gives_the_same_episodes() -> None:
    first, second = (evaluate(BERT, "random", Seeds((5,), episodes=2)) for _ in range(2))
    assert first["episodes"] == second["episodes"]
    assert digest(first) == digest({**second, "date": first["date"]})


def test_arguments_of_the_environment_leave_the_reference_scale() -> None:
    result = evaluate(BERT, "heft", Seeds((0,)), env_kwargs={"cluster": "4xv100_nvlink"})
    assert result["env_kwargs"] == {"cluster": "4xv100_nvlink"}
    assert json.loads(result["env_spec"])["kwargs"]["cluster"] == "4xv100_nvlink"
    assert "normalised_iqm" not in result["aggregate"]
    assert result["digest"] != evaluate(BERT, "heft", Seeds((0,)))["digest"]


def test_environments_without_scores_are_judged_by_return() -> None:
    result = evaluate("CartPole-v1", "random", Seeds((0, 1, 2)))
    episodes = result["episodes"]
    assert all(e["score"] is None and e["is_success"] is None for e in episodes)
    assert all(e["return"] == e["length"] == len(e["actions"]) for e in episodes)
    assert result["aggregate"]["mean"] == np.mean([e["return"] for e in episodes])
    assert result["aggregate"]["unit"] == "return"
    assert result["aggregate"]["success_rate"] is None
    assert "normalised_iqm" not in result["aggregate"]


def test_continuous_actions_replay_exactly(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(evaluate("Pendulum-v1", "random", Seeds((4,)))))
    assert isinstance(read_result(path)["episodes"][0]["actions"][0], list)
    assert verify(path).differences == []


@pytest.mark.parametrize(
    "space",
    [
        gym.spaces.Discrete(5, start=-2),
        gym.spaces.Box(-1, 1, (2, 3), np.float32),
        gym.spaces.Box(0, 255, (4,), np.uint8),
        gym.spaces.MultiDiscrete([3, 4]),
        gym.spaces.MultiDiscrete([[3, 4], [2, 5]], start=[[0, -1], [7, 0]]),
        gym.spaces.MultiBinary(6),
        gym.spaces.Text(8),
        gym.spaces.Dict({"a": gym.spaces.Discrete(3), "b": gym.spaces.Box(-1, 1, (2,))}),
        gym.spaces.Tuple((gym.spaces.Discrete(3), gym.spaces.MultiBinary(2))),
    ],
    ids=lambda space: type(space).__name__,
)
def test_actions_of_every_space_survive_json(space: gym.Space[Any]) -> None:
    space.seed(0)
    for _ in range(20):
        action = space.sample()
        encoded = json.loads(json.dumps(encode_action(space, action)))
        decoded = decode_action(space, encoded)
        assert space.contains(decoded)
        assert data_equivalence(decoded, action)


@pytest.mark.parametrize("action", [6, -1, 1.5, "1", None, [1, 2], np.float32(1)])
def test_actions_outside_the_space_are_refused(action: Any) -> None:
    with pytest.raises(InputError, match="does not belong to Discrete"):
        encode_action(gym.spaces.Discrete(6), action)


@pytest.mark.parametrize("encoded", [6, 1.5, "1", None, [1], 2**80])
def test_what_encodes_no_action_is_refused(encoded: Any) -> None:
    with pytest.raises(InputError, match="does not belong to Discrete"):
        decode_action(gym.spaces.Discrete(6), encoded)


@pytest.mark.parametrize(
    "encoded",
    [[3, 0], [0, -2], [0], [0, 0, 0], [0, 1.5], ["0", 0], [[0], [0]], [0, 2**80], 0, None],
)
def test_integers_outside_their_ranges_are_refused(encoded: Any) -> None:
    space = gym.spaces.MultiDiscrete([3, 4], start=[0, -1])
    for refused in (encode_action, decode_action):
        with pytest.raises(InputError, match="does not belong to MultiDiscrete"):
            refused(space, encoded)


def test_any_dtype_of_integers_will_do() -> None:
    space = gym.spaces.MultiDiscrete([3, 4], start=[0, -1])
    for dtype in (np.int8, np.uint64, np.int32):
        assert encode_action(space, np.array([2, 1], dtype)) == [2, 1]
        assert encode_action(gym.spaces.Discrete(3), dtype(2)) == 2
    action = decode_action(space, [2, -1])
    assert action.dtype == space.dtype
    assert action.tolist() == [2, -1]


@pytest.mark.parametrize("action", [[0.0], [0.0, 2.0], [0.0, float("nan")], "up", {"a": 1}])
def test_vectors_outside_the_box_are_refused(action: Any) -> None:
    with pytest.raises(InputError, match="does not belong to Box"):
        encode_action(gym.spaces.Box(-1, 1, (2,)), action)


def test_seeds_of_episodes() -> None:
    assert episode_seed(1003, 0) == 1003
    later = [episode_seed(seed, number) for seed in range(20) for number in range(1, 20)]
    assert len(set(later)) == len(later)
    assert all(2**31 <= seed < 2**32 for seed in later)
    assert all(agent_seed(seed, 0) != episode_seed(seed, 0) for seed in range(100))


def test_seed_lists() -> None:
    own = training_settings(BERT)["seeds"]
    for name in ("train", "validation", "test"):
        assert parse(BERT, name) == named(BERT, name) == Seeds(tuple(own[name]), name)
        assert len(parse("CartPole-v1", name).seeds) >= 5
    assert parse(BERT, "4,0,2", 3) == Seeds((4, 0, 2), episodes=3)
    with pytest.raises(InputError, match="allowed: train, validation, test, or integers"):
        parse(BERT, "exam")


@pytest.mark.parametrize(("name", "split"), [("test", "test"), ("validation", "train")])
@pytest.mark.parametrize("env_id", ["WoB-Login-v0", "LoopSchedule-v0", "StepSelection-v1"])
def test_a_named_list_sets_the_split(env_id: str, name: str, split: str) -> None:
    assert parse(env_id, name) == named(env_id, name)
    assert named(env_id, name).options == {"split": split}
    other = parse(env_id, name, options={"split": "other"})
    assert (other.name, other.options) == (None, {"split": "other"})


def test_episodes_are_played_on_the_split(tmp_path: Path) -> None:
    path = str(tmp_path / "result.json")
    login = ("WoB-Login-v0", "--agent", "random", "--env", "backend=twin")
    shown = invoke(*login, "--json", "-o", path)
    assert json.loads(shown.stdout)["seeds"]["options"] == {"split": "test"}
    env = gym.make("envs:WoB-Login-v0", backend="twin")
    splits: list[str] = []

    def note(moment: Moment) -> None:
        splits.append(moment.info.get("split", ""))

    play(env, RandomAgent(env), 0, 0, note, {"split": "test"})
    assert splits[0] == "test"
    env.close()


@pytest.mark.parametrize(
    ("env_id", "given", "message"),
    [
        ("LoopSchedule-v0", ("--split", "exam"), "unknown split 'exam'; allowed: test, train"),
        (BERT, ("--split", "test"), "unknown option 'split'; allowed: graph"),
        (BERT, ("--option", "graph=7"), "unknown graph 7; allowed: "),
        ("CartPole-v1", ("--option", "low=9"), "CartPole-v1 refuses the options {'low': 9}: "),
        ("tests.agents.toy:Point-v0", ("--env", "size=1"), "cannot be made: "),
    ],
)
def test_options_are_refused_in_a_sentence(
    env_id: str, given: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = invoke(env_id, "--agent", "random", *given, "-o", str(tmp_path / "result.json"))
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_drawn_seeds_follow_from_the_secret_alone() -> None:
    secret = "a secret of the judge"
    seeds = drawn(BERT, secret)
    assert seeds == drawn(f"envs:{BERT}", secret)
    assert len(set(seeds.seeds)) == 5
    assert all(2**31 <= seed < 2**32 for seed in seeds.seeds)
    assert drawn(BERT, secret, 3).seeds == seeds.seeds[:3]
    others = drawn(BERT, secret + "!"), drawn("WoB-Login-v0", secret)
    assert not set(seeds.seeds) & {seed for other in others for seed in other.seeds}
    assert others[0].commitment != seeds.commitment == others[1].commitment
    assert others[1].options == {"split": "test"}
    with pytest.raises(InputError, match="the secret has 5 characters; allowed: at least 16"):
        drawn(BERT, "short")


def test_an_agent_from_a_file_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_agent.py").write_text(FIRST_ALLOWED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    done = invoke(BERT, "--agent", "their_agent:FirstAllowed", "--episodes", "2", "--seeds", "0,1")
    assert done.exit_code == 0, done.output
    result = read_result("result.json")
    assert result["agent"] == "their_agent:FirstAllowed"
    assert len(result["episodes"]) == 4
    assert verify("result.json").differences == []
    assert "next: gymworks verify result.json" in done.output
    assert "95 % interval" in done.output
    with pytest.raises(InputError, match=r"action 99 does not belong to Discrete\(6\)"):
        evaluate(BERT, "their_agent:Wild", Seeds((0,)))


def test_a_deterministic_agent_on_one_problem_has_no_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = invoke(BERT, "--agent", "heft", "--seeds", "0,1,2").output
    assert "none: all alike" in shown
    assert " to " not in shown


def test_a_run_keeps_its_result_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    config = configure(
        BERT, steps=256, num_envs=4, hyperparameters={"n_steps": 32, "batch_size": 64}
    )
    train(config, folder, quiet=True)
    done = invoke(BERT, "--agent", str(folder), "--seeds", "0,1", "--quiet")
    assert done.exit_code == 0, done.output
    assert done.output == ""
    result = Run(folder).result()
    assert result is not None
    assert len(result["episodes"]) == 2
    assert verify(folder / "result.json").differences == []
    assert [path.name for path in folder.glob(".*")] == [".lock"]


def test_the_json_is_that_of_the_result_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = json.loads(invoke(BERT, "--agent", "heft", "--seeds", "0,1", "--json").stdout)
    result = read_result(shown.pop("result"))
    assert shown.pop("episodes") == len(result["episodes"]) == 2
    names = ("env_id", "agent", "kind", "seeds", "aggregate", "digest")
    assert shown == {name: result[name] for name in names}


def test_every_episode_is_reported() -> None:
    seeds: list[int] = []
    evaluate(
        BERT,
        "heft",
        Seeds((2, 1), episodes=2),
        on_episode=lambda episode: seeds.append(episode["seed"]),
    )
    assert seeds == [2, 2, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((BERT, "--agent", "hefty"), "unknown agent 'hefty'; allowed: random,"),
        (("DevicePlacement-Bert-v0", "--agent", "heft"), "unknown environment"),
        (("CartPole-v1", "--agent", "heft"), "unknown agent 'heft'; allowed: random,"),
        ((BERT, "--agent", "heft", "--seeds", "1,1"), "different integers"),
        ((BERT, "--agent", "heft", "--seeds=-1"), "different integers"),
        ((BERT, "--agent", "heft", "--seeds", "one"), "allowed: train, validation, test"),
        ((BERT, "--agent", "heft", "--episodes", "0"), "episodes is 0"),
        ((BERT, "--agent", "nowhere:Agent"), "cannot be found"),
        (("agents.agent:RandomAgent", "--agent", "random"), "team of agents"),
    ],
)
def test_bad_input_is_one_clear_error(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(*arguments, "--quiet")
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_unknown_arguments_of_the_environment_are_refused() -> None:
    with pytest.raises(InputError, match=r"unknown argument of .* 'colour'"):
        evaluate(BERT, "heft", Seeds((0,)), env_kwargs={"colour": "red"})
