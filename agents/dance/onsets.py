"""The choice of times to step from the probabilities of onsets."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def chosen(
    probabilities: NDArray[np.floating], times: NDArray[np.float64], gap_s: float
) -> NDArray[np.int64]:
    """Slots that may carry steps, likeliest first, none nearer than a gap to a likelier one.

    Args:
        probabilities: ``(S,)``.
        times: The slots' seconds, ascending ``(S,)``.
        gap_s: Least seconds between two steps.

    Returns:
        Indices int64 ``(C,)``.
    """
    is_open = np.ones(len(times), np.bool_)
    kept = []
    first = np.searchsorted(times, times - gap_s, "right")
    last = np.searchsorted(times, times + gap_s, "left")
    for i in np.argsort(-probabilities, kind="stable"):
        if is_open[i]:
            kept.append(i)
            is_open[first[i] : last[i]] = False
    return np.array(kept, np.int64)


def expected_count(probabilities: Iterable[float]) -> int:
    """The number of likeliest candidates that have the greatest expected F-score.

    The F-score of the first n is estimated by twice their sum over n plus the sum of all (Ye et
    al., ICML 2012, expectation at the expected counts).

    Args:
        probabilities: Of candidates, descending.
    """
    likely = np.fromiter(probabilities, np.float64)
    scores = 2 * np.cumsum(likely) / (np.arange(1, len(likely) + 1) + likely.sum())
    return int(scores.argmax()) + 1
