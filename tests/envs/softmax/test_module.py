"""Adaptive softmax: frequencies, cost table, the optimum of the cut-offs, and the module."""

import gzip
import lzma

import msgpack
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.softmax.costs import CostTable, proportional, shipped_table
from envs.softmax.frequencies import (
    FrequencyCurve,
    check_counts,
    load_curve,
    read_counts,
    shipped_curves,
)
from envs.softmax.module import AdaptiveSoftmax, powers
from envs.softmax.plan import SoftmaxProblem, exhaustive, optimum
from envs.softmax.timing import measure
from hardware_sim.errors import InputError


def zipf(words, shift=2.7):
    return 1.0 / (np.arange(words) + shift)


def table_of(time, sizes=(1, 4, 16, 64)):
    axes = [np.array(sizes, float)] * 3
    hidden, rows, words = np.meshgrid(*axes, indexing="ij")
    return CostTable(*axes, time(words, rows, hidden))


def affine(words, rows, hidden):
    return 0.05 + 1e-5 * words * rows * hidden + 1e-4 * words * hidden


@pytest.fixture(scope="module")
def english():
    return SoftmaxProblem(load_curve("en"), 50_000, 512, 512, shipped_table())


def test_the_curves_cover_what_the_lists_cover():
    cover = load_curve("en").coverage([0, 1_000, 10_000, 50_000, 321_180], 321_180)
    assert cover == pytest.approx([0, 0.711, 0.924, 0.984, 1], abs=5e-4)
    assert set(shipped_curves()) == {"en", "de", "fi", "bg", "cs", "da", "el", "es"}
    for curve in shipped_curves().values():
        assert (np.diff(curve.cumulative) > 0).all()
        assert curve.cumulative[[0, -1]].tolist() == [0, 1]
        assert (np.diff(curve.cumulative) / np.diff(curve.ranks))[-1] > 0


def test_a_curve_of_few_points_is_close_to_the_whole():
    counts = zipf(30_000)
    whole, few = (FrequencyCurve.of_counts("zipf", counts, points) for points in (None, 128))
    ranks = np.arange(0, 20_001, 7)
    assert few.coverage(ranks, 20_000) == pytest.approx(whole.coverage(ranks, 20_000), abs=1e-3)
    exact = np.concatenate([[0], np.cumsum(counts[:20_000]) / counts[:20_000].sum()])
    assert whole.coverage(ranks, 20_000) == pytest.approx(exact[ranks])


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([], "V >= 2"),
        ([5], "V >= 2"),
        ([[2, 1]], "shape"),
        ([3, 2, -1], "word count 2 is -1"),
        ([3, float("nan"), 1], "word count 1 is nan"),
        ([float("inf"), 1], "word count 0 is inf"),
        ([3, 5, 1], "rise from 3 to 5 at word 1"),
        ([0, 0], "all 0"),
        (["a", "b"], "numbers"),
    ],
)
def test_bad_counts_are_named(counts, message):
    with pytest.raises(InputError, match=message):
        check_counts(counts)


def test_counts_are_read_and_sorted(tmp_path):
    text = "of 5\nthe 9\n\nnew york\t2\n"
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(text.encode()))
    for name in ("a.txt", "a.txt.gz", "a.txt.xz"):
        words, counts = read_counts(tmp_path / name)
        assert words == ["the", "of", "new york"]
        assert counts.tolist() == [9, 5, 2]


def test_binned_lists_are_read(tmp_path):
    path = tmp_path / "list.msgpack.gz"
    bins = [{"format": "cB", "version": 1}, [], ["the"], ["of", "and"]]
    path.write_bytes(gzip.compress(msgpack.packb(bins)))
    words, counts = read_counts(path)
    assert words == ["the", "of", "and"]
    assert counts == pytest.approx([10**-0.01, 10**-0.02, 10**-0.02])
    path.write_bytes(gzip.compress(msgpack.packb([1, 2])))
    with pytest.raises(InputError, match="no wordfreq list"):
        read_counts(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"the 4\nof many\n", "line 2"),
        ("a.txt", b"\xff\xfe", "cannot be read"),
        ("a.xz", b"the 4", "cannot be read"),
        ("a.msgpack.gz", b"the 4", "cannot be read"),
    ],
)
def test_bad_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_counts(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        read_counts(tmp_path / "missing.txt")


def test_the_table_gives_its_entries_back_and_follows_powers_between_them():
    table = table_of(lambda k, b, d: 1e-3 * k * b**0.5 * d**0.25)
    at = np.random.default_rng(0).uniform(1, 64, (50, 3))
    expected = 1e-3 * at[:, 0] * at[:, 1] ** 0.5 * at[:, 2] ** 0.25
    assert table.time_ms(*at.T) == pytest.approx(expected)
    assert float(table.time_ms(16, 4, 64)) == pytest.approx(table.ms[3, 1, 2])


def test_beyond_the_table_time_is_proportional_and_a_fraction_of_a_row_is_a_chance():
    table = table_of(affine)
    corner = float(table.ms[-1, -1, -1])
    assert float(table.time_ms(128, 192, 320)) == pytest.approx(corner * 2 * 3 * 5)
    assert float(table.time_ms(4, 0.25, 4)) == pytest.approx(table.ms[1, 0, 1] / 4)
    assert float(table.time_ms(4, 0, 4)) == 0
    assert float(table_of(affine, (1,)).time_ms(3, 2, 1)) == pytest.approx(6 * affine(1, 1, 1))


def test_what_was_not_measured_is_scaled_by_rows_then_words_then_width():
    axes = [np.array([1.0, 4.0])] * 3
    ms = np.array([[[1.0, 2.0], [3.0, np.nan]], [[5.0, np.nan], [np.nan, np.nan]]])
    proportional(axes, ms)
    assert ms.tolist() == [[[1, 2], [3, 8]], [[5, 20], [20, 80]]]


def test_a_table_survives_saving(tmp_path):
    table = shipped_table()
    table.save(tmp_path / "costs.json")
    again = CostTable.load(tmp_path / "costs.json")
    assert again.to_json() == table.to_json()
    assert table.machine["processor"]
    (tmp_path / "costs.json").write_text("{}")
    with pytest.raises(InputError, match="no cost table"):
        CostTable.load(tmp_path / "costs.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": np.array([2.0])}, "begin at 1"),
        ({"words": np.array([2.0, 1.0])}, "rising"),
        ({"ms": np.ones((1, 1, 2))}, "numbers above 0"),
        ({"ms": np.zeros((1, 1, 1))}, "above 0"),
        ({"kind": "backward"}, "training"),
    ],
)
def test_bad_tables_are_refused(change, message):
    one = np.ones(1)
    with pytest.raises(InputError, match=message):
        CostTable(**{"hidden": one, "rows": one, "words": one, "ms": np.ones((1, 1, 1)), **change})


def test_the_expected_cost_is_the_papers_where_time_is_proportional_to_the_rows():
    """Equation 7: ``g(J + k_h) + sum p_i g(k_i)``, plus the projections."""
    rows = 64
    table = table_of(lambda k, b, d: 1e-3 * (k + 7 * d) * b)
    curve = FrequencyCurve.of_counts("zipf", zipf(60))
    problem = SoftmaxProblem(curve, 60, rows, 16, table)

    def g(words, width):
        return float(table.time_ms(words, rows, width))

    p = np.diff(curve.coverage([5, 20, 60], 60))
    expected = g(5 + 2, 16) + p[0] * (g(15, 4) + g(4, 16)) + p[1] * (g(40, 1) + g(1, 16))
    assert problem.expected_ms([5, 20], 4) == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    words=st.integers(3, 300),
    batch=st.sampled_from([1, 7, 64, 900]),
    hidden=st.sampled_from([1, 3, 16, 200]),
    count=st.integers(1, 8),
    price=st.sampled_from([0.0, 1.0, 4.0, 30.0, 200.0]),
)
def test_dynamic_programming_finds_what_trying_everything_finds(
    seed, words, batch, hidden, count, price
):
    rng = np.random.default_rng(seed)
    axes = [np.array([1.0, 8.0, 64.0])] * 3
    table = CostTable(*axes, np.sort(rng.uniform(0.01, 3.0, 27)).reshape(3, 3, 3))
    counts = np.sort(rng.pareto(1.0, words))[::-1] + 0.01
    curve = FrequencyCurve.of_counts("random", counts)
    problem = SoftmaxProblem(curve, words, batch, hidden, table)
    candidates = problem.candidates(count)
    found = optimum(problem, candidates, loss_price=price)
    best = exhaustive(problem, candidates, loss_price=price)

    def value(plan):
        return np.log(plan.expected_ms) + price * plan.loss

    assert value(found) == pytest.approx(value(best), abs=1e-9)


def test_the_loss_of_text8_is_the_papers():
    text8 = SoftmaxProblem(load_curve("en"), 44_000, 128, 512, shipped_table())
    assert text8.loss([2_000, 10_000], 4) == pytest.approx(np.log(147 / 144), abs=1e-3)
    assert text8.loss([44_000 - 1], 1) < 1e-5


def test_a_loss_that_costs_more_is_smaller(english):
    candidates = english.candidates(24)
    plans = [optimum(english, candidates, loss_price=price) for price in (0, 4, 40, 4_000)]
    losses, times = [plan.loss for plan in plans], [plan.expected_ms for plan in plans]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]
    assert times == sorted(times)
    assert plans[0].speed_up == english.full_ms / times[0]


@pytest.mark.parametrize(
    ("cutoffs", "div_value", "message"),
    [
        ([], 4, "0 cut-offs"),
        ([1, 2, 3, 4, 5], 4, "5 cut-offs"),
        ([20, 10], 4, "must rise"),
        ([0], 4, "between 1 and 49999"),
        ([50_000], 4, "between 1 and 49999"),
        ([10, 100, 1_000, 10_000], 8, "dimensions"),
        ([10], 0.5, "dimensions"),
    ],
)
def test_impossible_cuts_are_refused(english, cutoffs, div_value, message):
    with pytest.raises(InputError, match=message):
        english.expected_ms(cutoffs, div_value)


def test_impossible_problems_are_refused(english):
    with pytest.raises(InputError, match="allows 2 to 50000"):
        SoftmaxProblem(load_curve("de"), 50_001, 1, 1, shipped_table())
    with pytest.raises(InputError, match="batch is 0"):
        SoftmaxProblem(load_curve("de"), 100, 0, 1, shipped_table())
    candidates = english.candidates(5)
    for search in (optimum, exhaustive):
        with pytest.raises(InputError, match="from 1 to 4"):
            search(english, candidates, tails=[5])
        with pytest.raises(InputError, match="no plan is possible"):
            search(english, candidates, div_values=[1_000])
    with pytest.raises(InputError, match="at least 1"):
        english.candidates(0)


@pytest.mark.parametrize("kind", ["training", "forward"])
def test_measured_tables_are_whole(kind):
    table = measure([2, 16], [1, 8], [4, 32], kind)
    assert table.ms.shape == (2, 2, 2)
    assert table.kind == kind
    assert table.machine["threads"] == torch.get_num_threads()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [1], [4]), "at least one size"),
        (([4], [2], [4]), "begin at 1"),
        (([4], [1], [4], "training", "toaster"), "toaster"),
        (([4], [1], [4], "backward"), "training"),
        (([2**20], [1], [2**10]), "too large"),
    ],
)
def test_measuring_refuses_bad_sizes(arguments, message):
    with pytest.raises(InputError, match=message):
        measure(*arguments)


def test_fit_measures_cuts_and_trains():
    counts = np.floor(1e6 * zipf(600))
    softmax = AdaptiveSoftmax.fit(counts, hidden=16, batch=16)
    assert softmax.cutoffs[:-1] == list(softmax.plan.cutoffs)
    assert softmax.plan.vocabulary == 600
    assert softmax.plan.to_json()["speed_up"] == softmax.plan.speed_up
    hidden = torch.randn(16, 16)
    words = torch.from_numpy(np.random.default_rng(0).integers(600, size=16))
    optimizer = torch.optim.Adagrad(softmax.parameters(), lr=0.1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = softmax(hidden, words).loss
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2
    probabilities = softmax.log_prob(hidden).exp().sum(dim=1)
    assert probabilities.detach().numpy() == pytest.approx(np.ones(16), abs=1e-4)


def test_fit_on_a_given_table_is_the_exact_optimum():
    counts = zipf(5_000)
    softmax = AdaptiveSoftmax.fit(counts, 64, 128, table=shipped_table(), loss_price=0.0)
    curve = FrequencyCurve.of_counts("zipf", counts)
    problem = SoftmaxProblem(curve, 5_000, 128, 64, shipped_table())
    others = exhaustive(problem, problem.candidates(9), [4.0])
    assert softmax.plan.expected_ms <= others.expected_ms
    assert softmax.plan.expected_ms == problem.expected_ms(softmax.plan.cutoffs, 4.0)
    plain = torch.nn.AdaptiveLogSoftmaxWithLoss(64, 5_000, list(softmax.plan.cutoffs))
    softmax.load_state_dict(plain.state_dict())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"word_counts": [1, 2, 3]}, "rise"),
        ({"hidden": 0}, "hidden is 0"),
        ({"batch": 0}, "batch 0"),
        ({"div_value": 0.5}, "div_value"),
        ({"div_value": float("nan")}, "div_value"),
        ({"loss_price": -1.0}, "loss_price"),
        ({"tails": []}, "from 1 to 4"),
        ({"tails": [5]}, "from 1 to 4"),
        ({"tails": [3]}, "more clusters than 3 words"),
        ({"device": "toaster"}, "toaster"),
    ],
)
def test_fit_refuses_bad_arguments(change, message):
    arguments = {"word_counts": [3, 2, 1], "hidden": 8, "batch": 4, "table": shipped_table()}
    with pytest.raises(InputError, match=message):
        AdaptiveSoftmax.fit(**{**arguments, **change})


def test_sizes_are_spaced_by_fours_and_end_where_they_should():
    assert powers(1, 1) == [1]
    assert powers(1, 100) == [1, 4, 16, 64, 100]
    assert powers(4, 64) == [4, 16, 64]
