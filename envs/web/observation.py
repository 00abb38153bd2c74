"""Turns snapshots into arrays of fixed size; the same for the browser and its twin."""

import struct
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.web.actions import ACTIONS, DROP, KEY, MAX_FIELDS, decode, mask_parts
from envs.web.document import MAX_ELEMENTS
from envs.web.elements import (
    ELEMENT,
    ELEMENT_FEATURES,
    MATCH_FEATURES,
    TEXT_WORDS,
    VOCABULARY,
    ElementEncoder,
    Ranked,
    word_ids,
)
from envs.web.snapshot import Row, Snapshot

FIELD_WORDS, NAME_WORDS = 8, 2
INSTRUCTION_WORDS = 32

_FOCUSED, _HELD = ELEMENT_FEATURES.index("focused"), ELEMENT_FEATURES.index("held")
_LOWEST = ELEMENT_FEATURES.index("lowest")  # followed by "highest" and "rank"

PAGE = np.dtype(
    [
        ("rows", ELEMENT, MAX_ELEMENTS),
        ("instruction", np.int32, INSTRUCTION_WORDS),
        ("fields", np.int32, (MAX_FIELDS, FIELD_WORDS)),
        ("focus", np.int32, 1),
        ("field_mask", np.int8, MAX_FIELDS),
        ("held", np.int8),
    ],
    align=True,
)
"""All that one environment shows; an element is a piece of memory that is written at once."""

Observation = dict[str, NDArray[Any]]


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


COLUMNS = {"elements": ELEMENT_FEATURES, "match": MATCH_FEATURES}
"""Names of the last axis, by key."""


def _ids(*shape: int) -> spaces.Box:
    return spaces.Box(0, VOCABULARY - 1, shape, np.int32)


def _flags(*shape: int) -> spaces.Box:
    return spaces.Box(0, 1, shape, np.int8)


class Pages:
    """The pages of several environments, one after the other in memory.

    Args:
        count: Number of environments.
    """

    def __init__(self, count: int) -> None:
        self.records = np.zeros(count, PAGE)
        parts = {**self._parts(), "action_mask": self.masks()}
        self.together = np.dtype(
            [(key, part.dtype, part.shape) for key, part in parts.items()], align=True
        )

    def observation(self) -> Observation:
        """New arrays with all that is shown, the environments along their first axis.

        They share one piece of memory: as many as there are keys would each time be given back to
        the system and asked for again, which takes longer than all the copying.
        """
        whole = np.empty((), self.together)
        for key, part in self._parts().items():
            whole[key][...] = part
        whole["action_mask"][...] = self.masks()
        return {key: whole[key] for key in self.together.fields or ()}

    def _parts(self) -> Observation:
        """All that is shown but the masks of actions, where it is kept."""
        records, rows = self.records, self.records["rows"]
        return {
            **{key: rows[key] for key in ("elements", "text", "match", "element_mask")},
            **{key: records[key] for key in ("instruction", "fields", "field_mask", "focus")},
        }

    def masks(self) -> NDArray[np.int8]:
        """The legal actions in each environment, int8 ``(count, ACTIONS)`` of 0 or 1."""
        masks = np.ones((len(self.records), ACTIONS), np.int8)
        for act, part in mask_parts(masks).items():
            part[...] = self.records["rows"][act]
        holds = self.records["held"] > 0
        masks[~holds, DROP:KEY] = 0
        masks[holds, :DROP] = 0
        masks[holds, KEY:] = 0
        return masks


class PageEncoder:
    """Keeps what one environment shows up to date with its snapshots.

    Args:
        pages: The memory to write to.
        row: Index of the environment.
        size: Width and height of the viewport.

    Attributes:
        texts: What the fields of the present instruction type.
    """

    def __init__(self, pages: Pages, row: int, size: tuple[int, int]) -> None:
        self.size = size
        self.pages, self.row = pages, row
        self._bind()
        self.count = 0
        self.numbers: dict[int, Ranked] = {}
        self.ranks: dict[int, bytes] = {}
        self.focus = self.held = -1
        self.begin("", ())

    def _bind(self) -> None:
        """Finds the row's memory."""
        start = self.row * PAGE.itemsize
        memory = memoryview(self.pages.records.view(np.uint8))  # type: ignore[arg-type]
        self.memory = memory[start : start + PAGE.itemsize]
        self.floats, self.integers = self.memory.cast("f"), self.memory.cast("i")

    def __getstate__(self) -> dict[str, Any]:
        """The state to pickle: all but the views of memory."""
        views = ("memory", "floats", "integers")
        return {name: part for name, part in self.__dict__.items() if name not in views}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restores a pickled encoder, whose pages have moved to other memory."""
        self.__dict__.update(state)
        self._bind()

    def begin(self, instruction: str, fields: tuple[tuple[str, str], ...]) -> None:
        """Starts an episode: writes the instruction and its fields.

        What was seen of the last episode's page stays until :meth:`update` brings the first one.
        """
        self.texts = tuple([text for _, text in fields])
        lengths = NAME_WORDS, FIELD_WORDS - NAME_WORDS
        ids = [word_ids(*part) for field in fields for part in zip(field, lengths, strict=True)]
        self._fill("instruction", word_ids(instruction, INSTRUCTION_WORDS).tobytes())
        self._fill("fields", b"".join([part.tobytes() for part in ids]))
        self._fill("field_mask", b"\1" * len(fields))
        self.encoded = ElementEncoder(self.texts, self.size)
        self.fresh = True

    def update(self, snapshot: Snapshot) -> None:
        """Takes in a snapshot; where it lists the changed elements, only those are written."""
        if self.fresh or snapshot.changed is None:
            self._write_all(snapshot.rows)
        else:
            self._write(snapshot.rows, snapshot.changed)
        self._point(snapshot.focus, snapshot.held)

    def _write_all(self, rows: Sequence[Row | None]) -> None:
        """Writes every element, and nothing where the last page had more."""
        found = [self.encoded[row] for row in rows]
        elements = b"".join([data for data, _ in found])
        length = max(len(rows), self.count) * ELEMENT.itemsize
        self.memory[:length] = elements.ljust(length, b"\0")
        self.numbers = {ref: ranked for ref, (_, ranked) in enumerate(found) if ranked is not None}
        self.fresh, self.count = False, len(rows)
        self._rank()

    def _write(self, rows: Sequence[Row | None], refs: Collection[int]) -> None:
        """Writes some elements."""
        memory, size, stale = self.memory, ELEMENT.itemsize, False
        for ref in refs:
            data, ranked = self.encoded[rows[ref]]
            memory[ref * size : ref * size + size] = data
            if ranked is not None:
                self.numbers[ref] = ranked
                stale = True
            elif self.numbers.pop(ref, None) is not None:
                stale = True
        if stale:
            self._rank()

    def allows(self, number: int) -> bool:
        """True if an action is legal now.

        Raises:
            InputError: There is no such action.
        """
        action, holds = decode(number), self.held >= 0
        if action.verb == "press" or holds != (action.verb == "drop"):
            return not holds and action.verb == "press"
        start = action.ref * ELEMENT.itemsize + _ELEMENT[action.verb].start
        place = start + max(0, action.field)
        return bool(self.memory[place])

    def _fill(self, key: str, data: bytes) -> None:
        """Writes a part of the page, padded with zeros."""
        where = _PAGE[key]
        self.memory[where] = data.ljust(where.stop - where.start, b"\0")

    def _rank(self) -> None:
        """Ranks the numbers among the elements of a kind and class, from 0 to 1."""
        before, self.ranks = self.ranks, _ranks(self.numbers)
        for ref in before.keys() - self.ranks.keys():
            self._write_rank(ref, _UNRANKED)
        for ref, data in self.ranks.items():
            self._write_rank(ref, data)

    def _write_rank(self, ref: int, data: bytes) -> None:
        place = ref * ELEMENT.itemsize + 4 * _LOWEST
        self.memory[place : place + _RANKS.size] = data

    def _point(self, focus: int, held: int) -> None:
        """Moves the marks of focus and of what is held; rewritten rows have lost theirs."""
        line = ELEMENT.itemsize // 4
        for old, new, column in ((self.focus, focus, _FOCUSED), (self.held, held, _HELD)):
            if old >= 0:
                self.floats[old * line + column] = 0
            if new >= 0:
                self.floats[new * line + column] = 1
        self.focus, self.held = focus, held
        self.integers[_PAGE["focus"].start // 4] = focus
        self.memory[_PAGE["held"].start] = held >= 0


class Encoder(PageEncoder):
    """Keeps one environment's arrays up to date with its snapshots.

    Args:
        arrays: The arrays to write into, one for each key of :func:`space` but ``pixels``; others
            are left alone.
        size: Width and height of the viewport.
    """

    def __init__(self, arrays: Observation, size: tuple[int, int]) -> None:
        self.arrays = arrays
        self.mask: NDArray[np.int8] = arrays["action_mask"]
        super().__init__(Pages(1), 0, size)

    def begin(self, instruction: str, fields: tuple[tuple[str, str], ...]) -> None:
        """Starts an episode; see :class:`PageEncoder`."""
        super().begin(instruction, fields)
        self._unpack()

    def update(self, snapshot: Snapshot) -> None:
        """Takes in a snapshot; see :class:`PageEncoder`."""
        super().update(snapshot)
        self._unpack()

    def _unpack(self) -> None:
        for key, array in self.pages.observation().items():
            self.arrays[key][...] = array[0]


def _places(whole: np.dtype[np.void]) -> dict[str, slice]:
    """The bytes that each field of a structured dtype takes."""
    fields = {name: part[:2] for name, part in (whole.fields or {}).items()}
    return {name: slice(start, start + part.itemsize) for name, (part, start) in fields.items()}


def _ranks(numbers: dict[int, Ranked]) -> dict[int, bytes]:
    """Bytes of the columns from ``lowest`` on for each ref whose number is not alone."""
    groups: dict[tuple[str, str, str], list[tuple[float, int]]] = {}
    for ref, (group, number) in numbers.items():
        groups.setdefault(group, []).append((number, ref))
    found: dict[int, bytes] = {}
    for members in groups.values():
        if len(members) > 1:
            found.update(
                zip([ref for _, ref in sorted(members)], _scale(len(members)), strict=True)
            )
    return found


@cache
def _scale(count: int) -> list[bytes]:
    """Bytes of the columns from ``lowest`` on by rank among so many numbers."""
    last = count - 1
    return [_RANKS.pack(place == 0, place == last, place / last) for place in range(count)]


_RANKS = struct.Struct("=3f")
_UNRANKED = bytes(_RANKS.size)
_PAGE, _ELEMENT = _places(PAGE), _places(ELEMENT)
