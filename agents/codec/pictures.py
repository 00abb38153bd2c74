"""Pictures that the codec learns from: decoded once, then cropped, scaled and turned at random."""

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from hardware_sim.errors import InputError

FOLDERS = ("cid22_train", "clic2025_train")
"""Folders of pictures, in the folder of the data."""

HELD_ONE_IN = 12
SMALLEST_SCALE = 0.5
"""Least factor by which a picture is scaled down before it is cropped."""

Picture = NDArray[np.uint8]


def data_folder() -> Path:
    """The folder that the environment variable ``GYMWORKS_CODEC_DATA`` names.

    Raises:
        InputError: There is none, or it lacks one of :data:`FOLDERS`.
    """
    named = os.environ.get("GYMWORKS_CODEC_DATA")
    if not named:
        raise InputError("GYMWORKS_CODEC_DATA must name a folder with " + " and ".join(FOLDERS))
    for name in FOLDERS:
        if not Path(named, name).is_dir():
            raise InputError(f"GYMWORKS_CODEC_DATA={named} has no folder {name}")
    return Path(named)


def read(folder: Path) -> tuple[list[Picture], list[Picture]]:
    """Pictures uint8 ``(H, W, 3)`` to learn from, and others to choose by, one in twelve."""
    files = [path for name in FOLDERS for path in sorted((folder / name).iterdir())]
    learned: list[Picture] = []
    held: list[Picture] = []
    for number, path in enumerate(path for path in files if path.suffix in (".jpg", ".png")):
        with Image.open(path) as image:
            picture = np.asarray(image.convert("RGB"))
        (held if number % HELD_ONE_IN == 0 else learned).append(picture)
    return learned, held


def tensor(picture: Picture) -> Tensor:
    """A picture as float32 ``(3, H, W)``, values 0 to 1."""
    return torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255


def crops(pictures: list[Picture], count: int, side: int, rng: np.random.Generator) -> Tensor:
    """Random squares float32 ``(count, 3, side, side)``, mirrored and turned, half of them scaled.

    Args:
        pictures: Pictures, each taken as often as it has pixels.
        count: Number of squares.
        side: Their side in pixels.
        rng: Decides everything.
    """
    sizes = np.array([picture.shape[0] * picture.shape[1] for picture in pictures], float)
    chosen = rng.choice(len(pictures), count, p=sizes / sizes.sum())
    return torch.stack([tensor(_crop(pictures[each], side, rng)) for each in chosen])


def _crop(picture: Picture, side: int, rng: np.random.Generator) -> Picture:
    height, width = picture.shape[:2]
    scale = rng.uniform(SMALLEST_SCALE, 1) if rng.random() < 0.5 else 1.0
    taken = min(round(side / scale), height, width)
    top, left = rng.integers(height - taken + 1), rng.integers(width - taken + 1)
    square = picture[top : top + taken, left : left + taken]
    if taken != side:
        resized = Image.fromarray(square).resize((side, side), Image.Resampling.LANCZOS)
        square = np.asarray(resized)
    turned: Picture = np.rot90(square, int(rng.integers(4)))
    return turned[:, ::-1] if rng.random() < 0.5 else turned
