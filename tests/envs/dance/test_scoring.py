import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.dance import scoring

times = st.lists(st.integers(0, 400), max_size=6, unique=True).map(
    lambda ms: np.sort(np.array(ms, np.float64)) / 1000
)


def most_pairs(found, true):
    """The plain reference: tries every assignment."""
    if len(found) > len(true):
        return most_pairs(true, found)
    padded = [*range(len(true)), *[None] * len(found)]
    return max(
        sum(
            j is not None and abs(found[i] - true[j]) <= scoring.TOLERANCE_S + 1e-9
            for i, j in enumerate(choice)
        )
        for choice in set(itertools.permutations(padded, len(found)))
    )


@settings(max_examples=40, deadline=None)
@given(
    found=st.lists(st.integers(0, 60), max_size=3, unique=True),
    true=st.lists(st.integers(0, 60), max_size=4, unique=True),
)
def test_as_many_pairs_as_the_best_assignment_has(found, true):
    found, true = (np.sort(np.array(each, np.float64)) / 1000 for each in (found, true))
    assert scoring.matches(found, true) == most_pairs(found, true)


@pytest.mark.peers
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 60), share=st.floats(0.1, 1))
def test_f_score_is_that_of_mir_eval(seed, count, share):
    import mir_eval

    random = np.random.default_rng(seed)
    true = np.unique(random.random(count) * 5)
    heard = true[random.random(len(true)) < share]
    found = np.unique(np.concatenate([heard, random.random(10) * 5]) + random.normal(size=1) / 100)
    expected, _, _ = mir_eval.onset.f_measure(true, found, window=scoring.TOLERANCE_S)
    right = scoring.matches(found, true)
    assert scoring.f_score(right, len(found), len(true)) == pytest.approx(expected)


def test_peaks_are_local_maxima_of_the_smoothed_scores():
    scores = np.zeros(50)
    scores[[10, 30, 31]] = [1.0, 0.5, 0.5]
    times_s, heights = scoring.peaks(scores)
    high = times_s[heights > 0.01]
    np.testing.assert_allclose(high, [0.1, 0.3])
    assert heights.max() == pytest.approx(1 / np.hamming(5).sum())


def test_a_constant_has_one_peak_at_most():
    assert len(scoring.peaks(np.ones(20))[0]) <= 1


@given(true=times, found=times, seed=st.integers(0, 99))
def test_hits_are_within_reach_and_no_step_is_taken_twice(true, found, seed):
    heights = np.random.default_rng(seed).random(len(found))
    right = scoring.hits(found, heights, true)
    assert right.sum() <= scoring.matches(found, true)
    for time in found[right]:
        assert np.abs(true - time).min() <= scoring.TOLERANCE_S + 1e-6


def test_average_precision_by_hand():
    heights = np.array([0.9, 0.8, 0.7, 0.6])
    right = np.array([True, False, True, False])
    assert scoring.average_precision(heights, right, 4) == pytest.approx((1 + 2 / 3) / 4)
    assert scoring.average_precision(heights, np.ones(4, bool), 4) == 1
    assert scoring.average_precision(heights, np.zeros(4, bool), 4) == 0


def test_the_best_threshold_has_the_greatest_f_score():
    random = np.random.default_rng(1)
    heights, right = random.random(40), random.random(40) < 0.4
    chosen = scoring.best_threshold(heights, right, 25)

    def score(limit):
        taken = heights >= limit
        return scoring.f_score(right[taken].sum(), taken.sum(), 25)

    assert score(chosen) == max(score(limit) for limit in heights)


def test_nothing_right_scores_nothing():
    assert scoring.f_score(0, 0, 0) == scoring.f_score(0, 5, 5) == 0
    assert scoring.f_score(3, 4, 5) == pytest.approx(6 / 9)
