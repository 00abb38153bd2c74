"""The interface of training engines: configuration, progress, statistics of episodes."""

import sys
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from agents.agent import Agent
from agents.engines.teams import is_team
from agents.runs import Run
from agents.tables import training_settings
from envs.arguments import check_arguments
from envs.registration import ENTRIES, is_ours, references
from hardware_sim.errors import InputError, did_you_mean
from hardware_sim.naming import FORM, permit

DEFAULT_SETTINGS: dict[str, Any] = {
    "extractor": None,
    "network": None,
    "algo": "ppo",
    "steps": 100_000,
    "num_envs": {"dqn": 8, "sac": 8, "others": 32},
    "checkpoint_every": 20_000,
    "checkpoints": 20,
    "hyperparameters": {},
    "search_space": {},
    "seeds": {
        "train": list(range(10)),
        "validation": list(range(100, 105)),
        "test": list(range(1000, 1005)),
    },
}
"""Settings that a domain's ``training.json`` may override, with their defaults.

``num_envs`` has parallel environments by algorithm, ``checkpoint_every`` the steps between
checkpoints; a training from the command line keeps as many as ``checkpoints``.
"""

FIRST_EPISODE_SEED = 1_000_000
"""Training episodes draw their seeds from here up, so the fixed lists of small seeds that judge
agents (validation, test) are never trained on."""


KINDS: dict[str, tuple[type, ...]] = {
    "env_id": (str,),
    "engine": (str,),
    "algo": (str,),
    "steps": (int,),
    "seed": (int,),
    "num_envs": (int,),
    "env_kwargs": (dict,),
    "options": (dict,),
    "hyperparameters": (dict,),
    "checkpoint_every": (int,),
    "address": (str, type(None)),
}
"""Kinds of the values of a configuration, as JSON has them."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything that is needed to repeat a training run.

    Attributes:
        env_id: ``envs:Name-vN`` or any id that Gymnasium knows.
        engine: ``"sb3"`` or ``"rllib"``.
        algo: The algorithm's name within the engine.
        steps: Environment steps in total, over all parallel environments.
        seed: Seeds networks, sampling and the stream of episode seeds.
        num_envs: Parallel environments.
        env_kwargs: Arguments of the environment, over those of its spec; those that may come from
            a file (:func:`envs.arguments.check_arguments`).
        options: Options of every reset, such as ``{"split": "train"}``.
        hyperparameters: Overrides of the domain's ``training.json``, in the engine's own names.
        checkpoint_every: Environment steps between checkpoints.
        address: Ray cluster to run on; ``None`` is this machine.
    """

    env_id: str
    engine: str
    algo: str
    steps: int
    seed: int
    num_envs: int = DEFAULT_SETTINGS["num_envs"]["others"]
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    checkpoint_every: int = DEFAULT_SETTINGS["checkpoint_every"]
    address: str | None = None

    def __post_init__(self) -> None:
        for part in fields(self):
            value, allowed = getattr(self, part.name), KINDS[part.name]
            if not isinstance(value, allowed) or isinstance(value, bool):
                kinds = " or ".join(kind.__name__ for kind in allowed)
                raise InputError(f"{part.name} is {value!r}; allowed: {kinds}")
        for name in ("steps", "num_envs", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; allowed: at least 1")
        if not 0 <= self.seed < 2**31:
            raise InputError(f"seed is {self.seed}; allowed: 0 to 2147483647")
        check_arguments(self.env_id, self.env_kwargs)

    def to_json(self) -> dict[str, Any]:
        """The configuration as JSON-serialisable values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TrainConfig":
        """The inverse of :meth:`to_json`; further keys (versions, date) are ignored.

        Raises:
            InputError: A key without a default is missing.
        """
        known = {entry.name: values[entry.name] for entry in fields(cls) if entry.name in values}
        try:
            return cls(**known)
        except TypeError as error:
            raise InputError(f"config.json describes no training run: {error}") from None


@dataclass(frozen=True)
class Progress:
    """One report of a running training.

    Attributes:
        step: Environment steps so far, those before a resume included.
        total: Environment steps asked for.
        steps_per_second: Since this process started training.
        metrics: The row of ``metrics.csv`` as far as it is known, such as ``best_score``.
    """

    step: int
    total: int
    steps_per_second: float
    metrics: dict[str, float]


Report = Callable[[Progress], None]


class Engine(Protocol):
    """The two functions and the table that an engine module has."""

    ALGORITHMS: dict[str, Any]

    def train(self, config: TrainConfig, run: Run, report: Report) -> None:
        """Trains, continuing from the run's newest readable checkpoint if there is one."""

    def load(self, run: Run, env: gym.Env[Any, Any], deterministic: bool = True) -> Agent:
        """The agent of the run's best checkpoint."""


def qualified(env_id: str) -> str:
    """The id under which any process finds the environment.

    Ids of the table get the ``envs:`` prefix, so that worker processes import the package; other
    ids (``CartPole-v1``, ``module:Name-v0``) and teams (``module:attribute``) stay as they are.

    Raises:
        InputError: Gymnasium does not know the id; the message lists ours.
    """
    if is_ours(env_id):
        return "envs:" + env_id.removeprefix("envs:")
    if is_team(env_id):
        return env_id
    module, colon, name = env_id.rpartition(":")
    try:
        if colon:
            __import__(module)
        gym.spec(name)
    except (gym.error.Error, ImportError, ValueError) as error:
        near = did_you_mean(env_id.removeprefix("envs:"), ENTRIES)
        unknown = isinstance(error, gym.error.NameNotFound)  # its guesses are not of our ids
        reason = near if near or unknown else f" ({error})"
        raise InputError(
            f"unknown environment {env_id!r}{reason}; allowed: any id known to Gymnasium, "
            f"among them {', '.join(f'envs:{known}' for known in ENTRIES)}"
        ) from None
    return env_id


def qualified_in_file(env_id: str) -> str:
    """The id under which any process finds the environment that a file names.

    Args:
        env_id: As :func:`qualified` takes it; a module that has not been imported, and a team,
            need trust.

    Raises:
        InputError: Gymnasium does not know the id, or it would import what is not trusted.
    """
    module = env_id.rpartition(":")[0]
    if module and not is_ours(env_id) and (FORM.fullmatch(env_id) or module not in sys.modules):
        permit(f"environment {env_id!r}", f"would import {module}")
    return qualified(env_id)


def settings(env_id: str) -> dict[str, Any]:
    """The domain's ``training.json`` over the defaults, name by name; the defaults for other ids.

    Returns:
        A copy; what is a dictionary in both has the names of both.
    """
    given = training_settings(env_id) if is_ours(env_id) else {}
    defaults = deepcopy(DEFAULT_SETTINGS)
    found = defaults | given
    for name, default in defaults.items():
        if isinstance(default, dict):
            found[name] = default | found[name]
    return found


def lower_is_better(env_id: str) -> bool | None:
    """The direction of ``info["score"]``, or ``None`` where the id has no reference scores."""
    if env_id.removeprefix("envs:") not in ENTRIES:
        return None
    try:
        return bool(references(env_id)["better"] == "lower")
    except InputError:
        return None


def episode_seed(base: int, env_index: int, episode: int) -> int:
    """The seed of one training episode: a function of its place alone, so that it replays.

    Args:
        base: The run's seed.
        env_index: Which of the parallel environments.
        episode: How many episodes that environment has begun before.

    Returns:
        A seed in [1000000, 2**31).
    """
    state = np.random.SeedSequence([base, env_index, episode]).generate_state(1)[0]
    return FIRST_EPISODE_SEED + int(state) % (2**31 - FIRST_EPISODE_SEED)


class EpisodeTracker:
    """Statistics of finished training episodes and the best one, kept replayable.

    Episodes are compared by score where the id has reference scores, which name the better
    direction, and by return otherwise.
    """

    def __init__(self, run: Run, env_id: str, window: int = 100) -> None:
        self._run = run
        self._env_id = env_id
        self._lower = lower_is_better(env_id)
        self._returns: deque[float] = deque(maxlen=window)
        self._scores: deque[float] = deque(maxlen=window)
        self._best: dict[str, Any] | None = run.best_episode()
        self._unsaved = False
        self.episodes = 0

    def _value(self, episode_return: float, score: float | None) -> float:
        if self._lower is None or score is None:
            return episode_return
        return -score if self._lower else score

    def record(
        self,
        seed: int,
        actions: Callable[[], list[Any]],
        episode_return: float,
        score: float | None,
    ) -> None:
        """Counts a finished episode.

        Args:
            seed: The seed its reset was given.
            actions: Gives its actions, JSON-serialisable; called for a new best alone.
            episode_return: The undiscounted sum of its rewards.
            score: ``info["score"]`` of its last step, if the environment has one.
        """
        self.episodes += 1
        self._returns.append(episode_return)
        if score is not None:
            self._scores.append(score)
        best = self._best
        if best is None or self._value(episode_return, score) > self._value(
            best["return"], best["score"]
        ):
            self._best = {
                "env_id": self._env_id,
                "seed": seed,
                "actions": actions(),
                "score": score,
                "return": episode_return,
            }
            self._unsaved = True

    def metrics(self) -> dict[str, float]:
        """Columns of ``metrics.csv``; those not yet known are missing."""
        values: dict[str, float] = {"episodes": self.episodes}
        if self._returns:
            values["mean_reward"] = float(np.mean(self._returns))
        if self._scores:
            values["mean_score"] = float(np.mean(self._scores))
        if self._best is not None:
            score = self._best["score"]
            values["best_score"] = self._best["return"] if score is None else score
        return values

    def quality(self) -> float:
        """The recent mean by which checkpoints are compared; higher is better, -inf if unknown."""
        if self._lower is not None and self._scores:
            mean = float(np.mean(self._scores))
            return -mean if self._lower else mean
        return float(np.mean(self._returns)) if self._returns else -np.inf

    def save(self) -> None:
        """Writes ``best.json`` if there is a new best episode."""
        if self._unsaved and self._best is not None:
            self._run.save_best_episode(self._best)
            self._unsaved = False
