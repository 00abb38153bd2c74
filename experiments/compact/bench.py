"""Measures compact feature maps: ``python -m experiments.compact.bench --data FOLDER``.

A small network learns CIFAR-10, or a part of it; its feature maps are made compact by circulant
projections (Wang et al., ICML 2017) and it is tuned with the original as its teacher. Two designs
are tried, each the one with the least loss that a table of times and validation accuracies promises
at the speed aimed at (:mod:`experiments.compact.choice`): one in which all layers are compressed,
and one that is free to leave layers as they are. Beside them, at the same number of multiplications
and with the same tuning: the network that is narrow from the start and has been trained for as
long, channels pruned by magnitude, and low-rank convolutions. Nothing is chosen by the test
pictures. Times are those of one core, all networks in turn in one run, normalisations folded, the
projection's cost inside. Finished parts are kept in the run folder; a killed run continues there.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from safetensors.torch import load_file, save
from torch import nn

from envs.compact.cifar import Splits, load_splits
from envs.compact.circulant import CirculantProjection
from envs.compact.compaction import compact
from envs.compact.costs import deployed, interleaved_seconds, layer_costs
from envs.compact.network import IMAGE_SHAPE, WIDTHS, small_cnn
from envs.compact.rivals import low_rank, prune_channels
from envs.compact.tuning import accuracy, fine_tune
from experiments.compact.choice import chosen
from experiments.options import printer
from experiments.statistics import mean, stratified_bootstrap
from experiments.timing import environment_rows, hardware
from hardware_sim.commands import run
from hardware_sim.files import write_atomic, write_json
from hardware_sim.timing import check_device

SPEED_TARGET = 4.0
LOSS_TARGET = 1.0
AIM = 1.25 * SPEED_TARGET
"""Times as fast by the table; more than the target, as times vary with runs and machines."""

ALL = chosen(AIM, batch=32, whole=True)
LARGE = chosen(AIM, batch=32, whole=False)
"""Channels of the five maps: all compact, and the large ones alone."""

ORIGINAL_RATE = 0.1
TUNING_RATE = 0.1
CALIBRATION = 1_024
BATCHES = (1, 32)
Row = dict[str, Any]


class Epochs(NamedTuple):
    """Passes over the training pictures.

    Attributes:
        original: Of the original, and of the network that is narrow from the start.
        tuning: That every method gets after it.
    """

    original: float = 12
    tuning: float = 16


@dataclass(frozen=True)
class Method:
    """A way to a smaller network.

    Attributes:
        label: Name for people.
        kept: Channels of the maps, or those of the network that multiplies as often.
        kind: ``circulant``, ``narrow``, ``pruned`` or ``low-rank``.
    """

    label: str
    kept: tuple[int, ...]
    kind: str

    @property
    def compressed(self) -> list[int]:
        """Layers that make or read a smaller map."""
        fewer = [False, *(k < width for k, width in zip(self.kept, WIDTHS, strict=True))]
        return [i for i in range(len(WIDTHS)) if fewer[i] or fewer[i + 1]]


METHODS = {
    "circulant-large": Method("compact maps of the large layers", LARGE, "circulant"),
    "circulant": Method("compact maps of all layers", ALL, "circulant"),
    "pruned-large": Method("channels of the large layers pruned", LARGE, "pruned"),
    "pruned": Method("channels of all layers pruned", ALL, "pruned"),
    "narrow": Method("narrow from the start", ALL, "narrow"),
    "low-rank": Method("low-rank convolutions", ALL, "low-rank"),
}


def layers(channels: tuple[int, ...]) -> dict[str, int]:
    """A number of channels for each convolution of the network."""
    return {f"conv{i}": number for i, number in enumerate(channels, start=1)}


def ranks(kept: tuple[int, ...]) -> dict[str, int]:
    """Ranks with which each convolution multiplies as often as on compact maps."""
    found = {}
    for i, (inputs, outputs) in enumerate(zip((3, *WIDTHS), WIDTHS, strict=False)):
        fewer = (3, *kept)[i]
        found[f"conv{i + 1}"] = max(9 * fewer * kept[i] // (9 * inputs + outputs), 1)
    return found


def architecture(name: str) -> nn.Module:
    """An untrained network of the shape of a method, or the original's."""
    if name == "original":
        return small_cnn()
    method = METHODS[name]
    if method.kind == "low-rank":
        return low_rank(small_cnn(), ranks(method.kept))
    return small_cnn(method.kept)


def load(folder: Path, method: str, seed: int) -> nn.Module:
    """A trained network of the run folder."""
    model = architecture(method)
    model.load_state_dict(load_file(folder / f"{method}-{seed}.safetensors"))
    return model.eval()


def start(
    method: Method, original: nn.Module, pictures: Splits, seed: int, epochs: Epochs, device: str
) -> nn.Module:
    """The network of a method, made from the original, before the tuning that all methods get."""
    kept = layers(method.kept)
    if method.kind == "circulant":
        return compact(original, kept, pictures.train.inputs[:CALIBRATION], seed).model
    if method.kind == "pruned":
        return prune_channels(original, kept)
    if method.kind == "low-rank":
        return low_rank(original, ranks(method.kept))
    narrow = small_cnn(method.kept, seed).to(device)
    return fine_tune(narrow, pictures.train, epochs.original, seed, rate=ORIGINAL_RATE)


def train_one(
    folder: Path, method: str, seed: int, pictures: Splits, epochs: Epochs, device: str = "cpu"
) -> None:
    """Trains one network of one seed, unless the run folder has it.

    Args:
        folder: The run folder.
        method: ``original``, or one of :data:`METHODS`.
        seed: Of weights, order and augmentation.
        pictures: To train on, choose by and report on.
        epochs: Of training and of tuning.
        device: Of torch, to train on.
    """
    report = folder / f"{method}-{seed}.json"
    if report.exists():
        return
    begun = time.process_time()
    row: Row = {"method": method, "seed": seed}
    if method == "original":
        model: nn.Module = small_cnn(seed=seed).to(device)
        fine_tune(model, pictures.train, epochs.original, seed, rate=ORIGINAL_RATE)
    else:
        original = load(folder, "original", seed)
        model = start(METHODS[method], original, pictures, seed, epochs, device).to(device)
        row["validation_before_tuning"] = accuracy(model, pictures.validation)
        fine_tune(
            model,
            pictures.train,
            epochs.tuning,
            seed + 1_000,
            teacher=original.to(device),
            rate=TUNING_RATE,
        )
    model.cpu()
    row["validation"] = accuracy(model, pictures.validation)
    row["test"] = accuracy(model, pictures.test)
    row["cpu_s"] = time.process_time() - begun
    weights = save({name: value.contiguous() for name, value in model.state_dict().items()})
    write_atomic(folder / f"{method}-{seed}.safetensors", lambda file: file.write(weights))
    write_json(report, row)


def train_all(
    folder: Path, seeds: int, pictures: Splits, epochs: Epochs, device: str, console: Console
) -> None:
    """Trains every network that the run folder lacks."""
    jobs = [(method, seed) for method in ("original", *METHODS) for seed in range(seeds)]
    for method, seed in track(jobs, "networks", console=console):
        train_one(folder, method, seed, pictures, epochs, device)


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


def times(batch: int, rounds: int) -> dict[str, Row]:
    """Seconds a call of each architecture: the whole network, and each of its convolutions."""
    methods = ("original", "circulant", "circulant-large", "low-rank")
    runs: list[tuple[nn.Module, torch.Tensor]] = []
    for method in methods:
        inputs = torch.randn(batch, *IMAGE_SHAPE).to(memory_format=torch.channels_last)
        runs.append((deployed(architecture(method)), inputs))
        for module, shape in _convolutions(method):
            runs.append((module, torch.randn(batch, *shape).to(memory_format=torch.channels_last)))
    seconds = np.reshape(interleaved_seconds(runs, rounds), (len(methods), -1)).tolist()
    found = {
        method: {"network_s": row[0], "convolutions_s": row[1:]}
        for method, row in zip(methods, seconds, strict=True)
    }
    same = {"narrow": "circulant", "pruned": "circulant", "pruned-large": "circulant-large"}
    return found | {method: found[other] for method, other in same.items()}


def speed_ups(method: str, seconds: dict[str, Row]) -> dict[str, float]:
    """Times as fast as the original: the compressed layers, and the whole network."""
    before, after = seconds["original"], seconds[method]
    layers = METHODS[method].compressed
    compressed = [sum(row["convolutions_s"][i] for i in layers) for row in (before, after)]
    return {
        "compressed layers": compressed[0] / compressed[1],
        "whole network": before["network_s"] / after["network_s"],
    }


def projection_times(rounds: int = 20) -> list[Row]:
    """The projection by itself, all channels kept: by Fourier transform and by its matrix."""
    rows = []
    for channels in (128, 1_024, 4_096):
        projection = CirculantProjection.random(channels, channels, 0)
        dense = nn.Linear(channels, channels, bias=False)
        with torch.no_grad():
            dense.weight.copy_(projection.matrix())
        inputs = torch.randn(64, channels)
        fast, slow = interleaved_seconds([(projection, inputs), (dense, inputs)], rounds)
        rows.append({"channels": channels, "rows": 64, "fourier_s": fast, "dense_s": slow})
    return rows


def summary(folder: Path, seeds: int) -> list[Row]:
    """A row a method: accuracies on the test pictures, and points lost with their interval."""

    def test(method: str) -> list[float]:
        reports = (folder / f"{method}-{seed}.json" for seed in range(seeds))
        return [100 * json.loads(report.read_text())["test"] for report in reports]

    original = test("original")
    rows = []
    for method in ("original", *METHODS):
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
        method = METHODS.get(row["method"])
        speed = (
            " / ".join(f"{ratio:.2f}" for ratio in speed_ups(row["method"], seconds).values())
            if method
            else ""
            for seconds in result["times"].values()
        )
        table.add_row(
            f"{method.label} {method.kept}" if method else "original",
            f"{np.mean(row['test']):.1f}",
            f"{row['lost']:+.2f} ({row['interval'][0]:+.2f} to {row['interval'][1]:+.2f})",
            f"{row['parameters']:,}",
            f"{row['multiplications'] / 1e6:.2f}",
            f"{row['map_bytes'] / 1024:.0f}",
            *speed,
        )
    console.print(table)
    console.print("times faster: compressed layers / whole network, one core")
    for row in result["projection"]:
        ratio = row["dense_s"] / row["fourier_s"]
        console.print(f"projection of {row['channels']} channels: {ratio:.1f}x the dense matrix")
    for row in result["environment"]:
        console.print(f"{row['environment']}: {row['steps_per_s']:,.0f} steps/s")
    for row in result["targets"]:
        met = "met" if row["met"] else "missed"
        console.print(f"{row['target']}: {row['reached']:.2f} ({met})")


def targets(result: Row) -> list[Row]:
    """The targets and the figures reached."""
    rows = []
    for method in ("circulant-large", "circulant"):
        label = METHODS[method].label
        for batch, seconds in result["times"].items():
            reached = speed_ups(method, seconds)["compressed layers"]
            name = f"{label}: {SPEED_TARGET:g} times as fast, batch {batch}"
            rows.append({"target": name, "reached": reached, "met": reached >= SPEED_TARGET})
        lost = next(row["lost"] for row in result["methods"] if row["method"] == method)
        name = f"{label}: at most {LOSS_TARGET:g} point of test accuracy lost"
        rows.append({"target": name, "reached": lost, "met": lost <= LOSS_TARGET})
    return rows


def command(
    data: Annotated[
        Path, typer.Option(help="Folder of CIFAR-10's Python batches, or of pictures.")
    ],
    run_dir: Annotated[Path, typer.Option(help="Where finished parts are kept.")] = Path(
        "runs/compact"
    ),
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 3,
    tuning: Annotated[float, typer.Option(help="Epochs of tuning.")] = Epochs().tuning,
    device: Annotated[str, typer.Option(help="Of torch, to train on; times are a CPU's.")] = "cpu",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="JSON file.")] = None,
) -> None:
    """Trains, compacts, tunes, measures and prints compact feature maps beside their rivals."""
    console = printer(soft_wrap=False)
    check_device(device)
    epochs = Epochs(tuning=tuning)
    train_all(run_dir, seeds, load_splits(data), epochs, device, console)
    result: Row = {
        "hardware": hardware(),
        "epochs": epochs._asdict(),
        "kept": {name: method.kept for name, method in METHODS.items()},
        "methods": summary(run_dir, seeds),
        "times": {str(batch): times(batch, 120 if batch == 1 else 60) for batch in BATCHES},
        "projection": projection_times(),
        "environment": environment_rows(32_000, "envs:CompactFeature-v0"),
    }
    result["targets"] = targets(result)
    show(result, console)
    write_json(output or run_dir / "result.json", result)


if __name__ == "__main__":
    run(command)
