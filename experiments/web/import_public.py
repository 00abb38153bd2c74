"""``gymworks web import``: other people's demonstrations in our format."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track
from rich.table import Table

from envs.web.demonstration import Demonstration
from envs.web.demonstration_file import write_demonstrations
from envs.web.miniwob_recordings import read_miniwob
from experiments.options import (
    AsJson,
    Force,
    Quiet,
    aside,
    destination,
    output,
    print_json,
    printer,
)
from hardware_sim.errors import InputError

COUNTED = ("demonstrations", "steps", "successes")


def command(
    files: Annotated[list[Path], typer.Argument(help="MiniWoB++ demonstrations, *.jsonl[.xz].")],
    folder: Annotated[Path, output("Folder; a file a task.", folder=True)],
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Import the public MiniWoB++ demonstrations."""
    for file in files:
        if not file.is_file():
            raise InputError(f"{file} does not exist")
    targets = [folder / f"{file.name.partition('.jsonl')[0]}.jsonl.xz" for file in files]
    for target in targets:
        destination(target, force=force)
    found: dict[str, Counter[str]] = {}
    pairs = list(zip(files, targets, strict=True))
    shown = track(pairs, "importing", console=aside(quiet), disable=quiet, transient=True)
    for file, target in shown:
        counts = found[target.name.removesuffix(".jsonl.xz")] = Counter(dict.fromkeys(COUNTED, 0))
        write_demonstrations(target, _counted(file, counts), force)
    if as_json:
        print_json({"output": str(folder), "tasks": found})
    else:
        printer(silent=quiet).print(_table(found), soft_wrap=False)


def _counted(file: Path, counts: Counter[str]) -> Iterator[Demonstration]:
    for demonstration in read_miniwob(file):
        counts["demonstrations"] += 1
        counts["steps"] += len(demonstration.steps)
        counts["successes"] += demonstration.success
        yield demonstration


def _table(found: dict[str, Counter[str]]) -> Table:
    table = Table("task", *COUNTED)
    for task, counts in found.items():
        table.add_row(task, *(str(counts[name]) for name in COUNTED))
    total = (str(sum(counts[name] for counts in found.values())) for name in COUNTED)
    table.add_row(f"{len(found)} tasks", *total, style="bold")
    return table
