"""Agreement of the times of found steps with a person's: peaks, F-score, average precision.

The measures of Dance Dance Convolution (ICML 2017, section 5.3): scores are smoothed with a Hamming
window of five frames, local maxima are candidates, and a candidate within 20 ms of a step that is
not taken is right.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.dance.audio import FRAME_S

TOLERANCE_S = 0.02
SMOOTHING = 5
_SLACK_S = 1e-6

Floats = NDArray[np.float64]


def smoothed(scores: NDArray[Any]) -> Floats:
    """Scores ``(T,)`` averaged over a Hamming window of :data:`SMOOTHING` frames."""
    window = np.hamming(SMOOTHING)
    return np.convolve(scores, window / window.sum(), "same").astype(np.float64)


def peaks(scores: NDArray[Any]) -> tuple[Floats, Floats]:
    """Times in seconds ``(N,)`` and heights ``(N,)`` of the smoothed scores' local maxima.

    Args:
        scores: Scores of the frames, ``(T,)``.
    """
    smooth = smoothed(scores)
    padded = np.pad(smooth, 1, constant_values=-np.inf)
    top = np.flatnonzero((smooth > padded[:-2]) & (smooth >= padded[2:]))
    times = (top * FRAME_S).astype(np.float64)
    return times, smooth[top]


def matches(found: Floats, true: Floats, tolerance_s: float = TOLERANCE_S) -> int:
    """The most pairs of a found and a true time within the tolerance, each used once.

    Args:
        found: Ascending seconds ``(N,)``.
        true: Ascending seconds ``(M,)``.
        tolerance_s: Greatest distance, inclusive.
    """
    i = j = count = 0
    while i < len(found) and j < len(true):
        distance = found[i] - true[j]
        if abs(distance) <= tolerance_s + _SLACK_S:
            count, i, j = count + 1, i + 1, j + 1
        elif distance < 0:
            i += 1
        else:
            j += 1
    return count


def f_score(right: float, found: float, true: float) -> float:
    """The harmonic mean of precision and recall, from counts; 0 if nothing is right."""
    return 2 * right / (found + true) if right else 0.0


def hits(times: Floats, heights: Floats, true: Floats) -> NDArray[np.bool_]:
    """The candidates that are right if they are taken from the highest down, bool ``(N,)``.

    Each takes the nearest step within :data:`TOLERANCE_S` that no higher one took.

    Args:
        times: The candidates' seconds, ``(N,)``.
        heights: Their scores, ``(N,)``.
        true: The steps' seconds, ascending, ``(M,)``.
    """
    taken = np.zeros(len(true), np.bool_)
    right = np.zeros(len(times), np.bool_)
    reach = TOLERANCE_S + _SLACK_S
    first, last = np.searchsorted(true, times - reach), np.searchsorted(true, times + reach)
    for i in np.argsort(-heights, kind="stable"):
        near = [j for j in range(first[i], last[i]) if not taken[j]]
        if near:
            taken[min(near, key=lambda j: abs(true[j] - times[i]))] = True
            right[i] = True
    return right


def average_precision(heights: Floats, right: NDArray[np.bool_], true: int) -> float:
    """Area under precision over recall, without interpolation; steps never found count as missed.

    Args:
        heights: Scores of candidates, ``(N,)``.
        right: The right candidates, bool ``(N,)``; see :func:`hits`.
        true: Number of steps in all.
    """
    order = np.argsort(-heights, kind="stable")
    ranked = right[order]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked].sum() / true)


def best_threshold(heights: Floats, right: NDArray[np.bool_], true: int) -> float:
    """The height from which on candidates are best taken: that of the greatest F-score.

    Args:
        heights: Scores of candidates, ``(N,)``.
        right: The right candidates, bool ``(N,)``; see :func:`hits`.
        true: Number of steps in all.
    """
    order = np.argsort(-heights, kind="stable")
    scores = 2 * np.cumsum(right[order]) / (np.arange(1, len(order) + 1) + true)
    return float(heights[order[scores.argmax()]])
