"""Reference scores of device placement."""

from typing import Any

import gymnasium as gym
import numpy as np

from agents.placement import heuristics
from agents.placement.search import annealing, makespans
from envs.placement.env import DevicePlacementEnv
from envs.registration import NOISE
from experiments.scores import floor, table
from hardware_sim.bounds import lower_bound
from hardware_sim.problem import PlacementProblem

RANDOM_PLACEMENTS = 1_000
ANNEALING_EVALUATIONS = 20_000
ANNEALING_SEEDS = range(5)
LEAST_GAIN = 0.02
"""Share of the floor's time that the reference must gain, for there to be a scale; on less, a small
loss of time would count many times as much as all that can be gained."""


def references(env_id: str) -> dict[str, Any]:
    """The table's entry of a placement id; scores of several graphs are averaged."""
    env = gym.make(f"envs:{env_id}")
    placement = env.unwrapped
    assert isinstance(placement, DevicePlacementEnv)
    core = placement.core
    problems = dict(zip(core.names, [graph.problem for graph in core.graphs], strict=True))
    plans = {name: problem_plans(problem) for name, problem in problems.items()}
    first = next(iter(plans.values()))
    sources = {agent: source for agent, (_, source) in first.items()}
    played = {agent: {name: found[agent][0] for name, found in plans.items()} for agent in sources}
    floors = {name: floor(env, "lower", {"graph": name}) for name in problems}
    env.close()
    bounds = {name: lower_bound(problem).value_s for name, problem in problems.items()}
    proof = "proven lower bound (hardware_sim.bounds)"
    agents = [*sources]
    noise = {name: LEAST_GAIN / NOISE * low.score for name, low in floors.items()}
    return table("s", "lower", sources, played, floors, agents, bounds, proof, noise)


def problem_plans(problem: PlacementProblem) -> dict[str, tuple[list[float], str]]:
    """Seconds that plans of one problem take, and what each plan is."""
    rng = np.random.default_rng(0)
    random = rng.integers(problem.num_devices, size=(RANDOM_PLACEMENTS, problem.num_groups))
    annealed = [
        annealing(problem, ANNEALING_EVALUATIONS, seed).makespan_s for seed in ANNEALING_SEEDS
    ]
    plans = {
        "random": (
            makespans(problem, random).tolist(),
            f"mean of {RANDOM_PLACEMENTS} uniform placements",
        ),
        "annealing": (
            annealed,
            f"simulated annealing, {ANNEALING_EVALUATIONS} evaluations, "
            f"mean of {len(ANNEALING_SEEDS)} seeds",
        ),
        "single-device": ([problem.single_device_s], "everything on the fastest device"),
    }
    for name, plan in (
        ("expert", heuristics.expert),
        ("heft", heuristics.heft),
        ("etf", heuristics.etf),
        ("min-cut", heuristics.min_cut),
    ):
        described = (plan.__doc__ or "").partition("\n")[0].rstrip(".")
        plans[name] = makespans(problem, plan(problem)[None]).tolist(), described
    return plans
