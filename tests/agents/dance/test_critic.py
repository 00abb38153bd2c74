"""The critic of dance charts: corruptions, features, likelihoods."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.dance import critic as dance
from agents.dance.batches import collate, with_looks
from agents.dance.corruption import CORRUPTIONS, LEVELS_OFF
from agents.dance.recipes.critic import fit, spoiled
from agents.dance.sampling import write_rows
from agents.dance.selection import RepeatNet, log_probabilities
from agents.dance.writers import Alternating, random_rows
from envs.dance.chart import held_before, legal_rows, states
from hardware_sim.errors import InputError
from tests.agents.dance.charts import chart


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return RepeatNet(width=16, blocks=1).eval()


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(CORRUPTIONS)), st.integers(0, 99), st.integers(2, 90))
def test_corrupted_charts_are_legal(name, seed, size):
    human = chart(seed, size, seed % 5)
    found = CORRUPTIONS[name](human, np.random.default_rng(seed))
    held = held_before(np.append(found.rows, np.uint8(1)))
    assert legal_rows(held[:-1])[np.arange(size), found.rows].all()
    assert not held[-1].any()
    assert (found.rows > 0).all()
    pressed = [np.isin(states(each.rows), (1, 2)).sum() for each in (human, found)]
    assert pressed[0] == pressed[1]
    np.testing.assert_array_equal(found.times, human.times)
    if name == "mislabelled":
        assert abs(found.level - human.level) >= LEVELS_OFF
    elif name == "shifted":
        np.testing.assert_array_equal(found.rows, human.rows)
        assert ((found.ticks - human.ticks) % 48).all()
    else:
        np.testing.assert_array_equal(found.ticks, human.ticks)


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"shifted", "mislabelled"}))
def test_corrupted_charts_have_other_rows(name):
    human = chart(8, 200)
    found = CORRUPTIONS[name](human, np.random.default_rng(0))
    assert (found.rows != human.rows).mean() > 0.1


def test_nats_of_rows_are_the_negative_log_probabilities_of_the_network(network):
    charts = with_looks([chart(1, 30), chart(2, 70), chart(3, 9)])
    for given_chart, costs in zip(charts, dance.nats(network, charts), strict=True):
        log_probs = log_probabilities([network], collate([given_chart]))[0].numpy()
        expected = -log_probs[np.arange(len(given_chart)), given_chart.rows]
        np.testing.assert_allclose(costs, expected, atol=1e-5)


def test_windows_cover_charts(network):
    charts = [chart(1, 30), chart(2, 64), chart(3, 130)]
    found = dance.windows(network, charts)
    assert found.charts.tolist() == [0, 1, 2, 2, 2, 2]
    assert found.features.shape == (6, dance.FEATURES)
    looks = with_looks(charts)
    costs = dance.nats(network, looks)
    assert found.features[:2, 0] == pytest.approx([costs[0].mean(), costs[1].mean()], abs=1e-5)
    assert found.features[-1, 0] == pytest.approx(costs[2][-64:].mean(), abs=1e-5)


def test_charts_are_spoiled_in_every_way():
    human = [chart(seed, 20) for seed in range(3)]
    groups = spoiled(human, 0)
    assert list(groups) == ["human", *CORRUPTIONS]
    assert all(len(group) == 3 for group in groups.values())
    assert groups["human"] == human


def test_a_critic_is_fitted():
    torch.manual_seed(0)
    y = torch.arange(700).remainder(7).eq(0).float()
    x = 3 + 2 * torch.randn(700, dance.FEATURES)
    x[:, 5] += 6 * y
    critic, loss = fit(x, y, torch.arange(700) // 7, seed=0)
    odds = critic(x).detach()
    assert loss < 0.5
    assert dance.auc(odds[y > 0], odds[y == 0]) > 0.95
    assert (odds[y > 0] > 0).float().mean() > 0.8
    assert (odds[y == 0] < 0).float().mean() > 0.8


def test_the_area_counts_pairs():
    assert dance.auc([3, 2], [1, 2, 0]) == pytest.approx(5.5 / 6)
    assert dance.auc([1], [2]) == 0


def test_what_is_shipped_knows_human_habits():
    """Alternating feet on a plain stream are likelier than rows drawn at random."""
    ticks = np.arange(160) * 24
    times = ticks / 120
    kinds = {
        name: writer(times, ticks, 2, np.random.default_rng(0))
        for name, writer in (("alternating", Alternating()), ("random", random_rows))
    }
    for likelihood in (dance.log_likelihood, lambda *chart: -dance.judged_nats(*chart)):
        means = {name: likelihood(rows, ticks, times, 2).mean() for name, rows in kinds.items()}
        assert means["alternating"] > means["random"] + 1
    odds = {name: dance.human_odds(rows, ticks, times, 2) for name, rows in kinds.items()}
    assert odds["alternating"] > odds["random"]
    with pytest.raises(InputError, match="level 5"):
        dance.human_odds(kinds["random"], ticks, times, 5)


def test_the_shipped_network_writes_what_it_finds_likely():
    ticks = np.arange(100) * 24
    rows = write_rows(ticks / 96, ticks, 3, seed=1)
    assert rows.tolist() == write_rows(ticks / 96, ticks, 3, seed=1).tolist()
    assert dance.log_likelihood(rows, ticks, ticks / 96, 3).mean() > -1
