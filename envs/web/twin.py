"""Pages without a browser: what Chromium would show and send, by the same declarations."""

from collections.abc import Sequence
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlencode

import numpy as np
from numpy.typing import NDArray

from envs.web.application import Recorder, Request
from envs.web.document import Document
from envs.web.inputs import Event
from envs.web.live_page import LivePage, plain
from envs.web.snapshot import KEYS, Snapshot
from envs.web.twin_widgets import attach
from hardware_sim.errors import InputError, choose

MAX_REDIRECTS = 20  # as many as Chromium follows
_BLANK = LivePage(Document("", (0, 0), []))


class TwinClient:
    """Acts on an application's pages as any :class:`envs.web.snapshot.Client`, at great speed.

    Args:
        recorder: Takes every request, as the server's would.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.path = ""
        self.page = _BLANK
        self.fresh = True

    def open(self, path: str) -> Snapshot:
        """Loads a page."""
        self._go("GET", path, ())
        return self._snapshot()

    def click(self, ref: int) -> Snapshot:
        """Presses and releases the pointer on an element."""
        index = self._reachable(ref)
        self._press_pointer(index)
        self._activate(index)
        return self._snapshot()

    def type(self, ref: int, text: str) -> Snapshot:
        """Gives a control a value with the keyboard."""
        index = self._reachable(ref)
        node = self.page.nodes[index]
        if node.tag == "select":
            self._focus(index)
            value = next((value for value, shown in node.options if shown == text), None)
            if value is None:
                raise InputError(f"the select has no option {text!r}")
            self._set(index, value)
        elif node.type == "range":
            self._focus(index)
            least, most, step = node.range
            number = least + round((int(text) - least) / step) * step
            self._set(index, str(min(most, max(least, number))))
        elif node.readonly or self.page.disabled[index]:
            raise InputError("the control takes no typing")
        else:
            self._press_pointer(index)
            self._activate(index)
            self._keys(index, text)
        return self._snapshot()

    def grab(self, ref: int) -> Snapshot:
        """Presses the pointer on an element and holds it."""
        index = self._reachable(ref)
        self._press_pointer(index)
        if "drag" in self.page.classes[index].split():
            self.page.held = index
        return self._snapshot()

    def drop(self, ref: int) -> Snapshot:
        """Releases what is held on an element."""
        index = self._reachable(ref)
        page = self.page
        if page.held >= 0:
            for handler in page.on_drop:
                handler(page.held, index)
            page.held = -1
        return self._snapshot()

    def press(self, key: str) -> Snapshot:
        """Presses and releases a key."""
        choose("key", key, list(KEYS))
        if key == "Escape":
            self.page.close_popup()
        elif key == "Tab":
            self._tab()
        elif key == "Enter":
            self._enter()
        else:
            self._arrow(1 if key == "ArrowDown" else -1)
        return self._snapshot()

    def events(self, events: Sequence[Event]) -> Snapshot:
        """Raises: the twin knows elements, not places.

        Raises:
            InputError: Always.
        """
        raise InputError("the twin takes no raw events; use a browser")

    def pixels(self) -> NDArray[np.uint8]:
        """Raises: the twin draws nothing.

        Raises:
            InputError: Always.
        """
        raise InputError("the twin draws nothing; use a browser for pixels")

    def close(self) -> None:
        """Leaves the page."""
        self.page.leave()

    def _go(self, method: str, target: str, form: tuple[tuple[str, str], ...]) -> None:
        """Requests a page and follows its redirects."""
        for _ in range(MAX_REDIRECTS):
            path, _, query = target.removeprefix("./").partition("?")
            pairs = tuple(parse_qsl(query, keep_blank_values=True))
            response = self.recorder.respond(Request(method, path, pairs, form))
            if response.location is None:
                break
            method, target, form = "GET", response.location, ()
        if response.document is None:
            raise InputError(f"{target or 'the first page'} is no page")
        self.path = path
        self.page.leave()
        self.page = LivePage(response.document)
        attach(self.page, self._fetch)
        self.fresh = True

    def _fetch(self, path: str, query: tuple[tuple[str, str], ...]) -> Any:
        return self.recorder.respond(Request("GET", path, query)).json

    def _snapshot(self) -> Snapshot:
        page = self.page
        changed = page.refresh()
        whole, self.fresh = self.fresh, False
        return Snapshot(
            self.path,
            plain(page.document.title),
            page.rows,
            page.structure.refs.get(page.focus, -1),
            page.structure.refs.get(page.held, -1),
            None if whole else changed,
        )

    def _reachable(self, ref: int) -> int:
        """The node of a ref that can be acted on."""
        rows = self.page.rows
        row = rows[ref] if 0 <= ref < len(rows) else None
        if row is None:
            _refuse(ref, "is not displayed")
        if row.covered:
            _refuse(ref, "is covered by another")
        return self.page.listed[ref]

    def _press_pointer(self, index: int) -> None:
        """Presses the pointer: closes popups, moves the focus."""
        page = self.page
        self._leave_popup(index)
        if not page.disabled[index]:
            self._focus(index if page.focusable(index) else -1)
        page.start = index

    def _focus(self, index: int) -> None:
        page = self.page
        page.focus = page.start = index
        if index >= 0:
            self._leave_popup(index)

    def _leave_popup(self, index: int) -> None:
        """Closes an open popup unless a node is its opener or stands in it."""
        page = self.page
        if page.popup in (-1, index) or index == page.opener:
            return
        if not page.structure.within(index, page.popup):
            page.close_popup()

    def _activate(self, index: int) -> None:
        """Carries out a click, once pressed and released."""
        page, node = self.page, self.page.nodes[index]
        if page.disabled[index]:
            return
        for handler in page.on_click.get(index, ()):
            handler(index)
        if node.type == "checkbox":
            page.checked[index] = not page.checked[index]
            self._changed(index)
        elif node.type == "radio":
            self._check(index)
        elif node.tag == "label" and node.label_for:
            target = page.ids[node.label_for]
            if not page.disabled[target]:
                if page.displayed(target):
                    self._focus(target)
                self._activate(target)
        elif node.tag == "a" and node.href:
            self._go("GET", node.href, ())
        elif node.tag in ("button", "input") and node.type == "submit":
            self._submit(index)
        elif page.on_click.get(index):
            self._changed(index)

    def _check(self, index: int) -> None:
        page = self.page
        for other in page.group(index):
            if page.checked[other] != (other == index):
                page.checked[other] = other == index
                page.stale.add(other)
        self._changed(index)

    def _changed(self, index: int) -> None:
        """Updates the widgets that follow controls."""
        self.page.stale.add(index)
        for handler in self.page.on_change:
            handler()

    def _set(self, index: int, value: str) -> None:
        self.page.put(index, value)
        self._changed(index)

    def _keys(self, index: int, text: str) -> None:
        """Types a text over what a control holds, key by key."""
        if not text and not self.page.value[index]:
            return
        for end in range(1, len(text) + 1) if text else (0,):
            self.page.put(index, text[:end])
            for handler in self.page.on_input.get(index, ()):
                handler()
        self._changed(index)

    def _enter(self) -> None:
        page, index = self.page, self.page.focus
        if index < 0:
            return
        if index in page.on_enter and page.on_enter[index]():
            return
        node = page.nodes[index]
        if node.tag in ("a", "button"):
            self._activate(index)
        elif node.tag == "input":
            self._submit_implicitly()

    def _submit_implicitly(self) -> None:
        """Clicks the form's default button, its first, as Enter in a control does."""
        for index, node in enumerate(self.page.nodes):
            if node.tag in ("button", "input") and node.type == "submit":
                self._activate(index)  # which does nothing if it is disabled
                return

    def _tab(self) -> None:
        """Moves the focus to the next control in document order."""
        page = self.page
        following = next((i for i in page.listed if i > page.start and self._is_stop(i)), -1)
        if following < 0 and page.focus < 0:
            # From the last control the focus leaves the page; from a text behind, it goes around.
            following = next((i for i in page.listed if self._is_stop(i)), -1)
        self._focus(following)

    def _is_stop(self, index: int) -> bool:
        """True if Tab stops at a node: a displayed control.

        Of a radio group, only the checked button is a stop, or all if none is checked.
        """
        page = self.page
        if not page.focusable(index) or not page.displayed(index):
            return False
        if page.nodes[index].type != "radio" or page.checked[index]:
            return True
        group = page.group(index)
        return page.focus not in group and not any(page.checked[other] for other in group)

    def _arrow(self, by: int) -> None:
        page, index = self.page, self.page.focus
        if index < 0:
            return
        node = page.nodes[index]
        if node.tag == "select":
            values = [value for value, _ in node.options]
            place = values.index(page.value[index]) + by
            if 0 <= place < len(values):
                self._set(index, values[place])
        elif node.type == "range":
            least, most, step = node.range
            self._set(index, str(min(most, max(least, int(page.value[index]) - by * step))))
        elif node.type == "radio":
            group = [i for i in page.group(index) if page.displayed(i) and not page.disabled[i]]
            chosen = group[(group.index(index) + by) % len(group)]
            self._focus(chosen)
            self._check(chosen)

    def _submit(self, submitter: int) -> None:
        """Sends the form as a browser does: successful controls in document order."""
        page, document = self.page, self.page.document
        pairs = tuple(
            (page.nodes[index].name, page.value[index])
            for index in page.structure.named
            if self._successful(index, submitter)
        )
        if document.method == "get":
            self._go("GET", f"{document.action}?{urlencode(pairs)}", ())
        else:
            self._go("POST", document.action, pairs)

    def _successful(self, index: int, submitter: int) -> bool:
        page, node = self.page, self.page.nodes[index]
        if page.disabled[index] or node.tag not in ("button", "input", "select", "textarea"):
            return False
        if node.type in ("checkbox", "radio"):
            return page.checked[index]
        return index == submitter if node.tag == "button" or node.type == "submit" else True


def _refuse(ref: int, why: str) -> NoReturn:
    raise InputError(f"element {ref} {why}; the action mask marks what can be acted on")
