"""The state of a page without a browser: what is displayed, where, and what controls hold."""

from collections.abc import Callable
from functools import lru_cache

from envs.web.document import CONTROLS, Document, Node
from envs.web.layout import lay_out, moved, nowhere
from envs.web.snapshot import Row

Handler = Callable[[], None]
ClickHandler = Callable[[int], None]
"""Takes the node that was clicked."""


class LivePage:
    """A document as it changes under a person's hands.

    Nodes are named by their index in the document. Widgets register handlers in ``on_click``,
    ``on_input`` and ``on_change``; :mod:`envs.web.twin` calls them.

    Attributes:
        value: Present value of each node; of a select, the value of its chosen option.
        text: Present own text.
        checked: State of checkboxes and radio buttons.
        hidden: Not displayed by itself; a hidden ancestor hides as well.
        focus: The focused node, or -1.
        start: Where Tab goes on from: the node that was last focused or pressed.
        held: The node that is being dragged, or -1.
        popup: The open popup's container, or -1.
        opener: The node the open popup belongs to, or -1.
    """

    def __init__(self, document: Document) -> None:
        nodes = document.nodes
        self.document = document
        self.nodes = nodes
        self.structure = document.structure
        self.ids, self.listed = self.structure.ids, self.structure.listed
        self.text = [plain(node.text) for node in nodes]
        self.value = [node.value for node in nodes]
        for index in self.structure.corrected:
            self.value[index] = _initial_value(nodes[index])
        self.checked = [node.checked for node in nodes]
        self.hidden = bytearray([node.hidden for node in nodes])
        self.offsets: dict[int, tuple[int, int]] = {}
        self.disabled = [node.disabled for node in nodes]
        self.classes = [node.classes for node in nodes]
        self.focus = self.start = self.held = self.popup = self.opener = -1
        self.on_click: dict[int, list[ClickHandler]] = {}
        self.on_input: dict[int, list[Handler]] = {}
        self.on_enter: dict[int, Callable[[], bool]] = {}
        self.on_drop: list[Callable[[int, int], None]] = []
        self.on_change: list[Handler] = []
        self.rows: list[Row | None] = [None] * len(self.listed)
        self.layout = nowhere(self.structure)
        self.stale: set[int] = set()
        self.moved = True

    def leave(self) -> None:
        """Forgets the widgets; they hold the page as it holds them, which would keep both."""
        for handlers in (self.on_click, self.on_input, self.on_enter, self.on_drop, self.on_change):
            handlers.clear()

    def show(self, index: int, shown: bool) -> None:
        """Displays a node or takes it away."""
        if self.hidden[index] == shown:
            self.hidden[index] = not shown
            self.moved = True

    def write(self, index: int, text: str) -> None:
        """Changes a node's own text."""
        text = plain(text)
        if self.text[index] != text:
            self.text[index] = text
            self.stale.add(index)

    def put(self, index: int, value: str) -> None:
        """Changes a control's value."""
        self.value[index] = value
        self.stale.add(index)

    def enable(self, index: int, enabled: bool) -> None:
        """Enables or disables a control."""
        if self.disabled[index] == enabled:
            self.disabled[index] = not enabled
            self.stale.add(index)

    def mark(self, index: int, name: str, present: bool) -> None:
        """Adds a class to a node, behind the others, or removes it."""
        others = [other for other in self.classes[index].split() if other != name]
        self.classes[index] = " ".join([*others, name] if present else others)
        self.stale.add(index)

    def open_popup(self, popup: int, opener: int, below: int | None = None) -> None:
        """Opens a popup for an opener, under the node ``below`` if one is given."""
        if self.popup not in (-1, popup):
            self.close_popup()
        if self.opener != opener:
            if self.opener >= 0:
                self.mark(self.opener, "open", False)
            self.mark(opener, "open", True)
        self.popup, self.opener = popup, opener
        if below is not None:
            self._move_below(popup, below)
        self.show(popup, True)

    def _move_below(self, popup: int, below: int) -> None:
        """Puts a popup under a node, left edges aligned."""
        origins, parent = self.structure.origins, self.nodes[popup].parent
        left, top = origins[below]
        across, down = origins[parent] if parent >= 0 else (0, 0)
        corner = left - across, top + self.nodes[below].box.height - down
        if self.offsets.get(popup, self.nodes[popup].box[:2]) != corner:
            self.offsets[popup] = corner
            self.moved = True

    def close_popup(self) -> None:
        """Closes the open popup, if there is one."""
        if self.popup >= 0:
            self.show(self.popup, False)
            self.mark(self.opener, "open", False)
            self.popup = self.opener = -1

    def displayed(self, index: int) -> bool:
        """True if neither the node nor anything it stands in is hidden."""
        while index >= 0:
            if self.hidden[index]:
                return False
            index = self.nodes[index].parent
        return True

    def focusable(self, index: int) -> bool:
        """True if a press of the pointer would focus the node."""
        node = self.nodes[index]
        if node.tag == "a":
            return bool(node.href)
        return node.tag in CONTROLS and node.type != "hidden" and not self.disabled[index]

    def group(self, index: int) -> tuple[int, ...]:
        """The radio buttons of a radio button's group."""
        return self.structure.groups[self.nodes[index].name]

    def refresh(self) -> set[int]:
        """Brings the rows up to date; returns the refs whose rows changed."""
        if self.moved:
            self._lay_out()
        places, refs = self.layout.places, self.structure.refs
        if self.focus >= 0 and places[self.focus] is None:
            self.focus = -1
        changed = set()
        for index in self.stale:
            ref = refs.get(index)
            if ref is not None:
                place = places[index]
                row = None if place is None else self._row(index, *place)
                if row != self.rows[ref]:
                    self.rows[ref] = row
                    changed.add(ref)
        self.stale.clear()
        return changed

    def _lay_out(self) -> None:
        """Computes the places of the nodes."""
        offsets = tuple(self.offsets.items())
        layout = lay_out(self.structure, bytes(self.hidden), self.popup, offsets)
        self.stale.update(moved(self.structure, self.layout, layout))
        self.layout, self.moved = layout, False

    def _row(self, index: int, left: int, top: int, covered: bool) -> Row:
        node, kind, classes = self.nodes[index], self.structure.kinds[index], self.classes[index]
        value = "" if kind is None else self.value[index]
        options: tuple[str, ...] = ()
        if node.options:
            options = tuple(text for _, text in node.options)
            value = next(text for key, text in node.options if key == value)
        return Row(
            node.tag,
            kind or "",
            self.text[index] or node.label,
            value,
            left,
            top,
            node.box.width,
            node.box.height,
            self.checked[index],
            self.disabled[index],
            node.readonly,
            covered,
            "drag" in classes and "drag" in classes.split(),
            options,
            classes,
        )


@lru_cache(maxsize=1 << 16)
def plain(text: str) -> str:
    """A text with blanks collapsed."""
    return " ".join(text.split())


def _initial_value(node: Node) -> str:
    """The value of a control when the page opens, corrected as Chromium does."""
    if node.tag == "select" and node.options:
        values = [value for value, _ in node.options]
        return node.value if node.value in values else values[0]
    if node.type == "range":
        least, most, step = node.range
        start = int(node.value) if node.value else (least + most) // 2
        return str(min(most, max(least, least + round((start - least) / step) * step)))
    if node.type in ("checkbox", "radio") and not node.value:
        return "on"
    return node.value
