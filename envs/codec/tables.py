"""Probability tables of quantised normal distributions, equal to the last bit on every machine.

Only sums, products and quotients of doubles are used, which IEEE arithmetic rounds alike
everywhere; the exponential function, which libraries round differently, is a running product.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

SCALES = 64
LEAST_SCALE = 0.1
RATIO = 1.1202650657178934
"""From one deviation to the next; 63 of them lead from 0.1 to 128."""

FRACTION = 16
"""Means are integers in units of a sixteenth of a step."""

NARROW, WIDE = 16, 34
"""Entries of a table: symbols near the mean, and at either end all that lie beyond."""

FIRST_WIDE = 26
"""Index of the least deviation whose table is wide, 1.9 steps."""

_PER_UNIT = 512
_REACH = 9
_EXP_SQUARE = 0.9999961853100103
"""exp(-1 / 512^2)."""

_EXP_HALF = 0.9999980926531861
"""exp(-1 / (2 x 512^2))."""


@cache
def scales() -> NDArray[np.float64]:
    """The deviations ``(64,)``, each a fixed ratio larger than the last."""
    ratios = np.full(SCALES, RATIO)
    ratios[0] = LEAST_SCALE
    return np.multiply.accumulate(ratios)


@cache
def _normal() -> NDArray[np.float64]:
    """The normal distribution function at steps of 1 / 512 from -9 to 9, by trapezoids."""
    powers = np.full(_REACH * _PER_UNIT, _EXP_SQUARE)
    powers[0] = 1
    ratios = np.multiply.accumulate(powers)
    density = np.concatenate([[1.0], np.multiply.accumulate(ratios * _EXP_HALF)])
    pieces = (density[1:] + density[:-1]) / 2
    half = np.concatenate([[0.0], np.add.accumulate(pieces)])
    half = half / (2 * half[-1])
    return np.concatenate([0.5 - half[::-1], 0.5 + half[1:]])


def normal(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normal distribution function, interpolated in a table."""
    place = np.clip((values + _REACH) * _PER_UNIT, 0, 2 * _REACH * _PER_UNIT - 1)
    low = np.floor(place).astype(np.int64)
    table = _normal()
    found: NDArray[np.float64] = table[low] + (place - low) * (table[low + 1] - table[low])
    return found


def widths(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bits that an entry of the table of each deviation leaves to be written as they are."""
    return _widths()[indices]


@cache
def _widths() -> NDArray[np.int64]:
    found = np.zeros(SCALES, np.int64)
    for index in range(FIRST_WIDE, SCALES):
        while (WIDE // 2 - 1) << found[index] < 4 * scales()[index]:
            found[index] += 1
    return found


@cache
def table(wide: bool) -> NDArray[np.float32]:
    """Probabilities ``(64 or fewer, 16, entries)`` by deviation and fraction of the mean.

    Entry ``e`` is the symbols from ``(e + 1 - entries / 2) << bits`` steps above the mean's
    integer part on, ``1 << bits`` of them; the first and last are everything below and above.

    Args:
        wide: The tables from :data:`FIRST_WIDE` on, of 34 entries; else those before, of 16.
    """
    entries = WIDE if wide else NARROW
    chosen = np.arange(FIRST_WIDE, SCALES) if wide else np.arange(FIRST_WIDE)
    size = 1 << widths(chosen)
    edges = (np.arange(1, entries) + 1 - entries // 2)[None, None] * size[:, None, None] - 0.5
    mean = (np.arange(FRACTION) / FRACTION)[None, :, None]
    below = normal((edges - mean) / scales()[chosen][:, None, None])
    whole = np.concatenate([np.zeros_like(below[..., :1]), below, np.ones_like(below[..., :1])], 2)
    return np.diff(whole, axis=2).astype(np.float32)
