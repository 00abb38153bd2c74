"""Nests compiled by Halide, with the outputs that numpy computes to compare with.

Halide (Ragan-Kelley et al., PLDI 2013) separates what is computed from the schedule, which cannot
change the result, so every nest is right if its translation is; it is checked all the same.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.loops.nest import Kind, Loop, Nest
from envs.loops.problem import Problem

SAMPLE_S = 0.004
"""A timing repeats a nest for at least so long."""


def halide() -> ModuleType:
    """The compiler.

    Raises:
        gymnasium.error.DependencyNotInstalled: It is not installed; the message gives the command.
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
    """A nest compiled for this machine, or for the target that ``HL_JIT_TARGET`` names.

    Inputs and output are memory of Halide's own. Its code takes for granted that the output of a
    nest that adds in memory begins at a whole vector, which numpy's memory often does not: the
    load then faults where it is an instruction of its own, as AVX2 has them.

    Args:
        nest: The nest to compile.

    Attributes:
        inputs: Halide's buffers of the inputs, see :func:`operands`.
        result: Halide's buffer of the output.
        output: Its memory, float32, shaped like the problem's first tensor; begins as NaN.
        run: Computes the output once.
    """

    def __init__(self, nest: Nest) -> None:
        hl = halide()
        result, *self.inputs = (
            hl.Buffer(hl.Float(32), list(shape[::-1])) for shape in nest.problem.shapes
        )
        for buffer, values in zip(self.inputs, operands(nest.problem), strict=True):
            np.asarray(buffer)[...] = values
        self.output: NDArray[np.float32] = np.asarray(result)
        self.output.fill(np.nan)
        function = schedule(nest, self.inputs)
        function.compile_jit(hl.get_jit_target_from_environment())
        self.result = result
        self.run: Callable[[], None] = lambda: function.realize(result)


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


def sample(kernel: Kernel, clock: Callable[[], float]) -> float:
    """Seconds of a run, the mean of as many as fill :data:`SAMPLE_S`."""
    runs, start = 0, clock()
    while (passed := clock() - start) < SAMPLE_S:
        kernel.run()
        runs += 1
    return passed / runs


def relative_error(output: NDArray[np.float32], right: NDArray[np.float64]) -> float:
    """Greatest difference over the greatest magnitude of the right output; NaN if there is one."""
    return float(np.abs(output - right).max() / np.abs(right).max())
