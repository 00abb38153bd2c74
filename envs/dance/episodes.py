"""The songs of dance episodes, by level, as arrays that many episodes share."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from envs.dance.chart import DIFFICULTIES
from envs.dance.levels import PRESSES, TYPICAL_DENSITY
from envs.dance.tracks import ABSENT, UNKNOWN, Track, tracks
from hardware_sim.errors import InputError, choose

Task = Literal["choreography", "placement", "selection"]
TASKS = ("choreography", "placement", "selection")

CONTEXT = 7
"""Frames of audio before and after a time, as in the paper."""

OUTLOOK = 16
"""Times from now on for which the probability of a step is shown."""


@dataclass(frozen=True, eq=False)
class Song:
    """A song to be choreographed at a level, ``N`` times long, without its human chart.

    Attributes:
        task: One of :data:`TASKS`.
        level: 0 to 4.
        times: float64 ``(N,)``, seconds.
        ticks: int64 ``(N,)``, 48 a beat.
        onset: float32 ``(N,)``, probabilities of a step by the onset critic.
        density: Rows a second that the level wants.
    """

    task: Task
    level: int
    times: NDArray[np.float64]
    ticks: NDArray[np.int64]
    onset: NDArray[np.float32]
    density: float


@dataclass(frozen=True)
class Episodes:
    """``E`` pairs of a song and a level, padded to ``L`` times.

    Attributes:
        name: Names of the songs, ``E`` of them.
        split: Splits of the songs.
        level: int64 ``(E,)``, 0 to 4.
        song: int64 ``(E,)``, the place in ``mel``.
        mel: float32 ``(songs, frames, 80, 3)``, with :data:`CONTEXT` frames of silence around.
        length: int64 ``(E,)``, times in each.
        times: float64 ``(E, L)``, seconds; the last one is repeated.
        ticks: int64 ``(E, L)``, 48 a beat.
        onset: float32 ``(E, L + OUTLOOK)``, probabilities of a step by the onset critic.
        human: int16 ``(E, L)``, the human chart, :data:`UNKNOWN` or :data:`ABSENT`.
        density: float64 ``(E,)``, rows a second that the level wants.
    """

    name: tuple[str, ...]
    split: tuple[str, ...]
    level: NDArray[np.int64]
    song: NDArray[np.int64]
    mel: NDArray[np.float32]
    length: NDArray[np.int64]
    times: NDArray[np.float64]
    ticks: NDArray[np.int64]
    onset: NDArray[np.float32]
    human: NDArray[np.int16]
    density: NDArray[np.float64]

    @staticmethod
    def of(task: Task, songs: str) -> "Episodes":
        """The episodes of a task.

        Args:
            task: One of :data:`TASKS`. Choreography goes through all slots, at all five levels;
                the task of onsets, ``"placement"``, does at the levels that have human charts,
                which judge it; selection goes through the steps of human charts.
            songs: ``"shipped"``, or a folder of songs.

        Raises:
            InputError: No such task or folder, or no human charts in it for onsets or selection.
        """
        choose("task", task, list(TASKS))
        found = tracks(songs)
        pairs = [
            (song, level, np.flatnonzero(_candidates(task, track, level)))
            for song, track in enumerate(found)
            for level in range(len(DIFFICULTIES))
        ]
        pairs = [pair for pair in pairs if len(pair[2]) > 1]
        if not pairs:
            raise InputError(f"songs in {songs!r} have no human charts, which {task} needs")
        return _joined(found, pairs)

    def named(self, number: int) -> dict[str, str]:
        """The song and the level of an episode."""
        level = DIFFICULTIES[int(self.level[number])]
        return {"song": self.name[number], "level": level}

    def shown(self, number: int, task: Task) -> Song:
        """The whole song of an episode of a task."""
        count = self.length[number]
        return Song(
            task,
            int(self.level[number]),
            self.times[number, :count],
            self.ticks[number, :count],
            self.onset[number, :count],
            float(self.density[number]),
        )

    def draw(self, random: np.random.Generator, options: dict[str, Any]) -> int:
        """The number of an episode of a split, and of a song and a level where they are given.

        Raises:
            InputError: There is no such split, song or level.
        """
        allowed = np.ones(len(self.name), np.bool_)
        if "song" in options:
            name = choose("song", options["song"], sorted(set(self.name)))
            allowed &= np.array(self.name) == name
        else:
            split = choose("split", options["split"], sorted(set(self.split)))
            allowed &= np.array(self.split) == split
        if "level" in options:
            level = choose("level", options["level"], list(DIFFICULTIES))
            allowed &= self.level == DIFFICULTIES.index(level)
        if not allowed.any():
            where = options.get("song", f"split {options['split']}")
            raise InputError(f"{where} has no chart of level {options['level']}")
        return int(random.choice(np.flatnonzero(allowed)))


def _candidates(task: Task, track: Track, level: int) -> NDArray[np.bool_]:
    """Slots that are gone through, bool ``(S,)``."""
    human = track.human[level]
    if task == "selection":
        return np.asarray((human != 0) & (human != ABSENT))
    return np.asarray((human != ABSENT) | (task == "choreography"))


def _density(track: Track, level: int) -> float:
    human = track.human[level]
    if human[0] == ABSENT:
        return TYPICAL_DENSITY[level]
    pressed = (human == UNKNOWN) | (PRESSES[np.maximum(human, 0)] > 0)
    return float(pressed.sum() / (track.times[-1] - track.times[0]))


def _joined(found: tuple[Track, ...], pairs: list[tuple[int, int, NDArray[np.int64]]]) -> Episodes:
    """The pairs as padded arrays."""
    longest = max(len(slots) for _, _, slots in pairs)
    kept = np.stack([np.pad(s, (0, longest - len(s)), mode="edge") for _, _, s in pairs])

    def of(get: Any) -> NDArray[Any]:
        return np.stack([get(found[k], level)[kept[e]] for e, (k, level, _) in enumerate(pairs)])

    frames = max(len(track.mel) for track in found)
    mel = [np.pad(t.mel, ((CONTEXT, frames - len(t.mel) + CONTEXT), (0, 0), (0, 0))) for t in found]
    return Episodes(
        name=tuple(found[k].name for k, _, _ in pairs),
        split=tuple(found[k].split for k, _, _ in pairs),
        level=np.array([level for _, level, _ in pairs]),
        song=np.array([k for k, _, _ in pairs]),
        mel=np.stack(mel),
        length=np.array([len(slots) for _, _, slots in pairs]),
        times=of(lambda track, level: track.times),
        ticks=of(lambda track, level: track.ticks),
        onset=np.pad(of(lambda track, level: track.onset[level]), ((0, 0), (0, OUTLOOK))),
        human=of(lambda track, level: track.human[level]),
        density=np.array([_density(found[k], level) for k, level, _ in pairs]),
    )
