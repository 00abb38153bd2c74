"""Chart files of StepMania and its kin: ``.sm`` and ``.ssc``, and ``.dwi`` to read.

What :class:`chart.Song` holds is read and written without loss. Of the rest, pictures, backgrounds
and other decoration are left out on reading, lifts become taps, fakes and attacks are dropped.
"""

import io
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from envs.dance import dwi, notes
from envs.dance.chart import CHART_BYTES, DIFFICULTIES, Chart, Song, check_holds, meter_of
from envs.dance.radar import groove_radar
from envs.dance.timing import TICKS, Events, Timing
from hardware_sim.errors import InputError
from hardware_sim.files import write_text
from hardware_sim.reading import read_bytes

ENCODINGS = ("utf-8-sig", "cp1252", "cp932")
"""Encodings tried in turn: the standard, and those of old editors in the West and in Japan."""

SUFFIXES = (".ssc", ".sm", ".dwi")

MOST_EVENTS = 20_000
"""Most tempi, stops, delays, warps or fakes of a chart."""


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
        InputError: The file cannot be read or is malformed; the message names fault and place.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} is no chart file; allowed: {', '.join(SUFFIXES)}")
    song = loads(read_bytes(path, CHART_BYTES), path.name, repair)
    return Song(**{**vars(song), "name": path.stem, "folder": str(path.parent)})


def loads(content: bytes, name: str, repair: bool = False) -> Song:
    """Reads the bytes of a chart file; see :func:`read`.

    Args:
        content: The file's bytes.
        name: The file's name; its suffix gives the format, errors start with it.
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


def write_sm(song: Song, path: str | Path) -> Path:
    """Writes a ``.sm`` file, whole or not at all.

    Args:
        song: All of its holds are closed.
        path: The destination.

    Raises:
        InputError: The song has what the format cannot hold: warps, or charts with a timing of
            their own (``.ssc`` can); or a chart is not sound, see :func:`chart.check_holds`.
    """
    if song.timing.warps or any(chart.timing for chart in song.charts):
        raise InputError(
            f"{song.title}: .sm holds no warps and one timing for all charts; write .ssc instead"
        )
    parts = [*_header(song), *_timing_tags(song.timing)[:-1]]
    for chart in song.charts:
        radar = ",".join(f"{value:.3f}" for value in groove_radar(chart))
        fields = ("dance-single", chart.author, chart.difficulty, str(chart.meter), radar)
        check_holds(chart)
        parts.append(
            _tag("NOTES", *(f"\n     {each}" for each in fields), "\n" + notes.text(chart))
        )
    return write_text(path, "\n".join(parts) + "\n")


def write_ssc(song: Song, path: str | Path) -> Path:
    """Writes a ``.ssc`` file, whole or not at all.

    Args:
        song: All of its holds are closed.
        path: The destination.

    Raises:
        InputError: A chart is not sound, see :func:`chart.check_holds`.
    """
    parts = [_tag("VERSION", "0.83"), *_header(song), *_timing_tags(song.timing)]
    for chart in song.charts:
        check_holds(chart)
        radar = ",".join(f"{value:.3f}" for value in groove_radar(chart))
        parts += [
            _tag("NOTEDATA", ""),
            _tag("STEPSTYPE", "dance-single"),
            _tag("DESCRIPTION", chart.author),
            _tag("DIFFICULTY", chart.difficulty),
            _tag("METER", str(chart.meter)),
            _tag("RADARVALUES", radar),
            _tag("CREDIT", chart.author),
            *(_timing_tags(chart.timing) if chart.timing else []),
            _tag("NOTES", "\n" + notes.text(chart)),
        ]
    return write_text(path, "\n".join(parts) + "\n")


def _header(song: Song) -> list[str]:
    texts = {"TITLE": song.title, "ARTIST": song.artist, "MUSIC": song.music}
    for name, text in [*texts.items(), *(("author", chart.author) for chart in song.charts)]:
        if text != " ".join(text.split()):
            raise InputError(f"{name} is {text!r}; allowed: one line without space around it")
    tags = [_tag(name, text) for name, text in texts.items()]
    names = ("SAMPLESTART", "SAMPLELENGTH")[: len(song.sample_s)]
    tags += [_tag(name, _decimal(value)) for name, value in zip(names, song.sample_s, strict=True)]
    paces = sorted({_decimal(round(bpm, 3)) for _, bpm in song.timing.bpms}, key=float)
    return [*tags, _tag("DISPLAYBPM", *dict.fromkeys((paces[0], paces[-1])))]


def _timing_tags(timing: Timing) -> list[str]:
    def events(pairs: Events) -> str:
        return ",".join(f"{beat:.6f}={_decimal(value)}" for beat, value in pairs)

    return [
        _tag("OFFSET", _decimal(timing.offset_s)),
        _tag("BPMS", events(timing.bpms)),
        _tag("STOPS", events(timing.stops)),
        _tag("DELAYS", events(timing.delays)),
        _tag("WARPS", events(timing.warps)),
    ]


def _decimal(value: float) -> str:
    """The shortest decimals that mean the same number, without an exponent."""
    return np.format_float_positional(value, min_digits=3)


def _tag(name: str, *values: str) -> str:
    escaped = (re.sub(r"[\\:;]|//|#", r"\\\g<0>", value) for value in values)
    return f"#{name}:{':'.join(escaped)};"


def _song(text: str, suffix: str, repair: bool) -> Song:
    if suffix == ".dwi":
        return dwi.song(text, repair)
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
        title=_line(parsed, "TITLE"),
        artist=_line(parsed, "ARTIST"),
        music=_line(parsed, "MUSIC"),
        timing=timing,
        charts=tuple(_chart(each, parsed, timing, repair) for each in singles),
        sample_s=_sample(parsed),
    )


def _sample(tags: Any) -> tuple[float, ...]:
    """Start and length of the part that the menu plays; none where they are no numbers.

    The game ignores such tags, too, and no note depends on them.
    """
    try:
        return float(tags["SAMPLESTART"]), float(tags["SAMPLELENGTH"])
    except (KeyError, TypeError, ValueError):
        return ()


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its file system library uses an old interface
            import simfile.sm
            import simfile.ssc
    except ImportError as error:
        raise InputError("chart files need simfile: pip install 'gymworks[dance]'") from error
    return simfile


def _line(tags: Any, name: str) -> str:
    """A tag's text on one line; empty if there is no such tag."""
    return " ".join((tags.get(name) or "").split())


def _timing(tags: Any, offset_s: float = 0.0) -> Timing:
    """The timing that tags state; the offset is the other one if they have none."""
    offset = (tags.get("OFFSET") or "").strip()
    try:
        offset_s = float(offset) if offset else offset_s
    except ValueError as error:
        raise InputError(f"#OFFSET is {offset!r}; allowed: seconds") from error
    return Timing.of_gimmicks(
        offset_s,
        _events(tags, "BPMS"),
        _events(tags, "STOPS") or _events(tags, "FREEZES"),
        _events(tags, "DELAYS"),
        _events(tags, "WARPS"),
    )


def _events(tags: Any, name: str) -> Events:
    pairs: list[tuple[float, float]] = []
    entries = (tags.get(name) or "").split(",")
    if len(entries) > MOST_EVENTS:
        raise InputError(f"#{name} has {len(entries)} entries; allowed: at most {MOST_EVENTS}")
    for entry in entries:
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
    own = "BPMS" in chart
    timing = _timing(chart, song_timing.offset_s) if own else song_timing
    try:
        found = notes.parse(chart.notes or "", repair)
        found = _hittable(found, timing, _events(chart if own else song, "FAKES"))
        ticks, rows, mines, rolls = notes.placed(found, repair)
        meter = meter_of(chart.meter or "1")
    except InputError as error:
        raise InputError(f"{difficulty}: {error}") from error
    author = _line(chart, "CREDIT") or _line(chart, "DESCRIPTION")
    times = timing.time_at(ticks / TICKS)
    kept = timing if timing != song_timing else None
    return Chart(ticks, rows, times, difficulty, meter, author, mines, rolls, kept)


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
