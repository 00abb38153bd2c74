"""``gymworks report``: run folders and results as one HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.options import Force, Quiet, Trust, aside, deliver, output, printer
from experiments.plausibility import improbable
from experiments.results import Result, standing
from experiments.spot_check import Replay, parse_replay, spot_check


def command(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run, sweep and benchmark folders, result files."),
    ],
    page: Annotated[Path, output("The HTML file.")] = Path("report.html"),
    force: Force = False,
    replay: Replay = "1",
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Show runs and results: tables with intervals, profiles, learning curves and pictures."""
    from experiments.page import render  # matplotlib and pages are slow to import
    from experiments.report_results import result_sections
    from experiments.report_runs import run_sections, sweep_sections
    from experiments.report_sources import read_sources
    from hardware_sim.reading import read_json

    with aside(quiet).status("reading and replaying"):
        found = read_sources(sources)
        most = parse_replay(replay)
        checks = [_checked(result, most) for result in found.results]
        sections = [
            *(result_sections(found.results, found.agents, checks) if checks else []),
            *(run_sections(found.runs) if found.runs else []),
        ]
        for folder in found.sweeps:
            sections += sweep_sections(folder.name, read_json(folder / "result.json"))
        names = ", ".join(source.resolve().name for source in sources)
        deliver(page, lambda place: render(f"gymworks: {names}", sections, place))
    for result, check in zip(found.results, checks, strict=True):
        if "improbably" in check:
            aside(quiet).print(
                f"warning: {result['agent']} on {result['env_id']}: {check}", markup=False
            )
    printer(silent=quiet).print(f"written: {page}", markup=False)


def _checked(result: Result, most: int | None) -> str:
    """How much of a result was replayed, and what is improbable of it.

    By default only results on seeds of somebody's choice are compared, for that takes time.
    """
    compared = most is None or (most > 0 and not standing(result)[1])
    return "; ".join([spot_check(result, most), *(improbable(result) if compared else [])])
