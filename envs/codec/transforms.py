"""The transforms of the learned codec: pictures to maps of a sixteenth of their side, and back.

Both work at a quarter of the resolution from their first layer on, which is what makes them fast on
a processor, and grow wider as the maps grow smaller. Dense residual blocks where the maps are
large, depthwise ones where they are small and must see far.

Beside these networks runs a linear map of blocks of 16x16 pixels. It begins as the cosine transform
of JPEG, so that training does not have to find out first what a picture is.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

STRIDE = 16
"""Pixels of a picture's side to one place of the latent maps."""

FRONT = 4
"""Side of the square of pixels that the first layer takes as one place."""

WIDTHS = (64, 96, 192)
"""Channels at a quarter, an eighth and a sixteenth of the resolution."""

LATENTS = 128
COLOURS = 3
_SLOPE = 0.1


_COLOURS = np.array([[1, 1, 1], [-1, 0, 1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
_SPREAD = np.array([10.0, 1.5, 1.0])
_FALL = 1.3
_SHARE = 0.1
"""Scale of the networks' last weights at first, beside the linear path's."""


def cosines(latents: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """An orthonormal basis of blocks, and how widely pictures usually spread along it.

    Args:
        latents: Number of basis vectors, those of the widest spread first.

    Returns:
        Basis ``(latents, 3 * 16 * 16)`` and deviations ``(latents,)`` for values of -1 to 1.
    """
    places = np.arange(STRIDE)
    waves = np.cos(np.pi * (places + 0.5) * places[:, None] / STRIDE) * np.sqrt(2 / STRIDE)
    waves[0] /= np.sqrt(2)
    radius = np.hypot(*np.meshgrid(places, places, indexing="ij"))
    spread = _SPREAD[:, None, None] / (1 + radius) ** _FALL
    order = np.argsort(-spread, axis=None, kind="stable")[:latents]
    whole = np.einsum("kc,uy,vx->kuvcyx", _COLOURS, waves, waves)
    return whole.reshape(COLOURS * STRIDE**2, -1)[order], spread.ravel()[order]


class Residual(nn.Module):
    """Two dense 3x3 convolutions, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same shape."""
        result: Tensor = maps + self.body(maps)
        return result


class Depthwise(nn.Module):
    """A depthwise 5x5 convolution and two layers of each place by itself, added to their input.

    The depthwise one is always computed in float32, whose gradient is much faster.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 5, padding=2, groups=width),
            nn.Conv2d(width, 2 * width, 1),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(2 * width, width, 1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same shape."""
        with torch.autocast(maps.device.type, enabled=False):
            near = self.body[0](maps.float())
        result: Tensor = maps + self.body[1:](near)
        return result


class Analysis(nn.Module):
    """Pictures to latent maps.

    Args:
        widths: Channels at a quarter, an eighth and a sixteenth of the resolution.
        latents: Latent channels.
    """

    def __init__(self, widths: tuple[int, int, int] = WIDTHS, latents: int = LATENTS) -> None:
        super().__init__()
        quarter, eighth, sixteenth = widths
        self.body = nn.Sequential(
            nn.PixelUnshuffle(FRONT),
            nn.Conv2d(COLOURS * FRONT**2, quarter, 3, padding=1),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(quarter, eighth, 3, stride=2, padding=1),
            Residual(eighth),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(eighth, sixteenth, 3, stride=2, padding=1),
            Depthwise(sixteenth),
            Depthwise(sixteenth),
        )
        self.out = nn.Conv2d(sixteenth, latents, 1)
        blocks = nn.Conv2d(COLOURS * STRIDE**2, latents, 1, bias=False)
        self.blocks = nn.Sequential(nn.PixelUnshuffle(STRIDE), blocks)
        basis, _ = cosines(latents)
        with torch.no_grad():
            self.out.weight.mul_(_SHARE)
            blocks.weight.copy_(torch.from_numpy(basis)[:, :, None, None])

    def forward(self, pictures: Tensor) -> Tensor:
        """Latent maps float32 ``(B, M, H / 16, W / 16)``.

        Args:
            pictures: float32 ``(B, 3, H, W)``, values 0 to 1, sides multiples of 16.
        """
        centred = 2 * pictures - 1
        maps = self.body(centred)
        with torch.autocast(pictures.device.type, enabled=False):
            result: Tensor = self.out(maps.float()) + self.blocks(centred)
        return result


class Synthesis(nn.Module):
    """Latent maps to pictures.

    Args:
        widths: Channels at a quarter, an eighth and a sixteenth of the resolution.
        latents: Latent channels.
    """

    def __init__(self, widths: tuple[int, int, int] = WIDTHS, latents: int = LATENTS) -> None:
        super().__init__()
        quarter, eighth, sixteenth = widths
        last = nn.Conv2d(quarter, COLOURS * FRONT**2, 3, padding=1)
        self.body = nn.Sequential(
            nn.Conv2d(latents, sixteenth, 1),
            Depthwise(sixteenth),
            Depthwise(sixteenth),
            nn.Conv2d(sixteenth, 4 * eighth, 1),
            nn.PixelShuffle(2),
            Residual(eighth),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(eighth, 4 * quarter, 1),
            nn.PixelShuffle(2),
            nn.LeakyReLU(_SLOPE),
            last,
            nn.PixelShuffle(FRONT),
        )
        blocks = nn.Conv2d(latents, COLOURS * STRIDE**2, 1, bias=False)
        self.blocks = nn.Sequential(blocks, nn.PixelShuffle(STRIDE))
        basis, _ = cosines(latents)
        with torch.no_grad():
            last.weight.mul_(_SHARE)
            blocks.weight.copy_(torch.from_numpy(basis).T[:, :, None, None])

    def forward(self, latents: Tensor) -> Tensor:
        """Pictures float32 ``(B, 3, H, W)``, values about 0 to 1, not clipped.

        Args:
            latents: float32 ``(B, M, H / 16, W / 16)``.
        """
        shown = self.body(latents).float()
        with torch.autocast(latents.device.type, enabled=False):
            result: Tensor = (shown + self.blocks(latents)) / 2 + 0.5
        return result
