"""Beats and seconds of a song: tempo changes, stops, delays, warps and the offset.

Positions are snapped to StepMania's grid of 48 ticks a beat. At one tick the order is: a warp
starts or ends, the tempo changes, a delay, the note, a stop. So a note on a delay's beat is hit
after the delay, a note on a stop's beat before the stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hardware_sim.errors import InputError

TICKS = 48
"""Ticks a beat: 192 rows a measure of four beats."""

Floats = NDArray[np.float64]
Events = tuple[tuple[float, float], ...]
"""Pairs of a beat and a value."""

LARGEST = 1e12
"""Beats, tempi and seconds are not beyond it, on either side of 0."""


class _Knots(NamedTuple):
    """Points at which time bends, one a tick with an event; the first is tick 0.

    Attributes:
        beat: Beats, ascending.
        arrive_s: Time on arrival, before a delay.
        note_s: Time of a note there: after a delay, before a stop.
        leave_s: Time on leaving, after a stop.
        slope: Seconds a beat from there on; 0 in a warp.
    """

    beat: Floats
    arrive_s: Floats
    note_s: Floats
    leave_s: Floats
    slope: Floats


@dataclass(frozen=True)
class Timing:
    """A song's map between beats and seconds of audio.

    Attributes:
        offset_s: Beat 0 sounds at ``-offset_s`` seconds (the sign that files have).
        bpms: Tempo changes: beat, beats a minute (> 0). The first one counts from the start.
        stops: Beat, seconds (>= 0) the chart stands still after the note there.
        delays: Beat, seconds (>= 0) the chart stands still before the note there.
        warps: Beat, beats (>= 0) that pass in no time.

    Raises:
        InputError: There is no tempo, or a value is out of range or not finite.
    """

    offset_s: float
    bpms: Events
    stops: Events = ()
    delays: Events = ()
    warps: Events = ()

    def __post_init__(self) -> None:
        if not abs(self.offset_s) <= LARGEST:
            raise InputError(f"the offset is {self.offset_s}; allowed: seconds up to {LARGEST:g}")
        if not self.bpms:
            raise InputError("a song needs at least one tempo (#BPMS:0=120;)")
        for kind in ("bpms", "stops", "delays", "warps"):
            object.__setattr__(self, kind, _snapped(kind, getattr(self, kind)))

    @classmethod
    def constant(cls, bpm: float, offset_s: float = 0.0) -> "Timing":
        """One tempo for all of the song; see the class for the sign of the offset."""
        return cls(offset_s, ((0.0, bpm),))

    @classmethod
    def of_gimmicks(
        cls, offset_s: float, bpms: Events, stops: Events, delays: Events = (), warps: Events = ()
    ) -> "Timing":
        """Timing in which tempi and stops may be negative, the old way to write a warp.

        Where time would run back, the chart skips ahead to the beat at which the time is made up.
        """
        values = np.array([each for event in (*bpms, *stops) for each in event])
        if not (abs(values) <= LARGEST).all() or any(bpm == 0 for _, bpm in bpms):
            raise InputError(f"a tempo is 0, or a tempo or stop is beyond {LARGEST:g}")
        if all(bpm > 0 for _, bpm in bpms) and all(seconds >= 0 for _, seconds in stops):
            return cls(offset_s, bpms, stops, delays, warps)
        if max(bpms, default=(0.0, 1.0))[1] < 0:
            raise InputError("the last tempo is below 0: the song never goes on")
        skipped, pauses = _made_up(bpms, stops)
        return cls(offset_s, _forward(bpms), pauses, delays, tuple(sorted((*warps, *skipped))))

    @cached_property
    def _knots(self) -> _Knots:
        spans = _merged(self.warps)
        beats = np.unique(
            [0.0]
            + [beat for kind in (self.bpms, self.stops, self.delays) for beat, _ in kind]
            + [beat for span in spans for beat in span]
        )
        starts = np.array([beat for beat, _ in self.bpms])
        bpm = np.array([bpm for _, bpm in self.bpms])
        slope = 60 / bpm[np.maximum(np.searchsorted(starts, beats, "right") - 1, 0)]
        for start, end in spans:
            slope[(beats >= start) & (beats < end)] = 0
        delay, stop = _sums(self.delays, beats), _sums(self.stops, beats)
        passed = delay + stop
        passed[:-1] += np.diff(beats) * slope[:-1]
        arrive = -self.offset_s + np.concatenate([[0.0], np.cumsum(passed)[:-1]])
        return _Knots(beats, arrive, arrive + delay, arrive + delay + stop, slope)

    def time_at(self, beats: ArrayLike) -> Floats:
        """Seconds at which notes on beats are hit; beats before 0 run at the first tempo.

        Args:
            beats: Any shape.

        Returns:
            float64 of the same shape.
        """
        beats = np.asarray(beats, np.float64)
        knots = self._knots
        i = np.searchsorted(knots.beat, beats, "right") - 1
        k = np.maximum(i, 0)
        after = knots.leave_s[k] + (beats - knots.beat[k]) * knots.slope[k]
        before = knots.arrive_s[0] + beats * (60 / self.bpms[0][1])
        at = np.where(beats == knots.beat[k], knots.note_s[k], after)
        return np.where(i < 0, before, at)

    def beat_at(self, times: ArrayLike) -> Floats:
        """Beats at times; during a stop or delay its beat, at a warp's instant the warp's end.

        Args:
            times: Seconds, any shape.

        Returns:
            float64 of the same shape.
        """
        times = np.asarray(times, np.float64)
        knots = self._knots
        i = np.searchsorted(knots.leave_s, times, "right") - 1
        k = np.maximum(i, 0)
        bpm_slope = np.where(knots.slope > 0, knots.slope, np.inf)
        beats = knots.beat[k] + (times - knots.leave_s[k]) / bpm_slope[k]
        following = np.append(knots.beat[1:], np.inf)
        skipped = (knots.slope[k] == 0) & (times > knots.leave_s[k])
        beats = np.where(skipped, following[k], np.minimum(beats, following[k]))
        before = (times - knots.arrive_s[0]) / (60 / self.bpms[0][1])
        return np.where(i < 0, np.minimum(before, 0.0), beats)

    def hittable(self, beats: ArrayLike) -> NDArray[np.bool_]:
        """True for notes that count: those inside a warp do not, unless the chart stops there.

        Args:
            beats: The notes' beats, any shape.
        """
        beats = np.asarray(beats, np.float64)
        paused = [beat for kind in (self.stops, self.delays) for beat, _ in kind]
        warped = np.zeros(beats.shape, np.bool_)
        for start, end in _merged(self.warps):
            warped |= (beats >= start) & (beats < end)
        return ~warped | np.isin(beats, paused)


def _snapped(kind: str, events: Sequence[tuple[float, float]]) -> Events:
    """Events on the grid, in order; of several tempi at or before beat 0 the last one counts."""
    lowest = 1 / LARGEST if kind == "bpms" else 0.0
    for beat, value in events:
        if not (abs(beat) <= LARGEST and lowest <= value <= LARGEST):
            raise InputError(
                f"{kind} has {beat}={value}; allowed: beats up to {LARGEST:g}, "
                f"values from {lowest:g} to {LARGEST:g}"
            )
    snapped = sorted(((round(beat * TICKS) / TICKS, value) for beat, value in events), key=_beat)
    if kind == "bpms":
        first = max((i for i, (beat, _) in enumerate(snapped) if beat <= 0), default=0)
        changes = {0.0: snapped[first][1]}
        changes.update(snapped[first + 1 :])
        return tuple(changes.items())
    if kind == "warps":
        snapped = [(beat, round(value * TICKS) / TICKS) for beat, value in snapped]
    return tuple((beat, value) for beat, value in snapped if beat >= 0 and value > 0)


def _beat(event: tuple[float, float]) -> float:
    return event[0]


def _sums(events: Events, beats: Floats) -> Floats:
    """Sums of the events at each of the beats."""
    sums = np.zeros(len(beats))
    if events:
        where = np.searchsorted(beats, [beat for beat, _ in events])
        np.add.at(sums, where, [value for _, value in events])
    return sums


def _merged(warps: Events) -> list[tuple[float, float]]:
    """Spans of beats that warps skip; warps that touch or overlap are one."""
    spans: list[tuple[float, float]] = []
    for start, length in warps:
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], start + length))
        else:
            spans.append((start, start + length))
    return spans


def _forward(bpms: Events) -> Events:
    """Tempi with every negative one left out: it holds only on beats that are skipped."""
    forward = tuple((beat, bpm) for beat, bpm in bpms if bpm > 0)
    return ((0.0, forward[0][1]), *forward[1:]) if forward else ()


def _made_up(bpms: Events, stops: Events) -> tuple[Events, Events]:
    """Warps over which a clock that ran back makes up its time, and what stops are left.

    The clock owes time from where it first turns back until it is where it was then.
    """
    events = [(beat, 0, bpm) for beat, bpm in bpms] + [
        (beat, 1, seconds) for beat, seconds in stops
    ]
    spans, pauses = [], []
    owed_s, since, last, bpm = 0.0, 0.0, 0.0, bpms[0][1]
    for beat, is_stop, value in [*sorted(events), (np.inf, 0, bpm)]:
        passed_s = (beat - last) * 60 / bpm
        if 0 < owed_s <= passed_s:
            spans.append((since, last + owed_s * bpm / 60 - since))
        elif owed_s == 0 and passed_s < 0:
            since = last
        owed_s, last = max(owed_s - passed_s, 0.0), beat
        if not is_stop:
            bpm = value
            continue
        if value > owed_s:
            pauses.append((beat, value - owed_s))
            if owed_s > 0:
                spans.append((since, beat - since))
        elif owed_s == 0:
            since = beat
        owed_s = max(owed_s - value, 0.0)
    return tuple(spans), tuple(pauses)
