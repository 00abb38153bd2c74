"""MS-SSIM with its gradient in one pass over the pixels, for training on a processor.

The figures are those of :func:`envs.codec.similarity.ms_ssim`, in a third of the time: blurred
maps, similarities and their derivatives are computed plane by plane, in the processor's caches.
"""

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from envs.codec.similarity import CONTRAST, DEVIATION, LUMINANCE, WEIGHTS, WINDOW, power

Floats = NDArray[np.float32]
_EDGE = WINDOW - 1


def _half_window() -> Floats:
    """The window's values from its edge to its middle."""
    places = np.arange(WINDOW) - WINDOW // 2
    window = np.exp(-(places**2) / (2 * DEVIATION**2))
    found: Floats = (window / window.sum())[: WINDOW // 2 + 1].astype(np.float32)
    return found


@njit(fastmath=True, cache=True)
def _blur(maps: Floats, window: Floats, middle: Floats, result: Floats) -> None:
    """Maps (M, H, W) under the window into (M, H - 10, W - 10), through (H, W - 10)."""
    a, b, c, d, e, f = window
    count, height, width = maps.shape
    for number in range(count):
        for i in range(height):
            row = maps[number, i]
            for j in range(width - _EDGE):
                middle[i, j] = (
                    a * (row[j] + row[j + 10])
                    + b * (row[j + 1] + row[j + 9])
                    + c * (row[j + 2] + row[j + 8])
                    + d * (row[j + 3] + row[j + 7])
                    + e * (row[j + 4] + row[j + 6])
                    + f * row[j + 5]
                )
        for i in range(height - _EDGE):
            for j in range(width - _EDGE):
                result[number, i, j] = (
                    a * (middle[i, j] + middle[i + 10, j])
                    + b * (middle[i + 1, j] + middle[i + 9, j])
                    + c * (middle[i + 2, j] + middle[i + 8, j])
                    + d * (middle[i + 3, j] + middle[i + 7, j])
                    + e * (middle[i + 4, j] + middle[i + 6, j])
                    + f * middle[i + 5, j]
                )


@njit(fastmath=True, cache=True)
def _planes(
    first: Floats, second: Floats, window: Floats, whole: bool, means: Floats, gradient: Floats
) -> None:
    """Mean similarity of planes (N, H, W), or of contrast alone, and its gradient by the second."""
    count, height, width = first.shape
    tall, wide = height - _EDGE, width - _EDGE
    maps = np.empty((5, height, width), np.float32)
    blurred = np.empty((5, tall, wide), np.float32)
    slopes = np.zeros((3, height + _EDGE, width + _EDGE), np.float32)
    spread = np.empty((3, height, width), np.float32)
    middle = np.empty((height + _EDGE, width), np.float32)
    share = np.float32(1 / (tall * wide))
    one, two = np.float32(LUMINANCE), np.float32(CONTRAST)
    for number in range(count):
        x, y = first[number], second[number]
        maps[0] = x
        maps[1] = y
        maps[2] = x * x
        maps[3] = y * y
        maps[4] = x * y
        _blur(maps, window, middle, blurred)
        total = np.float64(0)
        for i in range(tall):
            line = np.float32(0)
            for j in range(wide):
                mean_1, mean_2 = blurred[0, i, j], blurred[1, i, j]
                product, squares = mean_1 * mean_2, mean_1 * mean_1 + mean_2 * mean_2
                below = 1 / (blurred[2, i, j] + blurred[3, i, j] - squares + two)
                contrast = (2 * (blurred[4, i, j] - product) + two) * below
                by_mean = 2 * (mean_2 * contrast - mean_1) * below
                light = np.float32(1)
                if whole:
                    under = 1 / (squares + one)
                    light = (2 * product + one) * under
                    by_mean = light * by_mean + contrast * 2 * (mean_1 - mean_2 * light) * under
                line += light * contrast
                slopes[0, i + 10, j + 10] = by_mean * share
                slopes[1, i + 10, j + 10] = -2 * light * contrast * below * share
                slopes[2, i + 10, j + 10] = 2 * light * below * share
            total += float(line)
        means[number] = total * share
        _blur(slopes, window, middle, spread)
        for i in range(height):
            for j in range(width):
                gradient[number, i, j] = (
                    spread[0, i, j] + y[i, j] * spread[1, i, j] + x[i, j] * spread[2, i, j]
                )


class _Mean(torch.autograd.Function):
    """Mean similarity (B, C) of one scale; only the second picture gets a gradient."""

    @staticmethod
    def forward(context: Any, first: Tensor, second: Tensor, whole: bool) -> Tensor:
        shape = first.shape
        one, two = (each.reshape(-1, *shape[2:]).contiguous().numpy() for each in (first, second))
        means, gradient = np.empty(len(one), np.float32), np.empty_like(one)
        _planes(one, two, _half_window(), whole, means, gradient)
        context.save_for_backward(torch.from_numpy(gradient).view(shape))
        return torch.from_numpy(means).view(shape[:2])

    @staticmethod
    def backward(context: Any, slope: Tensor) -> tuple[None, Tensor, None]:
        (gradient,) = context.saved_tensors
        return None, slope[:, :, None, None] * gradient, None


def ms_ssim(first: Tensor, second: Tensor) -> Tensor:
    """Similarity float32 ``(B,)`` of pairs of pictures; see :func:`envs.codec.similarity.ms_ssim`.

    Args:
        first: Pictures float32 ``(B, C, H, W)`` on the processor, which need no gradient.
        second: Pictures of the same shape.
    """
    product = first.new_ones(first.shape[:2])
    for scale, weight in enumerate(WEIGHTS):
        last = scale == len(WEIGHTS) - 1
        mean: Tensor = _Mean.apply(first, second, last)  # type: ignore[no-untyped-call]
        product = product * power(mean, weight)
        if not last:
            padding = [side % 2 for side in first.shape[-2:]]
            first = functional.avg_pool2d(first, 2, padding=padding)
            second = functional.avg_pool2d(second, 2, padding=padding)
    return product.mean(dim=1)
