"""Networks that choose rows of dance charts: what they see, mirrors, masks, sampling."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.dance.batches import batches, collate, exchange, steps, with_looks
from agents.dance.history import LAGS, LONGEST, MIRRORED, look_back
from agents.dance.paper import PAPER, paper_network
from agents.dance.recipes.selection import Recipe, Training, score
from agents.dance.sampling import draw, sample, sample_plainly
from agents.dance.selection import RepeatNet, log_probabilities
from envs.dance.chart import held_before, legal_rows, states
from hardware_sim.errors import InputError
from tests.agents.dance.charts import chart


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return RepeatNet(width=16, blocks=1).eval()


charts = st.builds(chart, st.integers(0, 2**31), st.integers(1, 40), st.integers(0, 4))


@settings(max_examples=15, deadline=None)
@given(charts)
def test_looks_are_those_of_plain_reading(given_chart):
    rows, ticks = given_chart.rows.tolist(), given_chart.ticks.tolist()
    between = given_chart.between.tolist()
    looks = look_back(*(np.asarray(part)[None] for part in (rows, ticks, given_chart.times)))[0]
    np.testing.assert_array_equal(looks.held, held_before(given_chart.rows))
    for now in range(len(rows)):
        for mirror in range(4):
            best = (0, 0, 0, 0, 0)
            for place in range(now):
                length = even = 0
                while length < min(place, LONGEST) and (
                    MIRRORED[mirror][rows[place - length - 1]] == rows[now - length - 1]
                ):
                    length += 1
                while even < length and between[place - even - 1] == between[now - even - 1]:
                    even += 1
                alike = 2 * (between[place] == between[now])
                alike += (ticks[place] - ticks[now]) % 192 == 0
                value = (length + 2 * even + alike) * (length > 0)
                repeat = MIRRORED[mirror][rows[place]] if length else 0
                best = max(best, (value, place, repeat, length, even))
            found = [getattr(looks, name)[now, mirror] for name in ("repeat", "length", "even")]
            assert found == list(best[2:])
        for lag, back in enumerate(LAGS):
            copied = [ticks.index(t - back) if t - back in ticks else None for t in ticks]
            place = copied[now]
            assert looks.copy[now, lag] == (0 if place is None else rows[place])
            run = 0
            while run < min(now, LONGEST) and (
                copied[now - run - 1] is not None
                and rows[copied[now - run - 1]] == rows[now - run - 1]
            ):
                run += 1
            assert looks.copied[now, lag] == run


@settings(max_examples=10, deadline=None)
@given(charts, st.integers(0, 3))
def test_batches_are_mirrored_as_charts_are(given_chart, mirror):
    rows = MIRRORED[mirror][given_chart.rows]
    other = steps(given_chart.ticks, given_chart.times, given_chart.level, rows)
    expected = collate(with_looks([other]))
    found = collate(with_looks([given_chart])).mirrored(torch.tensor([mirror]))
    assert torch.equal(found.rows, expected.rows)
    assert torch.equal(found.before, expected.before)
    assert found.looks.keys() == expected.looks.keys()
    for name, part in expected.looks.items():
        assert torch.equal(found.looks[name], part), name


def test_the_mean_over_mirrors_is_equivariant(network):
    batch = collate(with_looks([chart(1), chart(2, 17)]))
    plain = log_probabilities([network], batch, range(4))
    assert torch.allclose(plain.exp().sum(-1), torch.ones(plain.shape[:2]), atol=1e-5)
    for mirror in (1, 2, 3):
        seen = batch.mirrored(torch.full((2,), mirror))
        turned = exchange(log_probabilities([network], seen, range(4)), mirror)
        assert torch.allclose(turned[batch.mask], plain[batch.mask], atol=1e-5)
        assert not torch.allclose(
            exchange(log_probabilities([network], seen), mirror),
            log_probabilities([network], batch),
        )


def test_rows_that_holds_forbid_are_never_likely(network):
    batch = collate(with_looks([chart(3), chart(4)]))
    log_probs = log_probabilities([network], batch)
    for i in range(2):
        legal = legal_rows(held_before(batch.rows[i].numpy()))
        assert (log_probs[i].numpy()[~legal] < -1e8).all()
        assert (log_probs[i, :, 0] < -1e8).all()


@pytest.mark.parametrize("name", ["ours", *PAPER])
def test_networks_do_not_see_what_comes(name, network):
    seen = network if name == "ours" else paper_network(name).eval()
    one = chart(5)
    changed = one.rows.copy()
    changed[20:] = MIRRORED[3][changed[20:]]
    two = steps(one.ticks, one.times, one.level, changed)
    with torch.no_grad():
        found = [seen(collate(with_looks([each])))[0] for each in (one, two)]
    assert torch.allclose(found[0][:21], found[1][:21], atol=1e-5)
    assert not torch.allclose(found[0][21:], found[1][21:], atol=1e-5)


def test_padding_changes_nothing(network):
    short, long = with_looks([chart(6, 11), chart(7, 40)])
    with torch.no_grad():
        alone, together = network(collate([short]))[0], network(collate([short, long]))[0, :11]
    assert torch.allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.8)])
def test_cached_sampling_draws_what_plain_reading_draws(network, temperature, top_p):
    given_charts = [chart(seed, size, seed % 5) for seed, size in enumerate((1, 9, 30, 41))]
    found = sample(network, given_charts, range(4), temperature, top_p)
    plain = sample_plainly(network, given_charts, range(4), temperature, top_p)
    for rows, expected in zip(found, plain, strict=True):
        assert rows.tolist() == expected.tolist()


def test_sampled_charts_are_legal_and_depend_on_their_seed_alone(network):
    given_charts = [chart(seed, 30) for seed in range(6)]
    found = sample(network, given_charts, range(6))
    alone = sample(network, given_charts[3:4], [3])
    assert found[3].tolist() == alone[0].tolist()
    assert found[3].tolist() != sample(network, given_charts[3:4], [4])[0].tolist()
    assert any((states(rows) == 2).any() for rows in found)
    for rows in found:
        held = held_before(np.append(rows, np.uint8(1)))
        assert (rows > 0).all()
        assert not held[-1].any()
        assert legal_rows(held[:-1])[np.arange(30), rows].all()


def test_draws_follow_the_probabilities():
    chances = np.zeros(256)
    chances[[5, 6, 7]] = 0.5, 0.3, 0.2
    log_probs = np.log(np.tile(chances, (1000, 1)).clip(1e-30))
    uniform = (np.arange(1000) + 0.5) / 1000
    everything = np.ones((1000, 256), bool)
    assert np.bincount(draw(log_probs, everything, uniform))[[5, 6, 7]].tolist() == [500, 300, 200]
    kept = np.bincount(draw(log_probs, everything, uniform, top_p=0.75), minlength=8)
    assert kept[[5, 6, 7]].tolist() == [625, 375, 0]
    cold = np.bincount(draw(log_probs, everything, uniform, temperature=0.5))[[5, 6, 7]]
    assert cold.tolist() == [658, 237, 105]
    everything[:, 5] = False
    assert np.bincount(draw(log_probs, everything, uniform))[[5, 6, 7]].tolist() == [0, 600, 400]


def test_bad_input_is_named(network):
    with pytest.raises(InputError, match="level 7"):
        steps(np.arange(3), np.arange(3.0), 7)
    with pytest.raises(InputError, match="at least one time"):
        steps(np.arange(0), np.arange(0.0), 1)
    with pytest.raises(InputError, match="temperature 0"):
        sample(network, [chart(0)], [0], temperature=0)
    with pytest.raises(InputError, match="2 seeds for 1 charts"):
        sample(network, [chart(0)], [0, 1])


def test_batches_hold_every_chart_once():
    given_charts = [chart(seed, 5 + seed) for seed in range(20)]
    for rng in (None, np.random.default_rng(0)):
        found = batches(given_charts, 60, rng)
        assert sorted(len(each) for group in found for each in group) == list(range(5, 25))
        assert all(len(g) * max(map(len, g)) <= 60 for g in found)


def test_training_learns_and_goes_on_from_a_checkpoint(tmp_path):
    recipe = Recipe(
        lambda: RepeatNet(width=16, blocks=1), updates=30, places=200, rate=2e-2, checks=2
    )
    given_charts = with_looks([chart(seed, 40) for seed in range(12)])
    path = tmp_path / "x.checkpoint"
    lines = []
    whole = Training(recipe, 1, given_charts, given_charts[:3])
    before = score(whole.log_probabilities, given_charts[:3])
    whole.run(path, lines.append)
    after = score(whole.log_probabilities, given_charts[:3])
    assert after.perplexity < 0.7 * before.perplexity
    assert len(after.nats) == 120
    assert len(lines) == 2
    assert after.perplexity == pytest.approx(whole.best["perplexity"])
    resumed = Training(recipe, 2, given_charts, given_charts[:3])
    resumed.load(path)
    assert resumed.done == 30
    resumed.run(path, lines.append)
    state = resumed.network.state_dict()
    assert all(torch.equal(state[k], v) for k, v in whole.network.state_dict().items())
