"""Aggregates over seeds and tasks with intervals (Agarwal et al., NeurIPS 2021, arXiv 2108.13264).

Scores are float arrays ``(R, T)``: ``R`` runs (seeds) of ``T`` tasks; higher is better.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hardware_sim.errors import InputError

Scores = NDArray[np.float64]


def iqm(scores: ArrayLike) -> float:
    """Interquartile mean: the mean of the middle half of all scores.

    A quarter of the scores, rounded down, is left out at either end.
    """
    return float(_trimmed(_scores(scores).ravel()))


def iqm_interval(scores: ArrayLike) -> tuple[float, float, float]:
    """Interquartile mean with the low and high end of its 95 % interval.

    Whatever shows one calls this, so that the same scores have the same interval everywhere.
    """
    return (iqm(scores), *stratified_bootstrap(scores, iqm))


def between(low: float, high: float, form: str) -> str:
    """An interval for people, its ends in a format such as ``".3f"``; empty if the ends coincide.

    They do where all runs are alike, as those of a deterministic agent on one problem are: then
    more of them would show nothing more, and there is no interval.
    """
    return "" if low == high else f"{low:z{form}} to {high:z{form}}"


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
    drawn = _drawn(matrix, repetitions, seed)
    low, high = _middle([aggregate(resample) for resample in drawn], confidence)
    return float(low), float(high)


def profile_band(
    scores: ArrayLike, thresholds: ArrayLike, repetitions: int = 2_000, seed: int = 0
) -> tuple[Scores, Scores]:
    """Pointwise 95 % interval of :func:`performance_profile`: its low and its high ends."""
    levels = np.asarray(thresholds, np.float64)
    drawn = _drawn(_scores(scores), repetitions, seed)
    low, high = _middle([performance_profile(resample, levels) for resample in drawn], 0.95)
    return low, high


def iqm_curve(
    curves: ArrayLike, repetitions: int = 2_000, seed: int = 0
) -> tuple[Scores, Scores, Scores]:
    """Interquartile mean over runs at each point of their curves, with its 95 % interval.

    Args:
        curves: ``(R, S)``: the value of each run at each of ``S`` points.
        repetitions: Number of resamples, which draw whole runs.
        seed: Of the resamples.

    Returns:
        The interquartile means and the low and high ends of their intervals, each ``(S,)``.
    """
    matrix = _scores(curves)
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(matrix), size=(repetitions, len(matrix)))
    low, high = _middle([_trimmed(matrix[drawn]) for drawn in rows], 0.95)
    return _trimmed(matrix), low, high


def _trimmed(columns: Scores) -> Scores:
    """Interquartile mean of each column."""
    cut = len(columns) // 4
    middle: Scores = np.sort(columns, axis=0)[cut : len(columns) - cut].mean(axis=0)
    return middle


def _drawn(matrix: Scores, repetitions: int, seed: int) -> Iterator[Scores]:
    """Resamples of a score matrix, runs drawn anew within each task.

    Tasks are put in an order of their own, for an interval must not depend on that of the table.
    """
    runs, tasks = matrix.shape
    matrix = matrix[:, np.lexsort(matrix)]
    rows = np.random.default_rng(seed).integers(runs, size=(repetitions, runs, tasks))
    return (matrix[drawn, np.arange(tasks)] for drawn in rows)


def _middle(values: ArrayLike, confidence: float) -> Scores:
    """Low and high ends of the middle part of resampled values, along the first axis."""
    tail = 50 * (1 - confidence)
    ends: Scores = np.percentile(np.asarray(values), [tail, 100 - tail], axis=0)
    return ends


def _scores(scores: ArrayLike) -> Scores:
    """Scores as a checked ``(R, T)`` array; a vector is many runs of one task."""
    array = np.asarray(scores, np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.size == 0:
        raise InputError(f"scores have shape {array.shape}; expected (runs, tasks), not empty")
    if not np.isfinite(array).all():
        raise InputError("scores must be finite")
    return array
