"""Our aggregates against rliable's, and against cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import statistics
from hardware_sim.errors import InputError


def scores(runs, tasks, seed):
    return np.random.default_rng(seed).normal(0.7, 0.4, (runs, tasks))


@pytest.mark.peers
@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_aggregates_equal_rliables(runs, tasks, seed):
    from rliable import metrics

    x = scores(runs, tasks, seed)
    assert statistics.iqm(x) == pytest.approx(metrics.aggregate_iqm(x))
    assert statistics.mean(x) == pytest.approx(metrics.aggregate_mean(x))
    assert statistics.median(x) == pytest.approx(metrics.aggregate_median(x))
    assert statistics.optimality_gap(x) == pytest.approx(metrics.aggregate_optimality_gap(x))


@pytest.mark.peers
def test_probability_of_improvement_equals_rliables():
    from rliable import metrics

    x, y = scores(5, 3, 0), scores(7, 3, 1)
    x[0] = y[0]
    expected = metrics.probability_of_improvement(x, y)
    assert statistics.probability_of_improvement(x, y) == pytest.approx(expected)


@pytest.mark.peers
def test_performance_profiles_equal_rliables():
    from rliable.library import create_performance_profile

    x = scores(6, 4, 2)
    levels = np.linspace(0, 1.5, 9)
    profiles, _ = create_performance_profile({"x": x}, levels, reps=10)
    assert statistics.performance_profile(x, levels) == pytest.approx(profiles["x"])


@pytest.mark.peers
def test_bootstrap_intervals_agree_with_rliables():
    from rliable import metrics
    from rliable.library import get_interval_estimates

    x = scores(10, 4, 3)
    _, theirs = get_interval_estimates(
        {"x": x}, lambda s: np.array([metrics.aggregate_iqm(s)]), reps=4_000,
        random_state=np.random.RandomState(0),
    )  # fmt: skip
    ours = statistics.stratified_bootstrap(x, repetitions=4_000)
    width = ours[1] - ours[0]
    assert np.abs(np.array(ours) - theirs["x"].ravel()).max() < 0.05 * width


@pytest.mark.peers
def test_bands_of_profiles_agree_with_rliables():
    from rliable.library import create_performance_profile

    x = scores(8, 4, 5)
    levels = np.linspace(0, 1.5, 9)
    np.random.seed(0)  # noqa: NPY002  rliable draws from numpy's global generator
    _, theirs = create_performance_profile({"x": x}, levels, reps=2_000)
    low, high = statistics.profile_band(x, levels)
    assert np.abs(np.array([low, high]) - theirs["x"]).max() <= 1 / 16
    profile = statistics.performance_profile(x, levels)
    assert (low <= profile).all()
    assert (profile <= high).all()


def test_curves_are_judged_point_by_point():
    x = scores(9, 5, 6)
    middle, low, high = statistics.iqm_curve(x)
    for point in range(5):
        assert middle[point] == pytest.approx(statistics.iqm(x[:, point]))
        expected = statistics.stratified_bootstrap(x[:, point])
        assert (low[point], high[point]) == pytest.approx(expected, abs=0.05)
    alone = statistics.iqm_curve(x[:1])
    assert all((line == x[0]).all() for line in alone)


def test_the_interquartile_mean_leaves_out_a_quarter_at_either_end():
    assert statistics.iqm([0.0, 1.0, 2.0, 100.0]) == 1.5
    assert statistics.iqm([5.0]) == 5.0


def test_aggregates_of_a_few_scores():
    x = np.array([[0.0, 1.0], [0.5, 2.0]])  # two runs of two tasks
    assert statistics.mean(x) == pytest.approx(0.875)
    assert statistics.median(x) == pytest.approx(0.875)  # of the tasks' means, 0.25 and 1.5
    assert statistics.optimality_gap(x) == pytest.approx((1 + 0 + 0.5 + 0) / 4)
    assert statistics.performance_profile(x, [0.0, 0.6, 1.5]) == pytest.approx([0.75, 0.5, 0.25])


def test_the_better_of_two_is_counted_pair_by_pair_and_a_tie_is_half():
    ours, theirs = np.array([[1.0], [2.0]]), np.array([[0.0], [1.0], [3.0]])
    assert statistics.probability_of_improvement(ours, theirs) == pytest.approx((1.5 + 2) / 6)
    assert statistics.probability_of_improvement(ours, ours) == 0.5


def test_bands_hold_the_profile_and_narrow_with_runs():
    levels = np.linspace(0, 1.5, 9)
    widths = []
    for runs in (8, 80):
        x = scores(runs, 4, 5)
        low, high = statistics.profile_band(x, levels)
        profile = statistics.performance_profile(x, levels)
        assert (low <= profile).all()
        assert (profile <= high).all()
        widths.append((high - low).mean())
    assert widths[1] < widths[0] / 2


def test_intervals_repeat_cover_the_aggregate_and_shrink_with_runs():
    few, many = scores(5, 4, 4), scores(80, 4, 4)
    low, high = statistics.stratified_bootstrap(few)
    assert statistics.stratified_bootstrap(few) == (low, high)
    assert low <= statistics.iqm(few) <= high
    narrow = statistics.stratified_bootstrap(many)
    assert narrow[1] - narrow[0] < high - low


def test_an_interval_does_not_depend_on_the_order_of_the_tasks():
    x = scores(6, 5, 7)
    assert statistics.iqm_interval(x) == statistics.iqm_interval(x[:, ::-1])
    assert statistics.stratified_bootstrap(x, statistics.mean) == pytest.approx(
        statistics.stratified_bootstrap(x[:, [2, 0, 4, 1, 3]], statistics.mean), abs=1e-15
    )


def test_runs_that_are_all_alike_have_no_interval():
    middle, low, high = statistics.iqm_interval([0.1924] * 5)
    assert middle == pytest.approx(0.1924)
    assert statistics.between(low, high, ".3f") == ""
    assert statistics.between(-0.0001, 0.5, ".3f") == "0.000 to 0.500"


@pytest.mark.parametrize("bad", [[], [[[1.0]]], [np.nan]])
def test_bad_scores_are_refused(bad):
    with pytest.raises(InputError):
        statistics.iqm(bad)


def test_tasks_must_match():
    with pytest.raises(InputError, match="2 and 3 tasks"):
        statistics.probability_of_improvement(scores(2, 2, 0), scores(2, 3, 0))
