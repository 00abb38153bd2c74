"""Where the nodes of a page are, worked out once for every structure and state that comes up."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from envs.web.document import CONTROLS, Box, Node

Place = tuple[int, int, bool]
"""Left and top in page coordinates, and whether something else covers the centre of the box."""

Offsets = tuple[tuple[int, tuple[int, int]], ...]
"""Nodes that have moved, with their left and top relative to their parents' boxes."""

_SHAPE = attrgetter("tag", "type", "id", "name", "parent", "box")


@dataclass(frozen=True, eq=False)
class Structure:
    """What pages share whose nodes differ in nothing but words, values and what is hidden.

    Attributes:
        parents: Index of each node's parent, or -1.
        boxes: Each node's box, relative to its parent's.
        solid: Whether a node takes room on the page at all.
        listed: Indices of the nodes with a row; see :meth:`envs.web.document.Document.listed`.
        refs: Position in ``listed`` by index.
        ids: Index by id.
        named: Indices of the nodes with a name.
        groups: Radio buttons by name.
        kinds: The type that each node's row shows, or ``None`` for what holds no value.
        corrected: Indices of the nodes whose initial value a browser may correct.
    """

    parents: tuple[int, ...]
    boxes: tuple[Box, ...]
    solid: tuple[bool, ...]
    listed: tuple[int, ...]
    refs: dict[int, int]
    ids: dict[str, int]
    named: tuple[int, ...]
    groups: dict[str, tuple[int, ...]]
    kinds: tuple[str | None, ...]
    corrected: tuple[int, ...]

    def within(self, index: int, other: int) -> bool:
        """Whether a node is another or stands in it."""
        while index >= 0:
            if index == other:
                return True
            index = self.parents[index]
        return False

    @cached_property
    def origins(self) -> tuple[tuple[int, int], ...]:
        """Left and top of each node in page coordinates, before any widget moves it."""
        found: list[tuple[int, int]] = []
        for parent, box in zip(self.parents, self.boxes, strict=True):
            left, top = found[parent] if parent >= 0 else (0, 0)
            found.append((left + box.left, top + box.top))
        return tuple(found)

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """``[i, j]``: whether node ``i`` is node ``j`` or stands in it."""
        inside = np.eye(len(self.parents), dtype=np.bool_)
        for index, parent in enumerate(self.parents):
            if parent >= 0:
                inside[index] |= inside[parent]
        return inside

    @cached_property
    def nowhere(self) -> "Layout":
        """The layout in which nothing is displayed."""
        return Layout((None,) * len(self.parents))


@dataclass(frozen=True, eq=False)
class Layout:
    """Where nodes are; ``None`` where one is not displayed."""

    places: tuple[Place | None, ...]


def structure(nodes: Sequence[Node]) -> Structure:
    """The structure of nodes; the same object for the same structure."""
    return _structure(tuple(map(_SHAPE, nodes)))


@lru_cache(maxsize=1 << 12)
def _structure(shapes: tuple[tuple[str, str, str, str, int, Box], ...]) -> Structure:
    nodes = [Node(tag, box, id, "", "", kind, name) for tag, kind, id, name, _, box in shapes]
    listed = tuple(index for index, node in enumerate(nodes) if node.listed)
    groups: dict[str, tuple[int, ...]] = {}
    for index, node in enumerate(nodes):
        if node.type == "radio":
            groups[node.name] = (*groups.get(node.name, ()), index)
    return Structure(
        parents=tuple(shape[4] for shape in shapes),
        boxes=tuple(node.box for node in nodes),
        solid=tuple(node.type != "hidden" for node in nodes),
        listed=listed,
        refs={index: ref for ref, index in enumerate(listed)},
        ids={node.id: index for index, node in enumerate(nodes) if node.id},
        named=tuple(index for index, node in enumerate(nodes) if node.name),
        groups=groups,
        kinds=tuple(_kind(node) for node in nodes),
        corrected=tuple(
            index
            for index, node in enumerate(nodes)
            if node.tag == "select" or node.type in ("checkbox", "radio", "range")
        ),
    )


def _kind(node: Node) -> str | None:
    if node.tag == "button":
        return "submit" if node.type == "submit" else "button"
    if node.tag not in CONTROLS or node.tag == "a":
        return None
    return node.type if node.tag == "input" else ""


@lru_cache(maxsize=1 << 12)
def lay_out(structure: Structure, hidden: bytes, popup: int, offsets: Offsets) -> Layout:
    """Finds what is displayed, where, and what is covered by something above it.

    Args:
        structure: Of the page.
        hidden: For each node, 1 if it is not displayed by itself.
        popup: The open popup's container, which stands above everything else, or -1.
        offsets: What has moved.
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
