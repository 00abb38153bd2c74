"""Pictures of a placement: the graph coloured by device and the timeline of the step."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from envs.placement.group_graph import GroupGraph
from hardware_sim.problem import PlacementProblem
from hardware_sim.schedule import Schedule
from hardware_sim.simulator import simulate

if TYPE_CHECKING:
    from envs.placement.batch import PlacementBatch

COLOURS = ("#999999", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
"""The palette of Okabe and Ito, which is safe for colour-blind people."""

_NOT_PLACED = "#e4e4e4"


def device_colour(device: int) -> str:
    """A colour for a device; colours repeat after the eighth."""
    return COLOURS[device % len(COLOURS)]


def draw_graph(axes: Axes, graph: GroupGraph, placement: ArrayLike, current: int = -1) -> None:
    """Draws the groups from left to right, coloured by device.

    Args:
        axes: The axes to draw on.
        graph: ``G`` groups.
        placement: Integers ``(G,)``, -1 where not placed.
        current: The group to be placed now, drawn with a ring.
    """
    devices = np.asarray(placement)
    x, y = _layout(graph)
    segments = np.stack([np.stack([x, y], 1)[graph.edges[:, end]] for end in (0, 1)], axis=1)
    axes.add_collection(LineCollection(list(segments), colors="#c8c8c8", linewidths=0.6, zorder=1))
    colours = [device_colour(d) if d >= 0 else _NOT_PLACED for d in devices.tolist()]
    cost = graph.cost_s.min(axis=1)
    sizes = 12 + 90 * cost / max(cost.max(), 1e-12)
    axes.scatter(x, y, s=sizes, c=colours, edgecolors="#555555", linewidths=0.4, zorder=2)
    if current >= 0:
        axes.scatter(
            x[current], y[current], s=sizes[current] + 60, facecolors="none",
            edgecolors="#d00000", linewidths=1.5, zorder=3,
        )  # fmt: skip
    axes.set_axis_off()
    axes.margins(0.02, 0.1)


def draw_timeline(axes: Axes, problem: PlacementProblem, schedule: Schedule) -> None:
    """Draws a row for each device and each link direction that was used; time in milliseconds."""
    cluster = problem.cluster
    rows: list[str] = list(cluster.labels)
    for d in range(len(cluster)):
        mine = schedule.device == d
        spans = np.stack([schedule.start_s, schedule.end_s - schedule.start_s], 1)[mine] * 1e3
        axes.broken_barh(
            [(a, b) for a, b in spans.tolist()], (d - 0.4, 0.8), facecolor=device_colour(d),
            edgecolor="white", linewidth=0.15,
        )  # fmt: skip
    used = sorted({transfer.channel for transfer in schedule.transfers})
    for row, channel in enumerate(used, start=len(cluster)):
        rows.append(cluster.channel_labels[channel])
        mine_too = [t for t in schedule.transfers if t.channel == channel]
        axes.broken_barh(
            [(t.start_s * 1e3, (t.end_s - t.start_s) * 1e3) for t in mine_too], (row - 0.3, 0.6),
            facecolor=[device_colour(t.target) for t in mine_too], edgecolor="#333333",
            linewidth=0.2,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, schedule.makespan_s * 1e3)
    axes.set_xlabel("time (ms)")
    axes.spines[["top", "right"]].set_visible(False)


def picture(core: "PlacementBatch", row: int) -> NDArray[np.uint8]:
    """One row of a batch: its graph, and the timeline once everything is placed.

    Returns:
        uint8 ``(640, 960, 3)``.
    """
    graph = core.graphs[core.progress.graph[row]]
    placement = core.placement(row)
    step = int(core.progress.step[row])
    complete = step == len(graph)
    figure = Figure(figsize=(9.6, 6.4), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    top, bottom = figure.subplots(2, 1, height_ratios=(1, 1))
    draw_graph(top, graph, placement, -1 if complete else step)
    if complete:
        schedule = simulate(graph.problem, placement)
        draw_timeline(bottom, graph.problem, schedule)
        bottom.set_title(f"one step: {schedule.makespan_s * 1e3:.1f} ms", fontsize=10)
    else:
        _draw_appended(bottom, graph, core, row)
    single = graph.problem.single_device_s
    name = graph.problem.graph.name
    top.set_title(f"{name}: {step} of {len(graph)} groups placed; one device {single * 1e3:.1f} ms")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _draw_appended(axes: Axes, graph: GroupGraph, core: "PlacementBatch", row: int) -> None:
    """The schedule so far, a bar a group."""
    placed = core.placement(row)
    for group in np.flatnonzero(placed >= 0).tolist():
        device = int(placed[group])
        end, cost = core.progress.finish_s[row, group], graph.cost_s[group, device]
        axes.broken_barh(
            [((end - cost) * 1e3, cost * 1e3)], (device - 0.4, 0.8),
            facecolor=device_colour(device), edgecolor="white", linewidth=0.3,
        )  # fmt: skip
    labels = graph.problem.cluster.labels
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(0, max(core.progress.end_s[row], graph.problem.single_device_s) * 1e3)
    axes.set_xlabel("time (ms)")
    axes.set_title(f"schedule so far: {core.progress.end_s[row] * 1e3:.1f} ms", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def _layout(graph: GroupGraph) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions: x by the number of edges before a group, y spread over those of equal x."""
    depth = np.zeros(len(graph))
    for u, v in graph.edges.tolist():
        depth[v] = max(depth[v], depth[u] + 1)
    height = np.zeros(len(graph))
    for level in np.unique(depth):
        members = np.flatnonzero(depth == level)
        height[members] = np.arange(len(members)) - (len(members) - 1) / 2
    return depth, -height
