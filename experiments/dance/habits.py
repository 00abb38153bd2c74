"""Measures the habits of human charts by level: ``python -m experiments.dance.habits``.

Prints the figures behind ``agents.dance.charting.HABITS``: steps a second, kinds of notes,
and least gaps between steps, over the charts of a corpus with at least 20 steps.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE
from rich.table import Table

from envs.dance.chart import DIFFICULTIES, Chart
from envs.dance.corpus import corpus
from envs.dance.grid import NOTE_KINDS, note_kinds
from experiments.options import printer
from hardware_sim.commands import run

FEWEST = 20
QUANTILES = (0.05, 0.5, 0.95)


def habits(charts: list[Chart]) -> tuple[list[float], list[float], float]:
    """Steps a second at the quantiles, mean shares of note kinds, and the least gap in seconds.

    The least gap is what 19 in 20 charts stay above with all but 2 % of their steps.
    """
    rates = [len(each.times) / (each.times[-1] - each.times[0]) for each in charts]
    kinds = [note_kinds(each.ticks)[:, None] == NOTE_KINDS for each in charts]
    gaps = [np.quantile(np.diff(each.times), 0.02) for each in charts]
    shares = np.mean([each.mean(axis=0) for each in kinds], axis=0)
    return np.quantile(rates, QUANTILES).tolist(), shares.tolist(), float(np.quantile(gaps, 0.05))


def main(
    name: Annotated[str, typer.Argument(help="A corpus.")] = "itg",
    data: Annotated[Path | None, typer.Option(help="Folder of the data.")] = None,
) -> None:
    """Prints the table."""
    charts = [chart for song in corpus(name, data) for chart in song.charts]
    table = Table(box=SIMPLE, title=f"charts of {name}: steps a second, shares of notes")
    columns = [f"{round(100 * q)} %" for q in QUANTILES]
    for title in ("level", "charts", *columns, *(f"{kind}th" for kind in NOTE_KINDS), "gap (ms)"):
        table.add_column(title, justify="right")
    for level, title in enumerate(DIFFICULTIES):
        ours = [each for each in charts if each.level == level and len(each.times) >= FEWEST]
        if ours:
            rates, shares, gap_s = habits(ours)
            table.add_row(
                title,
                str(len(ours)),
                *(f"{rate:.2f}" for rate in rates),
                *(f"{100 * share:.1f}" for share in shares),
                f"{1000 * gap_s:.0f}",
            )
    printer(soft_wrap=False).print(table)


if __name__ == "__main__":
    run(main)
