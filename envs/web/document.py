"""A page as data: what the server sends to a browser and what the twin interprets.

Every visible node has a fixed box, so that the twin knows the layout without a browser; what moves
or appears while a page lives is declared as a widget over nodes that are there from the start.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hardware_sim.errors import InputError

MAX_ELEMENTS = 96
"""Most elements that a page may list, and rows of an observation."""

CONTAINERS = ("div", "fieldset", "form", "section")
CONTROLS = ("a", "button", "input", "select", "textarea")
TEXTS = ("h1", "h2", "label", "li", "p", "span", "td", "th")
INPUT_TYPES = ("checkbox", "hidden", "password", "radio", "range", "submit", "text")


class Box(NamedTuple):
    """A rectangle in whole CSS pixels; relative to the parent's box, or to the page."""

    left: int
    top: int
    width: int
    height: int


NO_BOX = Box(0, 0, 0, 0)


@dataclass(slots=True)
class Node:
    """One element of a page; documents may share it, so that a finished one never changes.

    Attributes:
        tag: One of ``CONTAINERS``, ``CONTROLS`` and ``TEXTS``.
        box: Where it is, relative to its parent's box; ignored for hidden inputs.
        id: Unique in its document; widgets name nodes by it.
        text: Its own text; for controls without text use ``label``.
        label: What a person reads beside it (``aria-label``); a row's text where ``text`` is empty.
        type: Type of an ``input``, one of ``INPUT_TYPES``.
        name: Key in the form's request; empty for controls that send nothing.
        value: Initial value; of a button, what it sends when it submits.
        checked: Initial state of a checkbox or radio button.
        hidden: Not displayed until a widget shows it; hides its children too.
        readonly: A text input that takes focus but no typing.
        disabled: A control that takes neither.
        options: ``(value, text)`` of a ``select``.
        href: Where a link leads, relative to the application's root, which is ``"./"``.
        label_for: Id of the control a ``label`` belongs to.
        classes: CSS classes, separated by blanks.
        parent: Index of the containing node in the document, or -1.
        range: ``(min, max, step)`` of a range input.
        style: Extra inline CSS, for colours; never for position or size.
    """

    tag: str
    box: Box = NO_BOX
    id: str = ""
    text: str = ""
    label: str = ""
    type: str = ""
    name: str = ""
    value: str = ""
    checked: bool = False
    hidden: bool = False
    readonly: bool = False
    disabled: bool = False
    options: tuple[tuple[str, str], ...] = ()
    href: str = ""
    label_for: str = ""
    classes: str = ""
    parent: int = -1
    range: tuple[int, int, int] = (0, 100, 1)
    style: str = ""

    @property
    def listed(self) -> bool:
        """True if observations have a row for it: controls and texts, not containers."""
        return self.tag not in CONTAINERS and self.type != "hidden"


@dataclass(frozen=True, eq=False)
class Structure:
    """The structure shared by pages whose nodes differ only in words, values and what is hidden.

    Attributes:
        parents: Index of each node's parent, or -1.
        boxes: Each node's box, relative to its parent's.
        solid: Whether a node takes room on the page at all.
        listed: Indices of the nodes with a row; those that observations list.
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
        """True if a node is another or stands in it."""
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
        """``[i, j]`` is true if node ``i`` is node ``j`` or stands in it."""
        inside = np.eye(len(self.parents), dtype=np.bool_)
        for index, parent in enumerate(self.parents):
            if parent >= 0:
                inside[index] |= inside[parent]
        return inside


_SHAPE = attrgetter("tag", "type", "id", "name", "parent", "box")
"""The attributes of a node that are part of its page's structure."""


@lru_cache(maxsize=1 << 12)
def _structure(shapes: tuple[tuple[str, str, str, str, int, Box], ...]) -> Structure:
    """The structure of nodes, the same object for the same shapes; checks it first."""
    nodes = [
        Node(tag, box, name_of, "", "", kind, name, parent=parent)
        for tag, kind, name_of, name, parent, box in shapes
    ]
    _check(nodes)
    listed = tuple(index for index, node in enumerate(nodes) if node.listed)
    groups: dict[str, tuple[int, ...]] = {}
    for index, node in enumerate(nodes):
        if node.type == "radio":
            groups[node.name] = (*groups.get(node.name, ()), index)
    return Structure(
        parents=tuple(node.parent for node in nodes),
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


def _check(nodes: Sequence[Node]) -> None:
    """Raises unless nodes can be shown and interpreted; see :meth:`Document.check`."""
    seen: set[str] = set()
    for index, node in enumerate(nodes):
        if node.tag not in CONTAINERS + CONTROLS + TEXTS:
            raise InputError(f"node {index} has unknown tag {node.tag!r}")
        if node.tag == "input" and node.type not in INPUT_TYPES:
            raise InputError(f"input {node.id} has unknown type {node.type!r}")
        if node.id and node.id in seen:
            raise InputError(f"two nodes have the id {node.id!r}")
        if node.parent >= index:
            raise InputError(f"node {index} comes before its parent")
        seen.add(node.id)
    count = sum(node.listed for node in nodes)
    if count > MAX_ELEMENTS:
        raise InputError(f"{count} elements; at most {MAX_ELEMENTS} are allowed")


@dataclass(slots=True)
class Document:
    """A page: nodes in document order, the widgets over them, and the form they stand in.

    The whole page is one form, sent by ``method`` to ``action`` when a submit control is activated.

    Attributes:
        title: The page's title.
        size: Width and height of the viewport in CSS pixels; a page never scrolls.
        nodes: In document order, which is also tab order; parents come before their children.
        widgets: What happens on events, as JSON objects with a ``type``, made by
            :mod:`envs.web.widgets`.
        action: Where the form goes, relative to the application's root.
        method: ``"post"`` or ``"get"``.
        skin: Name of the style sheet section, the class of ``<body>``.
    """

    title: str
    size: tuple[int, int]
    nodes: list[Node]
    widgets: list[dict[str, Any]] = field(default_factory=list)
    action: str = ""
    method: str = "post"
    skin: str = ""
    _structure: Structure | None = field(default=None, init=False, repr=False, compare=False)

    def check(self) -> None:
        """Raises unless the document can be shown and interpreted.

        Raises:
            InputError: A duplicate id, an unknown tag or type, too many elements, or a child before
                its parent.
        """
        _ = self.structure

    @property
    def structure(self) -> Structure:
        """The structure of the page; the same object for all pages of the same structure.

        Raises:
            InputError: As of :meth:`check`.
        """
        if self._structure is None:
            try:
                self._structure = _structure(tuple(map(_SHAPE, self.nodes)))
            except InputError as error:
                raise InputError(f"{self.title}: {error}") from None
        return self._structure

    def with_value(self, name: str, value: str) -> "Document":
        """The same page, but for the initial value of the first node with a name."""
        index = next(i for i in self.structure.named if self.nodes[i].name == name)
        nodes = self.nodes.copy()
        nodes[index] = replace(nodes[index], value=value)
        page = replace(self, nodes=nodes)
        page._structure = self._structure
        return page

    def listed(self) -> tuple[int, ...]:
        """Indices of the nodes with a row; an element's ``ref`` is its position in this list."""
        return self.structure.listed

    def index(self, node_id: str) -> int:
        """The index of the node with an id.

        Raises:
            InputError: There is none.
        """
        if node_id not in self.structure.ids:
            raise InputError(f"{self.title} has no node {node_id!r}")
        return self.structure.ids[node_id]

    def origin(self, index: int) -> tuple[int, int]:
        """Left and top of a node in page coordinates, as it stands before any widget moves it."""
        return self.structure.origins[index]


Pairs = Sequence[tuple[str, str]]
"""Names and values of a form or query, in order; names may repeat."""
