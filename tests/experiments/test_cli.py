"""The command line as a process: help, exit codes and one clear line for bad input."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cli import VERBS


def gymworks(*arguments, cwd, **environment):
    code = "from experiments.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_help_names_every_verb(tmp_path):
    shown = gymworks("--help", cwd=tmp_path)
    assert shown.returncode == 0
    assert all(verb in shown.stdout for verb in VERBS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "DevicePlacement-Incepton-v0"], "DevicePlacement-InceptionV3-v0"),
        (["train", "DevicePlacement-BERT24-v0", "--algo", "ppp"], "ppo"),
        (["train", "DevicePlacement-BERT24-v0", "--engine", "tf"], "sb3"),
        (["evaluate", "DevicePlacement-BERT24-v0", "--agent", "hefty"], "heft"),
        (["place", "inception_v4"], "inception_v3"),
        (["verify", "nothing.json"], "nothing.json"),
        (["report", "nothing"], "nothing"),
        (["benchmark", "chess", "--agents", "random"], "placement"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, says, tmp_path):
    done = gymworks(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("gymworks: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert says in done.stderr
    assert not any(tmp_path.iterdir())


def test_an_unknown_verb_is_refused(tmp_path):
    assert gymworks("fly", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("name", ["envs", "agents"])
def test_a_strangers_package_in_the_way_is_one_line_and_the_doctor_still_works(name, tmp_path):
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not ours')\n")
    root = str(Path(__file__).resolve().parents[2])
    done = gymworks("list", cwd=tmp_path, PYTHONPATH=root)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"gymworks: package {name} is a stranger's, at {tmp_path / name}" in done.stderr
    seen = gymworks("doctor", cwd=tmp_path, PYTHONPATH=root)
    assert seen.returncode == 1
    assert f"rename or remove {tmp_path / name}" in seen.stdout
