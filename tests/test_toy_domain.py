"""A domain made from the template: in the house by one line, or in a package of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "tests" / "template"
FLOORS = ("hardware_sim", "envs", "agents", "experiments")
NAME = "thermostat"
PACKAGE = "gymworks_thermostat"
PROJECT = f"""
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "{PACKAGE}"
version = "0"

[project.entry-points."gymworks.domains"]
{NAME} = "{PACKAGE}"

[tool.setuptools]
packages = ["{PACKAGE}"]
package-data = {{ {PACKAGE} = ["*.json", "*.md"] }}
"""
TRY = """
import json
import gymnasium as gym
from typer.testing import CliRunner
from agents.loading import load_agent
from envs.registration import find
from envs.testing import check
from experiments import references
from experiments.cli import app
from experiments.docs import domain_pages, environment_page

def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, (words, done.output, done.exception)
    return done.output

references.main(["Thermostat-v0"])
seen = check("envs:Thermostat-v0", oracle=lambda env: load_agent("hysteresis", env))
assert len(seen) > 12
assert "random play" in seen["check_naive_play"]
run("train", "Thermostat-v0", "--steps", 192, "--num-envs", 2, "--run-dir", "run", "--quiet")
listed = [row for row in json.loads(run("list", "--json")) if row["id"] == "Thermostat-v0"]
run("evaluate", "Thermostat-v0", "--agent", "hysteresis", "-o", "heuristic.json", "--quiet")
run("evaluate", "Thermostat-v0", "--agent", "run", "-o", "trained.json", "--quiet")
run("verify", "trained.json")
run("benchmark", "thermostat", "--agents", "hysteresis,random", "--run-dir", "b", "--quiet")
assert "comfort" in environment_page(find("Thermostat-v0"))
print(json.dumps({
    "domain": listed[0]["domain"],
    "reference": listed[0]["references"]["reference"]["source"],
    "score": json.load(open("heuristic.json"))["aggregate"],
    "plan": run("heat", "--weather", "mild").splitlines()[-1],
    "pages": [*domain_pages()],
}))
"""


def tried(folder: Path, *places: Path) -> dict[str, object]:
    """The results of using the toy domain in a folder, with some places on the path."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, places))}
    done = subprocess.run(
        [sys.executable, "-c", TRY], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """The four floors with the template's rooms, and the domain's name in the table."""
    folder = tmp_path_factory.mktemp("house")
    for floor in FLOORS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / floor, folder / floor, ignore=ignored)
    shutil.copytree(TEMPLATE, folder, dirs_exist_ok=True)
    table = folder / "envs" / "registration.py"
    text, count = re.subn(r"(DOMAINS = \([^)]*)\)", rf'\1, "{NAME}")', table.read_text(), count=1)
    assert count == 1
    table.write_text(text)
    return folder


def test_the_template_lies_in_rooms_alone():
    files = [path.relative_to(TEMPLATE) for path in TEMPLATE.rglob("*") if path.is_file()]
    made = [path for path in files if "__pycache__" not in path.parts]
    assert len(made) > 10
    assert {path.parts[1] for path in made} == {NAME}
    assert {path.parts[0] for path in made} <= set(FLOORS)


def test_a_room_on_each_floor_and_one_name_make_a_domain(house, tmp_path):
    found = tried(tmp_path, house)
    assert found["domain"] == NAME
    assert str(found["reference"]).startswith("the best of the others, hysteresis")
    assert NAME in found["pages"]
    assert str(found["plan"]).startswith("mean deviation")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the template as an installed package of somebody's own."""
    folder = tmp_path_factory.mktemp("package")
    package = folder / "source" / PACKAGE
    package.mkdir(parents=True)
    start = ""
    for path in sorted(TEMPLATE.rglob("*")):
        if not path.is_file() or path.suffix == ".pyc":
            continue
        text = re.sub(rf"\b(?:envs|agents|experiments)\.{NAME}\b", PACKAGE, path.read_text())
        if path.name == "__init__.py":
            start += text
        else:
            (package / path.name).write_text(text)
    (package / "__init__.py").write_text(start)
    (folder / "source" / "pyproject.toml").write_text(PROJECT)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--target", str(folder / "site"), str(folder / "source")]
    subprocess.run(command, check=True)
    return folder / "site"


def test_an_installed_package_brings_a_domain(installed, tmp_path):
    found = tried(tmp_path, installed, ROOT)
    assert found["domain"] == NAME
    assert str(found["reference"]).startswith("the best of the others, hysteresis")
    assert NAME in found["pages"]
    assert str(found["plan"]).startswith("mean deviation")


def test_a_package_that_cannot_be_imported_is_left_out_with_a_warning(installed, tmp_path):
    broken = shutil.copytree(installed, tmp_path / "site")
    (broken / PACKAGE / "entries.py").write_text("raise RuntimeError('no luck')")
    code = "from envs.registration import ALL_DOMAINS, ENTRIES; print(ALL_DOMAINS, len(ENTRIES))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(broken), str(ROOT)])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert NAME not in done.stdout
    assert f"the domain '{NAME}' of the package {PACKAGE} is left out: no luck" in done.stderr
