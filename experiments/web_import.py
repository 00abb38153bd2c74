"""``gymworks web import``: other people's demonstrations in our format."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from envs.web.demonstration import Demonstration
from envs.web.demonstration_file import writable, write_demonstrations
from envs.web.miniwob_recordings import read_miniwob
from hardware_sim.errors import InputError


def command(
    files: Annotated[list[Path], typer.Argument(help="MiniWoB++ demonstrations, *.jsonl[.xz].")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder; a file a task.")],
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar, no table.")] = False,
) -> None:
    """Import the public MiniWoB++ demonstrations."""
    for file in files:
        if not file.is_file():
            raise InputError(f"{file} does not exist")
    targets = [output / f"{file.name.partition('.jsonl')[0]}.jsonl.xz" for file in files]
    for target in targets:
        writable(target, force)
    table = Table("task", "demonstrations", "steps", "successes")
    total = [0, 0, 0]
    pairs = list(zip(files, targets, strict=True))
    for file, target in track(
        pairs, "importing", console=Console(stderr=True), disable=quiet, transient=True
    ):
        counts = [0, 0, 0]
        write_demonstrations(target, _counted(file, counts), force)
        table.add_row(target.name.removesuffix(".jsonl.xz"), *map(str, counts))
        total = [whole + part for whole, part in zip(total, counts, strict=True)]
    table.add_row(f"{len(files)} tasks", *map(str, total), style="bold")
    if not quiet:
        Console().print(table)


def _counted(file: Path, counts: list[int]) -> Iterator[Demonstration]:
    for demonstration in read_miniwob(file):
        counts[0] += 1
        counts[1] += len(demonstration.steps)
        counts[2] += demonstration.success
        yield demonstration
