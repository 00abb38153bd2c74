"""MS-SSIM in one pass: the figures and the gradient of the plain one."""

import pytest
import torch

from agents.codec import swift_similarity
from envs.codec import similarity


@pytest.mark.parametrize("shape", [(1, 3, 192, 192), (2, 1, 163, 190)])
@pytest.mark.parametrize("noise", [0.03, 0.3])
def test_figures_and_gradients_are_those_of_the_plain_one(shape, noise):
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(shape, generator=generator)
    first = torch.nn.functional.avg_pool2d(first, 9, stride=1, padding=4)
    second = (first + noise * torch.randn(shape, generator=generator)).requires_grad_()
    plain, swift = similarity.ms_ssim(first, second), swift_similarity.ms_ssim(first, second)
    torch.testing.assert_close(swift, plain, atol=2e-5, rtol=0)
    wanted, found = (torch.autograd.grad(each.sum(), second)[0] for each in (plain, swift))
    torch.testing.assert_close(found, wanted, atol=1e-3 * wanted.abs().max().item(), rtol=1e-2)
