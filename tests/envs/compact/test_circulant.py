"""Circulant projections: against their matrix, and fitted to features."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import circulant
from torch import nn

from envs.compact.circulant import (
    CirculantProjection,
    fit_projection,
    informative_order,
    squared_distances,
    unread_share,
)
from hardware_sim.errors import InputError


def correlated(count, channels, rank, seed=0):
    """Features of a few hidden causes, and a little noise."""
    generator = torch.Generator().manual_seed(seed)
    causes = torch.randn(count, rank, generator=generator)
    noise = 0.05 * torch.randn(count, channels, generator=generator)
    return causes @ torch.randn(rank, channels, generator=generator) + noise


@settings(max_examples=40, deadline=None)
@given(
    channels=st.integers(1, 70),
    share=st.floats(0, 1),
    dim=st.integers(0, 2),
    seed=st.integers(0, 999),
)
def test_a_projection_is_its_matrix_and_so_are_its_gradients(channels, share, dim, seed):
    kept = max(1, round(share * channels))
    drawn = CirculantProjection.random(channels, kept, seed)
    order = torch.randperm(channels, generator=torch.Generator().manual_seed(seed))
    projection = CirculantProjection(drawn.vector, drawn.signs, kept, order).double()
    dense = projection.matrix()
    full = circulant(projection.vector.detach().numpy()) * projection.signs.numpy()
    assert np.allclose(dense[:, order].detach().numpy(), full[:kept], atol=1e-15)
    shape = [3, 4]
    shape.insert(dim, channels)
    features = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    fast = projection(features, dim)
    slow = (features.movedim(dim, -1) @ dense.T).movedim(-1, dim)
    assert torch.allclose(fast, slow, atol=1e-12)
    weight = torch.randn_like(slow)
    wanted = torch.autograd.grad((slow * weight).sum(), (features, projection.vector))
    found = torch.autograd.grad((fast * weight).sum(), (features, projection.vector))
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(found, wanted, strict=True))


def test_a_projection_passes_gradcheck():
    projection = CirculantProjection.random(6, 4, seed=1).double()
    features = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(projection, (features,))


@pytest.mark.parametrize(
    ("vector", "signs", "kept", "message"),
    [
        (torch.ones(4), torch.ones(3), 2, "expected two of"),
        (torch.ones(4), torch.zeros(4), 2, "1 or -1"),
        (torch.ones(4), torch.ones(4), 5, "1 to 4"),
        (torch.ones(4), torch.ones(4), 0, "1 to 4"),
    ],
)
def test_a_wrong_projection_is_refused(vector, signs, kept, message):
    with pytest.raises(InputError, match=message):
        CirculantProjection(vector, signs, kept)


def test_an_order_must_be_a_permutation():
    with pytest.raises(InputError, match="permutation of 0 to 3"):
        CirculantProjection(torch.ones(4), torch.ones(4), 2, torch.tensor([0, 1, 1, 3]))


@pytest.mark.parametrize("seed", range(20))
def test_the_informative_channels_come_first_and_the_loudest_of_copies(seed):
    causes = torch.randn(500, 3, generator=torch.Generator().manual_seed(seed))
    copies = torch.cat([0.1 * causes, causes[:, :1], causes[:, :1] + causes[:, 1:2], causes], dim=1)
    read = copies - copies.mean(dim=0)
    order = informative_order(read)
    assert sorted(order.tolist()) == list(range(8))
    assert float(unread_share(read[:, order[:3]], read)) < 1e-3
    assert float(unread_share(read[:, order[:2]], read)) > 0.05


@pytest.mark.parametrize("activation", [nn.Identity(), torch.relu])
def test_a_fitted_projection_reads_better_and_keeps_distances_better_than_a_random_one(activation):
    features, held_out = correlated(2_000, 24, rank=5).split(1_000)
    read = activation(held_out) - activation(held_out).mean(dim=0)
    spread, unread = {}, {}
    for name, projection in (
        ("random", CirculantProjection.random(24, 8, seed=0)),
        ("fitted", fit_projection(features, 8, activation)),
    ):
        projected = projection(held_out).detach()
        before, after = squared_distances(held_out, projected)
        ratio = after / before
        spread[name] = float(ratio.std() / ratio.mean())
        unread[name] = float(unread_share(activation(projected), read))
    assert unread["fitted"] < 0.7 * unread["random"]
    assert spread["fitted"] < spread["random"]


def test_what_is_unread_is_the_residual_of_the_least_squares():
    seen, read = correlated(300, 4, 4), correlated(300, 9, 3, seed=1)
    read = read - read.mean(dim=0)
    constant = torch.cat([seen, torch.ones(300, 1)], dim=1).double()
    solution = torch.linalg.lstsq(constant, read.double()).solution
    left = (constant @ solution - read).square().sum() / read.double().square().sum()
    assert float(unread_share(seen, read)) == pytest.approx(float(left), rel=1e-3)
