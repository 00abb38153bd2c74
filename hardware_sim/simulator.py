"""The makespan simulator: one step of a placed graph, event by event, compiled.

The model, which :mod:`hardware_sim.reference` states in plain Python:

* An op runs on the device of its group. It is ready when every input is on that device. A device
  runs one op at a time, the ready op of lowest priority number first, without pre-emption.
* When an op ends, its output is sent once to every other device that has a consumer: the largest
  part that any consumer there needs. A channel (one direction of a link) carries one transfer at a
  time, that of the producer of lowest priority number first, then of the lowest device number.
  Transfers overlap with computation.
* At one instant everything that ends is dealt with before anything starts.
* Parameters stay in memory. An op's output is allocated when the op starts, a copy when its
  transfer starts; each is freed when its last reader (a consumer or a transfer) ends. An output
  that nobody reads stays.

:mod:`hardware_sim.kernel` describes how it is made fast. With ``NUMBA_DISABLE_JIT=1`` the plain
Python runs instead, with the same results.
"""

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hardware_sim import kernel, layout, reference
from hardware_sim.problem import PlacementProblem
from hardware_sim.schedule import Schedule, Transfer

log = logging.getLogger("gymworks")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The outcome of ``B`` placements.

    Attributes:
        makespan_s: float64 ``(B,)``, seconds of one step.
        peak_bytes: int64 ``(B, D)``, highest memory in use on each device.
        fits: bool ``(B,)``, no device exceeds its memory.
    """

    makespan_s: NDArray[np.float64]
    peak_bytes: NDArray[np.int64]
    fits: NDArray[np.bool_]


def evaluate(
    problem: PlacementProblem, placements: ArrayLike, threads: int | None = None
) -> Evaluation:
    """Simulates a batch of placements on all cores.

    Args:
        problem: Graph and cluster.
        placements: Integers ``(B, G)``, the device of each group.
        threads: Number of threads; every core if absent. Results do not depend on it.

    Raises:
        InputError: A placement has the wrong shape or names an unknown device.
    """
    batch = problem.check_placements(np.asarray(placements))
    makespan = np.empty(len(batch))
    peak = np.empty((len(batch), problem.num_devices), np.int64)
    if _interpreted():
        for row, placement in enumerate(batch):
            schedule = reference.simulate(problem, placement)
            makespan[row], peak[row] = schedule.makespan_s, schedule.peak_bytes
        return _judged(problem, makespan, peak)
    arrays = layout.arrays(problem)
    # Fewer placements than lanes are not worth a thread.
    workers = min(threads or os.cpu_count() or 1, -(-len(batch) // layout.LANES))

    def run(rows: slice) -> None:
        own = layout.scratch(problem, len(batch[rows]))
        kernel.evaluate(arrays, own, batch[rows], makespan[rows], peak[rows])

    if workers == 1:
        run(slice(None))
    elif workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(run, _slices(len(batch), workers)))
    return _judged(problem, makespan, peak)


def simulate(problem: PlacementProblem, placement: ArrayLike) -> Schedule:
    """Simulates one placement and keeps its timeline.

    Args:
        problem: Graph and cluster.
        placement: Integers ``(G,)``, the device of each group.

    Raises:
        InputError: The placement has the wrong shape or names an unknown device.
    """
    if _interpreted():
        return reference.simulate(problem, placement)
    rows = problem.check_placements(np.asarray(placement)[None])
    scratch = layout.scratch(problem, 1, timeline=True)
    makespan, peak = np.empty(1), np.empty((1, problem.num_devices), np.int64)
    kernel.evaluate(layout.arrays(problem), scratch, rows, makespan, peak)
    device = rows[0, problem.graph.groups]
    # One row an op of the problem, one column a device: its own, or one that it was sent to.
    shape = len(device) + 1, -1
    start, end, held = (
        array.reshape(shape)[problem.priority]
        for array in (scratch.start, scratch.end, scratch.held)
    )
    ops = np.arange(len(device))
    sent = ~np.isnan(start)
    sent[ops, device] = False
    transfers = tuple(
        Transfer(
            op=op,
            source=int(device[op]),
            target=target,
            channel=int(problem.cluster.channel[device[op], target]),
            bytes=int(held[op, target]),
            start_s=float(start[op, target]),
            end_s=float(end[op, target]),
        )
        for op, target in np.argwhere(sent).tolist()
    )
    return Schedule(
        float(makespan[0]), device, start[ops, device], end[ops, device], transfers, peak[0]
    )


def _judged(
    problem: PlacementProblem, makespan: NDArray[np.float64], peak: NDArray[np.int64]
) -> Evaluation:
    return Evaluation(makespan, peak, np.all(peak <= problem.capacity, axis=1))


@cache
def _interpreted() -> bool:
    """True, and says so once, where Numba compiles nothing, so that people can debug."""
    settings: Any = numba.config  # whose annotations know none of its settings
    if settings.DISABLE_JIT:
        log.warning("NUMBA_DISABLE_JIT is set: hardware_sim.reference simulates, slowly")
    return bool(settings.DISABLE_JIT)


def _slices(length: int, parts: int) -> Iterator[slice]:
    edges = np.linspace(0, length, parts + 1).astype(int)
    return (slice(a, b) for a, b in pairwise(edges.tolist()))
