"""The command line as a process: help, completion, exit codes, one clear line for bad input."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import typer
from typer.main import get_group

from experiments.cli import Gymworks, app
from experiments.verbs import paths


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
    assert all(f"│ {verb} " in shown.stdout for verb in Gymworks.table)


HEAVY = ("torch", "matplotlib", "scipy", "numba", "pandas", "ray", "selenium", "stable_baselines3")
LIGHT = [["--help"], ["--version"], ["web", "--help"], ["dance"], ["list"], ["list", "--json"]]


@pytest.mark.parametrize("arguments", LIGHT)
def test_help_version_and_list_load_nothing_heavy(arguments, tmp_path):
    code = (
        "import atexit, json, sys; from experiments.cli import main;"
        f"atexit.register(lambda: print(json.dumps([m for m in {HEAVY} if m in sys.modules])));"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [], done.stderr


def test_the_version_is_the_packages(tmp_path):
    shown = gymworks("--version", cwd=tmp_path)
    assert (shown.returncode, shown.stdout) == (0, f"gymworks {metadata.version('gymworks')}\n")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("gymworks ev", ["evaluate"]),
        ("gymworks s", ["sweep", "softmax"]),
        ("gymworks web re", ["record", "replay"]),
        ("gymworks dance p", ["preview", "picture"]),
        ("gymworks verify --qu", ["--quiet"]),
    ],
)
def test_the_shell_completes_verbs_and_options(typed, offered, tmp_path):
    environment = {
        "_GYMWORKS_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
    }
    assert gymworks(cwd=tmp_path, **environment).stdout.split() == offered


def test_every_verb_is_there_and_its_line_of_help_is_its_own():
    root = get_group(app)
    for group in (root, root.load("web"), root.load("dance")):
        for name, shown in group.commands.items():
            assert group.load(name).help.startswith(shown.help)
            assert not shown.help.endswith((",", " "))
    found = set(paths(root))
    assert {("list",), ("web",), ("web", "replay"), ("dance", "chart"), ("dance", "data")} <= found
    assert len(found) == len(Gymworks.table) + 5 + 7


def test_hidden_verbs_and_verbs_of_verbs():
    shown, hidden, inner = (typer.Typer(add_completion=False) for _ in range(3))
    for name, each, secret in (("seen", shown, False), ("unseen", hidden, True)):
        each.command(name, hidden=secret)(lambda: None)
        each.callback()(lambda: None)
    inner.add_typer(shown, name="a")
    inner.add_typer(hidden, name="b")
    assert list(paths(get_group(inner))) == [("a",), ("a", "seen"), ("b",)]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["train", "DevicePlacement-Incepton-v0"], "DevicePlacement-InceptionV3-v0"),
        (["train", "DevicePlacement-BERT24-v0", "--algo", "ppp"], "ppo"),
        (["train", "DevicePlacement-BERT24-v0", "--engine", "tf"], "sb3"),
        (["evaluate", "DevicePlacement-BERT24-v0", "--agent", "hefty"], "heft"),
        (["place", "inception_v4"], "inception_v3"),
        (["verify", "nothing.json"], "nothing.json"),
        (["report", "nothing"], "nothing"),
        (["list", "danse"], "'dance'"),
        (["benchmark", "chess", "--agents", "random"], "placement"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, part, tmp_path):
    done = gymworks(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("gymworks: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert part in done.stderr
    assert not any(tmp_path.iterdir())


def test_an_unknown_verb_is_refused(tmp_path):
    assert gymworks("fly", cwd=tmp_path).returncode == 2


def test_an_unknown_id_suggests_ids_of_ours_alone(tmp_path):
    done = gymworks("evaluate", "Hoper", "--agent", "random", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("gymworks: unknown environment 'Hoper'; allowed: ")
    assert "Hopper" not in done.stderr


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
