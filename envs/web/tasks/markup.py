"""Pages of small tasks: HTML files with slots, parsed once and laid out at each drawing.

A file holds a small subset of HTML. Texts and attributes may have slots, as ``{name}`` or
``{item.price:.2f}`` (:meth:`str.format`); an element with ``each="item in items"`` is repeated for
every value of a slot, with ``{index}`` counting from 0. An outermost ``<form>`` gives the page's
``action``, ``method`` and ``title``.

Layout: blocks stack from top to bottom, the children of a ``class="row"`` stand side by side and
those of a ``class="stack"`` all in the same place. An element is as wide as its parent allows (in a
row: an equal share of what is left) and as high as its tag or its children need; ``width`` and
``height`` override. An element with ``left`` or ``top`` stands there and takes no room. A container
may have ``gap`` and ``padding``.

``<widget type="tabs" openers="tab*" panels="panel0 | panel1"/>`` declares a widget: its attributes
are the arguments of the function in :mod:`envs.web.widgets`. Lists of ids are separated by blanks,
and ``tab*`` stands for every id that begins with ``tab``; pairs are ``input:code``.
"""

import string
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from envs.web import widgets
from envs.web.document import CONTAINERS, CONTROLS, INPUT_TYPES, TEXTS, Box, Document, Node
from hardware_sim.errors import InputError, choose

HEIGHTS = {"button": 20, "input": 20, "select": 20, "textarea": 40, "h1": 18, "h2": 16}
"""Heights of one line by tag; other texts take ``LINE`` a line."""

SMALL = {"checkbox": (16, 16), "radio": (16, 16), "hidden": (0, 0)}
"""Width and height of the inputs that don't take a line."""

LINE = 15
CHARACTER = 6
"""Height of a line and width of an average character in CSS pixels."""

GAP = 3

WIDGETS = (
    "autocomplete",
    "calendar",
    "choice",
    "depends",
    "dropzones",
    "filtering",
    "listbox",
    "mirror",
    "reveal",
    "sortable",
    "stepper",
    "tabs",
    "toggle",
)
ID_LISTS = ("cells", "hide", "ids", "items", "openers", "show", "zones")
NUMBERS = ("least", "most", "week_start")

TEXT_ATTRIBUTES = {
    "id": "id",
    "aria-label": "label",
    "type": "type",
    "name": "name",
    "value": "value",
    "href": "href",
    "for": "label_for",
    "class": "classes",
    "style": "style",
}
FLAGS = ("checked", "hidden", "readonly", "disabled")
LAYOUT = ("width", "height", "left", "top", "gap", "padding")
LIMITS = ("min", "max", "step")

Slots = dict[str, Any]


@dataclass(slots=True)
class Element:
    """An element of a parsed file, with its slots still open."""

    tag: str
    attributes: dict[str, str]
    each: tuple[str, str] | None = None
    text: str = ""
    children: list["Element"] = field(default_factory=list)
    texts: dict[str, Any] = field(default_factory=dict)
    layout: dict[str, int] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    open_texts: list[tuple[str, str]] = field(default_factory=list)

    def prepare(self) -> None:
        """Sorts the attributes by how drawing uses them; raises InputError for an unknown one."""
        for name, value in self.attributes.items():
            if name in LAYOUT:
                self.layout[name] = int(value)
            elif name in FLAGS:
                self.flags[name] = value
            elif name in TEXT_ATTRIBUTES and "{" in value:
                self.open_texts.append((TEXT_ATTRIBUTES[name], value))
            elif name in TEXT_ATTRIBUTES:
                self.texts[TEXT_ATTRIBUTES[name]] = value
            elif name not in LIMITS:
                allowed = (*TEXT_ATTRIBUTES, *FLAGS, *LAYOUT, *LIMITS, "each")
                choose(f"attribute of <{self.tag}>", name, allowed)


class _Parser(HTMLParser):
    """Builds the tree of elements; complains about what the subset lacks."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.root = Element("page", {})
        self.stack = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        choose(f"tag in {self.source}", tag, CONTAINERS + CONTROLS + TEXTS + ("option", "widget"))
        attributes = {name: "true" if value is None else value for name, value in attrs}
        element = Element(tag, attributes)
        if "each" in attributes:
            name, _, values = attributes.pop("each").partition(" in ")
            element.each = (name.strip(), values.strip())
        if tag not in ("option", "widget") and not self._outermost(element):
            element.prepare()
        if tag == "input":
            choose(f"type of an input in {self.source}", attributes.get("type", ""), INPUT_TYPES)
        self.stack[-1].children.append(element)
        if tag != "input":
            self.stack.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag != "input":
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        if self.stack[-1].tag != tag:
            opened = f"<{self.stack[-1].tag}>"
            raise InputError(f"{self.source}: </{tag}> closes {opened}; close {opened} first")
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text:
            self.stack[-1].text += text

    def _outermost(self, element: Element) -> bool:
        return element.tag == "form" and len(self.stack) == 1


@dataclass(frozen=True)
class Template:
    """A parsed file.

    Attributes:
        root: Holds the page's elements as its children.
        action: Where the form goes.
        method: ``"post"`` or ``"get"``.
        title: The page's title.
    """

    root: Element
    action: str
    method: str
    title: str

    def document(self, slots: Slots, size: tuple[int, int], skin: str, top: list[Node]) -> Document:
        """The page with its slots filled in.

        Args:
            slots: Values by name.
            size: Width and height of the viewport.
            skin: Class of ``<body>``.
            top: Nodes without children that stand above the page.
        """
        begin = max((node.box.top + node.box.height for node in top), default=0)
        drawing = _Drawing(list(top))
        drawing.block(self.root.children, slots, -1, Box(4, begin + 4, size[0] - 8, 0), GAP)
        ids = [node.id for node in drawing.nodes if node.id]
        declared = [_widget(attributes, ids) for attributes in drawing.widgets]
        return Document(
            self.title.format_map(slots),
            size,
            drawing.nodes,
            declared,
            self.action,
            self.method,
            skin,
        )


@cache
def template(path: Path) -> Template:
    """Parses a file, once.

    Raises:
        InputError: The file uses what the subset lacks.
    """
    parser = _Parser(path.name)
    parser.feed(path.read_text(encoding="utf-8"))
    parser.close()
    if len(parser.stack) > 1:
        raise InputError(f"{path.name}: <{parser.stack[-1].tag}> is never closed")
    root = parser.root
    attributes: dict[str, str] = {}
    if len(root.children) == 1 and root.children[0].tag == "form":
        root = root.children[0]
        attributes = root.attributes
    return Template(
        root,
        attributes.get("action", "answer"),
        attributes.get("method", "post"),
        attributes.get("title", path.stem.replace("_", " ").capitalize()),
    )


class _Drawing:
    """Nodes and widgets of one document in the making."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.widgets: list[dict[str, str]] = []

    def block(self, children: list[Element], slots: Slots, parent: int, room: Box, gap: int) -> int:
        """Stacks children in a room of open height; returns the height they take."""
        top = room.top
        for child, scope in _expanded(children, slots):
            height = self.element(child, scope, parent, Box(room.left, top, room.width, 0))
            if height:
                top += height + gap
        return max(0, top - room.top - gap)

    def row(self, children: list[Element], slots: Slots, parent: int, room: Box, gap: int) -> int:
        """Puts children side by side; returns the height of the highest."""
        expanded = _expanded(children, slots)
        widths = [_own_width(child) for child, _ in expanded]
        fixed = sum(width for width in widths if width is not None)
        used = fixed + gap * sum(width != 0 for width in widths) - gap
        share = (room.width - used) // max(1, widths.count(None))
        left, highest = room.left, 0
        for (child, scope), width in zip(expanded, widths, strict=True):
            taken = share if width is None else width
            height = self.element(child, scope, parent, Box(left, room.top, taken, 0))
            highest = max(highest, height)
            if taken:
                left += taken + gap
        return highest

    def pile(self, children: list[Element], slots: Slots, parent: int, room: Box) -> int:
        """Puts children in the same place; returns the height of the highest."""
        heights = [
            self.element(child, scope, parent, room) for child, scope in _expanded(children, slots)
        ]
        return max(heights, default=0)

    def element(self, element: Element, slots: Slots, parent: int, room: Box) -> int:
        """Draws an element at the top left of its room; returns the height it takes there."""
        if element.tag == "widget":
            attributes = element.attributes.items()
            self.widgets.append({name: value.format_map(slots) for name, value in attributes})
            return 0
        layout = element.layout
        node = Node(element.tag, parent=parent)
        for name, value in element.texts.items():
            setattr(node, name, value)
        for name, value in element.open_texts:
            setattr(node, name, value.format_map(slots))
        for name, value in element.flags.items():
            setattr(node, name, value.format_map(slots) not in ("", "False"))
        if element.text:
            node.text = element.text.format_map(slots) if "{" in element.text else element.text
        index = len(self.nodes)
        self.nodes.append(node)
        width = layout.get("width", SMALL.get(node.type, (room.width,))[0])
        needed = self._inside(element, node, slots, index, width)
        height = layout.get("height", needed)
        placed = "left" in layout or "top" in layout
        left = layout.get("left", 0) if placed else room.left
        top = layout.get("top", 0) if placed else room.top
        node.box = Box(left, top, width, height)
        return 0 if placed else height

    def _inside(self, element: Element, node: Node, slots: Slots, index: int, width: int) -> int:
        """Draws what an element holds; returns the height that it needs."""
        if node.tag not in CONTAINERS:
            _complete(element, node, slots)
            return _leaf_height(node, width)
        padding, gap = element.layout.get("padding", 0), element.layout.get("gap", GAP)
        room = Box(padding, padding, width - 2 * padding, 0)
        kind = node.classes.split()
        if "row" in kind:
            height = self.row(element.children, slots, index, room, gap)
        elif "stack" in kind:
            height = self.pile(element.children, slots, index, room)
        else:
            height = self.block(element.children, slots, index, room, gap)
        return height + 2 * padding


def _expanded(children: list[Element], slots: Slots) -> list[tuple[Element, Slots]]:
    """Each child with its slots, as often as its ``each`` says."""
    result = []
    for child in children:
        if child.each is None:
            result.append((child, slots))
            continue
        name, values = child.each
        found = string.Formatter().get_field(values, (), slots)[0]
        for index, value in enumerate(found):
            result.append((child, {**slots, name: value, "index": index}))
    return result


def _own_width(element: Element) -> int | None:
    """The width that an element in a row asks for, or ``None`` for a share."""
    if element.tag == "widget" or "left" in element.layout:
        return 0
    own = SMALL.get(element.texts.get("type", ""), (None,))[0]
    return element.layout.get("width", own)


def _complete(element: Element, node: Node, slots: Slots) -> None:
    """Fills in a select's options and a range's limits."""
    if node.tag == "select":
        options = []
        for child, scope in _expanded(element.children, slots):
            text = child.text.format_map(scope)
            options.append((child.attributes.get("value", text).format_map(scope), text))
        node.options = tuple(options)
        node.value = node.value or options[0][0]
    elif node.type == "range":
        limits = (element.attributes.get(name, "1").format_map(slots) for name in LIMITS)
        low, high, step = (int(limit) for limit in limits)
        node.range = (low, high, step)


def _leaf_height(node: Node, width: int) -> int:
    """Height of an element without children: by its tag, or by its text's lines."""
    if node.type in SMALL:
        return SMALL[node.type][1]
    if node.tag in HEIGHTS:
        return HEIGHTS[node.tag]
    lines = -(-len(node.text) * CHARACTER // max(1, width))
    return LINE * max(1, lines)


def _widget(attributes: dict[str, str], ids: list[str]) -> widgets.Widget:
    """The widget that an element declares."""
    kind = choose("widget", attributes.get("type", ""), WIDGETS)
    arguments: dict[str, Any] = {}
    for name, value in attributes.items():
        if name == "panels":
            arguments[name] = [_ids(part, ids) for part in value.split("|")]
        elif name == "controls":
            arguments[name] = [tuple(pair.split(":")) for pair in value.split()]
        elif name in ID_LISTS:
            arguments[name] = _ids(value, ids)
        elif name in NUMBERS:
            arguments[name] = int(value)
        elif name != "type":
            arguments[name.replace("-", "_")] = value
    made: widgets.Widget = getattr(widgets, kind)(**arguments)
    return made


def _ids(pattern: str, ids: list[str]) -> list[str]:
    """The ids that a list with ``prefix*`` stands for."""
    result: list[str] = []
    for part in pattern.split():
        if part.endswith("*"):
            result += [name for name in ids if name.startswith(part[:-1])]
        else:
            result.append(part)
    return result
