"""Figures of placements for reports."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from envs.placement.drawing import draw_graph, draw_timeline
from envs.placement.group_graph import GroupGraph
from hardware_sim.problem import PlacementProblem
from hardware_sim.simulator import simulate


def placement_figure(problem: PlacementProblem, placement: ArrayLike) -> Figure:
    """The graph coloured by device, above the timeline: a row for each device and link.

    Args:
        problem: Graph and cluster.
        placement: Integers ``(G,)``, the device of each group.
    """
    schedule = simulate(problem, np.asarray(placement))
    figure = Figure(figsize=(10, 6.5), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=(2, 3))
    draw_graph(top, GroupGraph.build(problem), placement)
    top.set_title(f"{problem.graph.name} on {problem.cluster.name}", loc="left")
    draw_timeline(bottom, problem, schedule)
    bottom.set_title(f"one step, {schedule.makespan_s * 1e3:.1f} ms", loc="left")
    return figure
