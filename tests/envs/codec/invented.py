"""Pictures and a network that no file holds."""

import numpy as np
import torch
from numpy.typing import NDArray

from agents.codec.ceilings import measure_ceilings
from agents.codec.pictures import tensor
from envs.codec.network import CodecNetwork


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A picture uint8 ``(H, W, 3)`` of slopes, edges and some noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width] / 64
    shades = []
    for _ in range(3):
        a, b, c, d = rng.normal(size=4)
        wave = 0.5 + 0.3 * np.sin(a * rows + b * columns + c)
        shades.append(wave + 0.2 * (np.sin(4 * d * rows - 3 * a * columns) > 0.3))
    noise = rng.normal(0, 0.02, (height, width, 3))
    found: NDArray[np.uint8] = (np.clip(np.stack(shades, 2) + noise, 0, 1) * 255).astype(np.uint8)
    return found


def network(seed: int = 0) -> CodecNetwork:
    """An untrained network whose ceilings are measured."""
    torch.manual_seed(seed)
    found = CodecNetwork()
    measure_ceilings(found, [tensor(picture(128, 128, seed)), tensor(picture(128, 192, seed + 1))])
    return found
