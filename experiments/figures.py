"""Figures that several reports share, in one style."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import ArrayLike

from experiments.statistics import Scores, performance_profile, profile_band

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999", "#000000")
"""The palette of Okabe and Ito, which colour-blind people can distinguish."""

STROKES = ("-", "--", "-.", ":")
LEVEL = "#777777"
FAINT = "#e4e4e4"
LOWEST_PROFILE = -1.0
"""Least score at which performance profiles begin, so that poor agents leave room for others."""

Line = tuple[Sequence[float], Sequence[float]]


def new_figure(width: float = 10.8, height: float = 4.2) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LEVEL)
    axes.tick_params(color=LEVEL, labelcolor="#333333")
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def learning_curves(
    curves: Mapping[str, Line],
    x_label: str,
    y_label: str,
    levels: Mapping[str, float] | None = None,
    bands: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
) -> Figure:
    """Lines over the course of training, and horizontal lines to compare with.

    Args:
        curves: By label, the x and y values.
        x_label: Name of x.
        y_label: Name of y, with its unit.
        levels: By label, heights to mark.
        bands: By label of a curve, the low and high ends of its interval at each x.
    """
    figure, axes = new_figure()
    for (stroke, colour), (label, (x, y)) in zip(_styles(), curves.items(), strict=False):
        axes.plot(x, y, color=colour, linestyle=stroke, linewidth=1.8, label=label)
        if bands and label in bands:
            axes.fill_between(x, *bands[label], color=colour, alpha=0.2, linewidth=0)
    levels = levels or {}
    for height in levels.values():
        axes.axhline(height, color=LEVEL, linewidth=1, linestyle=(0, (4, 3)))
    low, high = axes.get_ylim()
    places = spread([(height - low) / (high - low) for height in levels.values()], 0.05)
    for label, place in zip(levels, places, strict=True):
        axes.annotate(
            label, (1, place), xycoords="axes fraction", xytext=(5, 0),
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
    """A dot and an interval for each row, from top to bottom.

    Args:
        rows: By name: value, low end, high end.
        label: Name of the values, with their unit.
        levels: By label, values to mark.
    """
    figure, axes = new_figure(10.8, 1.2 + 0.34 * len(rows))
    for y, (value, low, high) in enumerate(rows.values()):
        axes.plot(
            [low, high], [y, y], color=COLOURS[0], linewidth=7, alpha=0.3, solid_capstyle="butt"
        )
        axes.plot([value], [y], "o", color=COLOURS[0])
    for value in levels.values():
        axes.axvline(value, color=LEVEL, linewidth=1, linestyle=(0, (4, 3)))
    left, right = axes.get_xlim()
    places = spread([(value - left) / (right - left) for value in levels.values()], 0.03)
    for name, place in zip(levels, places, strict=True):
        axes.annotate(
            name, (place, 1), xycoords="axes fraction", xytext=(0, 3), rotation=25,
            textcoords="offset points", fontsize=8, color="#555555",
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(label)
    return figure


def profiles(scores: Mapping[str, Scores]) -> Figure:
    """Performance profiles: the share of runs above each normalised score, with its interval.

    Args:
        scores: By agent, normalised scores ``(R, T)``.
    """
    figure, axes = new_figure()
    everything = np.concatenate([matrix.ravel() for matrix in scores.values()])
    low, high = min(0.0, float(everything.min())), max(1.0, float(everything.max()))
    levels = np.linspace(max(low, LOWEST_PROFILE) - 0.05, high + 0.05, 301)
    for (stroke, colour), (name, matrix) in zip(_styles(), scores.items(), strict=False):
        shares = performance_profile(matrix, levels)
        axes.plot(
            levels, shares, drawstyle="steps-post", color=colour, linestyle=stroke, label=name
        )
        axes.fill_between(
            levels, *profile_band(matrix, levels), step="post", color=colour, alpha=0.15,
            linewidth=0,
        )  # fmt: skip
    axes.set_xlabel("normalised score (0 floor, 1 reference)")
    axes.set_ylabel("share of runs above")
    axes.set_xlim(levels[0], levels[-1])
    axes.set_ylim(0, 1.03)
    axes.legend(frameon=False)
    return figure


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Places on a line, moved as little as it takes for labels there to stay readable.

    Args:
        places: Where the labels belong.
        gap: The least distance between two of them.
    """
    order = np.argsort(places, kind="stable")
    groups: list[list[float]] = []  # of labels that touch: the place each would give the first
    for place in np.asarray(places, np.float64)[order]:
        groups.append([float(place)])
        while len(groups) > 1 and _end(groups[-2], gap) + gap > np.mean(groups[-1]):
            last = groups.pop()
            groups[-1] += [wish - gap * len(groups[-1]) for wish in last]
    moved = np.empty(len(order))
    moved[order] = [np.mean(group) + gap * i for group in groups for i in range(len(group))]
    return [float(place) for place in moved]


def _end(group: list[float], gap: float) -> float:
    """Place of the last label of a group."""
    return float(np.mean(group)) + gap * (len(group) - 1)


def _styles() -> Iterator[tuple[str, str]]:
    """Pairs of stroke and colour that distinguish 32 lines."""
    return cycle(product(STROKES, COLOURS))
