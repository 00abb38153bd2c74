"""Trains the shipped weights of the web policies.

``python -m agents.web.recipe generalist web-0.safetensors --seed 0`` imitates the expert on all
tasks in the twin, then goes on by reinforcement on flight sites (behaviour cloning, then a policy
gradient, as Shi et al., ICML 2017, did). ``... pixels web-pixels-0.safetensors`` imitates the
expert's bookings on one site by what the screen shows, in a real browser.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import gymnasium as gym
import torch
import typer

from agents.algorithms.imitation import Memory
from agents.engines import sb3
from agents.engines.base import Progress, TrainConfig
from agents.runs import Run
from agents.web.imitation import SITES, collect_in_browser, fit, imitate, pack
from agents.web.policy import WebPolicy
from envs.web.env import WebEnv
from envs.weights import load_weights, save_weights
from hardware_sim.commands import run

PPO = {
    "n_steps": 128,
    "batch_size": 256,
    "n_epochs": 2,
    "learning_rate": 1e-4,
    "clip_range": 0.1,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "ent_coef": 0.001,
    "vf_coef": 0.1,
}
PIXEL_SITE = "envs:WoB-United-v0"

app = typer.Typer(no_args_is_help=True, add_completion=False)

Output = Annotated[Path, typer.Argument(help="File of the weights.")]
Seed = Annotated[int, typer.Option(help="Seeds everything.")]


@app.command()
def generalist(
    output: Output,
    seed: Seed = 0,
    steps: Annotated[int, typer.Option(help="Steps of reinforcement; 0 for none.")] = 24_576,
    start: Annotated[Path | None, typer.Option(help="Weights in place of imitation.")] = None,
) -> None:
    """Imitation on all tasks, then reinforcement on flight sites."""
    torch.set_num_threads(1)
    if start is None:
        learner = imitate(seed, typer.echo)
        save_weights(learner, output)
    else:
        learner = WebPolicy()
        load_weights(learner, start)
    if steps:
        save_weights(reinforce(learner, seed, steps), output)


def reinforce(learner: WebPolicy, seed: int, steps: int) -> WebPolicy:
    """The policy after PPO on declared and drawn flight sites in the twin, at its best."""
    with TemporaryDirectory() as folder:
        weights = Path(folder, "start.safetensors")
        save_weights(learner, weights)
        config = TrainConfig(
            env_id="envs:WoB-United-v0",
            engine="sb3",
            algo="ppo",
            steps=steps,
            seed=seed,
            num_envs=64,
            env_kwargs={"task": SITES, "backend": "twin"},
            hyperparameters={**PPO, "weights": str(weights)},
        )
        run = Run.create(Path(folder, "run"), config.to_json())
        sb3.train(config, run, _report)
        _, content = run.read_best(sb3.read)
    state = content["parameters"]["policy"]
    prefix = "network."
    learner.load_state_dict(
        {name.removeprefix(prefix): part for name, part in state.items() if prefix in name}
    )
    return learner


def _report(progress: Progress) -> None:
    score = progress.metrics.get("mean_score")
    if score is not None:
        typer.echo(f"{progress.step} of {progress.total} steps, mean agreement {score:.3f}")


@app.command()
def pixels(
    output: Output,
    seed: Seed = 0,
    steps: Annotated[int, typer.Option(help="States to see.")] = 4000,
    updates: Annotated[int, typer.Option(help="Updates.")] = 900,
) -> None:
    """Imitation by what the screen shows, on the site United."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    env = gym.make(PIXEL_SITE, pixels=True)
    assert isinstance(env.unwrapped, WebEnv)
    memory, learner = Memory(pack), WebPolicy("pixels")
    collect_in_browser(memory, env.unwrapped, steps, seed)
    env.close()
    loss = fit(learner, memory.joined(), updates, 2e-3, seed, size=32)
    typer.echo(f"{steps} states, loss {loss:.3f}")
    save_weights(learner, output)


if __name__ == "__main__":
    run(app)
