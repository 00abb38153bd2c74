"""A model of two feet on four panels: their states, steps and costs.

A state is the panels that each foot stands on (none, one, or two that touch: a bracket) and the
foot that stepped last. A foot on a hold is pinned to it. Feet take turns unless something is
cheaper; the prices are :class:`Prices`.
"""

from enum import IntFlag
from typing import Any, NamedTuple

import numba
import numpy as np

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")

LEFT, DOWN, UP, RIGHT = 1, 2, 4, 8
"""Bits of the panels."""

STANCES = (0, LEFT, DOWN, UP, RIGHT, LEFT | DOWN, LEFT | UP, DOWN | RIGHT, UP | RIGHT)
"""Panels that a foot can stand on; 0 is beside the panels, in the air or on the frame."""

FEET = 9 * 9
NO_FOOT, LEFT_FOOT, RIGHT_FOOT, BOTH, BOTH_LEFT_LATER, BOTH_RIGHT_LATER = range(6)
"""The foot that stepped last; after a jump with a hold also the foot that left the hold later."""

STATES = FEET * 6

PANEL_BITS = np.array([LEFT, DOWN, UP, RIGHT])
_STANCE = np.array(STANCES)
_INDEX = np.full(16, -1)
_INDEX[_STANCE] = np.arange(9)
_X = np.zeros(16)
_Y = np.zeros(16)
for _stance in STANCES[1:]:
    _on = np.flatnonzero(_stance & PANEL_BITS)
    _X[_stance] = np.array([0.0, 1.0, 1.0, 2.0])[_on].mean()
    _Y[_stance] = np.array([1.0, 0.0, 2.0, 1.0])[_on].mean()
_COUNT = np.array([bin(mask).count("1") for mask in range(16)])
START = (int(_INDEX[LEFT]) * 9 + int(_INDEX[RIGHT])) * 6 + NO_FOOT
"""The state at the start: the left foot on left, the right one on right, none has stepped."""


class Technique(IntFlag):
    """Techniques of steps; a row can take several."""

    JUMP = 1
    """Both feet step."""
    JACK = 2
    """The foot that stepped last steps on the same panel again."""
    DOUBLE_STEP = 4
    """The foot that stepped last steps on another panel, though the other foot was free."""
    FOOTSWITCH = 8
    """A foot steps on up or down where the other foot stood."""
    SIDESWITCH = 16
    """A foot steps on left or right where the other foot stood."""
    CROSSOVER = 32
    """The feet come to stand crossed: the left one to the right of the right one."""
    INVERSION = 64
    """The feet come to stand wholly crossed, left on right and right on left."""
    BRACKET = 128
    """One foot is on two panels."""
    HOLD_STEP = 256
    """A foot steps while the other one is pinned to a hold."""
    SPIN = 512
    """Crossed feet go on turning, through facing backwards."""


JUMP, JACK, DOUBLE_STEP, FOOTSWITCH, SIDESWITCH, CROSSOVER, INVERSION, BRACKET, HOLD_STEP, SPIN = (
    int(technique) for technique in Technique
)
"""Bits of the techniques, for compiled code."""

Pair = tuple[int, int]
"""Panels, as bits, that the left and the right foot press or stand on."""


class Prices(NamedTuple):
    """Costs of steps, in arbitrary units; an easy alternating step costs only its travel.

    They were chosen so that the optimum steps the technique fixtures of StepManiaLibrary as their
    author annotates them (see ``tests/envs/dance/test_feet.py``).

    Attributes:
        travel: Per panel width that a foot moves.
        jump: Per step of both feet at a rhythm of :data:`JUMP_S`; it grows like a jack's.
        jack: Per jack at a rhythm of :data:`JACK_S`; it grows with the square of the speed.
        double_step: Per double step at a rhythm of :data:`DOUBLE_S`; it grows with the speed.
        footswitch: Per footswitch.
        sideswitch: Per sideswitch.
        crossed: Per step that ends with crossed feet.
        inverted: On top of it per step that ends with wholly crossed feet.
        spin: Per step on which crossed feet go on turning.
        bracket: Per bracket of two arrows.
        bracket_hold: Per arrow tapped by a foot that is pinned to a hold beside it.
        release: For a foot that steps elsewhere at the very moment its hold ends.
        late: For the foot that left its hold later, on the first step after a jump.
        mine: Per foot that stands on a mine as it passes.
        lift: Per foot that has to leave its panel because of a mine.
        hop: For a step while the other foot is beside the panels.
    """

    travel: float = 0.8
    jump: float = 3.0
    jack: float = 0.7
    double_step: float = 6.5
    footswitch: float = 2.5
    sideswitch: float = 3.0
    crossed: float = 1.5
    inverted: float = 2.0
    spin: float = 8.0
    bracket: float = 5.0
    bracket_hold: float = 10.0
    release: float = 5.0
    late: float = 0.2
    mine: float = 0.9
    lift: float = 1.0
    hop: float = 4.0


PRICES = Prices()

JUMP_S, JACK_S, DOUBLE_S = 0.2, 0.3, 0.4
"""Seconds between steps at which a jump, a jack and a double step have their stated prices."""


@compiled
def step(
    state: int,
    by_left: int,
    pressed: int,
    held: int,
    ended: int,
    mines: int,
    mines_after: int,
    dt: float,
    prices: Any,
) -> tuple[int, float, int, float]:
    """One row danced one way: the next state (-1 if feet cannot), cost, techniques, travel.

    Args:
        state: Index of the stance and the last foot.
        by_left: Panels of ``pressed`` that the left foot takes.
        pressed: Panels with a tap or a head.
        held: Panels held before and after the row.
        ended: Panels whose hold ends at the row.
        mines: Panels with a mine at the row's time.
        mines_after: Panels with a mine between the row and the next.
        dt: Seconds since the last row with a step.
        prices: See :class:`Prices`.
    """
    last = state % 6
    old = (_STANCE[state // 54], _STANCE[state // 6 % 9])
    press = (by_left, pressed & ~by_left)
    new = (_moved(0, old, press, held), _moved(1, old, press, held))
    if _INDEX[new[0]] < 0 or _INDEX[new[1]] < 0:
        return -1, 0.0, 0, 0.0
    cost, used, travel = 0.0, 0, 0.0
    if pressed == 0:
        last = _after_release(last, old, ended)
    else:
        cost, used, travel = _steps(last, old, new, press, held, ended, dt, prices)
        cost, used = _turn(cost, used, old, new, prices)
        last = _stepped_last(press)
    for foot in range(2):
        if new[foot] & mines & ~pressed:
            cost += prices.mine
        if new[foot] & mines_after:
            cost += prices.lift
    left, right = new[0] & ~mines_after, new[1] & ~mines_after
    return (_INDEX[left] * 9 + _INDEX[right]) * 6 + last, cost, used, travel


@compiled
def _moved(foot: int, old: Pair, press: Pair, held: int) -> Any:
    """The panels under a foot after a row; the other foot takes what it presses from under it."""
    if press[foot] > 0:
        return press[foot] | (old[foot] & held)
    return old[foot] & ~press[1 - foot]


@compiled
def _stepped_last(press: Pair) -> int:
    if press[0] > 0 and press[1] > 0:
        return BOTH
    return LEFT_FOOT if press[0] > 0 else RIGHT_FOOT


@compiled
def _after_release(last: int, old: Pair, ended: int) -> int:
    """The last foot after a row that only ends holds: after a jump, the foot that held longer."""
    if last < BOTH or ended == 0:
        return last
    left, right = (old[0] & ended) > 0, (old[1] & ended) > 0
    if left == right:
        return BOTH
    return BOTH_LEFT_LATER if left else BOTH_RIGHT_LATER


@compiled
def _steps(
    last: int, old: Pair, new: Pair, press: Pair, held: int, ended: int, dt: float, prices: Any
) -> tuple[float, int, float]:
    """Cost, techniques and travel of the feet that step, wherever they face."""
    both = press[0] > 0 and press[1] > 0
    cost, used, travel = 0.0, 0, 0.0
    if both:
        used |= JUMP
        cost += prices.jump * min((JUMP_S / dt) ** 2, 8.0)
    for foot in range(2):
        if press[foot] == 0:
            continue
        travel += _distance(old[foot], new[foot])
        if old[foot] & ended & ~press[foot]:
            cost += prices.release
        if _COUNT[new[foot]] == 2:
            used |= BRACKET
            cost += prices.bracket if _COUNT[press[foot]] == 2 else prices.bracket_hold
        if not both:
            pinned = (old[1 - foot] & (held | ended)) > 0
            cost, used = _rhythm(cost, used, foot, last, old, press, pinned, dt, prices)
            cost, used = _exchange(cost, used, foot, old, press, prices)
    return cost + prices.travel * travel, used, travel


@compiled
def _distance(old: int, new: int) -> float:
    """Panel widths between two stances; 1 from beside the panels."""
    if old == 0:
        return 1.0
    return np.hypot(_X[new] - _X[old], _Y[new] - _Y[old])  # type: ignore[no-any-return]


@compiled
def _rhythm(
    cost: float,
    used: int,
    foot: int,
    last: int,
    old: Pair,
    press: Pair,
    pinned: bool,
    dt: float,
    prices: Any,
) -> tuple[float, int]:
    """Adds the cost of one foot's step for its turn: jacks, double steps, steps beside a hold."""
    if pinned:
        used |= HOLD_STEP
    if last == foot + 1:
        if press[foot] & ~old[foot] == 0:
            used |= JACK
            cost += prices.jack * min((JACK_S / dt) ** 2, 16.0)
        elif not pinned:
            used |= DOUBLE_STEP
            cost += prices.double_step * min(max(DOUBLE_S / dt, 0.25), 2.0)
    elif last == BOTH_LEFT_LATER + foot:
        cost += prices.late
    return cost, used


@compiled
def _exchange(
    cost: float, used: int, foot: int, old: Pair, press: Pair, prices: Any
) -> tuple[float, int]:
    """Adds the cost of one foot's step for the other foot's place: the same panel, or the air."""
    under_other = press[foot] & old[1 - foot]
    if under_other & (LEFT | RIGHT):
        used |= SIDESWITCH
        cost += prices.sideswitch
    elif under_other:
        used |= FOOTSWITCH
        cost += prices.footswitch
    elif old[1 - foot] == 0:
        cost += prices.hop
    return cost, used


@compiled
def _turn(cost: float, used: int, old: Pair, new: Pair, prices: Any) -> tuple[float, int]:
    """Adds the cost of standing crossed, wholly crossed, or of going on turning."""
    if new[0] == 0 or new[1] == 0:
        return cost, used
    gap = _X[new[1]] - _X[new[0]]
    was = _X[old[1]] - _X[old[0]] if old[0] > 0 and old[1] > 0 else 0.0
    turned = (_Y[new[1]] - _Y[new[0]]) * (_Y[old[1]] - _Y[old[0]]) < 0
    if gap < 0 and was < 0 and turned:
        used |= SPIN
        cost += prices.spin
    if gap < 0:
        cost += prices.crossed
        if was >= 0:
            used |= CROSSOVER
    if gap <= -2:
        cost += prices.inverted
        if was > -2:
            used |= INVERSION
    return cost, used
