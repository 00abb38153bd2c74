"""Pictures of a nest: its loops as nested bars, and its rate."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from envs.loops.nest import MAX_LOOPS, STATEMENTS, Kind, Nest

if TYPE_CHECKING:
    from envs.loops.batch import LoopBatch

KIND_COLOURS = {
    Kind.SERIAL: "#b8c4ce",
    Kind.VECTORISED: "#E69F00",
    Kind.UNROLLED: "#56B4E9",
    Kind.PARALLEL: "#CC79A7",
}
"""Colours of loops, from the palette of Okabe and Ito, which is safe for colour-blind people."""

_CURSOR, _ACCUMULATED = "#D55E00", "#009E73"


def draw_nest(axes: Axes, nest: Nest) -> None:
    """Draws each loop as a bar within the one around it, the cursor as an arrow and a frame.

    A green bracket spans the loops within which sums are kept in accumulators.
    """
    last = len(nest.loops)
    for depth, loop in enumerate(nest.loops):
        chosen = depth == nest.cursor
        axes.broken_barh(
            [(depth, MAX_LOOPS - depth)], (depth - 0.42, 0.84), facecolor=KIND_COLOURS[loop.kind],
            edgecolor=_CURSOR if chosen else "white", linewidth=2.5 if chosen else 0.5,
        )  # fmt: skip
        by = f" by {loop.step}" if loop.step > 1 else ""
        kind = "" if loop.kind == Kind.SERIAL else f"  {loop.kind.name.lower()}"
        sums = "Σ " if nest.reduces(depth) else ""
        text = f"{sums}for {nest.problem.letters[loop.dim]} in {loop.extent}{by}{kind}"
        axes.text(depth + 0.15, depth, text, va="center", fontsize=10)
        if chosen:
            axes.annotate(
                "", (depth - 0.05, depth), (depth - 0.9, depth),
                arrowprops={"color": _CURSOR, "width": 2, "headwidth": 9},
            )  # fmt: skip
    if nest.block >= 0:
        x = MAX_LOOPS + 0.15
        axes.plot([x, x], [nest.block - 0.4, last - 0.6], color=_ACCUMULATED, linewidth=5)
        middle = (nest.block + last - 1) / 2
        axes.text(x + 0.2, middle, "accumulated", rotation=90, va="center", color=_ACCUMULATED)
    statement = STATEMENTS[nest.problem.operation]
    axes.text(last + 0.15, last, statement, va="center", ha="left", fontsize=9, family="monospace")
    axes.set_xlim(-1, MAX_LOOPS + 7)
    axes.set_ylim(MAX_LOOPS + 0.6, -0.6)
    axes.axis("off")


def _draw_rates(axes: Axes, rates: dict[str, float]) -> None:
    """A bar for each rate, GFLOP/s."""
    colours = ("#b8c4ce", "#56B4E9", "#009E73", "#333333")
    axes.barh(range(len(rates)), list(rates.values()), color=colours)
    for row, rate in enumerate(rates.values()):
        axes.text(rate, row, f" {rate:.1f}", va="center", fontsize=9)
    axes.set_yticks(range(len(rates)), list(rates), fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(rates.values()))
    axes.set_xlabel("GFLOP/s")
    axes.spines[["top", "right"]].set_visible(False)


def picture(core: "LoopBatch", row: int) -> NDArray[np.uint8]:
    """One row of a batch: its nest above its rates, uint8 ``(640, 960, 3)``."""
    found = {key: value[row] for key, value in core.results().items()}
    rates = {
        "unscheduled": float(found["score"] / found["speedup"]),
        "now": float(found["score"] * core.best_s[row] / core.now_s[row]),
        "best so far": float(found["score"]),
        "roofline": float(found["roofline"]),
    }
    figure = Figure(figsize=(9.6, 6.4), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    top, bottom = figure.subplots(2, 1, height_ratios=(3, 1))
    draw_nest(top, core.nest(row))
    _draw_rates(bottom, rates)
    top.set_title(f"{core.problems[row].name}, {core.steps[row]} edits", loc="left")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
