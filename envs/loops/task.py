"""A kernel to be scheduled as data, and the judge of its nests, for agents that search."""

from dataclasses import dataclass

import numpy as np

from envs.loops import cost, kernel
from envs.loops.nest import MAX_LOOPS, Nest
from envs.loops.problem import Problem
from hardware_sim.processors import Processor


@dataclass(frozen=True)
class LoopTask:
    """A kernel to be scheduled.

    Attributes:
        problem: The loops and what they compute.
        threads: Cores that a parallel loop may use.
        processor: The processor.
        backend: ``"model"`` or ``"measured"``.
    """

    problem: Problem
    threads: int
    processor: Processor
    backend: str

    @property
    def nest(self) -> Nest:
        """The nest to begin with."""
        return Nest.unscheduled(self.problem, self.threads)


class Judge:
    """Times nests of a task as its environment does, and counts them.

    Args:
        task: The task.

    Attributes:
        evaluations: Nests that were judged.

    Raises:
        InputError: The backend measures, and the machine has not as many cores.
        gymnasium.error.DependencyNotInstalled: The measured backend's compiler is missing.
    """

    def __init__(self, task: LoopTask) -> None:
        self.evaluations = 0
        self._rates = cost.Rates.of(task.processor)
        self._clock = None
        if task.backend == "measured":
            from envs.loops.measured import Stopwatch

            self._clock = Stopwatch(task.threads)
            self._clock.begin(task.problem)

    def __call__(self, nest: Nest) -> float:
        """Seconds of a nest; infinite for a failure."""
        self.evaluations += 1
        if self._clock is not None:
            return self._clock.seconds(nest)
        loops, state = np.zeros((MAX_LOOPS, 4), np.int64), np.zeros(4, np.int64)
        kernel.write(nest, loops, state)
        problem = nest.problem
        return float(cost.seconds(loops, state, problem.reduced, problem.strides, self._rates))

    def close(self) -> None:
        """Ends the process that measures, if there is one."""
        if self._clock is not None:
            self._clock.close()
