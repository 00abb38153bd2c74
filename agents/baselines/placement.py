"""Baselines for device placement, as agents: each plans at the first step and then follows it."""

from collections.abc import Callable
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np

from agents.baselines import placement_heuristics, placement_search
from envs.placement.env import DevicePlacementEnv
from envs.placement.group_graph import GroupGraph
from hardware_sim.errors import InputError
from hardware_sim.problem import PlacementProblem

Plan = np.ndarray[Any, np.dtype[np.int64]]


class PlannedAgent:
    """Places every group where a plan made once an episode says.

    Args:
        env: A device placement environment.

    Raises:
        InputError: The environment is of another domain.
    """

    plan: ClassVar[Callable[[PlacementProblem], Plan]]

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        core = getattr(env.unwrapped, "core", None)
        if not isinstance(env.unwrapped, DevicePlacementEnv) or core is None:
            raise InputError(f"{type(self).__name__} places networks on devices; got {env}")
        self.core = core
        self.seed = 0
        self._placement: Plan | None = None

    def reset(self, seed: int) -> None:
        """Forgets the plan of the last episode; a search is seeded."""
        self.seed = seed
        self._placement = None

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """The planned device of the present group."""
        graph: GroupGraph = self.core.graphs[self.core.progress.graph[0]]
        if self._placement is None:
            self._placement = self.make_plan(graph.problem)
        return int(self._placement[self.core.progress.step[0]])

    def make_plan(self, problem: PlacementProblem) -> Plan:
        """The device of each group."""
        return type(self).plan(problem)


class SingleDevice(PlannedAgent):
    """Everything on the device that is fastest alone."""

    plan = staticmethod(placement_heuristics.single_device)


class RoundRobin(PlannedAgent):
    """Groups dealt out in turn."""

    plan = staticmethod(placement_heuristics.round_robin)


class Expert(PlannedAgent):
    """The published human placement, or contiguous parts of equal length."""

    plan = staticmethod(placement_heuristics.expert)


class Heft(PlannedAgent):
    """Heterogeneous earliest finish time."""

    plan = staticmethod(placement_heuristics.heft)


class Etf(PlannedAgent):
    """Earliest task first."""

    plan = staticmethod(placement_heuristics.etf)


class MinCut(PlannedAgent):
    """Least traffic between balanced parts."""

    plan = staticmethod(placement_heuristics.min_cut)


class Annealing(PlannedAgent):
    """Simulated annealing on the simulator."""

    evaluations: ClassVar[int] = 5_000

    def make_plan(self, problem: PlacementProblem) -> Plan:
        """The best placement that annealing finds in ``evaluations`` simulations."""
        return placement_search.annealing(problem, self.evaluations, self.seed).placement


class RandomSearch(PlannedAgent):
    """The best of many random placements."""

    evaluations: ClassVar[int] = 5_000

    def make_plan(self, problem: PlacementProblem) -> Plan:
        """The best of ``evaluations`` random placements."""
        return placement_search.random_search(problem, self.evaluations, self.seed).placement
