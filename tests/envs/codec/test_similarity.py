"""MS-SSIM: its range, its symmetry, and the same figures as a well-known library."""

import pytest
import pytorch_msssim
import torch

from envs.codec.similarity import LEAST_SIDE, ms_ssim
from hardware_sim.errors import InputError


def pair(height: int, width: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    smooth = torch.rand(2, 3, height // 8 + 1, width // 8 + 1, generator=generator)
    first = torch.nn.functional.interpolate(smooth, (height, width), mode="bilinear")
    second = first + noise * torch.randn(first.shape, generator=generator)
    return first, second.clamp(0, 1)


def test_equal_pictures_are_wholly_similar_and_noise_makes_them_less_so():
    first, same = pair(180, 200, 0.0)
    assert ms_ssim(first, same).tolist() == pytest.approx([1, 1], abs=1e-6)
    found = [ms_ssim(*pair(180, 200, noise)).mean().item() for noise in (0.02, 0.1, 0.4)]
    assert 1 > found[0] > found[1] > found[2] > 0


def test_similarity_is_symmetric():
    first, second = pair(176, 161, 0.2)
    torch.testing.assert_close(ms_ssim(first, second), ms_ssim(second, first))


def test_opposite_pictures_have_no_similarity_and_a_finite_gradient():
    first, _ = pair(176, 176, 0.0)
    second = (1 - first).requires_grad_()
    found = ms_ssim(first, second)
    assert found.tolist() == [0, 0]
    found.sum().backward()
    assert torch.isfinite(second.grad).all()


def test_small_or_different_pictures_are_refused():
    with pytest.raises(InputError, match=str(LEAST_SIDE)):
        ms_ssim(*pair(160, 300, 0.1))
    with pytest.raises(InputError, match="differ"):
        ms_ssim(pair(161, 161, 0.1)[0], pair(161, 162, 0.1)[0])


@pytest.mark.parametrize("shape", [(161, 161), (256, 256), (181, 243)])
@pytest.mark.parametrize("noise", [0.01, 0.1, 0.5])
def test_figures_are_those_of_pytorch_msssim(shape, noise):
    first, second = pair(*shape, noise)
    expected = pytorch_msssim.ms_ssim(first, second, data_range=1.0, size_average=False)
    torch.testing.assert_close(ms_ssim(first, second), expected, atol=2e-5, rtol=0)
