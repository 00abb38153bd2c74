"""Baselines that write dance charts: rows at random, by rules, by an n-gram; and a rhythm by rules.

All choose a row for every time that is given; times themselves come from :func:`grid_ticks` or from
elsewhere.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.dance.ngram import KneserNey
from agents.dance.sampling import draw, possible
from envs.dance.chart import HEAD, OFF, PANELS, TAIL, TAP, held_before, rows_of, states
from envs.dance.timing import TICKS

Rows = NDArray[np.uint8]
Ticks = NDArray[np.int64]
Times = NDArray[np.float64]

LEFT, DOWN, UP, RIGHT = range(len(PANELS))
MEASURE = 4 * TICKS
PHRASE = 8
"""Measures that share their rhythm."""


class Writer(Protocol):
    """Chooses rows for given places."""

    def __call__(self, times: Times, ticks: Ticks, level: int, rng: np.random.Generator) -> Rows:
        """Codes (N,) for times (N,) in seconds at ticks (N,), at a coarse level 0..4."""


class Habits(NamedTuple):
    """Rates of rows and of their kinds in the In The Groove charts of a level, split train.

    Attributes:
        beats: Share of the first, of the third, and of the second and fourth beats of measures that
            have a row.
        halves: Share of the places half a beat behind a beat that have a row.
        quarters: Share of the places a quarter of a beat before or behind one that have a row.
        jumps: Share of the rows that take both feet.
        holds: Share of the rows that begin a hold.
    """

    beats: tuple[float, float, float]
    halves: float
    quarters: float
    jumps: float
    holds: float


HABITS = (
    Habits((0.77, 0.16, 0.05), 0.0, 0.0, 0.07, 0.0),
    Habits((0.91, 0.72, 0.49), 0.03, 0.0, 0.08, 0.05),
    Habits((0.95, 0.80, 0.70), 0.20, 0.0, 0.09, 0.05),
    Habits((0.86, 0.80, 0.77), 0.48, 0.08, 0.08, 0.06),
    Habits((0.87, 0.82, 0.80), 0.66, 0.23, 0.07, 0.07),
)
"""By level."""


def grid_ticks(measures: int, level: int, rng: np.random.Generator) -> Ticks:
    """A rhythm as dense as the level's: one drawn measure for eight, the eighth with another.

    Args:
        measures: How many, from tick 0.
        level: Coarse level 0..4.
        rng: Draws.

    Returns:
        (N,) int64, ascending.
    """
    habits = HABITS[level]
    first, third, others = habits.beats
    quarters = [habits.quarters, habits.halves, habits.quarters]
    chances = np.array([[beat, *quarters] for beat in (first, others, third, others)]).ravel()
    ticks: list[int] = []
    for measure in range(measures):
        if measure % PHRASE in (0, PHRASE - 1):
            pattern = np.flatnonzero(rng.random(len(chances)) < chances) * (TICKS // 4)
        ticks.extend(measure * MEASURE + pattern)
    return np.array(ticks, np.int64)


def random_rows(times: Times, ticks: Ticks, level: int, rng: np.random.Generator) -> Rows:
    """Any row that holds allow, one as likely as the other; every hold that begins ends."""
    rows = np.zeros(len(ticks), np.uint8)
    held = np.zeros((1, len(PANELS)), np.bool_)
    for place in range(len(rows)):
        allowed = np.flatnonzero(possible(held, [place + 1 == len(rows)])[0])
        rows[place] = rng.choice(allowed)
        panels = states(rows[place])
        held = np.where(panels == OFF, held, panels == HEAD)
    return rows


class Alternating:
    """Feet take turns, never cross and never share a panel; jumps come first in measures.

    A hold keeps its foot until the next row, which the other foot takes.
    """

    reach = ((LEFT, DOWN, UP), (DOWN, UP, RIGHT))
    """Panels of the left and of the right foot."""

    def __call__(self, times: Times, ticks: Ticks, level: int, rng: np.random.Generator) -> Rows:
        """See :class:`Writer`."""
        habits = HABITS[level]
        strong = ticks % MEASURE == 0
        jump = rng.random(len(ticks)) < np.where(strong, self._jumps(strong, habits.jumps), 0.0)
        hold = rng.random(len(ticks)) < habits.holds
        panels = np.zeros((len(ticks), len(PANELS)), np.int64)
        feet, turn, holding = [LEFT, RIGHT], int(rng.integers(2)), -1
        for place in range(len(ticks)):
            if holding >= 0:
                panels[place, holding] = TAIL
            if jump[place] and holding < 0:
                feet = self._jump(rng)
                panels[place, feet] = TAP
                turn = int(rng.integers(2))
                continue
            feet[turn] = self._step(feet, turn, rng)
            begins = hold[place] and holding < 0 and place + 1 < len(ticks)
            panels[place, feet[turn]] = HEAD if begins else TAP
            holding = feet[turn] if begins else -1
            turn = 1 - turn
        return rows_of(panels)

    @staticmethod
    def _jumps(strong: NDArray[np.bool_], share: float) -> float:
        """The chance that a measure's first row is a jump, so that ``share`` of all rows are."""
        return min(1.0, share / max(float(strong.mean()), 1e-9))

    def _step(self, feet: list[int], turn: int, rng: np.random.Generator) -> int:
        """A panel for a foot, another than it stands on."""
        open_ = [panel for panel in self.reach[turn] if panel not in feet]
        return int(rng.choice(open_))

    def _jump(self, rng: np.random.Generator) -> list[int]:
        """Panels for both feet."""
        left = int(rng.choice(self.reach[0]))
        return [left, int(rng.choice([panel for panel in self.reach[1] if panel != left]))]


class Ngram:
    """Rows drawn from an n-gram, those aside that holds forbid.

    Args:
        model: Fitted to charts.
        temperature: Above 0; below 1 the likely rows become likelier.
        top_p: Above 0 up to 1; only the likeliest rows that make up so much are drawn.
    """

    def __init__(self, model: KneserNey, temperature: float = 1.0, top_p: float = 1.0) -> None:
        self.model, self.temperature, self.top_p = model, temperature, top_p

    def __call__(self, times: Times, ticks: Ticks, level: int, rng: np.random.Generator) -> Rows:
        """See :class:`Writer`."""
        past = self.model.order - 1
        rows = np.zeros(past + len(ticks), np.uint8)
        for place in range(len(ticks)):
            here = past + place
            chances = self.model.probabilities(rows[None, place:here])
            held = held_before(rows[past : here + 1])[-1:]
            allowed = possible(held, [place + 1 == len(ticks)])
            logs = np.log(chances)
            rows[here] = draw(logs, allowed, rng.random(1), self.temperature, self.top_p)[0]
        return rows[past:]
