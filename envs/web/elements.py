"""One element, or one text, as numbers."""

import re
import struct
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from envs.web.actions import ACTS, MAX_FIELDS, TYPED, acts
from envs.web.document import CONTROLS, INPUT_TYPES, TEXTS
from envs.web.snapshot import Row

VOCABULARY = 4096
"""Word ids are ``1 + crc32(word) % (VOCABULARY - 1)``; 0 is no word."""

TEXT_WORDS = 6

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
PLACES = ("left", "top", "width", "height", "number", "is number", "lowest", "highest")
ELEMENT_FEATURES = (*KINDS, *STATES, *PLACES)
"""Columns of ``elements``: kinds and states are 0 or 1, places are shares of the viewport."""

MATCH_FEATURES = ("equal", "contains", "shares a word", "same day", "same month", "value equal")
"""Last axis of ``match``: how an element's text or value agrees with a field's text."""

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

ELEMENT = np.dtype(
    [
        ("elements", np.float32, len(ELEMENT_FEATURES)),
        ("text", np.int32, TEXT_WORDS),
        ("match", np.int8, (MAX_FIELDS, len(MATCH_FEATURES))),
        ("element_mask", np.int8),
        *ACTS,
    ]
)
"""All that observations say of an element but for focus, what is held and ranks."""

Ranked = tuple[tuple[str, str, str], float]
"""Tag, type and classes of an element whose text begins with a number, and this number."""

Encoded = tuple[bytes, Ranked | None]
"""An element as bytes of an ``ELEMENT``, and what it is ranked by."""

NOTHING: Encoded = (bytes(ELEMENT.itemsize), None)
"""An element that is not displayed."""

_WORD = re.compile(r"[a-z0-9]+")
_FIGURE = re.compile(r"^[^0-9]{0,2}([0-9]+(?:[.:][0-9]+)?)")


def words(text: str) -> list[str]:
    """The words and numbers of a text, in lower case."""
    return _WORD.findall(text.lower())


@lru_cache(maxsize=1 << 16)
def word_ids(text: str, length: int) -> NDArray[np.int32]:
    """Ids of the first ``length`` words, int32, padded with 0; not to be written to."""
    found = [_word_id(word) for word in words(text)[:length]]
    ids = np.zeros(length, np.int32)
    ids[: len(found)] = found
    ids.flags.writeable = False
    return ids


@lru_cache(maxsize=1 << 16)
def _word_id(word: str) -> int:
    return 1 + crc32(word.encode()) % (VOCABULARY - 1)


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


class Facts(NamedTuple):
    """What comparisons look at in a text.

    Attributes:
        lowered: The text in lower case.
        words: Its words.
        day: The day of a date as ``"March 6, 2017"``, or 0 where the text has none.
        month: Its month, or 0.
        is_number: Whether it is nothing but a whole number.
    """

    lowered: str
    words: frozenset[str]
    day: int
    month: int
    is_number: bool


@lru_cache(maxsize=1 << 16)
def facts(text: str) -> Facts:
    """What comparisons look at in a text."""
    found = words(text)
    month = next((MONTHS.index(word) + 1 for word in found if word in MONTHS), 0)
    day = next((int(word) for word in found if word.isdigit() and 0 < int(word) < 32), 0)
    return Facts(text.lower(), frozenset(found), day, month, text.isdigit())


def match(text: str, value: str, field: str) -> tuple[int, ...]:
    """How an element agrees with a field, one 0 or 1 for each of ``MATCH_FEATURES``."""
    return tuple(_agreement(facts(text), value.lower(), facts(field)))


def _agreement(mine: Facts, value: str, field: Facts) -> bytes:
    """As of :func:`match`, from the facts and the element's value in lower case."""
    given, text = field.lowered, mine.lowered
    if not given:
        return bytes(len(MATCH_FEATURES))
    dated = field.month > 0 and field.day > 0
    return bytes(
        (
            text == given,
            text != "" and (given in text or text in given),
            not mine.words.isdisjoint(field.words),
            dated and mine.is_number and mine.day == field.day,
            dated and mine.month == field.month,
            given in value,
        )
    )


class Known(NamedTuple):
    """What does not depend on the instruction.

    Attributes:
        shown: Bytes of ``elements`` and ``text``.
        text: Of the element's text.
        value: The element's value in lower case.
        ranked: Kind and class of an element whose text begins with a number, and this number.
        acts: Legal acts of an element that takes no typing, as of :func:`envs.web.actions.acts`;
            ``None`` for one that does.
    """

    shown: bytes
    text: Facts
    value: str
    ranked: Ranked | None
    acts: bytes | None


class ElementEncoder:
    """Encodes the elements that come up in an episode, each once.

    Args:
        texts: What the instruction's fields type, at most ``MAX_FIELDS``.
        size: Width and height of the viewport.
    """

    def __init__(self, texts: tuple[str, ...], size: tuple[int, int]) -> None:
        self.texts = texts
        self.scale = (1 / size[0], 1 / size[1])
        self.fields = [facts(text) for text in texts]
        self.given = [field.lowered for field in self.fields if field.lowered]
        self.joined = "\n".join(self.given)
        self.words = frozenset().union(*[field.words for field in self.fields])
        dated = [field for field in self.fields if field.month and field.day]
        self.days = {field.day for field in dated}
        self.months = {field.month for field in dated}
        self.matches: dict[tuple[str, str], bytes] = {}
        self.encoded: dict[Row | None, Encoded] = {None: NOTHING}

    def encode(self, row: Row | None) -> Encoded:
        """An element as bytes of an ``ELEMENT``, and the number to rank it by, if it has one."""
        found = self.encoded.get(row)
        if found is None:
            assert row is not None
            found = self.encoded[row] = self._encode(row)
        return found

    def _encode(self, row: Row) -> Encoded:
        known = _known(row, *self.scale)
        legal = acts(row, self.typable(row)) if known.acts is None else known.acts
        match = self.matches.get((row.text, row.value))
        if match is None:
            match = self._match(known.text, known.value)
            self.matches[row.text, row.value] = match
        return b"".join((known.shown, match, b"\1", legal)), known.ranked

    def _match(self, text: Facts, value: str) -> bytes:
        """How an element agrees with each field, as bytes of ``(MAX_FIELDS, 6)`` flags."""
        if not self._may_match(text, value):
            return _NO_MATCH
        flags = [_agreement(text, value, field) for field in self.fields]
        return b"".join(flags).ljust(len(_NO_MATCH), b"\0")

    def _may_match(self, text: Facts, value: str) -> bool:
        """Whether an element agrees with any field at all; most do not."""
        mine = text.lowered
        if (mine and mine in self.joined) or not text.words.isdisjoint(self.words):
            return True
        if text.day in self.days or text.month in self.months:
            return True
        if any(map(mine.__contains__, self.given)):
            return True
        return value != "" and any(map(value.__contains__, self.given))

    def typable(self, row: Row) -> bytes:
        """Which fields an element would take, as ``MAX_FIELDS`` bytes of 0 or 1."""
        if row.tag == "select":
            taken = [text in row.options for text in self.texts]
        elif row.type == "range":
            taken = [text.lstrip("-").isdigit() for text in self.texts]
        else:
            taken = [row.tag == "textarea" or row.type in TYPED] * len(self.texts)
        return bytes(taken).ljust(MAX_FIELDS, b"\0")


_NO_MATCH = bytes(MAX_FIELDS * len(MATCH_FEATURES))
_NOT_TYPABLE = bytes(MAX_FIELDS)


@lru_cache(maxsize=1 << 15)
def _known(row: Row, across: float, down: float) -> Known:
    """What of an element does not depend on the instruction."""
    number = figure(row.text)
    flags = (row.checked, row.disabled, row.readonly, row.covered, row.draggable)
    takes_typing = row.tag in ("input", "select", "textarea") and not row.readonly
    shown = (
        _kind(row.tag, row.type),
        _state(flags, bool(row.value), row.classes),
        _place(row.left * across, row.top * down, row.width * across, row.height * down),
        _NO_NUMBER if number is None else _NUMBERS.pack(min(number, 1000) / 1000, 1, 0, 0),
        word_ids(row.text or row.value, TEXT_WORDS).tobytes(),
    )
    return Known(
        b"".join(shown),
        facts(row.text),
        row.value.lower(),
        None if number is None else ((row.tag, row.type, row.classes), number),
        None if takes_typing else acts(row, _NOT_TYPABLE),
    )


@lru_cache(maxsize=1 << 6)
def _kind(tag: str, kind: str) -> bytes:
    """The columns of ``elements`` for ``KINDS``."""
    shown = f"input {kind}" if tag == "input" else tag
    return np.array([name == shown for name in KINDS], np.float32).tobytes()


@lru_cache(maxsize=1 << 12)
def _state(flags: tuple[bool, ...], filled: bool, classes: str) -> bytes:
    """The columns for ``STATES``; focused and held are left open."""
    named = classes.split()
    states = (*flags, "selected" in named, "open" in named, filled, False, False)
    return np.array(states, np.float32).tobytes()


@lru_cache(maxsize=1 << 14)
def _place(*shares: float) -> bytes:
    """The columns for a box, as shares of the viewport."""
    return np.clip(np.array(shares, np.float32), -2, 2).tobytes()


_NUMBERS = struct.Struct("=4f")
_NO_NUMBER = bytes(_NUMBERS.size)
"""The last columns, from a number on; ranks are left open."""
