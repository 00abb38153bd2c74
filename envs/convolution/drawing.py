"""Pictures and text of a tuning: the variants tried, their speed-ups, the one kept."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from envs.convolution.tables import shipped

if TYPE_CHECKING:
    from envs.convolution.batch import TuningBatch

BLOCKS = ("x1/4", "x1/2", "x1", "x2", "x4")
PANELS = ("one panel", "fitting panels", "twice the panels", "all panels")
WIDTHS = ("wide vectors", "narrow vectors")
BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#777777"


def words(choice: NDArray[np.int64]) -> str:
    """A choice in words; oneDNN for -1."""
    method, block, panels, width = choice.tolist()
    if method < 0:
        return "oneDNN"
    name = shipped()["methods"][method]
    tiles = f", {PANELS[panels]}" if name.startswith(("Winograd", "FFT")) else ""
    return f"{name}, block {BLOCKS[block]}{tiles}, {WIDTHS[width]}"


def heading(core: "TuningBatch", row: int) -> str:
    """The layer with its sizes and oneDNN's time."""
    table = core.tables[core.state.table[row]]
    sizes = table.sizes
    kernel, output = ("x".join(map(str, sizes[key])) for key in ("kernel", "output"))
    return (
        f"{table.name}: {kernel} kernel, {sizes['in_channels']} to {sizes['out_channels']} "
        f"channels, output {output}; oneDNN {table.library_s * 1e3:.3g} ms"
    )


def describe(core: "TuningBatch", row: int) -> str:
    """The tries of an episode, a line each, and what is kept."""
    state = core.state
    tries = [
        f"{i + 1:4d}  {_speed(state.speeds[row, i]):>8}  {words(state.choices[row, i])}"
        for i in range(int(state.step[row]))
    ]
    kept = (
        f"kept: {words(state.kept[row])}, {np.exp(state.speed[row]):.2f} times oneDNN; "
        f"{core.settings.budget - state.step[row]} measurements left"
    )
    return "\n".join([heading(core, row), *tries, kept])


def _speed(log_speed: np.float32) -> str:
    from envs.convolution.batch import FAILED

    return "failed" if log_speed <= FAILED else f"{np.exp(log_speed):.2f} x"


def picture(core: "TuningBatch", row: int) -> NDArray[np.uint8]:
    """Tries in their order on the left, the best of each method on the right; uint8 (H, W, 3)."""
    state = core.state
    steps, budget = int(state.step[row]), core.settings.budget
    tried = np.exp(state.speeds[row, :steps].astype(np.float64))
    figure = Figure(figsize=(9, 4), dpi=80)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    figure.subplots_adjust(0.07, 0.13, 0.98, 0.84, wspace=0.32)
    figure.suptitle(heading(core, row), x=0.01, ha="left", fontsize=10)
    at = np.arange(1, steps + 1)
    left.scatter(at, tried, s=22, color=BLUE, label="tried", zorder=2)
    best = np.maximum.accumulate(np.maximum(tried, 1.0)) if steps else tried
    left.step(np.r_[0, at], np.r_[1.0, best], where="post", color=ORANGE, label="best so far")
    left.axhline(1, color=GREY, linewidth=1, linestyle="--")
    left.set_xlim(0, budget + 0.5)
    left.set_ylim(0, max(1.5, 1.1 * float(tried.max(initial=1.0))))
    left.set_xlabel(f"measurement (of {budget})")
    left.set_ylabel("times as fast as oneDNN")
    left.legend(frameon=False, loc="upper left", fontsize=8)
    left.set_title(f"kept: {words(state.kept[row])}", loc="left", fontsize=8)
    _draw_methods(right, core, row)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _draw_methods(axes: Axes, core: "TuningBatch", row: int) -> None:
    """A bar for each method: its best so far; names of closed ones are pale."""
    state, names = core.state, shipped()["methods"]
    offered = core.masks[state.table[row], : len(names)]
    tried = state.tried[row] > 0
    best = np.where(tried, np.exp(state.reached[row]), 0.0)
    axes.barh(range(len(names)), best, color=BLUE)
    axes.axvline(1, color=GREY, linewidth=1, linestyle="--")
    axes.set_yticks(range(len(names)), names, fontsize=8)
    for label, open_ in zip(axes.get_yticklabels(), offered, strict=True):
        label.set_color("#222222" if open_ else "#bbbbbb")
    axes.invert_yaxis()
    axes.set_xlim(0, max(1.5, 1.1 * float(best.max())))
    axes.set_xlabel("best of each method")
    axes.spines[["top", "right"]].set_visible(False)
