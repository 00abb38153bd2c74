"""The factored discrete actions: a number for each act on each element, and for each key."""

from typing import Any, NamedTuple

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

ACTS = [("click", np.int8), ("type", np.int8, MAX_FIELDS), ("grab", np.int8), ("drop", np.int8)]
"""Fields of a structured dtype: 1 for each legal act on one element, else 0."""


class Action(NamedTuple):
    """A decoded action.

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


def whole_number(action: Any) -> int:
    """An action as an int.

    Raises:
        InputError: It is not a whole number.
    """
    array = np.asarray(action)
    if array.shape != () or not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"action {action!r} is not a whole number from 0 to {ACTIONS - 1}")
    return int(array)


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


def mask_parts(masks: NDArray[np.int8]) -> dict[str, NDArray[np.int8]]:
    """Views of action masks ``(count, ACTIONS)`` by the names of ``ACTS``, elements second."""
    return {
        "click": masks[:, CLICK:TYPE],
        "type": masks[:, TYPE:GRAB].reshape(-1, MAX_ELEMENTS, MAX_FIELDS),
        "grab": masks[:, GRAB:DROP],
        "drop": masks[:, DROP:KEY],
    }


def acts(row: Row, typable: bytes) -> bytes:
    """The legal acts on one element, as bytes of ``ACTS``.

    A covered or disabled element cannot be acted on; a text is typed only into a control that takes
    it, a field into a select only where an option has its text. While something is held, the only
    legal acts are drops, on any element that is not covered; otherwise drops are illegal.

    Args:
        row: The element.
        typable: ``MAX_FIELDS`` bytes: 1 for each field that the element would take, else 0.
    """
    free = not row.covered and not row.disabled
    typed = typable if free else bytes(MAX_FIELDS)
    return bytes((free, *typed, free and row.draggable, not row.covered))
