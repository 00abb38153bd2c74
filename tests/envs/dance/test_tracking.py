"""Feet followed row by row: they come to the same as feet that see the whole chart."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.dance.feet import feet, feet_of
from envs.dance.footwork import LEFT_FOOT
from envs.dance.timing import Timing
from envs.dance.tracking import FootTracker
from tests.envs.dance import invented

CHARTS = invented.charts(Timing.constant(150))


@settings(deadline=None, max_examples=50)
@given(st.lists(CHARTS, min_size=1, max_size=3))
def test_additions_sum_to_the_optimum_of_each_chart(several):
    several = [replace(chart, mines=np.zeros((0, 2), int)) for chart in several]
    longest = max(len(chart.rows) for chart in several)
    rows = np.zeros((longest, len(several)), int)
    times = np.arange(1000, 1000 + longest)[:, None] + np.zeros(len(several))
    for i, chart in enumerate(several):
        rows[: len(chart.rows), i], times[: len(chart.rows), i] = chart.rows, chart.times
    tracker = FootTracker(len(several))
    added = np.zeros(len(several))
    for row, seconds in zip(rows, times, strict=True):
        added += tracker.step(row, seconds)
    for i, chart in enumerate(several):
        path = feet_of(chart)
        assert added[i] == pytest.approx(path.costs.sum())


def test_reset_starts_only_the_charts_named():
    tracker = FootTracker(2)
    tracker.step([1, 1], [0.0, 0.0])
    assert tracker.stance[:, 2].tolist() == [LEFT_FOOT, LEFT_FOOT]
    tracker.reset([1])
    assert tracker.stance.tolist() == [[1, 8, LEFT_FOOT], [1, 8, 0]]
    tracker.step([2, 2], [0.5, 0.5])
    assert tracker.held.tolist() == [1, 1]
    added = tracker.step([3, 0], [1.0, 1.0])
    assert tracker.held.tolist() == [0, 1]
    assert added[1] == 0
    alone = feet([1, 2, 3], [0.0, 0.5, 1.0])
    assert alone.left.tolist() == [1, 1, 0]
