"""The codec's network: sizes, gains, and causality of its entropy model."""

import numpy as np
import pytest
import torch

from envs.codec.curves import rate_at
from envs.codec.entropy import FIRST, ORDER
from envs.codec.likelihood import bits, expected
from envs.codec.network import FINEST, CodecNetwork, Gains
from envs.codec.transforms import cosines
from tests.envs.codec import invented


@pytest.fixture(scope="module")
def network() -> CodecNetwork:
    return invented.network()


@pytest.mark.parametrize("shape", [(1, 1), (3, 130), (64, 64), (97, 65)])
def test_pictures_of_any_size_keep_it(network, shape):
    with torch.no_grad():
        found = network(torch.rand(2, 3, *shape), torch.tensor([0.0, 7.0]))
    assert found.pictures.shape == (2, 3, *shape)
    assert (found.bits > 0).all()
    assert torch.isfinite(found.pictures).all()


def test_there_are_fewer_than_three_million_parameters(network):
    assert sum(each.numel() for each in network.parameters()) < 3e6


def test_gains_grow_with_quality_in_every_channel_and_are_continuous():
    torch.manual_seed(0)
    gains = Gains(16)
    torch.nn.init.normal_(gains.growth, 0, 2)
    found = gains(torch.linspace(0, FINEST, 57))[:, :, 0, 0]
    assert (found.diff(dim=0) > 0).all()
    near = gains(torch.tensor([3 - 1e-5, 3.0, 3 + 1e-5]))[:, :, 0, 0]
    torch.testing.assert_close(near[0], near[2], rtol=1e-3, atol=0)


def test_a_finer_quality_costs_more_bits(network):
    pictures = torch.from_numpy(invented.picture(128, 128)).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        found = [
            network(pictures, torch.tensor([quality])).bits.item() for quality in (0.0, 3.5, 7.0)
        ]
    assert found[0] < found[1] < found[2]


def test_no_symbol_is_predicted_from_itself_or_a_later_one(network):
    torch.manual_seed(0)
    symbols = torch.randn(1, 128, 8, 8).mul(3).round()
    features = torch.rand(1, 160, 4, 4)
    order = torch.empty(2, 2)
    for rank, place in enumerate(ORDER):
        order[place // 2, place % 2] = rank
    order = order.repeat(4, 4)
    with torch.no_grad():
        mean, _ = network.entropy.distributions(features, symbols)
        for place in ORDER:
            for channel in (0, FIRST):
                row, column = 2 + place // 2, 4 + place % 2
                changed = symbols.clone()
                changed[0, channel, row, column] += 5
                other, _ = network.entropy.distributions(features, changed)
                moved = ((other - mean)[0] != 0).nonzero().tolist()
                ranks = [(order[y, x].item(), c >= FIRST) for c, y, x in moved]
                assert all(rank > (order[row, column].item(), channel >= FIRST) for rank in ranks)
                last = place == ORDER[-1] and channel >= FIRST
                assert bool(moved) != last


def test_bits_of_all_integers_are_those_of_a_distribution():
    values = torch.arange(-60, 61).float()
    for mean, scale in ((0.0, 0.7), (3.3, 0.2), (-1.5, 8.0)):
        found = bits(values, torch.tensor(mean), torch.tensor(scale))
        assert 2 ** -found.double() @ torch.ones(121).double() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0, 10.0])
@pytest.mark.parametrize("mean", [0.0, 0.2, -0.4])
def test_symbols_stand_for_about_the_mean_of_their_bin(mean, scale):
    fine = torch.linspace(-0.5, 0.5, 20001).double()
    weight = torch.exp(-((fine - mean) ** 2) / (2 * scale**2))
    wanted = ((weight * fine).sum() / weight.sum()).item()
    zero = torch.zeros(1)
    found = expected(zero, zero + mean, zero + scale).item()
    assert found == pytest.approx(wanted, abs=0.06)


def test_rates_are_interpolated_between_points_of_a_curve_only():
    similarities, rates = [0.9, 0.99, 0.999], [0.1, 0.4, 1.6]
    assert rate_at(similarities, rates, 0.99) == pytest.approx(0.4)
    assert rate_at(similarities, rates, 1 - 10**-1.5) == pytest.approx(0.2)
    assert rate_at(similarities, rates, 0.8) is None


def test_an_untrained_codec_is_a_cosine_transform_and_shows_the_picture():
    basis, spread = cosines(128)
    np.testing.assert_allclose(basis @ basis.T, np.eye(128), atol=1e-12)
    assert (np.diff(spread) <= 0).all()
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 5, 5), (128, 128), mode="bicubic")
    with torch.no_grad():
        found = CodecNetwork().eval()(smooth, torch.tensor([7.0]))
    assert (found.pictures - smooth).square().mean().sqrt() < 0.03
