import shutil

import numpy as np
import pytest

from envs.dance.chart import Chart, Song
from envs.dance.recordings import Recording
from envs.dance.timing import Timing
from experiments.dance.onset_report import measured, tables
from hardware_sim.errors import InputError

TRUE = np.arange(10, 30) * 0.5


def song(name, style, level):
    ticks = (TRUE * 96).astype(np.int64)
    chart = Chart(ticks, np.ones(20, np.uint8), TRUE, level, 1)
    whole = Song(name, "", "", Timing.constant(120), (chart,), name=name)
    return Recording(whole, style, np.zeros((2000, 80, 3), np.float16), 0.0)


SONGS = [song("one", "pad", "Hard"), song("two", "guitar", "Challenge")]


@pytest.fixture
def run(tmp_path):
    """A model that finds all with certainty, and one that hears every other step 50 ms late."""
    before, after = TRUE[0] - 3, TRUE[-1] + 3
    sure = np.concatenate([[before], TRUE, [after]])
    for name in ("beat", "authors"):
        for each in SONGS:
            level = next(iter(each.charts))
            late = np.where(np.arange(len(sure)) % 2, 0.05, 0) if name == "authors" else 0
            path = tmp_path / name / f"{each.name}.npz"
            path.parent.mkdir(exist_ok=True)
            heights = np.full(len(sure), 0.9)
            found = {f"times_{level}": sure + late, f"heights_{level}": heights}
            np.savez(path, thresholds=np.full(5, 0.5), spent_s=2.0, **found)
    return tmp_path


def test_what_is_right_counts_and_what_lies_outside_the_chart_does_not(run):
    report = measured([run], SONGS)
    beat, authors = (report["models"][name]["means"]["all"] for name in ("beat", "authors"))
    assert set(beat["all levels"].values()) == {1.0}
    assert authors["all levels"]["f_best"] == pytest.approx(0.5, abs=0.02)
    assert "f_expected" not in authors["all levels"]
    assert report["models"]["beat"]["cpu_s_per_training"] == 2.0
    assert report["models"]["beat"]["means"]["pad"].keys() == {"Hard", "all levels"}
    assert report["models"]["beat"]["means"]["guitar"].keys() == {"Challenge", "all levels"}


def test_tables_name_every_model_found(run):
    printed = list(tables(measured([run], SONGS)))
    assert len(printed) == 15
    assert list(printed[0].columns[0].cells) == ["authors", "beat"]


def test_runs_of_several_seeds_are_averaged_and_their_range_is_printed(run, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(run / "authors", other / "beat")
    report = measured([run, other], SONGS)
    assert {name: found["runs"] for name, found in report["models"].items()} == {
        "authors": 1,
        "beat": 2,
    }
    beat = report["models"]["beat"]
    first, second = (means["all"]["all levels"]["f_best"] for means in beat["by_run"])
    assert (first, second) == (1.0, pytest.approx(0.5, abs=0.02))
    assert beat["means"]["all"]["all levels"]["f_best"] == pytest.approx((first + second) / 2)
    cells = [cell for table in tables(report) for row in table.columns for cell in row.cells]
    assert f"{(first + second) / 2:.3f} ({second:.3f} to 1.000)" in cells


def test_a_model_that_is_not_done_is_left_out(run):
    (run / "authors" / "two.npz").unlink()
    assert set(measured([run], SONGS)["models"]) == {"beat"}


def test_an_empty_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="first run python -m agents"):
        measured([tmp_path], SONGS)
