"""A page as an agent meets it, whoever shows it: the browser or the twin."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.web.inputs import Event
from hardware_sim.errors import InputError

KEYS = ("Enter", "Tab", "Escape", "ArrowUp", "ArrowDown")
"""Keys that can be pressed by themselves."""


class Row(NamedTuple):
    """One visible element.

    Attributes:
        tag: HTML tag in lower case.
        type: Type of an input (``"text"``, ``"radio"``...), of a button ``"submit"`` or
            ``"button"``; otherwise empty.
        text: Its own text with blanks collapsed, or its ``aria-label``.
        value: Present value of a control; of a select, the text of the chosen option.
        left: Left edge of its box in page coordinates, CSS pixels.
        top: Top edge of its box in page coordinates, CSS pixels.
        width: Width of its box in CSS pixels.
        height: Height of its box in CSS pixels.
        checked: A checked checkbox or radio button.
        disabled: A disabled control.
        readonly: A text input that takes no typing.
        covered: Something else would receive a click at the centre of its box.
        draggable: It can be picked up (class ``drag``).
        options: Texts of a select's options, else empty.
        classes: CSS classes.
    """

    tag: str
    type: str
    text: str
    value: str
    left: int
    top: int
    width: int
    height: int
    checked: bool
    disabled: bool
    readonly: bool
    covered: bool
    draggable: bool
    options: tuple[str, ...]
    classes: str


class Snapshot(NamedTuple):
    """The visible state of a page between two actions.

    Attributes:
        path: Path of the page, relative to the application's root, without query.
        title: The page's title.
        rows: By ref; ``None`` where the element is not displayed.
        focus: Ref of the focused element, or -1.
        held: Ref of the element that is being dragged, or -1.
        changed: Refs whose rows may differ from the last snapshot's, or ``None`` for all.
    """

    path: str
    title: str
    rows: list[Row | None]
    focus: int
    held: int
    changed: set[int] | None = None


KINDS_OF_CELLS = (str, str, str, str, int, int, int, int, bool, bool, bool, bool, bool, list, str)
"""Types of a row's columns in JSON."""


def read_row(cells: Any) -> Row | None:
    """A row from JSON, as ``gymworks.snapshot()`` in ``page.js`` gives it.

    Raises:
        InputError: It is not a list of a row's columns, nor null.
    """
    if cells is None:
        return None
    if not isinstance(cells, list) or tuple(map(type, cells)) != KINDS_OF_CELLS:
        raise InputError(f"{cells!r:.80} is no row of a page; allowed: null, or {Row._fields}")
    *most, options, classes = cells
    if not all(isinstance(option, str) for option in options):
        raise InputError(f"the options {options!r:.80} are not all texts")
    return Row._make([*most, tuple(options), classes])


def read_snapshot(seen: dict[str, Any]) -> Snapshot:
    """A snapshot from JSON, as ``gymworks.snapshot()`` in ``page.js`` gives it.

    Raises:
        InputError: It is none.
    """
    try:
        rows: Sequence[Any] = seen["rows"]
        state = Snapshot(
            seen["path"], seen["title"], list(map(read_row, rows)), seen["focus"], seen["held"]
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"{seen!r:.80} is no page's state: {error!r}") from None
    if tuple(map(type, (state.path, state.title, state.focus, state.held))) != (str, str, int, int):
        raise InputError(f"{seen!r:.80} is no page's state: a value is of another type")
    return state


class Client(Protocol):
    """A person's hands and eyes: opens a page, acts on elements by ref, and looks.

    Every act takes the time of one step of the page's clock and waits until the requests it caused
    have been answered. Acting on a ref that is not displayed, or is covered, raises InputError.
    """

    def open(self, path: str) -> Snapshot:
        """Loads a page of the application, by its path relative to the root."""

    def click(self, ref: int) -> Snapshot:
        """Presses and releases the pointer at the centre of an element's box."""

    def type(self, ref: int, text: str) -> Snapshot:
        """Gives a control a value as a person does with the keyboard.

        A text control: click, select everything, type the text (or delete, if it is empty). A
        select: focus, then arrow keys to the first option whose text is the given one; a range
        input: focus, then arrow keys to the given number, clipped to its limits.
        """

    def grab(self, ref: int) -> Snapshot:
        """Presses the pointer at an element's centre and holds it."""

    def drop(self, ref: int) -> Snapshot:
        """Moves the held pointer to an element's centre and releases it."""

    def press(self, key: str) -> Snapshot:
        """Presses and releases one of ``KEYS``."""

    def events(self, events: Sequence[Event]) -> Snapshot:
        """Carries out a driver's events, in order; the twin raises InputError."""

    def pixels(self) -> NDArray[np.uint8]:
        """The viewport as ``(height, width, 3)``; the twin has none and raises InputError."""

    def close(self) -> None:
        """Frees what the client holds; calling it again changes nothing."""
