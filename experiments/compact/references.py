"""Reference scores of compact networks."""

from itertools import product
from typing import Any

import gymnasium as gym

from envs.compact.batch import NEAR_BEST, SETTINGS
from envs.compact.env import CompactFeatureEnv
from envs.registration import NOISE
from experiments.scores import floor, scores, table

EPISODES = 50
SOURCES = {
    "random": "uniform over the legal choices",
    "uniform": "the best share that is the same for every map",
    "greedy": "the cut that gains most, again and again",
    "oracle": "the best choice by enumeration of the table",
}


def references(env_id: str) -> dict[str, Any]:
    """Scores of plans by the replay table in every setting; the best is known by enumeration.

    Where naive play comes as near to it as counts as success, there is no scale.
    """
    env = gym.make(f"envs:{env_id}")
    compact = env.unwrapped
    assert isinstance(compact, CompactFeatureEnv)
    core = compact.core
    values = (core.batches, core.prices, core.budgets)
    problems = {
        core.named(*numbers): dict(zip(SETTINGS, chosen, strict=True))
        for numbers, chosen in zip(
            product(*map(range, map(len, values))), product(*values), strict=True
        )
    }
    played = {
        agent: {
            name: scores(env, agent, range(EPISODES if agent == "random" else 1), options)
            for name, options in problems.items()
        }
        for agent in SOURCES
    }
    floors = {name: floor(env, "higher", options) for name, options in problems.items()}
    env.close()
    how = f"mean of the {len(problems)} settings"
    sources = {name: f"{source}, {how}" for name, source in SOURCES.items()}
    sources["random"] += f", {EPISODES} episodes each"
    bounds = {name: best for name, (best,) in played["oracle"].items()}
    source = sources["oracle"]
    head = ("doublings", "higher", sources, played, floors, ["oracle"])
    return table(*head, bounds, source, dict.fromkeys(problems, NEAR_BEST / NOISE))
