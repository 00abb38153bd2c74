"""One element, or one text, as numbers."""

import re
import struct
from datetime import date
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from snowballstemmer import stemmer

from envs.web.actions import ACTS, MAX_FIELDS, TYPED, acts
from envs.web.document import CONTROLS, INPUT_TYPES, TEXTS
from envs.web.reward import read_date
from envs.web.snapshot import Row

VOCABULARY = 4096
"""Word ids are ``1 + crc32(stem) % (VOCABULARY - 1)``; 0 is no word."""

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
PLACES = ("left", "top", "width", "height", "number", "is number", "lowest", "highest", "rank")
ELEMENT_FEATURES = (*KINDS, *STATES, *PLACES)
"""Columns of ``elements``: kinds and states are 0 or 1, places are shares of the viewport."""

MATCH_FEATURES = (
    "equal",
    "contains",
    "shares a word",
    "all words",
    "same day",
    "same month",
    "value equal",
    "value all words",
    "below",
    "above",
)
"""Last axis of ``match``: how an element's text or value agrees with a field's text.

A value also equals a field whose text is the same date in other words, contains it, or has all of
its words. ``below`` and ``above`` compare numbers with numbers, and months with dates.
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

_KIND = {kind: index for index, kind in enumerate(KINDS)}
_WORD = re.compile(r"[a-z0-9]+")
_STEMMER = stemmer("english")
_FIGURE = re.compile(r"^[^0-9]{0,2}([0-9]+(?:[.:][0-9]+)?)")


def words(text: str) -> list[str]:
    """The words and numbers of a text, in lower case."""
    return _WORD.findall(text.lower())


@lru_cache(maxsize=1 << 16)
def _word_set(text: str) -> frozenset[str]:
    return frozenset(words(text))


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
    """The id of a word; forms of one word, as "leaving" and "leave", have one id."""
    stem: str = _STEMMER.stemWord(word)
    return 1 + crc32(stem.encode()) % (VOCABULARY - 1)


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
    wanted_words, worth = _word_set(field), _word_set(value)
    shares = not _word_set(text).isdisjoint(wanted_words)
    equal_value = bool(value) and (
        given in value.lower()
        or (bool(worth) and worth <= wanted_words)
        or _same_date(value, field)
    )
    number, wanted = shown_number(text, value), _field_number(field)
    difference = 0.0 if number is None or wanted is None else number - wanted
    if dated and shown_month:
        difference = shown_month - month
    return (
        int(mine == given),
        int(contains),
        int(shares),
        int(shares and wanted_words <= _word_set(text)),
        int(same_day),
        int(same_month),
        int(equal_value),
        int(bool(worth) and wanted_words <= worth),
        int(difference < 0),
        int(difference > 0),
    )


@lru_cache(maxsize=1 << 14)
def _date(text: str) -> date | None:
    return read_date(text)


def _same_date(value: str, field: str) -> bool:
    shown = _date(value)
    return shown is not None and shown == _date(field)


def shown_number(text: str, value: str) -> float | None:
    """The number that an element shows, by its text or else by its value."""
    number = figure(text)
    return figure(value) if number is None else number


def _field_number(field: str) -> float | None:
    """The number that a field is, if it is one."""
    return figure(field) if field.isdigit() else None


class ElementEncoder:
    """Encodes the elements that come up in an episode.

    Args:
        texts: What the instruction's fields type, at most ``MAX_FIELDS``.
        size: Width and height of the viewport.
    """

    def __init__(self, texts: tuple[str, ...], size: tuple[int, int]) -> None:
        self.texts = texts
        self.scale = (1 / size[0], 1 / size[1])
        self.lowered = [text.lower() for text in texts if text]
        self.joined = "\n".join(self.lowered)
        self.words = frozenset().union(*map(_word_set, texts))
        dates = [_day_and_month(text) for text in texts]
        self.days = {day for day, month in dates if month}
        self.dated = any(day and month for day, month in dates)
        self.numeric = any(_field_number(text) is not None for text in texts)

    def encode(self, row: Row) -> bytes:
        """An element as bytes of an ``ELEMENT``."""
        classes = row.classes.split()
        state = (
            row.checked,
            row.disabled,
            row.readonly,
            row.covered,
            row.draggable,
            "selected" in classes,
            "open" in classes,
            bool(row.value),
        )
        kind = f"input {row.type}" if row.tag == "input" else row.tag
        return b"".join(
            (
                _kind_and_state(kind, state),
                _place(row.left, row.top, row.width, row.height, *self.scale),
                _number(shown_number(row.text, row.value)),
                word_ids(row.text or row.value, TEXT_WORDS).tobytes(),
                self.match(row.text, row.value),
                b"\1",
                acts(row, self.typable(row)),
            )
        )

    def match(self, text: str, value: str) -> bytes:
        """How an element agrees with each field, as bytes of ``(MAX_FIELDS, 10)`` flags."""
        if not self._may_match(text, value):
            return _NO_MATCH
        flags = [bytes(match(text, value, field)) for field in self.texts]
        return b"".join(flags).ljust(len(_NO_MATCH), b"\0")

    def _may_match(self, text: str, value: str) -> bool:
        """Whether an element agrees with any field at all; most do not."""
        mine, worth = text.lower(), value.lower()
        if (mine and mine in self.joined) or not _word_set(text).isdisjoint(self.words):
            return True
        if not _word_set(value).isdisjoint(self.words) or (self.dated and _date(value)):
            return True
        day, month = _day_and_month(text)
        if (month and self.dated) or day in self.days:
            return True
        if self.numeric and shown_number(text, value) is not None:
            return True
        return any(given in mine or given in worth for given in self.lowered)

    def typable(self, row: Row) -> bytes:
        """Which fields an element would take, as ``MAX_FIELDS`` bytes of 0 or 1."""
        if row.tag not in ("input", "select", "textarea") or row.readonly:
            return _NOT_TYPABLE
        if row.tag == "select":
            taken = [text in row.options for text in self.texts]
        elif row.type == "range":
            taken = [text.lstrip("-").isdigit() for text in self.texts]
        else:
            taken = [row.tag == "textarea" or row.type in TYPED] * len(self.texts)
        return bytes(taken).ljust(MAX_FIELDS, b"\0")


_NO_MATCH = bytes(MAX_FIELDS * len(MATCH_FEATURES))
_NOT_TYPABLE = bytes(MAX_FIELDS)


@lru_cache(maxsize=1 << 12)
def _kind_and_state(kind: str, state: tuple[bool, ...]) -> bytes:
    """The first columns of ``elements``; focused and held are left open."""
    features = np.zeros(len(KINDS) + len(STATES), np.float32)
    if kind in _KIND:
        features[_KIND[kind]] = 1
    features[len(KINDS) : len(KINDS) + len(state)] = state
    return features.tobytes()


@lru_cache(maxsize=1 << 14)
def _place(left: int, top: int, width: int, height: int, across: float, down: float) -> bytes:
    """The columns of ``elements`` for the box."""
    shares = np.array((left * across, top * down, width * across, height * down), np.float32)
    return np.clip(shares, -2, 2).tobytes()


def _number(number: float | None) -> bytes:
    """The last columns of ``elements``; ranks are left open."""
    if number is None:
        return _NO_NUMBER
    return _NUMBERS.pack(min(number, 1000) / 1000, 1, 0, 0, 0)


_NUMBERS = struct.Struct("=5f")
_NO_NUMBER = bytes(_NUMBERS.size)
