"""The page that plays a song with its chart, in a real browser."""

import json
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from envs.dance.chart import Chart, Song
from envs.dance.simfiles import write_ssc
from envs.dance.timing import TICKS, Timing
from experiments.dance import verbs as dance
from experiments.dance.preview import notes, write
from experiments.dance.ratings import read, summaries
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


def saved(folder, count):
    """The ratings in a folder, once there are so many."""
    deadline = time.monotonic() + 20
    while len(found := sorted(folder.glob("*.rating.json"))) < count:
        assert time.monotonic() < deadline, "the browser saved no rating"
        time.sleep(0.05)
    return found


def test_ratings_are_saved_by_the_page_and_summed_up(song_file, tmp_path, chromium):
    page, beside = tmp_path / "page.html", tmp_path / "charts"
    write(song_file, page)
    settings = {"behavior": "allow", "downloadPath": str(beside)}
    chromium.execute_cdp_cmd("Browser.setDownloadBehavior", settings)
    for count, grade in enumerate((4, 5, 2), 1):
        chromium.get(page.as_uri())
        chromium.find_element("css selector", f"#rating input[value='{grade}']").click()
        chromium.find_element("css selector", "#rating button").click()
        files_saved = saved(beside, count)
        assert chromium.find_element("id", "saved").text.startswith("Saved as song.ssc-Hard-5-")
    assert sorted(read(path).rating for path in files_saved) == [2, 4, 5]
    result = CliRunner().invoke(dance.app, ["ratings", str(tmp_path), "--json"])
    (chart,) = json.loads(result.stdout)["charts"]
    assert (chart["chart"], chart["level"]) == ("song.ssc", "Hard 5")
    assert (chart["count"], chart["mean"]) == (3, pytest.approx(11 / 3, abs=1e-3))
    assert chart["interval"][0] < chart["mean"] < chart["interval"][1]


def test_a_page_without_a_grade_saves_nothing(song_file, tmp_path, chromium):
    write(song_file, tmp_path / "page.html")
    chromium.get((tmp_path / "page.html").as_uri())
    chromium.find_element("css selector", "#rating button").click()
    assert chromium.find_element("id", "saved").text == ""


RATING = {"chart": "a.sm", "level": "Hard 5", "notes": "0" * 16, "rating": 4}


def rated(folder, **changes):
    path = folder / "a.rating.json"
    path.write_text(json.dumps(RATING | changes))
    return path


def test_one_rating_has_no_interval_and_edits_of_a_chart_are_apart(tmp_path):
    first = read(rated(tmp_path))
    edited = read(rated(tmp_path, notes="1" * 16, rating=1))
    one, other = summaries([edited, first])
    assert (one["mean"], one["count"], one["interval"]) == (4, 1, None)
    assert other["mean"] == 1


@pytest.mark.parametrize(
    "changes",
    [{"rating": 6}, {"rating": True}, {"rating": "4"}, {"rating": 4.5}, {"chart": 3}, {"more": 1}],
)
def test_what_is_no_rating_is_refused(tmp_path, changes):
    with pytest.raises(InputError, match=r"a\.rating\.json"):
        read(rated(tmp_path, **changes))


def test_texts_that_are_no_ratings_are_refused(tmp_path):
    path = tmp_path / "a.rating.json"
    for text in ("no", "[" * 4000, json.dumps(RATING) + " " * 5000, "[1]", "\x00"):
        path.write_text(text)
        with pytest.raises(InputError, match="no rating"):
            read(path)
    with pytest.raises(InputError, match="has no ratings"):
        CliRunner().invoke(dance.app, ["ratings", str(tmp_path / "x")], catch_exceptions=False)


def test_bad_input(song_file, tmp_path):
    with pytest.raises(InputError, match="no audio file"):
        write(song_file, tmp_path / "page.html", music=tmp_path / "missing.ogg")
    assert not (tmp_path / "page.html").exists()
