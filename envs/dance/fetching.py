"""Fetching the corpora from where they are public, each file against its SHA-256.

``sources.json`` names for each corpus its home, commit, licence, files and their digests. Files
that are there already and whole are not fetched again, so a fetch that broke off goes on.
"""

import hashlib
import io
import json
import lzma
import pickle
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import torch

from envs.dance.corpus import ARCHIVES, CORPORA
from hardware_sim.errors import InputError, choose
from hardware_sim.files import write_atomic

TIMEOUT_S = 60
THREADS = 4
WEIGHTS = "weights"
"""Fetched besides the corpora: the weights of the onset network by the paper's authors."""

FETCHED = (*CORPORA, WEIGHTS)

PEAK = 0.98
"""Loudest sample of the mixed guitar songs."""

Progress = Callable[[int, int], None]
"""Called with the number of files that are there, and the number of all."""


@dataclass(frozen=True)
class File:
    """One file to fetch: its place in the data folder, its address and its SHA-256."""

    path: Path
    url: str
    digest: str


@cache
def sources() -> dict[str, Any]:
    """The sources of each corpus, by name: home, commit, licence, files."""
    plain: dict[str, Any] = json.loads(Path(__file__).with_name("sources.json").read_bytes())
    return plain


def fetch(
    name: str, folder: Path, mirror: str = "", progress: Progress = lambda done, of: None
) -> None:
    """Fetches a corpus into the folder, in the layout that :func:`corpus.corpus` reads.

    Args:
        name: One of :data:`FETCHED`.
        folder: The data folder; made if missing.
        mirror: Address of a server that has the same paths as the public ones; empty for those.
        progress: See :data:`Progress`.

    Raises:
        InputError: A file cannot be fetched or is not what it was; what is there stays.
    """
    choose("corpus", name, FETCHED)
    source = sources()[name]
    stage = folder / "fetched"
    try:
        if name == WEIGHTS:
            _fetch_weights(source, folder, mirror, progress)
            return
        if "packages" in source:
            _fetch_packages(source["packages"], folder, stage, mirror, progress)
            return
        archive = folder / ARCHIVES[name] if name in ARCHIVES else None
        if archive and archive.exists():
            progress(1, 1)
            return
        files = list(_files(source, stage if archive else folder, mirror))
        _fetch_all(files, progress)
        if archive:
            _write(archive, _packed(files, stage))
            shutil.rmtree(stage / Path(source["root"]).parts[0])
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}") from error


def _files(source: dict[str, Any], folder: Path, mirror: str) -> Iterator[File]:
    renamed = source.get("renamed", {})
    for path, digest in source["files"].items():
        there = path.removeprefix(source["root"]).removesuffix(source["added_suffix"])
        url = source["base"] + renamed.get(path, there)
        yield File(folder / path, _address(url, mirror), digest)


def _address(url: str, mirror: str) -> str:
    parts = urlsplit(url)
    return (mirror.rstrip("/") or f"{parts.scheme}://{parts.netloc}") + quote(
        url.split(parts.netloc, 1)[1]
    )


def _fetch_all(files: list[File], progress: Progress) -> None:
    progress(0, len(files))
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for done, _ in enumerate(pool.map(_fetch_one, files), 1):
                progress(done, len(files))
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch_one(file: File) -> None:
    if file.path.exists() and _digest(file.path.read_bytes()) == file.digest:
        return
    content = _download(file.url)
    if _digest(content) != file.digest:
        raise InputError(
            f"{file.url} is not what it was: SHA-256 {_digest(content)} instead of {file.digest}"
        )
    _write(file.path, content)


def _download(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(
            f"{url} cannot be fetched: {reason}; what is there stays, run it again to go on"
        ) from error
    return content


def _write(path: Path, content: bytes) -> None:
    write_atomic(path, lambda target: target.write(content))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of_arrays(arrays: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for key in sorted(arrays):
        digest.update(key.encode() + arrays[key].tobytes())
    return digest.hexdigest()


def _packed(files: list[File], stage: Path) -> bytes:
    """An archive of the files; the same bytes each time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            content = file.path.read_bytes()
            member = tarfile.TarInfo(str(file.path.relative_to(stage)))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return lzma.compress(buffer.getvalue())


def _fetch_weights(source: dict[str, Any], folder: Path, mirror: str, progress: Progress) -> None:
    """Fetches state dicts of torch and keeps their numbers as arrays."""
    path = folder / source["file"]
    if not path.exists():
        arrays: dict[str, Any] = {}
        for part, url in source["state_dicts"].items():
            file = io.BytesIO(_download(_address(url, mirror)))
            try:
                tensors = torch.load(file, map_location="cpu", weights_only=True)
            except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
                raise InputError(f"{url} holds no weights: {error}") from error
            arrays |= {f"{part}.{key}": tensor.numpy() for key, tensor in tensors.items()}
        if _digest_of_arrays(arrays) != source["sha256"]:
            raise InputError(f"the weights of {source['home']} are not what they were")
        write_atomic(path, lambda target: np.savez(target, **arrays))
    progress(1, 1)


def _fetch_packages(
    packages: dict[str, Any], folder: Path, stage: Path, mirror: str, progress: Progress
) -> None:
    """Fetches Debian packages of songs and mixes each song's music and guitar into one file."""
    place = folder / "fretsonfire"
    for done, (pack, package) in enumerate(packages.items()):
        progress(done, len(packages))
        songs: dict[str, str] = package["songs"]
        wanted = [place / f"{song}{suffix}" for song in songs for suffix in (".ogg", ".mid")]
        if all(path.exists() for path in wanted):
            continue
        name = Path(urlsplit(package["url"]).path).name
        file = File(stage / name, _address(package["url"], mirror), package["sha256"])
        _fetch_one(file)
        with tarfile.open(fileobj=io.BytesIO(_data_of_package(file.path.read_bytes()))) as data:
            _unpack_songs(data, songs, place, pack)
        file.path.unlink()
    progress(len(packages), len(packages))


def _data_of_package(content: bytes) -> bytes:
    """The files of a Debian package: its member ``data.tar.*`` (an ``ar`` archive, deb(5))."""
    at = len(b"!<arch>\n")
    while at < len(content):
        name, size = content[at : at + 16].decode().strip(), int(content[at + 48 : at + 58])
        at += 60
        if name.startswith("data.tar"):
            return content[at : at + size]
        at += size + size % 2
    raise InputError("the package has no data; fetch it again")


def _unpack_songs(data: tarfile.TarFile, songs: dict[str, str], place: Path, pack: str) -> None:
    found: dict[str, dict[str, bytes]] = {}
    for member in data:
        file = data.extractfile(member) if member.isfile() else None
        path = Path(member.name)
        if file and path.name == "copyright":
            _write(place / f"COPYRIGHT.{pack}", file.read())
        elif file and path.name in ("song.ogg", "guitar.ogg", "notes.mid"):
            key = path.parent.name.lower().replace(" ", "_")
            found.setdefault(key, {})[path.name] = file.read()
    for song, digest in songs.items():
        notes = found[song]["notes.mid"]
        if _digest(notes) != digest:
            raise InputError(f"the notes of {song} are not what they were")
        _write(place / f"{song}.ogg", _mixed(found[song]["song.ogg"], found[song]["guitar.ogg"]))
        _write(place / f"{song}.mid", notes)


def _mixed(music: bytes, guitar: bytes) -> bytes:
    """The sum of two recordings, mono, as Vorbis."""
    try:
        import soundfile  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise InputError("audio needs soundfile: pip install 'gymworks[dance]'") from error
    first, rate = soundfile.read(io.BytesIO(music), dtype="float32", always_2d=True)
    second, _ = soundfile.read(io.BytesIO(guitar), dtype="float32", always_2d=True)
    mix = np.zeros(max(len(first), len(second)), np.float32)
    for part in (first, second):
        mix[: len(part)] += part.mean(1)
    mix *= PEAK / np.abs(mix).max()
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, 1, format="OGG", subtype="VORBIS") as file:
        for block in np.array_split(mix, len(mix) // rate + 1):  # long writes crash the encoder
            file.write(block)
    return buffer.getvalue()
