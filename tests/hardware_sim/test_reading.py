"""Files of other people: packed ones, deep ones, and those that claim more than they hold."""

import gzip
import json
import lzma
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest

from hardware_sim import reading
from hardware_sim.errors import InputError
from hardware_sim.reading import (
    FILE_BYTES,
    JSON_DEPTH,
    PIXELS,
    parse_json,
    parse_picture,
    read_array,
    read_arrays,
    read_bytes,
    read_json,
    read_lines,
)
from tests.hardware_sim.pictures import png

Pack = Callable[[bytes], bytes]
PACKS = pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])


@PACKS
def test_a_file_is_read_packed_or_not_up_to_its_limit(pack: Pack, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack(b"12345\n678"))
    assert read_bytes(path, 9) == b"12345\n678"
    assert list(read_lines(path, 9)) == [b"12345\n", b"678"]
    with pytest.raises(InputError, match="more than 8 bytes"):
        read_bytes(path, 8)
    lines = read_lines(path, 8)
    assert next(lines) == b"12345\n"
    with pytest.raises(InputError, match="line 2: the file has more than 8 bytes"):
        next(lines)


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_a_file_that_is_not_packed_as_its_name_says_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(b"plain")
    with pytest.raises(InputError, match="cannot be read"):
        read_bytes(path)
    with pytest.raises(InputError, match=r"cannot be read|after line 0"):
        list(read_lines(path))


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_packed_file_that_is_cut_off_is_refused(pack: Pack, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack(b"12345" * 99)[:-9])
    with pytest.raises(InputError, match="cannot be read"):
        read_bytes(path)
    with pytest.raises(InputError, match="after line 0"):
        list(read_lines(path))


def test_json_is_read_up_to_its_depth() -> None:
    def nested(depth: int) -> str:
        return '[{"a":' * (depth // 2) + "1" + "}]" * (depth // 2)

    assert json.dumps(parse_json(nested(JSON_DEPTH))) == nested(JSON_DEPTH).replace(":", ": ")
    for depth in (JSON_DEPTH + 2, 200_000):
        with pytest.raises(InputError, match=f"nested deeper than {JSON_DEPTH} levels"):
            parse_json(nested(depth))


@pytest.mark.parametrize("text", ["", "{", "\udcff", "9" * 5000, b"\xff\xfe"])
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(InputError):
        parse_json(text)


def test_a_json_file_is_named_where_it_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    with pytest.raises(InputError, match=r"file\.json cannot be read: No such file"):
        read_json(path)
    path.write_text("[1,")
    with pytest.raises(InputError, match=r"file\.json is not readable JSON"):
        read_json(path)
    path.write_text("[1]")
    assert read_json(path) == [1]
    with path.open("wb") as file:
        file.truncate(FILE_BYTES + 1)
    with pytest.raises(InputError, match="more than 64 MiB"):
        read_json(path)


def test_an_array_is_read_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "array.npy"
    np.save(path, np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(read_array(path), np.arange(6.0).reshape(2, 3))
    whole = path.read_bytes()
    claims = whole.replace(b"(2, 3)", b"(999999999999, 3)").replace(b" " * 11 + b"\n", b"\n")
    assert len(claims) == len(whole)
    for content in (claims, whole[:-1], b"", b"text", whole.replace(b"<f8", b"|O ")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"array\.npy is no \.npy file of numbers"):
            read_array(path)
    np.save(path, np.array([{"code": 1}]), allow_pickle=True)
    with pytest.raises(InputError, match=r"is no \.npy file of numbers"):
        read_array(path)
    np.savez(tmp_path / "several.npz", a=np.arange(3))
    with pytest.raises(InputError, match="several arrays"):
        read_array(tmp_path / "several.npz")


def test_several_arrays_are_read_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_arrays(path)
    np.savez_compressed(path, a=np.arange(3), b=np.ones((2, 2)))
    found = read_arrays(path)
    assert found["a"].tolist() == [0, 1, 2]
    assert found["b"].shape == (2, 2)
    np.savez(path, a=np.array([{"code": 1}]))
    with pytest.raises(InputError, match=r"is no \.npz file of numbers"):
        read_arrays(path)
    with ZipFile(path, "w", ZIP_DEFLATED) as packed:
        one = BytesIO()
        np.save(one, np.arange(3.0))
        claims = one.getvalue().replace(b"(3,)", b"(999999999999999,)").replace(b" " * 14, b"", 1)
        packed.writestr("a.npy", claims)
    with pytest.raises(InputError, match=r"is no \.npz file of numbers"):
        read_arrays(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=r"is no \.npz file of numbers"):
        read_arrays(path)


def test_arrays_that_unpack_to_gigabytes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reading.ARRAYS_BYTES == 1 << 30
    monkeypatch.setattr(reading, "ARRAYS_BYTES", 1 << 20)
    np.savez_compressed(tmp_path / "arrays.npz", a=np.zeros(1 << 18))
    with pytest.raises(InputError, match="2 MiB; allowed: 1 MiB"):
        read_arrays(tmp_path / "arrays.npz")


def test_a_picture_is_read_up_to_its_size() -> None:
    assert parse_picture(png(4, 3)).shape == (3, 4, 3)
    assert PIXELS == 4096 * 4096
    for width, height in ((4097, 4096), (12_000, 8_000), (60_000, 60_000)):
        with pytest.raises(InputError, match=r"pixels|exceeds limit"):
            parse_picture(png(width, height))
    for content in (b"", b"no picture", png(4, 3)[:40]):
        with pytest.raises(InputError, match="it is no picture"):
            parse_picture(content)
