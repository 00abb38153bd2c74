"""An agent's mean score, for the tables of reference scores."""

from typing import Any

import gymnasium as gym
import numpy as np

from agents.loading import load_agent
from agents.rollout import ending


def mean_score(
    env: gym.Env[Any, Any], name: str, episodes: int, options: dict[str, Any] | None = None
) -> float:
    """An agent's mean score over episodes with the seeds from 0.

    Args:
        env: The environment; stays open.
        name: An agent as :func:`agents.loading.load_agent` takes it.
        episodes: Their number.
        options: Options of each reset.
    """
    agent = load_agent(name, env)
    ends = [ending(env, agent, seed, options=options) for seed in range(episodes)]
    return float(np.mean([end.info["score"] for end in ends]))
