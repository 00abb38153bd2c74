"""Rate and similarity of a codec in training on held-out pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from envs.codec.curves import WANTED, rate_at
from envs.codec.network import FINEST, CodecNetwork
from envs.codec.similarity import ms_ssim
from hardware_sim.files import write_atomic

POINTS = (0.0, 1.75, 3.5, 5.25, 7.0)
"""Qualities at which pictures are coded."""

SHOWN = (1.75, 3.5, 5.25)
COLUMNS = (
    "step",
    *(f"{name}@{quality}" for quality in POINTS for name in ("bpp", "ms-ssim", "psnr")),
    *(f"bpp at {wanted}" for wanted in WANTED),
)


@torch.inference_mode()
def coded(network: CodecNetwork, picture: Tensor, quality: float) -> tuple[Tensor, float]:
    """A picture ``(3, H, W)`` as it comes out, values 0 to 1, and its bits per pixel."""
    device = next(network.parameters()).device
    batch = picture[None].to(device, memory_format=torch.channels_last)
    result = network(batch, torch.tensor([quality], device=device))
    pixels = picture.shape[1] * picture.shape[2]
    return result.pictures[0].clamp(0, 1).cpu(), result.bits.item() / pixels


def curve(network: CodecNetwork, pictures: Sequence[Tensor]) -> list[tuple[float, float, float]]:
    """Bits per pixel, MS-SSIM and PSNR at each of :data:`POINTS`, means over the pictures.

    The bits are the entropy model's estimate for rounded symbols.
    """
    points = []
    for quality in POINTS:
        figures = []
        for picture in pictures:
            shown, rate = coded(network, picture, quality)
            shown = (shown * 255).round() / 255
            similarity = ms_ssim(shown[None], picture[None]).item()
            error = (shown - picture).square().mean().item()
            figures.append((rate, similarity, -10 * np.log10(max(error, 1e-10))))
        points.append(tuple(float(value) for value in np.mean(figures, axis=0)))
    return [(rate, similarity, psnr) for rate, similarity, psnr in points]


def row(step: int, points: Sequence[tuple[float, float, float]]) -> list[str]:
    """The values of :data:`COLUMNS`, an empty one where the curve does not reach a similarity."""
    rates, similarities = [point[0] for point in points], [point[1] for point in points]
    wanted = [rate_at(similarities, rates, each) for each in WANTED]
    figures = [f"{value:.5f}" for point in points for value in point]
    return [str(step), *figures, *("" if rate is None else f"{rate:.4f}" for rate in wanted)]


def save_samples(network: CodecNetwork, pictures: Sequence[Tensor], path: Path) -> None:
    """Writes a picture with a row for each of the given ones: it, and it at three qualities."""
    assert max(SHOWN) <= FINEST
    rows = []
    for picture in pictures:
        shown = [picture, *(coded(network, picture, quality)[0] for quality in SHOWN)]
        rows.append(torch.cat(shown, dim=2))
    whole = (torch.cat(rows, dim=1) * 255).round().byte().permute(1, 2, 0).numpy()
    write_atomic(path, lambda file: Image.fromarray(whole).save(file, "PNG"))
