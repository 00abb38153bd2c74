"""Baselines for the adaptive softmax: guesses, search at equal evaluations, the exact optimum."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from agents import kinds
from agents.kinds import Planner
from agents.view import View, require_parts
from envs.softmax.batch import STOP
from envs.softmax.plan import DIV_VALUES, MOST_TAILS, SoftmaxProblem
from envs.softmax.problems import PLACES, SoftmaxTask

Cuts = tuple[tuple[int, ...], int]
"""Places of the cuts, rising, and the number of the divisor."""


class Judge:
    """Returns of plans of one problem, and how many were asked for.

    Args:
        problem: The vocabulary to cut.
        places: Words of the places, int64, rising.
        loss_price: As of the environment.
    """

    def __init__(
        self, problem: SoftmaxProblem, places: NDArray[np.int64], loss_price: float
    ) -> None:
        self.problem, self.places, self.loss_price = problem, places, loss_price
        self.evaluations = 0

    def possible(self, cuts: Cuts) -> bool:
        """True if the cuts are a plan: one to four, rising, with a dimension for each tail."""
        places, divisor = cuts
        return (
            1 <= len(places) <= MOST_TAILS
            and list(places) == sorted(set(places))
            and 0 <= places[0] <= places[-1] < PLACES
            and self.problem.width(len(places), DIV_VALUES[divisor]) >= 1
        )

    def __call__(self, cuts: Cuts) -> float:
        """The return of the environment for a possible plan."""
        self.evaluations += 1
        plan = self.problem.plan(self.places[list(cuts[0])].tolist(), DIV_VALUES[cuts[1]])
        return float(np.log(plan.speed_up)) - self.loss_price * plan.loss


class PlannedAgent(Planner, ABC):
    """Cuts by a plan made once an episode.

    Args:
        view: Of an adaptive softmax environment.

    Raises:
        InputError: The environment is of another domain.
    """

    def __init__(self, view: View) -> None:
        require_parts(view, {"outlook", "costs"}, f"{type(self).__name__} cuts vocabularies")
        self.seed = 0
        self._actions = in_turn(((), 0))

    def reset(self, seed: int) -> None:
        """Forgets the plan of the last episode; a search is seeded."""
        self.seed, self.spent = seed, 0

    def know(self, task: SoftmaxTask) -> None:
        """Plans for a vocabulary."""
        judge = Judge(task.problem, task.places, task.loss_price)
        self._actions = in_turn(self.plan(judge))
        self.spent = judge.evaluations

    def act(self, observation: Any, info: dict[str, Any]) -> NDArray[np.int64]:
        """The next planned cut, or the end."""
        return next(self._actions)

    @abstractmethod
    def plan(self, judge: Judge) -> Cuts:
        """The cuts of a problem, and the divisor."""


def in_turn(cuts: Cuts) -> Iterator[NDArray[np.int64]]:
    """The actions that make the cuts of a plan, and the one that stops."""
    places, divisor = cuts
    return iter([np.array([place, divisor]) for place in (*places, STOP)])


class Guess(PlannedAgent):
    """Cut-offs at a fifteenth and a fifth of the vocabulary and divisor 4, as people write them."""

    def plan(self, judge: Judge) -> Cuts:
        """The places nearest to the guess."""
        words = judge.problem.vocabulary
        return tuple(nearest(judge.places, words / part) for part in (15, 5)), DIV_VALUES.index(4)


class Coverage(PlannedAgent):
    """One tail behind the words that cover 87 % of the text, as the paper's example; divisor 4."""

    def plan(self, judge: Judge) -> Cuts:
        """The first place that covers enough."""
        covered = judge.problem.curve.coverage(judge.places, judge.problem.vocabulary)
        return (min(int(np.searchsorted(covered, 0.87)), PLACES - 1),), DIV_VALUES.index(4)


def nearest(places: NDArray[np.int64], words: float) -> int:
    """The place nearest to a number of words, by ratio."""
    return int(np.abs(np.log(places / words)).argmin())


class Greedy:
    """The cut that adds most to the return, until none adds anything.

    Args:
        view: Of an adaptive softmax environment.

    Raises:
        InputError: The environment is of another domain.
    """

    def __init__(self, view: View) -> None:
        require_parts(view, {"outlook", "costs"}, f"{type(self).__name__} cuts vocabularies")

    def reset(self, seed: int) -> None:
        """Nothing is remembered."""

    def act(self, observation: Any, info: dict[str, Any]) -> NDArray[np.int64]:
        """The best entry of the outlook."""
        mask, outlook = observation["action_mask"], observation["outlook"]
        legal = mask[:PLACES][None, :] & mask[PLACES + 1 :][:, None]
        divisor, place = divmod(int(np.where(legal, outlook, -np.inf).argmax()), PLACES)
        if mask[STOP] and not (legal.any() and outlook[divisor, place] > 0):
            return np.array([STOP, mask[PLACES + 1 :].argmax()])
        return np.array([place, divisor])


class RandomSearch(PlannedAgent):
    """The best of random plans."""

    evaluations: ClassVar[int] = 100

    def plan(self, judge: Judge) -> Cuts:
        """The best of ``evaluations`` plans."""
        rng = np.random.default_rng(self.seed)
        tried = [draw(judge, rng) for _ in range(self.evaluations)]
        return max(tried, key=judge)


class Annealing(PlannedAgent):
    """Simulated annealing over cuts and divisor (Kirkpatrick et al. 1983)."""

    evaluations: ClassVar[int] = 100
    hottest: ClassVar[float] = 0.3
    coldest: ClassVar[float] = 0.003

    def plan(self, judge: Judge) -> Cuts:
        """The best plan that ``evaluations`` evaluations find."""
        rng = np.random.default_rng(self.seed)
        present = best = draw(judge, rng)
        value = best_value = judge(present)
        cooling = np.geomspace(self.hottest, self.coldest, self.evaluations - 1)
        for temperature in cooling.tolist():
            candidate = neighbour(judge, present, rng)
            found = judge(candidate)
            if found >= value or rng.random() < np.exp((found - value) / temperature):
                present, value = candidate, found
                if value > best_value:
                    best, best_value = present, value
        return best


class Oracle(kinds.Oracle):
    """The exact optimum, by dynamic programming, which the environment knows.

    Args:
        view: Of an adaptive softmax environment.

    Raises:
        InputError: The environment is of another domain.
    """

    def __init__(self, view: View) -> None:
        require_parts(view, {"outlook", "costs"}, "Oracle cuts vocabularies")
        self._actions = in_turn(((), 0))

    def reset(self, seed: int) -> None:
        """Draws nothing."""

    def know(self, answer: Cuts) -> None:
        """Receives the optimum."""
        self._actions = in_turn(answer)

    def act(self, observation: Any, info: dict[str, Any]) -> NDArray[np.int64]:
        """The next cut of the optimum, or the end."""
        return next(self._actions)


def draw(judge: Judge, rng: np.random.Generator) -> Cuts:
    """A random plan: the number of cuts and the divisor uniform, then the places."""
    while True:
        count = int(rng.integers(1, MOST_TAILS + 1))
        places = np.sort(rng.choice(PLACES, count, replace=False))
        cuts = tuple(places.tolist()), int(rng.integers(len(DIV_VALUES)))
        if judge.possible(cuts):
            return cuts


def neighbour(judge: Judge, cuts: Cuts, rng: np.random.Generator) -> Cuts:
    """A plan with one cut moved by up to three places, added or removed, or another divisor."""
    while True:
        places, divisor = list(cuts[0]), cuts[1]
        move = rng.random()
        if move < 0.6:
            places[int(rng.integers(len(places)))] += int(rng.integers(-3, 4))
        elif move < 0.75:
            places.append(int(rng.integers(PLACES)))
        elif move < 0.85:
            places.pop(int(rng.integers(len(places))))
        else:
            divisor = int(rng.integers(len(DIV_VALUES)))
        candidate = tuple(sorted(places)), divisor
        if candidate[0] and candidate != cuts and judge.possible(candidate):
            return candidate
