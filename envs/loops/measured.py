"""Nests checked and timed on this machine, where a crash or a hang is a value."""

import math
import os
from dataclasses import dataclass, replace

from envs.loops.compiled import halide
from envs.loops.nest import Nest
from envs.loops.problem import Problem
from envs.loops.trial import LIMIT_S, TOLERANCE, request
from hardware_sim.errors import InputError
from hardware_sim.kernels.outcome import KernelError, Outcome
from hardware_sim.kernels.worker import Worker

TRIAL = "envs.loops.trial"
"""The module that a child process runs."""


@dataclass(frozen=True)
class Measurement:
    """The result of measuring a nest.

    Attributes:
        outcome: ``ok``, ``crashed``, ``hung`` or ``wrong``.
        seconds: Seconds of a run; infinite unless the outcome is ``ok``.
    """

    outcome: Outcome
    seconds: float = math.inf


class Stopwatch:
    """Times nests on this machine.

    A nest is compiled and run in a child process, which serves until a nest crashes there or takes
    more than :data:`LIMIT_S` seconds; then another takes its place. It is run in turn with the
    unscheduled nest of its problem, and its time is stated relative to it, so that a machine that
    slows down slows both. Measurements are remembered, failures too.

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
        self._worker = Worker(TRIAL, {"HL_NUM_THREADS": str(threads)})
        self._found: dict[tuple[str, str], Measurement] = {}
        self._first_s: dict[str, float] = {}

    def begin(self, problem: Problem) -> None:
        """Measures the unscheduled nest of a problem, which others are compared to.

        Raises:
            KernelError: That fails; it is tried again the next time.
        """
        nest = Nest.unscheduled(problem)
        outcome = self.measure(nest).outcome
        if not outcome:
            del self._found[_key(nest)]
            raise KernelError(replace(outcome, detail=f"{problem.name}: {outcome.detail}"))

    def seconds(self, nest: Nest) -> float:
        """Seconds of a nest, wherever its cursor is; infinite if it crashes, hangs or is wrong."""
        return self.measure(nest).seconds

    def measure(self, nest: Nest) -> Measurement:
        """Compiles, checks and times a nest, wherever its cursor is."""
        key = _key(nest)
        if key not in self._found:
            self._found[key] = self._measure(nest)
        return self._found[key]

    def close(self) -> None:
        """Ends the child process; another starts if a nest is measured again."""
        self._worker.close()

    def _measure(self, nest: Nest) -> Measurement:
        try:
            answer = self._worker.ask(request(nest), LIMIT_S)
        except KernelError as failure:
            return Measurement(failure.outcome)
        error = answer["error"]
        if not error <= TOLERANCE:
            detail = f"error {error:.2g}; allowed is {TOLERANCE:.0e}"
            return Measurement(Outcome("wrong", detail, error))
        first_s = self._first_s.setdefault(nest.problem.name, answer["first_s"])
        return Measurement(Outcome("ok", "", error), first_s * answer["nest_s"] / answer["first_s"])


def _key(nest: Nest) -> tuple[str, str]:
    """A key of a nest, the same wherever its cursor is."""
    return nest.problem.name, str(replace(nest, cursor=0))
