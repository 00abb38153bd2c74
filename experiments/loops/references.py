"""Reference scores of loop scheduling."""

from typing import Any

import gymnasium as gym
import numpy as np

from agents.loading import load_agent
from agents.rollout import ending
from agents.tables import BASELINES

EPISODES = 100


def references(env_id: str) -> dict[str, Any]:
    """Rates of random behaviour and of every baseline on held-out problems, and the roofline."""
    env = gym.make(f"envs:{env_id}")
    how = f"mean of {EPISODES} episodes of the split test"
    table: dict[str, dict[str, Any]] = {}
    for name in ("random", *BASELINES["loops"]):
        agent = load_agent(name, env)
        ends = [
            ending(env, agent, seed, options={"split": "test"}).info for seed in range(EPISODES)
        ]
        described = (type(agent).__doc__ or "").partition("\n")[0].rstrip(".")
        table[name] = {
            "score": float(np.mean([end["score"] for end in ends])),
            "source": f"{described}, {how}",
        }
        bound = float(np.mean([end["roofline"] for end in ends]))
    env.close()
    best = max(table, key=lambda name: float(table[name]["score"]))
    source = f"the best of the others, {best}: {table[best]['source']}"
    return {
        "unit": "GFLOP/s",
        "better": "higher",
        "reference": {"score": table[best]["score"], "source": source},
        **table,
        "bound": {"score": bound, "source": "roofline: peak rate, every byte loaded once"},
    }
