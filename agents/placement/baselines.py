"""Baselines for device placement: planners, each of which plans once and then follows it."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from agents.kinds import Planner
from agents.placement import heuristics, search
from agents.placement.heuristics import Placement
from agents.view import View, require_parts
from envs.placement.group_graph import NODE_FEATURES
from envs.placement.list_schedule import NODE_FLAGS
from hardware_sim.problem import PlacementProblem

PRESENT = len(NODE_FEATURES) + NODE_FLAGS.index("to be placed now")
"""Column of ``observation["nodes"]`` that marks the present group."""


class PlannedAgent(Planner, ABC):
    """Places every group by a plan made once an episode.

    Args:
        view: Of a device placement environment.

    Raises:
        InputError: The environment is of another domain.
    """

    def __init__(self, view: View) -> None:
        require_parts(view, {"nodes", "devices"}, f"{type(self).__name__} places networks")
        self.seed = 0
        self._placement: Placement | None = None

    def reset(self, seed: int) -> None:
        """Forgets the plan of the last episode; a search is seeded."""
        self.seed, self.spent = seed, 0

    def know(self, problem: PlacementProblem) -> None:
        """Plans for graph and cluster."""
        self._placement = self.plan(problem)

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """The planned device of the present group."""
        assert self._placement is not None
        return int(self._placement[observation["nodes"][:, PRESENT].argmax()])

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
        self.spent = self.evaluations
        return search.annealing(problem, self.evaluations, self.seed).placement


class RandomSearch(PlannedAgent):
    """The best of many random placements."""

    evaluations: ClassVar[int] = 5_000

    def plan(self, problem: PlacementProblem) -> Placement:
        """The best of ``evaluations`` random placements."""
        self.spent = self.evaluations
        return search.random_search(problem, self.evaluations, self.seed).placement
