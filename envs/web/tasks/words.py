"""Words that the small tasks draw from, all invented or everyday."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

_WORDS: dict[str, Any] = json.loads(Path(__file__).with_name("words.json").read_text("utf-8"))

LABELS: list[str] = _WORDS["labels"]
"""Labels of buttons."""

NOUNS: list[str] = _WORDS["nouns"]
NAMES: list[str] = _WORDS["names"]
MONTHS: list[str] = _WORDS["months"]

COLOURS: dict[str, str] = _WORDS["colours"]
"""CSS codes of colours by name."""

T = TypeVar("T")


def some(random: np.random.Generator, words: Sequence[T], count: int) -> list[T]:
    """Different words in random order."""
    return [words[index] for index in random.permutation(len(words))[:count].tolist()]


def one(random: np.random.Generator, words: Sequence[T]) -> T:
    """A word."""
    return words[int(random.integers(len(words)))]


def code(random: np.random.Generator, length: int) -> str:
    """Letters and digits that can't be mistaken for one another."""
    return "".join(one(random, "abcdefghjkmnpqrstuvwxyz23456789") for _ in range(length))
