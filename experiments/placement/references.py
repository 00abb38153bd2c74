"""Reference scores of device placement."""

from typing import Any

import gymnasium as gym
import numpy as np

from agents.placement import heuristics
from agents.placement.search import annealing, makespans
from envs.placement.env import DevicePlacementEnv
from hardware_sim.bounds import lower_bound
from hardware_sim.problem import PlacementProblem

RANDOM_PLACEMENTS = 1_000
ANNEALING_EVALUATIONS = 20_000
ANNEALING_SEEDS = range(5)


def problem_references(problem: PlacementProblem) -> dict[str, dict[str, Any]]:
    """Reference scores of one problem, each ``{"score": seconds, "source": text}``."""
    rng = np.random.default_rng(0)
    random = rng.integers(problem.num_devices, size=(RANDOM_PLACEMENTS, problem.num_groups))
    annealed = [
        annealing(problem, ANNEALING_EVALUATIONS, seed).makespan_s for seed in ANNEALING_SEEDS
    ]
    scores = {
        "random": (
            makespans(problem, random).mean(),
            f"mean of {RANDOM_PLACEMENTS} uniform placements",
        ),
        "annealing": (
            np.mean(annealed),
            f"simulated annealing, {ANNEALING_EVALUATIONS} evaluations, "
            f"mean of {len(ANNEALING_SEEDS)} seeds",
        ),
        "bound": (lower_bound(problem).value_s, "proven lower bound (hardware_sim.bounds)"),
        "single-device": (problem.single_device_s, "everything on the fastest device"),
    }
    for name, plan in (
        ("expert", heuristics.expert),
        ("heft", heuristics.heft),
        ("etf", heuristics.etf),
        ("min-cut", heuristics.min_cut),
    ):
        score = makespans(problem, plan(problem)[None])[0]
        scores[name] = score, (plan.__doc__ or "").partition("\n")[0].rstrip(".")
    table = {name: {"score": float(score), "source": src} for name, (score, src) in scores.items()}
    best = min(scores.keys() - {"bound"}, key=lambda name: float(scores[name][0]))
    source = f"the best of the others, {best}: {table[best]['source']}"
    return {"reference": {"score": table[best]["score"], "source": source}, **table}


def references(env_id: str) -> dict[str, Any]:
    """The table's entry of a placement id; scores of several graphs are averaged."""
    env = gym.make(f"envs:{env_id}")
    placement = env.unwrapped
    assert isinstance(placement, DevicePlacementEnv)
    tables = [problem_references(graph.problem) for graph in placement.core.graphs]
    env.close()
    merged = {
        name: {
            "score": float(np.mean([table[name]["score"] for table in tables])),
            "source": tables[0][name]["source"],
        }
        for name in tables[0]
    }
    return {"unit": "s", "better": "lower", **merged}
