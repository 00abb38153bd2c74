"""Frames beside a file of demonstrations: without loss, and only where the screen changed."""

import zipfile

import numpy as np
import pytest

from envs.web.demonstration_frames import FrameWriter, frames_path, read_frame
from hardware_sim.errors import InputError


def test_frames_are_kept_where_they_change(tmp_path):
    file = tmp_path / "a.b.jsonl.xz"
    random = np.random.default_rng(0)
    one, two = random.integers(0, 256, (2, 21, 16, 3), np.uint8)
    writer = FrameWriter()
    for number, step, frame in ((0, 0, one), (0, 1, one), (0, 2, two), (1, 0, two)):
        writer.add(number, step, frame)
    path = writer.write(file)
    assert path == frames_path(tmp_path / "a.b.jsonl") == tmp_path / "a.b.frames.zip"
    with zipfile.ZipFile(path) as packed:
        assert packed.namelist() == ["0/000000.webp", "0/000002.webp", "1/000000.webp"]
    for number, step, frame in ((0, 0, one), (0, 1, one), (0, 2, two), (0, 99, two), (1, 5, two)):
        assert np.array_equal(read_frame(file, number, step), frame)
    with pytest.raises(InputError, match="no frames of demonstration 2"):
        read_frame(file, 2, 0)


def test_missing_and_broken_frames_are_named(tmp_path):
    with pytest.raises(InputError, match=r"gymworks web replay --frames draws it"):
        read_frame(tmp_path / "a.jsonl", 0, 0)
    frames_path(tmp_path / "a.jsonl").write_bytes(b"no zip")
    with pytest.raises(InputError, match="cannot be read"):
        read_frame(tmp_path / "a.jsonl", 0, 0)
    with zipfile.ZipFile(frames_path(tmp_path / "b.jsonl"), "w") as packed:
        packed.writestr("0/000000.webp", b"no picture")
    with pytest.raises(InputError, match="cannot be read"):
        read_frame(tmp_path / "b.jsonl", 0, 0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        FrameWriter().write(tmp_path / "file" / "a.jsonl")
