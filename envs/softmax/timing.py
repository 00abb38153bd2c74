"""Times output layers on the device at hand."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from envs.softmax.costs import KINDS, CostTable, proportional
from hardware_sim.errors import InputError, choose
from hardware_sim.host import processor

LARGEST_LOGITS = 2**24
LARGEST_WEIGHT = 2**25
LARGEST_PRODUCT = 2**32
"""Layers with more logits, more weights or more multiplications than these are not timed but
scaled from smaller ones, so that a table takes little memory and less than a minute."""

LEAST_TURNS, MOST_TURNS = 3, 15
AGREEMENT = 0.02
"""A layer is done when the least times of two turns agree within this share."""

TURN_S, MOST_RUNS = 0.004, 20
"""A turn repeats a short layer for so long, at most so often: the first run finds cold caches."""


def clock(device: str) -> Callable[[], float]:
    """Seconds that a device has worked for this thread.

    On a CPU it is the thread's processor time, which other programs disturb least; on a GPU the
    wall time once its queue is empty.
    """
    if torch.device(device).type != "cuda":
        return time.thread_time

    def synchronised() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return synchronised


def check_device(device: str) -> str:
    """The device, if torch can compute on it here.

    Raises:
        InputError: It cannot.
    """
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"device {device!r} cannot be used here: {reason}") from None
    return device


def interleaved(runs: Sequence[Callable[[], object]], now: Callable[[], float]) -> list[float]:
    """The least time of each run, in seconds.

    All take turns, so that a slow spell of the machine falls on all. A short run is repeated within
    its turn, and only the least time of a turn counts. Each is left out once the least times of two
    turns agree within 2 %, at the latest after 15 turns.

    Args:
        runs: What to time.
        now: The clock, in seconds.
    """
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(MOST_TURNS):
        for run, seen in zip(runs, times, strict=True):
            if not _settled(seen):
                seen.append(_turn(run, now))
    return [min(seen) for seen in times]


def _turn(run: Callable[[], object], now: Callable[[], float]) -> float:
    """The least time of a few runs in a row."""
    least, spent = float("inf"), 0.0
    for _ in range(MOST_RUNS):
        start = now()
        run()
        took = now() - start
        least, spent = min(least, took), spent + took
        if spent >= TURN_S:
            break
    return least


def _settled(seen: list[float]) -> bool:
    if len(seen) < LEAST_TURNS:
        return False
    least, second = sorted(seen)[:2]
    return second <= least * (1 + AGREEMENT)


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
        device: Of torch.

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
    runs = [layer(buffer, rows[j], hidden[i], words[k], kind) for i, j, k in sizes]
    for place, seconds in zip(sizes, interleaved(runs, clock(device)), strict=True):
        ms[place] = seconds * 1e3
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
    """What the times of this process are times of."""
    found: dict[str, str | int] = {"device": device, "torch": torch.__version__}
    if torch.device(device).type == "cuda":
        return {**found, "processor": torch.cuda.get_device_name(device)}
    return {**found, "processor": processor(), "threads": torch.get_num_threads()}
