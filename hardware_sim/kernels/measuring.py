"""Measures variants of a convolution against oneDNN with packed weights, many at a time.

Variants that differ in block and panels alone share a library and its packed weights, so they are
measured together, in turn with oneDNN. Each library is first checked in a child process on a small
problem of the same kind, where a crash or a write out of bounds does no harm; then each variant's
result on the problem itself is compared with the float64 definition. Variants that turn out to be
far slower than others of theirs are timed a few times only.
"""

import ctypes
import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from hardware_sim.kernels import checking, compiler, opponents, reference
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.kernel import aligned, aligned_copy
from hardware_sim.kernels.outcome import KernelError, Outcome
from hardware_sim.kernels.variant import Plan, Variant, applicable, tolerance
from hardware_sim.machine import Machine
from hardware_sim.timing import interleaved, one_thread

Family = tuple[str, tuple[int, ...], str]
"""Algorithm, tile and instruction set: what a library and its packed weights depend on."""


@dataclass(frozen=True)
class Measurement:
    """The result of measuring a variant.

    Attributes:
        outcome: ``ok``, or why there are no times.
        kernel_s: Least time of a call, in seconds.
        library_s: That of oneDNN, measured in turn with it.
        compile_s: Processor time of the compiler for its library; 0 if that is not known.
        scratch_bytes: Scratch memory.
    """

    outcome: Outcome
    kernel_s: float = math.nan
    library_s: float = math.nan
    compile_s: float = 0.0
    scratch_bytes: int = 0

    @property
    def speedup(self) -> float:
        """Times as fast as oneDNN; 0 for a failure."""
        return self.library_s / self.kernel_s if self.outcome else 0.0


class Bench:
    """A problem with random input and weights, and its exact result.

    Args:
        problem: A convolution in two or three dimensions.
        machine: This machine.
        seed: Of input and weights.
        limit_s: Wall time of measuring variants that share a library, in seconds.
    """

    def __init__(
        self, problem: Problem, machine: Machine, seed: int = 0, limit_s: float = 0.8
    ) -> None:
        self.problem, self.machine, self.limit_s = problem, machine, limit_s
        generator = torch.Generator().manual_seed(seed)
        self.weight = torch.randn(problem.weight_shape, generator=generator)
        self.x = opponents.channels_last(torch.randn(problem.input_shape, generator=generator))
        self.library = opponents.packed(problem, self.weight)
        self.exact = reference.convolve(problem, self.x.numpy(), self.weight.numpy())
        self._loaded: dict[Family, _Loaded] = {}

    def measure(self, variants: Iterable[Variant]) -> dict[Variant, Measurement]:
        """Measures variants for one thread, those of a family together."""
        families: dict[Family, list[Variant]] = {}
        for variant in variants:
            families.setdefault(self._family_of(variant), []).append(variant)
        # Compiled and checked on all cores, then timed while nothing else runs.
        with ThreadPoolExecutor(self.machine.cores) as pool:
            outcomes = list(pool.map(self._try, families.values()))
        found: dict[Variant, Measurement] = {}
        for (family, members), outcome in zip(families.items(), outcomes, strict=True):
            found |= self._family(members, outcome)
            self._loaded.pop(family, None)
        return found

    def together(self, variants: Iterable[Variant], limit_s: float) -> dict[Variant, Measurement]:
        """Measures variants of any family, all in turn with one another.

        Args:
            variants: Ones that :meth:`measure` found in order.
            limit_s: Wall time for all of them.
        """
        calls = {variant: self._load(variant).call(variant, self.x) for variant in variants}
        found = self._timed(calls, limit_s)
        self._loaded.clear()
        return found

    def one(self, variant: Variant) -> Measurement:
        """Measures one variant, checked in a child process on the problem itself."""
        outcome = applicable(self.problem, variant, self.machine)
        spent = 0.0
        if outcome:
            try:
                spent = compiled(self._plan(variant))[1]
            except KernelError as error:
                outcome = error.outcome
            else:
                outcome = checking.verify(self.problem, variant, self.machine)
        if not outcome:
            return Measurement(outcome, compile_s=spent)
        return self.together([variant], self.limit_s)[variant]

    def _family(self, members: list[Variant], outcome: Outcome) -> dict[Variant, Measurement]:
        if not outcome:
            return {each: Measurement(outcome) for each in members}
        calls = {each: self._load(each).call(each, self.x) for each in members}
        wrong = {
            each: Measurement(judged)
            for each, call in calls.items()
            if not (judged := self._judge(each, call()))
        }
        sound = {each: call for each, call in calls.items() if each not in wrong}
        return wrong | (self._timed(sound, self.limit_s) if sound else {})

    def _try(self, members: list[Variant]) -> Outcome:
        """Compiles the library of a family, and runs it on a small problem in a child process."""
        for each in members:
            if not (possible := applicable(self.problem, each, self.machine)):
                return possible
        try:
            compiled(self._plan(members[0]))
        except KernelError as error:
            return error.outcome
        some = replace(members[0], block=0, panels=0)
        return checking.verify(small(self.problem), some, self.machine)

    def _load(self, variant: Variant) -> "_Loaded":
        key = self._family_of(variant)
        if key not in self._loaded:
            self._loaded[key] = _Loaded(self._plan(variant), self.weight)
        return self._loaded[key]

    def _plan(self, variant: Variant) -> Plan:
        return Plan(self.problem, variant, self.machine)

    def _family_of(self, variant: Variant) -> Family:
        return variant.algorithm, variant.tile, self.machine.isa(variant.isa).name

    def _judge(self, variant: Variant, result: torch.Tensor) -> Outcome:
        error = checking.relative_error(result.numpy(), self.exact)
        allowed = tolerance(self.problem, variant)
        if not error <= allowed:
            return Outcome("wrong", f"error {error:.2e}; allowed is {allowed:.0e}", error)
        return Outcome("ok", "", error)

    def _timed(
        self, calls: dict[Variant, Callable[[], torch.Tensor]], limit_s: float
    ) -> dict[Variant, Measurement]:
        order = list(calls)
        functions: dict[str, Callable[[], object]] = {"library": partial(self.library, self.x)}
        functions |= {str(i): calls[variant] for i, variant in enumerate(order)}
        with one_thread():
            timings = interleaved(functions, limit_s=limit_s, yardstick="library")
        return {
            variant: Measurement(
                Outcome("ok"),
                kernel_s=timings[str(i)].best,
                library_s=timings["library"].best,
                compile_s=self._load(variant).compile_s,
                scratch_bytes=4 * self._plan(variant).scratch_floats,
            )
            for i, variant in enumerate(order)
        }


class _Loaded:
    """A library in memory with packed weights, for every block and number of panels."""

    def __init__(self, plan: Plan, weight: torch.Tensor) -> None:
        self.plan = plan
        path, self.compile_s = compiled(plan)
        self._run = ctypes.CDLL(str(path)).run
        self._run.argtypes = [ctypes.c_void_p] * 7
        self._packed = aligned_copy(plan.pack(weight.numpy()))
        self._bias = plan.pack_bias(None)

    def call(self, variant: Variant, x: torch.Tensor) -> Callable[[], torch.Tensor]:
        """The convolution of an input in channels-last memory, as a kernel does it."""
        problem = self.plan.problem
        plan = replace(self.plan, variant=variant)
        arguments, scratch = plan.arguments(), aligned(plan.scratch_floats)
        addresses = (self._packed.ctypes.data, self._bias.ctypes.data)
        ends = (scratch.ctypes.data, arguments.ctypes.data)
        shape = (problem.batch, *problem.output, problem.out_channels)
        kept = (arguments, scratch)

        def run(kept: object = kept) -> torch.Tensor:
            lines = x.movedim(1, -1).contiguous()
            y = torch.empty(shape, dtype=torch.float32)
            self._run(lines.data_ptr(), *addresses, y.data_ptr(), *ends, None)  # nothing to add
            return y.movedim(-1, 1)

        return run


def compiled(plan: Plan) -> tuple[Path, float]:
    """The library of a plan, and the compiler's processor time in seconds (0 if not known).

    Raises:
        KernelError: As :func:`hardware_sim.kernels.compiler.library`.
    """
    path = compiler.library(plan.source(), plan.isa.flags)
    return path, compiler.seconds(path)


def small(problem: Problem) -> Problem:
    """A problem of the same kind with few channels and pixels, none of them a round number.

    Problems that differ in size alone have the same one, so that it is checked only once.
    """
    groups = min(problem.groups, 2)
    size = tuple(
        17 * step + reach * (k - 1) + 1
        for step, reach, k in zip(problem.stride, problem.dilation, problem.kernel, strict=True)
    )
    return replace(
        problem,
        in_channels=21 * groups,
        out_channels=43 * groups,
        size=size,
        groups=groups,
        batch=1,
    )
