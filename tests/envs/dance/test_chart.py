"""Row codes, holds, mirrors: against plain loops."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.dance import chart as charts
from envs.dance.chart import HEAD, MIRRORS, OFF, TAIL, TAP, Chart
from envs.dance.timing import Timing
from hardware_sim.errors import InputError
from tests.envs.dance import invented

CHARTS = invented.charts(Timing.constant(120))


def test_a_row_code_counts_the_states_of_its_panels_in_base_four():
    for left, down, up, right in product(range(4), repeat=4):
        code = left + 4 * down + 16 * up + 64 * right
        assert charts.states(code).tolist() == [left, down, up, right]
        assert charts.rows_of([left, down, up, right]) == code
        bag = charts.bag_of_arrows(code)
        assert bag.sum() == 4
        assert bag.reshape(4, 4).argmax(1).tolist() == [left, down, up, right]


def test_a_held_panel_may_do_nothing_or_end_and_a_free_one_anything_but_end():
    for held in product((False, True), repeat=4):
        legal = charts.legal_rows(held)
        for code in range(charts.ROWS):
            states = charts.states(code)
            expected = all(
                state in ((OFF, TAIL) if h else (OFF, TAP, HEAD))
                for state, h in zip(states, held, strict=True)
            )
            assert legal[code] == expected
        assert legal[0]


@settings(deadline=None)
@given(CHARTS)
def test_panels_held_before_a_row_are_those_of_a_loop_over_rows(chart):
    held = [False] * 4
    for row, before in zip(chart.rows, charts.held_before(chart.rows), strict=True):
        assert before.tolist() == held
        for panel, state in enumerate(charts.states(row)):
            held[panel] = state == HEAD or (held[panel] and state != TAIL)
    charts.check_holds(chart)


@settings(deadline=None)
@given(CHARTS, st.sampled_from(list(MIRRORS)))
def test_a_mirror_of_a_mirror_is_the_chart_and_keeps_its_holds(chart, kind):
    mirror = charts.mirrored(chart, kind)
    charts.check_holds(mirror)
    assert charts.mirrored(mirror, kind) == chart
    assert len(mirror.mines) == len(chart.mines)


def test_mirrors_exchange_the_panels_they_are_named_after():
    chart = Chart(np.array([0]), charts.rows_of([[1, 0, 0, 0]]), np.zeros(1), "Easy", 1)
    panels = {
        kind: int(charts.states(charts.mirrored(chart, kind).rows)[0].argmax()) for kind in MIRRORS
    }
    assert panels == {"identity": 0, "left-right": 3, "up-down": 0, "both": 3}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0, 3, 0, 0]], "tail without a hold"),
        ([[2, 0, 0, 0], [1, 0, 0, 0]], "arrow on a held panel"),
        ([[2, 0, 0, 0], [0, 1, 0, 0]], "hold on left never ends"),
    ],
)
def test_open_and_broken_holds_are_refused(rows, message):
    ticks = 48 * np.arange(len(rows))
    chart = Chart(ticks, charts.rows_of(rows), ticks / 96, "Hard", 1)
    with pytest.raises(InputError, match=message):
        charts.check_holds(chart)


def test_a_roll_needs_a_head():
    chart = Chart(np.array([48]), charts.rows_of([[1, 0, 0, 0]]), np.array([0.5]), "Hard", 1)
    with pytest.raises(InputError, match="roll"):
        charts.check_holds(replace(chart, rolls=np.array([[48, 0]])))


@pytest.mark.parametrize("tick", [0, 24, 48])
def test_a_mine_on_an_arrow_or_a_hold_is_refused(tick):
    rows = charts.rows_of([[2, 0, 0, 0], [3, 0, 0, 0]])
    chart = Chart(np.array([0, 48]), rows, np.array([0.0, 0.5]), "Hard", 1)
    charts.check_holds(replace(chart, mines=np.array([[tick, 1], [72, 0]])))
    with pytest.raises(InputError, match="the mine on left"):
        charts.check_holds(replace(chart, mines=np.array([[tick, 0]])))


def test_arrays_that_do_not_fit_together_are_refused():
    row = charts.rows_of([[1, 0, 0, 0], [1, 0, 0, 0]])
    good = Chart(np.array([0, 48]), row, np.zeros(2), "Easy", 1)
    for change in (
        {"ticks": np.array([48, 0])},
        {"ticks": np.array([-1, 0])},
        {"times": np.zeros(3)},
        {"rows": np.array([1, 0], np.uint8)},
        {"difficulty": "Expert"},
    ):
        with pytest.raises(InputError):
            replace(good, **change)
