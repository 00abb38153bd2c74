"""Measures compact feature maps: ``python -m experiments.compact_bench --data FOLDER``.

A small network learns CIFAR-10, or a part of it; its feature maps are made compact by circulant
projections (Wang et al., ICML 2017) and it is tuned for a few epochs. Beside it, at the same number
of multiplications and with the same tuning: the network that is narrow from the start and has been
trained for as long, channels pruned by magnitude, and low-rank convolutions. Nothing is chosen by
the test pictures. Times are those of one core, all networks in turn in one run, normalisations
folded, the projection's cost inside. Finished parts are kept in the run folder; a killed run
continues there.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from safetensors.torch import load_file, save
from torch import nn

from experiments.bench import environment_rows, hardware
from experiments.statistics import mean, stratified_bootstrap
from hardware_sim.compact.cifar import Splits, load_splits
from hardware_sim.compact.circulant import CirculantProjection
from hardware_sim.compact.compaction import compact
from hardware_sim.compact.costs import deployed, interleaved_seconds, layer_costs
from hardware_sim.compact.network import IMAGE_SHAPE, WIDTHS, small_cnn
from hardware_sim.compact.rivals import low_rank, prune_channels
from hardware_sim.compact.tuning import accuracy, fine_tune
from hardware_sim.files import write_atomic, write_json

KEPT = (16, 24, 32, 48, 64)
"""Channels of the five compact maps."""

ORIGINAL_EPOCHS = 8
ORIGINAL_RATE = 0.1
TUNING_EPOCHS = 4
TUNING_RATE = 0.1
CALIBRATION = 1_024
RIVALS = {
    "circulant": "compact maps by circulant projection",
    "narrow": "narrow from the start",
    "pruned": "channels pruned by magnitude",
    "low-rank": "low-rank convolutions",
}
BATCHES = (1, 32)
SPEED_TARGET = 4.0
LOSS_TARGET = 1.0
Row = dict[str, Any]


def layers(channels: tuple[int, ...]) -> dict[str, int]:
    """A number of channels for each convolution of the network."""
    return {f"conv{i}": number for i, number in enumerate(channels, start=1)}


def ranks() -> dict[str, int]:
    """Ranks with which each convolution multiplies as often as on compact maps."""
    found = {}
    for i, (inputs, outputs) in enumerate(zip((3, *WIDTHS), WIDTHS, strict=False)):
        fewer = (3, *KEPT)[i]
        found[f"conv{i + 1}"] = max(9 * fewer * KEPT[i] // (9 * inputs + outputs), 1)
    return found


def architecture(method: str) -> nn.Module:
    """An untrained network of a method's shape."""
    if method == "original":
        return small_cnn()
    return low_rank(small_cnn(), ranks()) if method == "low-rank" else small_cnn(KEPT)


def load(folder: Path, method: str, seed: int) -> nn.Module:
    """A trained network of the run folder."""
    model = architecture(method)
    model.load_state_dict(load_file(folder / f"{method}-{seed}.safetensors"))
    return model.eval()


def start(method: str, original: nn.Module, pictures: Splits, seed: int) -> nn.Module:
    """What a method makes of the original before the tuning that all methods get."""
    if method == "circulant":
        return compact(original, layers(KEPT), pictures.train.inputs[:CALIBRATION], seed).model
    if method == "pruned":
        return prune_channels(original, layers(KEPT))
    if method == "low-rank":
        return low_rank(original, ranks())
    narrow = small_cnn(KEPT, seed)
    return fine_tune(narrow, pictures.train, ORIGINAL_EPOCHS, seed, rate=ORIGINAL_RATE)


def train_one(folder: Path, method: str, seed: int, pictures: Splits) -> None:
    """Trains one network of one seed, unless the run folder has it."""
    report = folder / f"{method}-{seed}.json"
    if report.exists():
        return
    begun = time.process_time()
    row: Row = {"method": method, "seed": seed}
    if method == "original":
        model: nn.Module = small_cnn(seed=seed)
        fine_tune(model, pictures.train, ORIGINAL_EPOCHS, seed, rate=ORIGINAL_RATE)
    else:
        original = load(folder, "original", seed)
        model = start(method, original, pictures, seed)
        row["validation_before_tuning"] = accuracy(model, pictures.validation)
        fine_tune(
            model, pictures.train, TUNING_EPOCHS, seed + 1_000, teacher=original, rate=TUNING_RATE
        )
    row["validation"] = accuracy(model, pictures.validation)
    row["test"] = accuracy(model, pictures.test)
    row["cpu_s"] = time.process_time() - begun
    weights = save({name: value.contiguous() for name, value in model.state_dict().items()})
    write_atomic(folder / f"{method}-{seed}.safetensors", lambda file: file.write(weights))
    write_json(report, row)


def train_all(folder: Path, seeds: int, pictures: Splits, console: Console) -> None:
    """Trains every network that the run folder lacks."""
    jobs = [(method, seed) for seed in range(seeds) for method in ("original", *RIVALS)]
    for method, seed in track(jobs, "networks", console=console):
        train_one(folder, method, seed, pictures)


def costs(method: str) -> Row:
    """Parameters, multiplications and memory of a method's network for one image."""
    model = architecture(method)
    found = layer_costs(model, IMAGE_SHAPE).values()
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "multiplications": sum(cost.multiplications for cost in found),
        "map_bytes": sum(cost.map_bytes for cost in found),
    }


def _convolutions(method: str) -> Iterator[tuple[nn.Module, tuple[int, ...]]]:
    """The convolutions of a method's network, ready to run, with their input shapes."""
    ready = deployed(architecture(method))
    shapes = {path: cost.input_shape for path, cost in layer_costs(ready, IMAGE_SHAPE).items()}
    for name in layers(WIDTHS):
        parts = [path for path in shapes if path.split(".")[0] == name]
        module = nn.Sequential(*(ready.get_submodule(path) for path in parts))
        yield module, shapes[parts[0]]


def times(batch: int, rounds: int, calls: int) -> dict[str, Row]:
    """Seconds a call of each architecture: the whole network and its convolutions alone."""
    methods = ("original", "circulant", "low-rank")
    runs: list[tuple[nn.Module, torch.Tensor]] = []
    owners = []
    for method in methods:
        inputs = torch.randn(batch, *IMAGE_SHAPE).to(memory_format=torch.channels_last)
        runs.append((deployed(architecture(method)), inputs))
        owners.append((method, "network_s"))
        for module, shape in _convolutions(method):
            runs.append((module, torch.randn(batch, *shape).to(memory_format=torch.channels_last)))
            owners.append((method, "convolutions_s"))
    found: dict[str, Row] = {m: {"network_s": 0.0, "convolutions_s": 0.0} for m in methods}
    for (method, part), seconds in zip(
        owners, interleaved_seconds(runs, rounds, calls), strict=True
    ):
        found[method][part] += seconds
    return found | dict.fromkeys(("narrow", "pruned"), found["circulant"])


def projection_times(rounds: int = 20) -> list[Row]:
    """The projection by itself, all channels kept: by Fourier transform and by its matrix."""
    rows = []
    for channels in (128, 1_024, 4_096):
        projection = CirculantProjection.random(channels, channels, 0)
        dense = nn.Linear(channels, channels, bias=False)
        with torch.no_grad():
            dense.weight.copy_(projection.matrix())
        inputs = torch.randn(64, channels)
        fast, slow = interleaved_seconds([(projection, inputs), (dense, inputs)], rounds, 2)
        rows.append({"channels": channels, "rows": 64, "fourier_s": fast, "dense_s": slow})
    return rows


def summary(folder: Path, seeds: int) -> list[Row]:
    """A row a method: accuracies on the test pictures, and points lost with their interval."""

    def test(method: str) -> list[float]:
        reports = (folder / f"{method}-{seed}.json" for seed in range(seeds))
        return [100 * json.loads(report.read_text())["test"] for report in reports]

    original = test("original")
    rows = []
    for method in ("original", *RIVALS):
        scores = test(method)
        lost = np.subtract(original, scores)[:, None]
        low, high = stratified_bootstrap(lost, mean)
        row = {"method": method, "test": scores, "lost": mean(lost), "interval": [low, high]}
        rows.append(row | costs(method))
    return rows


def show(result: Row, console: Console) -> None:
    """Prints a result."""
    table = Table(
        "method", "test %", "points lost", "parameters", "mult. M", "maps KiB",
        *(f"x faster, batch {batch}" for batch in BATCHES), box=SIMPLE_HEAD,
    )  # fmt: skip
    for row in result["methods"]:
        speed = (
            " / ".join(
                f"{seconds['original'][part] / seconds[row['method']][part]:.2f}"
                for part in ("convolutions_s", "network_s")
            )
            for seconds in result["times"].values()
        )
        table.add_row(
            RIVALS.get(row["method"], "original"),
            f"{np.mean(row['test']):.1f}",
            f"{row['lost']:+.2f} ({row['interval'][0]:+.2f} to {row['interval'][1]:+.2f})",
            f"{row['parameters']:,}",
            f"{row['multiplications'] / 1e6:.2f}",
            f"{row['map_bytes'] / 1024:.0f}",
            *speed,
        )
    console.print(table)
    console.print("times faster: convolutions / whole network, one core")
    for row in result["projection"]:
        ratio = row["dense_s"] / row["fourier_s"]
        console.print(f"projection of {row['channels']} channels: {ratio:.1f}x the dense matrix")
    for row in result["environment"]:
        console.print(f"{row['environment']}: {row['steps_per_s']:,.0f} steps/s")
    for row in result["targets"]:
        met = "met" if row["met"] else "missed"
        console.print(f"{row['target']}: {row['reached']:.2f} ({met})")


def targets(result: Row) -> list[Row]:
    """What was aimed at and what was reached."""
    rows = []
    for batch, seconds in result["times"].items():
        reached = seconds["original"]["convolutions_s"] / seconds["circulant"]["convolutions_s"]
        name = f"convolutions {SPEED_TARGET:g} times as fast, batch {batch}"
        rows.append({"target": name, "reached": reached, "met": reached >= SPEED_TARGET})
    lost = next(row["lost"] for row in result["methods"] if row["method"] == "circulant")
    name = f"at most {LOSS_TARGET:g} point of test accuracy lost"
    return [*rows, {"target": name, "reached": lost, "met": lost <= LOSS_TARGET}]


def command(
    data: Annotated[
        Path, typer.Option(help="Folder of CIFAR-10's Python batches, or of pictures.")
    ],
    run_dir: Annotated[Path, typer.Option(help="Where finished parts are kept.")] = Path(
        "runs/compact"
    ),
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 3,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="JSON file.")] = None,
) -> None:
    """Trains, compacts, tunes, measures and prints compact feature maps beside their rivals."""
    console = Console()
    train_all(run_dir, seeds, load_splits(data), console)
    result: Row = {
        "hardware": hardware(),
        "kept": KEPT,
        "methods": summary(run_dir, seeds),
        "times": {
            str(batch): times(batch, *((60, 5) if batch == 1 else (15, 1))) for batch in BATCHES
        },
        "projection": projection_times(),
        "environment": environment_rows(32_000, "envs:CompactFeature-v0"),
    }
    result["targets"] = targets(result)
    show(result, console)
    write_json(output or run_dir / "result.json", result)


if __name__ == "__main__":
    typer.run(command)
