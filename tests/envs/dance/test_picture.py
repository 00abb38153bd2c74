"""Pictures of charts: what is drawn, in which colour, where."""

import numpy as np
import pytest
from hypothesis import given, settings

from envs.dance.chart import Chart, rows_of
from envs.dance.picture import BACKGROUND, COLOURS, HOLD, MARKS, MINE, ROLL, Layout, picture
from envs.dance.timing import Timing
from hardware_sim.errors import InputError
from tests.envs.dance import invented

NONE = np.zeros((0, 2), int)


def drawn(words, ticks, mines=NONE, rolls=NONE):
    """The picture of rows of states such as ``"1000"``."""
    rows = rows_of([[int(state) for state in word] for word in words])
    ticks = np.array(ticks)
    return picture(Chart(ticks, rows, ticks / 96, "Hard", 5, "me", mines, rolls), "Song")


def has(image, colour):
    return bool((image == np.array(colour, np.uint8)).all(-1).any())


def chart_part(image):
    layout = Layout()
    return image[layout.margin + layout.header :]


def test_arrows_have_the_colour_of_their_note_type():
    for tick, kind in ((0, 4), (24, 8), (16, 12), (12, 16), (8, 24), (6, 32), (4, 48), (3, 64)):
        image = chart_part(drawn(["1000"], [tick]))
        assert has(image, COLOURS[kind])
        others = [colour for each, colour in COLOURS.items() if each != kind]
        assert not any(has(image, colour) for colour in others)


def test_holds_rolls_and_mines_are_drawn_where_they_are():
    held = chart_part(drawn(["2000", "3000"], [0, 96]))
    assert has(held, HOLD)
    assert not has(held, ROLL)
    assert has(chart_part(drawn(["2000", "3000"], [0, 96], rolls=np.array([[0, 0]]))), ROLL)
    mined = chart_part(drawn(["1000"], [0], mines=np.array([[48, 2]])))
    assert has(mined, MINE)
    lane = Layout().margin + Layout().number + 2 * Layout().lane
    assert has(mined[:, lane : lane + Layout().lane], MINE)
    assert not has(chart_part(drawn(["1000"], [0])), MINE)


def test_a_crossover_is_marked_beside_its_row():
    stream = ["1000", "0100", "0001", "0100", "1000"]
    crossing = drawn(stream, [0, 48, 96, 144, 192])
    (colour,) = {value[2] for value in MARKS.values() if value[0] == "crossover"}
    assert has(chart_part(crossing), colour)
    plain = drawn(["1000", "0100", "0010", "0001"], [0, 48, 96, 144])
    assert not has(chart_part(plain), colour)


def test_a_window_of_measures_has_the_size_of_its_columns():
    ticks = np.arange(0, 192 * 40, 48)
    chart = Chart(ticks, rows_of([[1, 0, 0, 0]] * len(ticks)), ticks / 96, "Easy", 1)
    layout = Layout(measures=4)
    window = picture(chart, first=8, last=31, layout=layout)
    assert window.shape[1] == 2 * layout.margin + 6 * layout.column
    assert window.shape[0] == 2 * layout.margin + layout.header + layout.height
    assert window.dtype == np.uint8
    assert picture(chart).shape[1] == 2 * layout.margin + 5 * layout.column


def test_a_chart_of_hours_is_refused_and_a_part_of_it_drawn():
    ticks = np.array([0, 192 * 5000])
    chart = Chart(ticks, rows_of([[1, 0, 0, 0]] * 2), ticks / 96, "Easy", 1)
    with pytest.raises(InputError, match="5001 measures need 626 columns"):
        picture(chart)
    assert picture(chart, first=4990, last=5000).ndim == 3


@settings(deadline=None, max_examples=25)
@given(invented.charts(Timing.constant(120)))
def test_any_chart_can_be_drawn(chart):
    image = picture(chart)
    assert image.ndim == 3
    assert tuple(image[0, 0]) == BACKGROUND
