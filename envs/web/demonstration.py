"""Demonstrations: episodes of people and agents on web pages, step by step."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from envs.web.actions import Action
from envs.web.snapshot import Row, Snapshot

EVENTS = (
    "load",
    "mousemove",
    "mousedown",
    "mouseup",
    "click",
    "dblclick",
    "keydown",
    "keypress",
    "keyup",
    "insert",
    "scroll",
)
"""Types of a person's events: those of the DOM, a page that has loaded (``load``), and text that
came in without keys (``insert``: pasted or composed). Recordings leave out what follows from
another event by itself (``click``, ``dblclick``, ``keypress``, ``scroll``); imports have them."""

ACT, END = "act", "end"
"""Types of a factored action, and of the page after the last step."""

TYPES = (*EVENTS, ACT, END)

NO_STATE = Snapshot("", "", [], -1, -1)


@dataclass(frozen=True)
class Step:
    """One event or action, and the page as it was just before.

    Attributes:
        time: Page time in ms since the first step; it never decreases.
        type: One of :data:`TYPES`.
        state: The page before the step; ``changed`` is ``None``.
        x: Horizontal place of the pointer in page coordinates, CSS pixels; 0 where there is none.
        y: Vertical place of the pointer in page coordinates, CSS pixels; 0 where there is none.
        button: ``MouseEvent.button``: 0 left, 1 middle, 2 right.
        clicks: Number of a press among clicks in a row (``MouseEvent.detail``); 0 for other events.
        key: ``KeyboardEvent.key``; of ``insert`` the text, of ``load`` how the page was reached.
        code: ``KeyboardEvent.code``, or a key code from recorders that kept no other.
        modifiers: Sum of 1 (Alt), 2 (Control), 4 (Meta) and 8 (Shift).
        target: Row of the element the event was sent to, or -1.
        trusted: Whether a person's device caused it (``Event.isTrusted``).
        action: The action of an ``act``; its ``field`` counts the demonstration's fields.
    """

    time: int
    type: str
    state: Snapshot
    x: int = 0
    y: int = 0
    button: int = 0
    clicks: int = 0
    key: str = ""
    code: str = ""
    modifiers: int = 0
    target: int = -1
    trusted: bool = True
    action: Action | None = None


@dataclass(frozen=True)
class Demonstration:
    """An episode that somebody played.

    Attributes:
        env_id: The environment, such as ``"WoB-Login-v0"``; ``"miniwob/<task>"`` if imported.
        seed: Seed of its ``reset``, or ``None`` if imported.
        options: Options of its ``reset``; empty if imported.
        instruction: The instruction that the person or agent follows.
        fields: ``(name, text)`` of what can be typed.
        viewport: Width and height in CSS pixels; zeros where they were not recorded.
        source: ``"human"`` or ``"agent"``.
        by: Name of the person or agent, as far as it is known.
        steps: Events and actions, in order.
        sent: Pairs of the last POST, or ``None`` if there was none.
        score: The score by the task's judge, or ``None`` if the episode was not finished.
        success: Whether everything agreed.
        versions: Versions of the programs that took part, by name.
        date: UTC in ISO 8601, or empty.
        notes: Further values from the recorder; JSON-serialisable.
    """

    env_id: str
    seed: int | None
    options: dict[str, Any]
    instruction: str
    fields: tuple[tuple[str, str], ...]
    viewport: tuple[int, int]
    source: str
    by: str
    steps: tuple[Step, ...]
    sent: tuple[tuple[str, str], ...] | None = None
    score: float | None = None
    success: bool = False
    versions: dict[str, str] = field(default_factory=dict)
    date: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def foreign(self) -> bool:
        """True if it was recorded on pages that are not ours."""
        return self.seed is None


def state_hash(state: Snapshot) -> str:
    """Sixteen hexadecimal digits that stand for a page: path, title, rows, focus, what is held."""
    parts = [state.path, state.title, state.rows, state.focus, state.held]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def differing_rows(one: Sequence[Row | None], other: Sequence[Row | None]) -> list[int]:
    """Refs whose rows differ; a missing row is one that is not displayed."""
    longest = max(len(one), len(other))
    mine, theirs = ([*rows, *[None] * (longest - len(rows))] for rows in (one, other))
    return [ref for ref in range(longest) if mine[ref] != theirs[ref]]
