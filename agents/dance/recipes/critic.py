"""Trains the critic of dance charts.

``python -m agents.dance.recipes.critic dance-critic.safetensors`` fits it to charts that the
selection network has not learned from, one in five arcade charts of the split train and all In The
Groove charts of the split valid, each against one spoiled copy of every kind; windows of one chart
in ten decide when to stop.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor
from torch.nn import functional

from agents.dance import selection
from agents.dance.batches import Steps, chart_steps, human_charts, with_looks
from agents.dance.corruption import CORRUPTIONS
from agents.dance.critic import LEVELS, Critic, nats, windows
from envs.weights import save_weights
from hardware_sim.commands import run

ONE_IN = 5
"""Arcade charts that are used."""

UPDATES = 3000
BATCH = 512
CHECK = 250


def spoiled(charts: Sequence[Steps], seed: int) -> dict[str, list[Steps]]:
    """The charts themselves, as ``"human"``, and a copy of them all by each corruption."""
    rng = np.random.default_rng(seed)
    found = {name: [spoil(each, rng) for each in charts] for name, spoil in CORRUPTIONS.items()}
    return {"human": list(charts), **found}


def samples(charts: Sequence[Steps], seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features (W, F) of all windows, 1 (W,) where a human wrote them, and their charts (W,)."""
    features, human, numbers = [], [], []
    for name, group in spoiled(charts, seed).items():
        found = windows(selection.shipped(), group)
        features.append(found.features)
        numbers.append(found.charts)
        human.append(np.full(len(found.charts), name == "human", np.float32))
    x, y, number = (torch.from_numpy(np.concatenate(p)) for p in (features, human, numbers))
    return x, y, number


def fit(x: Tensor, y: Tensor, number: Tensor, seed: int) -> tuple[Critic, float]:
    """A critic of windows, and the loss it has on the charts kept aside, a tenth.

    Human windows weigh as much as all the others together.
    """
    torch.manual_seed(seed)
    critic = Critic()
    critic.mean.copy_(x.mean(0))
    critic.scale.copy_(x.std(0).clamp_min(0.05))
    weight = torch.where(y > 0, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    aside = number % 10 == 0
    kept, held = torch.where(~aside)[0], torch.where(aside)[0]
    optimiser = torch.optim.AdamW(critic.parameters(), 3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=UPDATES)
    best, state = float("inf"), critic.state_dict()
    for update in range(1, UPDATES + 1):
        drawn = kept[torch.randint(len(kept), (BATCH,))]
        critic.train()
        loss = functional.binary_cross_entropy_with_logits(
            critic(x[drawn]), y[drawn], weight[drawn]
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if update % CHECK == 0:
            critic.eval()
            with torch.no_grad():
                left = functional.binary_cross_entropy_with_logits(
                    critic(x[held]), y[held], weight[held]
                ).item()
            if left < best:
                best, state = left, {k: v.clone() for k, v in critic.state_dict().items()}
    critic.load_state_dict(state)
    return critic.eval(), best


def usual(charts: Sequence[Steps]) -> Tensor:
    """Mean negative log-likelihood (LEVELS,) of a row of human charts of each level, in nats."""
    costs = nats(selection.shipped(), with_looks(charts))
    by_level = [
        [cost for cost, chart in zip(costs, charts, strict=True) if chart.level == level]
        for level in range(LEVELS)
    ]
    return torch.tensor([float(np.concatenate(group).mean()) for group in by_level])


def main(
    output: Annotated[Path, typer.Argument(help="File of the weights.")],
    seed: Annotated[int, typer.Option(help="Seeds everything.")] = 0,
) -> None:
    """Trains the critic and writes its weights, in half precision."""
    torch.set_num_threads(1)
    unseen = chart_steps(human_charts("itg", "valid"), "itg")
    charts = unseen + chart_steps(human_charts("arcade", "train")[::ONE_IN], "itg")
    critic, loss = fit(*samples(charts, seed), seed)
    critic.usual.copy_(usual(unseen))
    typer.echo(f"loss {loss:.4f} on windows of charts kept aside")
    save_weights(critic, output)


if __name__ == "__main__":
    run(main)
