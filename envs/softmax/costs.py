"""Times of an output layer of the softmax: a measured table, and reading between its entries."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hardware_sim.errors import InputError
from hardware_sim.files import write_json
from hardware_sim.reading import read_json

KINDS = ("training", "forward")
"""A training step (loss, and gradients of the weights and of the input), or the loss alone."""


@dataclass(frozen=True, eq=False)
class CostTable:
    """Times ``g(k, B, d)`` of a ``(B, d) x (d, k)`` product with its softmax, in ms.

    This is the cost model of Grave et al. (arXiv 1609.04309), measured at a grid of
    sizes in place of their affine fit.

    Attributes:
        hidden: float64 ``(D,)``, rising: widths ``d``.
        rows: float64 ``(R,)``, rising: rows ``B``; the first is 1.
        words: float64 ``(K,)``, rising: classes ``k``.
        ms: float64 ``(D, R, K)``, above 0.
        kind: One of :data:`KINDS`.
        machine: The machine it was measured on, for people.
    """

    hidden: NDArray[np.float64]
    rows: NDArray[np.float64]
    words: NDArray[np.float64]
    ms: NDArray[np.float64]
    kind: str = "training"
    machine: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = []
        for name in ("hidden", "rows", "words"):
            axis = getattr(self, name)
            if axis.ndim != 1 or len(axis) < 1 or (np.diff(axis) <= 0).any() or axis[0] <= 0:
                raise InputError(f"{name} of a cost table must be rising and above 0, not {axis}")
            shape.append(len(axis))
        if self.rows[0] != 1:
            raise InputError(f"the rows of a cost table begin at 1, not at {self.rows[0]:g}")
        if self.ms.shape != tuple(shape) or not (self.ms > 0).all():
            raise InputError(
                f"ms of a cost table must be {tuple(shape)} numbers above 0; got {self.ms.shape}"
            )
        if self.kind not in KINDS:
            raise InputError(f"unknown kind {self.kind!r}; allowed: {', '.join(KINDS)}")

    def time_ms(self, words: ArrayLike, rows: ArrayLike, hidden: ArrayLike) -> NDArray[np.float64]:
        """Times of layers, interpolated in the logarithms of sizes and time.

        Below the smallest entry of an axis the time is that entry's; beyond the largest it grows in
        proportion, as arithmetic and memory traffic do. A fraction of a row is the chance that
        there is one, so its time falls in proportion as well.

        Args:
            words: Classes ``k`` of each layer, above 0.
            rows: Expected rows of each layer, 0 or more.
            hidden: Width ``d`` of each layer, above 0.

        Returns:
            float64 of the arguments' common shape, in ms.
        """
        words, rows, hidden = np.broadcast_arrays(words, rows, hidden)
        scale = np.minimum(rows, 1.0)
        places = []
        for axis, value in ((self.hidden, hidden), (self.rows, rows), (self.words, words)):
            inside = np.clip(value, axis[0], axis[-1])
            scale = scale * np.maximum(value / axis[-1], 1.0)
            places.append(_place(axis, inside))
        log_ms, total = np.log(self.ms), np.zeros(words.shape)
        for corner in range(8):
            index, weight = [], np.ones(words.shape)
            for bit, (low, high, share) in enumerate(places):
                upper = corner >> bit & 1
                index.append(high if upper else low)
                weight = weight * (share if upper else 1.0 - share)
            total += weight * log_ms[tuple(index)]
        return np.asarray(scale * np.exp(total))

    def to_json(self) -> dict[str, Any]:
        """JSON-serialisable values, times to four digits."""
        return {
            "machine": self.machine,
            "kind": self.kind,
            "unit": "ms",
            "hidden": self.hidden.tolist(),
            "rows": self.rows.tolist(),
            "words": self.words.tolist(),
            "ms": [[[float(f"{x:.4g}") for x in row] for row in plane] for plane in self.ms],
        }

    def save(self, path: str | Path) -> None:
        """Writes the table as JSON, atomically."""
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> "CostTable":
        """Reads a table that :meth:`save` wrote.

        Raises:
            InputError: The file cannot be read or holds no cost table.
        """
        try:
            values = read_json(path)
            arrays = [np.array(values[name], float) for name in ("hidden", "rows", "words", "ms")]
            return cls(
                arrays[0], arrays[1], arrays[2], arrays[3], values["kind"], values["machine"]
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{path} holds no cost table: {error}") from None


@cache
def shipped_table() -> CostTable:
    """The table that ships with the package: training steps on one CPU core."""
    return CostTable.load(str(files("envs.softmax").joinpath("data", "costs.json")))


def proportional(axes: Sequence[NDArray[np.float64]], ms: NDArray[np.float64]) -> None:
    """Fills the NaN of a measured table in place, in proportion to the next smaller entry.

    What is too large to measure is bound by arithmetic and memory, which grow in proportion first
    to the rows, then to the words, then to the width.

    Args:
        axes: Widths, rows and words.
        ms: float64 ``(D, R, K)``; the entry of the smallest sizes is measured.
    """
    for dimension in (1, 2, 0):
        axis, view = axes[dimension], np.moveaxis(ms, dimension, 0)
        for i in range(1, len(axis)):
            missing = np.isnan(view[i])
            view[i][missing] = (view[i - 1] * axis[i] / axis[i - 1])[missing]


def _place(
    axis: NDArray[np.float64], value: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Lower and upper neighbour of values on an axis, and the share of the upper one."""
    logs = np.log(axis)
    high = np.clip(np.searchsorted(axis, value), 1, max(len(axis) - 1, 1))
    high = np.minimum(high, len(axis) - 1)
    low = np.maximum(high - 1, 0)
    gap = logs[high] - logs[low]
    share = np.where(gap > 0, (np.log(value) - logs[low]) / np.where(gap > 0, gap, 1.0), 0.0)
    return low, high, share
