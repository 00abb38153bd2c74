"""Reference scores of the web."""

from typing import Any

import gymnasium as gym
import numpy as np

from experiments.scores import FLOOR_SEEDS, NAIVE, floor, scale, scores

EPISODES = 200
CONSTANT_EPISODES = 20
TEST = {"split": "test"}


def references(env_id: str) -> dict[str, Any]:
    """Agreement of naive and scripted behaviour with the human's answers, on held-out ones."""
    env = gym.make(f"envs:{env_id}", backend="twin")
    random, expert = (scores(env, name, range(EPISODES), TEST) for name in ("random", "expert"))
    seeds = range(FLOOR_SEEDS.start, FLOOR_SEEDS.start + EPISODES)
    low = floor(env, "higher", TEST, seeds, seeds[:CONSTANT_EPISODES])
    env.close()
    how = "of the split test in the twin"
    few = f"{EPISODES} episodes, the constant action found on {CONSTANT_EPISODES} of them"
    rows = {
        "reference": (float(np.mean(expert)), f"the scripted expert, mean of {EPISODES} episodes"),
        "floor": (low.score, f"{NAIVE.removesuffix(' on each problem')}, {few}"),
        "random": (float(np.mean(random)), f"uniform over the legal actions, {EPISODES} episodes"),
        "bound": (1.0, "the human's own answer, episodes"),
    }
    shares = scale(low, expert)
    span = shares["reference"] - shares["floor"]
    return {
        "unit": "agreement",
        "better": "higher",
        **{
            name: {
                "score": score,
                "source": f"{source} {how}",
                "normalised": (score - shares["floor"]) / span,
            }
            for name, (score, source) in rows.items()
        },
        "shares": shares,
    }
