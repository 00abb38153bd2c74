"""Times what an agent's own process costs: ``python -m experiments.judge_bench``.

The same episodes are played by the same agent in this process and in one of its own, in turn; the
time of each step is the best of several plays, since other programs disturb wall time.
"""

import time
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.progress import track
from rich.table import Table

from agents.agent import Agent
from agents.process import acting
from experiments.evaluate import make, play
from experiments.options import printer
from experiments.timing import hardware
from hardware_sim.commands import run
from hardware_sim.files import write_json

CASES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("CartPole-v1", "random", {}),
    ("envs:AdaptiveSoftmax-v0", "random", {}),
    ("envs:CompactFeature-v0", "random", {}),
    ("envs:ConvTuning-v1", "random", {}),
    ("envs:DevicePlacement-InceptionV3-v0", "random", {}),
    ("envs:LoopSchedule-v0", "random", {}),
    ("envs:StepSelection-v1", "random", {}),
    ("envs:WoB-United-v0", "random", {"backend": "twin"}),
    ("envs:WoB-United-v0", "pretrained", {"backend": "twin"}),
    ("envs:WoB-United-v0", "random", {}),
    ("envs:WoB-United-v0", "pretrained", {}),
)
"""Id, agent and arguments of the environment."""

Row = dict[str, Any]


def step_times(env: gym.Env[Any, Any], agent: Agent, seed: int) -> NDArray[np.float64]:
    """Microseconds of each step of an episode, the agent's time included, ``(T,)``."""
    moments: list[float] = []
    play(env, agent, seed, 0, lambda _: moments.append(time.perf_counter()))
    return np.diff(moments) * 1e6


def row(env_id: str, name: str, kwargs: dict[str, Any], seeds: int, repeats: int) -> Row:
    """Times of a step in both ways, means over all steps of the best of some repeats."""
    env = make(env_id, kwargs)
    best: list[NDArray[np.float64]] = []
    with acting(name, env, in_process=True) as within, acting(name, env) as apart:
        for seed in range(seeds):
            plays = [
                [step_times(env, agent, seed) for agent in (within, apart)] for _ in range(repeats)
            ]
            best.append(np.min(plays, axis=0))  # all have the same steps
    env.close()
    in_process_us, process_us = np.concatenate(best, axis=1).mean(axis=1).tolist()
    return {
        "id": " ".join([env_id.removeprefix("envs:"), *kwargs.values()]),
        "agent": name,
        "in_process_us": in_process_us,
        "process_us": process_us,
        "overhead_us": process_us - in_process_us,
        "overhead": process_us / in_process_us - 1,
    }


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Episodes of each case.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="Of each episode.")] = 9,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="JSON file.")] = None,
) -> None:
    """Prints microseconds of a step in this process and in one of the agent's own."""
    rows = [row(*case, seeds, repeats) for case in track(CASES, "cases")]
    table = Table(box=SIMPLE, title=f"a step in microseconds, {hardware()}")
    for heading in ("id", "agent", "in this process", "in its own", "overhead", "share"):
        table.add_column(heading, justify="left" if heading in ("id", "agent") else "right")
    for each in rows:
        figures = (each["in_process_us"], each["process_us"], each["overhead_us"])
        shown = (f"{figure:.0f}" for figure in figures)
        table.add_row(each["id"], each["agent"], *shown, f"{each['overhead']:.0%}")
    printer(soft_wrap=False).print(table)
    if output:
        write_json(output, {"hardware": hardware(), "rows": rows})


if __name__ == "__main__":
    run(main)
