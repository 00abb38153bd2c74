"""Reference scores of tuning convolution kernels."""

from typing import Any

import gymnasium as gym

from envs.convolution.env import ConvTuningEnv
from envs.registration import find
from experiments.scores import floor, scores, table

SEEDS = range(10)
SEARCHES = ("greedy", "annealing", "roofline", "cost-model", "adaptive")


def references(env_id: str) -> dict[str, Any]:
    """Scores that searches reach within an episode's measurements, by layer.

    Of an id that draws layers they are those of the split test; of one that none has taken the
    place of.
    """
    env = gym.make(f"envs:{env_id}")
    tuning = env.unwrapped
    assert isinstance(tuning, ConvTuningEnv)
    core = tuning.core
    held_out = bool(find(env_id).splits)
    layers = [one.name for one in core.tables if one.split == "test" or not held_out]
    problems = {name: {"layer": name} for name in layers}
    played = {
        agent: {name: scores(env, agent, SEEDS, options) for name, options in problems.items()}
        for agent in ("random", *SEARCHES)
    }
    floors = {name: floor(env, "higher", options) for name, options in problems.items()}
    env.close()
    how = f"{core.settings.budget} measurements, mean of {len(SEEDS)} seeds a layer"
    described = {
        "random": "uniform over the legal choices",
        "greedy": "coordinate descent from the defaults",
        "annealing": "simulated annealing",
        "roofline": "variants in the order of the analytic model",
        "cost-model": "variants in the order of the learned model",
        "adaptive": "the same, corrected by what it measures",
    }
    sources = {name: f"{text}, {how}" for name, text in described.items()}
    bounds = dict.fromkeys(problems, 1.0)
    proof = "the best variant in the table at the first measurement"
    unit = "of the greatest gain, mean over the budget"
    return table(unit, "higher", sources, played, floors, SEARCHES, bounds, proof)
