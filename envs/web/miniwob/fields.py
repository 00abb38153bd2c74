"""Finds in an instruction the texts that it may ask to type."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from envs.web.actions import MAX_FIELDS

_WORD = re.compile(r"[\w'-]+")
_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”')
_FIGURE = re.compile(r"\d+/\d+/\d+|\d+:\d+(?:\s?[AaPp][Mm]\b)?|(?<![\w.(-])-?\d+(?:\.\d+)?\b")
_NAMED = re.compile(
    r"\b(?:find|select|enter|choose|type|order|to|by|from|of|for|named|text|button|user)\b:?\s+"
    r"(?P<text>[^\s\".][^\".]*?)"
    r"(?=\s+(?:and|as|at|with|from|to|into|in|then|by|on)\b|[.:;!?\"]|$)",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"(?:a|an|all|and|button|field|fields|in|input|it|mark|on|that|the|them|their|up|user|with|your)\b"
    r"|(?:click|delete|enter|find|labeled|named|paste|password|press|text|type|username)(?:ing)?\b",
    re.IGNORECASE,
)
LONGEST = 64
"""Characters of the longest text that counts as one; longer ones are sentences."""


class _Found(NamedTuple):
    start: int
    text: str


def fields(utterance: str, marked: Sequence[str] = ()) -> tuple[tuple[str, str], ...]:
    """The texts of an instruction that an agent may want to type.

    These are, in this order of preference where there are too many: what stands in quotation marks,
    what the page emphasises, dates, times and numbers, and what follows a verb or preposition, cut
    at commas, unless it begins with an article, a pronoun or a verb. What stands inside another
    such text is left out.

    Args:
        utterance: The instruction.
        marked: Texts that the page emphasises.

    Returns:
        ``(name, text)`` in the order of the instruction, at most ``MAX_FIELDS``; the name is the
        one or two words before the text, as in ``("the password", "x7Y")``.
    """
    kept: list[_Found] = []
    for found in _candidates(utterance, marked):
        if len(kept) < MAX_FIELDS and 0 < len(found.text) <= LONGEST and not _inside(found, kept):
            kept.append(found)
    return tuple((_name(utterance[: found.start]), found.text) for found in sorted(kept))


def _candidates(utterance: str, marked: Sequence[str]) -> Iterable[_Found]:
    for match in _QUOTED.finditer(utterance):
        text = match[1] or match[2]
        yield _Found(match.start() + 1, text)
    for text in marked:
        if text.strip() in utterance:
            yield _Found(utterance.index(text.strip()), text.strip())
    for match in _FIGURE.finditer(utterance):
        yield _Found(match.start(), match[0])
    for match in _NAMED.finditer(utterance):
        start = match.start("text")
        for part in re.split(r"(,\s*|>\s*)", match["text"]):
            if not part.startswith((",", ">")) and not _VAGUE.match(part):
                yield _Found(start, part.strip())
            start += len(part)


def _inside(found: _Found, kept: list[_Found]) -> bool:
    """True if a text overlaps one that has been found, or repeats it."""
    end = found.start + len(found.text)
    return any(
        found.text == other.text
        or (found.start < other.start + len(other.text) and other.start < end)
        for other in kept
    )


def _name(before: str) -> str:
    return " ".join(_WORD.findall(before)[-2:]).lower()
