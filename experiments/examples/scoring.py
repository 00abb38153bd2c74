"""The score by which the examples judge: the mean on the test seeds of an id."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from agents.engines.base import settings


def mean_score(env_id: str, act: Callable[[Any], Any]) -> float:
    """The mean of ``info["score"]`` over the test seeds.

    Args:
        env_id: Such as ``"envs:AdaptiveSoftmax-v0"``.
        act: An action for an observation.
    """
    env = gym.make(env_id)
    scores = []
    for seed in settings(env_id)["seeds"]["test"]:
        observation, info = env.reset(seed=seed)
        ended = truncated = False
        while not (ended or truncated):
            observation, _, ended, truncated, info = env.step(act(observation))
        scores.append(info["score"])
    env.close()
    return float(np.mean(scores))
