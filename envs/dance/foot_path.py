"""The cheapest way of two feet through a chart: a dynamic programme over the states of the feet.

The optimum is exact for the stated prices.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.dance.chart import HEAD, TAIL, TAP, Chart, held_before, states
from envs.dance.footwork import PANEL_BITS, STANCES, START, STATES, Prices, compiled, step

_STANCES = np.array(STANCES)


class Rows(NamedTuple):
    """A chart's rows as the feet meet them; panels are bits.

    Attributes:
        pressed: (N,) int64, panels with a tap or a head.
        held: (N,) int64, panels held before and after the row.
        ended: (N,) int64, panels whose hold ends.
        mines: (N,) int64, panels with a mine at the row's time.
        mines_after: (N,) int64, panels with a mine before the next row.
        dt: (N,) float64, seconds since the last row with a step.
    """

    pressed: NDArray[np.int64]
    held: NDArray[np.int64]
    ended: NDArray[np.int64]
    mines: NDArray[np.int64]
    mines_after: NDArray[np.int64]
    dt: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        rows: ArrayLike,
        times: ArrayLike,
        mines: NDArray[np.int64] | None = None,
        mines_after: NDArray[np.int64] | None = None,
    ) -> "Rows":
        """Rows from codes and seconds; mines, as bits of panels, are none by default."""
        codes = np.asarray(rows, np.int64)
        panel = states(codes)
        pressed = ((panel == TAP) | (panel == HEAD)) @ PANEL_BITS
        ended = (panel == TAIL) @ PANEL_BITS
        held = (held_before(codes) & (panel != TAIL)) @ PANEL_BITS
        seconds = np.asarray(times, np.float64)
        stepped = np.where(pressed > 0, seconds, -np.inf)
        before = np.concatenate([[-np.inf], np.maximum.accumulate(stepped)[:-1]])
        none = np.zeros(len(codes), np.int64)
        return cls(
            pressed,
            held,
            ended,
            none if mines is None else mines,
            none if mines_after is None else mines_after,
            np.maximum(seconds - before, 1e-3),
        )

    @classmethod
    def of_chart(cls, chart: Chart) -> "Rows":
        """Rows of a chart, its mines included."""
        at = np.searchsorted(chart.ticks, chart.mines[:, 0], "right") - 1
        bits = PANEL_BITS[chart.mines[:, 1]]
        same = np.isin(chart.mines[:, 0], chart.ticks)
        mines, after = np.zeros((2, len(chart.rows)), np.int64)
        np.bitwise_or.at(mines, at[same], bits[same])
        late = ~same & (at >= 0)
        np.bitwise_or.at(after, at[late], bits[late])
        return cls.of(chart.rows, chart.times, mines, after)


@compiled
def forward(rows: Rows, prices: Prices) -> tuple[Any, Any, Any]:
    """Cheapest cost of every state after the last row, and the states and choices before each."""
    count = len(rows.pressed)
    best = np.full(STATES, np.inf)
    best[START] = 0.0
    came_from = np.zeros((count, STATES), np.int64)
    taken = np.zeros((count, STATES), np.int64)
    for i in range(count):
        following = np.full(STATES, np.inf)
        pressed = rows.pressed[i]
        for state in range(STATES):
            if best[state] == np.inf:
                continue
            by_left = pressed
            while True:
                after, cost, _, _ = step(
                    state,
                    by_left,
                    pressed,
                    rows.held[i],
                    rows.ended[i],
                    rows.mines[i],
                    rows.mines_after[i],
                    rows.dt[i],
                    prices,
                )
                if after >= 0 and best[state] + cost < following[after]:
                    following[after] = best[state] + cost
                    came_from[i, after] = state
                    taken[i, after] = by_left
                if by_left == 0:
                    break
                by_left = (by_left - 1) & pressed
        best = following
    return best, came_from, taken


@compiled
def backward(rows: Rows, prices: Prices, best: Any, came_from: Any, taken: Any) -> Any:
    """The cheapest path: by-left panels, stances, techniques, travel and cost of each row."""
    count = len(rows.pressed)
    path = np.zeros((count, 6))
    state = np.argmin(best)
    for i in range(count - 1, -1, -1):
        by_left, before = taken[i, state], came_from[i, state]
        _, cost, used, travel = step(
            before,
            by_left,
            rows.pressed[i],
            rows.held[i],
            rows.ended[i],
            rows.mines[i],
            rows.mines_after[i],
            rows.dt[i],
            prices,
        )
        path[i, 0] = by_left
        path[i, 1], path[i, 2] = _STANCES[state // 54], _STANCES[state // 6 % 9]
        path[i, 3], path[i, 4], path[i, 5] = used, travel, cost
        state = before
    return path
