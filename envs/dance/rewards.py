"""The components of the reward of a chart, and the critic that judges rows."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from envs.arguments import offered
from envs.dance.levels import PRESSES
from hardware_sim.errors import InputError
from hardware_sim.naming import resolve_listed

PARTS = ("onset", "row", "playability", "density", "imitation", "illegal")
"""Components of the reward; with a worth of variety there is one more, ``"variety"``."""


@runtime_checkable
class RowCritic(Protocol):
    """Judges rows: a supervised model of human charts."""

    def log_probs(
        self,
        rows: NDArray[np.uint8],
        deltas: NDArray[np.float32],
        phase: NDArray[np.int64],
        level: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Log-probabilities of the rows that may come now.

        Args:
            rows: uint8 ``(B, 64)``, rows before, the last one last, 0 where there is none.
            deltas: float32 ``(B, 64)``, seconds from each row to the next one or, at last, to now.
            phase: int64 ``(B,)``, ticks since the beat, 0 to 47.
            level: int64 ``(B,)``, 0 to 4.

        Returns:
            float32 ``(B, 256)``, of rows that press or release something; ``-inf`` of row 0. Each
            chart of the batch is computed in an order of its own, so that it is the same to the
            last bit in any batch.
        """


@dataclass(frozen=True)
class Worth:
    """Weights of the components of the reward.

    Attributes:
        playability: Nats for each unit of the feet's cost.
        density: Nats for a chart of twice the density it should have.
        imitation: Nats for each time at which the chart agrees with the human one.
        variety: Nats for each nat of the chart's own entropy, see :class:`Variety`.

    Raises:
        InputError: One is negative or not a number.
    """

    playability: float = 0.3
    density: float = 60.0
    imitation: float = 0.0
    variety: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value < np.inf:
                raise InputError(f"{name} is {value}; it must be at least 0 and finite")

    @property
    def parts(self) -> tuple[str, ...]:
        """Components of the reward."""
        return (*PARTS, "variety") if self.variety else PARTS


class Variety:
    """Entropy of ``B`` charts' own rows, each given the one before it, as they grow.

    The entropy is that of the frequencies in the chart itself: over the places whose row before is
    ``a``, of which ``n[a, b]`` go on with ``b``, it sums up ``-log(n[a, b] / n[a])``. A row that
    always follows the same one adds nothing: a chart of one row has no entropy, nor has one that
    goes round a few rows in one order.

    Args:
        batch: Number of charts ``B``.
        longest: Rows that a chart has at most.
    """

    def __init__(self, batch: int, longest: int) -> None:
        count = np.arange(longest + 1, dtype=np.float64)
        self._total = count * np.log(np.maximum(count, 1.0))
        codes = len(PRESSES)
        self._pairs = np.zeros((batch, codes, codes), np.uint16)
        self._before = np.zeros((batch, codes), np.uint16)

    def reset(self, charts: NDArray[np.bool_]) -> None:
        """Empties charts, bool ``(B,)``."""
        self._pairs[charts], self._before[charts] = 0, 0

    def add(
        self, charts: NDArray[np.bool_], before: NDArray[np.uint8], code: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        """Puts a row down in charts, and gives what the sum over each chart's places grows by.

        Args:
            charts: bool ``(B,)``.
            before: uint8 ``(B,)``, the row before, 0 for none.
            code: uint8 ``(B,)``, the row.

        Returns:
            float64 ``(B,)``, nats, at least 0; 0 for other charts.
        """
        grown = np.zeros(len(charts))
        of = np.flatnonzero(charts)
        a, b = before[of], code[of]
        paired, all_ = self._pairs[of, a, b].astype(np.int64), self._before[of, a].astype(np.int64)
        total = self._total
        grown[of] = (total[all_ + 1] - total[all_]) - (total[paired + 1] - total[paired])
        self._pairs[of, a, b] += 1
        self._before[of, a] += 1
        return np.maximum(grown, 0.0)


def centred(log_probs: NDArray[np.float64], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Log-probability of what was chosen, less its mean under the distribution itself.

    Whoever draws from the distribution earns 0 on average, however long the chart is.

    Args:
        log_probs: ``(B, A)``, a distribution each; ``-inf`` is allowed.
        chosen: int64 ``(B,)``.

    Returns:
        float64 ``(B,)``.
    """
    probs = np.exp(log_probs)
    mean = (probs * np.where(probs > 0, log_probs, 0.0)).sum(axis=1)
    return np.asarray(log_probs[np.arange(len(chosen)), chosen] - mean)


def conditional(log_probs: NDArray[np.float64], pressing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Log-probabilities of rows, given that panels are pressed or that none is.

    Args:
        log_probs: ``(B, 256)``, of the rows that may come now, see :class:`RowCritic`.
        pressing: bool ``(B,)``.

    Returns:
        float64 ``(B, 256)``: where panels are pressed, the rows that press some; elsewhere those
        that only end holds, and nothing (row 0) with the rest of the probability.
    """
    presses = PRESSES > 0
    kept = np.where(presses == pressing[:, None], log_probs, -np.inf)
    total = np.exp(kept).sum(axis=1)
    with np.errstate(divide="ignore"):
        kept[pressing] -= np.log(total[pressing])[:, None]
        kept[~pressing, 0] = np.log1p(-np.minimum(total[~pressing], 1.0))
    return kept


def row_critic(critic: RowCritic | str | None) -> RowCritic | None:
    """A critic by a name of the table, or itself.

    Raises:
        InputError: The table (:func:`envs.arguments.offered`) lacks the name, or it is no critic.
    """
    if critic is None:
        return None
    found = critic
    if isinstance(critic, str):
        found = resolve_listed(critic, "critic", offered("critic"))
        found = found() if callable(found) else found
    if not isinstance(found, RowCritic):
        raise InputError(f"critic {critic!r} has no method log_probs(rows, deltas, phase, level)")
    return found
