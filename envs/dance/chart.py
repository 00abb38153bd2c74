"""Dance charts for four panels: rows of arrows on a grid of beats, and the songs they belong to."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.dance.timing import TICKS, Timing
from hardware_sim.errors import InputError, choose

PANELS = ("left", "down", "up", "right")
DIFFICULTIES = ("Beginner", "Easy", "Medium", "Hard", "Challenge")
"""The coarse levels 0..4. Charts called ``Edit`` are read too, but have no level."""

CHART_BYTES = 1 << 22
"""Most bytes of a chart file."""

OFF, TAP, HEAD, TAIL = 0, 1, 2, 3
"""States of a panel in a row: nothing, a tap, the head of a hold or roll, its tail."""

ROWS = 256
"""Codes of a row, ``sum(state[p] * 4**p)``: 4 states of 4 panels; 0 is nothing."""

MIRRORS = {
    "identity": (0, 1, 2, 3),
    "left-right": (3, 1, 2, 0),
    "up-down": (0, 2, 1, 3),
    "both": (3, 2, 1, 0),
}
"""By mirror, the panel whose arrows each panel gets."""

_STATES: NDArray[np.int64] = (np.arange(ROWS)[:, None] >> np.arange(0, 8, 2)) & 3
_BAGS: NDArray[np.float32] = np.eye(4, dtype=np.float32)[_STATES].reshape(ROWS, 16)
_HELD = (np.arange(16)[:, None] >> np.arange(4)) & 1
_LEGAL: NDArray[np.bool_] = np.all(
    np.where(_HELD[:, None] == 1, np.isin(_STATES, (OFF, TAIL)), _STATES != TAIL), axis=-1
)


def _no_notes() -> NDArray[np.int64]:
    return np.zeros((0, 2), np.int64)


@dataclass(frozen=True, eq=False)
class Chart:
    """The arrows of one song at one difficulty.

    Attributes:
        ticks: (N,) int64, ascending positions in 48ths of a beat, >= 0.
        rows: (N,) uint8, codes of the rows there, none of them 0.
        times: (N,) float64, seconds of audio at which the rows are hit.
        difficulty: One of :data:`DIFFICULTIES` or ``"Edit"``.
        meter: Difficulty by the author, a whole number from 1.
        author: Name of the author.
        mines: (M, 2) int64, tick and panel of each mine, not to be stepped on; in order.
        rolls: (R, 2) int64, tick and panel of the heads in ``rows`` that start rolls; in order.
        timing: The chart's own timing, if it is not the song's.

    Raises:
        InputError: The arrays do not fit together.
    """

    ticks: NDArray[np.int64]
    rows: NDArray[np.uint8]
    times: NDArray[np.float64]
    difficulty: str
    meter: int
    author: str = ""
    mines: NDArray[np.int64] = field(default_factory=_no_notes)
    rolls: NDArray[np.int64] = field(default_factory=_no_notes)
    timing: Timing | None = None

    def __post_init__(self) -> None:
        choose("difficulty", self.difficulty, (*DIFFICULTIES, "Edit"))
        if not len(self.ticks) == len(self.rows) == len(self.times):
            raise InputError(
                f"a chart has {len(self.ticks)} ticks, {len(self.rows)} rows and "
                f"{len(self.times)} times; allowed: as many of each"
            )
        if len(self.ticks) and (self.ticks[0] < 0 or (np.diff(self.ticks) <= 0).any()):
            raise InputError("the ticks of a chart must be ascending and not below 0")
        if (self.rows == 0).any():
            raise InputError("a row of a chart is empty; allowed: codes 1 to 255")

    @property
    def beats(self) -> NDArray[np.float64]:
        """(N,) float64, the rows' positions in beats."""
        return self.ticks / TICKS

    @property
    def level(self) -> int:
        """The coarse level 0..4; -1 for an edit."""
        return DIFFICULTIES.index(self.difficulty) if self.difficulty in DIFFICULTIES else -1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Chart):
            return NotImplemented
        mine, theirs = vars(self), vars(other)
        return all(
            np.array_equal(mine[key], theirs[key])
            if isinstance(mine[key], np.ndarray)
            else mine[key] == theirs[key]
            for key in mine
        )


def meter_of(text: str) -> int:
    """A meter as files write it, a whole number from 1.

    Raises:
        InputError: It is none.
    """
    try:
        return max(1, int(float(text)))
    except (ValueError, OverflowError) as error:
        raise InputError(f"the meter is {text!r}; allowed: a whole number from 1") from error


@dataclass(frozen=True)
class Song:
    """A song and its charts.

    Attributes:
        title: Title as its authors spell it.
        artist: Artist as the authors spell it; may be empty.
        music: Name of the audio file beside the chart file; may be empty.
        timing: Beats and seconds.
        charts: The charts, in the order of the file.
        pack: The collection it came with; may be empty.
        name: A key that is stable and unique within a corpus.
        folder: Folder of the file and its music; empty if the song came out of an archive.
        sample_s: Start and length in seconds of what the game's menu plays; empty leaves it to the
            game.
    """

    title: str
    artist: str
    music: str
    timing: Timing
    charts: tuple[Chart, ...]
    pack: str = ""
    name: str = ""
    folder: str = ""
    sample_s: tuple[float, ...] = ()


def states(rows: ArrayLike) -> NDArray[np.int64]:
    """States of the panels, (..., 4) of 0..3, of row codes (...)."""
    return _STATES[np.asarray(rows, np.int64)]


def rows_of(panel_states: ArrayLike) -> NDArray[np.uint8]:
    """Row codes (...) of states of the panels (..., 4); undoes :func:`states`."""
    shifted: NDArray[np.int64] = np.asarray(panel_states, np.int64) << np.arange(0, 8, 2)
    return np.asarray(shifted.sum(-1), np.uint8)


def bag_of_arrows(rows: ArrayLike) -> NDArray[np.float32]:
    """(..., 16) float32: of each of the four panels in turn, its state as one of four."""
    return _BAGS[np.asarray(rows, np.int64)]


def held_before(rows: ArrayLike) -> NDArray[np.bool_]:
    """The panels that are held when each row comes, the row's own heads and tails aside.

    Args:
        rows: (N,) codes from the start of a chart.

    Returns:
        (N, 4) bool.
    """
    panel = states(rows)
    events = np.zeros((len(panel) + 1, 4), np.int64)
    events[1:] = np.where(panel >= HEAD, np.arange(1, len(panel) + 1)[:, None], 0)
    last = np.maximum.accumulate(events)[:-1]
    before = np.concatenate([np.zeros((1, 4), np.int64), panel])
    return np.asarray(np.take_along_axis(before, last, 0) == HEAD)


def legal_rows(held: ArrayLike) -> NDArray[np.bool_]:
    """The rows that may come: on a held panel nothing or a tail, on a free one all but a tail.

    Args:
        held: (..., 4) bool.

    Returns:
        (..., 256) bool; nothing (code 0) is always legal.
    """
    codes: NDArray[np.int64] = np.asarray(held, np.int64) << np.arange(4)
    return np.asarray(_LEGAL[codes.sum(-1)])


def check_holds(chart: Chart) -> None:
    """Makes sure that every hold ends, and that nothing else is on its panel before.

    Raises:
        InputError: A row is not legal, a hold is left open, a roll has no head, or a mine is on an
            arrow or a hold; the message names the place.
    """
    held = held_before(chart.rows)
    legal = np.take_along_axis(legal_rows(held), chart.rows[:, None].astype(np.int64), 1)[:, 0]
    if not legal.all():
        beat = chart.beats[np.argmin(legal)]
        raise InputError(
            f"{chart.difficulty}: the row at beat {beat:g} has a tail without a hold, or an arrow "
            "on a held panel"
        )
    panel = states(chart.rows)
    if len(panel):
        still = np.where(panel[-1] >= HEAD, panel[-1] == HEAD, held[-1])
        if still.any():
            raise InputError(f"{chart.difficulty}: the hold on {PANELS[still.argmax()]} never ends")
    for tick, column in chart.mines:
        i = np.searchsorted(chart.ticks, tick)
        there = i < len(panel) and chart.ticks[i] == tick and panel[i, column] != OFF
        if there or (i < len(panel) and held[i, column]):
            raise InputError(
                f"{chart.difficulty}: the mine on {PANELS[column]} at beat {tick / TICKS:g} is on "
                "an arrow or a hold"
            )
    for tick, column in chart.rolls:
        i = np.searchsorted(chart.ticks, tick)
        if i == len(panel) or chart.ticks[i] != tick or panel[i, column] != HEAD:
            raise InputError(f"{chart.difficulty}: the roll at beat {tick / TICKS:g} has no head")


def mirrored(chart: Chart, kind: str) -> Chart:
    """The chart with its panels exchanged.

    Args:
        chart: Any chart.
        kind: One of :data:`MIRRORS`.

    Raises:
        InputError: There is no such mirror.
    """
    panels = list(MIRRORS[choose("mirror", kind, tuple(MIRRORS))])
    changed: dict[str, Any] = dict(vars(chart), rows=rows_of(states(chart.rows)[:, panels]))
    for notes in ("mines", "rolls"):
        moved = changed[notes].copy()
        moved[:, 1] = np.array(panels)[moved[:, 1]]
        changed[notes] = moved[np.lexsort((moved[:, 1], moved[:, 0]))]
    return Chart(**changed)
