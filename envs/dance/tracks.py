"""Songs to choreograph: audio features, the beat grid, human charts and probabilities of steps.

Four excerpts ship with the package: their audio is computed into spectra once and kept in the cache
folder. A folder of songs of your own is read by the same rules.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.dance import audio
from envs.dance.chart import DIFFICULTIES, Song
from envs.dance.corpus import cache_folder, split
from envs.dance.timing import TICKS, Timing
from hardware_sim.errors import InputError
from hardware_sim.files import UnwritableError, write_atomic
from hardware_sim.naming import resolve

SHIPPED = "shipped"
SLOTS = 4
"""Candidate times a beat."""

UNKNOWN, ABSENT = -1, -2
"""A human step on panels unknown; a level without a human chart."""

ONSET_CRITIC = "envs.dance.onset_critic:chances"
"""The critic that gives the probabilities of steps in songs that are not shipped."""


class OnsetCritic(Protocol):
    """Predicts the times of people's steps: a supervised model of human charts."""

    def __call__(
        self, features: NDArray[np.floating], timing: Timing, ticks: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Probabilities of a step, by level, float32 ``(5, S)``.

        Args:
            features: Log-mel spectra ``(T, 80, 3)``, see :func:`envs.dance.audio.log_mel`.
            timing: The song's beats.
            ticks: int64 ``(S,)``, 48 a beat.
        """


@dataclass(frozen=True, eq=False)
class Track:
    """One song.

    Attributes:
        name: Name of the song.
        split: ``"train"`` or ``"test"``.
        mel: float32 ``(T, 80, 3)``, log-mel features of zero mean and unit variance a band.
        times: float64 ``(S,)``, seconds of the slots, four a beat.
        ticks: int64 ``(S,)``, 48 a beat.
        onset: float32 ``(5, S)``, probability that a person steps there, by level.
        human: int16 ``(5, S)``, the human chart's row, 0 for nothing, :data:`UNKNOWN` or
            :data:`ABSENT`.
    """

    name: str
    split: str
    mel: NDArray[np.float32]
    times: NDArray[np.float64]
    ticks: NDArray[np.int64]
    onset: NDArray[np.float32]
    human: NDArray[np.int16]


def tracks(songs: str) -> tuple[Track, ...]:
    """The shipped songs, or those of a folder.

    Args:
        songs: :data:`SHIPPED`, or a folder that holds a folder a song, with an .sm or .ssc file
            and the music it names.

    Raises:
        InputError: There is no such folder, or no song in it, or a song cannot be read.
    """
    return _shipped() if songs == SHIPPED else _of_folder(Path(songs).resolve())


@cache
def _shipped() -> tuple[Track, ...]:
    folder = Path(str(files("envs").joinpath("dance", "songs")))
    table: dict[str, dict[str, Any]] = json.loads((folder / "songs.json").read_text())
    found = []
    for name, entry in table.items():
        ticks = np.arange(entry["beats"] * SLOTS) * (TICKS // SLOTS)
        times = entry["first_beat_s"] + ticks / TICKS * 60.0 / entry["bpm"]
        human = np.full((len(DIFFICULTIES), len(ticks)), ABSENT, np.int16)
        for level, slots in entry["steps"].items():
            human[DIFFICULTIES.index(level)] = 0
            human[DIFFICULTIES.index(level), slots] = UNKNOWN
        mel = normalised(spectra(folder / f"{name}.ogg"))
        onset = np.array(entry["onset"], np.float32)
        found.append(Track(name, entry["split"], mel, times, ticks, onset, human))
    return tuple(found)


@cache
def _of_folder(folder: Path) -> tuple[Track, ...]:
    from envs.dance import simfiles  # needs the extra "dance", as the shipped songs do not

    paths = sorted(
        {path.parent: path for path in (*folder.glob("*/*.sm"), *folder.glob("*/*.ssc"))}.values()
    )
    if not paths:
        raise InputError(
            f"songs: no chart file in {folder}; it needs a folder for each song, with an .sm or "
            f".ssc file and its music, or {SHIPPED!r}"
        )
    critic: OnsetCritic = resolve(ONSET_CRITIC, "critic")
    return tuple(_track(simfiles.read(path), path.parent, critic) for path in paths)


def _track(song: Song, folder: Path, critic: OnsetCritic) -> Track:
    features = spectra(folder / song.music)
    beats = int(song.timing.beat_at(len(features) * audio.FRAME_S))
    ticks = np.arange(max(beats, 1) * SLOTS) * (TICKS // SLOTS)
    times = song.timing.time_at(ticks / TICKS)
    inside = times >= 0.0
    ticks, times = ticks[inside], times[inside]
    human = np.full((len(DIFFICULTIES), len(ticks)), ABSENT, np.int16)
    for chart in song.charts:
        if chart.level >= 0:
            human[chart.level] = 0
            slot = np.searchsorted(ticks, chart.ticks)
            kept = np.flatnonzero(slot < len(ticks))
            kept = kept[ticks[slot[kept]] == chart.ticks[kept]]
            human[chart.level, slot[kept]] = chart.rows[kept]
    onset = critic(features, song.timing, ticks)
    part = "test" if split(song) == "test" else "train"
    return Track(song.title, part, normalised(features), times, ticks, onset, human)


def normalised(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features of zero mean and unit variance, by band and length of window."""
    deviation = features.std(axis=0, keepdims=True)
    return np.asarray(
        (features - features.mean(axis=0, keepdims=True)) / np.maximum(deviation, 1e-3)
    )


def spectra(path: Path) -> NDArray[np.float32]:
    """Log-mel features of an audio file, kept in the cache folder in half precision.

    Raises:
        InputError: As :func:`envs.dance.audio.load`.
    """
    if not path.is_file():
        raise InputError(f"no audio file {path}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    kept = cache_folder() / "spectra" / f"{digest}-mel.npy"
    if not kept.exists():
        features = audio.log_mel(*audio.load(path)).astype(np.float16)
        try:
            write_atomic(kept, lambda file: np.save(file, features))
        except UnwritableError:
            return features.astype(np.float32)  # a cache that cannot be written only costs time
    return np.asarray(np.load(kept), np.float32)
