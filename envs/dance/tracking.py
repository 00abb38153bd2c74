"""Feet followed row by row, for many charts at once, as they are being written.

A row's cost is the growth of the cheapest way to dance all rows so far. Over a chart these costs
sum to the optimum that :func:`envs.dance.feet.feet` finds, so an environment can pay them as they
come.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.dance.chart import HEAD, PANELS, TAIL, TAP, states
from envs.dance.footwork import PRICES, STANCES, START, STATES, Prices, compiled, step

_BITS = 1 << np.arange(len(PANELS))
_STANCES = np.array(STANCES, np.uint8)


@compiled
def _advance(
    costs: Any, pressed: Any, held: Any, ended: Any, dt: Any, prices: Any, added: Any
) -> None:
    """Takes a row of each chart into the costs of all states, in place."""
    following = np.empty(STATES)
    for chart in range(len(costs)):
        if pressed[chart] == 0 and ended[chart] == 0:
            added[chart] = 0.0
            continue
        following[:] = np.inf
        before = costs[chart].min()
        for state in range(STATES):
            cost = costs[chart, state]
            if cost == np.inf:
                continue
            by_left = pressed[chart]
            while True:
                after, price, _, _ = step(
                    state,
                    by_left,
                    pressed[chart],
                    held[chart],
                    ended[chart],
                    0,
                    0,
                    dt[chart],
                    prices,
                )
                if after >= 0 and cost + price < following[after]:
                    following[after] = cost + price
                if by_left == 0:
                    break
                by_left = (by_left - 1) & pressed[chart]
        costs[chart] = following
        added[chart] = following.min() - before


class FootTracker:
    """The feet of several charts, each from its first row on.

    Args:
        charts: Number of charts.
        prices: Costs of steps.
    """

    def __init__(self, charts: int, prices: Prices = PRICES) -> None:
        self.prices = prices
        self._costs = np.full((charts, STATES), np.inf)
        self._held = np.zeros(charts, np.int64)
        self._last_s = np.full(charts, -np.inf)
        self.reset()

    def reset(self, which: Any = slice(None)) -> None:
        """Starts charts anew: the left foot on left, the right one on right.

        Args:
            which: Indices, a slice or a mask of charts; all by default.
        """
        self._costs[which] = np.inf
        self._costs[which, START] = 0.0
        self._held[which] = 0
        self._last_s[which] = -np.inf

    def step(self, rows: ArrayLike, times: ArrayLike) -> NDArray[np.float64]:
        """Takes a row of each chart.

        Args:
            rows: (charts,) codes; 0 where nothing happens. Tails end holds, see
                :func:`chart.legal_rows`.
            times: (charts,) seconds, ascending from call to call.

        Returns:
            (charts,) float64, growth of the cost of the cheapest way to dance; below 0 where the
            row makes a way cheaper that was dearer so far.
        """
        panel, seconds = states(rows), np.asarray(times, np.float64)
        pressed = ((panel == TAP) | (panel == HEAD)) @ _BITS
        ended = (panel == TAIL) @ _BITS
        self._held &= ~ended
        added = np.zeros(len(pressed))
        dt = np.maximum(seconds - self._last_s, 1e-3)
        _advance(self._costs, pressed, self._held, ended, dt, self.prices, added)
        self._held |= (panel == HEAD) @ _BITS
        self._last_s = np.where(pressed > 0, seconds, self._last_s)
        return added

    @property
    def held(self) -> NDArray[np.int64]:
        """(charts,) panels on hold, as bits."""
        return self._held

    @property
    def stance(self) -> NDArray[np.uint8]:
        """(charts, 3): panels under the left and the right foot, as bits, and the last foot.

        Of the cheapest way so far; for the last foot see :data:`footwork.LEFT_FOOT` and on.
        """
        best = self._costs.argmin(1)
        left, right = _STANCES[best // 54], _STANCES[best // 6 % 9]
        return np.stack([left, right, (best % 6).astype(np.uint8)], axis=1)
