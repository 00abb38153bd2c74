"""Reference scores of loop scheduling."""

from typing import Any

import gymnasium as gym
import numpy as np

from agents.loading import load_agent
from agents.rollout import ending
from agents.tables import BASELINES
from experiments.scores import FLOOR_SEEDS, NAIVE, floor, scale

EPISODES = 100
TEST = {"split": "test"}


def references(env_id: str) -> dict[str, Any]:
    """Rates of naive play and of every baseline on held-out problems, and the roofline.

    Problems are endless, so the scale is that of the shares of each problem's own roofline.
    """
    env = gym.make(f"envs:{env_id}")
    how = f"mean of {EPISODES} episodes of the split test"
    table: dict[str, dict[str, Any]] = {}
    shares: dict[str, list[float]] = {}
    for name in ("random", *BASELINES["loops"]):
        agent = load_agent(name, env)
        ends = [ending(env, agent, seed, options=TEST).info for seed in range(EPISODES)]
        described = (type(agent).__doc__ or "").partition("\n")[0].rstrip(".")
        table[name] = {
            "score": float(np.mean([end["score"] for end in ends])),
            "source": f"{described}, {how}",
        }
        shares[name] = [end["score"] / end["bound"] for end in ends]
        bound = float(np.mean([end["bound"] for end in ends]))
    seeds = range(FLOOR_SEEDS.start, FLOOR_SEEDS.start + EPISODES)
    low = floor(env, "higher", TEST, seeds, seeds, shares=True)
    env.close()
    best = max(table, key=lambda name: float(table[name]["score"]))
    row = scale(low, shares[best])
    span = row["reference"] - row["floor"]
    for name, found in shares.items():
        table[name]["normalised"] = (float(np.mean(found)) - row["floor"]) / span
    roofline = "roofline: peak rate, every byte loaded once"
    naive = f"{NAIVE.removesuffix(' on each problem')}, {low.play}, share of the roofline, {how}"
    source = f"the best of the others, {best}: {table[best]['source']}"
    return {
        "unit": "GFLOP/s",
        "better": "higher",
        "reference": {**table[best], "source": source},
        "floor": {"score": low.score * bound, "source": naive, "normalised": 0.0},
        **table,
        "bound": {"score": bound, "source": roofline, "normalised": (1 - row["floor"]) / span},
        "shares": row,
    }
