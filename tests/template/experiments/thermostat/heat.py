"""``gymworks heat``: a heating plan."""

from typing import Annotated

import gymnasium as gym
import typer

from agents.loading import load_agent
from agents.rollout import rollout


def command(
    weather: Annotated[str, typer.Option(help="mild or cold.")] = "cold",
    seed: Annotated[int, typer.Option(help="Seed of the temperature to begin with.")] = 0,
) -> None:
    """Print a heating plan for two days."""
    env = gym.make("envs:Thermostat-v0", render_mode="ansi")
    for moment in rollout(env, load_agent("hysteresis", env), seed, options={"weather": weather}):
        typer.echo(env.render())
        info = moment.info
    typer.echo(f"mean deviation {info['score']:.2f} K")
    env.close()
