"""PyTorch's own convolutions, to compare with: eager, and oneDNN with weights packed beforehand."""

from collections.abc import Callable

import torch
from torch.nn import functional

from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.reference import CONVOLUTIONS

Run = Callable[[torch.Tensor], torch.Tensor]


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """The tensor in channels-last memory."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


def packed(problem: Problem, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Run:
    """Runs oneDNN with weights re-ordered beforehand, as ``torch.compile`` with freezing does it.

    Args:
        problem: A convolution in two or three dimensions.
        weight: float32 ``(K, C / groups, *kernel)``.
        bias: float32 ``(K,)`` or None.
    """
    sizes = [list(each) for each in (problem.padding, problem.stride, problem.dilation)]
    library = torch.ops.mkldnn
    ordered = library._reorder_convolution_weight(
        weight, *sizes, problem.groups, list(problem.input_shape)
    )

    def run(x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = library._convolution_pointwise(
            x, ordered, bias, *sizes, problem.groups, "none", [], ""
        )
        return result

    return run


def eager(problem: Problem, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Run:
    """Runs PyTorch as a user's ``torch.nn.Conv2d`` (1d, 3d) does."""
    convolution = CONVOLUTIONS[len(problem.size)]

    def run(x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = convolution(
            x, weight, bias, problem.stride, problem.padding, problem.dilation, problem.groups
        )
        return result

    return run


def best(problem: Problem, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Run:
    """The faster of the two: :func:`packed` in two and three dimensions where there is oneDNN."""
    has_packed = len(problem.size) > 1 and torch.backends.mkldnn.is_available()
    return (packed if has_packed else eager)(problem, weight, bias)


def unfolded(problem: Problem, weight: torch.Tensor) -> Run:
    """im2col as a user of PyTorch writes it: unfold, then a matrix product; two dimensions."""
    matrix = weight.reshape(len(weight), -1)

    def run(x: torch.Tensor) -> torch.Tensor:
        columns = functional.unfold(
            x, problem.kernel, problem.dilation, problem.padding, problem.stride
        )
        return (matrix @ columns).reshape(problem.output_shape)

    return run
