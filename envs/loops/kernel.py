"""Edits of many nests at once: the compiled counterpart of :class:`envs.loops.nest.Nest`.

A nest is a row of ``loops``, int64 ``(MAX_LOOPS, 4)`` with columns dim, extent, step and kind, and
of ``state``, int64 ``(4,)``: number of loops, cursor, block, threads.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from envs.loops.nest import (
    ACCUMULATE,
    DOWN,
    FACTORS,
    FIRST_SPLIT,
    LARGEST_BODY,
    LONGEST_UNROLL,
    LONGEST_VECTOR,
    MAX_LOOPS,
    PARALLEL,
    SHORTEST_VECTOR,
    STOP,
    SWAP_DOWN,
    SWAP_UP,
    UNROLL,
    UP,
    VECTORISE,
    Kind,
    Loop,
    Nest,
)
from envs.loops.problem import Problem

DIM, EXTENT, STEP, KIND = range(4)
COUNT, CURSOR, BLOCK, THREADS = range(4)
SERIAL, VECTORISED, UNROLLED, PARALLELISED = (int(kind) for kind in Kind)

Integers = NDArray[np.int64]

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
_FACTORS = np.array(FACTORS)


def write(nest: Nest, loops: Integers, state: Integers) -> None:
    """Puts a nest into its rows."""
    loops[:] = 0
    for depth, loop in enumerate(nest.loops):
        loops[depth] = loop.dim, loop.extent, loop.step, loop.kind
    state[:] = len(nest.loops), nest.cursor, nest.block, nest.threads


def read(problem: Problem, loops: Integers, state: Integers) -> Nest:
    """The nest in its rows."""
    count, cursor, block, threads = state.tolist()
    rows = loops[:count].tolist()
    parts = tuple(Loop(dim, extent, step, Kind(kind)) for dim, extent, step, kind in rows)
    return Nest(problem, parts, cursor, block, threads)


@_compiled
def mask(
    loops: Integers, state: Integers, reduced: NDArray[np.bool_], legal: NDArray[np.int8]
) -> None:
    """Writes 1 for every legal action of one nest, 0 for the others, into ``legal``."""
    count, c, block, threads = state
    kind, extent = loops[c, KIND], loops[c, EXTENT]
    serial, sums = kind == SERIAL, reduced[loops[c, DIM]]
    legal[UP], legal[DOWN] = c > 0, c < count - 1
    legal[SWAP_UP] = _swaps(loops, count, block, reduced, c)
    legal[SWAP_DOWN] = _swaps(loops, count, block, reduced, c + 1)
    for i in range(len(_FACTORS)):
        divides = extent > _FACTORS[i] and extent % _FACTORS[i] == 0
        legal[FIRST_SPLIT + i] = serial and divides and count < MAX_LOOPS
    copies, vectors, around = 1, 0, False
    for depth in range(count):
        copies *= loops[depth, EXTENT] if loops[depth, KIND] == UNROLLED else 1
        vectors += loops[depth, KIND] == VECTORISED
        around |= depth < c and reduced[loops[depth, DIM]]
    fits = SHORTEST_VECTOR <= extent <= LONGEST_VECTOR and loops[c, STEP] == 1
    legal[VECTORISE] = kind == VECTORISED or (serial and not sums and fits and vectors == 0)
    small = extent <= LONGEST_UNROLL and copies * extent <= LARGEST_BODY
    legal[UNROLL] = kind == UNROLLED or (serial and small)
    alone = c == 0 and threads > 1 and not sums
    legal[PARALLEL] = kind == PARALLELISED or (serial and alone)
    legal[ACCUMULATE] = not around
    legal[STOP] = True


@_compiled
def _swaps(loops: Integers, count: int, block: int, reduced: NDArray[np.bool_], lower: int) -> bool:
    if lower < 1 or lower >= count:
        return False
    for depth in (lower - 1, lower):
        if loops[depth, KIND] == VECTORISED or loops[depth, KIND] == PARALLELISED:
            return False
    leaves_block = block == lower and reduced[loops[lower, DIM]]
    return bool(loops[lower - 1, DIM] != loops[lower, DIM] and not leaves_block)


@_compiled
def edit(loops: Integers, state: Integers, action: int) -> bool:
    """Takes a legal action on one nest; returns whether the loops are not what they were."""
    c = state[CURSOR]
    if action in (UP, DOWN):
        state[CURSOR] += 1 if action == DOWN else -1
        return False
    if action == STOP:
        return False
    if action in (SWAP_UP, SWAP_DOWN):
        other = c - 1 if action == SWAP_UP else c + 1
        for column in range(4):
            loops[c, column], loops[other, column] = loops[other, column], loops[c, column]
        state[CURSOR] = other
    elif action < VECTORISE:
        factor = _FACTORS[action - FIRST_SPLIT]
        for depth in range(state[COUNT], c, -1):
            loops[depth] = loops[depth - 1]
        loops[c, EXTENT] //= factor
        loops[c, STEP] *= factor
        loops[c + 1, EXTENT] = factor
        state[COUNT] += 1
        state[BLOCK] += state[BLOCK] > c
    elif action == ACCUMULATE:
        state[BLOCK] = -1 if state[BLOCK] == c else c
    elif loops[c, KIND] != SERIAL:
        loops[c, KIND] = SERIAL
    elif action == VECTORISE:
        dim, extent = loops[c, DIM], loops[c, EXTENT]
        for depth in range(c, state[COUNT] - 1):
            loops[depth] = loops[depth + 1]
        last = state[COUNT] - 1
        loops[last, DIM], loops[last, EXTENT] = dim, extent
        loops[last, STEP], loops[last, KIND] = 1, VECTORISED
        state[BLOCK] -= state[BLOCK] > c
    else:
        loops[c, KIND] = UNROLLED if action == UNROLL else PARALLELISED
    return True


@_compiled
def edit_all(
    rows: NDArray[np.bool_],
    actions: Integers,
    loops: Integers,
    state: Integers,
    reduced: NDArray[np.bool_],
    legal: NDArray[np.int8],
    changed: NDArray[np.bool_],
) -> None:
    """Takes an action in each of the given rows where it is legal.

    Args:
        rows: bool ``(B,)``.
        actions: int64 ``(B,)``, in range.
        loops: int64 ``(B, MAX_LOOPS, 4)``, changed.
        state: int64 ``(B, 4)``, changed.
        reduced: bool ``(B, D)``.
        legal: int8 ``(B, A)``, the masks before; written anew.
        changed: bool ``(B,)``, written: whether the loops are not what they were.
    """
    for row in range(len(rows)):
        changed[row] = False
        if rows[row] and legal[row, actions[row]]:
            changed[row] = edit(loops[row], state[row], actions[row])
        mask(loops[row], state[row], reduced[row], legal[row])
