"""Search for the fastest variant of a convolution, as agents: one measurement a step.

Each search is a generator of choices that is sent the log speed-up of each; it knows what the
environment shows, and nothing of the table behind it. The oracle receives the values in it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents import kinds
from agents.view import View, require_parts
from envs.convolution.batch import FAILED, machine_of
from hardware_sim.errors import InputError
from hardware_sim.kernels import roofline, space
from hardware_sim.kernels.layers import find
from hardware_sim.kernels.space import Choice

Search = Generator[Choice, float, None]
Open = list[list[int]]
"""The open indices in each dimension of the space."""


class SearchAgent(ABC):
    """Plays the choices of a search, and random ones when it has no more.

    Args:
        view: Of a tuning environment.

    Attributes:
        machine: The machine that is tuned for.
        left: Share of the budget of measurements that is left.

    Raises:
        InputError: The environment is of another domain.
    """

    def __init__(self, view: View) -> None:
        require_parts(view, {"methods", "history"}, f"{type(self).__name__} tunes convolutions")
        arguments = view.spec.kwargs if view.spec else {}
        self.machine = machine_of(arguments.get("backend", "replay"))
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Forgets the last episode; a search is seeded."""
        self.random = np.random.default_rng(seed)
        self.left = 1.0
        self._search: Search | None = None

    def act(self, observation: Any, info: dict[str, Any]) -> NDArray[np.int64]:
        """The next choice, int64 ``(4,)``."""
        parts = np.split(observation["action_mask"], np.cumsum(space.SIZES)[:-1])
        open_: Open = [np.flatnonzero(part).tolist() for part in parts]
        self.left = float(observation["progress"][1])
        try:
            if self._search is None:
                self._search = self.search(open_, str(info["layer"]))
                choice = next(self._search)
            else:
                choice = self._search.send(log_speedup(info))
        except StopIteration:
            choice = self.random_choice(open_)
        return np.array(choice, np.int64)

    def random_choice(self, open_: Open) -> Choice:
        """A uniform choice of what is open."""
        method, block, panels, width = (int(self.random.choice(part)) for part in open_)
        return method, block, panels, width

    @abstractmethod
    def search(self, open_: Open, layer: str) -> Search:
        """Yields choices; receives their log speed-ups."""


def log_speedup(info: dict[str, Any]) -> float:
    """The log speed-up of the last try, :data:`~envs.convolution.batch.FAILED` for a failure."""
    return math.log(info["tried"]) if info["tried"] > 0 else FAILED


class Greedy(SearchAgent):
    """Coordinate descent: every method as it is by default, then the best one's knobs in turn."""

    def search(self, open_: Open, layer: str) -> Search:
        """Changes one knob at a time and keeps what is fastest, until no knob helps."""
        best, best_speed = space.DEFAULT, -math.inf
        seen: set[Choice] = set()
        while True:
            before = best
            for knob, values in enumerate(open_):
                for value in values:
                    choice = _with(best, knob, value)
                    if choice in seen:
                        continue
                    seen.add(choice)
                    speed = yield choice
                    if speed > best_speed:
                        best, best_speed = choice, speed
            if best == before:
                return


class Annealing(SearchAgent):
    """Simulated annealing (Kirkpatrick et al. 1983) over the four knobs.

    A move changes one knob; the temperature falls geometrically from ``hottest`` to ``coldest``, in
    log speed-up, over the budget.
    """

    hottest, coldest = 0.3, 0.02

    def search(self, open_: Open, layer: str) -> Search:
        """Walks from a random choice."""
        present = self.random_choice(open_)
        speed = yield present
        budget = round(1 / (1 - self.left))  # one measurement is spent
        for temperature in np.geomspace(self.hottest, self.coldest, budget):
            candidate = self._neighbour(present, open_)
            found = yield candidate
            if found >= speed or self.random.random() < math.exp((found - speed) / temperature):
                present, speed = candidate, found

    def _neighbour(self, choice: Choice, open_: Open) -> Choice:
        """The choice with another value of one knob."""
        knobs = [knob for knob, values in enumerate(open_) if len(values) > 1]
        knob = int(self.random.choice(knobs))
        others = [value for value in open_[knob] if value != choice[knob]]
        return _with(choice, knob, int(self.random.choice(others)))


class Tpe(SearchAgent):
    """The tree-structured Parzen estimator (Bergstra et al. 2011) of Optuna, if it is installed.

    Raises:
        InputError: Optuna is not installed.
    """

    def search(self, open_: Open, layer: str) -> Search:
        """Yields Optuna's suggestions, and passes each log speed-up on to it."""
        try:
            import optuna
        except ImportError as error:
            raise InputError("tpe needs Optuna; pip install 'gymworks[convolution]'") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = int(self.random.integers(2**31))
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=False)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        while True:
            trial = study.ask()
            method, block, panels, width = (
                int(trial.suggest_categorical(name, values))
                for name, values in zip(space.KNOBS, open_, strict=True)
            )
            study.tell(trial, (yield method, block, panels, width))


class Ranked(SearchAgent):
    """Tries variants in the order that a model predicts, each once."""

    def search(self, open_: Open, layer: str) -> Search:
        """The best predicted variants first."""
        predictions = self.predict(layer)
        order = np.argsort(-np.nan_to_num(predictions, nan=-np.inf), axis=None, kind="stable")
        alike = {
            choice: meanings[0]
            for meanings in space.choices(find(layer).problem, self.machine).values()
            for choice in meanings
        }
        seen: set[Choice] = set()
        for place in order.tolist():
            at = np.unravel_index(place, predictions.shape)
            choice = (int(at[0]), int(at[1]), int(at[2]), int(at[3]))
            first = alike.get(choice, choice)
            if np.isnan(predictions[choice]) or first in seen:
                continue
            seen.add(first)
            yield choice

    @abstractmethod
    def predict(self, layer: str) -> NDArray[np.float64]:
        """Log speed-ups of a layer's choices, float64 ``space.SIZES``, NaN where not offered."""


class Roofline(Ranked):
    """In the order of :mod:`hardware_sim.kernels.roofline`, which knows no measurement."""

    def predict(self, layer: str) -> NDArray[np.float64]:
        """The roofline's estimated log speed-ups."""
        return roofline.predict(find(layer).problem, self.machine)


class Oracle(Ranked, kinds.Oracle):
    """Knows the table and plays its best variant first: a bound on every search in it."""

    def know(self, answer: NDArray[np.float64]) -> None:
        """Receives the values of the layer's choices."""
        self._values = answer

    def predict(self, layer: str) -> NDArray[np.float64]:
        """The values in the table of the environment."""
        return self._values


def _with(choice: Choice, knob: int, value: int) -> Choice:
    method, block, panels, width = (value if i == knob else old for i, old in enumerate(choice))
    return method, block, panels, width
