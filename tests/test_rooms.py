"""The house: floors point one way, rooms stand alone, and the tables name what exists."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grimp
import pytest

from envs.registration import DOMAINS
from hardware_sim.naming import MOVED, resolve

ROOT = Path(__file__).parents[1]
FLOORS = ("hardware_sim", "envs", "agents", "experiments")
"""From the ground up: a floor uses those before it."""

DOTTED = re.compile(rf"(?:{'|'.join(FLOORS)})(?:\.\w+)+(?::\w+)*")


def room(module: str) -> str | None:
    """The domain in whose room a module is, if it is in one."""
    second = module.split(".")[1:2]
    return second[0] if second and second[0] in DOMAINS else None


def tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines()]


def strings(value: Any) -> Iterator[str]:
    """Every string in a parsed JSON file."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from (key, *strings(part))
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)


def constants(tree: ast.AST) -> Iterator[str]:
    """Every string of a module that is no docstring."""
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def named() -> list[tuple[str, str]]:
    """Each dotted string with the module or JSON file that holds it, written with dots."""
    found = []
    for path in tracked(*(f"{floor}/**.{kind}" for floor in FLOORS for kind in ("py", "json"))):
        if path.name == "moved.json":
            continue  # maps names of the past, from which nothing is imported
        text = path.read_text()
        held = constants(ast.parse(text)) if path.suffix == ".py" else strings(json.loads(text))
        place = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found += [(place, each) for each in held if DOTTED.fullmatch(each)]
    return found


def test_a_room_imports_itself_and_what_is_shared_and_nothing_shared_imports_a_room() -> None:
    graph = grimp.build_graph(*FLOORS, cache_dir=None)
    strays = [
        f"{module} imports {other}"
        for module in sorted(graph.modules)
        for other in sorted(graph.find_modules_directly_imported_by(module))
        if room(other) not in (None, room(module))
    ]
    assert len(graph.modules) > 300
    assert strays == []


def test_dotted_strings_obey_the_rules_of_imports() -> None:
    found = named()
    strays = [
        f"{place} names {name}"
        for place, name in found
        if FLOORS.index(name.split(".")[0]) > FLOORS.index(place.split(".")[0])
        or (room(name) not in (None, room(place)))
    ]
    assert len(found) > 50
    assert strays == []


@pytest.mark.parametrize("name", sorted({name for _, name in named() if ":" in name}))
def test_dotted_strings_name_something(name: str) -> None:
    module, _, rest = name.partition(":")
    assert resolve(f"{module}:{rest.partition(':')[0]}") is not None


def test_moved_names_stand_nowhere_else() -> None:
    old = re.compile(rf"(?<![\w./])(?:{'|'.join(map(re.escape, MOVED))})(?![\w.])")
    exempt = {"CHANGELOG.md", "migration.md", "moved.json", "test_moved_names.py", "test_naming.py"}
    strays = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked("*.py", "*.md", "*.json", "*.cfg", "Makefile")
        if path.name not in exempt and path.parent.name != "old_run"
        for match in old.finditer(path.read_text())
    ]
    assert strays == []


def test_moved_names_lead_to_modules() -> None:
    assert len(MOVED) > 50
    missing = [name for name in MOVED.values() if find_spec(name.partition(":")[0]) is None]
    assert missing == []


def loaded_by(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter has after some code."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_environments_loads_nothing_heavy() -> None:
    loaded = loaded_by("import envs")
    assert "envs.registration" in loaded
    assert loaded.isdisjoint({"torch", "numba", "scipy", "matplotlib", "selenium", "ray", "pandas"})
