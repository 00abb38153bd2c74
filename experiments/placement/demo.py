"""``gymworks demo``: trains a placement agent, judges it against every baseline, and reports."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from experiments.options import AsJson, Quiet, aside, interrupted, print_json, printer
from hardware_sim.files import write_json

if TYPE_CHECKING:
    from experiments.placement.comparison import Row
    from hardware_sim.problem import PlacementProblem

ENV_ID = "envs:DevicePlacement-InceptionV3-v0"
TITLE = "A training step of Inception-V3 on one Xeon and four K80 GPUs, simulated"


def command(
    steps: Annotated[
        int | None, typer.Option(help="Training steps; a step places one group.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the training.")] = 0,
    run_dir: Annotated[
        Path | None, typer.Option(help="Run folder; a new one under runs/ by default.")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train an agent to place Inception-V3, and compare it with every baseline."""
    from experiments.evaluate import evaluate
    from experiments.placement.comparison import as_json as document
    from experiments.placement.comparison import compare, write_comparison
    from experiments.seeds import named
    from experiments.train import configure, kept, train

    config = configure(ENV_ID, steps=steps, seed=seed)
    folder = run_dir or _new_folder()
    try:
        run = train(config, folder, quiet=quiet)
    except KeyboardInterrupt:
        interrupted(kept(folder, config))
    with aside(quiet).status("every baseline with as many simulations"):
        problem, rows = compare(ENV_ID, run)
    found = {"env_id": ENV_ID, **document(problem, rows)}
    write_json(run.folder / "comparison.json", found)
    run.save_result(evaluate(ENV_ID, str(run.folder), named(ENV_ID, "test")))
    report = write_comparison(TITLE, problem, rows, run)
    if as_json:
        print_json({"run": str(run.folder), "report": str(report), **found})
        return
    console = printer(silent=quiet)
    _print(console, problem, rows)
    console.print(f"Run folder: {run.folder}. Report: {report}")


def _new_folder() -> Path:
    """The first free ``runs/demo-N``."""
    number = 1
    while Path(f"runs/demo-{number}").exists():
        number += 1
    return Path(f"runs/demo-{number}")


def _print(console: Console, problem: "PlacementProblem", rows: list["Row"]) -> None:
    from experiments.placement.comparison import as_table, verdict

    columns, cells = as_table(problem, rows)
    fixed = len(columns) - problem.num_devices
    table = Table(
        title=TITLE,
        caption=f"GB: peak memory of {', '.join(problem.cluster.labels)}",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for i, column in enumerate([*columns[:fixed], "GB"]):
        table.add_column(column, justify="left" if i == 0 else "right", no_wrap=i == 0)
    for row, line in zip(rows, cells, strict=True):
        style = "bold" if row.name.startswith("PPO") else "dim" if row.placement is None else None
        peaks = [] if row.peak_bytes is None else (row.peak_bytes / 2**30).tolist()
        memory = " ".join(f"{peak:.1f}" for peak in peaks)
        table.add_row(*line[:fixed], memory, style=style)
    console.print(table, soft_wrap=False)
    console.print(verdict(rows))
