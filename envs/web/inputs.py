"""Trusted input: events of pointer and keyboard, and the browser's commands that send them."""

from typing import Any, NamedTuple

from envs.web.keys import KEYBOARD, SHIFT


class PointerMove(NamedTuple):
    """The pointer moves to a place in the viewport, in CSS pixels; ``held`` with its button."""

    x: int
    y: int
    held: bool = False


class PointerDown(NamedTuple):
    """The left button is pressed, for the ``clicks``-th time in a row."""

    x: int
    y: int
    clicks: int = 1


class PointerUp(NamedTuple):
    """The left button is released."""

    x: int
    y: int
    clicks: int = 1


class KeyDown(NamedTuple):
    """A key goes down; one of :data:`envs.web.keys.KEYBOARD`, with more modifiers than its own."""

    key: str
    modifiers: int = 0


class KeyUp(NamedTuple):
    """A key goes up."""

    key: str
    modifiers: int = 0


class Text(NamedTuple):
    """Characters are typed, one key after the other."""

    text: str


Event = PointerMove | PointerDown | PointerUp | KeyDown | KeyUp | Text

POINTER = {PointerMove: "mouseMoved", PointerDown: "mousePressed", PointerUp: "mouseReleased"}

Command = tuple[str, dict[str, Any]]


def commands(event: Event) -> list[Command]:
    """Methods and parameters of the DevTools protocol that carry out an event, in order."""
    if isinstance(event, Text):
        return [command for letter in event.text for command in _letter(letter)]
    if isinstance(event, KeyDown | KeyUp):
        return [("Input.dispatchKeyEvent", _key(event))]
    pressed = event.held if isinstance(event, PointerMove) else True
    pointer = {
        "type": POINTER[type(event)],
        "x": event.x,
        "y": event.y,
        "button": "left" if pressed else "none",
        "clickCount": 0 if isinstance(event, PointerMove) else event.clicks,
    }
    return [("Input.dispatchMouseEvent", pointer)]


def _letter(letter: str) -> list[Command]:
    down = {"type": "keyDown", "text": letter, "key": letter}
    up = {"type": "keyUp", "key": letter}
    return [("Input.dispatchKeyEvent", down), ("Input.dispatchKeyEvent", up)]


def _key(event: KeyDown | KeyUp) -> dict[str, Any]:
    """A key's event as parameters of the DevTools protocol."""
    key = KEYBOARD[event.key]
    params: dict[str, Any] = {"key": key.key, "code": key.code, "windowsVirtualKeyCode": key.number}
    params["modifiers"] = key.modifiers | event.modifiers
    if isinstance(event, KeyUp):
        return {"type": "keyUp", **params}
    if not key.text or params["modifiers"] & ~SHIFT:
        return {"type": "rawKeyDown", **params}
    return {"type": "keyDown", "text": key.text, **params}
