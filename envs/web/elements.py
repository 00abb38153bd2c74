"""One element, or one text, as numbers."""

import re
import struct
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from snowballstemmer import stemmer

from envs.web.actions import ACTS, MAX_FIELDS, TYPED, acts
from envs.web.dates import MONTH_NUMBERS, read_date
from envs.web.document import CONTROLS, INPUT_TYPES, TEXTS
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

ELEMENT = np.dtype(
    [
        ("elements", np.float32, len(ELEMENT_FEATURES)),
        ("text", np.int32, TEXT_WORDS),
        ("match", np.int8, (MAX_FIELDS, len(MATCH_FEATURES))),
        ("element_mask", np.int8),
        *ACTS,
    ]
)
"""All columns of observations for an element but for focus, what is held and ranks."""

Ranked = tuple[tuple[str, str, str], float]
"""Tag, type and classes of an element whose text begins with a number, and this number."""

Encoded = tuple[bytes, Ranked | None]
"""An element as bytes of an ``ELEMENT``, and what it is ranked by."""

NOTHING: Encoded = (bytes(ELEMENT.itemsize), None)
"""An element that is not displayed."""

_WORD = re.compile(r"[a-z0-9]+")
_STEMMER = stemmer("english")
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


class Facts(NamedTuple):
    """The parts of a text that comparisons use.

    Attributes:
        lowered: The text in lower case.
        words: Its words.
        day: The day of a date as ``"March 6, 2017"``, or 0 where the text has none.
        month: Its month, or 0.
        is_number: Whether it is nothing but a whole number.
        number: The number it begins with, or ``None``.
        date: The date it is, however it is written, or ``None``.
        ids: Ids of its first ``TEXT_WORDS`` words, as bytes.
    """

    lowered: str
    words: frozenset[str]
    day: int
    month: int
    is_number: bool
    number: float | None
    date: date | None
    ids: bytes


@lru_cache(maxsize=1 << 16)
def facts(text: str) -> Facts:
    """The parts of a text that comparisons use."""
    found = words(text)
    return Facts(
        lowered=text.lower(),
        words=frozenset(found),
        day=next((int(word) for word in found if word.isdigit() and 0 < int(word) < 32), 0),
        month=next((MONTH_NUMBERS[word] for word in found if word in MONTH_NUMBERS), 0),
        is_number=text.isdigit(),
        number=figure(text),
        date=read_date(text),
        ids=word_ids(text, TEXT_WORDS).tobytes(),
    )


def match(text: str, value: str, field: str) -> tuple[int, ...]:
    """Agreement of an element with a field: 0 or 1 for each of ``MATCH_FEATURES``."""
    return tuple(_agreement(facts(text), facts(value), facts(field)))


def _agreement(mine: Facts, value: Facts, field: Facts) -> bytes:
    """Agreement as of :func:`match`, from the facts of text, value and field."""
    given, text = field.lowered, mine.lowered
    if not given:
        return bytes(len(MATCH_FEATURES))
    dated = field.month > 0 and field.day > 0
    shares = not mine.words.isdisjoint(field.words)
    difference = 0.0
    number = shown_number(mine, value)
    if number is not None and field.number is not None and field.is_number:
        difference = number - field.number
    if dated and mine.month:
        difference = mine.month - field.month
    return bytes(
        (
            text == given,
            text != "" and (given in text or text in given),
            shares,
            shares and field.words <= mine.words,
            dated and mine.is_number and mine.day == field.day,
            dated and mine.month == field.month,
            _means(value, field),
            bool(value.words) and field.words <= value.words,
            difference < 0,
            difference > 0,
        )
    )


def _means(value: Facts, field: Facts) -> bool:
    """True if a value is what a field asks for, maybe in other words."""
    if field.lowered in value.lowered or (bool(value.words) and value.words <= field.words):
        return True
    return value.date is not None and value.date == field.date


def shown_number(text: Facts, value: Facts) -> float | None:
    """The number that an element shows, by its text or else by its value."""
    return value.number if text.number is None else text.number


class Look(NamedTuple):
    """The part of an element's encoding that depends neither on words nor on the instruction.

    Attributes:
        shown: Bytes of the columns of ``elements`` before the number.
        acts: Legal acts of an element that takes no typing, as of :func:`envs.web.actions.acts`;
            ``None`` for one that does.
        group: What its number is ranked among: tag, type and classes.
    """

    shown: bytes
    acts: bytes | None
    group: tuple[str, str, str]


class ElementEncoder(dict[Row | None, Encoded]):
    """Encodings of the elements that come up in an episode, made when they are first asked for.

    Args:
        texts: What the instruction's fields type, at most ``MAX_FIELDS``.
        size: Width and height of the viewport.
    """

    def __init__(self, texts: tuple[str, ...], size: tuple[int, int]) -> None:
        super().__init__({None: NOTHING})
        self.texts = texts
        self.size = size
        self.fields = [facts(text) for text in texts]
        numbered = list(enumerate(self.fields))
        self.given = [(place, field.lowered) for place, field in numbered if field.lowered]
        self.dated = [place for place, field in numbered if field.month and field.day]
        self.datable = [place for place, field in numbered if field.date is not None]
        self.numeric = [place for place, field in numbered if field.is_number]
        self.wordless = [place for place, field in numbered if not field.words]
        self.by_word: dict[str, list[int]] = {}
        for place, field in numbered:
            for word in field.words:
                self.by_word.setdefault(word, []).append(place)
        self.matches: dict[tuple[str, str], bytes] = {}

    def __missing__(self, row: Row) -> Encoded:
        """Encodes an element that has not come up."""
        text, value = facts(row.text), facts(row.value)
        look = _look(row.tag, row.type, row[4:], row.value != "", self.size)
        number = text.number if text.number is not None else value.number
        parts = (
            look.shown,
            _NO_NUMBER if number is None else _NUMBERS.pack(min(number, 1000) / 1000, 1, 0, 0, 0),
            text.ids if row.text else value.ids,
            self.match(row.text, row.value),
            b"\1",
            acts(row, self.typable(row)) if look.acts is None else look.acts,
        )
        found = b"".join(parts), None if number is None else (look.group, number)
        self[row] = found
        return found

    def match(self, text: str, value: str) -> bytes:
        """Agreement of an element with each field, as bytes of ``(MAX_FIELDS, 10)`` flags."""
        found = self.matches.get((text, value))
        if found is None:
            found = _NO_MATCH
            shown, held = facts(text), facts(value)
            places = self._candidates(shown, held)
            if places:
                flags, size = bytearray(found), len(MATCH_FEATURES)
                for place in places:
                    agreement = _agreement(shown, held, self.fields[place])
                    flags[place * size : place * size + size] = agreement
                found = bytes(flags)
            self.matches[text, value] = found
        return found

    def _candidates(self, text: Facts, value: Facts) -> set[int]:
        """The fields that an element may agree with; most elements agree with few or none."""
        found: set[int] = set()
        for words in (text.words, value.words):
            if not words.isdisjoint(self.by_word):
                found.update(*[self.by_word[word] for word in words & self.by_word.keys()])
        if text.month:
            found.update(self.dated)
        elif text.day:
            found.update([place for place in self.dated if self.fields[place].day == text.day])
        if value.date is not None:
            found.update(self.datable)
        if value.words:
            found.update(self.wordless)
        if self.numeric and shown_number(text, value) is not None:
            found.update(self.numeric)
        mine, held = text.lowered, value.lowered
        for place, given in self.given:
            if given in mine or given in held or (mine and mine in given):
                found.add(place)
        return found

    def typable(self, row: Row) -> bytes:
        """``MAX_FIELDS`` bytes: 1 for each field that an element would take, else 0."""
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
def _look(tag: str, kind: str, rest: tuple[Any, ...], filled: bool, size: tuple[int, int]) -> Look:
    """The look of an element, which many elements share.

    Args:
        tag: Tag of its row.
        kind: Type of its row.
        rest: Columns of the row after text and value.
        filled: Whether it holds a value.
        size: Width and height of the viewport.
    """
    row = Row(tag, kind, "", "", *rest)
    shown = f"input {kind}" if tag == "input" else tag
    classes = row.classes.split()
    states = (
        row.checked,
        row.disabled,
        row.readonly,
        row.covered,
        row.draggable,
        "selected" in classes,
        "open" in classes,
        filled,
        False,
        False,
    )
    across, down = 1 / size[0], 1 / size[1]
    place = (row.left * across, row.top * down, row.width * across, row.height * down)
    features = np.array([*[name == shown for name in KINDS], *states, *place], np.float32)
    takes_typing = row.tag in ("input", "select", "textarea") and not row.readonly
    return Look(
        np.clip(features, -2, 2).tobytes(),
        None if takes_typing else acts(row, _NOT_TYPABLE),
        (row.tag, row.type, row.classes),
    )


_NUMBERS = struct.Struct("=5f")
_NO_NUMBER = bytes(_NUMBERS.size)
"""The last columns of ``elements``, from a number on; ranks are left open."""
