"""Beats and seconds: against a clock that walks tick by tick, and against simfile's own."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.dance import simfiles
from envs.dance.chart import Song
from envs.dance.timing import TICKS, Timing
from hardware_sim.errors import InputError

BEATS = st.integers(0, 12 * TICKS).map(lambda tick: tick / TICKS)
BPMS = st.floats(30, 400)


def events(values, most=4):
    return st.lists(st.tuples(BEATS, values), max_size=most, unique_by=lambda event: event[0])


TIMINGS = st.builds(
    lambda offset, first, bpms, stops, delays, warps: Timing(
        offset, ((0.0, first), *bpms), tuple(stops), tuple(delays), tuple(warps)
    ),
    st.floats(-3, 3),
    BPMS,
    events(BPMS),
    events(st.floats(0.001, 3)),
    events(st.floats(0.001, 3)),
    events(st.integers(1, 4 * TICKS).map(lambda ticks: ticks / TICKS)),
)


def walked(timing, last):
    """Time of a note on each tick, and whether it counts, by a clock that takes every tick."""
    clock, bpm, notes, counts = -timing.offset_s, timing.bpms[0][1], [], []
    at = {kind: dict(getattr(timing, kind)) for kind in ("bpms", "stops", "delays", "warps")}
    warped_until = 0.0
    for tick in range(last):
        beat = tick / TICKS
        bpm = at["bpms"].get(beat, bpm)
        if beat in at["warps"]:
            warped_until = max(warped_until, beat + at["warps"][beat])
        clock += at["delays"].get(beat, 0.0)
        notes.append(clock)
        counts.append(beat >= warped_until or beat in at["stops"] or beat in at["delays"])
        clock += at["stops"].get(beat, 0.0)
        if round((warped_until - beat) * TICKS) <= 0:
            clock += 60 / bpm / TICKS
    return np.array(notes), np.array(counts)


@settings(deadline=None)
@given(TIMINGS)
def test_time_equals_that_of_a_clock_that_takes_every_tick(timing):
    ticks = np.arange(16 * TICKS)
    times, counts = walked(timing, len(ticks))
    np.testing.assert_allclose(timing.time_at(ticks / TICKS), times, atol=1e-9)
    np.testing.assert_array_equal(timing.hittable(ticks / TICKS), counts)


@settings(deadline=None)
@given(TIMINGS, st.lists(st.floats(-4, 20), min_size=1))
def test_beats_lead_back_to_their_time_and_never_run_back(timing, times):
    times = np.sort(times)
    beats = timing.beat_at(times)
    assert (np.diff(beats) >= -1e-9).all()
    moving = timing.time_at(beats)
    pauses = np.array([-9.0, *(beat for beat, _ in (*timing.stops, *timing.delays))])
    paused = np.abs(beats[:, None] - pauses).min(1) < 1e-6
    np.testing.assert_allclose(moving[~paused], times[~paused], atol=1e-6)


@settings(deadline=None)
@given(
    BPMS,
    events(st.floats(-1, 1).filter(lambda seconds: abs(seconds) > 0.01)),
    events(st.floats(-400, 400).filter(lambda bpm: abs(bpm) > 60)),
)
def test_a_clock_that_runs_back_waits_until_it_has_caught_up(first, stops, bpms):
    bpms = ((0.0, first), *(event for event in bpms if event[0] > 0), (13.0, 120.0))
    timing = Timing.of_gimmicks(0.0, tuple(sorted(bpms)), tuple(sorted(stops)))
    beats = np.arange(60 * TICKS) / TICKS
    tempo, pause = dict(bpms), dict(stops)
    clock, bpm, naive = 0.0, first, []
    for beat in beats:
        bpm = tempo.get(beat, bpm)
        naive.append(clock)
        clock += pause.get(beat, 0.0) + 60 / bpm / TICKS
    latest = np.maximum.accumulate(naive)
    tick = 60 / min(abs(bpm) for _, bpm in bpms) / TICKS  # warps end on the grid
    np.testing.assert_allclose(timing.time_at(beats), latest, atol=tick * (2 + len(bpms)))


def test_negative_stops_warp_over_the_beats_they_take_back():
    timing = Timing.of_gimmicks(0, ((0, 120),), ((1, -0.5), (4, -1.5)))
    assert timing.warps == ((1, 1), (4, 3))
    assert not timing.stops


def simfiles_seconds(text, ticks):
    """Seconds of ticks as simfile reckons them, or none where it lets time run back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import simfile
        from simfile.timing import Beat, TimingData
        from simfile.timing.engine import TimingEngine

    parsed = simfile.loads(text, strict=False)
    if not parsed.bpms or "=-" in f"{parsed.bpms},{parsed.stops}":
        return None
    engine = TimingEngine(TimingData(parsed))
    return [float(engine.time_at(Beat(int(tick), TICKS))) for tick in ticks]


@settings(deadline=None, max_examples=50)
@given(TIMINGS)
def test_files_are_timed_as_simfile_times_them(tmp_path_factory, timing):
    ticks = np.arange(0, 16 * TICKS, 7)
    path = tmp_path_factory.getbasetemp() / "timed.ssc"
    simfiles.write_ssc(Song("", "", "", timing, ()), path)
    theirs = simfiles_seconds(path.read_text(), ticks)
    ours = simfiles.read(path).timing
    np.testing.assert_allclose(ours.time_at(ticks / TICKS), theirs, atol=1e-6)


@pytest.mark.data
def test_real_files_are_timed_as_simfile_times_them(chart_files):
    ticks = np.arange(0, 120 * TICKS, 487)
    compared = 0
    for name, content in chart_files.items():
        if name.endswith(".dwi"):
            continue
        theirs = simfiles_seconds(simfiles.decoded(content), ticks)
        if theirs is None:
            continue
        ours = simfiles.loads(content, name, repair=True).timing
        np.testing.assert_allclose(ours.time_at(ticks / TICKS), theirs, atol=1e-9, err_msg=name)
        compared += 1
    assert compared > 60


@pytest.mark.parametrize(
    "arguments",
    [
        (0.0, ()),
        (0.0, ((0.0, 0.0),)),
        (0.0, ((0.0, -120.0),)),
        (float("nan"), ((0.0, 120.0),)),
        (0.0, ((0.0, 120.0),), ((1.0, float("inf")),)),
    ],
)
def test_bad_timing_is_refused(arguments):
    with pytest.raises(InputError):
        Timing(*arguments)
    if len(arguments[1]):
        with pytest.raises(InputError):
            Timing.of_gimmicks(*(*arguments, ())[:3])
