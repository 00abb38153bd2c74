"""Translates acts on elements into the actions of the other interfaces."""

from envs.web.actions import Action
from envs.web.commands import Command
from envs.web.events import InputEvent, KeyEvent, PointerEvent
from envs.web.session import Sight
from envs.web.snapshot import Row


def to_command(action: Action, sight: Sight, target: int) -> Command:
    """The command that does what an act does.

    Args:
        action: An act on an element; no drop, which is part of a drag.
        sight: The page.
        target: Where something that is picked up shall go.
    """
    if action.verb == "press":
        return Command("press", text=action.key)
    if action.verb == "grab":
        return Command("drag", action.ref, target)
    if action.verb == "click":
        return Command("click", action.ref)
    verb = "select" if _row(action, sight).tag == "select" else "type"
    return Command(verb, action.ref, text=sight.texts[action.field])


def to_events(action: Action, sight: Sight) -> list[InputEvent]:
    """The raw events that do what an act does, as a person would."""
    if action.verb == "press":
        return [KeyEvent(action.key)]
    row = _row(action, sight)
    place = (row.left + row.width // 2, row.top + row.height // 2)
    down, up = PointerEvent(*place, True), PointerEvent(*place, False)
    if action.verb in ("grab", "drop"):
        return [down if action.verb == "grab" else up]
    if action.verb == "click":
        return [down, up]
    text = sight.texts[action.field]
    if row.tag == "select":
        return [down, up, *_arrows(row.options.index(text) - row.options.index(row.value))]
    if row.type == "range":
        return [down, up, *_arrows(int(row.value) - int(text))]
    return [down, up, KeyEvent("Control+a"), *map(KeyEvent, text or ["Delete"])]


def _row(action: Action, sight: Sight) -> Row:
    row = sight.snapshot.rows[action.ref]
    assert row is not None
    return row


def _arrows(down: int) -> list[KeyEvent]:
    """Arrow keys so many steps down, or up if it is negative."""
    return [KeyEvent("ArrowDown" if down > 0 else "ArrowUp")] * abs(down)
