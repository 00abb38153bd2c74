"""Measures the speed of the dance environments: ``python -m experiments.dance.bench``.

The native vector class beside as many single environments, both with random legal actions and the
shipped critics, in processor time of one core; the best of several runs counts.
"""

import time
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from agents.provenance import provenance
from experiments.options import printer
from experiments.timing import COPIES, best_seconds, hardware
from hardware_sim.commands import run
from hardware_sim.files import write_json

IDS = ("Choreography-v0", "StepPlacement-v0", "StepSelection-v1")


def draw(mask: NDArray[np.int8], random: np.random.Generator) -> NDArray[np.int64]:
    """A legal action for each of the masks ``(N, A)``."""
    return np.asarray((random.random(mask.shape) * mask).argmax(axis=1))


def rates(env_id: str, steps: int, repeats: int) -> dict[str, Any]:
    """Steps a second of the vector class and of copies of the single one."""
    vector = gym.make_vec(f"envs:{env_id}", num_envs=COPIES)
    copies = [gym.make(f"envs:{env_id}") for _ in range(COPIES)]
    random = np.random.default_rng(0)

    def together() -> None:
        observation, _ = vector.reset(seed=0)
        for _ in range(steps):
            observation, *_ = vector.step(draw(observation["action_mask"], random))

    def apart() -> None:
        masks = np.stack([env.reset(seed=i)[0]["action_mask"] for i, env in enumerate(copies)])
        for _ in range(steps):
            for i, (env, action) in enumerate(zip(copies, draw(masks, random), strict=True)):
                observation, _, ended, *_ = env.step(action)
                observation = env.reset()[0] if ended else observation
                masks[i] = observation["action_mask"]

    fast, slow = (
        COPIES * steps / best_seconds(run, time.process_time, repeats) for run in (together, apart)
    )
    vector.close()
    return {"id": env_id, "vector": fast, "copies": slow, "ratio": fast / slow}


def main(
    steps: Annotated[int, typer.Option(min=1, help="Of each song.")] = 100,
    repeats: Annotated[int, typer.Option(min=1, help="Runs, of which the best counts.")] = 3,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="JSON file.")] = None,
) -> None:
    """Prints steps a second of each id."""
    lines = [rates(env_id, steps, repeats) for env_id in IDS]
    table = Table(box=SIMPLE, title=f"steps a second, {COPIES} songs, one core of {hardware()}")
    for column in ("id", "vector class", "single ones", "ratio"):
        table.add_column(column, justify="left" if column == "id" else "right")
    for line in lines:
        table.add_row(
            line["id"], f"{line['vector']:,.0f}", f"{line['copies']:,.0f}", f"{line['ratio']:.1f}"
        )
    printer(soft_wrap=False).print(table)
    if output:
        write_json(output, {"machine": hardware(), "provenance": provenance(), "rows": lines})


if __name__ == "__main__":
    run(main)
