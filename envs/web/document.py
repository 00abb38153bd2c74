"""A page as data: what the server sends to a browser and what the twin interprets.

Every visible node has a fixed box, so that the twin knows the layout without a browser; what moves
or appears while a page lives is declared as a widget over nodes that are there from the start.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
    """One element of a page.

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
        """Whether observations have a row for it: controls and texts, not containers."""
        return self.tag not in CONTAINERS and self.type != "hidden"


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

    def check(self) -> None:
        """Raises unless the document can be shown and interpreted.

        Raises:
            InputError: A duplicate id, an unknown tag or type, too many elements, a child before
                its parent, or a listed box that leaves the viewport.
        """
        seen: set[str] = set()
        for index, node in enumerate(self.nodes):
            if node.tag not in CONTAINERS + CONTROLS + TEXTS:
                raise InputError(f"{self.title}: node {index} has unknown tag {node.tag!r}")
            if node.tag == "input" and node.type not in INPUT_TYPES:
                raise InputError(f"{self.title}: input {node.id} has unknown type {node.type!r}")
            if node.id and node.id in seen:
                raise InputError(f"{self.title}: two nodes have the id {node.id!r}")
            if node.parent >= index:
                raise InputError(f"{self.title}: node {index} comes before its parent")
            seen.add(node.id)
        count = len(self.listed())
        if count > MAX_ELEMENTS:
            raise InputError(f"{self.title}: {count} elements; at most {MAX_ELEMENTS} are allowed")

    def listed(self) -> list[int]:
        """Indices of the nodes with a row; an element's ``ref`` is its position in this list."""
        return [index for index, node in enumerate(self.nodes) if node.listed]

    def index(self, node_id: str) -> int:
        """The index of the node with an id.

        Raises:
            InputError: There is none.
        """
        for index, node in enumerate(self.nodes):
            if node.id == node_id:
                return index
        raise InputError(f"{self.title} has no node {node_id!r}")

    def origin(self, index: int) -> tuple[int, int]:
        """Left and top of a node in page coordinates, as it stands before any widget moves it."""
        left, top = 0, 0
        while index >= 0:
            box = self.nodes[index].box
            left, top = left + box.left, top + box.top
            index = self.nodes[index].parent
        return left, top


Pairs = Sequence[tuple[str, str]]
"""Names and values of a form or query, in order; names may repeat."""
