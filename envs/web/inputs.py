"""Trusted input: what a hand does to pointer and keyboard, and how the browser is told."""

from typing import Any, NamedTuple


class PointerMove(NamedTuple):
    """The pointer moves to a place in the viewport, in CSS pixels."""

    x: int
    y: int


class PointerDown(NamedTuple):
    """The left button is pressed."""

    x: int
    y: int


class PointerUp(NamedTuple):
    """The left button is released."""

    x: int
    y: int


class KeyDown(NamedTuple):
    """A key goes down; one of :data:`KEY_CODES`."""

    key: str


class KeyUp(NamedTuple):
    """A key goes up."""

    key: str


class Text(NamedTuple):
    """Characters are typed, one key after the other."""

    text: str


Event = PointerMove | PointerDown | PointerUp | KeyDown | KeyUp | Text

KEY_CODES = {
    "Backspace": 8,
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Delete": 46,
}
POINTER = {PointerMove: "mouseMoved", PointerDown: "mousePressed", PointerUp: "mouseReleased"}

Command = tuple[str, dict[str, Any]]


def commands(event: Event) -> list[Command]:
    """Methods and parameters of the DevTools protocol that carry out an event, in order."""
    if isinstance(event, Text):
        return [command for letter in event.text for command in _letter(letter)]
    if isinstance(event, KeyDown | KeyUp):
        return [("Input.dispatchKeyEvent", _key(event))]
    moved = isinstance(event, PointerMove)
    pointer = {
        "type": POINTER[type(event)],
        "x": event.x,
        "y": event.y,
        "button": "none" if moved else "left",
        "clickCount": 0 if moved else 1,
    }
    return [("Input.dispatchMouseEvent", pointer)]


def _letter(letter: str) -> list[Command]:
    down = {"type": "keyDown", "text": letter, "key": letter}
    up = {"type": "keyUp", "key": letter}
    return [("Input.dispatchKeyEvent", down), ("Input.dispatchKeyEvent", up)]


def _key(event: KeyDown | KeyUp) -> dict[str, Any]:
    key = {
        "type": "rawKeyDown" if isinstance(event, KeyDown) else "keyUp",
        "key": event.key,
        "code": event.key,
        "windowsVirtualKeyCode": KEY_CODES[event.key],
    }
    if isinstance(event, KeyDown) and event.key == "Enter":
        key |= {"type": "keyDown", "text": "\r"}
    return key
