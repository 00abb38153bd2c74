"""Nests compiled by Halide, checked against numpy and timed on this machine.

Halide (Ragan-Kelley et al., PLDI 2013) separates what is computed from the schedule, which cannot
change the result, so every nest is right if its translation is; it is checked all the same.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.loops.nest import Kind, Loop, Nest
from envs.loops.problem import Problem
from hardware_sim.errors import InputError

TOLERANCE = 1e-4
"""Largest error relative to the largest element of the result, float32 against float64."""

SAMPLE_S = 0.004
"""A timing repeats a nest for at least so long."""

SAMPLES = 3


def halide() -> ModuleType:
    """The compiler.

    Raises:
        gymnasium.error.DependencyNotInstalled: It is not installed; the message says how to.
    """
    try:
        import halide as found
    except ImportError as error:
        raise gym.error.DependencyNotInstalled(
            'backend "measured" needs Halide: pip install "gymworks[loops]"'
        ) from error
    module: ModuleType = found
    return module


class Kernel:
    """A nest compiled for this machine, with inputs of its own.

    Args:
        nest: What is compiled.

    Attributes:
        operands: The inputs.
        run: Computes the output once.
        output: float32, shaped like the problem's first tensor, once it has run.
    """

    def __init__(self, nest: Nest) -> None:
        hl = halide()
        self.operands = operands(nest.problem)  # the buffers only borrow their memory
        function = schedule(nest, [hl.Buffer(array) for array in self.operands])
        function.compile_jit(hl.get_host_target())
        self.output = np.empty(nest.problem.shapes[0], np.float32)
        buffer = hl.Buffer(self.output)
        self.run: Callable[[], None] = lambda: function.realize(buffer)


def operands(problem: Problem) -> list[NDArray[np.float32]]:
    """The inputs of a problem: numbers between -1 and 1, the same each time."""
    random = np.random.default_rng(0)
    return [random.uniform(-1, 1, shape).astype(np.float32) for shape in problem.shapes[1:]]


def expected(problem: Problem) -> NDArray[np.float64]:
    """The right output for :func:`operands`, computed by numpy in float64."""
    left, right = (array.astype(np.float64) for array in operands(problem))
    if problem.operation == "matmul":
        return left @ right
    rows, columns, _ = problem.shapes[0]
    total = np.zeros(problem.shapes[0])
    for r, s in np.ndindex(*right.shape[:2]):
        total += left[r : r + rows, s : s + columns] @ right[r, s]
    return total


def algorithm(problem: Problem, inputs: list[Any]) -> tuple[Any, dict[int, Any]]:
    """The unscheduled Halide function of a problem, and its variables by the problem's loops.

    Its dimensions come in reverse, fastest first.
    """
    hl = halide()
    sums = [d for d in range(len(problem.extents)) if problem.reduced[d]]
    domain = hl.RDom([(0, int(problem.extents[d])) for d in sums])
    variables = {d: hl.Var(problem.letters[d]) for d in _pure(problem)}
    variables |= {d: domain[i] for i, d in enumerate(sums)}
    arguments = tuple(variables[d] for d in reversed(_pure(problem)))
    total = hl.Func("total")
    total[arguments] = hl.f32(0)
    total[arguments] += _product(problem, inputs, variables)
    return total, variables


def schedule(nest: Nest, inputs: list[Any]) -> Any:
    """The Halide function of a nest.

    Without accumulators the nest is the loops of an update of the output. With them the loops
    around the accumulators are the output's, those within are the update's of a second function,
    computed there, and the output copies it.
    """
    hl = halide()
    problem = nest.problem
    total, variables = algorithm(problem, inputs)
    output, inside = total, list(nest.loops)
    if nest.block >= 0:
        arguments = tuple(variables[d] for d in reversed(_pure(problem)))
        output = hl.Func("out")
        output[arguments] = total[arguments]
        inside = inside[nest.block :]
    for d in _pure(problem):
        output.bound(variables[d], 0, int(problem.extents[d]))
    if nest.block >= 0:
        own = [loop for loop in inside if not problem.reduced[loop.dim]]
        around = [*nest.loops[: nest.block], *own]
        placed = _arrange(output, around, variables, "o", hl.TailStrategy.RoundUp)
        if nest.block == 0:
            total.compute_root()
        else:
            total.compute_at(output, placed[nest.block - 1])
        _arrange(total, own, variables, "z", hl.TailStrategy.RoundUp)
    _arrange(total.update(), inside, variables, "u", hl.TailStrategy.GuardWithIf)
    return output


def _pure(problem: Problem) -> list[int]:
    """The loops that do not sum."""
    return [d for d in range(len(problem.extents)) if not problem.reduced[d]]


def _product(problem: Problem, inputs: list[Any], v: dict[int, Any]) -> Any:
    """The product that is summed, of Halide expressions."""
    left, right = inputs
    if problem.operation == "matmul":
        i, j, k = (v[d] for d in range(3))
        return left[k, i] * right[j, k]
    y, x, o, r, s, c = (v[d] for d in range(6))
    return left[c, x + s, y + r] * right[o, c, s, r]


def _arrange(
    stage: Any, loops: list[Loop], variables: dict[int, Any], tag: str, tail: Any
) -> list[Any]:
    """Splits, orders and marks the loops of a stage; the variable of each loop."""
    hl = halide()
    placed: list[Any] = [None] * len(loops)
    for dim in {loop.dim for loop in loops}:
        parts = [i for i, loop in enumerate(loops) if loop.dim == dim]
        rest = variables[dim]
        summing = not isinstance(rest, hl.Var)
        for number, i in enumerate(parts[:-1]):
            make = hl.RVar if summing else hl.Var
            outer, inner = make(f"{tag}{dim}_{number}"), make(f"{tag}{dim}_{number}i")
            factor = loops[parts[number + 1]].extent * loops[parts[number + 1]].step
            factor //= loops[parts[-1]].step
            stage.split(rest, outer, inner, factor, tail)
            placed[i], rest = outer, inner
        placed[parts[-1]] = rest
    if len(placed) > 1:
        stage.reorder(*reversed(placed))
    for loop, variable in zip(loops, placed, strict=True):
        if loop.kind == Kind.VECTORISED:
            stage.vectorize(variable)
        elif loop.kind == Kind.UNROLLED:
            stage.unroll(variable)
        elif loop.kind == Kind.PARALLEL:
            stage.parallel(variable)
    return placed


class Stopwatch:
    """Times nests on this machine.

    A nest is run in turn with the unscheduled nest of its problem, and its time is stated relative
    to it, so that a machine that slows down slows both. The least of several samples counts:
    processor time of this thread, or wall time if a loop is parallel. Times are remembered.

    Args:
        threads: Cores that may be used.

    Raises:
        InputError: The machine has not as many cores.
        gymnasium.error.DependencyNotInstalled: Halide is not installed.
    """

    def __init__(self, threads: int) -> None:
        halide()
        cores = os.cpu_count() or 1
        if threads > cores:
            raise InputError(f"threads is {threads}; this machine has {cores} cores")
        self._threads = threads
        self._seconds: dict[tuple[str, str], float] = {}
        self._first: tuple[Kernel, float, NDArray[np.float64]] | None = None
        self._problem = ""

    def seconds(self, nest: Nest) -> float:
        """Seconds of a nest, wherever its cursor is.

        Raises:
            RuntimeError: The compiled nest computes something else than numpy.
        """
        key = nest.problem.name, str(replace(nest, cursor=0))
        if key not in self._seconds:
            self._seconds[key] = self._measure(nest)
        return self._seconds[key]

    def _measure(self, nest: Nest) -> float:
        if self._first is None or self._problem != nest.problem.name:
            self._first = self._begin(nest.problem)
            self._problem = nest.problem.name
        first, first_s, right = self._first
        parallel = any(loop.kind == Kind.PARALLEL for loop in nest.loops)
        clock = time.perf_counter if parallel else time.thread_time
        # Halide reads the size of its pool of threads when a kernel is first run.
        os.environ["HL_NUM_THREADS"] = str(self._threads)
        kernel = Kernel(nest)
        kernel.run()
        check(nest, kernel.output, right)
        pairs = [(sample(first, clock), sample(kernel, clock)) for _ in range(SAMPLES)]
        least_first, least = np.min(pairs, axis=0)
        return float(first_s * least / least_first)

    def _begin(self, problem: Problem) -> tuple[Kernel, float, NDArray[np.float64]]:
        """The unscheduled nest of a problem, its seconds, and the right output."""
        nest, right = Nest.unscheduled(problem), expected(problem)
        kernel = Kernel(nest)
        kernel.run()
        check(nest, kernel.output, right)
        return kernel, min(sample(kernel, time.thread_time) for _ in range(SAMPLES)), right


def sample(kernel: Kernel, clock: Callable[[], float]) -> float:
    """Seconds of a run, the mean of as many as fill :data:`SAMPLE_S`."""
    runs, start = 0, clock()
    while (passed := clock() - start) < SAMPLE_S:
        kernel.run()
        runs += 1
    return passed / runs


def check(nest: Nest, output: NDArray[np.float32], right: NDArray[np.float64]) -> None:
    """Compares an output with the right one.

    Raises:
        RuntimeError: They differ by more than :data:`TOLERANCE`.
    """
    error = float(np.abs(output - right).max() / np.abs(right).max())
    if not error <= TOLERANCE:
        raise RuntimeError(f"relative error {error:.2g} of the compiled nest\n{nest}")
