"""Commands that pages, cards and docstrings name: their modules and verbs exist."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.main import get_group

from experiments.cli import app
from experiments.verbs import paths

ROOT = Path(__file__).parents[1]
MODULE = re.compile(r"python -m ((?:hardware_sim|envs|agents|experiments)(?:\.\w+)+)")
VERB = re.compile(r"^(?:\$ )?gymworks ([a-z-]+)(?: ([a-z-]+))?", re.M)


def files(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines() if "CHANGELOG" not in line]


def modules() -> dict[str, str]:
    """Every module that a command runs, with a file that names it."""
    return {
        name: str(path.relative_to(ROOT))
        for path in files("*.md", "*.json", "*.py", "Makefile", "setup.cfg")
        for name in MODULE.findall(re.sub(r"\s*\n\s*", " ", path.read_text()))
    }


@pytest.mark.parametrize(("name", "place"), sorted(modules().items()))
def test_a_module_that_a_command_runs_is_there(name: str, place: str) -> None:
    assert find_spec(name) is not None, place
    source = Path(str(find_spec(name).origin)).read_text()
    assert 'if __name__ == "__main__":' in source, place


def test_many_commands_are_named() -> None:
    assert len(modules()) > 30


def test_verbs_on_pages_are_there() -> None:
    verbs = set(paths(get_group(app)))
    blocks = [
        (path.name, block)
        for path in files("*.md")
        for block in re.findall(r"```sh\n(.*?)```", path.read_text(), re.S)
    ]
    named = {(name, *found) for name, block in blocks for found in VERB.findall(block)}
    lost = [
        (name, verb, second)
        for name, verb, second in sorted(named)
        if (verb,) not in verbs or (verb == "web" and (verb, second) not in verbs)
    ]
    assert len({verb for _, verb, _ in named}) > 10
    assert lost == []
