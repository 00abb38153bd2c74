"""Misses of a loop nest in a hierarchy of caches: an exact simulator and a fast estimator.

An :class:`AffineNest` describes a nest of loops whose accesses are affine in the loop counters.
:func:`simulate` runs any stream of addresses, such as :meth:`AffineNest.addresses`, through
set-associative caches with least-recently-used replacement and counts every miss.
:func:`estimate` counts them without running anything, by the classical reasoning on footprints and
reuse distances (Wolf and Lam, PLDI 1991; Ferrante, Sarkar and Thrash, LCPC 1991), in microseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from hardware_sim.errors import InputError

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True)
class CacheLevel:
    """One cache of a hierarchy.

    Attributes:
        name: Such as ``"L1"``.
        size_bytes: Capacity; ``ways * line_bytes`` times the number of sets.
        ways: Lines of a set.
        line_bytes: Bytes of a line.

    Raises:
        InputError: A figure is not positive, or the capacity is no whole number of sets.
    """

    name: str
    size_bytes: int
    ways: int
    line_bytes: int = 64

    def __post_init__(self) -> None:
        figures = (self.size_bytes, self.ways, self.line_bytes)
        if min(figures) < 1 or self.size_bytes % (self.ways * self.line_bytes):
            raise InputError(
                f"cache {self.name} of {self.size_bytes} bytes, {self.ways} ways and lines of "
                f"{self.line_bytes} bytes; allowed: positive figures and a whole number of sets"
            )

    @property
    def sets(self) -> int:
        """Number of sets."""
        return self.size_bytes // (self.ways * self.line_bytes)


def geometry(levels: Sequence[CacheLevel]) -> NDArray[np.int64]:
    """The levels as int64 ``(L, 3)``, for compiled functions: line bytes, sets, ways."""
    return np.array([(c.line_bytes, c.sets, c.ways) for c in levels], np.int64).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class AffineNest:
    """A nest of ``n`` loops, outermost first, around ``T`` accesses affine in the counters.

    At iteration ``x`` of the nest access ``t`` touches ``element_bytes`` bytes at
    ``bases[t] + strides[t] @ x``. A read and a write of the same place are one access.

    Attributes:
        extents: int64 ``(n,)``, iterations of each loop.
        strides: int64 ``(T, n)``, bytes, not negative.
        bases: int64 ``(T,)``, bytes.
        element_bytes: Bytes of each access.

    Raises:
        InputError: Shapes disagree, an extent is below 1, or a stride is negative.
    """

    extents: NDArray[np.int64]
    strides: NDArray[np.int64]
    bases: NDArray[np.int64]
    element_bytes: int = 4

    def __post_init__(self) -> None:
        accesses, loops = len(self.bases), len(self.extents)
        if self.strides.shape != (accesses, loops):
            raise InputError(
                f"strides have shape {self.strides.shape}; expected ({accesses}, {loops}), "
                "an access a row and a loop a column"
            )
        if self.extents.min(initial=1) < 1 or self.strides.min(initial=0) < 0:
            raise InputError("extents must be at least 1 and strides at least 0")

    def addresses(self) -> NDArray[np.int64]:
        """Addresses in program order, int64 ``(iterations * T,)``."""
        stream = self.bases
        for extent, stride in zip(self.extents[::-1], self.strides.T[::-1], strict=True):
            steps = np.arange(extent)[:, None, None] * stride
            stream = (stream.reshape(1, -1, len(self.bases)) + steps).reshape(-1)
        return stream


def simulate(levels: Sequence[CacheLevel], addresses: NDArray[np.int64]) -> NDArray[np.int64]:
    """Misses of a stream of addresses in each level, starting empty, int64 ``(L,)``.

    Each address is looked up level by level until one has its line; those that had not load it in
    place of their least recently used line of the set. Addresses are of bytes and not negative.
    """
    shape = geometry(levels)
    tags = np.full(int((shape[:, 1] * shape[:, 2]).sum()), -1, np.int64)
    misses = np.zeros(len(levels), np.int64)
    _simulate(np.ascontiguousarray(addresses, np.int64), shape, tags, misses)
    return misses


@_compiled
def _simulate(
    addresses: NDArray[np.int64],
    shape: NDArray[np.int64],
    tags: NDArray[np.int64],
    misses: NDArray[np.int64],
) -> None:
    """Keeps each set's lines in order of last use."""
    for address in addresses:
        first = 0
        for level in range(len(shape)):
            line_bytes, sets, ways = shape[level]
            line = address // line_bytes
            begin = first + (line % sets) * ways
            first += sets * ways
            way = 0
            while way < ways - 1 and tags[begin + way] != line:
                way += 1
            hit = tags[begin + way] == line
            for older in range(way, 0, -1):
                tags[begin + older] = tags[begin + older - 1]
            tags[begin] = line
            if hit:
                break
            misses[level] += 1


def footprints(nest: AffineNest, line_bytes: int = 64) -> NDArray[np.float64]:
    """Distinct lines that each access touches in the loops from each depth inwards.

    Returns:
        float64 ``(T, n + 1)``: column ``d`` is for one run of loops ``d`` to ``n - 1``, so column 0
        is for the whole nest and column ``n`` for a single iteration.
    """
    accesses, loops = nest.strides.shape
    lines = np.empty((accesses, loops + 1))
    for t in range(accesses):
        order = np.argsort(nest.strides[t], kind="stable")
        for depth in range(loops + 1):
            lines[t, depth] = _footprint(
                nest.extents, nest.strides[t], order, depth, nest.element_bytes, line_bytes, 1
            )[0]
    return lines


def estimate(levels: Sequence[CacheLevel], nest: AffineNest) -> NDArray[np.float64]:
    """Estimated misses of each access in each level, float64 ``(L, T)``, starting empty.

    For each level take the outermost depth from which on everything fits: the fullest set, that of
    the access whose strides use the fewest sets, has a way for each of its lines. The loop around
    that depth then finds again what its last iteration left, so an access misses once for each
    distinct line of that loop; and it does so anew in every iteration of the loops around it, for
    those touch more than fits between two uses.
    """
    misses = np.empty((len(levels), len(nest.bases)))
    order = np.argsort(nest.strides, axis=1, kind="stable")
    estimate_misses(nest.extents, nest.strides, order, nest.element_bytes, geometry(levels), misses)
    return misses


@_compiled
def estimate_misses(
    extents: NDArray[np.int64],
    strides: NDArray[np.int64],
    order: NDArray[np.int64],
    element_bytes: int,
    shape: NDArray[np.int64],
    misses: NDArray[np.float64],
) -> None:
    """:func:`estimate` on arrays, callable from compiled code.

    Args:
        extents: ``(n,)``.
        strides: ``(T, n)``, bytes.
        order: ``(T, n)``, the loops of each access by ascending stride.
        element_bytes: Bytes of each access.
        shape: ``(L, 3)``, see :func:`geometry`.
        misses: float64 ``(L, T)``, written.
    """
    for level in range(len(shape)):
        line_bytes, sets, ways = shape[level]
        depth = len(extents)
        while depth > 0:
            total, crowding = 0.0, 0.0
            for t in range(len(strides)):
                lines, spread = _footprint(
                    extents, strides[t], order[t], depth - 1, element_bytes, line_bytes, sets
                )
                total += lines
                crowding = max(crowding, lines / spread - lines / sets)
            if total / sets + crowding > ways:
                break
            depth -= 1
        around = 1.0
        for loop in range(depth - 1):
            around *= extents[loop]
        for t in range(len(strides)):
            lines, _ = _footprint(
                extents, strides[t], order[t], max(depth - 1, 0), element_bytes, line_bytes, sets
            )
            misses[level, t] = lines * around


@_compiled
def _footprint(
    extents: NDArray[np.int64],
    stride: NDArray[np.int64],
    order: NDArray[np.int64],
    depth: int,
    element_bytes: int,
    line_bytes: int,
    sets: int,
) -> tuple[float, float]:
    """Distinct lines that an access touches from a depth inwards, and sets they can be in.

    Loops are taken by ascending stride. While the next stride leaves no gap in the run of bytes so
    far (or gaps shorter than a line), the run grows; then runs are what is counted, in a run of
    runs that grows in the same way while strides leave no gap in it, and so on.
    """
    lines = spread = 1.0
    unit, span = 0, element_bytes
    for position in range(len(order) + 1):
        last = position == len(order)
        loop = 0 if last else order[position]
        if not last and (loop < depth or stride[loop] == 0 or extents[loop] == 1):
            continue
        if not last and stride[loop] <= max(span, unit if unit else line_bytes):
            span += stride[loop] * (extents[loop] - 1)
            continue
        if unit == 0:
            aligned = last or stride[loop] % line_bytes == 0
            runs = (span + line_bytes - 1) // line_bytes if aligned else 1 + (span - 1) / line_bytes
            spread = min(float(sets), runs)
        else:
            runs = span / unit
            period = sets
            if unit % line_bytes == 0:
                period = sets // _greatest_common_divisor(unit // line_bytes, sets)
            spread = min(float(sets), spread * min(runs, period))
        lines *= runs
        if not last:
            unit, span = stride[loop], stride[loop] * extents[loop]
    return lines, spread


@_compiled
def _greatest_common_divisor(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a
