"""The page that plays a song with its chart, in a real browser."""

import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from envs.dance.chart import Chart, Song
from envs.dance.simfiles import write_ssc
from envs.dance.timing import TICKS, Timing
from experiments.dance.preview import notes, write
from hardware_sim.errors import InputError

MUSIC = Path(str(files("envs").joinpath("dance", "songs", "metal_madness.ogg")))
TIMING = Timing.constant(150.0, -0.5)


def chart(codes, ticks, difficulty="Hard"):
    """A chart at 150 beats a minute."""
    ticks = np.asarray(ticks, np.int64)
    times = TIMING.time_at(ticks / TICKS)
    return Chart(ticks, np.array(codes, np.uint8), times, difficulty, 5)


@pytest.fixture
def song_file(tmp_path):
    steps = chart([1, 4, 16, 64, 2, 3], np.array([0, 1, 2, 3, 4, 6]) * TICKS)
    (tmp_path / "song.ogg").write_bytes(MUSIC.read_bytes())
    song = Song("Metal <madness>", "C. V. Iborra", "song.ogg", TIMING, (steps,))
    return write_ssc(song, tmp_path / "song.ssc")


def test_notes_have_ends_kinds_and_feet():
    found = notes(chart([1, 64, 2, 3], [0, 24, 48, 84]))
    assert [note[1:] for note in found] == [[0, 0, 4, 0], [3, 0, 8, 1], [0, 1.2, 4, 0]]


def test_the_page_plays_in_a_browser(song_file, tmp_path, chromium):
    page = tmp_path / "page.html"
    write(song_file, page)
    chromium.get(page.as_uri())
    assert chromium.find_element("css selector", "h1").text == "C. V. Iborra - Metal <madness>"
    assert chromium.find_element("id", "chart").text.strip() == "Hard 5"
    before = chromium.find_element("id", "highway").screenshot_as_base64
    chromium.find_element("id", "play").click()
    deadline = time.monotonic() + 20
    seconds = "return Number(document.documentElement.dataset.seconds)"
    while chromium.execute_script(seconds) < 0.3:
        assert time.monotonic() < deadline, "the music does not play"
        time.sleep(0.05)
    chromium.find_element("id", "play").click()
    assert chromium.execute_script("return music.duration") == pytest.approx(61.8, abs=1.0)
    assert chromium.find_element("id", "highway").screenshot_as_base64 != before
    logs = [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]
    assert logs == []


def test_bad_input(song_file, tmp_path):
    with pytest.raises(InputError, match="no audio file"):
        write(song_file, tmp_path / "page.html", music=tmp_path / "missing.ogg")
    assert not (tmp_path / "page.html").exists()
