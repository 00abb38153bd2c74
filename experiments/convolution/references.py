"""Reference scores of tuning convolution kernels."""

from typing import Any

import gymnasium as gym
import numpy as np

from agents.agent import Agent
from agents.loading import load_agent
from agents.rollout import ending
from envs.convolution.env import ConvTuningEnv

SEEDS = range(10)


def references(env_id: str) -> dict[str, Any]:
    """Speed-ups over oneDNN that searches reach within an episode's measurements."""
    env = gym.make(f"envs:{env_id}")
    tuning = env.unwrapped
    assert isinstance(tuning, ConvTuningEnv)
    core = tuning.core
    drawn = [table.name for table in core.tables if core.split in ("all", table.split)]
    scores = {
        name: float(np.mean([_tuned(env, load_agent(name, env), layer) for layer in drawn]))
        for name in ("random", "greedy", "annealing", "roofline", "oracle")
    }
    env.close()
    budget = core.settings.budget
    sources = {
        "random": "uniform over the legal choices",
        "greedy": "coordinate descent from the defaults",
        "annealing": "simulated annealing",
        "roofline": "variants in the order of the analytic model",
        "oracle": "the best variant in the table",
    }
    how = f"{budget} measurements, mean of {len(SEEDS)} seeds a layer"
    bound = scores.pop("oracle")
    table = {
        name: {"score": score, "source": f"{sources[name]}, {how}"}
        for name, score in scores.items()
    }
    best = max(sorted(scores.keys() - {"random"}), key=lambda name: scores[name])
    source = f"the best of the others, {best}: {table[best]['source']}"
    reference = {"score": scores[best], "source": source}
    return {
        "unit": "times oneDNN",
        "better": "higher",
        "reference": reference,
        **table,
        "bound": {"score": bound, "source": sources["oracle"]},
    }


def _tuned(env: gym.Env[Any, Any], agent: Agent, layer: str) -> float:
    """The mean score of episodes on a layer."""
    ends = [ending(env, agent, seed, options={"layer": layer}) for seed in SEEDS]
    return float(np.mean([end.info["score"] for end in ends]))
