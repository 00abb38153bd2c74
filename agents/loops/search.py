"""Schedules by hand and by search, as scripts of edits that the environment's actions carry out."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from envs.loops.batch import MAX_STEPS
from envs.loops.nest import (
    ACCUMULATE,
    ACTIONS,
    DOWN,
    FACTORS,
    FIRST_SPLIT,
    LONGEST_UNROLL,
    PARALLEL,
    STOP,
    SWAP_DOWN,
    SWAP_UP,
    UNROLL,
    UP,
    VECTORISE,
    Nest,
)
from hardware_sim.errors import InputError

Edit = tuple[int, int]
"""A depth and an action to be taken there."""

Judge = Callable[[Nest], float]
"""Seconds of a nest."""

EDITS = tuple(a for a in range(len(ACTIONS)) if a not in (UP, DOWN, SWAP_DOWN, STOP))
"""Actions that change the nest; swapping down is swapping up from below."""


def edited(nest: Nest, edit: Edit) -> Nest | None:
    """The nest after an edit, or ``None`` where it is not legal."""
    depth, action = edit
    if depth >= len(nest.loops):
        return None
    there = replace(nest, cursor=depth)
    return there.after(action) if there.legal(action) else None


def actions_of(nest: Nest, edits: list[Edit]) -> list[int]:
    """The environment's actions that carry out legal edits, moves of the cursor included."""
    actions: list[int] = []
    for depth, action in edits:
        distance = depth - nest.cursor
        actions += [DOWN if distance > 0 else UP] * abs(distance) + [action]
        found = edited(nest, (depth, action))
        assert found is not None
        nest = found
    return actions


def hand(nest: Nest, registers: int, lanes: int) -> list[Edit]:
    """The textbook schedule: a tile of accumulators in registers, vectorised and unrolled.

    Of the tiles whose sides divide the loops and whose accumulators leave room for operands, it
    takes the one with most multiply-adds for each load; after Goto and van de Geijn (ACM TOMS
    2008), without packing.
    """
    rows, columns = ("i", "j") if nest.problem.operation == "matmul" else ("x", "o")
    letters = nest.problem.letters
    across, along = (int(nest.problem.extents[letters.index(c)]) for c in (rows, columns))
    tiles = [
        (height * vectors / (height + vectors), height, width)
        for height in _sides(across, LONGEST_UNROLL)
        for width in _sides(along, FACTORS[-1])
        if width >= 4 and height * (vectors := -(-width // lanes)) + vectors + 1 <= registers
    ]
    _, height, width = max(tiles)
    script = Script(nest)
    script.split(letters.index(rows), height)
    script.move(len(script.nest.loops) - 1)
    script.take(UNROLL)
    script.split(letters.index(columns), width)
    script.take(VECTORISE)
    sums = [depth for depth in range(len(script.nest.loops)) if script.nest.reduces(depth)]
    script.go(sums[0])
    script.take(ACCUMULATE)
    script.go(0)
    script.take(PARALLEL)
    return script.edits


def _sides(extent: int, longest: int) -> list[int]:
    """Lengths of an inner loop that one split can make, the whole loop and 1 included."""
    whole = [extent] if extent <= longest else []
    return [1, *whole, *(f for f in FACTORS if f <= longest and extent % f == 0 and f < extent)]


@dataclass(frozen=True)
class Change:
    """Edits of a loop that is named by what it is, so that it is found in other nests, too.

    Attributes:
        dim: The problem's loop.
        part: Which of its parts, from the outermost; the last if there are fewer.
        action: What is done; to swap is to move it.
        depth: Where it is moved to, or as far as may be.
    """

    dim: int
    part: int
    action: int
    depth: int


class Script:
    """Edits of a nest as they are made, at a place of its own; illegal ones are left out.

    Attributes:
        nest: The nest so far.
        depth: Where the next edit is made.
        edits: Those made.
        steps: Actions of the environment that carry them out.
    """

    def __init__(self, nest: Nest) -> None:
        self.nest, self.depth = nest, nest.cursor
        self.edits: list[Edit] = []
        self.steps = 0

    def copy(self) -> "Script":
        """A script that goes on from here."""
        other = Script(self.nest)
        other.depth, other.edits, other.steps = self.depth, [*self.edits], self.steps
        return other

    def go(self, depth: int) -> None:
        """Goes to a depth."""
        self.depth = depth

    def take(self, action: int) -> bool:
        """Takes an action where it is, if it is legal; returns True if it was."""
        found = edited(self.nest, (self.depth, action))
        if found is None:
            return False
        self.edits.append((self.depth, action))
        self.steps += abs(self.depth - self.nest.cursor) + 1
        self.nest = found
        return True

    def split(self, dim: int, factor: int) -> None:
        """Splits an undivided loop by a factor, if it is longer, and goes to the inner part."""
        self.go(next(d for d, loop in enumerate(self.nest.loops) if loop.dim == dim))
        if factor in FACTORS and self.nest.loops[self.depth].extent > factor:
            self.take(FIRST_SPLIT + FACTORS.index(factor))
            self.go(self.depth + 1)

    def move(self, depth: int) -> None:
        """Moves the loop where it is towards a depth, as far as may be, and goes with it."""
        while self.depth != depth:
            action = SWAP_DOWN if depth > self.depth else SWAP_UP
            if not self.take(action):
                return
            self.go(self.depth + (1 if action == SWAP_DOWN else -1))

    def change(self, change: Change) -> None:
        """Makes a change."""
        parts = [d for d, loop in enumerate(self.nest.loops) if loop.dim == change.dim]
        self.go(parts[min(change.part, len(parts) - 1)])
        if change.action == SWAP_UP:
            self.move(change.depth)
        else:
            self.take(change.action)


@dataclass(frozen=True)
class Found:
    """The best nest that a search found.

    Attributes:
        edits: Of the best nest.
        seconds: Its time.
        evaluations: Nests judged, the unscheduled one included.
    """

    edits: list[Edit]
    seconds: float
    evaluations: int


def greedy(nest: Nest, judge: Judge, evaluations: int | None = None) -> Found:
    """Takes the best edit anywhere in the nest, as long as it improves; looks one edit ahead.

    Args:
        nest: Where to begin.
        judge: Of nests.
        evaluations: Nests that it may judge; any number by default.
    """
    first, best, spent = nest, judge(nest), 1
    edits: list[Edit] = []
    while True:
        choices = [(depth, action) for depth in range(len(nest.loops)) for action in EDITS]
        tried = []
        for edit in choices:
            found = edited(nest, edit)
            if found is None or (evaluations is not None and spent >= evaluations):
                continue
            spent += 1
            tried.append((judge(found), edit, found))
        if not tried:
            return Found(edits, best, spent)
        seconds, edit, found = min(tried, key=lambda option: option[0])
        if seconds >= best or len(actions_of(first, [*edits, edit])) >= MAX_STEPS:
            return Found(edits, best, spent)
        best, nest, edits = seconds, found, [*edits, edit]


def annealing(
    nest: Nest,
    judge: Judge,
    evaluations: int,
    seed: int,
    hottest: float = 0.5,
    coldest: float = 0.01,
) -> Found:
    """Simulated annealing (Kirkpatrick et al. 1983) over lists of changes to named loops.

    A move inserts, drops or replaces a change; those that are no longer legal are left out. The
    temperature falls geometrically and is a difference of logarithms of seconds.

    Args:
        nest: Where to begin.
        judge: Of nests.
        evaluations: Nests to judge, at least 1.
        seed: Seeds the moves.
        hottest: First temperature.
        coldest: Last temperature.

    Raises:
        InputError: ``evaluations`` is below 1.
    """
    if evaluations < 1:
        raise InputError(f"evaluations is {evaluations}; at least 1 is needed")
    rng = np.random.default_rng(seed)
    changes: list[Change] = []
    edits: list[Edit] = []
    now = least = judge(nest)
    for temperature in np.geomspace(hottest, coldest, evaluations - 1):
        candidate, script = _carried_out(nest, _neighbour(nest, changes, rng))
        seconds = judge(script.nest)
        if np.log(seconds / now) <= temperature * rng.exponential():
            changes, now = candidate, seconds
            if now < least:
                edits, least = script.edits, now
    return Found(edits, least, evaluations)


def _neighbour(nest: Nest, changes: list[Change], rng: np.random.Generator) -> list[Change]:
    """The list with a change more, less or other."""
    place = int(rng.integers(len(changes) + 1))
    drop = int(place < len(changes) and rng.random() < 0.5)
    new = Change(
        dim=int(rng.integers(len(nest.loops))),
        part=int(rng.integers(3)),
        action=int(rng.choice(EDITS)),
        depth=int(rng.integers(len(nest.loops) + 3)),
    )
    insert = [] if drop and rng.random() < 0.5 else [new]
    return [*changes[:place], *insert, *changes[place + drop :]]


def _carried_out(nest: Nest, changes: list[Change]) -> tuple[list[Change], Script]:
    """The changes that are legal in turn and fit into an episode, and their script."""
    kept, script = [], Script(nest)
    for change in changes:
        longer = script.copy()
        longer.change(change)
        if len(longer.edits) > len(script.edits) and longer.steps < MAX_STEPS:
            kept.append(change)
            script = longer
    return kept, script
