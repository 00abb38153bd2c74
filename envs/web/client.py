"""Acts on an application's pages in a real browser."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.web.application import Application
from envs.web.browser import (
    Event,
    KeyDown,
    KeyUp,
    PointerDown,
    PointerMove,
    PointerUp,
    Text,
    shared_browser,
)
from envs.web.server import acquire_server, release_server
from envs.web.snapshot import KEYS, Row, Snapshot
from hardware_sim.errors import InputError, choose

LOOK = "gymworks.snapshot()"
MAX_LOOKS = 50


class BrowserClient:
    """Hands and eyes on a page in a browser; see :class:`envs.web.snapshot.Client`.

    Args:
        application: What a server on the loopback interface offers to the browser.
        size: Width and height of the viewport in CSS pixels.
        start_time_ms: Moment at which the page's clock begins, in ms since 1970.
        seed: Seeds the page's random numbers.
        step_ms: Page time that each act takes.
        backend: Name of the browser backend.

    Attributes:
        pointer: Where the pointer was moved last, or ``None`` if it has not moved yet.
    """

    def __init__(
        self,
        application: Application,
        size: tuple[int, int],
        start_time_ms: int,
        seed: int,
        step_ms: int,
        backend: str,
    ) -> None:
        self.step_ms = step_ms
        self.page = shared_browser(backend).new_page(size, start_time_ms, seed)
        self.server = acquire_server()
        self.root = self.server.mount(application)
        self.rows: list[Row | None] = []
        self.closed = False
        self.pointer: tuple[int, int] | None = None

    def open(self, path: str) -> Snapshot:
        """Loads a page."""
        self.page.goto(self.root + path)
        return self._look([], self.step_ms)

    def click(self, ref: int) -> Snapshot:
        """Presses and releases the pointer on an element."""
        return self._look(_click(*self._centre(ref)), self.step_ms)

    def type(self, ref: int, text: str) -> Snapshot:
        """Gives a control a value with the keyboard."""
        centre = self._centre(ref)
        row = self.rows[ref]
        assert row is not None
        if row.tag == "select" or row.type == "range":
            if row.tag == "select" and text not in row.options:
                raise InputError(f"the select has no option {text!r}")
            steps = self.page.step([], 0, f"gymworks.distance({ref}, {json.dumps(text)})")
            key = "ArrowDown" if steps > 0 else "ArrowUp"
            return self._look([KeyDown(key), KeyUp(key)] * abs(steps), self.step_ms)
        if row.readonly or row.disabled:
            raise InputError("the control takes no typing")
        self.page.step(_click(*centre), 0, f"gymworks.select({ref})")
        typed: list[Event] = [Text(text)] if text else [KeyDown("Delete"), KeyUp("Delete")]
        return self._look(typed, self.step_ms)

    def grab(self, ref: int) -> Snapshot:
        """Presses the pointer on an element and holds it."""
        x, y = self._centre(ref)
        return self._look([PointerMove(x, y), PointerDown(x, y)], self.step_ms)

    def drop(self, ref: int) -> Snapshot:
        """Releases what is held on an element."""
        x, y = self._centre(ref)
        return self._look([PointerMove(x, y), PointerUp(x, y)], self.step_ms)

    def press(self, key: str) -> Snapshot:
        """Presses and releases a key."""
        choose("key", key, list(KEYS))
        return self._look([KeyDown(key), KeyUp(key)], self.step_ms)

    def events(self, events: Sequence[Event]) -> Snapshot:
        """Sends raw events of pointer and keyboard, in order."""
        for event in events:
            if isinstance(event, PointerMove):
                self.pointer = event.x, event.y
        return self._look(events, self.step_ms)

    def pixels(self) -> NDArray[np.uint8]:
        """The viewport as ``(height, width, 3)``."""
        return self.page.pixels()

    def close(self) -> None:
        """Closes the page and stops serving the application."""
        if not self.closed:
            self.closed = True
            try:
                self.page.close()
                self.server.unmount(self.root)
            finally:
                release_server()

    def _look(self, events: Sequence[Event], advance_ms: int) -> Snapshot:
        """Sends events and reads the page, the next one if they led to it."""
        seen: dict[str, Any] = self.page.step(events, advance_ms, LOOK)
        for _ in range(MAX_LOOKS):
            if "leaving" not in seen:
                break
            seen = self.page.step([], self.step_ms, LOOK)
        self.server.check(self.root)
        self.rows = [None if row is None else _row(row) for row in seen["rows"]]
        return Snapshot(seen["path"], seen["title"], self.rows, seen["focus"], seen["held"])

    def _centre(self, ref: int) -> tuple[int, int]:
        """The middle of an element that can be acted on."""
        row = self.rows[ref] if 0 <= ref < len(self.rows) else None
        if row is None or row.covered:
            why = "is not displayed" if row is None else "is covered by another"
            raise InputError(f"element {ref} {why}; the action mask says what can be acted on")
        self.pointer = row.left + row.width // 2, row.top + row.height // 2
        return self.pointer


def _click(x: int, y: int) -> list[Event]:
    return [PointerMove(x, y), PointerDown(x, y), PointerUp(x, y)]


def _row(parts: list[Any]) -> Row:
    parts[-2] = tuple(parts[-2])  # the options
    return Row(*parts)
