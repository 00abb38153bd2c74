"""The scores of every id: naive play earns nothing, and who knows the answer reaches the top."""

from dataclasses import replace
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from agents.loading import load_agent
from envs import registration
from envs.registration import CURRENT, NOISE, has_scale, normalised
from envs.testing import CHECKS, check, check_judge, check_naive_play, check_oracle
from envs.testing.naive import ConstantPlay, constants
from tests.envs import walks

ORACLES = {
    "placement": "annealing",
    "convolution": "oracle",
    "loops": "hand",
    "softmax": "oracle",
    "compact": "oracle",
    "web": "expert",
    "dance": "rules",
}
"""By domain, who knows the answer or plays as the reference does."""

OTHERS = {"GPT2": "heft", "StepSelection": "cloned"}
"""The same for ids with these words in them."""

ONE = "DevicePlacement-InceptionV3-2GPU-v0"


def target(env_id: str) -> Any:
    twin = CURRENT[env_id].domain == "web"
    return partial(gym.make, f"envs:{env_id}", backend="twin") if twin else f"envs:{env_id}"


@pytest.mark.parametrize("env_id", CURRENT)
def test_the_oracle_reaches_the_reference_or_the_bound(env_id: str) -> None:
    agent = next((name for part, name in OTHERS.items() if part in env_id), None)
    agent = agent or ORACLES[CURRENT[env_id].domain]
    assert check_oracle(target(env_id), partial(_loaded, agent))


def _loaded(agent: str, env: gym.Env[Any, Any]) -> Any:
    return load_agent(agent, env)


def test_who_is_no_oracle_is_found_out() -> None:
    with pytest.raises(AssertionError, match="expected the oracle to reach the reference, 1 on"):
        check_oracle(f"envs:{ONE}", partial(_loaded, "random"))
    others = [name for name in CHECKS if name != "check_judge"]
    with pytest.raises(AssertionError, match="check_oracle: BeatsItsBound: expected no score bey"):
        check(walks.BeatsItsBound, skip=others, oracle=partial(_loaded, "random"))


def test_naive_play_that_earns_something_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    table = registration.references(ONE)
    (name,) = table["problems"]
    table["problems"][name]["floor"] *= 1.5  # as if naive play were worse than it is
    monkeypatch.setattr("envs.testing.scores.references", lambda _: table)
    monkeypatch.setattr(registration, "references", lambda _: table)
    with pytest.raises(AssertionError, match="constant play of 1 to score at most 0 on the norm"):
        check_naive_play(f"envs:{ONE}")


def test_the_judge_is_not_the_critic(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = CURRENT["Choreography-v0"]
    assert "judged by dance-judge" in check_judge("envs:Choreography-v0")
    for judges, sentence in (((), "to name judges beside its critics"), (entry.critics, "both")):
        monkeypatch.setitem(registration.ENTRIES, entry.id, replace(entry, judges=judges))
        with pytest.raises(AssertionError, match=sentence):
            check_judge("envs:Choreography-v0")


def test_constant_actions_of_each_space() -> None:
    assert list(constants(gym.spaces.Discrete(3, start=5))) == [5, 6, 7]
    assert list(constants(gym.spaces.Discrete(256))) == [0, 1, 2, 4, 8, 16, 32, 64, 128, 255]
    several = [each.tolist() for each in constants(gym.spaces.MultiDiscrete([4, 3]))]
    assert several == [[0, 0], [1, 1], [3, 2]]
    box = [each.tolist() for each in constants(gym.spaces.Box(-1, 1, (1,), np.float32))]
    assert box == [[-1], [0], [1]]
    assert list(constants(gym.spaces.Text(3))) == []


def test_constant_play_falls_back_on_the_first_legal_action() -> None:
    env = gym.make("envs:ConvTuning-AlexNet2-v1")
    observation, info = env.reset(seed=0)
    parts = np.split(observation["action_mask"], np.cumsum(env.action_space.nvec)[:-1])
    closed = [int(part.argmin()) for part in parts]
    action = ConstantPlay(env, np.array(closed)).act(observation, info)
    assert all(part[k] for part, k in zip(parts, action, strict=True))
    assert action[0] == parts[0].argmax() != closed[0]


def test_the_scale_of_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"floor": 4.0, "reference": 2.0, "noise": 0.9}
    table = {"better": "lower", "floor": {"score": 4.0}, "reference": {"score": 2.0}}
    monkeypatch.setattr(registration, "references", lambda _: {**table, "problems": {"a": row}})
    assert has_scale(ONE)
    assert (normalised(ONE, 3.0, "a"), normalised(ONE, 3.0, "b")) == (0.5, None)
    row["noise"] = 2.0 / NOISE  # as large as the difference
    assert normalised(ONE, 3.0, "a") is None
    row |= {"noise": 0.0, "reference": 5.0}  # a reference worse than the floor
    assert normalised(ONE, 3.0, "a") is None
    shares = {"floor": 0.2, "reference": 0.8, "noise": 0.0}
    endless = {**table, "better": "higher", "shares": shares}
    monkeypatch.setattr(registration, "references", lambda _: endless)
    assert normalised(ONE, 100.0, bound=200.0) == pytest.approx(0.5)
    assert normalised(ONE, 100.0) is None
    monkeypatch.setattr(registration, "references", lambda _: table)
    assert normalised(ONE, 3.0) == 0.5
