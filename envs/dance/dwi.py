r"""Chart files of Dance With Intensity (``.dwi``), the format before ``.sm``.

A chart is a run of characters, an eighth note each; brackets change the pace. A character is a
panel or a jump on two of them, ``<...>`` one row of several, and what stands behind ``!`` is held
until the panel's next arrow.
"""

import re

from envs.dance import notes
from envs.dance.chart import Chart, Song, meter_of
from envs.dance.timing import TICKS, Events, Timing
from hardware_sim.errors import InputError

LEVELS = {
    "BEGINNER": "Beginner",
    "BASIC": "Easy",
    "ANOTHER": "Medium",
    "MANIAC": "Hard",
    "SMANIAC": "Challenge",
}

PANELS = {
    "0": (),
    "1": (0, 1),
    "2": (1,),
    "3": (1, 3),
    "4": (0,),
    "5": (),
    "6": (3,),
    "7": (0, 2),
    "8": (2,),
    "9": (2, 3),
    "A": (1, 2),
    "B": (0, 3),
}
"""Panels of a character, as on the number pad; A and B are the jumps it has no key for."""

EIGHTH = TICKS // 2
PACE = {"(": TICKS // 4, "[": TICKS // 6, "{": TICKS // 16, "`": TICKS // 48}
"""Ticks a character within brackets: 16th, 24th, 64th and 192nd notes."""

CLOSING = ")]}'"


def song(text: str, repair: bool) -> Song:
    """Reads a file's text; see :func:`envs.dance.simfiles.read`.

    Raises:
        InputError: A tag is missing or malformed.
    """
    heads = ((part, re.search(r"#(\w+):", part)) for part in text.split(";")[:-1])
    found = [(head[1].upper(), part[head.end() :]) for part, head in heads if head]
    tags = {tag: " ".join(value.split()) for tag, value in found}
    if "BPM" not in tags:
        raise InputError("the tag #BPM is missing")
    timing = Timing.of_gimmicks(
        -_number(tags.get("GAP") or "0", "GAP") / 1000,
        ((0.0, _number(tags["BPM"], "BPM")), *_events(tags, "CHANGEBPM", 1.0)),
        _events(tags, "FREEZE", 1e-3),
    )
    charts = [_chart(value, timing, repair) for tag, value in found if tag == "SINGLE"]
    return Song(
        tags.get("TITLE", ""), tags.get("ARTIST", ""), tags.get("FILE", ""), timing, tuple(charts)
    )


def _number(text: str, tag: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"#{tag} has {text!r}; allowed: a number") from error


def _events(tags: dict[str, str], tag: str, unit: float) -> Events:
    """Pairs of a position in 16th notes and a value, as beats and the value in our unit."""
    pairs = (entry.partition("=") for entry in tags.get(tag, "").split(",") if entry.strip())
    return tuple((_number(at, tag) / 4, _number(value, tag) * unit) for at, _, value in pairs)


def _chart(value: str, timing: Timing, repair: bool) -> Chart:
    parts = value.split(":")
    if len(parts) < 3:
        raise InputError("#SINGLE needs level:meter:steps")
    level = LEVELS.get(parts[0].strip().upper(), "Edit")
    try:
        ticks, rows, mines, rolls = notes.placed(_steps("".join(parts[2].split())), repair)
    except InputError as error:
        raise InputError(f"{level}: {error}") from error
    meter = meter_of(parts[1].strip() or "1")
    return Chart(ticks, rows, timing.time_at(ticks / TICKS), level, meter, "", mines, rolls)


def _steps(text: str) -> dict[tuple[int, int], str]:
    """Notes of a run of characters, ``{(tick, panel): character}`` as :mod:`notes` has them."""
    tick, pace = 0, [EIGHTH]
    held: set[int] = set()
    found: dict[tuple[int, int], str] = {}
    for token in re.findall(r"(?:<[^<>]*>|[^<!])(?:!(?:<[^<>]*>|.))?|.", text.upper()):
        if token in PACE:
            pace.append(PACE[token])
        elif token in CLOSING:
            pace = pace[:-1] or [EIGHTH]
        else:
            now, _, holds = token.partition("!")
            starting = _panels(holds)
            for panel in _panels(now):
                found[tick, panel] = "3" if panel in held else "2" if panel in starting else "1"
                (held.add if found[tick, panel] == "2" else held.discard)(panel)
            tick += pace[-1]
    return found


def _panels(characters: str) -> set[int]:
    unknown = set(characters.strip("<>")) - PANELS.keys()
    if unknown:
        raise InputError(f"the steps have {min(unknown)!r}; allowed: {' '.join(PANELS)} ( [ {{ ` !")
    return {panel for character in characters.strip("<>") for panel in PANELS[character]}
