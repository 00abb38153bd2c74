"""From snapshots to arrays of fixed size; the same for the browser and its twin."""

import re
from functools import lru_cache
from typing import cast
from zlib import crc32

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from snowballstemmer import stemmer

from envs.web.actions import ACTIONS, KEY, MAX_FIELDS, TYPED, mask_row
from envs.web.document import CONTROLS, INPUT_TYPES, MAX_ELEMENTS, TEXTS
from envs.web.snapshot import Row, Snapshot

VOCABULARY = 4096
"""Word ids are ``1 + crc32(stem) % (VOCABULARY - 1)``; 0 is no word."""

TEXT_WORDS = 6
FIELD_WORDS = 8
INSTRUCTION_WORDS = 32

KINDS = tuple(tag for tag in CONTROLS + TEXTS if tag != "input") + tuple(
    f"input {kind}" for kind in INPUT_TYPES if kind != "hidden"
)
STATES = (
    "checked",
    "disabled",
    "readonly",
    "covered",
    "draggable",
    "selected",
    "open",
    "filled",
    "focused",
    "held",
)
PLACES = ("left", "top", "width", "height", "number", "is number", "lowest", "highest", "rank")
ELEMENT_FEATURES = (*KINDS, *STATES, *PLACES)
"""Columns of ``elements``: kinds and states are 0 or 1, places are shares of the viewport."""

MATCH_FEATURES = (
    "equal",
    "contains",
    "shares a word",
    "same day",
    "same month",
    "value equal",
    "below",
    "above",
)
"""Last axis of ``match``: how an element's text or value agrees with a field's text.

``below`` and ``above`` compare numbers with numbers, and months with dates.
"""

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)

_STATE = len(KINDS)
_PLACE = _STATE + len(STATES)
_FOCUSED, _HELD = _STATE + STATES.index("focused"), _STATE + STATES.index("held")
_LOWEST, _HIGHEST = _PLACE + PLACES.index("lowest"), _PLACE + PLACES.index("highest")
_RANK = _PLACE + PLACES.index("rank")
_NUMBER, _IS_NUMBER = _PLACE + PLACES.index("number"), _PLACE + PLACES.index("is number")
_KIND = {kind: index for index, kind in enumerate(KINDS)}
_WORD = re.compile(r"[a-z0-9]+")
_STEMMER = stemmer("english")
_FIGURE = re.compile(r"^[^0-9]{0,2}([0-9]+(?:[.:][0-9]+)?)")


def words(text: str) -> list[str]:
    """The words and numbers of a text, in lower case."""
    return _WORD.findall(text.lower())


@lru_cache(maxsize=1 << 14)
def _word_id(word: str) -> int:
    """The id of a word: forms of one word, as "leaving" and "leave", have one id."""
    stem: str = _STEMMER.stemWord(word)
    return 1 + crc32(stem.encode()) % (VOCABULARY - 1)


@lru_cache(maxsize=1 << 16)
def word_ids(text: str, length: int) -> NDArray[np.int32]:
    """Ids of the first ``length`` words, int32, padded with 0; not to be written to."""
    found = [_word_id(word) for word in words(text)[:length]]
    ids = np.zeros(length, np.int32)
    ids[: len(found)] = found
    ids.flags.writeable = False
    return ids


@lru_cache(maxsize=1 << 16)
def figure(text: str) -> float | None:
    """The number a text begins with, as in ``"$215"`` or ``"8:15 AM"`` (hours), if it does."""
    found = _FIGURE.match(text)
    if found is None:
        return None
    hours, colon, minutes = found[1].partition(":")
    if not colon:
        return float(found[1])
    late = 12 if re.search(r"\bpm\b", text.lower()) else 0
    return (
        (int(hours) % 12 if re.search(r"\b[ap]m\b", text.lower()) else int(hours))
        + late
        + int(minutes) / 60
    )


@lru_cache(maxsize=1 << 16)
def _day_and_month(text: str) -> tuple[int, int]:
    """The day and month of a date as ``"March 6, 2017"``, or 0 where the text has none."""
    month = next((MONTHS.index(word) + 1 for word in words(text) if word in MONTHS), 0)
    day = next((int(word) for word in words(text) if word.isdigit() and 0 < int(word) < 32), 0)
    return (day, month)


@lru_cache(maxsize=1 << 17)
def match(text: str, value: str, field: str) -> tuple[int, ...]:
    """How an element agrees with a field, one 0 or 1 for each of ``MATCH_FEATURES``."""
    if not field:
        return (0,) * len(MATCH_FEATURES)
    mine, given = text.lower(), field.lower()
    day, month = _day_and_month(field)
    dated = month > 0 and day > 0
    shown_day, shown_month = _day_and_month(text)
    same_day = dated and text.isdigit() and shown_day == day
    same_month = dated and shown_month == month
    contains = bool(mine) and (given in mine or mine in given)
    shares = not set(words(text)).isdisjoint(words(field))
    equal_value = bool(value) and (value.lower() == given or given in value.lower())
    difference = _difference(figure(value or text), figure(field) if field[0].isdigit() else None)
    if dated and shown_month:
        difference = shown_month - month
    return (
        int(mine == given),
        int(contains),
        int(shares),
        int(same_day),
        int(same_month),
        int(equal_value),
        int(difference < 0),
        int(difference > 0),
    )


def _difference(shown: float | None, wanted: float | None) -> float:
    return 0.0 if shown is None or wanted is None else shown - wanted


def space(size: tuple[int, int], pixels: bool) -> spaces.Dict:
    """The observation space.

    Args:
        size: Width and height of the viewport.
        pixels: Whether observations have the screen.
    """
    parts: dict[str, spaces.Space[NDArray[np.generic]]] = {
        "elements": spaces.Box(-2, 2, (MAX_ELEMENTS, len(ELEMENT_FEATURES)), np.float32),
        "text": _ids(MAX_ELEMENTS, TEXT_WORDS),
        "match": _flags(MAX_ELEMENTS, MAX_FIELDS, len(MATCH_FEATURES)),
        "element_mask": _flags(MAX_ELEMENTS),
        "instruction": _ids(INSTRUCTION_WORDS),
        "fields": _ids(MAX_FIELDS, FIELD_WORDS),
        "field_mask": _flags(MAX_FIELDS),
        "focus": spaces.Box(-1, MAX_ELEMENTS - 1, (1,), np.int32),
        "action_mask": _flags(ACTIONS),
    }
    if pixels:
        parts["pixels"] = spaces.Box(0, 255, (size[1], size[0], 3), np.uint8)
    return spaces.Dict(parts)


def _ids(*shape: int) -> spaces.Box:
    return spaces.Box(0, VOCABULARY - 1, shape, np.int32)


def _flags(*shape: int) -> spaces.Box:
    return spaces.Box(0, 1, shape, np.int8)


class Encoder:
    """Keeps one environment's arrays up to date with its snapshots.

    Args:
        arrays: What to write into: one array for each key of :func:`space` but ``pixels``.
        size: Width and height of the viewport.
    """

    def __init__(self, arrays: dict[str, NDArray[np.generic]], size: tuple[int, int]) -> None:
        self.arrays = arrays
        self.elements = arrays["elements"]
        self.text = arrays["text"]
        self.match = arrays["match"]
        self.element_mask = arrays["element_mask"]
        self.mask = cast(NDArray[np.int8], arrays["action_mask"])
        self.scale = (1 / size[0], 1 / size[1])
        self.texts: tuple[str, ...] = ()
        self.rows: list[Row | None] = [None] * MAX_ELEMENTS
        self.focus = self.held = -1

    def begin(self, instruction: str, fields: tuple[tuple[str, str], ...]) -> None:
        """Starts an episode: writes the instruction and its fields, forgets every element."""
        for array in self.arrays.values():
            array[...] = 0
        self.arrays["instruction"][:] = word_ids(instruction, INSTRUCTION_WORDS)
        for index, (name, text) in enumerate(fields):
            self.arrays["fields"][index, :2] = word_ids(name, 2)
            self.arrays["fields"][index, 2:] = word_ids(text, FIELD_WORDS - 2)
            self.arrays["field_mask"][index] = 1
        self.texts = tuple(text for _, text in fields)
        self.rows = [None] * MAX_ELEMENTS
        self.focus = self.held = -1
        self.mask[KEY:] = 1

    def update(self, snapshot: Snapshot) -> None:
        """Takes in a snapshot; only rows that differ from the last one's are written."""
        rows = snapshot.rows
        held_changes = (snapshot.held >= 0) != (self.held >= 0)
        refs = range(MAX_ELEMENTS) if snapshot.changed is None else sorted(snapshot.changed)
        renumber = False
        for ref in refs:
            row = rows[ref] if ref < len(rows) else None
            old = self.rows[ref]
            if row is old or row == old:
                continue
            renumber |= _number(row) is not None or _number(old) is not None
            self.rows[ref] = row
            self._write(ref, row, snapshot.held >= 0)
        if renumber:
            self._rank()
        self._point(snapshot.focus, snapshot.held)
        if held_changes:
            self._hold(snapshot.held >= 0)

    def _write(self, ref: int, row: Row | None, held: bool) -> None:
        """Writes one element's part of every array."""
        self.element_mask[ref] = row is not None
        if row is None:
            self.elements[ref] = 0
            self.text[ref] = 0
            self.match[ref] = 0
            mask_row(self.mask, ref, None, _NOTHING, held)
            return
        features = _features(row, _number(row), *self.scale)
        self.elements[ref] = features
        self.text[ref] = word_ids(row.text or row.value, TEXT_WORDS)
        self.match[ref] = _matches(row.text, row.value, self.texts)
        mask_row(self.mask, ref, row, _typable(row, self.texts), held)

    def _rank(self) -> None:
        """Ranks the numbers among the elements of a kind and class, from 0 to 1."""
        self.elements[:, _LOWEST : _RANK + 1] = 0
        groups: dict[tuple[str, str, str], list[tuple[float, int]]] = {}
        for ref, row in enumerate(self.rows):
            number = _number(row)
            if row is not None and number is not None:
                groups.setdefault((row.tag, row.type, row.classes), []).append((number, ref))
        for members in groups.values():
            if len(members) > 1:
                order = [ref for _, ref in sorted(members)]
                self.elements[order, _RANK] = np.linspace(0, 1, len(order))
                self.elements[order[0], _LOWEST] = 1
                self.elements[order[-1], _HIGHEST] = 1

    def _point(self, focus: int, held: int) -> None:
        """Moves the marks of focus and of what is held; rewritten rows have lost theirs."""
        for old, new, column in ((self.focus, focus, _FOCUSED), (self.held, held, _HELD)):
            if old >= 0:
                self.elements[old, column] = 0
            if new >= 0:
                self.elements[new, column] = 1
        self.focus, self.held = focus, held
        self.arrays["focus"][0] = focus

    def _hold(self, held: bool) -> None:
        """Rewrites every element's legal acts, as holding something allows only drops."""
        self.mask[KEY:] = not held
        for ref, row in enumerate(self.rows):
            typable = _NOTHING if row is None else _typable(row, self.texts)
            mask_row(self.mask, ref, row, typable, held)


_NOTHING = np.zeros(MAX_FIELDS, np.int8)


def _number(row: Row | None) -> float | None:
    """The number that an element shows, by its text or else by its value."""
    if row is None:
        return None
    number = figure(row.text)
    return figure(row.value) if number is None else number


@lru_cache(maxsize=1 << 15)
def _features(row: Row, number: float | None, across: float, down: float) -> NDArray[np.float32]:
    """A row of ``elements``, but for focus and ranks."""
    features = np.zeros(len(ELEMENT_FEATURES), np.float32)
    kind = f"input {row.type}" if row.tag == "input" else row.tag
    if kind in _KIND:
        features[_KIND[kind]] = 1
    classes = row.classes.split()
    features[_STATE : _STATE + 8] = (
        row.checked,
        row.disabled,
        row.readonly,
        row.covered,
        row.draggable,
        "selected" in classes,
        "open" in classes,
        bool(row.value),
    )
    features[_PLACE : _PLACE + 4] = (
        row.left * across,
        row.top * down,
        row.width * across,
        row.height * down,
    )
    if number is not None:
        features[_NUMBER], features[_IS_NUMBER] = min(number, 1000) / 1000, 1
    np.clip(features, -2, 2, out=features)
    features.flags.writeable = False
    return features


@lru_cache(maxsize=1 << 15)
def _matches(text: str, value: str, texts: tuple[str, ...]) -> NDArray[np.int8]:
    """A row of ``match``."""
    table = np.zeros((MAX_FIELDS, len(MATCH_FEATURES)), np.int8)
    for index, field in enumerate(texts):
        table[index] = match(text, value, field)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=1 << 15)
def _typable_texts(
    tag: str, kind: str, options: tuple[str, ...], texts: tuple[str, ...]
) -> NDArray[np.int8]:
    flags = np.zeros(MAX_FIELDS, np.int8)
    for index, field in enumerate(texts):
        if tag == "select":
            flags[index] = field in options
        elif kind == "range":
            flags[index] = field.lstrip("-").isdigit()
        else:
            flags[index] = tag == "textarea" or kind in TYPED
    flags.flags.writeable = False
    return flags


def _typable(row: Row, texts: tuple[str, ...]) -> NDArray[np.int8]:
    """Which fields an element would take, int8 ``(MAX_FIELDS,)``."""
    if row.tag not in ("input", "select", "textarea") or row.readonly:
        return _NOTHING
    return _typable_texts(row.tag, row.type, row.options, texts)
