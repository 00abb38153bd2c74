"""StepMania's groove radar: five figures that chart files carry for the song wheel."""

import numpy as np
from numpy.typing import NDArray

from envs.dance.chart import HEAD, TAP, Chart, states
from envs.dance.timing import TICKS

WINDOW_BEATS = 8
"""Beats over which the densest part is counted."""


def groove_radar(chart: Chart) -> tuple[float, float, float, float, float]:
    """Stream, voltage, air, freeze and chaos, each from 0 to 1.

    Stream is arrows a second / 7, voltage the most arrows a beat in eight beats times the mean
    beats a second / 10, air jumps a second, freeze holds a second, chaos changes of note type a
    second / 2. A game that finds them missing or odd computes its own.
    """
    panel = states(chart.rows)
    arrows = ((panel == TAP) | (panel == HEAD)).sum(1)
    stepped = arrows > 0
    if not stepped.any():
        return 0.0, 0.0, 0.0, 0.0, 0.0
    seconds = max(float(chart.times[-1] - min(chart.times[0], 0.0)), 1.0)
    sums = np.concatenate([[0], np.cumsum(arrows)])
    ends = np.searchsorted(chart.ticks, chart.ticks + WINDOW_BEATS * TICKS)
    densest = float((sums[ends] - sums[:-1]).max()) / WINDOW_BEATS
    kind = note_type(chart.ticks[stepped])
    values = (
        arrows.sum() / seconds / 7,
        densest * chart.beats[-1] / seconds / 10,
        (arrows >= 2).sum() / seconds,
        (panel == HEAD).sum() / seconds,
        (kind[1:] != kind[:-1]).sum() / seconds / 2,
    )
    stream, voltage, air, freeze, chaos = (min(float(value), 1.0) for value in values)
    return stream, voltage, air, freeze, chaos


def note_type(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """The part of a measure that each note falls on: 4, 8, 12, 16, 24, 32, 48, 64 or 192.

    Args:
        ticks: Positions, any shape.
    """
    kinds = np.full(ticks.shape, 192, np.int64)
    for kind in (64, 48, 32, 24, 16, 12, 8, 4):
        kinds[ticks % (4 * TICKS // kind) == 0] = kind
    return kinds
