"""The network of the learned codec: one for all rates, by a gain for each channel and quality.

Analysis, gains and rounding, the entropy model, inverse gains, synthesis. Qualities lie between
0 and :data:`FINEST`, any number in between by interpolation of the gains.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from envs.codec import entropy
from envs.codec.entropy import EntropyModel
from envs.codec.transforms import LATENTS, WIDTHS, Analysis, Synthesis, cosines

QUALITIES = 8
FINEST = QUALITIES - 1
"""The largest quality."""

_COARSEST_GAIN, _STEP = 2.0, 0.3
_MIDDLE_GAIN = 5.0


class Gains(nn.Module):
    """Steps of the quantiser: a gain for each channel, larger for a larger quality.

    Args:
        latents: Latent channels.
    """

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.coarsest = nn.Parameter(torch.full((latents,), _COARSEST_GAIN).log())
        growth = torch.full((FINEST, latents), _STEP)
        self.growth = nn.Parameter(growth.expm1().log())

    def forward(self, quality: Tensor) -> Tensor:
        """Gains float32 ``(B, M, 1, 1)`` for qualities ``(B,)``."""
        steps = torch.cat([self.coarsest[None], functional.softplus(self.growth)])
        table = steps.cumsum(dim=0)
        low = quality.floor().clamp(0, FINEST - 1).long()
        share = (quality - low)[:, None]
        gains = torch.lerp(table[low], table[low + 1], share).exp()
        return gains[:, :, None, None]


@dataclass(frozen=True, eq=False)
class Coded:
    """Pictures after the codec.

    Attributes:
        pictures: float32 ``(B, 3, H, W)``, values about 0 to 1, not clipped.
        bits: float32 ``(B,)``, what each costs.
    """

    pictures: Tensor
    bits: Tensor


class CodecNetwork(nn.Module):
    """A learned codec for pictures in RGB.

    Args:
        widths: Channels of the transforms, see :class:`envs.codec.transforms.Analysis`.
        latents: Latent channels.
    """

    def __init__(self, widths: tuple[int, int, int] = WIDTHS, latents: int = LATENTS) -> None:
        super().__init__()
        self.analysis = Analysis(widths, latents)
        self.gains = Gains(latents)
        self.entropy = EntropyModel(latents)
        self.synthesis = Synthesis(widths, latents)
        _, spread = cosines(latents)
        self.entropy.expect(torch.from_numpy(spread).float() * _MIDDLE_GAIN)

    def forward(self, pictures: Tensor, quality: Tensor) -> Coded:
        """Pictures as they come out, and their estimated bits.

        Args:
            pictures: float32 ``(B, 3, H, W)``, values 0 to 1, of any size: they are padded inside.
            quality: float32 ``(B,)``, each 0 to :data:`FINEST`.
        """
        height, width = pictures.shape[-2:]
        gains = self.gains(quality)
        latents = self.analysis(padded(pictures)) * gains
        found, bits = self.entropy(latents, quality)
        shown = self.synthesis(found / gains)
        return Coded(shown[:, :, :height, :width], bits)


def padded(pictures: Tensor) -> Tensor:
    """Pictures with their last row and column repeated up to multiples of 64."""
    height, width = pictures.shape[-2:]
    pad = (0, -width % entropy.STRIDE, 0, -height % entropy.STRIDE)
    return functional.pad(pictures, pad, mode="replicate") if any(pad) else pictures
