"""Trains small image classifiers, by labels and by another network's outputs."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from envs.compact.cifar import Pictures
from hardware_sim.errors import InputError

BATCH = 128
WEIGHT_DECAY = 5e-4
TEMPERATURE = 4.0
TEACHER_SHARE = 0.95
"""Weight of the teacher's outputs against the labels (Hinton, Vinyals, Dean, 2015)."""


def fine_tune(
    model: nn.Module,
    pictures: Pictures,
    epochs: float,
    seed: int,
    teacher: nn.Module | None = None,
    rate: float = 0.05,
    progress: Callable[[], object] = lambda: None,
) -> nn.Module:
    """Trains a network in place: SGD with momentum, one cycle of the rate, flips and shifts.

    It runs where the model is; convolutions in bfloat16 where there are instructions for it.

    Args:
        model: A classifier; the teacher must be on the same device.
        pictures: The pictures to train on.
        epochs: Passes over the pictures; a part of a pass is taken from a shuffled order.
        seed: Seeds order, flips and shifts. Same seed, machine and number of threads, same result.
        teacher: A network whose outputs are to be matched as well, such as the original.
        rate: The highest learning rate.
        progress: Called after every step.

    Returns:
        The model, in evaluation mode.

    Raises:
        InputError: ``epochs`` is too little for a step.
    """
    steps = round(epochs * len(pictures) / BATCH)
    if steps < 1:
        raise InputError(f"{epochs} epochs of {len(pictures)} pictures are no step of {BATCH}")
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(
        model.parameters(), rate, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps, pct_start=0.25
    )
    for index in _batches(len(pictures), steps, generator):
        inputs = _augmented(pictures.inputs[index], generator).to(device)
        labels = pictures.labels[index].to(device)
        with _fast(device.type):
            outputs = model(inputs)
        loss = functional.cross_entropy(outputs.float(), labels)
        if teacher is not None:
            with torch.no_grad(), _fast(device.type):
                wanted = teacher(inputs)
            matching = _divergence(outputs.float(), wanted.float())
            loss = (1 - TEACHER_SHARE) * loss + TEACHER_SHARE * matching
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        progress()
    return model.eval()


def match(
    model: nn.Module,
    original: nn.Module,
    inputs: Tensor,
    epochs: float,
    seed: int,
    progress: Callable[[], object] = lambda: None,
) -> nn.Module:
    """Trains a classifier in place to match another one's outputs on pictures without labels.

    Args:
        model: The classifier to train, see :func:`fine_tune`.
        original: The other network, in evaluation mode.
        inputs: Pictures as both take them, float32 ``(n, channels, height, width)``.
        epochs: Passes over the pictures.
        seed: Seeds order, flips and shifts.
        progress: Called after every step.

    Returns:
        The model, in evaluation mode.

    Raises:
        InputError: The networks give no class scores ``(n, classes)``, or ``epochs`` is too little.
    """
    with torch.inference_mode():
        scores = torch.cat([original(some) for some in inputs.split(250)])
    if scores.ndim != 2:
        raise InputError(f"outputs are {tuple(scores.shape)}; only (n, classes) can be matched")
    pictures = Pictures(inputs, scores.argmax(dim=1))
    return fine_tune(model, pictures, epochs, seed, teacher=original, progress=progress)


@torch.inference_mode()
def accuracy(model: nn.Module, pictures: Pictures) -> float:
    """Share of pictures that a network labels right, 0 to 1, computed in float32."""
    model.eval()
    device = next(model.parameters()).device
    right = sum(
        int((model(inputs.to(device)).argmax(dim=1).cpu() == labels).sum())
        for inputs, labels in zip(
            pictures.inputs.split(250), pictures.labels.split(250), strict=True
        )
    )
    return right / len(pictures)


def _divergence(outputs: Tensor, wanted: Tensor) -> Tensor:
    """Kullback-Leibler divergence at a temperature, in units of its square."""
    return TEMPERATURE**2 * functional.kl_div(
        functional.log_softmax(outputs / TEMPERATURE, dim=1),
        functional.log_softmax(wanted / TEMPERATURE, dim=1),
        reduction="batchmean",
        log_target=True,
    )


def _fast(device: str) -> torch.autocast:
    """Lower precision where the processor computes in it."""
    enabled = device != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device, torch.bfloat16, enabled=enabled)


def _batches(count: int, steps: int, generator: torch.Generator) -> list[Tensor]:
    """Indices for each step, without repetition within a pass."""
    size = min(BATCH, count)
    found: list[Tensor] = []
    while len(found) < steps:
        order = torch.randperm(count, generator=generator)
        found.extend(part for part in order.split(size) if len(part) == size)
    return found[:steps]


def _augmented(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures flipped and shifted by up to four pixels, each in its own way."""
    count, _, height, width = inputs.shape
    padded = functional.pad(inputs, (4, 4, 4, 4), mode="reflect")
    down, right = torch.randint(9, (2, count, 1), generator=generator)
    rows = down + torch.arange(height)
    columns = right + torch.arange(width)
    flip = torch.rand(count, 1, generator=generator) < 0.5
    columns = torch.where(flip, columns.flip(1), columns)
    chosen = padded.permute(0, 2, 3, 1)[
        torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]
    ]
    return chosen.permute(0, 3, 1, 2)
