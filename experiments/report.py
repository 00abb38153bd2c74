"""``gymworks report``: run folders and results as one HTML page."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hardware_sim.errors import InputError


def command(
    sources: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders and result files.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file.")] = Path(
        "report.html"
    ),
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Show runs and results: tables with intervals, profiles, learning curves and pictures."""
    from experiments.page import render
    from experiments.report_results import result_sections
    from experiments.report_runs import run_sections, sweep_sections

    found: dict[str, list[Any]] = {"run": [], "result": [], "sweep": []}
    for source in sources:
        for kind, value in _read(source):
            found[kind].append(value)
    sections = [
        *(result_sections(found["result"]) if found["result"] else []),
        *(run_sections(found["run"]) if found["run"] else []),
        *(section for folder in found["sweep"] for section in sweep_sections(folder)),
    ]
    names = ", ".join(source.name for source in sources)
    path = render(f"gymworks: {names}", sections, output)
    if not quiet:
        Console(soft_wrap=True).print(f"written: {path}", markup=False, highlight=False)


def _read(source: Path) -> list[tuple[str, Any]]:
    """What a path holds, as pairs of its kind (run, result or sweep) and the thing."""
    from agents.runs import Run

    if source.is_dir():
        found: list[tuple[str, Any]] = []
        if (source / "metrics.csv").exists():
            found.append(("run", Run(source)))
        result = source / "result.json"
        if result.exists():
            value = read_json(result)
            if "trials" in value:
                found.append(("sweep", source))
            elif "episodes" in value:
                found.append(("result", value))
        if not found:
            found = [
                ("result", value)
                for path in sorted(source.glob("**/*.json"))
                if isinstance(value := read_json(path), dict) and "episodes" in value
            ]
        if found:
            return found
        raise InputError(f"{source} holds neither a run, a sweep nor results")
    value = read_json(source)
    if not isinstance(value, dict) or "episodes" not in value:
        raise InputError(f"{source} is no result file; gymworks evaluate -o writes one")
    return [("result", value)]


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: It cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
