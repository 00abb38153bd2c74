"""A nest of loops that edits at a cursor turn into another nest computing the same."""

from dataclasses import dataclass, replace
from enum import IntEnum

from envs.loops.problem import Problem
from hardware_sim.errors import InputError

MAX_LOOPS = 12
LONGEST_VECTOR = 64
SHORTEST_VECTOR = 4
LONGEST_UNROLL = 16
LARGEST_BODY = 64
"""Copies of the innermost statement that unrolling may make in all."""

FACTORS = (2, 3, 4, 7, 8, 16, 32, 64)
"""Lengths of the inner loop that a split makes."""

ACTIONS = (
    "up",
    "down",
    "swap up",
    "swap down",
    *(f"split {factor}" for factor in FACTORS),
    "vectorise",
    "unroll",
    "parallel",
    "accumulate",
    "stop",
)
UP, DOWN, SWAP_UP, SWAP_DOWN, FIRST_SPLIT = range(5)
VECTORISE, UNROLL, PARALLEL, ACCUMULATE, STOP = range(FIRST_SPLIT + len(FACTORS), len(ACTIONS))


class Kind(IntEnum):
    """The way in which the iterations of a loop are executed."""

    SERIAL = 0
    VECTORISED = 1
    UNROLLED = 2
    PARALLEL = 3


@dataclass(frozen=True)
class Loop:
    """One loop of a nest.

    Attributes:
        dim: Number of the problem's loop that it is, or is a part of.
        extent: Iterations.
        step: Distance by which an iteration moves the problem's loop counter.
        kind: The way in which it is executed.
    """

    dim: int
    extent: int
    step: int = 1
    kind: Kind = Kind.SERIAL


@dataclass(frozen=True, eq=False)
class Nest:
    """Loops of a problem in the order of their nesting, and a cursor on one of them.

    This is the plain statement of what edits do; :mod:`envs.loops.kernel` does the same to many
    nests at once.

    Attributes:
        problem: The problem that is computed.
        loops: The loops, outermost first.
        cursor: Depth of the loop that edits act on.
        block: Depth from which on sums are kept in local accumulators, which are stored when
            the loops from there inwards are done; -1 if every product is added in memory.
        threads: Cores; with one, nothing is parallel.
    """

    problem: Problem
    loops: tuple[Loop, ...]
    cursor: int = 0
    block: int = -1
    threads: int = 1

    @classmethod
    def unscheduled(cls, problem: Problem, threads: int = 1) -> "Nest":
        """The loops as the problem states them, all serial."""
        loops = tuple(Loop(dim, int(extent)) for dim, extent in enumerate(problem.extents))
        return cls(problem, loops, threads=threads)

    def reduces(self, depth: int) -> bool:
        """True if a loop sums."""
        return bool(self.problem.reduced[self.loops[depth].dim])

    def legal(self, action: int) -> bool:
        """True if an action may be taken; it never changes what is computed.

        Parts of one problem loop keep their order. Vectorised is one loop at most, of 4 to 64
        neighbouring elements of the output, and it is innermost. Loops of up to 16 iterations
        unroll while the copies stay below 64. Only the outermost loop is parallel, and sums are
        never shared between threads. No loop that sums is around the accumulators.
        """
        c, loop, last = self.cursor, self.loops[self.cursor], len(self.loops) - 1
        if action in (UP, DOWN):
            return 0 <= c + (1 if action == DOWN else -1) <= last
        if action in (SWAP_UP, SWAP_DOWN):
            return self._swaps(c if action == SWAP_UP else c + 1)
        if action < VECTORISE:
            factor = FACTORS[action - FIRST_SPLIT]
            divides = loop.extent > factor and loop.extent % factor == 0
            return loop.kind == Kind.SERIAL and divides and last + 1 < MAX_LOOPS
        if action == ACCUMULATE:
            return not any(self.reduces(depth) for depth in range(c))
        if action == STOP:
            return True
        asked = {VECTORISE: Kind.VECTORISED, UNROLL: Kind.UNROLLED, PARALLEL: Kind.PARALLEL}[action]
        if loop.kind != Kind.SERIAL:
            return loop.kind == asked
        if asked == Kind.UNROLLED:
            copies = loop.extent
            for other in self.loops:
                copies *= other.extent if other.kind == Kind.UNROLLED else 1
            return loop.extent <= LONGEST_UNROLL and copies <= LARGEST_BODY
        if self.reduces(c):
            return False
        if asked == Kind.PARALLEL:
            return c == 0 and self.threads > 1
        fits = SHORTEST_VECTOR <= loop.extent <= LONGEST_VECTOR and loop.step == 1
        return fits and all(other.kind != Kind.VECTORISED for other in self.loops)

    def _swaps(self, lower: int) -> bool:
        """True if the loops at depths ``lower - 1`` and ``lower`` may change places."""
        if not 0 < lower < len(self.loops):
            return False
        pair = self.loops[lower - 1 : lower + 1]
        fixed = any(loop.kind in (Kind.VECTORISED, Kind.PARALLEL) for loop in pair)
        leaves_block = self.block == lower and self.reduces(lower)
        return not fixed and pair[0].dim != pair[1].dim and not leaves_block

    def after(self, action: int) -> "Nest":
        """The nest after an action; ``stop`` changes nothing.

        Splitting leaves the cursor on the outer part, swapping takes it along, and vectorising
        moves the loop inwards but not the cursor. Vectorise, unroll, parallel and accumulate undo
        themselves.

        Raises:
            InputError: The action is not legal.
        """
        if not (0 <= action < len(ACTIONS) and self.legal(action)):
            raise InputError(f"action {action} is not legal for the nest\n{self}")
        c, loop = self.cursor, self.loops[self.cursor]
        if action in (UP, DOWN):
            return replace(self, cursor=c + (1 if action == DOWN else -1))
        if action in (SWAP_UP, SWAP_DOWN):
            first = c - 1 if action == SWAP_UP else c
            upper, lower = self.loops[first : first + 2]
            loops = (*self.loops[:first], lower, upper, *self.loops[first + 2 :])
            return replace(self, loops=loops, cursor=first if action == SWAP_UP else first + 1)
        if action < VECTORISE:
            factor = FACTORS[action - FIRST_SPLIT]
            parts = (
                replace(loop, extent=loop.extent // factor, step=loop.step * factor),
                replace(loop, extent=factor),
            )
            block = self.block + 1 if self.block > c else self.block
            return replace(self, loops=(*self.loops[:c], *parts, *self.loops[c + 1 :]), block=block)
        if action == ACCUMULATE:
            return replace(self, block=-1 if self.block == c else c)
        if action == STOP:
            return self
        asked = {VECTORISE: Kind.VECTORISED, UNROLL: Kind.UNROLLED, PARALLEL: Kind.PARALLEL}[action]
        changed = replace(loop, kind=Kind.SERIAL if loop.kind == asked else asked)
        rest = self.loops[:c], self.loops[c + 1 :]
        if changed.kind == Kind.VECTORISED:
            block = self.block - 1 if self.block > c else self.block
            return replace(self, loops=(*rest[0], *rest[1], changed), block=block)
        return replace(self, loops=(*rest[0], changed, *rest[1]))

    def __str__(self) -> str:
        """The nest as text, one line a loop, ``>`` before the one at the cursor."""
        lines = []
        for depth, loop in enumerate(self.loops):
            if depth == self.block:
                lines.append(f"  {'  ' * depth}accumulate")
            mark = ">" if depth == self.cursor else " "
            name = self.problem.letters[loop.dim]
            by = f" by {loop.step}" if loop.step > 1 else ""
            kind = "" if loop.kind == Kind.SERIAL else f" {loop.kind.name.lower()}"
            lines.append(f"{mark} {'  ' * depth}for {name} in {loop.extent}{by}{kind}")
        statement = STATEMENTS[self.problem.operation]
        return "\n".join([*lines, f"  {'  ' * len(self.loops)}{statement}"])


STATEMENTS = {
    "matmul": "out[i, j] += left[i, k] * right[k, j]",
    "conv": "out[y, x, o] += left[y + r, x + s, c] * right[r, s, c, o]",
}
