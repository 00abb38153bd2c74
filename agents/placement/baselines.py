"""Baselines for device placement, as agents: each plans at the first step and then follows it."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import gymnasium as gym

from agents.placement import heuristics, search
from agents.placement.heuristics import Placement
from envs.placement.env import DevicePlacementEnv
from hardware_sim.errors import InputError
from hardware_sim.problem import PlacementProblem


class PlannedAgent(ABC):
    """Places every group by a plan made once an episode.

    Args:
        env: A device placement environment.

    Raises:
        InputError: The environment is of another domain.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        if not isinstance(env.unwrapped, DevicePlacementEnv):
            raise InputError(f"{type(self).__name__} places networks on devices; got {env}")
        self.core = env.unwrapped.core
        self.seed = 0
        self._placement: Placement | None = None

    def reset(self, seed: int) -> None:
        """Forgets the plan of the last episode; a search is seeded."""
        self.seed = seed
        self._placement = None

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """The planned device of the present group."""
        graph = self.core.graphs[self.core.progress.graph[0]]
        if self._placement is None:
            self._placement = self.plan(graph.problem)
        return int(self._placement[self.core.progress.step[0]])

    @abstractmethod
    def plan(self, problem: PlacementProblem) -> Placement:
        """The device of each group, int64 ``(G,)``."""


class SingleDevice(PlannedAgent):
    """Everything on the device that is fastest alone."""

    def plan(self, problem: PlacementProblem) -> Placement:
        """See :func:`agents.placement.heuristics.single_device`."""
        return heuristics.single_device(problem)


class RoundRobin(PlannedAgent):
    """Groups dealt out in turn."""

    def plan(self, problem: PlacementProblem) -> Placement:
        """See :func:`agents.placement.heuristics.round_robin`."""
        return heuristics.round_robin(problem)


class Expert(PlannedAgent):
    """The published human placement, or contiguous parts of equal length."""

    def plan(self, problem: PlacementProblem) -> Placement:
        """See :func:`agents.placement.heuristics.expert`."""
        return heuristics.expert(problem)


class Heft(PlannedAgent):
    """Heterogeneous earliest finish time."""

    def plan(self, problem: PlacementProblem) -> Placement:
        """See :func:`agents.placement.heuristics.heft`."""
        return heuristics.heft(problem)


class Etf(PlannedAgent):
    """Earliest task first."""

    def plan(self, problem: PlacementProblem) -> Placement:
        """See :func:`agents.placement.heuristics.etf`."""
        return heuristics.etf(problem)


class MinCut(PlannedAgent):
    """Least traffic between balanced parts."""

    def plan(self, problem: PlacementProblem) -> Placement:
        """See :func:`agents.placement.heuristics.min_cut`."""
        return heuristics.min_cut(problem)


class Annealing(PlannedAgent):
    """Simulated annealing on the simulator."""

    evaluations: ClassVar[int] = 5_000

    def plan(self, problem: PlacementProblem) -> Placement:
        """The best placement that annealing finds in ``evaluations`` simulations."""
        return search.annealing(problem, self.evaluations, self.seed).placement


class RandomSearch(PlannedAgent):
    """The best of many random placements."""

    evaluations: ClassVar[int] = 5_000

    def plan(self, problem: PlacementProblem) -> Placement:
        """The best of ``evaluations`` random placements."""
        return search.random_search(problem, self.evaluations, self.seed).placement
