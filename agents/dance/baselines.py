"""Baselines that act in the dance environments: steps where they are likely, rows by rules."""

from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.dance.batches import human_charts
from agents.dance.history import MIRRORED
from agents.dance.ngram import KneserNey
from agents.dance.onsets import chosen
from agents.dance.sampling import write_rows
from agents.dance.writers import Alternating, Ngram, Writer
from envs.dance.env import DanceEnv
from envs.dance.levels import SHORTEST_GAP_S
from hardware_sim.errors import InputError


class Rules:
    """Steps at the likeliest times, as many as the level wants, and lets the feet take turns.

    Args:
        env: A dance environment.

    Raises:
        InputError: The environment is of another domain.
    """

    writer: Writer = Alternating()

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        if not isinstance(env.unwrapped, DanceEnv):
            raise InputError(f"{type(self).__name__} writes dance charts; got {env}")
        self.core = env.unwrapped.core
        self.random = np.random.default_rng(0)
        self._plan: NDArray[np.int64] | None = None

    def reset(self, seed: int) -> None:
        """Forgets the plan of the last episode."""
        self.random = np.random.default_rng(seed)
        self._plan = None

    def act(self, observation: Any, info: dict[str, Any]) -> np.int64:
        """The planned row, or the first legal one where the level forbids it."""
        if self._plan is None:
            self._plan = self.plan()
        row = self._plan[self.core.place[0]]
        mask = observation["action_mask"]
        return np.int64(row if mask[row] else mask.argmax())

    def plan(self) -> NDArray[np.int64]:
        """The row of every time of the episode, 0 for none, int64 ``(N,)``."""
        table, episode = self.core.episodes, self.core.episode[0]
        count = table.length[episode]
        times, ticks = table.times[episode, :count], table.ticks[episode, :count]
        level = int(table.level[episode])
        places = np.arange(count)
        if self.core.task != "selection":
            wanted = round(float(table.density[episode] * (times[-1] - times[0])))
            places = likeliest(table.onset[episode, :count], times, wanted, SHORTEST_GAP_S[level])
        plan = np.zeros(count, np.int64)
        if self.core.task == "placement":
            plan[places] = 1
        elif len(places):
            plan[places] = self.writer(times[places], ticks[places], level, self.random)
        return plan


@cache
def fitted_ngram() -> Ngram:
    """The n-gram of In The Groove's songs of the split train, with their mirror images.

    Raises:
        InputError: The charts are missing; the message names the command that gets them.
    """
    charts = human_charts("itg", "train")
    return Ngram(KneserNey(mirror[chart.rows] for chart in charts for mirror in MIRRORED))


def selected(
    times: NDArray[np.float64], ticks: NDArray[np.int64], level: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Rows by the shipped selection network; a :class:`agents.dance.writers.Writer`."""
    return write_rows(times, ticks, level, int(rng.integers(2**31)))


class NgramRules(Rules):
    """Steps at the likeliest times, rows drawn from an n-gram of human charts.

    Args:
        env: A dance environment.

    Raises:
        InputError: The environment is of another domain, or the charts are missing.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.writer = fitted_ngram()


class Selected(Rules):
    """Steps at the likeliest times, rows drawn from the shipped selection network."""

    writer = staticmethod(selected)


def likeliest(
    chances: NDArray[np.float32], times: NDArray[np.float64], count: int, gap_s: float
) -> NDArray[np.int64]:
    """Up to ``count`` times of the greatest chance, none within ``gap_s`` of another; ascending.

    Args:
        chances: ``(N,)``.
        times: Seconds ``(N,)``, ascending.
        count: How many at most.
        gap_s: Seconds.
    """
    return np.sort(chosen(chances, times, gap_s - 1e-6)[:count])
