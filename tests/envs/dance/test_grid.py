import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.dance.grid import IN_BEAT, NOTE_KINDS, SLOTS, grid, note_kinds
from envs.dance.timing import TICKS, Timing
from hardware_sim.errors import InputError


def test_slots_are_all_notes_down_to_48ths_and_nothing_else():
    bar = (np.arange(4)[:, None] * TICKS + IN_BEAT).ravel()
    wanted = {tick for kind in NOTE_KINDS for tick in range(0, 4 * TICKS, 4 * TICKS // kind)}
    assert set(bar.tolist()) == wanted
    assert len(IN_BEAT) == SLOTS


@given(bpm=st.floats(40, 400), offset_s=st.floats(-2, 2), lag_s=st.floats(-0.1, 0.1))
def test_slots_sound_when_their_beats_do(bpm, offset_s, lag_s):
    timing = Timing.constant(bpm, offset_s)
    slots = grid(timing, 30, lag_s)
    np.testing.assert_allclose(slots.times, timing.time_at(slots.ticks / TICKS) - lag_s)
    np.testing.assert_allclose(slots.beat_s, 60 / bpm, rtol=1e-6)
    assert len(slots.ticks) % SLOTS == 0
    assert slots.times[-SLOTS] <= 30 < slots.times[-SLOTS] + 2 * 60 / bpm


@given(st.lists(st.integers(0, 9 * TICKS), min_size=1))
def test_the_nearest_slot_is_nearest(ticks):
    slots = grid(Timing.constant(120), 6)
    found = slots.nearest(np.array(ticks))
    distance = np.abs(slots.ticks[:, None] - np.array(ticks))
    np.testing.assert_array_equal(distance[found, np.arange(len(ticks))], distance.min(axis=0))


def test_kinds_of_notes():
    ticks = np.array([0, 48, 24, 16, 12, 8, 6, 4, 1, 36])
    assert note_kinds(ticks).tolist() == [4, 4, 8, 12, 16, 24, 32, 48, 192, 16]


def test_audio_without_two_beats_is_refused():
    with pytest.raises(InputError, match="only 1 beats fall into"):
        grid(Timing.constant(30), 3)
