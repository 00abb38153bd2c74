"""Sweeps on real Ray sessions, one driver killed and one machine lost."""

import csv
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
import typer
from matplotlib.colors import to_rgba
from ray.cluster_utils import Cluster
from typer.testing import CliRunner

from agents.engines.base import TrainConfig
from agents.runs import Run
from experiments.report_runs import sweep_sections
from experiments.sweep import command, sweep, table
from experiments.sweep_figure import parallel_coordinates
from experiments.sweep_trials import note_end, remark, run_trial, sample, trial_folder
from hardware_sim.errors import InputError

ROOT = Path(__file__).resolve().parent.parent.parent
PLACEMENT = "envs:DevicePlacement-InceptionV3-v0"
SPACE = {
    "learning_rate": {"kind": "loguniform", "low": 1e-4, "high": 1e-2},
    "clip": {"kind": "uniform", "low": 0.1, "high": 0.3},
    "lambda": {"kind": "choice", "values": [0.9, 0.95, 1.0]},
}


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)


def config(**changes: Any) -> TrainConfig:
    values = {"steps": 2000, "num_envs": 4, "checkpoint_every": 500} | changes
    return TrainConfig(PLACEMENT, values.pop("engine", "sb3"), "ppo", seed=0, **values)


def test_samples_follow_seed_and_space() -> None:
    drawn = sample(SPACE, 200, seed=1)
    assert drawn == sample(SPACE, 200, seed=1)
    assert drawn != sample(SPACE, 200, seed=2)
    assert drawn[:3] == sample(SPACE, 3, seed=1)
    rates = sorted(trial["learning_rate"] for trial in drawn)
    assert 1e-4 <= rates[0] < 2e-4
    assert 5e-3 < rates[-1] <= 1e-2
    assert 5e-4 < rates[100] < 2e-3  # the median of a log-uniform draw is the geometric mean
    assert all(0.1 <= trial["clip"] <= 0.3 for trial in drawn)
    assert {trial["lambda"] for trial in drawn} == {0.9, 0.95, 1.0}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ({"kind": "normal"}, "unknown kind of search space 'x': 'normal'"),
        ({"kind": "uniform", "low": 0}, "search space 'x' lacks 'high'"),
        ({"kind": "uniform", "low": 2, "high": 1}, "from 2.0 to 1.0"),
        ({"kind": "loguniform", "low": 0, "high": 1}, "must be positive"),
        ({"kind": "choice", "values": []}, "without values"),
    ],
)
def test_bad_space_is_one_clear_error(kind: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sample({"x": kind}, 1, seed=0)


def result_of(objectives: list[float | None]) -> dict[str, Any]:
    trials = [
        {"trial": i, "hyperparameters": chosen, "status": "finished", "step": 9, "best_score": None}
        | {"mean_reward": objectives[i], "run": f"trials/{i:03d}"}
        for i, chosen in enumerate(sample(SPACE, len(objectives), seed=0))
    ]
    head = {"env_id": PLACEMENT, "engine": "sb3", "algo": "ppo", "steps": 9, "search_space": SPACE}
    return head | {"format": 1, "best": 2 if any(objectives) else None, "trials": trials}


def test_picture_has_a_line_a_trial_and_the_best_is_thick() -> None:
    figure = parallel_coordinates(result_of([-1.5, None, -0.5, -2.0]))
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines if line.get_label()[0] != "_"}
    assert set(lines) == {"trial 0", "trial 2 (best)", "trial 3"}
    best, worst = lines["trial 2 (best)"], lines["trial 3"]
    assert best.get_linewidth() > worst.get_linewidth()
    assert sum(to_rgba(best.get_color())[:3]) > sum(to_rgba(worst.get_color())[:3])
    assert best.get_ydata()[-1] == 1
    assert worst.get_ydata()[-1] == 0
    assert len(axes.get_xticks()) == len(SPACE) + 1


def test_trials_that_rank_above_the_best_are_explained() -> None:
    result = result_of([-1.5, -0.1, -0.5, -2.0])
    assert remark(result_of([-1.5, None, -0.5, -2.0])) == ""
    result["trials"][1] |= {"status": "stopped", "step": 3}
    explained = "Trial 2 is the best of those that trained to the end."
    assert remark(result).startswith(explained)
    assert "1 (3); train one longer to know" in remark(result)
    (section,) = sweep_sections("sweep", result)
    assert section.table is not None
    assert explained in section.table.caption


def test_picture_and_table_of_nothing() -> None:
    result = result_of([None, None])
    (axes,) = parallel_coordinates(result).axes
    assert "no trial" in axes.texts[0].get_text()
    assert table(result).row_count == 2


def test_bad_input_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="trials is 0"):
        sweep(config(), 0, tmp_path / "a")
    with pytest.raises(InputError, match="declares no search space for dqn; allowed: ppo"):
        sweep(TrainConfig(PLACEMENT, "sb3", "dqn", 100, 0), 1, tmp_path / "b")
    with pytest.raises(InputError, match="is not a run folder"):
        sweep(config(), 1, tmp_path / "c", resume=True)
    Run.create(tmp_path / "d", config().to_json())
    with pytest.raises(InputError, match="a training run, not a sweep"):
        sweep(config(), 1, tmp_path / "d", resume=True)
    with pytest.raises(InputError, match="no Ray cluster answers at 'localhost:1'"):
        sweep(config(address="localhost:1"), 1, tmp_path / "e")


@pytest.mark.parametrize(
    ("changes", "trials", "message"),
    [
        ({"steps": 999}, 2, "sweeps steps 2000, not 999; another --run-dir begins another sweep"),
        ({}, 3, "sweeps trials 2, not 3"),
        ({"option": "graph=vgg"}, 2, "sweeps options {}, not {'graph': 'vgg'}"),
        ({"env": "reward=final"}, 2, "sweeps env_kwargs {}, not {'reward': 'final'}"),
    ],
)
def test_a_resumed_sweep_is_the_same_sweep(
    tmp_path: Path, changes: dict[str, Any], trials: int, message: str
) -> None:
    folder = tmp_path / "sweep"
    plan = {"search_space": SPACE, "assignments": sample(SPACE, 2, seed=0)}
    Run.create(folder, config().to_json() | plan)
    arguments = [PLACEMENT, "--resume", "--run-dir", str(folder), "--trials", str(trials)]
    arguments += [f"--{name}={value}" for name, value in changes.items()]
    app = typer.Typer()
    app.command()(command)
    assert re.search(message, str(CliRunner().invoke(app, arguments).exception))
    with pytest.raises(InputError, match="sweeps steps 2000, not 999"):
        sweep(config(steps=999), 2, folder, resume=True)


SHORT = ["--trials", "1", "--steps", "64", "--quiet"]


def test_options_are_checked_before_a_folder_is_made(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(command)
    place = ["--run-dir", str(tmp_path / "sweep")]
    for given, message in (
        (["--split", "test"], "unknown option 'split'; allowed: graph"),
        (["--option", "graph=vgg"], "unknown graph 'vgg'"),
        (["--env", "reward=none"], "argument reward of .* is 'none'; allowed: shaped, final"),
    ):
        done = CliRunner().invoke(app, [PLACEMENT, *SHORT, *place, *given])
        assert re.search(message, str(done.exception))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.peers
def test_trials_are_trained_with_the_options(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    app = typer.Typer()
    app.command()(command)
    given = ["--split", "test", "--option", "problem=matmul-8x8x8", "--env", "threads=2"]
    arguments = ["LoopSchedule-v0", *SHORT, *given, "--run-dir", str(folder)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    kept = {
        "env_kwargs": {"threads": 2},
        "options": {"split": "test", "problem": "matmul-8x8x8"},
    }
    result = Run(folder).result()
    assert result is not None
    for found in (Run(folder).config, Run(trial_folder(folder, 0)).config, result):
        assert found.items() >= kept.items()


def driver(folder: Path, *more: str) -> "subprocess.Popen[bytes]":
    """A sweep in a process of its own, started where our packages are not."""
    code = "from experiments.cli import main; main()"
    arguments = ["--trials", "2", "--steps", "12000", "--run-dir", str(folder), "--quiet"]
    with (
        (folder.parent / "output").open("w") as output,
        (folder.parent / "errors").open("w") as errors,
    ):
        return subprocess.Popen(
            [sys.executable, "-c", code, "sweep", PLACEMENT, *arguments, *more],
            cwd=folder.parent,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=output,
            stderr=errors,
        )


def advanced(folder: Path) -> list[Path]:
    """The trials that have two checkpoints; ASHA never stops the one that is first to arrive."""
    places = [trial_folder(folder, index) for index in range(2)]
    begun = [place for place in places if (place / "config.json").exists()]
    return [place for place in begun if len(Run(place).checkpoints()) >= 2]


@pytest.mark.peers
def test_interrupted_sweep_says_what_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    process = driver(folder)
    try:
        wait_for(lambda: advanced(folder), "two checkpoints of a trial")
        with pytest.raises(InputError, match="is in use: another process trains in it"):
            sweep(config(steps=12_000), 2, folder, resume=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
        process.wait()
    (sentence,) = (tmp_path / "errors").read_text().splitlines()
    assert re.fullmatch(
        f"gymworks: interrupted; [01] of 2 trials are finished, and the checkpoints of the others "
        f"are kept in {folder}: gymworks sweep {PLACEMENT} --run-dir {folder} --resume goes on",
        sentence,
    )
    assert advanced(folder)


@pytest.mark.peers
def test_killed_driver_resumes(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    process = driver(folder)
    family = []
    try:
        wait_for(lambda: advanced(folder), "two checkpoints of a trial")
        family = psutil.Process(process.pid).children(recursive=True)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert family
    assert not (folder / "result.json").exists()
    first = advanced(folder)[0]
    before, step = Run(first).metrics(), Run.checkpoint_step(Run(first).checkpoints()[0])

    resumed = driver(folder, "--resume", "--json")
    assert resumed.wait(timeout=240) == 0
    result = Run(folder).result()
    assert result is not None
    shown = json.loads((tmp_path / "output").read_text())
    assert shown == {"folder": str(folder), **result}
    assert [trial["trial"] for trial in result["trials"]] == [0, 1]
    assert all(trial["status"] in ("finished", "stopped") for trial in result["trials"])
    assert result["trials"][result["best"]]["status"] == "finished"
    kept = [row for row in Run(first).metrics() if row["step"] <= step]
    assert kept == [row for row in before if row["step"] <= step]
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["learning_rate"]) for row in rows] == [
        trial["hyperparameters"]["learning_rate"] for trial in result["trials"]
    ]
    assert (folder / "parallel_coordinates.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.peers
def test_cluster_that_loses_a_machine_finishes(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    size = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=size | {"include_dashboard": False})
    worker = cluster.add_node(**size)
    lost = []

    def lose() -> None:
        def begun(index: int) -> bool:
            place = trial_folder(folder, index)
            return (place / "config.json").exists() and bool(Run(place).checkpoints())

        # One CPU a machine: two trials under way are one on each.
        wait_for(lambda: begun(0) and begun(1), "a trial on each machine")
        cluster.remove_node(worker, allow_graceful=False)
        lost.append(worker)

    killer = threading.Thread(target=lose)
    killer.start()
    try:
        # Short rollouts: the first checkpoint comes long before ASHA may stop anything.
        settings = config(
            steps=30_000,
            checkpoint_every=500,
            hyperparameters={"n_steps": 128},
            address=cluster.address,
        )
        result = sweep(settings, 2, folder, quiet=True)
        killer.join()
        assert lost
    finally:
        cluster.shutdown()
    assert not ray.is_initialized()
    assert {trial["status"] for trial in result["trials"]} <= {"finished", "stopped"}
    assert result["trials"][result["best"]]["step"] >= 30_000
    # The trial of the lost machine was tried again, on the other one.
    (state,) = folder.glob("tune/experiment_state-*.json")
    trials = [json.loads(metadata) for _, metadata in json.loads(state.read_text())["trial_data"]]
    assert sum(trial["num_failures"] for trial in trials) >= 1


@pytest.mark.peers
def test_trials_that_were_finished_or_tell_nothing_end_well(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    # Shorter than an episode: no trial ever has a mean reward.
    settings = config(steps=64, hyperparameters={"n_steps": 16, "batch_size": 16})
    result = sweep(settings, 2, folder, quiet=True)
    assert [trial["status"] for trial in result["trials"]] == ["finished", "finished"]
    assert result["best"] is None
    # As after a kill between a trial's end and the note of it.
    for note in folder.glob("trials/*/ended.json"):
        note.unlink()
    again = sweep(settings, 2, folder, resume=True, quiet=True)
    assert again == result


class Bomb:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def test_a_resumed_sweep_keeps_its_options_and_opens_no_snapshots(tmp_path: Path) -> None:
    folder, marker = tmp_path / "sweep", tmp_path / "marker"
    space = {"n_steps": {"kind": "choice", "values": [16]}}
    plan = {"search_space": space, "assignments": [{"n_steps": 16}]}
    given = {"env_kwargs": {"reward": "final"}, "options": {"graph": "inception_v3_training"}}
    Run.create(folder, config(steps=64, **given).to_json() | plan)
    (folder / "tune").mkdir()
    for name in ("tuner.pkl", "trainable.pkl", "searcher_ckpt.pkl"):
        (folder / "tune" / name).write_bytes(pickle.dumps(Bomb(marker)))
    (folder / "tune" / "experiment_state-2026-01-01_00-00-00.json").write_text("{}")
    note_end(folder, 0)
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, [PLACEMENT, *SHORT, "--resume", "--run-dir", str(folder)])
    assert done.exit_code == 0, done.output
    assert not marker.exists()
    result = Run(folder).result()
    assert result is not None
    assert result.items() >= given.items()
    assert [trial["status"] for trial in result["trials"]] == ["stopped"]


@pytest.mark.peers
def test_rllib_trials(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    result = sweep(config(engine="rllib", steps=600), 2, folder, quiet=True)
    assert all(trial["step"] >= 600 for trial in result["trials"])
    assert all(trial["best_score"] > 0 for trial in result["trials"])
    rates = {
        Run(folder / trial["run"]).config["hyperparameters"]["learning_rate"]
        for trial in result["trials"]
    }
    assert rates == {trial["hyperparameters"]["learning_rate"] for trial in result["trials"]}


def test_trial_is_found_by_workers() -> None:
    # Ray pickles a function of a module by its name, so that trials run the installed code.
    assert run_trial.__module__ == "experiments.sweep_trials"
