"""Raw input, as in World of Bits: an action is a list of events of keyboard and pointer.

A :class:`KeyEvent` presses a key; a :class:`PointerEvent` holds the pointer's place and the state
of its button. Those of one frame are processed in order (Shi et al., World of Bits, ICML 2017).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import MultiDiscrete
from numpy.typing import NDArray

from envs.web.inputs import Event, KeyDown, KeyUp, PointerDown, PointerMove, PointerUp
from envs.web.keys import KEY_NAMES
from hardware_sim.errors import InputError, choose

MAX_EVENTS = 4
"""Most events of a frame by default."""

NONE, POINTER, KEY = range(3)
"""Kinds of event."""

PARTS = 5
"""Numbers of an event: kind, x, y, button down, and index into ``KEY_NAMES``."""

_KEY_INDEX = {name: index for index, name in enumerate(KEY_NAMES)}


class KeyEvent(NamedTuple):
    """A key is pressed and released; one of :data:`envs.web.keys.KEYBOARD`."""

    key: str


class PointerEvent(NamedTuple):
    """The pointer is at a place of the viewport, in CSS pixels, its left button down or up.

    Where the button was up before and is down now, it is pressed there; the other way around, it
    is released there. However fast two clicks follow each other, they are no double click.
    """

    x: int
    y: int
    down: bool


InputEvent = KeyEvent | PointerEvent

AT_REST = PointerEvent(0, 0, False)
"""State of the pointer when an episode begins."""


def space(size: tuple[int, int], max_events: int = MAX_EVENTS) -> MultiDiscrete:
    """The actions of a frame: ``PARTS`` numbers for each of ``max_events`` events, one row.

    Args:
        size: Width and height of the viewport.
        max_events: Most events of a frame.

    Raises:
        InputError: ``max_events`` is below 1.
    """
    if max_events < 1:
        raise InputError(f"max_events is {max_events}; at least 1 is needed")
    return MultiDiscrete(np.tile([3, *size, 2, len(KEY_NAMES)], max_events))


def encode(events: Sequence[InputEvent], max_events: int = MAX_EVENTS) -> NDArray[np.int64]:
    """An action, int64 ``(max_events * PARTS,)``, from the events of a frame.

    Raises:
        InputError: There are more than ``max_events``, or a key is not in ``KEY_NAMES``.
    """
    if len(events) > max_events:
        raise InputError(f"{len(events)} events; a frame takes at most {max_events}")
    numbers = np.zeros((max_events, PARTS), np.int64)
    for row, event in zip(numbers, events, strict=False):
        if isinstance(event, KeyEvent):
            row[:] = KEY, 0, 0, 0, _KEY_INDEX[choose("key", event.key, KEY_NAMES)]
        else:
            row[:] = POINTER, event.x, event.y, event.down, 0
    return numbers.ravel()


def decode(action: NDArray[np.integer]) -> list[InputEvent]:
    """The events of an action of :func:`space`; the inverse of :func:`encode`.

    Parts that an event does not have are ignored.
    """
    events: list[InputEvent] = []
    for kind, x, y, down, key in action.reshape(-1, PARTS).tolist():
        if kind == POINTER:
            events.append(PointerEvent(x, y, bool(down)))
        elif kind == KEY:
            events.append(KeyEvent(KEY_NAMES[key]))
    return events


def moved(pointer: PointerEvent, events: Iterable[InputEvent]) -> PointerEvent:
    """The state of the pointer after events, from its state before them."""
    for event in events:
        if isinstance(event, PointerEvent):
            pointer = event
    return pointer


def strokes(events: Iterable[InputEvent], pointer: PointerEvent) -> list[Event]:
    """A driver's events that carry out raw events, from the state of the pointer before them."""
    done: list[Event] = []
    for event in events:
        if isinstance(event, KeyEvent):
            choose("key", event.key, KEY_NAMES)
            done += [KeyDown(event.key), KeyUp(event.key)]
            continue
        done.append(PointerMove(event.x, event.y, pointer.down))
        if event.down != pointer.down:
            done.append((PointerDown if event.down else PointerUp)(event.x, event.y))
        pointer = event
    return done
