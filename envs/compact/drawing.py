"""Pictures of a network that is being made compact."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

if TYPE_CHECKING:
    from envs.compact.batch import CompactBatch

_WHOLE, _KEPT, _PRESENT = "#d9d9d9", "#0072B2", "#E69F00"


def text(core: "CompactBatch", row: int) -> str:
    """One line a layer, and the speed-up and accuracy so far."""
    kept = core.kept[core.node[row]].tolist()
    present = sum(channels > 0 for channels in kept)
    lines = [_setting(core, row)]
    for i, (channels, width) in enumerate(zip(kept, core.table.widths, strict=True)):
        mark = ">" if i == present else " "
        shown = f"{channels:3d} of {width}" if channels else f"  ? of {width}"
        lines.append(f"{mark} map {i + 1}: {shown:12s} {'#' * (channels // 4)}")
    return "\n".join([*lines, _standing(core, row)]) + "\n"


def picture(core: "CompactBatch", row: int) -> NDArray[np.uint8]:
    """A bar for each map, its kept part filled.

    Returns:
        uint8 ``(400, 720, 3)``.
    """
    figure = Figure(figsize=(7.2, 4.0), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    kept = core.kept[core.node[row]]
    place = np.arange(core.layers)
    edges = [_PRESENT if i == np.count_nonzero(kept) else _WHOLE for i in place]
    axes.barh(place, core.table.widths, color=_WHOLE, edgecolor=edges, linewidth=2)
    axes.barh(place, kept, color=_KEPT)
    labels = [f"map {i + 1}" for i in place]
    axes.set_yticks(place, labels)
    axes.invert_yaxis()
    axes.set_xlabel("channels: original (grey), kept (blue)")
    axes.set_title(f"{_setting(core, row)}\n{_standing(core, row)}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _setting(core: "CompactBatch", row: int) -> str:
    """Batch size, price and budget in words."""
    size, price, budget = core.setting[:, row]
    return (
        f"batch {core.batches[size]}, a point of accuracy costs {core.prices[price]:g} "
        f"doublings, at most {100 * core.budgets[budget]:g} % of the parameters"
    )


def _standing(core: "CompactBatch", row: int) -> str:
    """The speed-up by now, and the points lost."""
    if core.speedup[row] > 0:
        return (
            f"{core.speedup[row]:.2f} times as fast, {core.points_lost[row]:.1f} points lost, "
            f"score {core.total[row]:.2f}"
        )
    return f"{2 ** core.log_speedup[core.setting[0, row], core.node[row]]:.2f} times as fast so far"
