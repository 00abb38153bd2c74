"""Multi-scale structural similarity of pictures (Wang, Simoncelli, Bovik, Asilomar 2003).

Five scales, a Gaussian window of 11 pixels with deviation 1.5 and no padding, each colour by
itself: the figure that papers on learned compression report.
"""

import torch
from torch import Tensor
from torch.nn import functional

from hardware_sim.errors import InputError

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of the scales, the finest first, from the paper."""

WINDOW = 11
DEVIATION = 1.5
LEAST_SIDE = (WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1
"""Pixels that the shorter side must have, 161."""

LUMINANCE, CONTRAST = 0.01**2, 0.03**2
"""Constants that keep the two quotients finite, for values from 0 to 1."""


def ms_ssim(first: Tensor, second: Tensor) -> Tensor:
    """Similarity float32 ``(B,)`` of pairs of pictures, the mean of the colours, at most 1.

    Args:
        first: Pictures float32 ``(B, C, H, W)``, values 0 to 1.
        second: Pictures of the same shape.

    Raises:
        InputError: The shapes differ, or a side is shorter than :data:`LEAST_SIDE`.
    """
    if first.shape != second.shape:
        raise InputError(f"pictures of {tuple(first.shape)} and {tuple(second.shape)} differ")
    if min(first.shape[-2:]) < LEAST_SIDE:
        raise InputError(f"MS-SSIM needs sides of {LEAST_SIDE} pixels, not {first.shape[-2:]}")
    product = first.new_ones(first.shape[:2])
    for scale, weight in enumerate(WEIGHTS):
        whole, contrast = _of_scale(first, second)
        last = scale == len(WEIGHTS) - 1
        product = product * power(whole if last else contrast, weight)
        if not last:
            padding = [side % 2 for side in first.shape[-2:]]
            first = functional.avg_pool2d(first, 2, padding=padding)
            second = functional.avg_pool2d(second, 2, padding=padding)
    return product.mean(dim=1)


def power(values: Tensor, exponent: float) -> Tensor:
    """Values to a power; 0, and without a gradient, where they are negative."""
    positive = values > 0
    return torch.where(positive, torch.where(positive, values, 1) ** exponent, 0)


def _of_scale(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Similarity, and contrast and structure alone, each (B, C), means over one scale."""
    mean_1, square_1 = _blur(torch.cat([first, first * first], dim=1)).chunk(2, dim=1)
    mean_2, square_2, both = _blur(
        torch.cat([second, second * second, first * second], dim=1)
    ).chunk(3, dim=1)
    means, squares = mean_1 * mean_2, mean_1 * mean_1 + mean_2 * mean_2
    contrast = (2 * (both - means) + CONTRAST) / (square_1 + square_2 - squares + CONTRAST)
    luminance = (2 * means + LUMINANCE) / (squares + LUMINANCE)
    return (luminance * contrast).mean(dim=(2, 3)), contrast.mean(dim=(2, 3))


def _blur(maps: Tensor) -> Tensor:
    """Maps ``(B, C, H, W)`` under the window, ten pixels smaller either way."""
    places = torch.arange(WINDOW, device=maps.device, dtype=maps.dtype) - WINDOW // 2
    window = torch.exp(-(places**2) / (2 * DEVIATION**2))
    channels = maps.shape[1]
    column = (window / window.sum()).view(1, 1, WINDOW, 1).expand(channels, 1, WINDOW, 1)
    maps = functional.conv2d(maps, column, groups=channels)
    return functional.conv2d(maps, column.transpose(2, 3), groups=channels)
