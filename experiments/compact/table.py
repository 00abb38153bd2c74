"""Measures CompactFeature's table: ``python -m experiments.compact.table --data FOLDER``.

Times of every block of the network for every pair of choices, at each batch size, on one core;
and the validation accuracy of a designed part of all choices after compaction and a short tuning,
to which a surrogate is fitted. A fifth of the designs is held out to measure its error. The test
pictures are never looked at. A killed run continues from its run folder.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import nn

from envs.compact.cifar import Splits, load_splits
from envs.compact.costs import deployed, interleaved_seconds
from envs.compact.measured import judge_accuracy
from envs.compact.network import IMAGE_SHAPE, WIDTHS, small_cnn
from envs.compact.surrogate import fit, predict
from envs.compact.table import build
from envs.compact.tuning import accuracy
from experiments.compact import bench
from experiments.options import printer
from experiments.timing import hardware
from hardware_sim.commands import run
from hardware_sim.files import write_json

SHARES = (1.0, 0.75, 0.5, 0.375, 0.25)
ROUNDS = {1: 40, 32: 12}
"""Rounds of timing, by batch size."""
ORIGINAL_EPOCHS = 8
HELD_OUT = 5
"""One of so many designs is held out."""

Row = dict[str, Any]


def kept_channels() -> NDArray[np.int64]:
    """Channels that each choice keeps, ``(layers, choices)``."""
    return np.round(np.outer(WIDTHS, SHARES)).astype(np.int64)


def designs(count: int, seed: int = 0) -> NDArray[np.int64]:
    """Choices to try, ``(count, layers)``: each choice of each layer as often as any other."""
    rng = np.random.default_rng(seed)
    levels = np.arange(count) % len(SHARES)
    return np.column_stack([rng.permutation(levels) for _ in WIDTHS])


def _block(layer: int, read: int, made: int) -> tuple[nn.Module, tuple[int, ...]]:
    """A layer with its activation and pooling, ready to run, and the shape of its input."""
    size = (32, 16, 8, 8, 8)[layer]
    parts: list[nn.Module] = [
        nn.Conv2d(read, made, 3, stride=2 if layer == 0 else 1, padding=1),
        nn.ReLU(),
    ]
    if layer == 1:
        parts.append(nn.MaxPool2d(2))
    return deployed(nn.Sequential(*parts)), (read, size, size)


def block_seconds(batch: int, rounds: int) -> Row:
    """Times of blocks, ``layers`` ``(L, C, C)``, and of what follows them, ``head`` ``(C,)``."""
    kept = kept_channels()
    layers, choices = kept.shape
    runs = []
    for layer in range(layers):
        for before in range(choices):
            read = 3 if layer == 0 else int(kept[layer - 1, before])
            for choice in range(choices):
                module, shape = _block(layer, read, int(kept[layer, choice]))
                inputs = torch.randn(batch, *shape).to(memory_format=torch.channels_last)
                runs.append((module, inputs))
    for channels in kept[-1].tolist():
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
        inputs = torch.randn(batch, channels, 8, 8).to(memory_format=torch.channels_last)
        runs.append((deployed(head), inputs))
    found = np.array(interleaved_seconds(runs, rounds))
    blocks = found[:-choices].reshape(layers, choices, choices)
    blocks[0] = blocks[0].min(axis=0)  # the first layer always reads the picture
    return {"layers": blocks.tolist(), "head": found[-choices:].tolist()}


def additivity(record: Row, batch: int, count: int, rounds: int) -> float:
    """Mean relative difference of ratios between whole networks and sums of their blocks."""
    table = build(record)
    chosen = np.vstack([np.zeros(len(WIDTHS), np.int64), designs(count, seed=1)])
    inputs = torch.randn(batch, *IMAGE_SHAPE).to(memory_format=torch.channels_last)
    networks = [
        (deployed(small_cnn(table.kept[np.arange(len(row)), row].tolist())), inputs)
        for row in chosen
    ]
    whole = np.array(interleaved_seconds(networks, rounds))
    summed = table.seconds[batch][tuple(chosen.T)]
    speedup, predicted = whole[0] / whole[1:], summed[0] / summed[1:]
    return float(np.abs(predicted / speedup - 1).mean())


def accuracies(folder: Path, count: int, pictures: Splits, console: Console) -> list[Row]:
    """The accuracy of every design; those that the run folder has are not measured again."""
    path = folder / "designs.json"
    done: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    original, kept = bench.load(folder, "original", 0), kept_channels()
    rows = designs(count).tolist()
    for row in track(rows, "designs", console=console):
        if str(row) not in done:
            channels = kept[np.arange(len(row)), row].tolist()
            done[str(row)] = judge_accuracy(original, channels, pictures)
            write_json(path, done)
    return [{"choice": row, "accuracy": done[str(row)]} for row in rows]


def surrogate(rows: list[Row], whole: float) -> Row:
    """Coefficients by all designs but the held-out ones, and the error on those."""
    kept = kept_channels()
    choices = np.array([row["choice"] for row in rows])
    shares = kept[np.arange(len(WIDTHS)), choices] / np.array(WIDTHS)
    lost = 100 * (whole - np.array([row["accuracy"] for row in rows]))
    held_out = np.arange(len(rows)) % HELD_OUT == HELD_OUT - 1
    coefficients = fit(shares[~held_out], lost[~held_out])
    error = predict(coefficients, shares[held_out]) - lost[held_out]
    return {
        "whole": whole,
        "designs": rows,
        "coefficients": coefficients.tolist(),
        "held_out_rmse_points": float(np.sqrt((error**2).mean())),
        "held_out_spread_points": float(lost[held_out].std()),
        "held_out": int(held_out.sum()),
    }


def command(
    data: Annotated[
        Path, typer.Option(help="Folder of CIFAR-10's Python batches, or of pictures.")
    ],
    run_dir: Annotated[Path, typer.Option(help="Where finished parts are kept.")] = Path(
        "runs/compact-table"
    ),
    count: Annotated[int, typer.Option("--designs", min=30, help="Choices to try.")] = 40,
    times: Annotated[bool, typer.Option(help="Measure times too; else keep the table's.")] = True,
) -> None:
    """Measures the replay table and writes it beside the environment."""
    console = printer(soft_wrap=False)
    path = Path(str(files("envs").joinpath("compact", "replay.json")))
    pictures = load_splits(data)
    bench.train_one(run_dir, "original", 0, pictures, bench.Epochs(ORIGINAL_EPOCHS))
    rows = accuracies(run_dir, count, pictures, console)
    whole = accuracy(bench.load(run_dir, "original", 0), pictures.validation)
    record: Row = {
        "source": f"python -m experiments.compact.table on {hardware()}, one core",
        "widths": list(WIDTHS),
        "kept": kept_channels().tolist(),
        "seconds": {},
        "accuracy": surrogate(rows, whole),
    }
    if times:
        for batch, rounds in ROUNDS.items():
            record["seconds"][str(batch)] = block_seconds(batch, rounds)
        for batch, rounds in ROUNDS.items():
            error = additivity(record, batch, 12, rounds)
            record["seconds"][str(batch)]["relative_error_of_speedups"] = error
    else:
        record["seconds"] = json.loads(path.read_text())["seconds"]
    write_json(path, record)
    console.print(record["accuracy"]["held_out_rmse_points"], "points RMSE held out")


if __name__ == "__main__":
    run(command)
