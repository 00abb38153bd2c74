"""Kernels to be scheduled: matrix products and convolutions as nests of affine loops."""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hardware_sim.errors import InputError, choose
from hardware_sim.processors import FLOAT_BYTES

TENSORS = ("out", "left", "right")
"""The tensors of every kernel: ``out += left * right``."""

MAX_DIMS = 6
LARGEST = 1024
"""No extent is larger."""

LETTERS = {"matmul": "ijk", "conv": "yxorsc"}
"""Names of the loops of an unscheduled nest, outermost first."""

REDUCED = {"matmul": "k", "conv": "rsc"}
"""Loops over which products are summed."""

OPERATIONS = tuple(LETTERS)

MATMUL_SIZES = {
    "train": (64, 80, 96, 128, 192, 224, 256, 320, 384, 512),
    "test": (112, 144, 160, 240, 288, 352, 448, 480),
}
"""Rows, columns and depth of a product are drawn from these; no size is in both splits."""

CONVOLUTIONS = {
    "train": (
        "conv-56x56x64-64-3x3",
        "conv-28x28x128-128-3x3",
        "conv-14x14x256-256-3x3",
        "conv-56x56x64-256-1x1",
        "conv-28x28x512-128-1x1",
        "conv-14x14x256-1024-1x1",
        "conv-28x28x96-96-3x3",
        "conv-16x16x128-128-5x5",
        "conv-32x32x32-64-3x3",
        "conv-24x24x192-64-1x1",
    ),
    "test": (
        "conv-7x7x512-512-3x3",
        "conv-20x20x96-256-5x5",
        "conv-12x12x256-512-3x3",
        "conv-28x28x192-96-3x3",
        "conv-56x56x128-128-1x1",
        "conv-14x14x512-512-1x1",
    ),
}
"""Layers of convolutional networks by split, ``conv-HxWxC-K-RxS``."""

SPLITS = ("train", "test")


@dataclass(frozen=True, eq=False)
class Problem:
    """``out += left * right`` over a box of loop counters, float32.

    Attributes:
        name: ``"matmul-MxNxK"`` or ``"conv-HxWxC-K-RxS"``.
        operation: ``"matmul"`` or ``"conv"``.
        extents: int64 ``(D,)`` of the unscheduled loops, outermost first.
        reduced: bool ``(D,)``, the loops that sum.
        strides: int64 ``(3, D)``, floats by which each of :data:`TENSORS` moves in each loop.
        shapes: Shape of each tensor, slowest dimension first.
    """

    name: str
    operation: str
    extents: NDArray[np.int64]
    reduced: NDArray[np.bool_]
    strides: NDArray[np.int64]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def letters(self) -> str:
        """The names of the loops."""
        return LETTERS[self.operation]

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        return 2 * int(self.extents.prod())

    @property
    def bytes(self) -> int:
        """Bytes of the three tensors."""
        return FLOAT_BYTES * sum(int(np.prod(shape)) for shape in self.shapes)

    @classmethod
    @lru_cache(maxsize=4096)
    def parse(cls, name: str) -> "Problem":
        """The problem of a name.

        A product ``matmul-MxNxK`` is ``out[i, j] += left[i, k] * right[k, j]``. A convolution
        ``conv-HxWxC-K-RxS`` makes an image of ``H`` by ``W`` with ``K`` channels from one with
        ``C``, which is padded beforehand:
        ``out[y, x, o] += left[y + r, x + s, c] * right[r, s, c, o]``.

        Raises:
            InputError: The name has another form, or an extent is out of range.
        """
        product = re.fullmatch(r"matmul-(\d+)x(\d+)x(\d+)", name)
        layer = re.fullmatch(r"conv-(\d+)x(\d+)x(\d+)-(\d+)-(\d+)x(\d+)", name)
        found = product or layer
        if found is None:
            raise InputError(
                f"unknown problem {name!r}; allowed: matmul-MxNxK or conv-HxWxC-K-RxS, such as "
                "matmul-256x256x256 or conv-56x56x64-64-3x3"
            )
        sizes = [int(part) for part in found.groups()]
        if not 1 <= min(sizes) <= max(sizes) <= LARGEST:
            raise InputError(f"problem {name!r}: extents are 1 to {LARGEST}")
        return _matmul(name, *sizes) if product else _convolution(name, *sizes)


def _matmul(name: str, rows: int, columns: int, depth: int) -> Problem:
    return Problem(
        name,
        "matmul",
        np.array([rows, columns, depth]),
        np.array([False, False, True]),
        np.array([[columns, 1, 0], [depth, 0, 1], [0, 1, columns]]),
        ((rows, columns), (rows, depth), (depth, columns)),
    )


def _convolution(name: str, h: int, w: int, c: int, k: int, r: int, s: int) -> Problem:
    padded = w + s - 1
    return Problem(
        name,
        "conv",
        np.array([h, w, k, r, s, c]),
        np.array([False, False, False, True, True, True]),
        np.array(
            [
                [w * k, k, 1, 0, 0, 0],
                [padded * c, c, 0, padded * c, c, 1],
                [0, 0, 1, s * c * k, c * k, k],
            ]
        ),
        ((h, w, k), (h + r - 1, padded, c), (r, s, c, k)),
    )


def draw(random: np.random.Generator, operations: tuple[str, ...], split: str) -> Problem:
    """A problem of a split, the operation drawn first.

    Raises:
        InputError: There is no such split.
    """
    choose("split", split, SPLITS)
    if operations[int(random.integers(len(operations)))] == "matmul":
        sizes = MATMUL_SIZES[split]
        rows, columns, depth = (sizes[i] for i in random.integers(len(sizes), size=3).tolist())
        return Problem.parse(f"matmul-{rows}x{columns}x{depth}")
    layers = CONVOLUTIONS[split]
    return Problem.parse(layers[int(random.integers(len(layers)))])
