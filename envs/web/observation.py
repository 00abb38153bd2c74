"""From snapshots to arrays of fixed size; the same for the browser and its twin."""

from collections.abc import Collection
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.web.actions import ACTIONS, KEY, MAX_FIELDS, mask_parts
from envs.web.document import MAX_ELEMENTS
from envs.web.elements import (
    ELEMENT,
    ELEMENT_FEATURES,
    MATCH_FEATURES,
    NOTHING,
    TEXT_WORDS,
    VOCABULARY,
    ElementEncoder,
    Encoded,
    Ranked,
    word_ids,
)
from envs.web.snapshot import Snapshot

FIELD_WORDS, NAME_WORDS = 8, 2
INSTRUCTION_WORDS = 32

_FOCUSED, _HELD = ELEMENT_FEATURES.index("focused"), ELEMENT_FEATURES.index("held")
_LOWEST, _HIGHEST = ELEMENT_FEATURES.index("lowest"), ELEMENT_FEATURES.index("highest")


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

    Attributes:
        texts: What the fields of the present instruction type.
    """

    def __init__(self, arrays: dict[str, NDArray[Any]], size: tuple[int, int]) -> None:
        self.arrays = arrays
        self.size = size
        self.elements = arrays["elements"]
        self.mask: NDArray[np.int8] = arrays["action_mask"]
        acts = mask_parts(self.mask)
        self.drop = acts.pop("drop")
        self.free = acts
        self.shown = {key: arrays[key] for key in ("elements", "text", "match", "element_mask")}
        self.found: list[Encoded] = []
        self.numbers: dict[int, Ranked | None] = {}
        self.marks: list[tuple[int, int]] = []
        self.focus = self.held = -1
        self.begin("", ())

    def begin(self, instruction: str, fields: tuple[tuple[str, str], ...]) -> None:
        """Starts an episode: writes the instruction and its fields.

        What was seen of the last episode's page stays until :meth:`update` brings the first one.
        """
        self.arrays["instruction"][:] = word_ids(instruction, INSTRUCTION_WORDS)
        count = len(fields)
        self.arrays["fields"][:count] = _field_ids(fields)
        self.arrays["fields"][count:] = 0
        self.arrays["field_mask"][:count] = 1
        self.arrays["field_mask"][count:] = 0
        self.texts = tuple(text for _, text in fields)
        self.encode = ElementEncoder(self.texts, self.size).encode
        self.fresh = True

    def update(self, snapshot: Snapshot) -> None:
        """Takes in a snapshot; where it says what has changed, only that is encoded."""
        rows, held = snapshot.rows, snapshot.held >= 0
        refs: Collection[int]
        if self.fresh or snapshot.changed is None or held != (self.held >= 0):
            self.fresh = False
            self.mask[KEY:] = not held
            refs = range(max(len(rows), len(self.found)))
            shown = [self.encode(row) for row in rows]
            self.found = shown + [NOTHING] * (len(refs) - len(rows))
        else:
            refs = snapshot.changed
            for ref in refs:
                self.found[ref] = self.encode(rows[ref])
        if refs:
            self._write(slice(min(refs), max(refs) + 1), held)
            self._rank(refs)
        del self.found[len(rows) :]
        self._point(snapshot.focus, snapshot.held)

    def _write(self, where: slice, held: bool) -> None:
        """Writes neighbouring elements' part of every array; what lies between costs little."""
        block = np.frombuffer(b"".join([data for data, _ in self.found[where]]), ELEMENT)
        for key, array in self.shown.items():
            array[where] = block[key]
        for key, array in self.free.items():
            array[where] = 0 if held else block[key]
        self.drop[where] = block["drop"] if held else 0

    def _rank(self, refs: Collection[int]) -> None:
        """Marks the lowest and highest number among the elements of a kind and class."""
        stale = False
        for ref in refs:
            ranked = self.found[ref][1]
            if self.numbers.get(ref) != ranked:
                stale = True
                self.numbers[ref] = ranked
        if stale:
            self.elements[:, _LOWEST : _HIGHEST + 1] = 0
            self.marks = _marks(self.numbers)
        for mark in self.marks:
            self.elements[mark] = 1

    def _point(self, focus: int, held: int) -> None:
        """Moves the marks of focus and of what is held; rewritten rows have lost theirs."""
        for old, new, column in ((self.focus, focus, _FOCUSED), (self.held, held, _HELD)):
            if old >= 0:
                self.elements[old, column] = 0
            if new >= 0:
                self.elements[new, column] = 1
        self.focus, self.held = focus, held
        self.arrays["focus"][0] = focus


def _marks(numbers: dict[int, Ranked | None]) -> list[tuple[int, int]]:
    """Rows and columns of the lowest and highest numbers, by ref."""
    groups: dict[tuple[str, str, str], list[tuple[float, int]]] = {}
    for ref, ranked in numbers.items():
        if ranked is not None:
            groups.setdefault(ranked[0], []).append((ranked[1], ref))
    return [
        mark
        for members in groups.values()
        if len(members) > 1
        for mark in ((min(members)[1], _LOWEST), (max(members)[1], _HIGHEST))
    ]


def _field_ids(fields: tuple[tuple[str, str], ...]) -> NDArray[np.int32]:
    """Word ids of names and texts, int32 ``(fields, FIELD_WORDS)``."""
    parts = [
        word_ids(text, length)
        for field in fields
        for text, length in zip(field, (NAME_WORDS, FIELD_WORDS - NAME_WORDS), strict=True)
    ]
    joined = np.concatenate(parts) if parts else np.zeros(0, np.int32)
    return joined.reshape(-1, FIELD_WORDS)
