"""Fetching corpora, from a server on this machine that has what the public ones have."""

import io
import tarfile
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import torch

from envs.dance import fetching
from envs.dance.corpus import ARCHIVES, CORPORA, corpus
from hardware_sim.errors import InputError
from tests.envs.dance import invented

SONGS = [f"Song {number}" for number in range(12)]


@pytest.fixture
def server(monkeypatch):
    """Serves invented files where a corpus is declared to be; counts what was asked for."""
    files = {
        f"/raw/Some Songs/{title}/{title}.sm": invented.chart_file(
            invented.song(title, levels=("Easy",))
        )
        for title in SONGS
    }
    source = {
        "base": "https://example.org/raw/Some Songs/",
        "root": "itg_patch/",
        "added_suffix": "",
        "files": {
            path.replace("/raw/Some Songs/", "itg_patch/"): fetching._digest(content)
            for path, content in files.items()
        },
    }
    monkeypatch.setattr(fetching, "sources", lambda: {"itg2_patch": source})
    asked = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = unquote(self.path)
            asked[path] += 1
            content = files.get(path)
            self.send_response(200 if content is not None else 404)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}", files, asked
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_a_corpus_that_was_fetched_is_the_corpus(server, tmp_path):
    mirror, _, asked = server
    seen = []
    fetching.fetch(
        "itg2_patch", tmp_path / "data", mirror, lambda done, of: seen.append((done, of))
    )
    assert seen[0] == (0, 12)
    assert seen[-1] == (12, 12)
    assert [song.title for song in corpus("itg2_patch", tmp_path / "data")] == sorted(SONGS)
    before = asked.total()
    fetching.fetch("itg2_patch", tmp_path / "data", mirror)
    assert asked.total() == before
    assert not list((tmp_path / "data" / "fetched").iterdir())


def test_a_fetch_that_broke_off_goes_on_where_it_was(server, tmp_path):
    mirror, files, asked = server
    broken = sorted(files)[8]
    content = files.pop(broken)
    with pytest.raises(InputError, match="Not Found; what is there stays"):
        fetching.fetch("itg2_patch", tmp_path, mirror)
    assert not (tmp_path / ARCHIVES["itg2_patch"]).exists()
    there = {path.name for path in (tmp_path / "fetched").rglob("*.sm")}
    assert len(there) >= 8
    files[broken] = content
    asked.clear()
    fetching.fetch("itg2_patch", tmp_path, mirror)
    assert len(asked) == 12 - len(there)
    assert (tmp_path / ARCHIVES["itg2_patch"]).exists()


def test_a_file_that_changed_is_refused(server, tmp_path):
    mirror, files, _ = server
    files[sorted(files)[0]] = b"#TITLE:Other;"
    with pytest.raises(InputError, match="is not what it was: SHA-256"):
        fetching.fetch("itg2_patch", tmp_path, mirror)
    assert not (tmp_path / ARCHIVES["itg2_patch"]).exists()


def test_a_server_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"http://127\.0\.0\.1:9/itgmania.*cannot be fetched"):
        fetching.fetch("stepmania5", tmp_path, "http://127.0.0.1:9")


def test_every_corpus_has_a_source_with_home_licence_and_digests():
    assert set(fetching.sources()) == {*CORPORA, "weights"}
    for name, source in fetching.sources().items():
        assert source["home"].startswith("https://")
        assert source["licence"]
        if name == "weights":
            continue
        packages = source.get("packages", {})
        digests = [*source.get("files", {}).values(), *(p["sha256"] for p in packages.values())]
        assert digests
        assert all(len(digest) == 64 for digest in digests)


@pytest.mark.data
@pytest.mark.parametrize("name", ARCHIVES)
def test_public_files_have_the_digests_they_are_known_by(name, dance_data):
    with tarfile.open(dance_data / ARCHIVES[name]) as archive:
        digests = {
            member.name: fetching._digest(archive.extractfile(member).read())
            for member in archive
            if member.isfile()
        }
    assert digests == fetching.sources()[name]["files"]


@pytest.mark.data
def test_public_weights_have_the_digest_they_are_known_by(dance_data):
    source = fetching.sources()["weights"]
    with np.load(dance_data / source["file"]) as file:
        assert (
            fetching._digest_of_arrays({key: file[key] for key in file.files}) == source["sha256"]
        )


def test_weights_are_kept_as_numbers_and_checked(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    names = ("cnn.conv0.weight", "cnn.conv0.bias", "norm.mean", "norm.std")
    arrays = {name: random.normal(size=(3, 2)).astype(np.float32) for name in names}
    source = {
        "home": "https://example.org/weights",
        "file": "weights/network.npz",
        "state_dicts": {part: f"https://example.org/raw/{part}.bin" for part in ("cnn", "norm")},
        "sha256": fetching._digest_of_arrays(arrays),
    }
    monkeypatch.setattr(fetching, "sources", lambda: {"weights": source})
    for part, url in source["state_dicts"].items():
        path = tmp_path / "mirror" / urlsplit(url).path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        named = {key: arrays[key] for key in arrays if key.startswith(part)}
        torch.save({k[len(part) + 1 :]: torch.from_numpy(v) for k, v in named.items()}, path)
    mirror = "file://" + str(tmp_path / "mirror")
    fetching.fetch("weights", tmp_path / "data", mirror)
    with np.load(tmp_path / "data" / source["file"]) as file:
        assert set(file.files) == set(arrays)
        assert all((file[key] == arrays[key]).all() for key in arrays)
    torch.save({"mean": torch.zeros(3, 2)}, path)
    with pytest.raises(InputError, match="are not what they were"):
        fetching.fetch("weights", tmp_path / "other", mirror)
    path.write_bytes(b"no weights")
    with pytest.raises(InputError, match="holds no weights"):
        fetching.fetch("weights", tmp_path / "other", mirror)
    assert not (tmp_path / "other").exists()


def test_songs_of_a_package_are_mixed_and_their_notes_checked(tmp_path):
    import soundfile

    def vorbis(samples):
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, 8000, format="OGG", subtype="VORBIS")
        return buffer.getvalue()

    wave = np.sin(np.arange(8000) / 5).astype(np.float32) * 0.3
    files = {
        "song.ogg": vorbis(np.stack([wave, wave], 1)),
        "guitar.ogg": vorbis(wave[:4000]),
        "notes.mid": b"MThd",
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as data:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./usr/share/songs/A Song/{name}")
            member.size = len(content)
            data.addfile(member, io.BytesIO(content))
    packed = buffer.getvalue()
    package = b"!<arch>\n" + b"".join(
        name.ljust(48).encode()
        + str(len(part)).ljust(10).encode()
        + b"`\n"
        + part
        + b"\n" * (len(part) % 2)
        for name, part in (("debian-binary", b"2.0"), ("data.tar.xz", packed))
    )
    with tarfile.open(fileobj=io.BytesIO(fetching._data_of_package(package))) as data:
        fetching._unpack_songs(data, {"a_song": fetching._digest(b"MThd")}, tmp_path, "pack")
    samples, rate = soundfile.read(tmp_path / "a_song.ogg")
    assert rate == 8000
    assert samples.shape == (8000,)
    assert np.abs(samples).max() == pytest.approx(0.98, abs=0.05)
    loud, quiet = np.abs(samples[500:3500]).max(), np.abs(samples[4500:7500]).max()
    assert loud == pytest.approx(2 * quiet, rel=0.1)
    assert (tmp_path / "a_song.mid").read_bytes() == b"MThd"
    with tarfile.open(fileobj=io.BytesIO(packed)) as data, pytest.raises(InputError, match="notes"):
        fetching._unpack_songs(data, {"a_song": "0" * 64}, tmp_path, "pack")
