"""A song in, charts out, from the command line; nothing is left behind when that fails."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from agents.dance.batches import steps
from agents.dance.charter import HANDS_LEVELS, STYLES, _draw, best, released
from envs.dance.chart import DIFFICULTIES, Chart, check_holds, held_before
from envs.dance.feet import down
from envs.dance.simfiles import read
from envs.dance.timing import TICKS, Timing
from experiments.dance import verbs as dance
from experiments.dance.chart import highlight
from hardware_sim.errors import InputError

MUSIC = Path(str(files("envs").joinpath("dance", "songs", "war_of_freedom.ogg")))
APP = typer.Typer()
APP.add_typer(dance.app, name="dance")


def run(*arguments):
    """The lines that ``gymworks dance`` prints."""
    result = CliRunner().invoke(APP, ["dance", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_a_song_gets_charts_that_load(tmp_path):
    place = tmp_path / "charts" / "song.sm"
    lines = run(MUSIC, "-o", place, "--difficulties", "Easy,Challenge", "--title", "War")
    assert lines[-1] == str(place)
    song = read(place)
    assert (song.title, song.music) == ("War", MUSIC.name)
    assert (place.parent / MUSIC.name).read_bytes() == MUSIC.read_bytes()
    assert song.timing.bpms[0][1] == pytest.approx(140.0, abs=0.05)
    easy, challenge = song.charts
    assert (easy.difficulty, challenge.difficulty) == ("Easy", "Challenge")
    assert len(easy.rows) < len(challenge.rows)
    assert easy.meter < challenge.meter
    seconds = soundfile.info(MUSIC).duration
    for chart in song.charts:
        check_holds(chart)
        assert chart.times[0] >= 0
        assert chart.times[-1] <= seconds


def test_the_json_holds_what_was_written(tmp_path):
    place = tmp_path / "song.sm"
    arguments = MUSIC, "-o", place, "--difficulties", "Easy", "--bpm", "140"
    shown = json.loads("".join(run(*arguments, "--json")))
    (chart,) = read(place).charts
    assert shown["charts"] == [
        {"difficulty": "Easy", "meter": chart.meter, "rows": len(chart.rows)}
    ]
    assert (shown["file"], shown["bpm"]) == (str(place), pytest.approx(140, abs=1))
    assert run(*arguments, "--force", "--quiet") == []


def test_a_chart_that_a_person_edited_is_kept(tmp_path):
    place = tmp_path / "song.sm"
    place.write_text("mine")
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / MUSIC.name
    other.write_bytes(b"another song of that name")
    for folder, output, kept in (
        (tmp_path, place, place),
        (tmp_path / "other", other.with_name("new.sm"), other),
    ):
        before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        with pytest.raises(InputError, match=f"{kept} exists; it is replaced only with --force"):
            run(MUSIC, "-o", output, "--difficulties", "Easy", "--bpm", "140")
        assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_a_second_call_keeps_the_levels_of_the_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(MUSIC, "--difficulties", "Easy,Medium", "--bpm", "140")
    with pytest.raises(InputError, match=r"\.sm exists; it is replaced only with --force"):
        run(MUSIC, "--difficulties", "Easy", "--bpm", "140")
    assert len(read(Path(MUSIC.stem) / f"{MUSIC.stem}.sm").charts) == 2


def test_the_same_seed_writes_the_same_chart(tmp_path):
    texts = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        place = tmp_path / f"{name}.ssc"
        run(MUSIC, "-o", place, "--difficulties", "Easy", "--bpm", "140", "--seed", str(seed))
        texts.append(place.read_text())
    assert texts[0] == texts[1] != texts[2]


def test_the_menu_is_given_a_loud_part_and_the_tempo(tmp_path):
    text = {}
    for suffix in (".sm", ".ssc"):
        place = tmp_path / f"song{suffix}"
        run(MUSIC, "-o", place, "--difficulties", "Easy", "--bpm", "140")
        text[suffix] = place.read_text()
        song = read(place)
        start_s, length_s = song.sample_s
        assert length_s == 15
        assert 0 <= start_s <= soundfile.info(MUSIC).duration - length_s
        beat = float(song.timing.beat_at(start_s))
        assert beat == pytest.approx(4 * round(beat / 4), abs=0.01)
        assert f"#SAMPLESTART:{start_s:.3f}" in text[suffix]
        assert f"#DISPLAYBPM:{song.timing.bpms[0][1]:.3f};" in text[suffix]


def test_the_loudest_part_is_found():
    beats = Timing.constant(120.0, 0.0)
    samples = np.full(60 * 1000, 0.1, np.float32)
    samples[30_000:46_000] = 0.9
    assert highlight(samples, 1000, beats) == 30.0
    assert highlight(samples[:5000], 1000, beats) == 0.0


@pytest.mark.parametrize("level", DIFFICULTIES)
def test_feet_that_are_spared_have_a_panel_each(level):
    ticks = np.arange(200) * (TICKS // 2)
    where = steps(ticks, ticks / TICKS * 0.4, DIFFICULTIES.index(level))
    manner = replace(STYLES["easy-on-the-feet"], draws=2, temperature=3.0)
    for rows in _draw([where], manner, seed=0)[0]:
        assert down(Chart(ticks, rows, where.times, level, 1)).max() == 2


def test_only_levels_with_hands_of_humans_have_three_panels_down():
    ticks = np.arange(200) * (TICKS // 2)
    manner = replace(STYLES["natural"], draws=2, temperature=3.0)
    for level, name in enumerate(DIFFICULTIES):
        where = steps(ticks, ticks / TICKS * 0.4, level)
        most = max(
            down(Chart(ticks, rows, where.times, name, 1)).max()
            for rows in _draw([where], manner, seed=0)[0]
        )
        assert (most > 2) == (name in HANDS_LEVELS)


def test_holds_end_before_the_next_step():
    ticks = np.array([0, 1, 2, 3]) * TICKS
    rows = np.array([2, 3 + 4, 16, 64], np.uint8)  # held on left, ended as down is tapped
    moved, codes = released(ticks, rows)
    assert moved.tolist() == [0, 36, 48, 96, 144]
    assert codes.tolist() == [2, 3, 4, 16, 64]
    check_holds(Chart(moved, codes, moved / TICKS, "Easy", 1))
    assert not held_before(np.append(codes, np.uint8(0)))[-1].any()


def test_the_draw_that_costs_the_feet_least_is_kept():
    ticks = np.arange(16) * (TICKS // 2)
    where = steps(ticks, ticks / TICKS * 0.5, DIFFICULTIES.index("Hard"))
    easy = np.resize(np.array([1, 64], np.uint8), 16)
    jumpy = np.resize(np.array([1 + 64, 4 + 16], np.uint8), 16)
    assert best(where, [jumpy, easy], effort_price=100.0) is easy


def silence(path):
    soundfile.write(path, np.zeros(44_100 * 5), 44_100)


def clip(path):
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 22_050), 44_100)


def noise(path):
    path.write_bytes(b"this is no music" * 100)


def truncated(path):
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 44_100 * 5), 44_100)
    path.write_bytes(path.read_bytes()[:200_000])


@pytest.mark.parametrize("make", [silence, clip, noise, truncated])
def test_bad_audio_leaves_nothing_behind(tmp_path, make):
    song = tmp_path / "song.wav"
    make(song)
    with pytest.raises(InputError, match=r"song\.wav"):
        run(song, "-o", tmp_path / "out" / "song.sm")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--difficulties", "Expert"], "difficulty"),
        (["--style", "wild"], "style"),
        (["--bpm", "-3"], "BPM"),
        (["--density", "99"], "steps a second"),
        (["-o", "song.mp3"], r"unknown kind of file '.mp3'.*allowed: .sm, .ssc"),
    ],
)
def test_bad_options(tmp_path, monkeypatch, wrong, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        run(MUSIC, *wrong)
    assert list(tmp_path.iterdir()) == []
