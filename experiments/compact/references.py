"""Reference scores of compact networks."""

from typing import Any

import gymnasium as gym

from experiments.scores import mean_score

EPISODES = 1_000


def references(env_id: str) -> dict[str, Any]:
    """Mean scores of plans by the replay table; the best of all is known by enumeration."""
    env = gym.make(f"envs:{env_id}")
    how = f"mean of {EPISODES} episodes"
    sources = {
        "reference": f"the best choice by enumeration of the table, {how}",
        "random": f"uniform over the legal choices, {how}",
        "uniform": f"the best share that is the same for every map, {how}",
        "greedy": f"the cut that gains most, again and again, {how}",
        "bound": f"the best choice by enumeration of the table, {how}",
    }
    agents = {"reference": "oracle", "bound": "oracle"}
    table = {
        name: {
            "score": mean_score(env, agents.get(name, name), EPISODES),
            "source": source,
        }
        for name, source in sources.items()
    }
    env.close()
    return {"unit": "doublings", "better": "higher", **table}
