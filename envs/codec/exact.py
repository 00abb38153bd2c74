"""The decoder's side of the entropy model in integers, the same on every machine.

Every layer is a sum of convolutions of integers in float32 whose every partial sum stays below
2^23: exact in any order of summation, on any number of threads, in any memory layout. A layer's
result is divided by a power of two for each channel and rounded down, which is exact as well. The
integers are found from the trained weights with IEEE's basic operations in double precision, so
that every machine finds the same ones.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from envs.codec.entropy import FIRST, ORDER, SEEN, SIDE, EntropyModel, Phase, Rectifier
from envs.codec.tables import FRACTION, SCALES
from hardware_sim.errors import InputError

REACH = 127
"""Largest magnitude of the side information's symbols; larger ones count as this."""

LEVELS = 255
"""Largest value of a hidden unit."""

PER_QUALITY = 16
"""Steps of the quality's scale to one quality of the table of gains."""

_LIMIT = 2.0**23
_LEAST_SHIFT = -9
_LOG_LEAST, _LOG_STEP = -2.302585092994046, 0.1135653
"""Logarithm of the least deviation, and of the ratio of one to the next."""

_MEAN_REACH = REACH * 4 * FRACTION

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Source:
    """One convolution of a layer.

    Attributes:
        weight: Weights ``(out, in, height, width)``.
        unit: What one of the input's integers stands for, by channel ``(in,)``.
        largest: Largest magnitude of the input's integers, by channel ``(in,)``.
    """

    weight: Doubles
    unit: Doubles
    largest: Doubles


class Layer:
    """A sum of convolutions of integers, divided and rounded down to integers within bounds.

    Args:
        sources: The convolutions.
        bias: What is added, ``(out,)``.
        unit: What one of the result's integers stands for, by channel ``(out,)``.
        lowest: Least value of the result's integers.
        highest: Largest.
    """

    def __init__(
        self, sources: list[Source], bias: Doubles, unit: Doubles, lowest: int, highest: int
    ) -> None:
        scaled = [
            each.weight * each.unit[:, None, None] / unit[:, None, None, None] for each in sources
        ]
        factor = 2.0 ** _shift(sources, scaled, bias / unit)
        weights = [np.rint(each * factor[:, None, None, None]) for each in scaled]
        bias = np.rint(bias / unit * factor) + np.floor(factor / 2)
        assert (_largest(sources, weights) + np.abs(bias)).max() < _LIMIT
        self.weights = [torch.from_numpy(each.astype(np.float32)) for each in weights]
        self.bias = torch.from_numpy(bias.astype(np.float32))
        self.divisor = torch.from_numpy((1 / factor).astype(np.float32)).view(-1, 1, 1)
        self.lowest, self.highest = lowest, highest

    def __call__(self, *maps: Tensor, padding: int = 0) -> Tensor:
        """Integers as float32 ``(1, out, H, W)`` of integers ``(1, in, H, W)`` for each source."""
        total = functional.conv2d(maps[0], self.weights[0], self.bias, padding=padding)
        for each, weight in zip(maps[1:], self.weights[1:], strict=True):
            total = total + functional.conv2d(each, weight)
        return (total * self.divisor).floor_().clamp_(self.lowest, self.highest)


def _largest(sources: list[Source], weights: list[Doubles]) -> Doubles:
    """Bound of the magnitude of a layer's sums, by channel ``(out,)``."""
    bounds = [
        np.abs(weight).sum(axis=(2, 3)) @ source.largest
        for source, weight in zip(sources, weights, strict=True)
    ]
    total: Doubles = np.sum(bounds, axis=0)
    return total


def _shift(sources: list[Source], scaled: list[Doubles], bias: Doubles) -> Doubles:
    """Powers of two ``(out,)`` by which weights can grow with their sums below the limit.

    Raises:
        InputError: Weights are so large that there is none.
    """
    size = _largest(sources, scaled) + np.abs(bias) + 1
    rounding = 1 + sum(each.weight[0, 0].size * each.largest.sum() for each in sources) / 2
    shift = np.full(len(bias), _LEAST_SHIFT)
    for power in range(_LEAST_SHIFT + 1, 21):
        shift[size * 2.0**power + rounding < _LIMIT] = power
    if (shift == _LEAST_SHIFT).any():
        raise InputError("the network's weights are too large for exact sums of integers")
    return shift


def _doubles(values: Tensor) -> Doubles:
    return values.detach().cpu().double().numpy()


def _source(layer: nn.Module, unit: Doubles | float, largest: Doubles | int) -> Source:
    assert isinstance(layer, nn.Conv2d)
    weight = _doubles(layer.weight)
    inputs = weight.shape[1]
    units, bounds = (np.broadcast_to(np.asarray(each, float), inputs) for each in (unit, largest))
    return Source(weight, units, bounds)


def _bias(layer: nn.Module) -> Doubles:
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    return _doubles(layer.bias)


def _unit(rectifier: nn.Module) -> Doubles:
    assert isinstance(rectifier, Rectifier)
    return _doubles(rectifier.ceiling) / LEVELS


class ExactPhase:
    """Distributions of the symbols at one place of every 2x2 square, in integers.

    Args:
        phase: The trained network.
        side: What the integers of the side's features stand for, by channel.
        reach: Largest magnitudes of symbols that predict others, by channel.
    """

    def __init__(self, phase: Phase, side: Doubles, reach: Doubles) -> None:
        self.place = phase.place
        known, middle = _unit(phase.bound), _unit(phase.first[1])
        mixed = _unit(phase.rest[0])
        sources = [_source(phase.side, side, LEVELS)]
        sources += [_source(layer, 1.0, reach) for layer in phase.near]
        self.known_layer = Layer(sources, _bias(phase.side), known, 0, LEVELS)
        self.first_hidden = Layer(
            [_source(phase.first[0], known, LEVELS)], _bias(phase.first[0]), middle, 0, LEVELS
        )
        self.first_out = _outlet(phase.first[2], middle)
        self.mixed = Layer(
            [_source(phase.middle, known, LEVELS), _source(phase.group, 1.0, reach[:FIRST])],
            _bias(phase.middle),
            mixed,
            0,
            LEVELS,
        )
        self.rest_out = _outlet(phase.rest[1], mixed)

    def known(self, side: Tensor, coded: dict[int, Tensor]) -> Tensor:
        """Hidden integers ``(1, 128, H, W)``; see :meth:`envs.codec.entropy.Phase.known`."""
        near = [functional.pad(coded[source], pad) for source, _, pad in SEEN[self.place]]
        return self.known_layer(side, *near)

    def of_first(self, known: Tensor) -> tuple[Tensor, Tensor]:
        """Means in sixteenths and indices of deviations of the first group's symbols."""
        return _split(self.first_out(self.first_hidden(known)))

    def of_rest(self, known: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Means in sixteenths and indices of deviations of the others."""
        return _split(self.rest_out(self.mixed(known, first)))


def _outlet(layer: nn.Module, unit: Doubles) -> Layer:
    """The layer that gives means in sixteenths, then indices of deviations."""
    bias = _bias(layer)
    half = len(bias) // 2
    bias[half:] -= _LOG_LEAST
    units = np.repeat([1 / FRACTION, _LOG_STEP], half)
    return Layer([_source(layer, unit, LEVELS)], bias, units, -_MEAN_REACH, _MEAN_REACH)


def _split(maps: Tensor) -> tuple[Tensor, Tensor]:
    mean, index = maps.chunk(2, dim=1)
    return mean, index.clamp(0, SCALES - 1)


class ExactEntropy:
    """The entropy model as the file format means it.

    Args:
        model: The trained entropy model, its rectifiers' ceilings measured.

    Attributes:
        reach: Magnitudes int64 ``(M,)`` as which larger symbols count where they predict others.
    """

    def __init__(self, model: EntropyModel) -> None:
        body = model.side_synthesis.body
        one, two, three = _unit(body[2]), _unit(body[4]), _unit(body[6])
        units = np.append(np.ones(SIDE), 1 / PER_QUALITY)
        self.up = Layer(
            [_source(body[0], units, REACH)], _bias(body[0]), np.repeat(one, 4), 0, LEVELS
        )
        self.middle = Layer([_source(body[3], one, LEVELS)], _bias(body[3]), two, 0, LEVELS)
        self.last = Layer([_source(body[5], two, LEVELS)], _bias(body[5]), three, 0, LEVELS)
        self.reach = np.rint(_doubles(model.reach)).astype(np.int64)
        self.phases = [
            ExactPhase(phase, three, self.reach.astype(np.float64)) for phase in model.in_order()
        ]
        assert [phase.place for phase in self.phases] == list(ORDER)
        self.first = FIRST
        scale = np.rint((_doubles(model.side_scale) - _LOG_LEAST) / _LOG_STEP)
        self.side_index = np.clip(scale, 0, SCALES - 1).astype(np.int64)
        self.side_mean = np.rint(_doubles(model.side_mean) * FRACTION).astype(np.int64)

    def features(self, side: Tensor, quality: int) -> Tensor:
        """Integers ``(1, 160, 2 H, 2 W)`` that describe each 2x2 square of the latent maps.

        Args:
            side: Symbols of the side information, float32 ``(1, 64, H, W)``.
            quality: In steps of 1 / :data:`PER_QUALITY`.
        """
        level = torch.full_like(side[:, :1], quality)
        joined = torch.cat([side.clamp(-REACH, REACH), level], dim=1)
        up = functional.pixel_shuffle(self.up(joined), 2)
        return self.last(self.middle(up, padding=1), padding=1)
