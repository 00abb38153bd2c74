"""``gymworks dance``: its verbs on real and on bad input."""

import json
import re
import shutil

import pytest
from PIL import Image
from typer.testing import CliRunner

from envs.dance.chart import DIFFICULTIES
from envs.dance.corpus import VARIABLE
from envs.dance.feet import QUANTILES, quantiles
from envs.dance.playability import meter_model
from experiments.cli import app
from hardware_sim.errors import InputError


def run(*arguments):
    return CliRunner().invoke(app, ["dance", *map(str, arguments)])


def test_data_prints_sources_and_licences(tmp_path):
    result = run("data", "stepmania5", "--folder", tmp_path, "--mirror", "http://127.0.0.1:9")
    assert isinstance(result.exception, InputError)
    assert "itgmania/itgmania @ 5d4f9dcb" in result.output
    assert "licence: CC-NC" in result.output


def test_an_unknown_corpus_is_refused(tmp_path):
    result = run("data", "stepmania", "--folder", tmp_path)
    with pytest.raises(InputError, match="did you mean 'stepmania5'"):
        raise result.exception


@pytest.fixture
def chart(invented_data, tmp_path):
    """A song with audio beside its charts."""
    for suffix in (".sm", ".ogg"):
        shutil.copy(invented_data / "stepmania5" / f"drums{suffix}", tmp_path)
    return tmp_path / "drums.sm"


def test_charts_on_the_sound_are_judged_playable_and_in_sync(chart):
    document = json.loads(run("judge", chart, "--json").output)
    assert document["audio"] == str(chart.with_suffix(".ogg"))
    assert document["too_short"] == []
    assert [each["difficulty"] for each in document["charts"]] == [*DIFFICULTIES]
    for each in document["charts"]:
        assert each["playability"] > 95
        assert abs(each["estimated_meter"] - each["meter"]) < 2
        assert each["sync"]["verdict"] == "in sync"


@pytest.mark.data
def test_human_charts_are_judged_playable_and_in_sync(dance_data, tmp_path):
    for suffix in (".sm", ".ogg"):
        shutil.copy(dance_data / "stepmania5" / f"goin_under{suffix}", tmp_path)
    document = json.loads(run("judge", tmp_path / "goin_under.sm", "--json").output)
    assert [each["difficulty"] for each in document["charts"]] == [*reversed(DIFFICULTIES)]
    for each in document["charts"]:
        assert each["playability"] > 95
        assert abs(each["estimated_meter"] - each["meter"]) < 2
        assert each["sync"]["verdict"] == "in sync"


def test_a_wrong_offset_and_a_wrong_tempo_are_distinguished(chart, tmp_path):
    text = chart.read_text()
    late = tmp_path / "late.sm"
    late.write_text(text.replace("#OFFSET:-0.500", "#OFFSET:-0.545"))
    wrong = tmp_path / "wrong.sm"
    wrong.write_text(text.replace("=120.000", "=116.000"))
    music = ("--audio", chart.with_suffix(".ogg"))
    output = run("judge", late, *music).output
    assert "45 ms late: #OFFSET should be -0.500" in output
    assert "not on the sound" in run("judge", wrong, *music).output


def test_text_has_reasons_and_names_sync_that_was_not_judged(chart, tmp_path):
    alone = tmp_path / "alone" / "alone.sm"
    alone.parent.mkdir()
    alone.write_text(re.sub(r"(Beginner:\s+)1:", r"\g<1>9:", chart.read_text()))
    output = run("judge", alone).output
    assert "Sync was not judged" in output
    assert "playability" in output
    assert "easier than its 9" in output


def test_files_that_cannot_be_judged_are_refused(tmp_path):
    broken = tmp_path / "broken.sm"
    broken.write_text("#BPMS:0=120;#NOTES:dance-single:me:Hard:1:0:2000\n0000\n0000\n0000;")
    for path, message in ((tmp_path / "none.sm", "cannot be read"), (broken, "never ends on left")):
        with pytest.raises(InputError, match=message):
            raise run("judge", path).exception
    short = tmp_path / "short.sm"
    short.write_text("#BPMS:0=120;#NOTES:dance-single:me:Hard:1:0:1000\n0000\n0000\n0000;")
    assert "Too short to judge (under 10 rows): Hard" in run("judge", short).output


def test_a_picture_is_a_png_beside_the_chart(chart):
    output = run("picture", chart, "--difficulty", "easy").output
    path = chart.with_name("drums-easy.png")
    assert str(path) in output.replace("\n", "")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.width > 500
    with pytest.raises(InputError, match="unknown difficulty 'Expert'"):
        raise run("picture", chart, "--difficulty", "expert").exception


def test_quantiles_are_of_the_charts_that_are_there(invented_data, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(invented_data))
    result = run("quantiles", "--output", tmp_path / "made.json")
    assert "over 10 charts" in result.output
    made = json.loads((tmp_path / "made.json").read_bytes())
    assert made.keys() == {"charts", "quantiles", "levels", "meter"}
    assert made["quantiles"] == list(QUANTILES)
    paces = [made["levels"][level]["steps_per_s"][QUANTILES.index(0.5)] for level in DIFFICULTIES]
    assert paces == pytest.approx([1, 2, 3, 4, 6], rel=0.01)
    for error, constant, _ in made["meter"]["mean_absolute_error"].values():
        assert error < constant / 4


@pytest.mark.data
def test_quantiles_made_anew_are_those_that_are_shipped(dance_data, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(dance_data))
    result = run("quantiles", "--output", tmp_path / "made.json")
    assert "meter, test: mean absolute error 0.39 over 82 charts" in result.output
    made = json.loads((tmp_path / "made.json").read_bytes())
    assert made["levels"] == quantiles()
    assert made["meter"]["mean_absolute_error"] == meter_model()["mean_absolute_error"]
