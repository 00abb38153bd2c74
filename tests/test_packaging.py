"""The repository's top level, and the wheel that users install."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from envs.registration import ENTRIES

ROOT = Path(__file__).parents[1]
TOP_LEVEL = {
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "agents",
    "constraints.txt",
    "envs",
    "experiments",
    "hardware_sim",
    "pyproject.toml",
    "setup.cfg",
    "tests",
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The Python of an empty environment that holds our wheel; the libraries come from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    source = folder / "source"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
    subprocess.run([*build, "--wheel-dir", str(folder), str(source)], check=True)
    (wheel,) = folder.glob("gymworks-*.whl")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python


def run(installed, folder, *command):
    """Output of a command of the installed wheel, run in another folder with an empty HOME."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_top_level_holds_what_it_should():
    names = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL


def test_the_wheel_lists_its_environments(installed, tmp_path):
    listing = run(installed, tmp_path, installed.parent / "gymworks", "list", "--json")
    ids = {entry["id"] for entry in json.loads(listing)}
    assert "DevicePlacement-InceptionV3-v0" in ids


RESET_ALL = """
import envs
import gymnasium as gym
from envs.registration import ENTRIES

for entry in ENTRIES.values():
    choices = {"backend": "twin"} if entry.domain == "web" else {}
    env = gym.make(f"envs:{entry.id}", **choices)
    assert env.observation_space.contains(env.reset(seed=0)[0]), entry.id
    env.close()
print(len(ENTRIES), envs.__file__)
"""


def test_every_id_of_the_wheel_resets(installed, tmp_path):
    count, where = run(installed, tmp_path, installed, "-c", RESET_ALL).split()
    assert int(count) == len(ENTRIES)
    assert str(installed.parents[1]) in where


def test_the_wheel_places_a_network(installed, tmp_path):
    command = ("place", "msr_bert24", "--cluster", "6xv100_msr", "--method", "heft", "-o", "p.json")
    run(installed, tmp_path, installed.parent / "gymworks", *command)
    assert set(json.loads((tmp_path / "p.json").read_text())["device"].values())
