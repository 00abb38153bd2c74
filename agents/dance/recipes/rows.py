"""Trains the row critic of the dance environments.

``python -m agents.dance.recipes.rows dance-rows.safetensors`` fits it to the human charts of the
split train of a corpus, whose files it needs (``gymworks dance data itg``), and stops when the
split valid does not improve.
"""

import copy
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from envs.dance.batch import HISTORY, LONGEST_S
from envs.dance.chart import MIRRORS, Chart, mirrored
from envs.dance.corpus import corpus, split
from envs.dance.row_critic import RowNetwork, losses, seen
from envs.dance.timing import TICKS
from envs.weights import save_weights
from hardware_sim.commands import run

BATCH = 2048
EPOCHS = 14
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.02
DROPPED = 0.1
"""Share of the inputs that is hidden in training."""

app = typer.Typer(add_completion=False)

Samples = tuple[Tensor, Tensor, Tensor]
"""The critic's inputs (N, I), panels that are held (N,), a bit each, and the row that came (N,)."""


def samples(charts: list[Chart]) -> Samples:
    """Each row of the charts with the critic's inputs before it."""
    parts = [_of_chart(chart) for chart in charts]
    joined = [np.concatenate(each) for each in zip(*parts, strict=True)]
    looked_up, held, row = (torch.from_numpy(each.astype(np.int64)) for each in joined)
    return looked_up, held, row


def _of_chart(chart: Chart) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    count = len(chart.rows)
    before = np.pad(chart.rows, (HISTORY, 0))
    times = np.pad(chart.times, (HISTORY, 0), constant_values=chart.times[0] - LONGEST_S)
    window = np.arange(HISTORY)[None] + np.arange(count)[:, None]
    deltas = np.clip(np.diff(times)[window], 0.0, LONGEST_S).astype(np.float32)
    level = np.full(count, chart.level)
    looked_up, held = seen(before[window], deltas, chart.ticks % TICKS, level)
    return looked_up, held, chart.rows


def charts(part: str) -> list[Chart]:
    """The charts with a level of a split of the corpus ``itg``."""
    songs = [song for song in corpus("itg") if split(song) == part]
    return [chart for song in songs for chart in song.charts if chart.level >= 0]


@torch.no_grad()
def perplexity(network: RowNetwork, data: Samples) -> float:
    """Perplexity a row."""
    network.eval()
    parts = zip(*(each.split(8192) for each in data), strict=True)
    total = sum(float(losses(network, *part).sum()) for part in parts)
    return float(np.exp(total / len(data[2])))


def fit(train: Samples, valid: Samples, seed: int, epochs: int = EPOCHS) -> RowNetwork:
    """The network of the epoch with the least perplexity on ``valid``."""
    torch.manual_seed(seed)
    network = RowNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    batches = len(train[2]) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=epochs * batches
    )
    best, kept = np.inf, network
    for _ in track(range(epochs), description="row critic"):
        network.train()
        for chosen in torch.randperm(len(train[2])).split(BATCH)[:batches]:
            looked_up, held, row = (each[chosen] for each in train)
            optimiser.zero_grad()
            weight = (torch.rand(looked_up.shape) > DROPPED).float() / (1 - DROPPED)
            losses(network, looked_up, held, row, weight).mean().backward()
            optimiser.step()
            schedule.step()
        found = perplexity(network, valid)
        if found < best:
            best, kept = found, copy.deepcopy(network)
    return kept


@app.command()
def main(
    output: Annotated[Path, typer.Argument(help="File of the weights.")],
    seed: Annotated[int, typer.Option(help="Seeds everything.")] = 0,
) -> None:
    """Fits the critic and prints its perplexity on the held-out splits."""
    torch.set_num_threads(1)
    known = [mirrored(chart, kind) for chart in charts("train") for kind in MIRRORS]
    network = fit(samples(known), samples(charts("valid")), seed)
    save_weights(network, output)
    for part in ("valid", "test"):
        print(f"{part}: perplexity {perplexity(network, samples(charts(part))):.3f}")


if __name__ == "__main__":
    run(app)
