"""Episodes of an agent: each moment as the environment gave it, to the end or the limit."""

from itertools import islice
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from agents.rollout import Moment, ending, rollout


class Steps(gym.Env[int, int]):
    """Counts up to ``end``; the reward is the action, the info the count, its seed and options."""

    observation_space = gym.spaces.Discrete(100)
    action_space = gym.spaces.Discrete(100)

    def __init__(self, end: int) -> None:
        self.end = end

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        self.count, self.given = 0, {"seed": seed, "options": options}
        return self.count, {"count": self.count, **self.given}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.count += 1
        ended = self.count == self.end
        return self.count, np.float32(action), np.bool_(ended), False, {"count": self.count}  # type: ignore[return-value]


class Doubling:
    """Acts by twice the observation, plus the seed."""

    def reset(self, seed: int) -> None:
        self.seed = seed

    def act(self, observation: int, info: dict[str, Any]) -> int:
        assert info["count"] == observation
        return 2 * observation + self.seed


def test_every_moment_is_what_the_environment_gave() -> None:
    moments = list(rollout(Steps(3), Doubling(), 7, agent_seed=1, options={"a": 0}))
    assert moments == [
        Moment(0, {"count": 0, "seed": 7, "options": {"a": 0}}, None, 0.0, False, False),
        Moment(1, {"count": 1}, 1, 1.0, False, False),
        Moment(2, {"count": 2}, 3, 3.0, False, False),
        Moment(3, {"count": 3}, 5, 5.0, True, False),
    ]
    assert [type(part) for part in moments[-1][3:]] == [float, bool, bool]
    assert [moment.ended for moment in moments] == [False, False, False, True]


def test_a_limit_ends_it_too() -> None:
    limited = gym.wrappers.TimeLimit(Steps(100), 2)
    last = ending(limited, Doubling(), 0)
    assert (last.observation, last.terminated, last.truncated, last.ended) == (2, False, True, True)


def test_the_agent_has_the_environments_seed_unless_it_is_given_its_own() -> None:
    assert [moment.action for moment in rollout(Steps(2), Doubling(), 7)] == [None, 7, 9]


def test_whoever_stops_reading_takes_no_further_step() -> None:
    env = Steps(100)
    assert len(list(islice(rollout(env, Doubling(), 0), 4))) == 4
    assert env.count == 3


def test_errors_of_the_agent_go_on() -> None:
    class Lost(Doubling):
        def act(self, observation: int, info: dict[str, Any]) -> int:
            raise LookupError("lost")

    moments = rollout(Steps(2), Lost(), 0)
    next(moments)
    with pytest.raises(LookupError, match="lost"):
        next(moments)
