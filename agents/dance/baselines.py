"""Baselines that act in the dance environments: steps where they are likely, rows by rules."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.dance.batches import human_charts
from agents.dance.history import MIRRORED
from agents.dance.ngram import KneserNey
from agents.dance.onsets import chosen
from agents.dance.sampling import write_rows
from agents.dance.writers import Alternating, Ngram, Writer
from agents.kinds import Planner
from agents.view import View, require_parts
from envs.dance.episodes import Song
from envs.dance.levels import SHORTEST_GAP_S


class Rules(Planner):
    """Steps at the likeliest times, as many as the level wants, and lets the feet take turns.

    Args:
        view: Of a dance environment.

    Raises:
        InputError: The environment is of another domain.
    """

    writer: Writer = Alternating()

    def __init__(self, view: View) -> None:
        require_parts(view, {"onset", "beat"}, f"{type(self).__name__} writes dance charts")
        self.random = np.random.default_rng(0)
        self._plan: NDArray[np.int64] = np.zeros(0, np.int64)

    def reset(self, seed: int) -> None:
        """Seeds the writer."""
        self.random = np.random.default_rng(seed)

    def know(self, song: Song) -> None:
        """Plans the chart of a song."""
        self._plan = self.plan(song)

    def act(self, observation: Any, info: dict[str, Any]) -> np.int64:
        """The planned row, or the first legal one where the level forbids it."""
        row = self._plan[round(float(observation["progress"][0]) * len(self._plan))]
        mask = observation["action_mask"]
        return np.int64(row if mask[row] else mask.argmax())

    def plan(self, song: Song) -> NDArray[np.int64]:
        """The row of every time of the song, 0 for none, int64 ``(N,)``."""
        places = np.arange(len(song.times))
        if song.task != "selection":
            wanted = round(float(song.density * (song.times[-1] - song.times[0])))
            places = likeliest(song.onset, song.times, wanted, SHORTEST_GAP_S[song.level])
        plan = np.zeros(len(song.times), np.int64)
        if song.task == "placement":
            plan[places] = 1
        elif len(places):
            times, ticks = song.times[places], song.ticks[places]
            plan[places] = self.writer(times, ticks, song.level, self.random)
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
        view: Of a dance environment.

    Raises:
        InputError: The environment is of another domain, or the charts are missing.
    """

    def __init__(self, view: View) -> None:
        super().__init__(view)
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
