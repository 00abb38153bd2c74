"""Baselines for compact feature maps: each plans by the replay table and then follows the plan."""

from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.compact.env import CompactFeatureEnv
from hardware_sim.errors import InputError

Choices = NDArray[np.int64]


class PlannedChoices(ABC):
    """Decides every layer by a plan made at the episode's first step.

    Args:
        env: A compact-feature environment.

    Raises:
        InputError: The environment is of another domain.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        if not isinstance(env.unwrapped, CompactFeatureEnv):
            raise InputError(f"{type(self).__name__} makes feature maps compact; got {env}")
        self.core = env.unwrapped.core
        self._waiting: list[int] = []

    def reset(self, seed: int) -> None:
        """Forgets the plan of the last episode."""
        self._waiting = []

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """The planned choice of the present layer."""
        if not self._waiting:
            self._waiting = self.plan(self.core.scores(0)).tolist()
        return self._waiting.pop(0)

    @abstractmethod
    def plan(self, scores: NDArray[np.float64]) -> Choices:
        """The choice of each layer ``(L,)``, from the score of every combination ``(C,) * L``."""


class Uniform(PlannedChoices):
    """The same share of every map, the best one within the budget."""

    def plan(self, scores: NDArray[np.float64]) -> Choices:
        """The best entry of the diagonal."""
        along = [scores[(c,) * scores.ndim] for c in range(scores.shape[0])]
        return np.full(scores.ndim, int(np.argmax(along)))


class Greedy(PlannedChoices):
    """One cut at a time, each the one that gains most, until none gains within the budget."""

    def plan(self, scores: NDArray[np.float64]) -> Choices:
        """Goes on beyond the budget whatever it costs, the parameters' greatest saver first."""
        present = np.zeros(scores.ndim, np.int64)
        share = self.core.share
        while True:
            cuts = [
                present + step
                for step in np.eye(scores.ndim, dtype=np.int64)
                if (present + step).max() < scores.shape[0]
            ]
            here = scores[tuple(present)]
            if not cuts:
                return present
            if np.isinf(here) and all(np.isinf(scores[tuple(cut)]) for cut in cuts):
                present = min(cuts, key=lambda cut: float(share[tuple(cut)]))
                continue
            best = max(cuts, key=lambda cut: float(scores[tuple(cut)]))
            if scores[tuple(best)] <= here:
                return present
            present = best


class Oracle(PlannedChoices):
    """The best combination, by enumeration of all."""

    def plan(self, scores: NDArray[np.float64]) -> Choices:
        """The largest entry."""
        return np.array(np.unravel_index(int(scores.argmax()), scores.shape))
