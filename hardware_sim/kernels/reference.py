"""The judge of every kernel: the definition of a convolution in float64."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from hardware_sim.kernels.convolution import Problem

CONVOLUTIONS: dict[int, Callable[..., torch.Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
"""PyTorch's convolutions by the number of dimensions."""


def convolve(
    problem: Problem,
    x: NDArray[np.floating],
    weight: NDArray[np.floating],
    bias: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Convolves in float64 with PyTorch.

    Args:
        problem: Sizes.
        x: ``(N, C, *size)``.
        weight: ``(K, C / groups, *kernel)``.
        bias: ``(K,)`` or None.

    Returns:
        float64 ``(N, K, *output)``.
    """
    arrays = [torch.from_numpy(each.astype(np.float64)) for each in (x, weight)]
    added = None if bias is None else torch.from_numpy(bias.astype(np.float64))
    result = CONVOLUTIONS[len(problem.size)](
        *arrays, added, problem.stride, problem.padding, problem.dilation, problem.groups
    )
    return np.asarray(result.numpy(), np.float64)
