"""Observation features of a nest, its problem, the processor and the progress."""

from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from envs.loops.kernel import BLOCK, COUNT, CURSOR, DIM, EXTENT, KIND, STEP
from envs.loops.problem import LARGEST, MAX_DIMS, TENSORS, Problem
from hardware_sim.processors import FLOAT_BYTES, Processor

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")

LOOP_FEATURES = (
    "present",
    "extent",
    "step",
    *(f"stride of {tensor}" for tensor in TENSORS),
    *(f"{tensor} moves by one" for tensor in TENSORS),
    "iterations inside",
    "sums",
    "accumulated",
    "serial",
    "vectorised",
    "unrolled",
    "parallel",
    "cursor",
)
"""Features of a loop; sizes are logarithms, and strides are 0 where a tensor does not move."""

PROBLEM_FEATURES = (
    *(f"extent {dim}" for dim in range(MAX_DIMS)),
    "is a convolution",
    "operations",
    "bytes",
    "operations a byte",
)

MACHINE_FEATURES = (
    "peak rate",
    "lanes",
    "registers",
    "threads",
    *(f"{figure} of cache {level}" for level in (1, 2, 3) for figure in ("size", "rate")),
)

PROGRESS_FEATURES = ("speed-up", "best speed-up", "best share of roofline", "steps left")
"""Speed-ups are natural logarithms over the unscheduled nest, a fifth of each."""

LARGEST_FEATURE = 10.0
_EXTENT = np.log2(LARGEST)
_STRIDES, _ONES = 3, 3 + len(TENSORS)
_INSIDE = _ONES + len(TENSORS)


@lru_cache(maxsize=4096)
def problem_features(problem: Problem) -> NDArray[np.float32]:
    """:data:`PROBLEM_FEATURES` of a problem, float32 ``(P,)``."""
    extents = np.zeros(MAX_DIMS)
    extents[: len(problem.extents)] = np.log2(problem.extents) / _EXTENT
    intensity = problem.flops / problem.bytes
    rest = (
        float(problem.operation == "conv"),
        np.log2(problem.flops) / 30,
        np.log2(problem.bytes) / 30,
        np.log2(1 + intensity) / 10,
    )
    return np.array([*extents, *rest], np.float32)


def machine_features(processor: Processor, threads: int) -> NDArray[np.float32]:
    """:data:`MACHINE_FEATURES` of a processor, float32 ``(H,)``."""
    caches = [
        value
        for level, rate in zip(processor.caches, processor.fill_bytes, strict=True)
        for value in (np.log2(level.size_bytes) / 30, np.log2(rate) / 6)
    ]
    return np.array(
        [
            np.log2(processor.peak_flops * threads / 1e9) / 10,
            processor.lanes / 16,
            processor.vector_registers / 32,
            np.log2(threads) / 6,
            *caches,
        ],
        np.float32,
    )


@_compiled
def loop_features(
    loops: NDArray[np.int64],
    state: NDArray[np.int64],
    reduced: NDArray[np.bool_],
    strides: NDArray[np.int64],
    seen: NDArray[np.float32],
) -> None:
    """Writes :data:`LOOP_FEATURES` of every row's loops.

    Args:
        loops: int64 ``(B, MAX_LOOPS, 4)``, see :mod:`envs.loops.kernel`.
        state: int64 ``(B, 4)``.
        reduced: bool ``(B, D)``.
        strides: int64 ``(B, 3, D)``, floats.
        seen: float32 ``(B, MAX_LOOPS, F)``, written.
    """
    seen[:] = 0.0
    for row in range(len(loops)):
        inside = 0.0
        for depth in range(state[row, COUNT] - 1, -1, -1):
            dim, extent = loops[row, depth, DIM], loops[row, depth, EXTENT]
            step = loops[row, depth, STEP]
            loop = seen[row, depth]
            loop[0] = 1.0
            loop[1] = np.log2(extent) / _EXTENT
            loop[2] = np.log2(step) / _EXTENT
            for t in range(len(TENSORS)):
                stride = strides[row, t, dim] * step
                loop[_STRIDES + t] = np.log2(1.0 + stride * FLOAT_BYTES) / 24
                loop[_ONES + t] = stride == 1
            loop[_INSIDE] = inside / 30
            loop[_INSIDE + 1] = reduced[row, dim]
            loop[_INSIDE + 2] = 0 <= state[row, BLOCK] <= depth
            loop[_INSIDE + 3 + loops[row, depth, KIND]] = 1.0
            loop[_INSIDE + 7] = depth == state[row, CURSOR]
            inside += np.log2(extent)
