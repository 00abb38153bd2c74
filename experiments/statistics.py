"""Aggregates over seeds and tasks with intervals (Agarwal et al., NeurIPS 2021, arXiv 2108.13264).

Scores are float arrays ``(R, T)``: ``R`` runs (seeds) of ``T`` tasks; higher is better.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hardware_sim.errors import InputError

Scores = NDArray[np.float64]


def iqm(scores: ArrayLike) -> float:
    """Interquartile mean: the mean of the middle half of all scores.

    A quarter of the scores, rounded down, is left out at either end.
    """
    ordered = np.sort(_scores(scores), axis=None)
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def mean(scores: ArrayLike) -> float:
    """Mean over tasks of the mean over runs."""
    return float(_scores(scores).mean())


def median(scores: ArrayLike) -> float:
    """Median over tasks of the mean over runs."""
    return float(np.median(_scores(scores).mean(axis=0)))


def optimality_gap(scores: ArrayLike, target: float = 1.0) -> float:
    """Mean amount by which scores miss a target; what exceeds it does not count."""
    return float(target - np.minimum(_scores(scores), target).mean())


def probability_of_improvement(ours: ArrayLike, theirs: ArrayLike) -> float:
    """Chance that a run of ours beats one of theirs on a random task; ties count half.

    Raises:
        InputError: The two have different numbers of tasks.
    """
    x, y = _scores(ours), _scores(theirs)
    if x.shape[1] != y.shape[1]:
        raise InputError(f"scores of {x.shape[1]} and {y.shape[1]} tasks cannot be compared")
    difference = x[:, None, :] - y[None, :, :]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def performance_profile(scores: ArrayLike, thresholds: ArrayLike) -> Scores:
    """Share of runs above each threshold, averaged over tasks; as long as ``thresholds``."""
    levels = np.asarray(thresholds, np.float64)
    share: Scores = (_scores(scores)[None] > levels[:, None, None]).mean(axis=(1, 2))
    return share


def stratified_bootstrap(
    scores: ArrayLike,
    aggregate: Callable[[Scores], float] = iqm,
    repetitions: int = 2_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of an aggregate, runs drawn anew within each task.

    Args:
        scores: ``(R, T)``.
        aggregate: What is computed from each resample.
        repetitions: Number of resamples.
        seed: Of the resamples.
        confidence: Probability mass of the interval, between 0 and 1.

    Raises:
        InputError: ``scores`` is empty or not two-dimensional, or ``confidence`` out of range.
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence}; it must lie between 0 and 1")
    matrix = _scores(scores)
    runs, tasks = matrix.shape
    rng = np.random.default_rng(seed)
    drawn = rng.integers(runs, size=(repetitions, runs, tasks))
    values = [aggregate(matrix[rows, np.arange(tasks)]) for rows in drawn]
    tail = 50 * (1 - confidence)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def _scores(scores: ArrayLike) -> Scores:
    """Scores as a checked ``(R, T)`` array; a vector is many runs of one task."""
    array = np.asarray(scores, np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.size == 0:
        raise InputError(f"scores have shape {array.shape}; expected (runs, tasks), not empty")
    if not np.isfinite(array).all():
        raise InputError("scores must be finite")
    return array
