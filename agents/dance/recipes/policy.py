"""Trains the shipped policy of the dance environments.

``python -m agents.dance.recipes.policy dance-policy.safetensors`` fine-tunes the supervised policy
by masked PPO on the training songs. The critics' log-probabilities are part of the reward, and so
the leash that keeps the policy near the supervised one.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from agents.dance.policy import DanceNetwork
from agents.engines import sb3
from agents.engines.base import Progress, TrainConfig
from agents.runs import Run
from envs.weights import save_weights
from hardware_sim.commands import run

HYPERPARAMETERS = {
    "n_steps": 128,
    "batch_size": 1024,
    "n_epochs": 4,
    "learning_rate": 3e-4,
    "gamma": 0.95,
    "gae_lambda": 0.95,
    "ent_coef": 0.02,
}


def main(
    output: Annotated[Path, typer.Argument(help="File of the weights.")],
    steps: Annotated[int, typer.Option(help="Times of songs to learn from.")] = 600_000,
    seed: Annotated[int, typer.Option(help="Seeds everything.")] = 0,
) -> None:
    """Trains and writes the policy."""
    with TemporaryDirectory() as folder:
        config = TrainConfig(
            env_id="envs:Choreography-v0",
            engine="sb3",
            algo="ppo",
            steps=steps,
            seed=seed,
            num_envs=64,
            hyperparameters=HYPERPARAMETERS,
        )
        run = Run.create(Path(folder, "run"), config.to_json())
        sb3.train(config, run, _report)
        _, content = run.read_best(sb3.read)
    network = DanceNetwork()
    learned = content["parameters"]["policy"]
    network.load_state_dict({k.removeprefix("network."): v for k, v in learned.items()})
    save_weights(network, output)


def _report(progress: Progress) -> None:
    score = progress.metrics.get("mean_score")
    if score is not None:
        typer.echo(f"{progress.step} of {progress.total} steps, {score:.3f} nats a time")


if __name__ == "__main__":
    run(main)
