"""Baselines for loop scheduling, as agents: each plans at the first step and then follows it."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import gymnasium as gym

from agents.loops import search
from agents.loops.search import Edit
from envs.loops.env import LoopScheduleEnv
from envs.loops.nest import STOP, Nest
from hardware_sim.errors import InputError


class PlannedEdits(ABC):
    """Carries out a list of edits made once an episode, then stops.

    Args:
        env: A loop scheduling environment.

    Raises:
        InputError: The environment is of another domain.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        if not isinstance(env.unwrapped, LoopScheduleEnv):
            raise InputError(f"{type(self).__name__} schedules loops; got {env}")
        self.core = env.unwrapped.core
        self.seed = 0
        self._actions: list[int] | None = None

    def reset(self, seed: int) -> None:
        """Forgets the plan of the last episode; a search is seeded."""
        self.seed = seed
        self._actions = None

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """The next action of the plan."""
        if self._actions is None:
            nest = self.core.nest(0)
            self._actions = search.actions_of(nest, self.plan(nest))
        return self._actions.pop(0) if self._actions else STOP

    @abstractmethod
    def plan(self, nest: Nest) -> list[Edit]:
        """Edits of the unscheduled nest."""


class Hand(PlannedEdits):
    """Tiles of accumulators in registers, vectorised and unrolled."""

    def plan(self, nest: Nest) -> list[Edit]:
        """See :func:`agents.loops.search.hand`."""
        processor = self.core.processor
        return search.hand(nest, processor.vector_registers, processor.lanes)


class Greedy(PlannedEdits):
    """The best edit, again and again, as long as it improves."""

    def plan(self, nest: Nest) -> list[Edit]:
        """See :func:`agents.loops.search.greedy`."""
        return search.greedy(nest, self.core.seconds).edits


class Annealing(PlannedEdits):
    """Simulated annealing over lists of edits."""

    evaluations: ClassVar[int] = 1_000

    def plan(self, nest: Nest) -> list[Edit]:
        """The best edits that annealing finds in ``evaluations`` judgements."""
        judge = self.core.seconds
        return search.annealing(nest, judge, self.evaluations, self.seed).edits


class ShortAnnealing(Annealing):
    """Annealing with as many judgements as an episode has steps."""

    evaluations: ClassVar[int] = 48
