"""Rows of dance charts by the few rows before them: n-grams smoothed as Kneser and Ney did.

The interpolated form of Chen & Goodman (1999, section 4.1.6) with one discount for each order,
``n1 / (n1 + 2 n2)``: what an order's discounts set free goes to the next shorter history, the
shortest of which shares it out evenly. Orders below the highest count in how many different
histories a row was seen, not how often.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.dance.chart import ROWS
from hardware_sim.errors import InputError

ORDER = 5
"""The order of the paper's n-gram: a row and four before it."""

LONGEST = 7
"""Rows of eight bits that fit in an index of 63."""


class Counts(NamedTuple):
    """Counts of one order of an n-gram.

    Attributes:
        grams: (G,) int64, histories and rows as numbers of base 256, ascending.
        counts: (G,) int64, of each.
        histories: (H,) int64, ascending.
        totals: (H,) int64, counts of each history's rows together.
        kinds: (H,) int64, different rows of each history.
        discount: Taken from each count, 0..1.
    """

    grams: NDArray[np.int64]
    counts: NDArray[np.int64]
    histories: NDArray[np.int64]
    totals: NDArray[np.int64]
    kinds: NDArray[np.int64]
    discount: float


class KneserNey:
    """P(row | the ``order - 1`` rows before it).

    Args:
        charts: Codes (N,) of each chart's rows. Before a chart's start every row is 0.
        order: Rows looked at, the next one included; 1 to 7.

    Raises:
        InputError: The order is another, or there are no rows.
    """

    def __init__(self, charts: Iterable[ArrayLike], order: int = ORDER) -> None:
        if not 1 <= order <= LONGEST:
            raise InputError(f"order {order} of an n-gram; allowed: 1 to {LONGEST}")
        self.order = order
        grams = [_grams(np.asarray(rows, np.int64), order) for rows in charts]
        if not any(len(each) for each in grams):
            raise InputError("an n-gram needs at least one chart with rows")
        seen, counts = np.unique(np.concatenate(grams), return_counts=True)
        self.orders = [_counts(seen, counts)]
        for length in range(order - 1, 0, -1):
            seen, counts = np.unique(seen % ROWS**length, return_counts=True)
            self.orders.append(_counts(seen, counts))

    def probabilities(self, histories: ArrayLike) -> NDArray[np.float64]:
        """Of all rows after some histories.

        Args:
            histories: (B, order - 1) codes, the latest last; 0 before a chart's start.

        Returns:
            (B, 256) float64, each row of which sums to 1.
        """
        past = np.asarray(histories, np.int64)
        number = past @ ROWS ** np.arange(self.order - 2, -1, -1, dtype=np.int64)
        found = np.full((len(past), ROWS), 1 / ROWS)
        for length, seen in zip(range(1, self.order + 1), reversed(self.orders), strict=True):
            found = _interpolated(seen, number % ROWS ** (length - 1), found)
        return found

    def of_chart(self, rows: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (N, 256) at every row of a chart (N,), given those before."""
        return self.probabilities(histories(rows, self.order - 1))


def histories(rows: ArrayLike, length: int) -> NDArray[np.int64]:
    """The rows (N, length) before each row of a chart (N,), the latest last; 0 before its start."""
    padded = np.concatenate([np.zeros(length, np.int64), np.asarray(rows, np.int64)])
    if not length:
        return np.zeros((len(padded), 0), np.int64)
    return np.lib.stride_tricks.sliding_window_view(padded, length)[: len(padded) - length]


def _grams(rows: NDArray[np.int64], order: int) -> NDArray[np.int64]:
    past = np.concatenate([histories(rows, order - 1), rows[:, None]], 1)
    grams: NDArray[np.int64] = past @ ROWS ** np.arange(order - 1, -1, -1, dtype=np.int64)
    return grams


def _counts(seen: NDArray[np.int64], counts: NDArray[np.int64]) -> Counts:
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    known, first = np.unique(seen // ROWS, return_index=True)
    totals = np.add.reduceat(counts, first)
    kinds = np.diff(np.append(first, len(seen)))
    # Where nothing is rare (as among single rows of a large corpus) half a count is taken.
    discount = once / (once + 2 * twice) if once else 0.5
    return Counts(seen, counts, known, totals, kinds, discount)


def _interpolated(
    seen: Counts, histories: NDArray[np.int64], shorter: NDArray[np.float64]
) -> NDArray[np.float64]:
    """An order's probabilities (B, 256) after histories (B,), given the next shorter order's."""
    place = np.searchsorted(seen.histories, histories).clip(max=len(seen.histories) - 1)
    known = np.flatnonzero(seen.histories[place] == histories)
    place = place[known]
    first = np.searchsorted(seen.grams, histories[known] * ROWS)
    kinds, totals = seen.kinds[place], seen.totals[place]
    row = np.repeat(known, kinds)
    gram = np.repeat(first - np.append(0, np.cumsum(kinds)[:-1]), kinds) + np.arange(kinds.sum())
    found = shorter.copy()
    found[known] *= (seen.discount * kinds / totals)[:, None]
    share = (seen.counts[gram] - seen.discount) / np.repeat(totals, kinds)
    found[row, seen.grams[gram] % ROWS] += share
    return found
