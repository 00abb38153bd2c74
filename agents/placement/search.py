"""Search over placements with the simulator as the judge and a fixed number of evaluations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.placement.heuristics import single_device, workers
from envs.placement.batch import OUT_OF_MEMORY_FACTOR
from hardware_sim.errors import InputError
from hardware_sim.problem import PlacementProblem
from hardware_sim.simulator import evaluate


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The best placement of a search and how it was reached.

    Attributes:
        placement: int64 ``(G,)``.
        makespan_s: Its makespan, or the failing signal if nothing fitted.
        evaluations: Simulator calls spent.
        history_s: float64 ``(evaluations,)``, best makespan after each evaluation.
    """

    placement: NDArray[np.int64]
    makespan_s: float
    evaluations: int
    history_s: NDArray[np.float64]


def random_search(problem: PlacementProblem, evaluations: int, seed: int) -> SearchResult:
    """The best of independent placements, uniform over the workers.

    Raises:
        InputError: ``evaluations`` is below 1.
    """
    _check(evaluations)
    rng = np.random.default_rng(seed)
    tried = rng.choice(workers(problem), (evaluations, problem.num_groups))
    times = makespans(problem, tried)
    best = int(times.argmin())
    return SearchResult(tried[best], float(times[best]), evaluations, np.minimum.accumulate(times))


def annealing(
    problem: PlacementProblem,
    evaluations: int,
    seed: int,
    start: NDArray[np.int64] | None = None,
    hottest: float = 0.02,
    coldest: float = 0.0002,
) -> SearchResult:
    """Simulated annealing (Kirkpatrick et al. 1983) over the device of each group.

    A move puts one group, or a run of neighbouring ones, on another device; half of the moves copy
    the device of an adjacent group. The temperature falls geometrically.

    Args:
        problem: Graph and cluster.
        evaluations: Simulator calls to spend.
        seed: Seeds the moves.
        start: Where to start; everything on one device if absent.
        hottest: First temperature, as a fraction of the single-device time.
        coldest: Last temperature, as a fraction of the single-device time.

    Raises:
        InputError: ``evaluations`` is below 1.
    """
    _check(evaluations)
    rng = np.random.default_rng(seed)
    present = (single_device(problem) if start is None else start).copy()
    time = float(makespans(problem, present[None])[0])
    best, best_time = present.copy(), time
    history = np.full(evaluations, time)
    cooling = np.geomspace(hottest, coldest, evaluations) * problem.single_device_s
    for i in range(1, evaluations):
        candidate = _neighbour(problem, present, rng)
        candidate_time = float(makespans(problem, candidate[None])[0])
        if candidate_time <= time or rng.random() < np.exp((time - candidate_time) / cooling[i]):
            present, time = candidate, candidate_time
            if time < best_time:
                best, best_time = present.copy(), time
        history[i] = best_time
    return SearchResult(best, best_time, evaluations, history)


def _neighbour(
    problem: PlacementProblem, placement: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """A copy with a run of groups, often of one, on another device."""
    groups = len(placement)
    first = int(rng.integers(groups))
    length = 1 if rng.random() < 0.5 else int(rng.geometric(0.25))
    last = min(first + length, groups)
    if rng.random() < 0.5:
        device = placement[int(rng.choice((max(first - 1, 0), min(last, groups - 1))))]
    else:
        device = rng.integers(problem.num_devices)
    candidate = placement.copy()
    candidate[first:last] = device
    return candidate


def makespans(problem: PlacementProblem, placements: NDArray[np.int64]) -> NDArray[np.float64]:
    """Makespans, with the environment's failing signal where the memory does not suffice."""
    result = evaluate(problem, placements)
    failing = np.maximum(result.makespan_s, OUT_OF_MEMORY_FACTOR * problem.single_device_s)
    return np.where(result.fits, result.makespan_s, failing)


def _check(evaluations: int) -> None:
    if evaluations < 1:
        raise InputError(f"evaluations is {evaluations}; at least 1 is needed")
