"""Charts that no human wrote: human ones, spoiled in ways that leave every hold legal."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from agents.dance.batches import Steps, steps
from agents.dance.history import MIRRORED
from envs.dance.chart import HEAD, held_before, rows_of, states

OFF_BEAT = (6, 8, 12, 16, 20, 24, 30, 36, 40, 42)
"""Ticks that charts are shifted by."""

SLIPS = (-2, -1, 1, 2)
"""Places that rows are moved by against their times."""

LEVELS_OFF = 2
"""Levels at least that a wrong label is off by."""


def shifted(chart: Steps, rng: np.random.Generator) -> Steps:
    """All of the chart a part of a beat later on the grid than it was."""
    by = int(rng.choice(OFF_BEAT))
    return steps(chart.ticks + by, chart.times, chart.level, chart.rows)


def slipped(chart: Steps, rng: np.random.Generator) -> Steps:
    """The rows of taps one or two of their places early or late."""
    return slip(chart, int(rng.choice(SLIPS)))


def slip(chart: Steps, by: int) -> Steps:
    """The rows of taps ``by`` of their places late; those that fall out come first."""
    rows = chart.rows.copy()
    loose = _loose(rows)
    rows[loose] = np.roll(rows[loose], by)
    return _with(chart, rows)


def shuffled(chart: Steps, rng: np.random.Generator) -> Steps:
    """The rows of taps, in any order."""
    rows = chart.rows.copy()
    loose = _loose(rows)
    rows[loose] = rng.permutation(rows[loose])
    return _with(chart, rows)


def patched(chart: Steps, rng: np.random.Generator) -> Steps:
    """Parts of three to eight rows of taps with panels exchanged, another way from part to part."""
    rows = chart.rows.copy()
    loose = _loose(rows)
    part = np.repeat(np.arange(len(rows)), rng.integers(3, 9, len(rows)))[: len(rows)]
    kinds = np.cumsum(rng.integers(1, 4, len(rows))) % 4
    rows[loose] = MIRRORED[kinds[part], rows][loose]
    return _with(chart, rows)


def scattered(chart: Steps, rng: np.random.Generator) -> Steps:
    """As many arrows in every row of taps, each on any panel."""
    panels = states(chart.rows)
    loose = _loose(chart.rows)
    order = np.argsort(rng.random(panels.shape), -1)
    panels[loose] = np.take_along_axis(panels, order, -1)[loose]
    return _with(chart, rows_of(panels))


def mislabelled(chart: Steps, rng: np.random.Generator) -> Steps:
    """The chart under a level two or more from its own."""
    wrong = [level for level in range(5) if abs(level - chart.level) >= LEVELS_OFF]
    return steps(chart.ticks, chart.times, int(rng.choice(wrong)), chart.rows)


CORRUPTIONS: dict[str, Callable[[Steps, np.random.Generator], Steps]] = {
    "shifted": shifted,
    "slipped": slipped,
    "shuffled": shuffled,
    "patched": patched,
    "scattered": scattered,
    "mislabelled": mislabelled,
}


def _loose(rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(N,) bool, true where a row has nothing but taps, and nothing is held."""
    panels = states(rows)
    return np.asarray((panels < HEAD).all(-1) & ~held_before(rows).any(-1))


def _with(chart: Steps, rows: NDArray[np.uint8]) -> Steps:
    return steps(chart.ticks, chart.times, chart.level, rows)
