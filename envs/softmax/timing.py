"""Times output layers on the device at hand."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from envs.softmax.costs import KINDS, CostTable, proportional
from hardware_sim.errors import InputError, choose
from hardware_sim.host import processor
from hardware_sim.timing import check_device, clock_of, interleaved

LARGEST_LOGITS = 2**24
LARGEST_WEIGHT = 2**25
LARGEST_PRODUCT = 2**32
"""Layers with more logits, more weights or more multiplications than these are not timed but
scaled from smaller ones, so that a table takes little memory and less than a minute."""

LEAST_TURNS, MOST_TURNS = 2, 15
TURN_S = 0.004
"""A turn repeats a short layer for so long: the first run finds cold caches."""


def measure(
    hidden: Sequence[int],
    rows: Sequence[int],
    words: Sequence[int],
    kind: str = "training",
    device: str = "cpu",
) -> CostTable:
    """Measures a cost table on this machine, with as many threads as torch uses.

    Args:
        hidden: Widths, rising.
        rows: Batch sizes, rising from 1.
        words: Numbers of classes, rising.
        kind: ``"training"`` or ``"forward"``.
        device: Device of torch.

    Raises:
        InputError: An axis is empty, not rising or below 1, or the device cannot be used.
    """
    choose("kind", kind, KINDS)
    check_device(device)
    axes = [np.array(axis, np.float64) for axis in (hidden, rows, words)]
    if any(len(axis) == 0 or axis[0] < 1 for axis in axes):
        raise InputError("hidden, rows and words each need at least one size, of 1 or more")
    ms = np.full([len(axis) for axis in axes], np.nan)
    sizes = [
        (i, j, k)
        for i, d in enumerate(hidden)
        for j, b in enumerate(rows)
        for k, v in enumerate(words)
        if b * v <= LARGEST_LOGITS and v * d <= LARGEST_WEIGHT and b * v * d <= LARGEST_PRODUCT
    ]
    if (0, 0, 0) not in sizes:
        raise InputError(f"the smallest layer, {words[0]} words of width {hidden[0]}, is too large")
    buffer = torch.randn(max(words[k] * hidden[i] for i, _, k in sizes), device=device)
    now = clock_of(device)
    timings = interleaved(
        {(i, j, k): layer(buffer, rows[j], hidden[i], words[k], kind) for i, j, k in sizes},
        clock=now,
        wall=now,  # or a table would take long while other programs run
        turn_s=TURN_S,
        least=LEAST_TURNS,
        most=MOST_TURNS,
        limit_s=math.inf,
        separately=True,
    )
    for place, timing in timings.items():
        ms[place] = timing.best * 1e3
    proportional(axes, ms)
    return CostTable(axes[0], axes[1], axes[2], ms, kind, machine(device))


def layer(buffer: Tensor, rows: int, hidden: int, words: int, kind: str) -> Callable[[], object]:
    """A run of one layer: product, log-softmax and loss, and for training the gradients.

    Args:
        buffer: Holds ``words * hidden`` numbers or more, the weights; it is not copied.
        rows: Batch.
        hidden: Width.
        words: Classes.
        kind: ``"training"`` or ``"forward"``.
    """
    weight = buffer[: words * hidden].view(words, hidden).detach()
    states = torch.randn(rows, hidden, device=buffer.device)
    targets = torch.randint(words, (rows,), device=buffer.device)

    def forward() -> None:
        with torch.no_grad():
            cross_entropy(linear(states, weight), targets)

    def training() -> None:
        inputs = (states.requires_grad_(), weight.detach().requires_grad_())
        torch.autograd.grad(cross_entropy(linear(*inputs), targets), inputs)

    return training if kind == "training" else forward


def machine(device: str = "cpu") -> dict[str, str | int]:
    """The device, processor and torch that this process measures."""
    found: dict[str, str | int] = {"device": device, "torch": torch.__version__}
    if torch.device(device).type == "cuda":
        return {**found, "processor": torch.cuda.get_device_name(device)}
    return {**found, "processor": processor(), "threads": torch.get_num_threads()}
