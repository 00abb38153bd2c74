"""Bits of quantised values under a normal distribution, and their conditional means."""

import math
from typing import Any

import torch
from torch import Tensor

LEAST_SCALE, MOST_SCALE = 0.1, 128.0
"""Deviations that a distribution may have, in steps of the quantiser."""

_LEAST_LIKELIHOOD = 2.0**-27
"""About that of a symbol that lies outside its table, as it is written."""


class _Bound(torch.autograd.Function):
    """The larger of a value and a bound; a gradient that would raise a lesser value passes."""

    @staticmethod
    def forward(context: Any, values: Tensor, bound: float) -> Tensor:
        context.save_for_backward(values)
        context.bound = bound
        return values.clamp_min(bound)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (values,) = context.saved_tensors
        return gradient * ((values >= context.bound) | (gradient < 0)), None


def at_least(values: Tensor, bound: float) -> Tensor:
    """The larger of each value and a bound, trainable below the bound."""
    result: Tensor = _Bound.apply(values, bound)  # type: ignore[no-untyped-call]
    return result


def scale_of(logarithm: Tensor) -> Tensor:
    """Deviations from their natural logarithms, within the bounds."""
    bounded = at_least(logarithm, math.log(LEAST_SCALE)).clamp_max(math.log(MOST_SCALE))
    return bounded.exp()


def rounded(values: Tensor) -> Tensor:
    """Nearest integers; the gradient passes as if nothing had been rounded."""
    return values + (values.round() - values).detach()


def noisy(values: Tensor) -> Tensor:
    """Values with uniform noise of one step, a differentiable stand-in for rounded ones."""
    return values + torch.empty_like(values).uniform_(-0.5, 0.5)


def bits(values: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Bits float32 that integers (or noisy values) cost under normal distributions.

    Args:
        values: Values in steps of the quantiser.
        mean: Means of the distributions, in steps.
        scale: Their deviations, in steps.
    """
    away = (values - mean).abs()
    unit = 1 / (scale * math.sqrt(2))
    inside = torch.erfc((away - 0.5) * unit) - torch.erfc((away + 0.5) * unit)
    return -torch.log2(at_least(inside / 2, _LEAST_LIKELIHOOD))


def expected(symbols: Tensor, mean: Tensor, scale: Tensor, width: float = 1.0) -> Tensor:
    """Values that quantised ones stand for: near the mean of the distribution within the bin.

    The shift from the bin's middle is exact for narrow and for wide distributions, and near it
    between them.

    Args:
        symbols: Middles of the bins.
        mean: Means of the distributions.
        scale: Their deviations.
        width: Width of a bin.
    """
    shift = (mean - symbols) / (1 + 12 * (scale / width) ** 2)
    return symbols + shift.clamp(-width / 2, width / 2)
