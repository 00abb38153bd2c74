"""Pictures and text of a vocabulary that is being cut."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from envs.softmax.plan import SoftmaxProblem

if TYPE_CHECKING:
    from envs.softmax.batch import SoftmaxBatch

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00")
"""Colours of head and tails, from the palette of Okabe and Ito, safe for colour-blind people."""

_FULL = "#999999"


class Cluster(NamedTuple):
    """A head, a tail, or the full softmax."""

    name: str
    start: int  # first word
    end: int  # first word behind
    share: float  # of the text
    width: int
    ms: float  # expected


def clusters(core: "SoftmaxBatch", row: int) -> list[Cluster]:
    """The clusters of the plan so far; without a cut there is one, the full softmax."""
    problem = core.tables.problems[core.problem[row]]
    words, count = problem.vocabulary, int(core.tails[row])
    if count == 0:
        return [Cluster("full softmax", 0, words, 1.0, problem.hidden, problem.full_ms)]
    cutoffs, div_value = core.cutoffs()[row, :count].tolist(), float(core.div_values()[row])
    bounds = [0, *cutoffs, words]
    shares = np.diff(problem.curve.coverage(bounds, words)).tolist()
    times = problem.cluster_ms(cutoffs, div_value)
    return [
        Cluster(
            f"tail {i}" if i else "head",
            bounds[i],
            bounds[i + 1],
            shares[i],
            problem.width(i, div_value),
            times[i],
        )
        for i in range(count + 1)
    ]


def title(core: "SoftmaxBatch", row: int) -> str:
    """The problem and the value of the plan, in one line."""
    problem = core.tables.problems[core.problem[row]]
    speed_up, worth = np.exp(core.time[row]), np.exp(core.time[row] + core.quality[row])
    best = np.exp(core.tables.best[core.problem[row]])
    return (
        f"{problem.curve.name}: {problem.vocabulary:,} words, batch {problem.batch}, "
        f"width {problem.hidden}. Speed-up {speed_up:.1f}, to equal loss {worth:.1f}; "
        f"best possible {best:.1f}"
    )


def text(core: "SoftmaxBatch", row: int) -> str:
    """The plan so far as lines of text."""
    lines = [title(core, row), f"{'':12} {'words':>18} {'of text':>8} {'width':>6} {'ms':>9}"]
    for name, start, end, share, width, ms in clusters(core, row):
        words = f"{start:,} to {end:,}"
        lines.append(f"{name:12} {words:>18} {share:8.1%} {width:6} {ms:9.3f}")
    return "\n".join(lines)


def picture(core: "SoftmaxBatch", row: int) -> NDArray[np.uint8]:
    """The frequency curve, coloured by cluster, above the time of each.

    Returns:
        uint8 ``(540, 960, 3)``.
    """
    figure = Figure(figsize=(9.6, 5.4), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    top, bottom = figure.subplots(2, 1, height_ratios=(3, 2))
    problem, parts = core.tables.problems[core.problem[row]], clusters(core, row)
    colours = COLOURS if core.tails[row] else (_FULL,)
    _draw_curve(top, problem, parts, colours)
    _draw_times(bottom, problem, parts, colours)
    top.set_title(title(core, row), fontsize=10)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _draw_curve(
    axes: Axes,
    problem: SoftmaxProblem,
    parts: list[Cluster],
    colours: tuple[str, ...],
) -> None:
    """Text covered by the most frequent words, an area a cluster."""
    for part, colour in zip(parts, colours, strict=False):
        ranks = np.geomspace(max(part.start, 1), part.end, 64)
        covered = problem.curve.coverage(ranks, problem.vocabulary)
        label = f"{part.name}, width {part.width}: {part.share:.1%} of the text"
        axes.fill_between(ranks, covered, color=colour, alpha=0.75, linewidth=0, label=label)
        axes.axvline(part.end, color="white", linewidth=1.5)
    axes.set_xscale("log")
    axes.set_xlim(1, problem.vocabulary)
    axes.set_ylim(0, 1)
    axes.set_xlabel("words, the most frequent first")
    axes.set_ylabel("text covered")
    axes.legend(loc="upper left", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_times(
    axes: Axes,
    problem: SoftmaxProblem,
    parts: list[Cluster],
    colours: tuple[str, ...],
) -> None:
    """The time of each cluster on a logarithmic axis, beside that of the full softmax."""
    names, times = [part.name for part in parts], [part.ms for part in parts]
    if len(parts) > 1:
        names, times = [*names, "all", "full softmax"], [*times, sum(times), problem.full_ms]
    shades = [*colours[: len(parts)], "#333333", _FULL][: len(times)]
    axes.barh(names, times, color=shades)
    for i, ms in enumerate(times):
        axes.text(ms, i, f" {ms:.3g} ms", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(min(times) / 3, problem.full_ms * 3)
    axes.set_xlabel("expected time of a training step (ms)")
    axes.spines[["top", "right"]].set_visible(False)
