"""Forms of the sites: fields laid out one below the other, each by its widget."""

from collections.abc import Callable
from functools import lru_cache, partial

from envs.web import widgets
from envs.web.dates import read_date
from envs.web.document import NO_BOX, Box, Document, Node
from envs.web.sites.declaration import Field, Site

SIZE = (375, 667)
MARGIN = 12
INNER = SIZE[0] - 2 * MARGIN
HALF = (INNER - 8) // 2
LABEL, CONTROL, GAP = 15, 28, 6
SUGGESTIONS = 5
FIRST_DAY, LAST_DAY = "2017-03-01", "2017-12-31"
"""Days that can be booked."""

CELLS = tuple(f"day{place}" for place in range(42))
"""Ids of a calendar's days."""


class Form:
    """A page of a site in the making.

    Args:
        site: The site that the page belongs to.
        page: ``"search"``, ``"results"``, ``"passenger"`` or ``"review"``.
        values: Present values by key.
    """

    def __init__(self, site: Site, page: str, values: dict[str, str]) -> None:
        self.site, self.page, self.values = site, page, values
        self.nodes: list[Node] = []
        self.widgets: list[widgets.Widget] = []
        self.popups: list[Callable[[int], tuple[Node, ...]]] = []
        self.top = 0
        self.open_half = False
        self._heading()

    def document(self, action: str) -> Document:
        """The finished page."""
        for popup in self.popups:
            self.nodes += popup(len(self.nodes))
        title = f"{self.site.airline}: {self.site.words[f'{self.page}.title']}"
        document = Document(title, SIZE, self.nodes, self.widgets, action, "post", self.site.skin)
        document.check()
        return document

    def text(self, tag: str, text: str, classes: str = "", height: int = LABEL) -> None:
        """A line of text."""
        self._below()
        box = Box(MARGIN, self.top, INNER, height)
        self.nodes.append(Node(tag, box, text=text, classes=classes))
        self.top += height + GAP

    def hidden(self, name: str, value: str, node_id: str = "") -> None:
        """An input that a person does not see."""
        self.nodes.append(Node("input", NO_BOX, id=node_id, type="hidden", name=name, value=value))

    def submit(self, text: str) -> None:
        """The button that sends the form."""
        self._below()
        box = Box(MARGIN, self.top + 4, INNER, 34)
        self.nodes.append(Node("button", box, text=text, type="submit"))
        self.top += 44

    def field(self, field: Field, number: int) -> None:
        """A field with its label; ids begin with ``f`` and its number."""
        half = field.half and field.widget in (
            "airport",
            "calendar",
            "select",
            "stepper",
            "listbox",
            "text",
        )
        if self.open_half and not half:
            self._below()
        left = MARGIN + (HALF + 8 if self.open_half else 0)
        box = Box(left, self.top, HALF if half else INNER, CONTROL)
        if field.widget == "checkbox":
            self._checkbox(field, f"f{number}", box)
        else:
            label = Node(
                "label", box._replace(height=LABEL), id=f"f{number}-label", text=field.label
            )
            self.nodes.append(label)
            builder = getattr(self, f"_{field.widget}")
            builder(field, f"f{number}", box._replace(top=box.top + LABEL))
        if half and not self.open_half:
            self.open_half = True
        else:
            self.open_half = False
            self.top += CONTROL + GAP + (0 if field.widget == "checkbox" else LABEL)

    def calendar(self, controls: list[tuple[str, str]]) -> None:
        """The one calendar of a page, for all its dates."""
        if not controls:
            return
        self.popups.append(_calendar)
        self.widgets.append(
            widgets.calendar(
                controls,
                "calendar",
                "month",
                "earlier",
                "later",
                CELLS,
                FIRST_DAY,
                LAST_DAY,
                self.site.date_format,
                self.site.week_start,
            )
        )

    def _heading(self) -> None:
        brand = Box(0, 0, SIZE[0], 30)
        self.nodes.append(Node("h1", brand, text=self.site.airline, classes="brand"))
        for place, text in enumerate(self.site.links):
            box = Box(MARGIN + place * 110, 34, 104, 16)
            self.nodes.append(Node("a", box, text=text, href=f"about/{place}"))
        self.top = 56
        self.text("h2", self.site.words[f"{self.page}.title"], height=18)

    def _below(self) -> None:
        """Goes on below a half that stands alone."""
        if self.open_half:
            self.open_half = False
            self.top += CONTROL + LABEL + GAP

    def _value(self, field: Field) -> str:
        return self.values.get(field.name, field.default)

    def _text(self, field: Field, name: str, box: Box) -> None:
        self.nodes.append(
            Node(
                "input",
                box,
                id=name,
                type="text",
                name=field.name,
                value=self._value(field),
                label=field.label,
            )
        )

    def _checkbox(self, field: Field, name: str, box: Box) -> None:
        self.nodes += [
            Node(
                "input",
                Box(box.left, box.top + 4, 16, 16),
                id=name,
                type="checkbox",
                name=field.name,
                value="true",
                label=field.label,
                checked=field.name in self.values,
            ),
            Node(
                "label",
                Box(box.left + 22, box.top + 4, 200, 16),
                text=field.label,
                label_for=name,
            ),
        ]

    def _select(self, field: Field, name: str, box: Box) -> None:
        options = tuple((value, text) for _, value, text in field.options)
        self.nodes.append(
            Node(
                "select",
                box,
                id=name,
                name=field.name,
                label=field.label,
                options=options,
                value=self._value(field),
            )
        )

    def _radio(self, field: Field, name: str, box: Box) -> None:
        width = box.width // len(field.options)
        for place, (_, value, text) in enumerate(field.options):
            left, item = box.left + place * width, f"{name}-{place}"
            self.nodes += [
                Node(
                    "input",
                    Box(left, box.top + 4, 16, 16),
                    id=item,
                    type="radio",
                    name=field.name,
                    value=value,
                    label=text,
                    checked=self._value(field) == value,
                ),
                Node(
                    "label",
                    Box(left + 20, box.top + 4, width - 22, 16),
                    text=text,
                    label_for=item,
                ),
            ]

    def _choice(self, field: Field, name: str, box: Box) -> None:
        self.hidden(field.name, self._value(field), f"{name}-code")
        width = (box.width - 4 * (len(field.options) - 1)) // len(field.options)
        items = []
        for place, (_, value, text) in enumerate(field.options):
            items.append(f"{name}-{place}")
            where = Box(box.left + place * (width + 4), box.top, width, box.height - 2)
            chosen = "selected" if self._value(field) == value else ""
            self.nodes.append(
                Node("button", where, id=items[-1], text=text, value=value, classes=chosen)
            )
        self.widgets.append(widgets.choice(items, f"{name}-code"))

    def _listbox(self, field: Field, name: str, box: Box) -> None:
        self.hidden(field.name, self._value(field), f"{name}-code")
        shown = next(text for _, value, text in field.options if value == self._value(field))
        self.nodes.append(Node("button", box, id=name, text=shown, label=field.label))
        below, options = (box.left, box.top + box.height), field.options
        self.popups.append(partial(_list, name, below, box.width, tuple(o[1:] for o in options)))
        items = [f"{name}-{place}" for place in range(len(options))]
        self.widgets.append(widgets.listbox(name, f"{name}-code", f"{name}-list", items))

    def _stepper(self, field: Field, name: str, box: Box) -> None:
        numbers = [int(value) for _, value, _ in field.options]
        minus, plus = box._replace(width=30), box._replace(left=box.left + 84, width=30)
        self.nodes += [
            Node("button", minus, id=f"{name}-minus", text="-", label=f"Fewer {field.label}"),
            Node(
                "input",
                box._replace(left=box.left + 34, width=46),
                id=name,
                type="text",
                name=field.name,
                value=self._value(field),
                readonly=True,
                label=field.label,
            ),
            Node("button", plus, id=f"{name}-plus", text="+", label=f"More {field.label}"),
        ]
        self.widgets.append(
            widgets.stepper(name, f"{name}-minus", f"{name}-plus", min(numbers), max(numbers))
        )

    def _airport(self, field: Field, name: str, box: Box) -> None:
        value = self._value(field)
        self.hidden(field.name, value, f"{name}-code")
        self.nodes.append(
            Node(
                "input",
                box,
                id=name,
                type="text",
                label=field.label,
                value=self.site.airport_text_of(value),
            )
        )
        below, width = (box.left, box.top + box.height), max(box.width, 210)
        self.popups.append(partial(_list, name, below, width, (("", ""),) * SUGGESTIONS))
        items = [f"{name}-{place}" for place in range(SUGGESTIONS)]
        self.widgets.append(
            widgets.autocomplete(name, f"{name}-code", f"{name}-list", items, "suggest")
        )

    def _calendar(self, field: Field, name: str, box: Box) -> None:
        value = self._value(field)
        day = read_date(value)
        self.nodes.append(
            Node(
                "input",
                box,
                id=name,
                type="text",
                name=field.name,
                value=value,
                readonly=True,
                label=field.label,
            )
        )
        self.hidden("", day.isoformat() if day else "", f"{name}-code")


@lru_cache(maxsize=1 << 8)
def _calendar(holder: int) -> tuple[Node, ...]:
    """The popup of a calendar, whose container has the index ``holder``."""
    left, top = (SIZE[0] - 301) // 2, 240
    side, line = 43, 30
    frame = Node("div", Box(left, top, 301, 218), id="calendar", classes="popup", hidden=True)
    earlier, later = Box(0, 0, side, line), Box(301 - side - 2, 0, side, line)
    days = [
        Node(
            "button",
            Box(place % 7 * side, 34 + place // 7 * line, side, line),
            id=cell,
            classes="cell",
            parent=holder,
        )
        for place, cell in enumerate(CELLS)
    ]
    return (
        frame,
        Node("button", earlier, id="earlier", text="<", label="Previous month", parent=holder),
        Node("h2", Box(70, 6, 160, 18), id="month", parent=holder),
        Node("button", later, id="later", text=">", parent=holder),
        *days,
    )


@lru_cache(maxsize=1 << 10)
def _list(
    name: str, corner: tuple[int, int], width: int, items: tuple[tuple[str, str], ...], holder: int
) -> tuple[Node, ...]:
    """A popup of buttons, one below the other.

    Args:
        name: First part of the ids.
        corner: Left and top of the popup.
        width: Width of the popup.
        items: Values and texts.
        holder: Index of the popup's container.
    """
    frame = Box(*corner, width, 26 * len(items) + 2)
    buttons = [
        Node(
            "button",
            Box(0, place * 26, width - 2, 26),
            id=f"{name}-{place}",
            text=text,
            value=value,
            parent=holder,
        )
        for place, (value, text) in enumerate(items)
    ]
    return Node("div", frame, id=f"{name}-list", classes="popup", hidden=True), *buttons
