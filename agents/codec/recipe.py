"""Trains the learned codec: ``python -m agents.codec.recipe train RUN``.

Every step codes random crops, each at a random quality, whose weight of distortion grows with it.
Distortion is squared error at first, then mostly MS-SSIM. A run that was stopped goes on where its
last checkpoint was, with the same crops and the same noise as if it had not been; a new run can
start from committed weights, whose optimiser then warms up. ``export`` writes the averaged weights.
"""

import copy
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from agents.codec import pictures, progress, swift_similarity
from agents.codec.ceilings import lift_ceilings, measure_ceilings
from envs.codec.network import FINEST, CodecNetwork
from envs.codec.similarity import ms_ssim
from envs.weights import load_weights, save_weights
from hardware_sim.commands import run
from hardware_sim.files import write_atomic

CHECKPOINT = "checkpoint.pt"
LEAST_WEIGHT, MOST_WEIGHT = 8.0, 256.0
"""Bits per pixel that a unit of distortion is worth, at the coarsest and the finest quality."""

STRUCTURE, ERROR = (0.1, 1.0), (20.0, 2.0)
"""Weights of 1 - MS-SSIM and of the squared error in the distortion, at first and later."""

EASE = 0.2
"""Weight of the rate at first; with the whole of it latent channels fall silent for good."""

TURN = 1000
"""Steps after which the later weights hold."""

WARM_UP = 300
LEAST_RATE = 0.05
"""Learning rate at the end, a share of the whole."""

AVERAGE = 0.9995
LOG_EVERY, CHECK_EVERY, SAVE_EVERY = 50, 1000, 250
CHECKED, SAMPLED, MEASURED = 12, 4, 24
"""Pictures held out that are checked and shown, and learned ones by which ceilings are measured."""

LONGEST = 512
"""Side in pixels to which held-out pictures are cropped."""

app = typer.Typer(no_args_is_help=True, add_completion=False)


def distortion(shown: Tensor, wanted: Tensor, step: int) -> Tensor:
    """Distortion float32 ``(B,)`` of pictures, in the mixture that holds at a step."""
    share = min(step / TURN, 1.0)
    structure, error = (first + share * (last - first) for first, last in (STRUCTURE, ERROR))
    squared = (shown - wanted).square().mean(dim=(1, 2, 3))
    judge = swift_similarity.ms_ssim if shown.device.type == "cpu" else ms_ssim
    return structure * (1 - judge(wanted, shown)) + error * squared


def loss(network: CodecNetwork, wanted: Tensor, quality: Tensor, step: int, half: bool) -> Tensor:
    """Bits per pixel and weighted distortion, the mean over a batch.

    Each sum is divided by the root of its weight, so that neither the coarse nor the fine
    qualities rule the gradient.
    """
    with torch.autocast(wanted.device.type, torch.bfloat16, enabled=half):
        coded = network(wanted, quality)
    weight = LEAST_WEIGHT * (MOST_WEIGHT / LEAST_WEIGHT) ** (quality / FINEST)
    rate = coded.bits / (wanted.shape[2] * wanted.shape[3])
    ease = EASE + (1 - EASE) * min(step / TURN, 1.0)
    cost = ease * rate + weight * distortion(coded.pictures, wanted, step)
    result: Tensor = (cost / weight.sqrt()).mean()
    return result


class Training:
    """A network in training, its average over steps, and its optimiser.

    Args:
        rate: Learning rate.
        device: Where it is trained.
        seed: Seeds everything.
        start: Weights to start from.
    """

    def __init__(self, rate: float, device: str, seed: int, start: Path | None = None) -> None:
        torch.manual_seed(seed)
        self.network = CodecNetwork()
        if start:
            load_weights(self.network, start)
            lift_ceilings(self.network)
        self.network = self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval()
        self.optimiser = torch.optim.Adam(self.network.parameters(), rate, fused=True)
        self.rate, self.seed, self.device = rate, seed, device
        self.step, self.begun = 0, 0

    def update(self, found: list[pictures.Picture], batch: int, side: int, share: float) -> float:
        """One step on random crops; returns the loss.

        Args:
            found: Pictures to crop.
            batch: Number of crops.
            side: Their side in pixels.
            share: Share of the learning rate.
        """
        rng = np.random.default_rng([self.seed, self.step])
        wanted = pictures.crops(found, batch, side, rng)
        wanted = wanted.to(self.device, memory_format=torch.channels_last)
        quality = torch.from_numpy(rng.uniform(0, FINEST, batch)).float().to(self.device)
        torch.manual_seed(int(rng.integers(2**31)))
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * share * min((self.step - self.begun + 1) / WARM_UP, 1.0)
        self.network.train()
        value = loss(self.network, wanted, quality, self.step, half=True)
        self.optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(AVERAGE, (1 + self.step - self.begun) / (10 + self.step - self.begun))
        with torch.no_grad():
            means: list[Tensor] = list(self.average.parameters())
            new: list[Tensor] = list(self.network.parameters())
            torch._foreach_lerp_(means, new, 1 - decay)
        return value.item()

    def save(self, path: Path) -> None:
        """Writes everything that is needed to go on, atomically."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "begun": self.begun,
        }
        write_atomic(path, lambda file: torch.save(state, file))

    def load(self, path: Path) -> None:
        """Goes on from a checkpoint."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict(state["optimiser"] | {"param_groups": groups})
        self.step, self.begun = state["step"], state["begun"]


def append(path: Path, columns: tuple[str, ...], values: list[str]) -> None:
    """Adds a row to a table, which begins with the names of its columns."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(columns)
        writer.writerow(values)


def check(training: Training, held: list[Tensor], run: Path) -> None:
    """Measures the averaged network on held-out pictures, into the run's tables and samples."""
    points = progress.curve(training.average, held[:CHECKED])
    values = progress.row(training.step, points)
    append(run / "held-out.csv", progress.COLUMNS, values)
    path = run / f"samples-{training.step:07d}.png"
    progress.save_samples(training.average, [each[:, :256, :256] for each in held[:SAMPLED]], path)
    for rate, similarity, psnr in points:
        typer.echo(f"  held out: {rate:.4f} bpp, MS-SSIM {similarity:.5f}, PSNR {psnr:.2f} dB")
    named = dict(zip(progress.COLUMNS, values, strict=True))
    typer.echo("  " + ", ".join(f"{k} {v}" for k, v in named.items() if k.startswith("bpp at")))


@app.command()
def train(
    run: Annotated[Path, typer.Argument(help="Folder of checkpoints, tables and samples.")],
    steps: Annotated[int, typer.Option(help="Step at which training ends.")] = 100_000,
    decay: Annotated[int, typer.Option(help="Last steps, in which the rate falls.")] = 20_000,
    rate: Annotated[float, typer.Option(help="Learning rate.")] = 7e-4,
    batch: Annotated[int, typer.Option(help="Crops in a step.")] = 4,
    side: Annotated[int, typer.Option(help="Side of a crop, in pixels.")] = 256,
    seed: Annotated[int, typer.Option(help="Seeds everything.")] = 0,
    start: Annotated[Path | None, typer.Option(help="Weights that a new run starts from.")] = None,
    begun: Annotated[int, typer.Option(help="Steps that these weights have had.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(help="Threads of the processor.")] = 1,
) -> None:
    """Trains, or goes on training, up to a number of steps."""
    torch.set_num_threads(threads)
    run.mkdir(parents=True, exist_ok=True)
    learned, others = pictures.read(pictures.data_folder())
    held = [pictures.tensor(each[:LONGEST, :LONGEST]) for each in others]
    training = Training(rate, device, seed, start)
    if (run / CHECKPOINT).exists():
        training.load(run / CHECKPOINT)
    else:
        training.step = training.begun = begun
    typer.echo(f"{len(learned)} pictures to learn from, {len(held)} held out, step {training.step}")
    _go(
        training,
        steps,
        decay,
        lambda share: training.update(learned, batch, side, share),
        held,
        run,
    )


def _go(
    training: Training,
    steps: int,
    decay: int,
    update: Callable[[float], float],
    held: list[Tensor],
    run: Path,
) -> None:
    losses: list[float] = []
    clock = time.perf_counter()
    while training.step < steps:
        left = (steps - training.step) / decay if decay else 1.0
        losses.append(update(max(min(left, 1.0), LEAST_RATE)))
        if training.step % LOG_EVERY == 0:
            seconds = (time.perf_counter() - clock) / len(losses)
            mean = float(np.mean(losses))
            append(
                run / "training.csv",
                ("step", "loss", "seconds"),
                [
                    str(training.step),
                    f"{mean:.5f}",
                    f"{seconds:.4f}",
                ],
            )
            typer.echo(f"step {training.step}: loss {mean:.4f}, {seconds:.3f} s a step")
            losses, clock = [], time.perf_counter()
        if training.step % SAVE_EVERY == 0 or training.step == steps:
            training.save(run / CHECKPOINT)
        if training.step % CHECK_EVERY == 0 or training.step == steps:
            check(training, held, run)
            losses, clock = [], time.perf_counter()


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    output: Annotated[Path, typer.Argument(help="File of the weights.")],
) -> None:
    """Writes a run's averaged weights, in half precision."""
    training = Training(0.0, "cpu", 0)
    training.load(run / CHECKPOINT)
    learned, _ = pictures.read(pictures.data_folder())
    chosen = learned[:: -(-len(learned) // MEASURED)]
    cropped = [pictures.tensor(each[:LONGEST, :LONGEST]) for each in chosen]
    measure_ceilings(training.average, cropped)
    save_weights(training.average, output)
    typer.echo(f"weights after {training.step} steps in {output}")


if __name__ == "__main__":
    run(app)
