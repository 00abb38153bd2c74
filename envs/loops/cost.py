"""The time of a nest: the slower of issuing its instructions and moving its cache lines.

A roofline (Williams, Waterman and Patterson, CACM 2009) with a roof for each cache, as in the
execution-cache-memory model (Stengel, Treibig, Hager and Wellein, ICS 2015), whose traffic is that
of :func:`hardware_sim.cache.estimate_misses`. It is deterministic and takes microseconds.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from envs.loops.kernel import (
    BLOCK,
    COUNT,
    DIM,
    EXTENT,
    KIND,
    PARALLELISED,
    STEP,
    THREADS,
    UNROLLED,
    VECTORISED,
)
from envs.loops.problem import TENSORS, Problem
from hardware_sim.cache import estimate_misses, geometry
from hardware_sim.processors import FLOAT_BYTES, Processor

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")

FORK_CYCLES = 20_000.0
"""Cycles of starting and joining threads."""

FORWARD_CYCLES = 8.0
"""Cycles from the store of a vector until it has been loaded again."""


class Rates(NamedTuple):
    """A processor as compiled code takes it; see :class:`hardware_sim.processors.Processor`."""

    clock_hz: float
    lanes: float
    registers: float
    fma: float
    latency: float
    loads: float
    stores: float
    scalar: float
    loop: float
    caches: NDArray[np.int64]
    fill: NDArray[np.float64]

    @classmethod
    def of(cls, processor: Processor) -> "Rates":
        """The rates of a processor."""
        return cls(
            processor.clock_hz,
            float(processor.lanes),
            float(processor.vector_registers),
            processor.fma_per_cycle,
            processor.fma_latency,
            processor.loads_per_cycle,
            processor.stores_per_cycle,
            processor.scalar_per_cycle,
            processor.loop_cycles,
            geometry(processor.caches),
            np.array(processor.fill_bytes),
        )


def roofline_flops(problem: Problem, processor: Processor, threads: int) -> float:
    """Operations a second that no schedule can exceed: peak, and every byte loaded once."""
    compute_s = problem.flops / (processor.peak_flops * threads)
    memory_s = problem.bytes / (processor.fill_bytes[-1] * processor.clock_hz)
    return problem.flops / max(compute_s, memory_s)


@_compiled
def seconds(
    loops: NDArray[np.int64],
    state: NDArray[np.int64],
    reduced: NDArray[np.bool_],
    strides: NDArray[np.int64],
    rates: Rates,
) -> float:
    """Estimated seconds of one nest.

    Args:
        loops: int64 ``(MAX_LOOPS, 4)``, see :mod:`envs.loops.kernel`.
        state: int64 ``(4,)``.
        reduced: bool ``(D,)``.
        strides: int64 ``(3, D)``, floats.
        rates: The processor's.
    """
    count = state[COUNT]
    shares = 1.0
    if loops[0, KIND] == PARALLELISED:
        extent, threads = loops[0, EXTENT], state[THREADS]
        shares = extent / ((extent + threads - 1) // threads)
    cycles = issue_cycles(loops, state, reduced, strides, rates) / shares
    nest = np.empty((len(TENSORS), count), np.int64)
    order = np.empty((len(TENSORS), count), np.int64)
    for t in range(len(TENSORS)):
        for depth in range(count):
            nest[t, depth] = FLOAT_BYTES * strides[t, loops[depth, DIM]] * loops[depth, STEP]
        order[t] = np.argsort(nest[t])
    misses = np.empty((len(rates.fill), len(TENSORS)))
    extents = loops[:count, EXTENT].copy()
    estimate_misses(extents, nest, order, FLOAT_BYTES, rates.caches, misses)
    for level in range(len(rates.fill)):
        moved = misses[level].sum() * rates.caches[level, 0] / rates.fill[level]
        shared = level == len(rates.fill) - 1
        cycles = max(cycles, moved if shared else moved / shares)
    if shares > 1.0:
        cycles += FORK_CYCLES
    return float(cycles / rates.clock_hz)


@_compiled
def issue_cycles(
    loops: NDArray[np.int64],
    state: NDArray[np.int64],
    reduced: NDArray[np.bool_],
    strides: NDArray[np.int64],
    rates: Rates,
) -> float:
    """Cycles until every instruction of a nest has been issued, all data in the first cache.

    The body is what the vectorised loop and the unrolled ones around it make: straight code. Sums
    are kept in registers if the nest accumulates and only summing loops are between the
    accumulators and the body; otherwise each body loads and stores its sums.
    """
    count, block = state[COUNT], state[BLOCK]
    body = count
    while body > 0 and loops[body - 1, KIND] in (VECTORISED, UNROLLED):
        body -= 1
    vector = loops[count - 1, EXTENT] if loops[count - 1, KIND] == VECTORISED else 1
    vectors = np.ceil(vector / rates.lanes) if vector > 1 else 1.0
    operations, chain = vectors, 1.0
    accesses = np.ones(len(TENSORS))
    for depth in range(body, count):
        if loops[depth, KIND] == VECTORISED:
            continue
        operations *= loops[depth, EXTENT]
        if reduced[loops[depth, DIM]]:
            chain *= loops[depth, EXTENT]
        for t in range(len(TENSORS)):
            if strides[t, loops[depth, DIM]] != 0:
                accesses[t] *= loops[depth, EXTENT]
    scattered = 0.0
    for t in range(len(TENSORS)):
        stride = strides[t, loops[count - 1, DIM]] if vector > 1 else 0
        if stride == 1:
            accesses[t] *= vectors
        elif stride > 1:
            scattered += accesses[t] * vector * (2.0 if t == 0 else 1.0)
            accesses[t] *= vectors
    held = body > 0
    for depth in range(max(block, 0), body):
        held &= reduced[loops[depth, DIM]]
    if block < 0:
        held = False
    bodies, overhead, entries = 1.0, 0.0, 1.0
    for depth in range(body):
        bodies *= loops[depth, EXTENT]
        overhead += bodies * rates.loop
        if depth < block:
            entries *= loops[depth, EXTENT]
    spilled = max(0.0, accesses[0] + vectors + 1.0 - rates.registers)
    memory = spilled if held else accesses[0]
    wide = vector > 1
    arithmetic = operations / (rates.fma if wide else rates.scalar)
    loads = (accesses[1] + accesses[2] + memory) / (rates.loads if wide else rates.scalar)
    stores = memory / (rates.stores if wide else 1.0)
    latency = 0.0
    if held:
        latency = chain * rates.latency
    elif body > 0 and reduced[loops[body - 1, DIM]]:
        latency = chain * rates.latency + (FORWARD_CYCLES if wide else 0.0)
    straight = max(arithmetic, loads, stores, latency) + scattered / rates.scalar
    copied = 0.0
    if block >= 0:
        tile = vectors if wide else 1.0
        for depth in range(block, count):
            if not reduced[loops[depth, DIM]] and loops[depth, KIND] != VECTORISED:
                tile *= loops[depth, EXTENT]
        copied = entries * tile * (1.0 if held else 3.0) / (rates.stores if wide else 1.0)
    return float(bodies * straight + overhead + copied)


@_compiled
def seconds_of(
    rows: NDArray[np.bool_],
    loops: NDArray[np.int64],
    state: NDArray[np.int64],
    reduced: NDArray[np.bool_],
    strides: NDArray[np.int64],
    rates: Rates,
    found: NDArray[np.float64],
) -> None:
    """:func:`seconds` of the given rows of ``B`` nests, written into float64 ``(B,)``."""
    for row in range(len(rows)):
        if rows[row]:
            found[row] = seconds(loops[row], state[row], reduced[row], strides[row], rates)
