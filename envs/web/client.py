"""Acts on an application's pages in a real browser."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.web.application import Application
from envs.web.browser import shared_browser
from envs.web.inputs import (
    Event,
    KeyDown,
    KeyUp,
    PointerDown,
    PointerMove,
    PointerUp,
    Text,
)
from envs.web.page import Page, first_script, new_page
from envs.web.selenium_page import SeleniumPage
from envs.web.server import Lease
from envs.web.snapshot import KEYS, Row, Snapshot, read_snapshot
from hardware_sim.errors import InputError, choose
from hardware_sim.reading import parse_json

LOOK = "JSON.stringify(gymworks.snapshot())"  # faster than the browser's own account of a value
MAX_LOOKS = 50


class BrowserClient:
    """Hands and eyes on a page in a browser; see :class:`envs.web.snapshot.Client`.

    Args:
        application: The application that a server on the loopback interface offers to the browser.
        size: Width and height of the viewport in CSS pixels.
        start_time_ms: Moment at which the page's clock begins, in ms since 1970.
        seed: Seeds the page's random numbers.
        step_ms: Page time that each act takes; ``n`` acts together take ``n * step_ms``, rounded to
            whole ms.
        backend: Name of the browser backend.
        draws: Whether pixels will be asked for after every act.

    Attributes:
        pointer: Where the pointer was moved last, or ``None`` if it has not moved yet.
    """

    def __init__(
        self,
        application: Application,
        size: tuple[int, int],
        start_time_ms: int,
        seed: int,
        step_ms: float,
        backend: str,
        draws: bool = False,
    ) -> None:
        self.step_ms = step_ms
        self.ticks = 0
        self.lease = Lease()
        self.server = self.lease.server
        try:
            self.page = open_page(backend, size, start_time_ms, seed, self.server.address)
        except BaseException:
            self.lease.close()
            raise
        if isinstance(self.page, Page):
            self.page.draws = draws
        self.root = self.server.mount(application)
        self.rows: list[Row | None] = []
        self.closed = False
        self.pointer: tuple[int, int] | None = None

    def open(self, path: str) -> Snapshot:
        """Loads a page."""
        self.page.goto(self.root + path)
        return self._look([])

    def click(self, ref: int) -> Snapshot:
        """Presses and releases the pointer on an element."""
        return self._look(_click(*self._centre(ref)))

    def type(self, ref: int, text: str) -> Snapshot:
        """Gives a control a value with the keyboard."""
        centre = self._centre(ref)
        row = self.rows[ref]
        assert row is not None
        if row.tag == "select" or row.type == "range":
            if row.tag == "select" and text not in row.options:
                raise InputError(f"the select has no option {text!r}")
            steps = self.page.evaluate(f"gymworks.distance({ref}, {json.dumps(text)})")
            key = "ArrowDown" if steps > 0 else "ArrowUp"
            return self._look([KeyDown(key), KeyUp(key)] * abs(steps))
        if row.readonly or row.disabled:
            raise InputError("the control takes no typing")
        self.page.step(_click(*centre), 0, f"gymworks.select({ref})")
        typed: list[Event] = [Text(text)] if text else [KeyDown("Delete"), KeyUp("Delete")]
        return self._look(typed)

    def grab(self, ref: int) -> Snapshot:
        """Presses the pointer on an element and holds it."""
        x, y = self._centre(ref)
        return self._look([PointerMove(x, y), PointerDown(x, y)])

    def drop(self, ref: int) -> Snapshot:
        """Releases what is held on an element."""
        x, y = self._centre(ref)
        return self._look([PointerMove(x, y), PointerUp(x, y)])

    def press(self, key: str) -> Snapshot:
        """Presses and releases a key."""
        choose("key", key, list(KEYS))
        return self._look([KeyDown(key), KeyUp(key)])

    def events(self, events: Sequence[Event], advance_ms: int | None = None) -> Snapshot:
        """Sends raw events of pointer and keyboard, in order.

        Args:
            events: The events to send.
            advance_ms: Page time to let pass then; a step's by default.
        """
        for event in events:
            if isinstance(event, PointerMove):
                self.pointer = event.x, event.y
        return self._look(events, advance_ms)

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
                self.lease.close()

    def _look(self, events: Sequence[Event], advance_ms: int | None = None) -> Snapshot:
        """Sends events and reads the page, the next one if they led to it."""
        time_ms = self._tick() if advance_ms is None else advance_ms
        seen: dict[str, Any] = parse_json(self.page.step(events, time_ms, LOOK))
        for _ in range(MAX_LOOKS):
            if "leaving" not in seen:
                break
            seen = parse_json(self.page.step([], self._tick(), LOOK))
        self.server.check(self.root)
        state = read_snapshot(seen)
        self.rows = state.rows
        return state

    def _tick(self) -> int:
        """Whole ms of page time until the next act is over."""
        before = round(self.ticks * self.step_ms)
        self.ticks += 1
        return round(self.ticks * self.step_ms) - before

    def _centre(self, ref: int) -> tuple[int, int]:
        """The middle of an element that can be acted on."""
        row = self.rows[ref] if 0 <= ref < len(self.rows) else None
        if row is None or row.covered:
            why = "is not displayed" if row is None else "is covered by another"
            raise InputError(f"element {ref} {why}; the action mask marks what can be acted on")
        self.pointer = row.left + row.width // 2, row.top + row.height // 2
        return self.pointer


def open_page(
    backend: str, size: tuple[int, int], start_time_ms: int, seed: int, server: str
) -> Page | SeleniumPage:
    """A blank page of a browser backend; see :class:`BrowserClient` for the arguments.

    Args:
        backend: Name of the backend.
        size: Width and height of the viewport in CSS pixels.
        start_time_ms: Moment at which the page's clock begins, in ms since 1970.
        seed: Seeds the page's randomness.
        server: An address of the only server that the page reaches.

    Raises:
        InputError: The browser is missing; the message names what to install.
    """
    if backend == "selenium":
        return SeleniumPage(size, start_time_ms, first_script(seed), server)
    return new_page(shared_browser(backend), size, start_time_ms, seed, server)


def _click(x: int, y: int) -> list[Event]:
    return [PointerMove(x, y), PointerDown(x, y), PointerUp(x, y)]
