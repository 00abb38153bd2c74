"""Trains the shipped weights for tuning convolutions.

``python -m agents.convolution.recipe model convolution-model.safetensors`` fits the cost model to
the measured tables of the training layers; ``... policy convolution-policy.safetensors`` trains a
policy by masked PPO on the same layers. Neither sees a layer of the test split.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import gymnasium as gym
import numpy as np
import torch
import typer
from torch import Tensor

from agents.convolution.cost_model import CostModel, judge, table
from agents.convolution.policy import network
from agents.engines import sb3
from agents.engines.base import Progress, TrainConfig
from agents.runs import Run
from envs.convolution.tables import Table, measured_on, replay
from envs.weights import save_weights
from hardware_sim.commands import run
from hardware_sim.kernels import space
from hardware_sim.kernels.layers import find

UPDATES = 1_000
BATCH = 512
NEAR = 2.0
"""Samples count by exp(NEAR * distance from the layer's best): the order near the top matters."""

app = typer.Typer(no_args_is_help=True, add_completion=False)

Output = Annotated[Path, typer.Argument(help="File of the weights.")]
Seed = Annotated[int, typer.Option(help="Seeds everything.")]


def samples(tables: list[Table]) -> tuple[Tensor, Tensor, Tensor]:
    """Features ``(N, F)``, log speed-ups ``(N,)`` and weights ``(N,)`` of all variants measured."""
    features, targets, weights = [], [], []
    for each in tables:
        meanings, rows = table(find(each.name).problem, measured_on())
        speedup = np.array([each.speedup[choices[0]] for choices in meanings])
        sound = speedup > 0
        target = np.log(speedup[sound])
        features.append(rows[sound])
        targets.append(target)
        weight = np.exp(NEAR * (target - target.max()))
        weights.append(weight / weight.sum() * len(weight) ** 0.5)
    joined = (np.concatenate(parts).astype(np.float32) for parts in (features, targets, weights))
    x, y, w = (torch.from_numpy(part) for part in joined)
    return x, y, w / w.mean()


def fit(tables: list[Table], seed: int, updates: int = UPDATES) -> CostModel:
    """A cost model fitted to the tables of layers."""
    torch.manual_seed(seed)
    model = CostModel()
    x, y, weight = samples(tables)
    model.mean.copy_(x.mean(dim=0))
    model.scale.copy_(x.std(dim=0).clamp_min(0.1))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=updates)
    for _ in range(updates):
        rows = torch.randint(len(x), (BATCH,))
        loss = (weight[rows] * (model(x[rows]) - y[rows]) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model


def regret(model: CostModel, tables: list[Table], tries: int) -> float:
    """Mean share of the greatest log speed-up that a model's first ``tries`` variants reach."""
    shares = []
    for each in tables:
        truth = np.log(np.where(each.speedup > 0, each.speedup, np.nan))
        best = max(float(np.nanmax(truth)), 0.0)
        if best > 0.05:
            problem, machine = find(each.name).problem, measured_on()
            predictions = judge(model, problem, machine)
            firsts = [choices[0] for choices in space.choices(problem, machine).values()]
            order = sorted(firsts, key=lambda choice: -predictions[choice])[:tries]
            reached = max(float(truth[choice]) for choice in order)
            shares.append(max(reached, 0.0) / best)
    return float(np.mean(shares))


@app.command()
def model(output: Output, seed: Seed = 0) -> None:
    """Fits the cost model to the training layers, after leaving out each network once."""
    torch.set_num_threads(1)
    train = [each for each in replay().values() if each.split == "train"]
    for held_out in ("VGG", "AlexNet", "Inception"):
        rest = [each for each in train if not each.name.startswith(held_out)]
        left = [each for each in train if each.name.startswith(held_out)]
        fitted = fit(rest, seed)
        shares = ", ".join(f"{100 * regret(fitted, left, n):.1f} % in {n}" for n in (1, 4, 8))
        typer.echo(f"without {held_out}: of its greatest gain {shares}")
    save_weights(fit(train, seed), output)


@app.command()
def policy(
    output: Output,
    seed: Seed = 0,
    steps: Annotated[int, typer.Option(help="Measurements in the table to learn from.")] = 200_000,
) -> None:
    """Trains a policy by masked PPO on the training layers."""
    with TemporaryDirectory() as folder:
        config = TrainConfig(
            env_id="envs:ConvTuning-v1",
            engine="sb3",
            algo="ppo",
            steps=steps,
            seed=seed,
            num_envs=64,
        )
        run = Run.create(Path(folder, "run"), config.to_json())
        sb3.train(config, run, _report)
        _, content = run.read_best(sb3.read)
    env = gym.make(config.env_id)
    trained = network(env)
    env.close()
    trained.load_state_dict(content["parameters"]["policy"])
    save_weights(trained, output)


def _report(progress: Progress) -> None:
    score = progress.metrics.get("mean_score")
    if score is not None:
        typer.echo(f"{progress.step} of {progress.total} steps, mean score {score:.3f}")


if __name__ == "__main__":
    run(app)
