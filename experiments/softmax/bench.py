"""Judges the adaptive softmax by real times: ``python -m experiments.softmax.bench``.

Cut-offs: for English vocabularies of three sizes, the plan that ``AdaptiveSoftmax.fit`` chooses for
speed alone is timed beside an exhaustive grid of cut-offs. Every module of the grid is timed twice;
then the fastest of them and the chosen one take turns.

Training: an LSTM reads a real text (see :mod:`experiments.softmax.text`) with the full softmax and
with fitted ones, for the same number of steps, and is judged on held-out text.

On a CPU everything runs on one core, and times are the thread's processor time; ``--device cuda``
takes wall times of a GPU, whose sizes are those of the paper. All are the least of several runs.
"""

import math
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from torch import nn

from envs.softmax.frequencies import load_curve
from envs.softmax.module import AdaptiveSoftmax, measure_for
from envs.softmax.plan import MOST_TAILS, Plan
from envs.softmax.timing import machine
from experiments.options import printer
from experiments.softmax.text import FullSoftmax, Text, read_dictionary, tokenise, train
from experiments.timing import best_seconds, hardware
from hardware_sim.commands import run
from hardware_sim.errors import choose
from hardware_sim.files import write_json
from hardware_sim.timing import check_device, clock_of, interleaved

VOCABULARIES = (10_000, 50_000, 320_000)
BATCHES = 2
GRID = 7
FINALISTS = 8
MOST_TURNS = 15
TEXT_WORDS, LENGTH = 50_000, 20


class Scale(NamedTuple):
    """Sizes that fit a kind of device.

    Attributes:
        hidden: Width of the states whose layers are timed.
        batch: States at a time.
        text_hidden: Width of the language model.
        rows: Streams of text that it reads at a time.
        steps: Of its training.
    """

    hidden: int
    batch: int
    text_hidden: int
    rows: int
    steps: int


SCALES = {"cpu": Scale(256, 256, 128, 32, 150), "cuda": Scale(512, 2560, 512, 128, 1500)}

PAPER = {
    "Text8 (44k)": (144, 83, 147, 30),
    "Europarl bg (50k)": (37, 58, 37, 18),
    "Europarl cs (83k)": (62, 132, 62, 30),
    "Europarl da (128k)": (37, 713, 35, 105),
    "Europarl de (143k)": (42, 802, 40, 110),
    "Europarl el (100k)": (38, 383, 36, 72),
    "Europarl es (87k)": (30, 536, 29, 103),
}
"""Perplexity and minutes of the full softmax, then of the adaptive one, on a Maxwell GPU (Grave et
al., arXiv 1609.04309)."""

Row = dict[str, Any]


def frequencies(vocabulary: int) -> NDArray[np.float64]:
    """Probabilities of the most frequent English words, falling, ``(V,)``."""
    covered = load_curve("en").coverage(np.arange(vocabulary + 1), vocabulary)
    # Interpolated between the curve's points, so they need sorting where two pieces meet.
    return np.sort(np.diff(covered))[::-1].copy()


class Step:
    """Training steps of an output layer on a few fixed batches.

    Args:
        module: Maps hidden states and words to a loss, or a named tuple with ``loss``.
        batches: Hidden states ``(B, d)`` and words ``(B,)``.
    """

    def __init__(self, module: nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        self.module, self.batches = module, batches
        self.parameters = list(module.parameters())

    def __call__(self) -> None:
        """One step for each batch: loss, gradients of the weights and of the states."""
        for states, words in self.batches:
            found = self.module(states, words)
            loss = getattr(found, "loss", found)
            # A cluster that no word of a batch is in has no gradient.
            torch.autograd.grad(loss, [states, *self.parameters], allow_unused=True)


def scale(device: str) -> Scale:
    """The sizes for a device of torch."""
    kind = torch.device(device).type
    return SCALES[choose("kind of device", kind, tuple(SCALES))]


def cutoff_row(vocabulary: int, grid: int = GRID, device: str = "cpu") -> Row:
    """The chosen cut-offs of one vocabulary beside the grid's.

    Args:
        vocabulary: Words.
        grid: Log-spaced places of the grid's cuts, between word 32 and half of the vocabulary.
        device: Of torch.
    """
    hidden, batch = scale(device)[:2]
    counts, random = frequencies(vocabulary), np.random.default_rng(0)
    torch.manual_seed(0)
    words = random.choice(vocabulary, (BATCHES, batch), p=counts / counts.sum())
    batches = [
        (torch.randn(batch, hidden, device=device).requires_grad_(), torch.tensor(row).to(device))
        for row in words
    ]
    now = clock_of(device)
    chosen = AdaptiveSoftmax.fit(counts, hidden, batch, device, loss_price=0.0)
    places = np.geomspace(32, vocabulary / 2, grid).round().astype(int).tolist()
    plans = [c for n in range(1, MOST_TAILS + 1) for c in combinations(places, n)]

    def step(cutoffs: tuple[int, ...]) -> Step:
        plain = nn.AdaptiveLogSoftmaxWithLoss(hidden, vocabulary, list(cutoffs))
        return Step(plain.to(device), batches)

    first = [best_seconds(step(cuts), now, 2) for cuts in plans]
    finalists = [plans[i] for i in np.argsort(first)[:FINALISTS]]
    runs = [Step(chosen, batches), *(step(cuts) for cuts in finalists)]
    timings = interleaved(dict(enumerate(runs)), clock=now, most=MOST_TURNS, limit_s=math.inf)
    times = np.array([timing.best for timing in timings.values()]) * 1e3 / BATCHES
    full_step = Step(FullSoftmax(hidden, vocabulary).to(device), batches[:1])
    full = best_seconds(full_step, now, 3) * 1e3
    return {
        "vocabulary": vocabulary,
        "hidden": hidden,
        "batch": batch,
        "chosen": list(chosen.plan.cutoffs),
        "expected_ms": chosen.plan.expected_ms,
        "chosen_ms": float(times[0]),
        "grid": len(plans),
        "grid_best": list(finalists[int(times[1:].argmin())]),
        "grid_best_ms": float(times[1:].min()),
        "grid_median_ms": float(np.median(first)) * 1e3 / BATCHES,
        "full_ms": full,
        "over_best": float(times[0] / times[1:].min() - 1),
    }


def training_rows(text: Text, steps: int, device: str = "cpu") -> list[Row]:
    """Step time and held-out perplexity of the full softmax and of fitted ones.

    Args:
        text: Numbered by frequency.
        steps: Of training, each.
        device: Of torch.
    """
    sizes = scale(device)
    words, hidden, batch = len(text.counts), sizes.text_hidden, sizes.rows * LENGTH
    layers: list[tuple[str, nn.Module, Plan | None]] = []
    table = measure_for(words, hidden, batch, 4.0, "training", device)
    torch.manual_seed(0)
    variants: dict[str, dict[str, Any]] = {
        "fitted": {},
        "fitted for speed alone": {"loss_price": 0.0},
    }
    for name, settings in variants.items():
        layer = AdaptiveSoftmax.fit(text.counts, hidden, batch, device, table=table, **settings)
        layers.append((name, layer, layer.plan))
    layers.append(("full softmax", FullSoftmax(hidden, words).to(device), None))
    rows: list[Row] = []
    for name, output, plan in layers:
        found = train(
            text,
            output,
            hidden,
            steps,
            rows=sizes.rows,
            length=LENGTH,
            checkpoints=(steps // 2,),
            device=device,
        )
        rows.append(
            {
                "layer": name,
                "cutoffs": list(plan.cutoffs) if plan else [],
                "step_ms": found.step_ms,
                "perplexity": found.perplexity,
                "loss_by_step": found.curve,
                "nats_per_doubling": found.curve[steps // 2] - found.curve[steps],
            }
        )
    for row in rows:
        row["speed_up"] = rows[-1]["step_ms"] / row["step_ms"]
        row["perplexity_ratio"] = row["perplexity"] / rows[-1]["perplexity"]
    return rows


def paper_rows() -> list[Row]:
    """The paper's full softmax over its adaptive one."""
    return [
        {"text": name, "speed_up": minutes / fast, "perplexity_ratio": low / ppl}
        for name, (ppl, minutes, low, fast) in PAPER.items()
    ]


def _print_cutoffs(console: Console, row: Row) -> None:
    console.print(
        f"{row['vocabulary']:,} words, width {row['hidden']}, batch {row['batch']}, training step "
        f"of the output layer: chosen {row['chosen']} {row['chosen_ms']:.2f} ms (expected "
        f"{row['expected_ms']:.2f}), best of {row['grid']} {row['grid_best']} "
        f"{row['grid_best_ms']:.2f} ms: {row['over_best']:+.1%}; median of the grid "
        f"{row['grid_median_ms']:.2f} ms, full softmax {row['full_ms']:.0f} ms"
    )


def _print_training(console: Console, rows: list[Row], steps: int, sizes: Scale) -> None:
    console.print(
        f"LSTM of width {sizes.text_hidden}, {TEXT_WORDS:,} words, {steps} steps of "
        f"{sizes.rows * LENGTH} words; the whole training step."
    )
    table = Table("output layer", "cut-offs", "step ms", "speed-up", "perplexity", box=SIMPLE)
    for row in rows:
        table.add_row(
            row["layer"],
            str(row["cutoffs"] or ""),
            f"{row['step_ms']:.1f}",
            f"{row['speed_up']:.1f}",
            f"{row['perplexity']:.1f} ({row['perplexity_ratio'] - 1:+.1%})",
        )
    for row in paper_rows():
        table.add_row(
            f"the paper's, {row['text']}",
            "",
            "",
            f"{row['speed_up']:.1f}",
            f"({row['perplexity_ratio'] - 1:+.1%})",
        )
    console.print(table)


def command(
    part: Annotated[str, typer.Option(help="cutoffs, training or all.")] = "all",
    text: Annotated[
        Path | None, typer.Option(help="Text file; default: the Debian package dict-gcide.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=2, help="Of training; default: 150, or 1,500 on a GPU.")
    ] = None,
    device: Annotated[str, typer.Option(help="Of torch, such as cpu or cuda.")] = "cpu",
    grid: Annotated[int, typer.Option(min=1, help="Places of cuts that are tried.")] = GRID,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file for the figures.")
    ] = None,
) -> None:
    """Times chosen cut-offs beside a grid, and trains on a real text."""
    choose("part", part, ("cutoffs", "training", "all"))
    check_device(device)
    sizes = scale(device)
    torch.set_num_threads(1)
    console = printer(soft_wrap=False)
    where = hardware() if torch.device(device).type == "cpu" else machine(device)["processor"]
    console.print(where)
    found: dict[str, Any] = {"hardware": where, "torch": torch.__version__}
    if part != "training":
        found["cutoffs"] = []
        for words in VOCABULARIES:
            found["cutoffs"].append(cutoff_row(words, grid, device))
            _print_cutoffs(console, found["cutoffs"][-1])
    if part != "cutoffs":
        read = tokenise(read_dictionary(text), TEXT_WORDS)
        steps = steps or sizes.steps
        rows = training_rows(read, steps, device)
        found |= {"steps": steps, "training": rows, "paper": paper_rows()}
        _print_training(console, rows, steps, sizes)
    if output is not None:
        write_json(output, found)


if __name__ == "__main__":
    run(command)
