"""The feet that dance a chart: the foot of each arrow, techniques and their rates.

See :mod:`envs.dance.footwork` for the model and :mod:`envs.dance.foot_path` for the way.
:func:`rates` sums a chart up; :func:`quantiles` has the usual rates of human charts of a level.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.dance.chart import HEAD, TAIL, TAP, Chart, held_before, states
from envs.dance.foot_path import Rows, backward, forward
from envs.dance.footwork import PRICES, Prices, Technique
from envs.dance.radar import note_type

__all__ = ["FootPath", "Prices", "Technique", "down", "feet", "feet_of", "quantiles", "rates"]

FATIGUE_HALF_LIFE_S = 15.0
"""Seconds in which a foot recovers from half of its load."""

PEAK_S = 4.0
"""Length of the window in which the most steps are counted."""

FAST_JACK_S = 0.2
"""Seconds below which a jack is fast (eighths at 150 beats a minute)."""

QUANTILES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
"""Shares at which the quantiles of human charts are taken."""

TECHNIQUE_RATES = {
    "jumps": Technique.JUMP,
    "jacks": Technique.JACK,
    "double_steps": Technique.DOUBLE_STEP,
    "footswitches": Technique.FOOTSWITCH,
    "sideswitches": Technique.SIDESWITCH,
    "crossovers": Technique.CROSSOVER,
    "inversions": Technique.INVERSION,
    "spins": Technique.SPIN,
    "brackets": Technique.BRACKET,
    "hold_steps": Technique.HOLD_STEP,
}
"""Rates that are shares of the steps that take a technique."""


@dataclass(frozen=True)
class FootPath:
    """The cheapest way to dance a chart, row by row.

    Attributes:
        left: (N,) uint8, panels (bits) that the left foot steps on.
        right: (N,) uint8, panels (bits) that the right foot steps on.
        stance: (N, 2) uint8, where the left and the right foot stand after the row.
        techniques: (N,) int64, :class:`Technique` of each row.
        travel: (N,) float64, panel widths that feet move.
        costs: (N,) float64, costs of the rows; they sum to the optimum.
    """

    left: NDArray[np.uint8]
    right: NDArray[np.uint8]
    stance: NDArray[np.uint8]
    techniques: NDArray[np.int64]
    travel: NDArray[np.float64]
    costs: NDArray[np.float64]

    @property
    def stepped(self) -> NDArray[np.bool_]:
        """(N,) bool, the rows on which a foot steps; it does not where holds only end."""
        return np.asarray((self.left | self.right) > 0)

    def count(self, technique: Technique) -> int:
        """The number of rows that take a technique."""
        return int(np.count_nonzero(self.techniques & technique))


def feet(
    rows: ArrayLike, times: ArrayLike, prices: Prices = PRICES, around: Rows | None = None
) -> FootPath:
    """The cheapest way to dance rows; starts with the left foot on left, the right one on right.

    Args:
        rows: (N,) codes from the start of a chart; holds are sound, see :func:`chart.check_holds`.
        times: (N,) seconds, ascending.
        prices: Costs of steps.
        around: The rows with the mines around them, instead of those without.
    """
    met = Rows.of(rows, times) if around is None else around
    path = backward(met, prices, *forward(met, prices))
    left = path[:, 0].astype(np.uint8)
    return FootPath(
        left,
        (met.pressed & ~left).astype(np.uint8),
        path[:, 1:3].astype(np.uint8),
        path[:, 3].astype(np.int64),
        path[:, 4],
        path[:, 5],
    )


def feet_of(chart: Chart, prices: Prices = PRICES) -> FootPath:
    """The cheapest way to dance a chart, mindful of its mines; see :func:`feet`."""
    return feet(chart.rows, chart.times, prices, Rows.of_chart(chart))


def down(chart: Chart) -> NDArray[np.int64]:
    """Panels that each row presses and those that stay held through it, (N,)."""
    panel = states(chart.rows)
    pressed = (panel == TAP) | (panel == HEAD)
    return np.asarray((pressed | (held_before(chart.rows) & (panel != TAIL))).sum(1))


def rates(chart: Chart) -> dict[str, float]:
    """The demands of a chart on feet, in figures that do not depend on its length.

    Args:
        chart: At least one of its rows has a tap or a head.

    Returns:
        Per 100 steps: those of :data:`TECHNIQUE_RATES`, ``fast_jacks``, ``hands`` (three or more
        panels down at once, see :func:`down`), ``holds``, ``offbeats`` (steps on neither quarter
        nor eighth notes). Also ``steps_per_s`` from the first to the last step, ``peak_per_s`` in
        the densest :data:`PEAK_S` seconds, ``travel`` and ``cost`` per step, ``fatigue`` (the
        highest load of a foot: steps and panel widths, halved every :data:`FATIGUE_HALF_LIFE_S`
        seconds) and ``imbalance`` (share of arrows of the busier foot less that of the other).
    """
    path = feet_of(chart)
    on = path.stepped
    times, techniques = chart.times[on], path.techniques[on]
    panel = states(chart.rows[on])
    share = 100 / max(len(times), 1)
    apart = np.diff(times, prepend=-np.inf)
    found = {name: share * path.count(kind) for name, kind in TECHNIQUE_RATES.items()}
    jacks = (techniques & Technique.JACK) > 0
    left, right = (np.bitwise_count(side).sum() for side in (path.left, path.right))
    found |= {
        "fast_jacks": share * float(np.count_nonzero(jacks & (apart < FAST_JACK_S))),
        "hands": share * float(np.count_nonzero(down(chart)[on] >= 3)),
        "holds": share * float(np.count_nonzero((panel == HEAD).any(1))),
        "offbeats": share * float(np.count_nonzero(note_type(chart.ticks[on]) > 8)),
        "steps_per_s": (len(times) - 1) / max(float(np.ptp(times)), 1.0) if len(times) else 0.0,
        "peak_per_s": _peak(times),
        "travel": float(path.travel.sum()) * share / 100,
        "cost": float(path.costs.sum()) * share / 100,
        "fatigue": _fatigue(path, chart.times),
        "imbalance": abs(int(left) - int(right)) / max(int(left) + int(right), 1),
    }
    return found


def _peak(times: NDArray[np.float64]) -> float:
    inside = np.searchsorted(times, times + PEAK_S) - np.arange(len(times))
    return float(inside.max(initial=0)) / PEAK_S


def _fatigue(path: FootPath, times: NDArray[np.float64]) -> float:
    highest = 0.0
    for side in (path.left, path.right):
        on = side > 0
        both = (path.left[on] > 0) & (path.right[on] > 0)
        work = 1.0 + path.travel[on] / np.where(both, 2, 1)
        at = times[on] / FATIGUE_HALF_LIFE_S
        load = 0.0
        for i, effort in enumerate(work.tolist()):
            load = load * 2.0 ** float(at[i - 1] - at[i] if i else 0.0) + effort
            highest = max(highest, load)
    return highest


@cache
def quantiles() -> dict[str, dict[str, list[float]]]:
    """Quantiles of :func:`rates` over human charts, by level and rate.

    Returns:
        ``{"Hard": {"crossovers": [...], ...}, ...}``; each list has the quantiles at
        :data:`QUANTILES`. The charts are those of In The Groove's training part and of StepMania's
        own songs; ``gymworks dance quantiles --force`` makes the figures anew.
    """
    file = Path(__file__).with_name("quantiles.json")
    shipped: dict[str, dict[str, list[float]]] = json.loads(file.read_bytes())["levels"]
    return shipped
