"""Playability: human charts of a level beside the same steps in disorder."""

from dataclasses import replace

import numpy as np
import pytest

from envs.dance import chart as charts
from envs.dance.chart import Chart
from envs.dance.corpus import corpus, split
from envs.dance.feet import rates
from envs.dance.playability import estimate_meter, findings, meter_model, score
from tests.envs.dance import invented


@pytest.fixture(scope="module")
def human(dance_data):
    """Charts of songs that no figure was taken from."""
    songs = [song for song in corpus("itg", dance_data) if split(song) == "test"]
    return [chart for song in songs[:8] for chart in song.charts]


def taps(rng, chart):
    """A chart's rows as taps on random panels, as many arrows as before."""
    arrows = (charts.states(chart.rows) % 3 > 0).sum(1)
    keep = arrows > 0
    ranks = rng.random((int(keep.sum()), 4)).argsort(1)
    rows = charts.rows_of((ranks < arrows[keep, None]).astype(int))
    return Chart(chart.ticks[keep], rows, chart.times[keep], chart.difficulty, chart.meter)


def scores(several):
    return [score(chart, rates(chart)) for chart in several]


def test_feet_that_take_turns_are_playable_and_rows_at_random_are_less_so():
    rng = np.random.default_rng(0)
    streams = invented.song("Turns").charts
    disorder = scores([taps(rng, chart) for chart in streams])
    assert min(scores(streams)) > 97
    assert all(np.array(disorder) < scores(streams))


@pytest.mark.data
def test_human_charts_are_playable_and_random_ones_of_their_density_are_less_so(human):
    rng = np.random.default_rng(0)
    found = scores(human)
    others = scores([taps(rng, chart) for chart in human])
    assert np.mean(found) > 97
    better = np.mean(np.array(found)[:, None] > np.array(others))
    assert better > 0.9


def test_faster_charts_have_higher_meters():
    charts = {chart.difficulty: chart for chart in invented.song("Turns").charts}
    easy, hard = (estimate_meter(rates(charts[level])) for level in ("Beginner", "Challenge"))
    assert 1 < easy < 3
    assert 8 < hard < 11
    halved = replace(charts["Challenge"], times=2 * charts["Challenge"].times)
    assert estimate_meter(rates(halved)) < hard - 1


def test_the_shipped_meters_are_nearer_than_a_constant():
    for error, constant, count in meter_model()["mean_absolute_error"].values():
        assert error < constant / 4
        assert count > 50


@pytest.mark.data
def test_meters_of_held_out_songs_are_estimated_within_half_a_level(human):
    errors = [abs(estimate_meter(rates(chart)) - chart.meter) for chart in human]
    assert np.mean(errors) < 0.6


def test_a_hold_on_three_panels_is_named_and_costs_points():
    quarters = np.arange(0, 48 * 300, 48)
    codes = np.resize(np.array([1, 64], np.uint8), len(quarters))
    fine = Chart(quarters, codes, quarters / 96, "Easy", 2)
    codes = codes.copy()
    codes[100:104] = [2, 8, 128, 3 + 12 + 192]  # left, down and right are held, then all let go
    held = replace(fine, rows=codes)
    assert score(fine, rates(fine)) == 100
    assert score(held, rates(held)) < 95
    (found,) = (each for each in findings(held, rates(held)) if each.rate == "hands")
    assert found.beats == (102.0,)


def test_findings_name_what_is_unusual_and_where():
    ticks = np.arange(0, 48 * 64, 24)
    rows = charts.rows_of(np.eye(4, dtype=int)[np.resize([0, 1, 3, 1, 0, 1, 2, 3], len(ticks))])
    easy = Chart(ticks, rows, ticks / 96, "Beginner", 1)
    found = {each.rate: each for each in findings(easy, rates(easy))}
    assert "peak_per_s" in found
    assert found["peak_per_s"].value > found["peak_per_s"].high
    crossing = replace(easy, rows=charts.rows_of(np.eye(4, dtype=int)[[0, 1, 3, 1] * 32]))
    found = {each.rate: each for each in findings(crossing, rates(crossing))}
    assert len(found["crossovers"].beats) == 8
    assert found["crossovers"].value == pytest.approx(25, abs=2)
    assert score(crossing, rates(crossing)) < score(easy, rates(easy))
