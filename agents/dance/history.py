"""Facts of a dance chart that are known when its next row is chosen: rows, rhythm, repeats.

Times and ticks of the whole chart are given, rows only up to the one that is asked for. Repeats are
places where the rows so far were like those just before the place in question, as they are or with
panels exchanged: what came next there often comes next here, as charts follow music that repeats.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.dance.chart import HEAD, MIRRORS, OFF, ROWS, rows_of, states
from envs.dance.timing import TICKS
from hardware_sim.errors import InputError

MIRRORED: NDArray[np.uint8] = np.stack(
    [rows_of(states(np.arange(ROWS))[:, list(panels)]) for panels in MIRRORS.values()]
)
"""Codes (4, 256) of rows with panels exchanged, in the order of the mirrors."""

MEASURE = 4 * TICKS
LAGS = MEASURE * np.array([1, 2, 4, 8, 16])
"""Ticks back at which rows are looked up whatever came before them."""

LONGEST = 16
"""Rows: repeats count up to this length."""

FIRST_TICKS, FIRST_S = MEASURE, 2.0
"""Ticks and seconds that stand for the distance of a chart's first row to one before."""

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass
class Looks:
    """Facts of places in charts; all arrays start with the axes of the places.

    Attributes:
        held: (..., 4) bool, panels held.
        since: (..., 4) float32, log seconds since each panel's last arrow, limited.
        steps: (..., 4) float32, log of the rows since, limited.
        repeat: (..., 4) uint8, the row that came next at the best repeat of each mirror, panels
            exchanged by that mirror; 0 if there is none.
        length: (..., 4) uint8, rows of those repeats, up to :data:`LONGEST`.
        even: (..., 4) uint8, rows of these with the same rhythm, too.
        copy: (..., 5) uint8, the rows :data:`LAGS` earlier; 0 if there are none.
        copied: (..., 5) uint8, number of rows up to here that equal those a lag earlier.
    """

    held: NDArray[np.bool_]
    since: Floats
    steps: Floats
    repeat: Bytes
    length: Bytes
    even: Bytes
    copy: Bytes
    copied: Bytes

    def __getitem__(self, place: object) -> "Looks":
        return Looks(*(getattr(self, each.name)[place] for each in fields(Looks)))


def joined(looks: list[Looks], axis: int) -> Looks:
    """Stacks the looks at successive rows along a new axis."""
    return Looks(
        *(np.stack([getattr(each, part.name) for each in looks], axis) for part in fields(Looks))
    )


def intervals(ticks: ArrayLike, times: ArrayLike) -> tuple[Ints, NDArray[np.float64]]:
    """Ticks and seconds (..., N) from each row to the one before."""
    ticks, times = np.asarray(ticks, np.int64), np.asarray(times, np.float64)
    between = np.diff(ticks, prepend=ticks[..., :1] - FIRST_TICKS)
    return between, np.diff(times, prepend=times[..., :1] - FIRST_S)


class History:
    """The rows so far of several charts at once, and the facts that follow for the next row.

    Args:
        ticks: (B, N) int, ascending, of all rows of the charts; of a shorter chart the rest counts
            for nothing.
        times: (B, N) float, seconds.

    Attributes:
        rows: (B, N) uint8, codes, 0 from place ``now`` on.
        now: Rows so far.
        held: (B, 4) bool, panels held.

    Raises:
        InputError: The arrays are not of one shape.
    """

    def __init__(self, ticks: ArrayLike, times: ArrayLike) -> None:
        self.ticks, self.times = np.asarray(ticks, np.int64), np.asarray(times, np.float64)
        if self.ticks.ndim != 2 or self.ticks.shape != self.times.shape:
            raise InputError(
                f"ticks {self.ticks.shape} and times {self.times.shape} of charts; allowed: both "
                "of one shape (B, N)"
            )
        charts, size = self.ticks.shape
        self.between = intervals(self.ticks, self.times)[0]
        self.rows = np.zeros((charts, size), np.uint8)
        self.now = 0
        self._mirrored = np.zeros((charts, 4, size), np.uint8)
        self._length = np.zeros((charts, 4, size + 1), np.uint8)
        self._even = np.zeros((charts, 4, size + 1), np.uint8)
        self.held = np.zeros((charts, 4), np.bool_)
        self._last_s = np.full((charts, 4), -np.inf)
        self._last = np.full((charts, 4), -ROWS)
        self._copied = np.zeros((charts, len(LAGS)), np.uint8)
        self._source = _sources(self.ticks)

    def look(self) -> Looks:
        """The facts (B, ...) of the next row."""
        now, charts = self.now, np.arange(len(self.rows))
        repeat, length, even = self._repeats()
        source = self._source[:, :, now]
        copy = np.where(source >= 0, self.rows[charts[:, None], source], 0)
        since = np.log((self.times[:, now, None] - self._last_s).clip(0) + 0.02).clip(max=2)
        return Looks(
            self.held.copy(),
            since.astype(np.float32),
            np.log((now - self._last).clip(1, 64)).astype(np.float32),
            repeat,
            length,
            even,
            copy.astype(np.uint8),
            self._copied.copy(),
        )

    def _repeats(self) -> tuple[Bytes, Bytes, Bytes]:
        """The best repeat of each mirror: the longest, most alike in rhythm, then the latest."""
        now, charts = self.now, len(self.rows)
        if not now:
            nothing = np.zeros((charts, 4), np.uint8)
            return nothing, nothing, nothing
        length, even = self._length[:, :, :now], self._even[:, :, :now]
        alike = 2 * (self.between[:, :now] == self.between[:, now, None])
        alike = alike + ((self.ticks[:, :now] - self.ticks[:, now, None]) % MEASURE == 0)
        score = (length + 2 * even + alike.astype(np.uint8)[:, None]) * (length > 0)
        best = now - 1 - score[:, :, ::-1].argmax(-1)[..., None]
        found = [np.take_along_axis(part, best, -1)[..., 0] for part in (length, even)]
        repeat = np.take_along_axis(self._mirrored[:, :, :now], best, -1)[..., 0]
        return np.where(found[0] > 0, repeat, 0).astype(np.uint8), found[0], found[1]

    def push(self, rows: ArrayLike) -> None:
        """Takes the next row (B,) of every chart."""
        rows, now = np.asarray(rows, np.uint8), self.now
        charts = np.arange(len(rows))
        same = self._mirrored[:, :, :now] == rows[:, None, None]
        rhythm = same & (self.between[:, :now] == self.between[:, now, None])[:, None]
        for run, equal in ((self._length, same), (self._even, rhythm)):
            run[:, :, 1 : now + 1] = equal * np.minimum(run[:, :, :now] + 1, LONGEST)
        source = self._source[:, :, now]
        equal = (source >= 0) & (self.rows[charts[:, None], source] == rows[:, None])
        self._copied = (equal * np.minimum(self._copied + 1, LONGEST)).astype(np.uint8)
        self.rows[:, now] = rows
        self._mirrored[:, :, now] = MIRRORED[:, rows].T
        panel = states(rows)
        self.held = np.where(panel == OFF, self.held, panel == HEAD)
        self._last_s = np.where(panel == OFF, self._last_s, self.times[:, now, None])
        self._last = np.where(panel == OFF, self._last, now)
        self.now += 1


def _sources(ticks: Ints) -> Ints:
    """Places (B, 5, N) of the rows exactly each lag before, -1 where there is none."""
    found = np.full((len(ticks), len(LAGS), ticks.shape[1]), -1)
    for chart, mine in enumerate(ticks):
        mine = np.maximum.accumulate(mine)
        for lag, back in enumerate(LAGS):
            place = np.searchsorted(mine, mine - back)
            found[chart, lag] = np.where(mine[place] == mine - back, place, -1)
    return found


def look_back(rows: ArrayLike, ticks: ArrayLike, times: ArrayLike) -> Looks:
    """The facts (B, N, ...) at every row of finished charts, given those before.

    Args:
        rows: (B, N) codes.
        ticks: (B, N) int.
        times: (B, N) float, seconds.
    """
    codes = np.asarray(rows, np.uint8)
    history = History(ticks, times)
    looks = []
    for place in range(codes.shape[1]):
        looks.append(history.look())
        history.push(codes[:, place])
    return joined(looks, 1)
