"""``gymworks web export``: demonstrations as data sets that other programs read."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from envs.web.demonstration import Demonstration
from envs.web.demonstration_file import demonstration_files, read_demonstrations
from envs.web.transitions import Transitions, transitions
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
from experiments.web.datasets import write_minari, write_parquet
from hardware_sim.errors import InputError, choose

FORMATS = ("parquet", "minari")
MOST_REASONS = 5
"""Reasons for steps without an action that are printed."""


def command(
    demonstrations: Annotated[list[Path], typer.Argument(help="Files, or folders of them.")],
    path: Annotated[
        Path, output("A *.parquet file, or the folder of a Minari data set.", folder=True)
    ],
    to: Annotated[str, typer.Option(help="parquet (for RLlib's bc and marwil) or minari.")],
    success_only: Annotated[
        bool, typer.Option("--success-only", help="Leave out what did not succeed.")
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Export demonstrations as observations and factored actions."""
    choose("format", to, FORMATS)
    if to == "parquet":
        destination(path, force=force)
    elif path.exists() and not force:
        raise InputError(f"{path} exists; it is replaced only with --force")
    files = demonstration_files(demonstrations)
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()

    def episodes() -> Iterator[tuple[Demonstration, Transitions]]:
        shown = track(files, "exporting", console=aside(quiet), disable=quiet, transient=True)
        for file in shown:
            for each in read_demonstrations(file):
                if success_only and not each.success:
                    counts["left out"] += 1
                    continue
                steps = transitions(each)
                counts["episodes"] += 1
                counts["steps"] += len(steps.actions)
                reasons.update(unmapped.why for unmapped in steps.unmapped)
                yield each, steps

    write = write_parquet if to == "parquet" else write_minari
    write(path, episodes())
    if as_json:
        kept = {name: counts[name] for name in ("episodes", "steps")}
        print_json(
            {"output": str(path), **kept, "left_out": counts["left out"], "unmapped": reasons}
        )
    else:
        _print(printer(silent=quiet), path, counts, reasons)


def _print(console: Console, output: Path, counts: Counter[str], reasons: Counter[str]) -> None:
    text = f"{counts['episodes']} episodes, {counts['steps']} steps in {output}"
    if counts["left out"]:
        text += f"; {counts['left out']} without success left out"
    console.print(text, markup=False)
    if reasons:
        console.print(f"{reasons.total()} events have no action:", markup=False)
        for why, count in reasons.most_common(MOST_REASONS):
            console.print(f"{count} times: {why}", markup=False)
