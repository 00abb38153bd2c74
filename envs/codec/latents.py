"""Quantised latent maps to bytes and back, in the exact entropy model."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from envs.codec.entropy import SIDE
from envs.codec.exact import ExactEntropy
from envs.codec.symbols import Reader, Writer

Integers = NDArray[np.int64]
Code = Callable[[int, slice, Integers, Integers], Integers]
"""Codes the symbols of a place and channels, given means and indices; returns the symbols."""


@dataclass(frozen=True, eq=False)
class Distributed:
    """Latent maps and the distributions that they were coded by.

    Attributes:
        symbols: int64 ``(M, H, W)``.
        mean: Means of the symbols in sixteenths, int64 ``(M, H, W)``.
        index: Indices of their deviations in :func:`envs.codec.tables.scales`.
    """

    symbols: Integers
    mean: Integers
    index: Integers


def written(
    entropy: ExactEntropy, side: Integers, symbols: Integers, quality: int
) -> tuple[bytes, Distributed]:
    """Latent maps as bytes, and with their distributions.

    Args:
        entropy: The entropy model.
        side: Symbols of the side information ``(64, H / 4, W / 4)``.
        symbols: Latent maps ``(M, H, W)``.
        quality: See :meth:`envs.codec.exact.ExactEntropy.features`.
    """
    writer = Writer()
    writer.write(side.ravel(), *_of_side(entropy, side.shape[1:]))
    squares = _squares(symbols)

    def code(place: int, group: slice, mean: Integers, index: Integers) -> Integers:
        found = squares[group, place]
        writer.write(found.ravel(), mean.ravel(), index.ravel())
        return found

    found = _coded(entropy, side, quality, len(symbols), code)
    return writer.bytes(), found


def read(
    entropy: ExactEntropy, data: bytes, shape: tuple[int, int, int], quality: int
) -> Distributed:
    """Latent maps from bytes.

    Args:
        entropy: The entropy model.
        data: What :func:`written` gave.
        shape: Shape ``(M, H, W)`` of the maps.
        quality: As it was when they were written.

    Raises:
        InputError: The bytes are damaged.
    """
    reader = Reader(data)
    channels, height, width = shape
    size = (height // 4, width // 4)
    side = reader.read(*_of_side(entropy, size)).reshape(SIDE, *size)

    def code(place: int, group: slice, mean: Integers, index: Integers) -> Integers:
        return reader.read(mean.ravel(), index.ravel()).reshape(mean.shape)

    return _coded(entropy, side, quality, channels, code)


def _of_side(entropy: ExactEntropy, size: tuple[int, ...]) -> tuple[Integers, Integers]:
    places = size[0] * size[1]
    return np.repeat(entropy.side_mean, places), np.repeat(entropy.side_index, places)


@torch.inference_mode()
def _coded(
    entropy: ExactEntropy, side: Integers, quality: int, channels: int, code: Code
) -> Distributed:
    features = entropy.features(torch.from_numpy(side.astype(np.float32))[None], quality)
    height, width = features.shape[-2:]
    squares = np.zeros((3, channels, 4, height, width), np.int64)
    groups = (slice(0, entropy.first), slice(entropy.first, channels))
    coded: dict[int, Tensor] = {}
    for phase in entropy.phases:
        known = phase.known(features, coded)
        distributions = phase.of_first(known)
        for group in groups:
            mean, index = (each[0].numpy().astype(np.int64) for each in distributions)
            symbols = code(phase.place, group, mean, index)
            squares[:, group, phase.place] = symbols, mean, index
            if group is groups[0]:
                first = _seen(symbols, entropy.reach[group])
                distributions = phase.of_rest(known, first)
        coded[phase.place] = _seen(squares[0, :, phase.place], entropy.reach)
    maps = torch.from_numpy(squares.reshape(3, channels * 4, height, width))
    symbols, mean, index = functional.pixel_shuffle(maps, 2).numpy()
    return Distributed(symbols, mean, index)


def _seen(symbols: Integers, reach: Integers) -> Tensor:
    """Symbols as others are predicted from them, float32 (1, C, H, W)."""
    bound = reach[:, None, None]
    return torch.from_numpy(np.clip(symbols, -bound, bound).astype(np.float32))[None]


def _squares(symbols: Integers) -> Integers:
    """Latent maps (M, H, W) as (M, 4, H / 2, W / 2), the places of each 2x2 square."""
    channels, height, width = symbols.shape
    found = functional.pixel_unshuffle(torch.from_numpy(symbols)[None], 2)[0].numpy()
    squares: Integers = found.reshape(channels, 4, height // 2, width // 2)
    return squares
