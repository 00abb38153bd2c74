import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.dance import tempo
from envs.dance.audio import RATE
from hardware_sim.errors import InputError
from tests.envs.dance.sounds import drums


def error_ms(found_s, true_s, period_s):
    return abs((found_s - true_s + period_s / 2) % period_s - period_s / 2) * 1000


@pytest.mark.parametrize("kind", ["click", "noise", "kick"])
@pytest.mark.parametrize(("bpm", "offset_s"), [(133.37, 0.2137), (174.0, 0.1), (97.5, 1.33)])
def test_tempo_to_a_hundredth_and_offset_to_a_millisecond(kind, bpm, offset_s):
    found = tempo.estimate(drums(bpm, offset_s, 60, kind))
    nearest = min(found, key=lambda each: abs(each.bpm - bpm))
    assert abs(nearest.bpm - bpm) < 0.01
    assert error_ms(nearest.offset_s, offset_s, 4 * 60 / bpm) < 1
    assert nearest.is_steady
    assert found[0].bpm / bpm == pytest.approx(1, abs=1e-3) or bpm == 97.5


@settings(max_examples=10, deadline=None)
@given(bpm=st.floats(40, 390), offset_s=st.floats(0, 0.15))
def test_a_given_tempo_counts(bpm, offset_s):
    found = tempo.estimate(drums(bpm, offset_s, 20), bpm)
    assert [each.bpm for each in found] == [bpm]
    assert error_ms(found[0].offset_s, offset_s, 60 / bpm) < 1.5


def test_readings_are_ranked_and_within_the_limits():
    found = tempo.estimate(drums(310, 0.1, 20))
    assert found[0].score == 1
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert all(tempo.SLOWEST_BPM <= each.bpm <= tempo.FASTEST_BPM for each in found)
    base = found[0].bpm
    ratios = {round(each.bpm / base, 3) for each in found}
    assert {0.5, 2.0, 0.667, 1.5} <= ratios


def test_a_tempo_that_varies_is_not_steady():
    slow, fast = drums(120, 0.1, 25), drums(131, 0.1, 25)
    assert not tempo.estimate(np.concatenate([slow, fast, slow]))[0].is_steady
    assert tempo.estimate(np.concatenate([slow, slow]))[0].is_steady


@pytest.mark.parametrize("bpm", [0, -120, 12, 401, 1000, float("nan")])
def test_impossible_tempi_are_refused(bpm):
    with pytest.raises(InputError, match="between 30 and 400"):
        tempo.estimate(drums(120, 0.1, 5), bpm)


@pytest.mark.parametrize("bpm", [30, 400])
def test_tempi_at_the_limits_are_allowed(bpm):
    assert tempo.estimate(drums(120, 0.1, 5), bpm)[0].bpm == bpm


@pytest.mark.parametrize("late_s", [-0.04, 0.0, 0.025])
def test_the_lag_of_a_chart_is_found(late_s):
    samples = drums(140, 0.3, 20, "noise")
    beats = 0.3 + np.arange(40) * 60 / 140
    found = tempo.lag(tempo.onsets(samples).full, beats + late_s)
    assert found == pytest.approx(late_s, abs=0.0021)


def test_a_chart_without_steps_has_no_lag():
    with pytest.raises(InputError, match="without steps"):
        tempo.lag(np.zeros(100), np.zeros(0))


def test_onsets_in_parts_are_those_of_the_whole(monkeypatch):
    samples = drums(150, 0.2, 4)
    whole = tempo.onsets(samples)
    monkeypatch.setattr(tempo, "_CHUNK", 97)
    np.testing.assert_allclose(tempo.onsets(samples).full, whole.full, atol=1e-4)
    assert len(whole.full) == 1 + len(samples) // tempo.CURVE_HOP
    assert RATE / tempo.CURVE_HOP == tempo.CURVE_RATE
