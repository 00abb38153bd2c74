"""The factored discrete actions: which number means which act on which element."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.web.document import MAX_ELEMENTS
from envs.web.snapshot import KEYS, Client, Row, Snapshot
from hardware_sim.errors import InputError

MAX_FIELDS = 12
"""Most texts that an instruction offers for typing."""

CLICK = 0
TYPE = MAX_ELEMENTS
GRAB = TYPE + MAX_ELEMENTS * MAX_FIELDS
DROP = GRAB + MAX_ELEMENTS
KEY = DROP + MAX_ELEMENTS
ACTIONS = KEY + len(KEYS)
"""Number of actions: click, type, grab and drop by element (and field), then ``KEYS``."""

TYPED = ("text", "password", "range")


class Action(NamedTuple):
    """What an action number means.

    Attributes:
        verb: ``"click"``, ``"type"``, ``"grab"``, ``"drop"`` or ``"press"``.
        ref: The element, or -1 for keys.
        field: Index of the field that is typed, or -1.
        key: The key, or empty.
    """

    verb: str
    ref: int = -1
    field: int = -1
    key: str = ""


def decode(number: int) -> Action:
    """The meaning of an action number.

    Raises:
        InputError: The number is not in ``0 .. ACTIONS - 1``.
    """
    if not 0 <= number < ACTIONS:
        raise InputError(f"action {number} does not exist; allowed: 0 to {ACTIONS - 1}")
    if number < TYPE:
        return Action("click", number)
    if number < GRAB:
        ref, field = divmod(number - TYPE, MAX_FIELDS)
        return Action("type", ref, field)
    if number < DROP:
        return Action("grab", number - GRAB)
    if number < KEY:
        return Action("drop", number - DROP)
    return Action("press", key=KEYS[number - KEY])


def encode(action: Action) -> int:
    """The number of an action; the inverse of :func:`decode`."""
    if action.verb == "press":
        return KEY + KEYS.index(action.key)
    if action.verb == "type":
        return TYPE + action.ref * MAX_FIELDS + action.field
    return {"click": CLICK, "grab": GRAB, "drop": DROP}[action.verb] + action.ref


def perform(client: Client, action: Action, texts: tuple[str, ...]) -> Snapshot:
    """Carries out a legal action; ``texts`` are what the fields type."""
    if action.verb == "click":
        return client.click(action.ref)
    if action.verb == "type":
        return client.type(action.ref, texts[action.field])
    if action.verb == "grab":
        return client.grab(action.ref)
    if action.verb == "drop":
        return client.drop(action.ref)
    return client.press(action.key)


def mask_row(
    mask: NDArray[np.int8], ref: int, row: Row | None, typable: NDArray[np.int8], held: bool
) -> None:
    """Writes which acts on one element are legal.

    A covered or disabled element cannot be acted on; a text is typed only into a control that takes
    it, a field into a select only where an option has its text. While something is held, the only
    legal acts are drops.

    Args:
        mask: Where to write, int8 ``(ACTIONS,)``.
        ref: The element.
        row: Its row, or ``None`` if it is not displayed.
        typable: Which fields the element would take, int8 ``(MAX_FIELDS,)``.
        held: Whether something is held.
    """
    reachable = row is not None and not row.covered
    free = row is not None and reachable and not row.disabled and not held
    start = TYPE + ref * MAX_FIELDS
    mask[CLICK + ref] = free
    mask[start : start + MAX_FIELDS] = typable if free else 0
    mask[GRAB + ref] = row is not None and free and row.draggable
    mask[DROP + ref] = held and reachable
