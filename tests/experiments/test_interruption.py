"""Commands that are asked to end, or whose disk fills, keep their work and say so in one line."""

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from agents.runs import Run
from envs.web.demonstration_file import read_demonstrations
from experiments.evaluate import evaluate
from experiments.seeds import parse
from experiments.verify import verify
from hardware_sim.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
LINE = "tests.agents.toy:Line-v0"
TRAIN = ["train", LINE, "--quiet", "--steps", "30000", "--num-envs", "8"]
ENGINES = {"sb3": "n_steps=16", "rllib": "train_batch_size_per_learner=128"}


def gymworks(*arguments: str | Path, largest: int | None = None) -> "subprocess.Popen[str]":
    """A command in a process of its own, which may write no file beyond a size."""

    def limit() -> None:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    return subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit,
    )


def terminated(process: "subprocess.Popen[str]", ready: Callable[[], bool]) -> str:
    """The one line of a command that is asked to end once it is ready; it leaves no process."""
    try:
        deadline = time.monotonic() + 120
        while not ready():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        _, shown = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, shown
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert shown.count("\n") == 1, shown
    return shown.strip()


def lines_of(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


@pytest.mark.parametrize("engine", ENGINES)
def test_training_that_is_asked_to_end_keeps_its_last_steps(engine: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = gymworks(*TRAIN, "--engine", engine, "--run-dir", folder, "--set", ENGINES[engine])
    line = terminated(process, lambda: lines_of(folder / "metrics.csv") > 1)
    run = Run(folder)
    assert 0 < run.reached < 30_000
    assert run.reached == run.metrics()[-1]["step"]
    assert f"interrupted; {run.reached:,} of 30,000 steps are kept in {folder}: " in line
    assert line.endswith("--resume goes on")


def test_an_evaluation_that_is_asked_to_end_keeps_its_episodes(tmp_path: Path) -> None:
    result, partial = tmp_path / "r.json", tmp_path / "r.json.partial"
    command = ["evaluate", LINE, "--agent", "random", "--seeds", "0", "-o", result]
    process = gymworks(*command, "--episodes", "1000000", "--trust")
    line = terminated(process, lambda: lines_of(partial) > 5)
    kept = lines_of(partial) - 1
    assert f"{kept} of 1000000 episodes are kept in {partial}: " in line
    assert line.endswith("the same command with --resume goes on")
    assert not result.exists()
    with pytest.raises(InputError, match=f"holds {kept} of 1000000 episodes of an unfinished"):
        verify(partial)
    for more, why in ((), "--resume goes on"), (("--resume",), "with seeds"):
        _, shown = gymworks(*command, "--episodes", "9", *more).communicate()
        assert why in shown
        assert shown.count("\n") == 1


def test_an_evaluation_whose_disk_fills_goes_on_where_it_ended(tmp_path: Path) -> None:
    result, partial = tmp_path / "r.json", tmp_path / "r.json.partial"
    command = ["evaluate", LINE, "--agent", "random", "--seeds", "0", "--episodes", "40"]
    ended = gymworks(*command, "-o", result, largest=4096)
    _, shown = ended.communicate()
    assert ended.returncode == 2, shown
    kept = lines_of(partial) - 1
    assert 0 < kept < 40
    (line,) = shown.splitlines()
    assert f"{partial} cannot be written: File too large; {kept} of 40 episodes are kept" in line
    resumed = gymworks(*command, "-o", result, "--resume", "--json")
    shown, errors = resumed.communicate()
    assert resumed.returncode == 0, errors
    assert json.loads(shown)["episodes"] == 40
    whole = evaluate(LINE, "random", parse(LINE, "0", 40))
    found: Any = json.loads(result.read_text())
    assert found["episodes"] == whole["episodes"]
    assert found["aggregate"] == whole["aggregate"]
    assert verify(result).differences == []
    assert not partial.exists()


DEMONSTRATE = ["web", "demonstrate", "WoB-Login-v0", "--quiet", "--seed", "5"]


def test_demonstrations_that_are_asked_to_end_are_kept(tmp_path: Path) -> None:
    process = gymworks(*DEMONSTRATE, "-o", tmp_path, "--episodes", "1000000")
    line = terminated(process, lambda: sum(map(lines_of, tmp_path.iterdir())) > 50)
    (kept,) = tmp_path.iterdir()
    found = len(list(read_demonstrations(kept)))
    assert kept.name == f"WoB-Login-v0-seeds-5-to-{4 + found}.jsonl"
    assert f"interrupted; {found} of 1000000 episodes are kept in {kept}; " in line
    assert line.endswith(f"--seed {5 + found} --episodes {1000000 - found} plays the others")


def test_demonstrations_on_a_disk_that_fills_are_kept(tmp_path: Path) -> None:
    process = gymworks(*DEMONSTRATE, "-o", tmp_path, "--episodes", "40", largest=30_000)
    _, shown = process.communicate()
    assert process.returncode == 2, shown
    assert shown.count("\n") == 1, shown
    (kept,) = tmp_path.iterdir()
    found = list(read_demonstrations(kept))
    assert [each.seed for each in found] == list(range(5, 5 + len(found)))
    assert 5 < len(found) < 40
    assert "cannot be written: File too large; " in shown
    assert f"; {len(found)} of 40 episodes are kept in {kept}; --seed {5 + len(found)} " in shown
