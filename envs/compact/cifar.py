"""CIFAR-10 (Krizhevsky, 2009) from a folder: its public Python batches, or pictures by class.

The batches are ``cifar-10-python.tar.gz`` from https://www.cs.toronto.edu/~kriz/cifar.html,
unpacked. The dataset is published for research and states no licence, so none of it is shipped.
"""

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hardware_sim.errors import InputError
from hardware_sim.reading import parse_picture, read_bytes

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
MEAN = torch.tensor([0.4914, 0.4822, 0.4465])
"""Mean of the training pictures' channels, each from 0 to 1."""

DEVIATION = torch.tensor([0.2470, 0.2435, 0.2616])


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures, ready for a network.

    Attributes:
        inputs: Normalised, float32 ``(n, 3, 32, 32)``.
        labels: int64 ``(n,)``, 0 to 9 in the order of :data:`CLASSES`.
    """

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor) -> "Pictures":
        """The pictures of an index."""
        return Pictures(self.inputs[index], self.labels[index])


@dataclass(frozen=True)
class Splits:
    """Pictures to train on, to choose by, and to report on."""

    train: Pictures
    validation: Pictures
    test: Pictures


def load_splits(folder: str | Path, validation: int = 2_000, seed: int = 0) -> Splits:
    """Loads CIFAR-10, or a part of it, and keeps a part of the training pictures for choosing.

    Args:
        folder: Holds ``data_batch_1`` to ``data_batch_5`` and ``test_batch`` (of the Python
            version), or pictures as ``train/CLASS/*`` and ``test/CLASS/*``.
        validation: Number of training pictures that become the validation split.
        seed: Draws them.

    Raises:
        InputError: The folder holds neither, or fewer training pictures than that.
    """
    path = Path(folder)
    if (path / "test_batch").is_file():
        batches = sorted(path.glob("data_batch_*"))
        train = _join([_read_batch(batch) for batch in batches])
        test = _join([_read_batch(path / "test_batch")])
    elif (path / "train").is_dir() and (path / "test").is_dir():
        train, test = _read_pictures(path / "train"), _read_pictures(path / "test")
    else:
        raise InputError(
            f"{path} holds no CIFAR-10; expected data_batch_1 to 5 and test_batch (unpacked from "
            "cifar-10-python.tar.gz), or pictures as train/CLASS/* and test/CLASS/*"
        )
    if len(train) <= validation:
        raise InputError(
            f"{path} has {len(train)} training pictures; more than {validation} are needed"
        )
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    return Splits(train.take(order[validation:]), train.take(order[:validation]), test)


def _normalised(pixels: Tensor, labels: list[int]) -> Pictures:
    """Pictures from bytes ``(n, 3, 32, 32)``."""
    inputs = (pixels.float() / 255 - MEAN[:, None, None]) / DEVIATION[:, None, None]
    return Pictures(inputs, torch.tensor(labels))


class _Arrays(pickle.Unpickler):
    """Loads arrays and plain values and nothing that could run code."""

    ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
    }  # fmt: skip

    def find_class(self, module: str, name: str) -> Any:
        """A class that the batches need."""
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a CIFAR-10 batch")
        return super().find_class(module, name)


def _read_batch(path: Path) -> tuple[Tensor, list[int]]:
    """Pixels and labels of one batch of the Python version."""
    content = io.BytesIO(read_bytes(path))
    try:
        batch = _Arrays(content, encoding="latin1").load()
        pixels = np.asarray(batch["data"], np.uint8).reshape(-1, 3, 32, 32)
        return torch.from_numpy(pixels.copy()), [int(label) for label in batch["labels"]]
    except Exception as error:  # unpickling raises whatever malformed bytes lead it to
        raise InputError(f"{path} is no CIFAR-10 batch: {error}") from error


def _join(parts: list[tuple[Tensor, list[int]]]) -> Pictures:
    if not parts:
        raise InputError("there is a test_batch but no data_batch_1 to 5 beside it")
    return _normalised(
        torch.cat([pixels for pixels, _ in parts]), [label for _, part in parts for label in part]
    )


def _read_pictures(folder: Path) -> Pictures:
    """Pictures from one folder a class."""
    pixels, labels = [], []
    for label, name in enumerate(CLASSES):
        for path in sorted((folder / name).glob("*")):
            try:
                picture = parse_picture(read_bytes(path))
            except InputError as error:
                raise InputError(f"{path} cannot be read: {error}") from error
            if picture.shape != (32, 32, 3):
                raise InputError(f"{path} is {picture.shape[:2]}; expected 32 x 32 pixels")
            pixels.append(picture)
            labels.append(label)
    if not pixels:
        raise InputError(f"{folder} has no pictures in folders called {', '.join(CLASSES)}")
    return _normalised(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2), labels)
