"""Checks and times nests in a process of its own: ``python -m envs.loops.trial DESCRIPTOR``.

Whatever a broken nest does stays here. Requests and answers are those of
:class:`hardware_sim.kernels.worker.Worker`; many nests are measured by one process.
"""

import json
import resource
import signal
import sys
import time
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.loops.compiled import Kernel, expected, relative_error, sample
from envs.loops.nest import Kind, Loop, Nest
from envs.loops.problem import Problem

LIMIT_S = 120.0
"""Longest compilation, check and timing of a nest."""

TOLERANCE = 1e-4
"""Largest error relative to the largest element of the result, float32 against float64."""

SAMPLES = 3


def request(nest: Nest) -> dict[str, Any]:
    """A nest as JSON; :func:`requested` is the way back."""
    loops = [[loop.dim, loop.extent, loop.step, int(loop.kind)] for loop in nest.loops]
    return {"problem": nest.problem.name, "loops": loops, "block": nest.block}


def requested(asked: dict[str, Any]) -> Nest:
    """The nest of a request."""
    loops = tuple(Loop(dim, extent, step, Kind(kind)) for dim, extent, step, kind in asked["loops"])
    return Nest(Problem.parse(asked["problem"]), loops, block=asked["block"])


def measure(nest: Nest) -> dict[str, float]:
    """Runs a nest, compares its output and times it in turn with its problem's unscheduled nest.

    The least of several samples counts: processor time of this thread, or wall time if a loop is
    parallel.

    Returns:
        ``error``, relative; and unless that exceeds :data:`TOLERANCE`, ``nest_s`` and ``first_s``,
        seconds of the nest and of the unscheduled one.
    """
    first, right = _first(nest.problem.name)
    kernel = Kernel(nest)
    kernel.run()
    error = relative_error(kernel.output, right)
    if not error <= TOLERANCE:
        return {"error": error}
    parallel = any(loop.kind == Kind.PARALLEL for loop in nest.loops)
    clock = time.perf_counter if parallel else time.thread_time
    pairs = [(sample(first, clock), sample(kernel, clock)) for _ in range(SAMPLES)]
    first_s, nest_s = np.min(pairs, axis=0).tolist()
    return {"error": error, "nest_s": nest_s, "first_s": first_s}


@lru_cache(maxsize=8)
def _first(problem: str) -> tuple[Kernel, NDArray[np.float64]]:
    """The unscheduled nest of a problem, which has run, and the right output."""
    nest = Nest.unscheduled(Problem.parse(problem))
    kernel = Kernel(nest)
    kernel.run()
    return kernel, expected(nest.problem)


def main(descriptor: int) -> None:
    """Answers requests until the other end of a connection is closed."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = Connection(descriptor)
    while True:
        try:
            asked = json.loads(connection.recv_bytes())
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, 2 * LIMIT_S)  # ends it even if nobody waits any more
        answer = measure(requested(asked))
        signal.setitimer(signal.ITIMER_REAL, 0)
        connection.send_bytes(json.dumps(answer).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
