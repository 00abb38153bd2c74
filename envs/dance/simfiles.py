"""Chart files of StepMania and its kin: ``.sm`` and ``.ssc``, and ``.dwi`` to read."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from envs.dance import notes
from envs.dance.chart import DIFFICULTIES, Chart, Song
from envs.dance.timing import TICKS, Events, Timing
from hardware_sim.errors import InputError

ENCODINGS = ("utf-8-sig", "cp1252", "cp932")
"""Tried in turn: the standard, and what old editors wrote in the West and in Japan."""

SUFFIXES = (".ssc", ".sm", ".dwi")


def read(path: str | Path, repair: bool = False) -> Song:
    """Reads a chart file.

    Args:
        path: A ``.sm``, ``.ssc`` or ``.dwi`` file.
        repair: Whether faults that games forgive are mended instead of refused: holds without an
            end, tails without a head, rows of a wrong length, stray text.

    Returns:
        The song with its four-panel charts (``dance-single``); other kinds are left out. Taps
        that cannot be hit (fakes, notes inside warps) are left out.

    Raises:
        InputError: The file cannot be read or is malformed; says what and where.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} is no chart file; allowed: {', '.join(SUFFIXES)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    song = loads(content, path.name, repair)
    return Song(**{**vars(song), "name": path.stem, "folder": str(path.parent)})


def loads(content: bytes, name: str, repair: bool = False) -> Song:
    """Reads the bytes of a chart file; see :func:`read`.

    Args:
        content: The file's bytes.
        name: Its name; the suffix says what it is, errors start with it.
        repair: See :func:`read`.
    """
    try:
        return _song(decoded(content), Path(name).suffix.lower(), repair)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def decoded(content: bytes) -> str:
    """Text in the first of :data:`ENCODINGS` that fits.

    Raises:
        InputError: None fits.
    """
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"the text is in none of the encodings {', '.join(ENCODINGS)}")


def _song(text: str, suffix: str, repair: bool) -> Song:
    library = _library()
    try:
        kind = library.ssc.SSCSimfile if suffix == ".ssc" else library.sm.SMSimfile
        parsed = kind(file=io.StringIO(text), strict=not repair)
    except Exception as error:  # the library raises several kinds of its own for malformed text
        raise InputError(f"no {suffix} file: {error}") from error
    if "BPMS" not in parsed:
        raise InputError("the tag #BPMS is missing")
    timing = _timing(parsed)
    singles = [chart for chart in parsed.charts if chart.stepstype == "dance-single"]
    return Song(
        title=parsed.get("TITLE") or "",
        artist=parsed.get("ARTIST") or "",
        music=parsed.get("MUSIC") or "",
        timing=timing,
        charts=tuple(_chart(each, parsed, timing, repair) for each in singles),
    )


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its file system library uses an old interface
            import simfile.sm
            import simfile.ssc
    except ImportError as error:
        raise InputError("chart files need simfile: pip install 'gymworks[dance]'") from error
    return simfile


def _timing(tags: Any) -> Timing:
    return Timing.of_gimmicks(
        float(tags.get("OFFSET") or 0),
        _events(tags, "BPMS"),
        _events(tags, "STOPS") or _events(tags, "FREEZES"),
        _events(tags, "DELAYS"),
        _events(tags, "WARPS"),
    )


def _events(tags: Any, name: str) -> Events:
    pairs = []
    for entry in (tags.get(name) or "").split(","):
        if not entry.strip():
            continue
        beat, _, value = entry.partition("=")
        try:
            pairs.append((float(beat), float(value)))
        except ValueError as error:
            raise InputError(f"#{name} has {entry.strip()!r}; allowed: beat=value") from error
    return tuple(pairs)


def _chart(chart: Any, song: Any, song_timing: Timing, repair: bool) -> Chart:
    difficulty = _difficulty(chart.difficulty or "")
    own = "BPMS" in chart and chart is not song
    timing = _timing(chart) if own else song_timing
    try:
        found = notes.parse(chart.notes or "", repair)
        found = _hittable(found, timing, _events(chart if own else song, "FAKES"))
        ticks, rows, mines, rolls = notes.placed(found, repair)
    except InputError as error:
        raise InputError(f"{difficulty}: {error}") from error
    return Chart(
        ticks,
        rows,
        timing.time_at(ticks / TICKS),
        difficulty,
        _meter(chart.meter or "1"),
        (chart.get("CREDIT") if own else None) or chart.description or "",
        mines,
        rolls,
        timing if timing != song_timing else None,
    )


def _hittable(
    found: dict[tuple[int, int], str], timing: Timing, fakes: Events
) -> dict[tuple[int, int], str]:
    """Notes without those in warps and fake spans; a hold goes with its head."""
    keys = sorted(found)
    beats = np.array([tick for tick, _ in keys]) / TICKS
    counts = timing.hittable(beats)
    for start, length in fakes:
        counts &= ~((beats >= start) & (beats < start + length))
    kept: dict[tuple[int, int], str] = {}
    dropped = [False] * 4
    for key, hit in zip(keys, counts.tolist(), strict=True):
        character, panel = found[key], key[1]
        if character == "3":
            hit = not dropped[panel]
        dropped[panel] = not hit and character in "24"
        if hit:
            kept[key] = character
    return kept


def _difficulty(name: str) -> str:
    known = {each.lower(): each for each in (*DIFFICULTIES, "Edit")}
    return known.get(name.strip().lower(), "Edit")


def _meter(text: str) -> int:
    try:
        return max(1, int(float(text)))
    except ValueError as error:
        raise InputError(f"the meter is {text!r}; allowed: a whole number from 1") from error
