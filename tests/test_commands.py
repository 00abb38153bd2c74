"""Commands that pages, cards and docstrings name: their modules and verbs exist."""

import ast
import re
import subprocess
import sys
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


def mains() -> list[Path]:
    """Every module that a person runs by ``python -m``; ``cli`` has a name of its own."""
    found = files("agents/*.py", "experiments/*.py")
    # The bridge to an installed MiniWoB++ answers another process by lines of JSON.
    apart = ("experiments/cli.py", "experiments/web/miniwob_baseline.py")
    return [
        path
        for path in found
        if '__name__ == "__main__"' in path.read_text() and str(path.relative_to(ROOT)) not in apart
    ]


def test_every_module_with_a_command_line_runs_it_in_the_shared_way() -> None:
    assert len(mains()) > 40
    for path in mains():
        tree = ast.parse(path.read_text())
        imported = [n for n in tree.body if isinstance(n, ast.ImportFrom)]
        assert any(
            each.module == "hardware_sim.commands" and each.names[0].name == "run"
            for each in imported
        ), path
        block = tree.body[-1]
        assert isinstance(block, ast.If), path
        last = block.body[-1]
        assert isinstance(last, ast.Expr), path
        assert ast.unparse(last.value) in ("run(main)", "run(command)", "run(app)", "run(report)")


@pytest.mark.parametrize(
    ("module", "arguments", "sentence"),
    [
        ("experiments.references", ["Nonsense-v0"], "unknown environment 'Nonsense-v0'"),
        (
            "experiments.softmax.data",
            ["curves", "words={folder}/words", "-o", "{folder}/words/curves.json"],
            "{folder}/words/curves.json cannot be written",
        ),
    ],
)
def test_bad_input_of_a_module_is_one_sentence(
    module: str, arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "words").write_text("the 5\nof 3\na 2\n")
    words = [word.format(folder=tmp_path) for word in arguments]
    done = subprocess.run(
        [sys.executable, "-m", module, *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("gymworks: ")
    assert sentence.format(folder=tmp_path) in line
