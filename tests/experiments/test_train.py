"""The train verb: progress, killing and resuming, full disks, and everything it refuses."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import typer
from typer.testing import CliRunner

from agents.engines.base import Progress, TrainConfig
from agents.loading import load_agent
from agents.runs import Run
from experiments import train as verb
from experiments.evaluate import evaluate
from experiments.options import as_pairs
from experiments.report_runs import run_sections
from experiments.seeds import Seeds
from experiments.train import configure, default_folder, describe, parse_settings, train
from hardware_sim.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
LINE = "tests.agents.toy:Line-v0"
FAST = {"n_steps": 16, "policy_kwargs": {"net_arch": [8]}}

app = typer.Typer()
app.command()(verb.command)


def line(steps: int = 256, **changes: Any) -> TrainConfig:
    return replace(configure(LINE, steps=steps, num_envs=8, hyperparameters=FAST), **changes)


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, [LINE, *arguments])


def python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    """Runs code in a process of its own, in the repository."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_trains_into_the_default_folder_and_prints_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("--steps", "256", "--num-envs", "8", "--seed", "3", "--set", "n_steps=16")
    assert done.exit_code == 0, done.output
    folder = Path("runs/Line-v0-ppo-s3")
    assert f"next: gymworks evaluate {LINE} --agent {folder}" in done.output
    assert "256/256 steps" in done.output
    run = Run(folder)
    assert run.config["hyperparameters"] == {"n_steps": 16}
    assert run.config["seed"] == 3
    assert run.metrics()[-1]["step"] == 256


def test_the_json_holds_what_was_trained(tmp_path: Path) -> None:
    done = invoke("--steps", "64", "--quiet", "--json", "--run-dir", str(tmp_path / "run"))
    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    last = Run(found["run"]).metrics()[-1]
    assert {name: found[name] for name in ("env_id", "engine", "algo", "seed")} == {
        "env_id": LINE, "engine": "sb3", "algo": "ppo", "seed": 0
    }  # fmt: skip
    assert (found["step"], found["seconds"]) == (last["step"], last["seconds"])


def test_quiet_prints_nothing(tmp_path: Path) -> None:
    done = invoke("--steps", "64", "--quiet", "--run-dir", str(tmp_path / "run"))
    assert done.exit_code == 0
    assert done.output == ""


def test_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    train(line(), tmp_path / "run", quiet=True)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="exists; resume it"):
        train(line(), tmp_path / "run", quiet=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_resume_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run folder"):
        train(line(), tmp_path / "run", resume=True, quiet=True)
    assert isinstance(invoke("--resume", "--run-dir", str(tmp_path)).exception, InputError)


def test_resume_from_the_command_line_keeps_the_runs_own_settings(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(line(seed=4), folder, quiet=True)
    done = invoke("--resume", "--steps", "512", "--run-dir", str(folder))
    assert done.exit_code == 0, done.output
    run = Run(folder)
    assert run.metrics()[-1]["step"] == 512
    assert (run.config["steps"], run.config["seed"]) == (512, 4)
    refused = invoke("--resume", "--seed", "5", "--run-dir", str(folder))
    assert "was started with seed 4, not 5" in str(refused.exception)


COUNTDOWN = "tests.envs.countdown:Countdown-v0"
SHORT = ("--steps", "64", "--num-envs", "4", "--set", "n_steps=16", "--quiet")


def test_arguments_and_options_are_kept_with_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = ["AdaptiveSoftmax-v0", *SHORT, "--run-dir", str(folder)]
    given = ("--split", "test", "--option", "problem=en-50000-b256-d256", "--env", "loss_price=2")
    first = CliRunner().invoke(app, [*command, *given])
    assert first.exit_code == 0, first.output
    kept = {
        "env_kwargs": {"loss_price": 2},
        "options": {"split": "test", "problem": "en-50000-b256-d256"},
    }
    assert Run(folder).config.items() >= kept.items()
    best = Run(folder).best_episode()
    assert best is not None
    env = gym.make(best["env_id"], loss_price=2)
    env.reset(seed=best["seed"], options=kept["options"])
    assert sum(env.step(action)[1] for action in best["actions"]) == pytest.approx(best["return"])
    more = [*command, "--steps", "128", "--resume"]
    other = CliRunner().invoke(app, [*more, "--split", "train"])
    assert "was started with options {'split': 'test', " in str(other.exception)
    again = CliRunner().invoke(app, more)
    assert again.exit_code == 0, again.output
    assert Run(folder).reached == 128
    assert Run(folder).config.items() >= kept.items()
    result = evaluate(
        "AdaptiveSoftmax-v0", str(folder), Seeds((0,)), {"loss_price": 2}, in_process=True
    )
    assert result["env_kwargs"] == {"loss_price": 2}
    assert run_sections([Run(folder)])[-1].figures


def test_the_next_command_has_the_arguments(tmp_path: Path) -> None:
    price = ("--env", "price=0.5", "--env", "starts=high", "--run-dir", str(tmp_path / "run"))
    done = CliRunner().invoke(app, [COUNTDOWN, *SHORT[:-1], *price])
    assert done.exit_code == 0, done.output
    assert done.output.endswith(f"--agent {tmp_path / 'run'} --env price=0.5 --env starts=high\n")
    assert as_pairs({"a": "1", "b": [1, "x y"], "c": None}) == [
        "'a=\"1\"'",
        "'b=[1, \"x y\"]'",
        "c=null",
    ]


@pytest.mark.parametrize("engine", ["sb3", "rllib"])
@pytest.mark.parametrize(
    ("env_id", "arguments", "message"),
    [
        ("LoopSchedule-v0", ["--split", "exam"], r"unknown split 'exam'; allowed: test, train"),
        ("LoopSchedule-v0", ["--option", "graph=x"], "unknown option 'graph'; allowed: problem, s"),
        ("WoB-ClickButton-v0", ["--split", "exam"], "unknown split 'exam'.*; allowed: test, train"),
        ("WoB-ClickButton-v0", ["--option", "graph=x"], "unknown option 'graph'; allowed: split"),
        (COUNTDOWN, ["--option", "start=[]"], r"refuses the options {'start': \[\]}: '<=' not sup"),
        ("CartPole-v1", ["--option", "low=9"], "CartPole-v1 refuses the options {'low': 9}: "),
        ("LoopSchedule-v0", ["--env", "thread=2"], r"unknown argument of .* \(did you mean 'threa"),
        ("LoopSchedule-v0", ["--env", "threads"], "'threads' is no name=value"),
        ("LoopSchedule-v0", ["--split", "test", "--option", "split=test"], "names 'split' again"),
    ],
)
def test_arguments_and_options_are_checked_before_a_folder_is_made(
    tmp_path: Path, env_id: str, arguments: list[str], message: str, engine: str
) -> None:
    folder = tmp_path / "run"
    given = [env_id, "--engine", engine, *arguments, "--run-dir", str(folder)]
    done = CliRunner().invoke(app, given)
    assert isinstance(done.exception, InputError)
    assert re.search(message, str(done.exception))
    assert "\n" not in str(done.exception)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "sb4"], r"unknown engine 'sb4'.*allowed: rllib, sb3"),
        (["--algo", "alphazero"], "unknown algorithm of engine sb3 'alphazero'"),
        (["--algo", "sac"], "sac cannot act in Discrete"),
        (["--set", "gamma"], "'gamma' is no hyperparameter"),
        (["--set", "gama=1"], "unknown hyperparameter 'gama'"),
        (["--steps", "0"], "steps is 0"),
        (["--set", "learning_rate=-1"], "learning_rate is -1; allowed: numbers above 0"),
        (["--set", "n_steps=0"], "n_steps is 0; allowed: integers from 1"),
        (["--set", "n_steps=2.5"], "n_steps is 2.5; allowed: integers from 1"),
        (["--set", "gamma=NaN"], "gamma is nan; allowed: numbers from 0 to 1"),
        (["--set", "clip=Infinity"], "clip_range is inf; allowed: numbers above 0"),
        (["--engine", "rllib", "--set", "learning_rate=-1"], "lr is -1; allowed: numbers above 0"),
    ],
)
def test_bad_input_is_one_clear_line_and_leaves_no_folder(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    folder = tmp_path / "run"
    done = invoke(*arguments, "--run-dir", str(folder))
    assert isinstance(done.exception, InputError)
    assert re.search(message, str(done.exception))
    assert "\n" not in str(done.exception)
    assert not folder.exists()


def test_unknown_environment(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["DevicePlacement-InceptionV9-v0"])
    assert isinstance(done.exception, InputError)
    assert "envs:DevicePlacement-InceptionV3-v0" in str(done.exception)


TRAIN = """
import sys
from experiments.train import configure, train
config = configure("tests.agents.toy:Line-v0", steps=10_000_000, num_envs=8, checkpoint_every=128,
                   hyperparameters={"n_steps": 16, "policy_kwargs": {"net_arch": [8]}})
train(config, sys.argv[1], quiet=True)
"""


def test_killed_training_resumes_from_its_last_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = python(TRAIN, str(folder))
    try:
        deadline = time.monotonic() + 120
        while not (folder / "config.json").exists() or len(Run(folder).checkpoints()) < 3:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    run = Run(folder)
    reached = run.checkpoint_step(run.checkpoints()[0])
    before = {row["step"]: row for row in run.metrics() if row["step"] <= reached}
    assert reached in before
    config = TrainConfig.from_json(run.config)
    steps: list[int] = []
    longer = replace(config, steps=reached + 1000)
    train(
        longer, folder, resume=True, quiet=True, report=lambda progress: steps.append(progress.step)
    )
    rows = Run(folder).metrics()
    assert min(steps) > reached
    assert rows[-1]["step"] == steps[-1] >= reached + 1000
    assert rows[-1]["step"] < reached + 1000 + 16 * 8
    assert [row["step"] for row in rows] == sorted({row["step"] for row in rows})
    assert [row for row in rows if row["step"] <= reached] == list(before.values())
    assert rows[-1]["episodes"] > before[reached]["episodes"]
    assert rows[-1]["seconds"] > before[reached]["seconds"]


FULL = """
import os, resource, sys
from experiments.train import configure, train
from hardware_sim.errors import InputError
config = configure("tests.agents.toy:Line-v0", steps=4096, num_envs=8, checkpoint_every=128,
                   hyperparameters={"n_steps": 16, "policy_kwargs": {"net_arch": [8]}})
def report(progress):
    if progress.step >= 1024:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    train(config, sys.argv[1], quiet=True, report=report)
except InputError as error:
    print(error)
    sys.exit(2)
"""


def test_disk_that_fills_up_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    """The operating system refuses to write further, in the middle of a training."""
    folder = tmp_path / "run"
    process = python(FULL, str(folder))
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 2, errors
    assert len(output.splitlines()) == 1
    assert "cannot be written: File too large" in output
    assert "make room, then resume it" in output
    run = Run(folder)
    reached = run.checkpoint_step(run.checkpoints()[0])
    assert reached >= 896
    env = gym.make(LINE)
    assert load_agent(str(folder), env).act(env.reset(seed=0)[0], {}) in (0, 1, 2)
    config = TrainConfig.from_json(run.config)
    train(config, folder, resume=True, quiet=True)
    assert Run(folder).metrics()[-1]["step"] == 4096


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written: "):
        train(line(), tmp_path / "file" / "run", quiet=True)


def test_interrupted_training_is_kept_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(line(checkpoint_every=128), folder, quiet=True)
    code = "from experiments.cli import main; main()"
    longer = ("--resume", "--steps", "10000000", "--run-dir", str(folder), "--quiet")
    process = python(code, "train", LINE, *longer)
    try:
        deadline = time.monotonic() + 120
        while Run(folder).reached <= 256:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(InputError, match="is in use: another process trains in it"):
            train(line(512), folder, resume=True, quiet=True)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    run = Run(folder)
    assert process.returncode == 130, errors
    assert errors == (
        f"gymworks: interrupted; {run.reached:,} of 10,000,000 steps are kept in {folder}: "
        f"gymworks train {LINE} --run-dir {folder} --resume goes on\n"
    )
    assert run.metrics()[-1]["step"] == run.reached
    fewer = invoke("--resume", "--steps", "300", "--run-dir", str(folder))
    assert f"has trained {run.reached:,} steps already" in str(fewer.exception)
    assert run.config == Run(folder).config
    wanted = run.reached + 500
    more = invoke("--resume", "--steps", str(wanted), "--run-dir", str(folder))
    assert more.exit_code == 0, more.output
    assert wanted <= run.reached < wanted + 128


def test_steps_that_were_trained_are_told_truly(tmp_path: Path) -> None:
    """A rollout of 128 steps is finished once it has begun."""
    folder = tmp_path / "run"
    sets = ("--set", "n_steps=16", "--num-envs", "8", "--run-dir", str(folder))
    done = invoke("--steps", "300", *sets)
    assert Run(folder).metrics()[-1]["step"] == 384
    assert "384 steps (300, and on to the end of a rollout), " in done.output
    (row,) = run_sections([Run(folder)])[0].table.rows
    assert "384" in row
    assert "300" not in row


def test_truncated_checkpoint_is_one_warning_on_the_command_line(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(line(512, checkpoint_every=128), folder, quiet=True)
    newest = Run(folder).checkpoints()[0]
    os.truncate(newest, 1000)
    done = invoke("--resume", "--run-dir", str(folder))
    assert done.exit_code == 0, done.output
    assert done.output.count("gymworks: warning: unreadable checkpoint") == 1
    assert Run(folder).metrics()[-1]["step"] == 512


def test_configuration_is_completed_from_the_domains_settings() -> None:
    config = configure("DevicePlacement-InceptionV3-v0")
    assert config.env_id == "envs:DevicePlacement-InceptionV3-v0"
    assert (config.engine, config.algo) == ("sb3", "ppo")
    assert config.checkpoint_every == config.steps // 20
    assert default_folder(config) == Path("runs/DevicePlacement-InceptionV3-v0-ppo-s0")
    assert configure("CartPole-v1", algo="dqn").num_envs == 8


def test_settings_are_json_or_text() -> None:
    given = ["gamma=0.9", "device=cpu", 'policy_kwargs={"net_arch": [8]}', "x=a=b"]
    assert parse_settings(given) == {
        "gamma": 0.9,
        "device": "cpu",
        "policy_kwargs": {"net_arch": [8]},
        "x": "a=b",
    }


def test_progress_for_people() -> None:
    progress = Progress(2000, 10_000, 812.4, {"best_score": 0.19249})
    assert describe(progress, "s") == "812/s, best 0.1925 s, 0:00:10 left"
    assert describe(Progress(0, 10, 0.0, {})) == "0/s"
