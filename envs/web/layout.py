"""The places of a page's nodes, computed once for every structure and state that comes up."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from envs.web.document import Structure

Place = tuple[int, int, bool]
"""Left and top in page coordinates, and whether something else covers the centre of the box."""

Offsets = tuple[tuple[int, tuple[int, int]], ...]
"""Nodes that have moved, with their left and top relative to their parents' boxes."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The places of nodes; ``None`` where one is not displayed."""

    places: tuple[Place | None, ...]


@lru_cache(maxsize=1 << 12)
def nowhere(structure: Structure) -> Layout:
    """The layout in which nothing is displayed."""
    return Layout((None,) * len(structure.parents))


@lru_cache(maxsize=1 << 12)
def lay_out(structure: Structure, hidden: bytes, popup: int, offsets: Offsets) -> Layout:
    """Finds what is displayed, where, and what is covered by something above it.

    Args:
        structure: The page's structure.
        hidden: For each node, 1 if it is not displayed by itself.
        popup: The open popup's container, which stands above everything else, or -1.
        offsets: The nodes that have moved.
    """
    boxes = np.array(structure.boxes, np.int64).reshape(-1, 4)
    for index, corner in offsets:
        boxes[index, :2] = corner
    left, top, width, height = boxes.T
    gone = np.frombuffer(hidden, np.bool_) | (width == 0) | (height == 0) | ~_flags(structure.solid)
    for index, parent in enumerate(structure.parents):
        if parent >= 0:
            left[index] += left[parent]
            top[index] += top[parent]
            gone[index] |= gone[parent]
    across, down = left + width // 2, top + height // 2
    hit = (across[:, None] >= left) & (across[:, None] < left + width)
    hit &= (down[:, None] >= top) & (down[:, None] < top + height)
    hit &= ~gone
    count, inside = len(boxes), structure.inside
    level = np.arange(count)
    if popup >= 0:
        level = level + count * inside[:, popup]
    above = np.where(hit, level, -1).argmax(axis=1)
    covered = ~inside[above, np.arange(count)]
    places = zip(left.tolist(), top.tolist(), covered.tolist(), strict=True)
    return Layout(
        tuple(None if away else place for away, place in zip(gone.tolist(), places, strict=True))
    )


@lru_cache(maxsize=1 << 14)
def moved(structure: Structure, before: Layout, after: Layout) -> tuple[int, ...]:
    """The nodes with rows that two layouts put in different places."""
    return tuple(i for i in structure.listed if before.places[i] != after.places[i])


def _flags(values: Sequence[bool]) -> NDArray[np.bool_]:
    return np.array(values, np.bool_)
