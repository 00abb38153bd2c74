"""The real thing behind the table: compacts, tunes briefly, and times."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from envs.compact.cifar import Splits, load_splits
from envs.compact.compaction import compact
from envs.compact.costs import deployed, interleaved_seconds
from envs.compact.network import IMAGE_SHAPE, WIDTHS, small_cnn
from envs.compact.tuning import accuracy, fine_tune
from hardware_sim.errors import InputError

CALIBRATION = 1_024
TUNING_EPOCHS = 0.25
TUNING_RATE = 0.02
ROUNDS = 20


def judge_accuracy(original: nn.Module, kept: Sequence[int], pictures: Splits) -> float:
    """Validation accuracy after compaction to the given channels and a quarter of an epoch."""
    names = [f"conv{i}" for i in range(1, len(kept) + 1)]
    images = pictures.train.inputs[:CALIBRATION]
    model = compact(original, dict(zip(names, kept, strict=True)), images).model
    fine_tune(model, pictures.train, TUNING_EPOCHS, 0, teacher=original, rate=TUNING_RATE)
    return accuracy(model, pictures.validation)


class MeasuredJudge:
    """Compacts, tunes and times a network for every choice that it is asked about.

    Args:
        data: Folder of CIFAR-10; see :func:`envs.compact.cifar.load_splits`.
        network: Weights of the trained network, a safetensors file that
            ``python -m experiments.compact.table`` leaves in its run folder.

    Raises:
        InputError: One of them is missing or is something else.
    """

    def __init__(self, data: str | None, network: str | None) -> None:
        if data is None or network is None:
            raise InputError(
                'backend="measured" needs data=FOLDER (CIFAR-10) and network=FILE (the weights '
                "original-0.safetensors that python -m experiments.compact.table leaves)"
            )
        if not Path(network).is_file():
            raise InputError(f"network {network} is no file")
        self.original = small_cnn()
        try:
            self.original.load_state_dict(load_file(network))
        except (RuntimeError, ValueError) as error:
            raise InputError(f"network {network} does not fit: {error}") from error
        self.original.eval()
        self.pictures = load_splits(data)
        self.whole = accuracy(self.original, self.pictures.validation)

    def __call__(self, kept: Sequence[int], batch: int) -> tuple[float, float]:
        """The speed-up, and the points of validation accuracy lost."""
        inputs = torch.zeros(batch, *IMAGE_SHAPE).to(memory_format=torch.channels_last)
        if tuple(kept) == WIDTHS:
            return 1.0, 0.0
        before, after = interleaved_seconds(
            [(deployed(self.original), inputs), (deployed(small_cnn(kept)), inputs)], ROUNDS
        )
        lost = 100 * (self.whole - judge_accuracy(self.original, kept, self.pictures))
        return before / after, lost
