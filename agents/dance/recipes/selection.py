"""Trains networks that choose the rows of dance charts.

``python -m agents.dance.recipes.selection lstm64+dt lstm64.safetensors`` trains one network of the
paper's table, ``... ours dance-selection.safetensors`` ours, and ``... judge
dance-judge.safetensors`` the judge, which sees no chart that ours sees. All learn from the songs of
the split train, keep the state that does best on those of the split valid, and go on from the last
checkpoint if they were stopped.
"""

import io
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.nn import functional

from agents.dance.batches import (
    Batch,
    Steps,
    batches,
    chart_steps,
    collate,
    human_charts,
    with_looks,
)
from agents.dance.paper import PAPER, Selector, paper_network
from agents.dance.selection import RepeatNet
from envs.weights import save_weights
from hardware_sim.commands import run
from hardware_sim.errors import choose
from hardware_sim.files import write_atomic
from hardware_sim.timing import check_device


class Recipe(NamedTuple):
    """A network and the settings of its training.

    Attributes:
        network: Makes it.
        corpora: Corpora to learn from; the first one's songs of the split valid decide.
        updates: Gradient steps.
        places: Of a batch, padding included.
        rate: Highest learning rate; it rises over the first hundredth and falls as a cosine.
        checks: Times the state is judged on the split valid.
        decay: Of weights.
    """

    network: Callable[[], Selector]
    corpora: tuple[str, ...] = ("itg",)
    updates: int = 3000
    places: int = 2048
    rate: float = 4e-3
    checks: int = 10
    decay: float = 0.01


LONG = 6000
"""Updates of networks that are unrolled over many rows; the paper's others overfit by then."""

RECIPES = {
    **{
        name: Recipe(partial(paper_network, name), updates=LONG if unroll == 64 else 3000)
        for name, (unroll, _) in PAPER.items()
    },
    "ours": Recipe(RepeatNet, ("itg", "thumbsy"), 12_000, 1024, 2e-3, decay=0.05),
    "judge": Recipe(partial(paper_network, "lstm64+dt+beat"), ("arcade",)),
}


class Score(NamedTuple):
    """The quality of a network's predictions of rows.

    Attributes:
        nats: Negative log-likelihood (N,) of every row, in nats.
        hits: (N,) bool, true where the likeliest row was right.
    """

    nats: Tensor
    hits: Tensor

    @property
    def perplexity(self) -> float:
        """The exponential of the mean negative log-likelihood."""
        return math.exp(self.nats.mean().item())

    @property
    def accuracy(self) -> float:
        """Share of the rows whose prediction was right."""
        return self.hits.float().mean().item()


def score(
    log_probabilities: Callable[[Batch], Tensor], charts: Sequence[Steps], places: int = 8192
) -> Score:
    """Scores predictions, teacher-forced, every chart as a whole, in the order of the charts.

    Args:
        log_probabilities: Of all rows at all places, (B, N, 256) of a batch.
        charts: Charts to predict.
        places: Of a batch, at most.
    """
    found: dict[int, Score] = {}
    numbers = {id(chart): i for i, chart in enumerate(charts)}
    for group in batches(charts, places):
        batch = collate(group)
        predictions = log_probabilities(batch)
        nats = -predictions.gather(-1, batch.rows[..., None])[..., 0]
        hits = predictions.argmax(-1) == batch.rows
        for i, chart in enumerate(group):
            found[numbers[id(chart)]] = Score(nats[i, : len(chart)], hits[i, : len(chart)])
    ordered = [found[i] for i in range(len(charts))]
    return Score(*(torch.cat(parts) for parts in zip(*ordered, strict=True)))


class Training:
    """A network in training, with all that a checkpoint needs.

    Args:
        recipe: Network and settings.
        seed: Of parameters, order, mirrors and dropout.
        train: Charts to learn from.
        valid: Charts that decide which state is kept.
        device: Of torch.
    """

    def __init__(
        self,
        recipe: Recipe,
        seed: int,
        train: Sequence[Steps],
        valid: Sequence[Steps],
        device: str = "cpu",
    ) -> None:
        torch.manual_seed(seed)
        self.recipe, self.valid, self.device = recipe, valid, device
        self.network = recipe.network().to(device)
        size = self.network.unroll
        self.train = [part for each in train for part in each.parts(size or len(each))]
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.decay
        )
        self.random = np.random.default_rng(seed)
        self.done, self.cpu_s = 0, 0.0
        self.queue: list[list[Steps]] = []
        self.best: dict[str, Any] = {"perplexity": math.inf, "state": None}

    def update(self) -> float:
        """One gradient step; returns the loss in nats."""
        recipe, network = self.recipe, self.network
        if not self.queue:
            self.queue = batches(self.train, recipe.places, self.random)
        batch = collate(self.queue.pop())
        batch = batch.mirrored(torch.from_numpy(self.random.integers(0, 4, len(batch.rows))))
        batch = batch.to(self.device)
        share = self.done / recipe.updates
        rate = recipe.rate * min(1, 100 * share) * (0.5 + 0.5 * math.cos(math.pi * share) + 0.005)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        network.train()
        loss = functional.cross_entropy(network(batch)[batch.mask], batch.rows[batch.mask])
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        self.optimiser.step()
        self.done += 1
        return loss.item()

    def run(self, checkpoint: Path, report: Callable[[str], None]) -> None:
        """Trains to the end and leaves the network in its best state.

        Args:
            checkpoint: File of the state so far, written at every check.
            report: Called with a line at every check.
        """
        started, last = time.process_time() - self.cpu_s, self.done
        every = max(1, self.recipe.updates // self.recipe.checks)
        losses: list[float] = []
        while self.done < self.recipe.updates:
            losses.append(self.update())
            self.cpu_s = time.process_time() - started
            if self.done % every == 0 or self.done == self.recipe.updates:
                found = score(self.log_probabilities, self.valid)
                report(
                    f"{self.done} of {self.recipe.updates} updates, {self.cpu_s:.0f} CPU s: "
                    f"perplexity {math.exp(float(np.mean(losses))):.3f} in training, "
                    f"{found.perplexity:.3f} on valid, accuracy {found.accuracy:.4f}"
                )
                losses = []
                if found.perplexity < self.best["perplexity"]:
                    state = {k: v.clone() for k, v in self.network.state_dict().items()}
                    self.best = {"perplexity": found.perplexity, "state": state}
                self.save(checkpoint)
                last = self.done
        if self.done > last:
            self.save(checkpoint)
        self.network.load_state_dict(self.best["state"])
        self.network.eval()

    def log_probabilities(self, batch: Batch) -> Tensor:
        """Log-probabilities of all rows at all places (B, N, 256), without dropout."""
        self.network.eval()
        with torch.no_grad():
            return torch.log_softmax(self.network(batch.to(self.device)), -1).cpu()

    def save(self, path: Path) -> None:
        """Writes a checkpoint; batches that wait are drawn anew after a stop."""
        content = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": self.random.bit_generator.state,
            "torch": torch.get_rng_state(),
            "done": self.done,
            "cpu_s": self.cpu_s,
            "best": self.best,
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomic(path, lambda file: file.write(buffer.getvalue()))

    def load(self, path: Path) -> None:
        """Goes back to a checkpoint."""
        content = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(content["network"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.random.bit_generator.state = content["random"]
        torch.set_rng_state(content["torch"].cpu())
        self.done, self.cpu_s, self.best = content["done"], content["cpu_s"], content["best"]


def main(
    name: Annotated[str, typer.Argument(help="A recipe: " + ", ".join(RECIPES))],
    output: Annotated[Path, typer.Argument(help="File of the weights.")],
    seed: Annotated[int, typer.Option(help="Seeds everything.")] = 0,
    device: Annotated[str, typer.Option(help="Of torch, such as cpu or cuda.")] = "cpu",
) -> None:
    """Trains a network and writes its weights, in half precision."""
    torch.set_num_threads(1)
    check_device(device)
    recipe = RECIPES[choose("recipe", name, tuple(RECIPES))]
    train = [
        each
        for corpus_name in recipe.corpora
        for each in chart_steps(human_charts(corpus_name, "train"), corpus_name)
    ]
    valid = chart_steps(human_charts(recipe.corpora[0], "valid"), recipe.corpora[0])
    if recipe.network().needs_looks:
        train, valid = with_looks(train), with_looks(valid)
    training = Training(recipe, seed, train, valid, device)
    checkpoint = output.with_suffix(".checkpoint")
    if checkpoint.exists():
        training.load(checkpoint)
    training.run(checkpoint, typer.echo)
    save_weights(training.network, output)
    typer.echo(f"{name}: perplexity {training.best['perplexity']:.3f} on valid")


if __name__ == "__main__":
    run(main)
