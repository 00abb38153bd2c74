"""Baselines for compact feature maps: each plans by the replay table and then follows the plan."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents import kinds
from agents.kinds import Planner
from agents.view import View, require_parts
from envs.compact.task import CompactTask

Choices = NDArray[np.int64]
PARTS = {"layers", "choices", "context"}
DOING = "makes feature maps compact"


class Judge:
    """Scores of choices by the table, and how many were asked for.

    Args:
        task: Figures and setting.
    """

    def __init__(self, task: CompactTask) -> None:
        self.task = task
        self.evaluations = 0

    def __call__(self, choices: Choices) -> float:
        """The score of a choice of each layer; minus infinity beyond the budget."""
        self.evaluations += 1
        return self.task.score(choices)


class PlannedChoices(Planner, ABC):
    """Decides every layer by a plan made once an episode.

    Args:
        view: Of a compact-feature environment.

    Raises:
        InputError: The environment is of another domain.
    """

    def __init__(self, view: View) -> None:
        require_parts(view, PARTS, f"{type(self).__name__} {DOING}")
        self._waiting: list[int] = []

    def reset(self, seed: int) -> None:
        """Forgets the plan of the last episode."""
        self.spent = 0

    def know(self, task: CompactTask) -> None:
        """Plans for a setting."""
        judge = Judge(task)
        self._waiting = self.plan(judge).tolist()
        self.spent = judge.evaluations

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """The planned choice of the present layer."""
        return self._waiting.pop(0)

    @abstractmethod
    def plan(self, judge: Judge) -> Choices:
        """The choice of each layer ``(L,)``."""


class Uniform(PlannedChoices):
    """The same share of every map, the best one within the budget."""

    def plan(self, judge: Judge) -> Choices:
        """The best of those that are the same for every layer."""
        layers, choices = judge.task.share.ndim, judge.task.share.shape[0]
        same = [np.full(layers, choice) for choice in range(choices)]
        return max(same, key=judge)


class Greedy(PlannedChoices):
    """One cut at a time, each the one that gains most, until none gains within the budget."""

    def plan(self, judge: Judge) -> Choices:
        """Goes on beyond the budget whatever it costs, the parameters' greatest saver first."""
        share = judge.task.share
        present = np.zeros(share.ndim, np.int64)
        here = judge(present)
        while True:
            cuts = [
                present + step
                for step in np.eye(share.ndim, dtype=np.int64)
                if (present + step).max() < share.shape[0]
            ]
            if not cuts:
                return present
            scores = [judge(cut) for cut in cuts]
            best = int(np.argmax(scores))
            if np.isinf(here) and np.isinf(scores).all():
                best = int(np.argmin([share[tuple(cut)] for cut in cuts]))
            elif scores[best] <= here:
                return present
            present, here = cuts[best], scores[best]


class Oracle(kinds.Oracle):
    """The best combination, by enumeration of all, which the environment knows.

    Args:
        view: Of a compact-feature environment.

    Raises:
        InputError: The environment is of another domain.
    """

    def __init__(self, view: View) -> None:
        require_parts(view, PARTS, f"Oracle {DOING}")
        self._waiting: list[int] = []

    def reset(self, seed: int) -> None:
        """Draws nothing."""

    def know(self, answer: Choices) -> None:
        """Receives the best combination."""
        self._waiting = answer.tolist()

    def act(self, observation: Any, info: dict[str, Any]) -> int:
        """The best choice of the present layer."""
        return self._waiting.pop(0)
