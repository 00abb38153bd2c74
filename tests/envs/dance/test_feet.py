"""Feet on charts: against all ways to dance, mirrors, and an author's own annotations."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from envs.dance import chart as charts
from envs.dance import foot_path, footwork, simfiles
from envs.dance.chart import DIFFICULTIES, Chart, mirrored, rows_of
from envs.dance.corpus import corpus
from envs.dance.feet import PRICES, QUANTILES, Technique, feet, feet_of, quantiles, rates
from envs.dance.timing import Timing
from tests.envs.dance import invented
from tests.envs.dance.technique_feet import FEET, HELD_OUT

CHARTS = invented.charts(Timing.constant(150))
ROW = {"L": 0, "D": 1, "U": 2, "R": 3}


def danced(words, seconds=0.2):
    """The path through rows like ``"L DR U"``."""
    rows = np.zeros((len(words.split()), 4), int)
    for i, word in enumerate(words.split()):
        rows[i, [ROW[letter] for letter in word]] = 1
    return feet(rows_of(rows), seconds * np.arange(len(rows)))


def assigned(path):
    """The feet of a path as :data:`FEET` writes them."""
    words = [
        "".join("l" * bool(left & bit) + "r" * bool(right & bit) for bit in (1, 2, 4, 8))
        for left, right in zip(path.left.tolist(), path.right.tolist(), strict=True)
    ]
    return " ".join(filter(None, words))


@settings(max_examples=40, deadline=None)
@given(invented.notes(most=5), st.floats(60, 300))
def test_the_cheapest_way_is_the_cheapest_of_all_ways(found, bpm):
    chart = chart_of(found, bpm)
    met = foot_path.Rows.of_chart(chart)
    ways = [
        [taken for taken in range(16) if taken & ~pressed == 0] for pressed in met.pressed.tolist()
    ]
    assume(0 < np.prod([len(way) for way in ways]) <= 600)
    costs = []
    for way in product(*ways):
        state, total = footwork.START, 0.0
        for i, taken in enumerate(way):
            row = [int(part[i]) for part in met[:-1]]
            state, cost, _, _ = footwork.step(state, taken, *row, float(met.dt[i]), PRICES)
            total += cost
            if state < 0:
                break
        else:
            costs.append(total)
    assert feet_of(chart).costs.sum() == pytest.approx(min(costs))


def chart_of(found, bpm=150):
    """A chart of invented notes."""
    text = f"#BPMS:0={bpm};#NOTES:dance-single:me:Hard:1:0:0000;"
    song = simfiles.loads(text.encode(), "t.sm")
    ticks, rows, mines, rolls = simfiles.notes.placed(found)
    return replace(
        song.charts[0],
        ticks=ticks,
        rows=rows,
        times=song.timing.time_at(ticks / 48),
        mines=mines,
        rolls=rolls,
    )


@settings(deadline=None)
@given(CHARTS)
def test_mirrors_cost_the_same_and_exchange_the_feet(chart):
    path = feet_of(chart)
    for kind in ("left-right", "up-down", "both"):
        assert feet_of(mirrored(chart, kind)).costs.sum() == pytest.approx(path.costs.sum())


@settings(deadline=None)
@given(CHARTS)
def test_every_arrow_has_a_foot_and_feet_stay_on_their_holds(chart):
    path = feet_of(chart)
    met = foot_path.Rows.of_chart(chart)
    np.testing.assert_array_equal(path.left | path.right, met.pressed)
    assert not (path.left & path.right).any()
    assert not (path.stance[:, 0] & path.stance[:, 1]).any()
    assert np.isin(path.stance, footwork.STANCES).all()
    holder = path.stance.astype(int)
    for i in range(1, len(holder)):
        for foot in range(2):
            pinned = holder[i - 1, foot] & met.held[i]
            assert holder[i, foot] & pinned == pinned
    heads = (charts.states(chart.rows) == charts.HEAD) @ np.array([1, 2, 4, 8])
    assert ((holder[:, 0] | holder[:, 1]) & heads == heads).all()


@pytest.mark.parametrize(
    ("words", "technique", "count"),
    [
        ("L D U R L D U R", Technique.CROSSOVER, 0),
        ("L D R D L", Technique.CROSSOVER, 1),
        ("L R L R", Technique.JACK, 0),
        ("L L L R R R", Technique.JACK, 4),
        ("L R U U L R D D L R", Technique.FOOTSWITCH, 2),
        ("R D L R U L R", Technique.INVERSION, 1),
        ("LR DU LR", Technique.JUMP, 3),
        ("L R LDUR", Technique.BRACKET, 1),
        ("L R L R U L R", Technique.DOUBLE_STEP, 0),
    ],
)
def test_techniques_are_found(words, technique, count):
    assert danced(words).count(technique) == count


def test_a_stream_alternates():
    assert assigned(danced("L D U R L U D R L D U R")) == "l r l r l r l r l r l r"


@pytest.mark.data
def test_feet_agree_with_the_author_of_the_fixtures(dance_data):
    fixtures = {song.name.split("/")[-2]: song.charts[0] for song in corpus("fixtures", dance_data)}
    same, wrong = 0, []
    for name, expected in FEET.items():
        found = assigned(feet_of(fixtures[name]))
        assert len(found) == len(expected)
        same += sum(a == b for a, b in zip(found, expected, strict=True) if a != " ")
        if found != expected:
            wrong.append(name)
    assert wrong == ["TestFootSwapToAvoidCrossoverAndNewArrowNewArrowJump"]
    assert same == sum(len(each.replace(" ", "")) for each in FEET.values()) - 1


@pytest.mark.data
def test_a_fixture_that_prices_were_chosen_without_is_stepped_as_annotated(dance_data):
    fixtures = {song.name.split("/")[-2]: song.charts[0] for song in corpus("fixtures", dance_data)}
    for name, expected in HELD_OUT.items():
        assert assigned(feet_of(fixtures[name])) == expected


def test_rates_of_a_chart_are_per_hundred_steps():
    ticks = np.arange(0, 48 * 100, 48)
    rows = rows_of(np.eye(4, dtype=int)[[0, 1, 2, 3] * 25])
    found = rates(Chart(ticks, rows, ticks / 96, "Easy", 1))
    assert found["steps_per_s"] == pytest.approx(2.0)
    assert found["peak_per_s"] == pytest.approx(2.0, abs=0.3)
    assert found["imbalance"] == 0
    assert found["jumps"] == found["double_steps"] == found["offbeats"] == 0
    jumps = rates(Chart(ticks, rows_of([[1, 0, 0, 1]] * 100), ticks / 96, "Easy", 1))
    assert jumps["jumps"] == 100


def test_human_quantiles_ascend_and_cover_every_rate():
    found = quantiles()
    assert set(found) == set(DIFFICULTIES)
    ticks = np.arange(0, 480, 48)
    rows = rows_of([[1, 0, 0, 0]] * 10)
    names = set(rates(Chart(ticks, rows, ticks / 96, "Easy", 1)))
    for level in found.values():
        assert set(level) == names
        for values in level.values():
            assert len(values) == len(QUANTILES)
            assert values == sorted(values)
    assert found["Challenge"]["steps_per_s"][4] > 2 * found["Beginner"]["steps_per_s"][4]


@pytest.mark.parametrize(
    "name", ["TestCrossoverLFront", "TestFootSwap", "TestInversion", "TestBracketHoldRoll"]
)
def test_shipped_samples_are_stepped_as_annotated(name):
    song = simfiles.read(Path(__file__).with_name("samples") / f"{name}.sm")
    assert assigned(feet_of(song.charts[0])) == FEET[name]
