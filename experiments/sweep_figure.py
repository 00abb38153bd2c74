"""A sweep as one picture: a line a trial through its hyperparameters to its score."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.sweep_trials import OBJECTIVE

MARGIN = 0.04  # of an axis beyond its extreme values


class _Scale:
    """Positions in [0, 1] of one coordinate's values, and labels for some of them."""

    def __init__(self, values: list[Any], kind: str) -> None:
        self.kind = kind
        if kind == "choice":
            self.choices = sorted(set(values), key=lambda value: (str(type(value)), value))
            numbers = np.array([self.choices.index(value) for value in values], dtype=float)
        else:
            numbers = np.asarray(values, dtype=float)
            numbers = np.log10(numbers) if kind == "loguniform" else numbers
        self.low, self.high = float(numbers.min()), float(numbers.max())
        span = self.high - self.low
        self.positions: NDArray[np.float64] = (
            (numbers - self.low) / span if span > 0 else np.full(len(numbers), 0.5)
        )

    def labels(self) -> list[tuple[float, str]]:
        """(position, text) of the ticks."""
        if self.high == self.low:
            return [(0.5, self._text(self.low))]
        if self.kind == "choice":
            ends = np.linspace(0, 1, len(self.choices))
            return [(float(at), str(value)) for at, value in zip(ends, self.choices, strict=True)]
        return [
            (float(at), self._text(self.low + at * (self.high - self.low)))
            for at in np.linspace(0, 1, 5)
        ]

    def _text(self, number: float) -> str:
        if self.kind == "choice":
            return str(self.choices[int(number)])
        return f"{10**number if self.kind == 'loguniform' else number:.4g}"


def parallel_coordinates(results: dict[str, Any]) -> Figure:
    """The picture of a sweep's result.

    Args:
        results: The sweep's ``result.json``; trials that reached nothing are left out.

    Returns:
        A figure with one axis a hyperparameter and the objective on the last; better trials are
        lighter, and the best is drawn thick.
    """
    trials = [trial for trial in results["trials"] if trial[OBJECTIVE] is not None]
    names = [*results["search_space"], OBJECTIVE]
    figure = Figure(figsize=(1.8 * len(names) + 1.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlim(-0.15, len(names) - 1 + 0.45)
    axes.set_ylim(-MARGIN, 1 + MARGIN)
    axes.set_xticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set_yticks([])
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(False)
    if not trials:
        axes.text(0.5, 0.5, "no trial finished an episode", transform=axes.transAxes, ha="center")
        return figure
    scales = []
    for name in results["search_space"]:
        values = [trial["hyperparameters"][name] for trial in trials]
        scales.append(_Scale(values, results["search_space"][name]["kind"]))
    scales.append(_Scale([trial[OBJECTIVE] for trial in trials], "uniform"))
    _draw_axes(axes, scales)
    order = np.argsort(scales[-1].positions)
    for i in order:
        best = trials[i]["trial"] == results["best"]
        axes.plot(
            range(len(names)),
            [scale.positions[i] for scale in scales],
            color=colormaps["viridis"](0.9 * scales[-1].positions[i]),
            linewidth=3.0 if best else 1.2,
            alpha=1.0 if best else 0.8,
            label=f"trial {trials[i]['trial']}" + (" (best)" if best else ""),
        )
    return figure


def _draw_axes(axes: Axes, scales: list[_Scale]) -> None:
    for x, scale in enumerate(scales):
        axes.axvline(x, color="0.7", linewidth=1.0, zorder=0)
        for at, text in scale.labels():
            axes.annotate(
                text,
                (x, at),
                (5, 0),
                textcoords="offset points",
                va="center",
                size=8,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
            )
