"""Onsets of charts: a song's spectra and beat in, the ticks of one level's steps out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.dance.onsets import chosen, expected_count
from envs.dance.audio import FRAME_S
from envs.dance.chart import DIFFICULTIES
from envs.dance.grid import NOTE_KINDS, Grid, grid, note_kinds
from envs.dance.onset_network import OnsetModel, shipped
from envs.dance.tempo import Tempo
from envs.dance.timing import Timing
from hardware_sim.errors import InputError, choose


@dataclass(frozen=True)
class Habit:
    """Bounds that human charts of a level keep to.

    Attributes:
        sparse: Steps a second that 19 in 20 charts reach.
        usual: Their median.
        dense: What 19 in 20 stay below.
        kinds: Kinds of notes that make up at least one step in a thousand.
        gap_s: Seconds between steps that hardly any chart goes below, rounded.
    """

    sparse: float
    usual: float
    dense: float
    kinds: tuple[int, ...]
    gap_s: float


HABITS = {
    "Beginner": Habit(0.49, 0.63, 0.82, (4,), 0.4),
    "Easy": Habit(1.06, 1.55, 2.24, (4, 8), 0.2),
    "Medium": Habit(1.75, 2.34, 3.31, (4, 8, 16), 0.1),
    "Hard": Habit(2.56, 3.36, 4.89, (4, 8, 12, 16), 0.075),
    "Challenge": Habit(3.62, 4.93, 6.96, NOTE_KINDS, 0.05),
}
"""Of the 662 charts of the corpus ``itg``, as ``python -m experiments.dance.habits`` prints."""

SPARSEST, DENSEST = 0.1, 16.0
"""Steps a second that may be asked for."""


@dataclass(frozen=True, eq=False)
class Onsets:
    """The times of a level's steps.

    Attributes:
        ticks: Ascending 48ths of a beat, int64 ``(N,)``.
        times: Seconds of audio, float64 ``(N,)``.
        probabilities: Of a human's stepping there, float64 ``(N,)``.
    """

    ticks: NDArray[np.int64]
    times: NDArray[np.float64]
    probabilities: NDArray[np.float64]


def timing(tempo: Tempo) -> Timing:
    """The beats of a song of steady tempo: its first downbeat is beat 0."""
    return Timing.constant(tempo.bpm, -tempo.offset_s)


def find_onsets(
    features: NDArray[np.floating],
    beats: Timing,
    levels: Sequence[str] = DIFFICULTIES,
    density: float | None = None,
    model: OnsetModel | None = None,
) -> list[Onsets]:
    """The steps of levels of a song.

    As many of the likeliest slots are taken as promise the greatest F-score, but no fewer and no
    more a second than human charts of the level have; of note kinds only those that they use.

    Args:
        features: Log-mel spectra ``(T, 80, 3)``.
        beats: The song's tempo; see :func:`timing`.
        levels: Some of ``DIFFICULTIES``.
        density: Steps a second, over the song's whole length, instead.
        model: The shipped one if missing.

    Raises:
        InputError: There is no such level, the density is out of range, or the song too short.
    """
    slots = grid(beats, len(features) * FRAME_S)
    likely = (model or shipped()).predict(features, slots)
    return [onsets_of(likely, slots, level, density) for level in levels]


def onsets_of(
    probabilities: NDArray[np.float64], slots: Grid, level: str, density: float | None = None
) -> Onsets:
    """The steps of one level where all levels' probabilities ``(5, S)`` are known.

    See :func:`find_onsets`.
    """
    habit = HABITS[choose("level", level, DIFFICULTIES)]
    if density is not None and not SPARSEST <= density <= DENSEST:
        raise InputError(f"{density:g} steps a second are not between {SPARSEST:g} and {DENSEST:g}")
    likely = probabilities[DIFFICULTIES.index(level)]
    usual = np.flatnonzero(np.isin(note_kinds(slots.ticks), habit.kinds))
    gap_s = habit.gap_s if density is None else min(habit.gap_s, 0.5 / density)
    order = usual[chosen(likely[usual], slots.times[usual], gap_s)]
    seconds = slots.times[-1] - slots.times[0]
    if density is None:
        lowest, highest = round(habit.sparse * seconds), round(habit.dense * seconds)
        count = int(np.clip(expected_count(likely[order]), lowest, highest))
    else:
        count = round(density * seconds)
    steps = np.sort(order[: max(count, 1)])
    return Onsets(slots.ticks[steps], slots.times[steps], likely[steps])
