"""Pages of small tasks: HTML files with slots, parsed once and laid out at each drawing.

A file holds a small subset of HTML. Texts and attributes may have slots, as ``{name}`` or
``{item.price:.2f}`` (:meth:`str.format`); an element with ``each="item in items"`` is repeated for
every value of a slot, with ``{index}`` counting from 0. An outermost ``<form>`` gives the page's
``action``, ``method`` and ``title``.

Layout (:mod:`envs.web.tasks.flow`): an element is as wide as its parent allows (in a ``row``: an
equal share of what is left) and as high as its tag or its children need; ``width`` and ``height``
override. An element with ``left`` or ``top`` stands there and takes no room. A container may have
``gap`` and ``padding``.

``<widget type="tabs" openers="tab*" panels="panel0 | panel1"/>`` declares a widget: its attributes
are the arguments of the function in :mod:`envs.web.widgets`. Lists of ids are separated by blanks,
and ``tab*`` stands for every id that begins with ``tab``; pairs are ``input:code``.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache, partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from envs.web import widgets
from envs.web.document import CONTAINERS, CONTROLS, INPUT_TYPES, TEXTS, Box, Document, Node
from envs.web.tasks.flow import GAP, Style, outline
from hardware_sim.errors import InputError, choose

HEIGHTS = {"button": 20, "input": 20, "select": 20, "textarea": 40, "h1": 18, "h2": 16}
"""Heights of one line by tag; other texts take lines."""

SMALL = {"checkbox": (16, 16), "radio": (16, 16), "hidden": (0, 0)}
"""Width and height of the inputs that don't take a line."""

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

BLOCK = Style("block")


@dataclass(eq=False)
class Element:
    """An element of a parsed file, with its slots still open.

    Attributes:
        tag: HTML tag, or ``"option"`` or ``"widget"``.
        attributes: Attributes as written, but for ``each``.
        each: Name and slot of what the element is repeated for.
        text: Its own text.
        children: Elements inside it.
        fixed: Fields of its nodes that are always the same, by name.
        open: Fields that depend on slots, by name, with what fills them.
        style: The room it takes.
    """

    tag: str
    attributes: dict[str, str]
    each: tuple[str, str] | None = None
    text: str = ""
    children: list["Element"] = field(default_factory=list)
    fixed: dict[str, Any] = field(default_factory=dict)
    open: dict[str, Callable[[Slots], Any]] = field(default_factory=dict)
    style: Style = BLOCK

    def prepare(self) -> None:
        """Sorts attributes and text by how drawing uses them, and refuses unknown ones."""
        layout: dict[str, int] = {}
        texts = {"text": self.text} if self.text else {}
        for name, value in self.attributes.items():
            if name in LAYOUT:
                layout[name] = int(value)
            elif name in FLAGS and "{" in value:
                self.open[name] = partial(_flag, value)
            elif name in FLAGS:
                self.fixed[name] = _flag(value, {})
            elif name in TEXT_ATTRIBUTES:
                texts[TEXT_ATTRIBUTES[name]] = value
            elif name not in LIMITS:
                allowed = (*TEXT_ATTRIBUTES, *FLAGS, *LAYOUT, *LIMITS, "each")
                choose(f"attribute of <{self.tag}>", name, allowed)
        self.open |= {name: text.format_map for name, text in texts.items() if "{" in text}
        self.fixed |= {name: text for name, text in texts.items() if "{" not in text}
        if self.tag == "select":
            self.open["options"] = self._options
        elif self.fixed.get("type") == "range":
            self.open["range"] = self._range
        self.style = self._style(layout)

    def scopes(self, slots: Slots) -> Sequence[Slots]:
        """The slots of each repetition that ``each`` asks for."""
        if self.each is None:
            return (slots,)
        name, values = self.each
        first, *keys = _KEY.findall(values)
        found = slots[first]
        for key in keys:
            found = found[int(key) if key.isdigit() else key]
        return [{**slots, name: value, "index": index} for index, value in enumerate(found)]

    @cached_property
    def text_place(self) -> int | None:
        """Index of the text in the result of :meth:`fill`, if it depends on slots."""
        return list(self.open).index("text") if "text" in self.open else None

    def fill(self, slots: Slots) -> tuple[Any, ...]:
        """The fields of ``open`` with the slots filled in."""
        return tuple([fill(slots) for fill in self.open.values()])

    def text_of(self, filled: tuple[Any, ...]) -> str:
        """The text that a filled element shows."""
        return str(
            self.fixed.get("text", "") if self.text_place is None else filled[self.text_place]
        )

    def _options(self, slots: Slots) -> tuple[tuple[str, str], ...]:
        """Values and texts of a select's options."""
        options = []
        for child in self.children:
            for scope in child.scopes(slots):
                text = child.text.format_map(scope)
                options.append((child.attributes.get("value", text).format_map(scope), text))
        return tuple(options)

    def _range(self, slots: Slots) -> tuple[int, ...]:
        """Limits and step of a range input."""
        return tuple(int(self.attributes.get(name, "1").format_map(slots)) for name in LIMITS)

    def _style(self, layout: dict[str, int]) -> Style:
        small = SMALL.get(self.fixed.get("type", ""))
        classes = self.fixed.get("classes", "").split()
        if self.tag in CONTAINERS:
            arrangement = next((name for name in ("row", "stack") if name in classes), "block")
        else:
            arrangement = ""
        width, height = small or (None, HEIGHTS.get(self.tag))
        return Style(
            arrangement,
            layout.get("width", width),
            layout.get("height", height),
            layout.get("left"),
            layout.get("top"),
            layout.get("gap", GAP),
            layout.get("padding", 0),
        )


def _flag(pattern: str, slots: Slots) -> bool:
    """True if a flag is set: unless its text is empty or ``"False"``."""
    return pattern.format_map(slots) not in ("", "False")


_KEY = re.compile(r"\w+")


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
        if tag == "input":
            choose(f"type of an input in {self.source}", attributes.get("type", ""), INPUT_TYPES)
        self.stack[-1].children.append(element)
        self.stack.append(element)
        if tag == "input":
            self.handle_endtag(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag != "input":
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.stack[-1].tag != tag:
            opened = f"<{self.stack[-1].tag}>"
            raise InputError(f"{self.source}: </{tag}> closes {opened}; close {opened} first")
        element = self.stack.pop()
        if tag not in ("option", "widget") and not self._outermost(element):
            element.prepare()

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
        drawing = _Drawing(len(top))
        drawing.fill(self.root.children, slots, -1)
        nodes = top + drawing.nodes(Box(4, begin + 4, size[0] - 8, 0))
        ids = tuple([node.id for node in nodes if node.id])
        declared = [_widget(attributes, ids) for attributes in drawing.widgets]
        title = self.title.format_map(slots)
        return Document(title, size, nodes, declared, self.action, self.method, skin)


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
    """The elements of one page, filled and then put in their places.

    Args:
        above: Number of nodes before them in the document.
    """

    def __init__(self, above: int) -> None:
        self.above = above
        self.parts: list[tuple[Element, tuple[Any, ...], int]] = []
        self.widgets: list[tuple[tuple[str, str], ...]] = []

    def fill(self, children: list[Element], slots: Slots, parent: int) -> None:
        """Repeats elements and fills their slots."""
        for element in children:
            for scope in element.scopes(slots):
                if element.tag == "widget":
                    given = element.attributes.items()
                    self.widgets.append(tuple((k, text.format_map(scope)) for k, text in given))
                    continue
                index = len(self.parts)
                self.parts.append((element, element.fill(scope), parent))
                if element.tag in CONTAINERS:
                    self.fill(element.children, scope, index)

    def nodes(self, room: Box) -> list[Node]:
        """The page's nodes, laid out in a room of open height."""
        elements, contents, parents = zip(*self.parts, strict=True)
        page = outline(tuple([element.style for element in elements]), parents, room)
        boxes = page.boxes(page.lines([elements[i].text_of(contents[i]) for i in page.wrapping]))
        moved = [parent if parent < 0 else parent + self.above for parent in parents]
        return list(map(_node, elements, contents, boxes, moved))


@lru_cache(maxsize=1 << 14)
def _node(element: Element, filled: tuple[Any, ...], box: Box, parent: int) -> Node:
    """A node; the same object for the same contents in the same place."""
    fields = {**element.fixed, **dict(zip(element.open, filled, strict=True))}
    if element.tag == "select":
        fields["value"] = fields.get("value") or fields["options"][0][0]
    return Node(element.tag, box, parent=parent, **fields)


@lru_cache(maxsize=1 << 10)
def _widget(attributes: tuple[tuple[str, str], ...], ids: tuple[str, ...]) -> widgets.Widget:
    """The widget that an element declares."""
    kind = choose("widget", dict(attributes).get("type", ""), WIDGETS)
    arguments: dict[str, Any] = {}
    for name, value in attributes:
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


def _ids(pattern: str, ids: tuple[str, ...]) -> list[str]:
    """The ids that a list with ``prefix*`` stands for."""
    result: list[str] = []
    for part in pattern.split():
        if part.endswith("*"):
            result += [name for name in ids if name.startswith(part[:-1])]
        else:
            result.append(part)
    return result
