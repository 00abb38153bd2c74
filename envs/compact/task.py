"""A network to make compact as data, for agents that search."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


def score(
    log_speedup: ArrayLike, lost: ArrayLike, share: ArrayLike, price: float, budget: float
) -> Values:
    """Scores by the table; minus infinity beyond the budget.

    Args:
        log_speedup: Log2 of the speed-up.
        lost: Points of accuracy lost.
        share: Share of the original's parameters.
        price: Doublings of speed that a point is worth.
        budget: Largest share.
    """
    within = np.asarray(share) <= budget + 1e-12
    return np.where(within, np.asarray(log_speedup) - price * np.asarray(lost), -np.inf)


@dataclass(frozen=True, eq=False)
class CompactTask:
    """The figures of every choice for ``L`` layers with ``C`` choices each, and a setting.

    Attributes:
        log_speedup: Log2 of the speed-up at the setting's batch size, float64 ``(C,) * L``.
        lost: Points of accuracy lost, float64 ``(C,) * L``.
        share: Share of the original's parameters, float64 ``(C,) * L``.
        price: Doublings of speed that a point is worth.
        budget: Largest share.
    """

    log_speedup: Values
    lost: Values
    share: Values
    price: float
    budget: float

    def score(self, choices: NDArray[np.int64]) -> float:
        """The score of a choice of each layer ``(L,)``; minus infinity beyond the budget."""
        at = tuple(choices)
        figures = self.log_speedup[at], self.lost[at], self.share[at]
        return float(score(*figures, self.price, self.budget))
