"""The places in a beat where steps may fall: quarter notes down to 48ths, sixteen to a beat."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.dance.timing import TICKS, Timing
from hardware_sim.errors import InputError

QUARTER = (0, 4, 6, 8)
"""Ticks of the slots in each quarter of a beat; with the quarters they make up all 4ths, 8ths,
12ths, 16ths, 24ths, 32nds and 48ths of a measure."""

SLOTS = 4 * len(QUARTER)
"""Slots a beat."""

BAR_SLOTS = 4 * SLOTS

IN_BEAT = np.array([quarter * TICKS // 4 + tick for quarter in range(4) for tick in QUARTER])
"""Ticks of the slots of a beat, (16,) int64."""

NOTE_KINDS = (4, 8, 12, 16, 24, 32, 48)


@dataclass(frozen=True, eq=False)
class Grid:
    """The slots of a song, from beat 0 to the end of its audio.

    Attributes:
        ticks: (S,) int64, ascending 48ths of a beat; ``SLOTS`` a beat, from 0.
        times: (S,) float64, times of the slots in seconds of audio.
    """

    ticks: NDArray[np.int64]
    times: NDArray[np.float64]

    @property
    def beat_s(self) -> NDArray[np.float64]:
        """(S,) float64: length of the beat that each slot is in, in seconds."""
        starts = np.append(self.times[::SLOTS], 2 * self.times[-SLOTS] - self.times[-2 * SLOTS])
        return np.repeat(np.diff(starts), SLOTS)

    def nearest(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of the slot nearest each of ``ticks`` (N,); later ones than the last become it."""
        i = np.searchsorted(self.ticks, ticks).clip(1, len(self.ticks) - 1)
        is_lower = ticks - self.ticks[i - 1] < self.ticks[i] - ticks
        found: NDArray[np.int64] = i - is_lower
        return found


def grid(timing: Timing, seconds: float, lag_s: float = 0.0) -> Grid:
    """The slots of a song.

    Args:
        timing: The song's beats.
        seconds: Length of its audio.
        lag_s: Seconds to take off the times of beats; see :func:`envs.dance.tempo.lag`.

    Raises:
        InputError: Fewer than two beats sound.
    """
    beats = int(timing.beat_at(seconds + lag_s))
    if beats < 2:
        raise InputError(f"only {max(beats, 0)} beats fall into {seconds:.1f} s of audio; need 2")
    ticks = (np.arange(beats)[:, None] * TICKS + IN_BEAT).ravel()
    return Grid(ticks, timing.time_at(ticks / TICKS) - lag_s)


def note_kinds(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """The kind of note that each tick is, (N,): the first of :data:`NOTE_KINDS` that fits; 192."""
    found = np.full(len(ticks), 192)
    for kind in reversed(NOTE_KINDS):
        found[ticks % (4 * TICKS // kind) == 0] = kind
    return found
