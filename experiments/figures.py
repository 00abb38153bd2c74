"""Figures that several reports share, in one style."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from experiments.statistics import Scores, performance_profile

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999", "#000000")
"""The palette of Okabe and Ito, which colour-blind people can tell apart."""


def new_figure(width: float = 8.0, height: float = 4.0) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def learning_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    x_label: str,
    y_label: str,
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """Lines over the course of training, and horizontal lines to compare with.

    Args:
        curves: By label, the x and y values.
        x_label: What x is.
        y_label: What y is, with its unit.
        levels: By label, heights to mark.
    """
    figure, axes = new_figure()
    for colour, (label, (x, y)) in zip(_cycle(), curves.items(), strict=False):
        axes.plot(x, y, color=colour, linewidth=1.8, label=label)
    for label, height in (levels or {}).items():
        axes.axhline(height, color="#777777", linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            label, (1, height), xycoords=("axes fraction", "data"), xytext=(5, 0),
            textcoords="offset points", va="center", fontsize=8, color="#555555",
        )  # fmt: skip
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend(frameon=False)
    return figure


def intervals(
    rows: Mapping[str, tuple[float, float, float]], label: str, levels: Mapping[str, float]
) -> Figure:
    """A dot and an interval for each row.

    Args:
        rows: By name: value, low end, high end.
        label: What the values are, with their unit.
        levels: By label, values to mark.
    """
    figure, axes = new_figure(8.0, 1.2 + 0.38 * len(rows))
    for y, (colour, (value, low, high)) in enumerate(zip(_cycle(), rows.values(), strict=False)):
        axes.plot([low, high], [y, y], color=colour, linewidth=6, alpha=0.35, solid_capstyle="butt")
        axes.plot([value], [y], "o", color=colour)
    for name, value in levels.items():
        axes.axvline(value, color="#777777", linewidth=1, linestyle=(0, (4, 3)), label=name)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(label)
    if levels:
        axes.legend(frameon=False, fontsize=8)
    return figure


def profiles(scores: Mapping[str, Scores]) -> Figure:
    """Performance profiles: the share of runs above each normalised score.

    Args:
        scores: By agent, normalised scores ``(R, T)``.
    """
    figure, axes = new_figure()
    everything = np.concatenate([matrix.ravel() for matrix in scores.values()])
    low, high = min(0.0, float(everything.min())), max(1.0, float(everything.max()))
    levels = np.linspace(low - 0.05, high + 0.05, 201)
    for colour, (name, matrix) in zip(_cycle(), scores.items(), strict=False):
        axes.step(levels, performance_profile(matrix, levels), color=colour, label=name)
    axes.set_xlabel("normalised score (0 random, 1 reference)")
    axes.set_ylabel("share of runs above")
    axes.set_ylim(0, 1.03)
    axes.legend(frameon=False)
    return figure


def _cycle() -> list[str]:
    return list(COLOURS) * 32
