"""Baselines for loop scheduling: planners, each of which plans once and then follows it."""

from abc import ABC, abstractmethod
from contextlib import closing
from typing import Any, ClassVar

from agents.kinds import Planner
from agents.loops import search
from agents.loops.search import Edit
from agents.view import View, require_parts
from envs.loops.nest import STOP
from envs.loops.task import Judge, LoopTask


class PlannedEdits(Planner, ABC):
    """Carries out a list of edits made once an episode, then stops.

    Args:
        view: Of a loop scheduling environment.

    Raises:
        InputError: The environment is of another domain.
    """

    def __init__(self, view: View) -> None:
        require_parts(view, {"loops", "machine"}, f"{type(self).__name__} schedules loops")
        self.seed = 0
        self._actions: list[int] = []

    def reset(self, seed: int) -> None:
        """Forgets the plan of the last episode; a search is seeded."""
        self.seed, self.spent = seed, 0

    def know(self, task: LoopTask) -> None:
        """Plans for a kernel."""
        self._actions = search.actions_of(task.nest, self.plan(task))

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """The next action of the plan."""
        return self._actions.pop(0) if self._actions else STOP

    @abstractmethod
    def plan(self, task: LoopTask) -> list[Edit]:
        """Edits of the unscheduled nest."""


class Hand(PlannedEdits):
    """Tiles of accumulators in registers, vectorised and unrolled."""

    def plan(self, task: LoopTask) -> list[Edit]:
        """See :func:`agents.loops.search.hand`."""
        processor = task.processor
        return search.hand(task.nest, processor.vector_registers, processor.lanes)


class Greedy(PlannedEdits):
    """The best edit, again and again, as long as it improves."""

    def plan(self, task: LoopTask) -> list[Edit]:
        """See :func:`agents.loops.search.greedy`."""
        with closing(Judge(task)) as judge:
            found = search.greedy(task.nest, judge)
        self.spent = judge.evaluations
        return found.edits


class Annealing(PlannedEdits):
    """Simulated annealing over lists of edits."""

    evaluations: ClassVar[int] = 1_000

    def plan(self, task: LoopTask) -> list[Edit]:
        """The best edits that annealing finds in ``evaluations`` judgements."""
        with closing(Judge(task)) as judge:
            found = search.annealing(task.nest, judge, self.evaluations, self.seed)
        self.spent = judge.evaluations
        return found.edits


class ShortAnnealing(Annealing):
    """Annealing with as many judgements as an episode has steps."""

    evaluations: ClassVar[int] = 48
