"""Measures the browser-free twin of the web environments: ``python -m experiments.web.twin_bench``.

Another process plays random legal actions, or the expert's, and keeps them; what is timed replays
them, so that nobody's thinking counts. Every run replays other episodes, which this process has not
seen, after one that warms it up: the twin remembers words and pages, but nobody trains on the same
episodes over and over. Steps include those on which rows start anew. As many copies of the single
environment in a loop play the last run's actions once more. Times are processor times on one core,
which other programs disturb least, the best of several runs.
"""

import multiprocessing
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from agents.web.expert import expert_action
from envs.registration import ENTRIES
from envs.web.vector import WebVectorEnv
from experiments.options import printer
from experiments.timing import COPIES, best_seconds, hardware
from hardware_sim.commands import run
from hardware_sim.errors import choose
from hardware_sim.files import write_json

PLAYS = ("random", "expert")
IDS = tuple(name for name, entry in ENTRIES.items() if entry.domain == "web")

Row = dict[str, Any]


def recorded_actions(env_id: str, play: str, steps: int, seed: int) -> NDArray[np.int64]:
    """Actions of a first pass, int64 ``(steps, 64)``.

    Args:
        env_id: One of ``IDS``.
        play: ``"random"`` for random legal actions, ``"expert"`` for the expert's.
        steps: Steps of every row.
        seed: Seeds the rows' episodes and the random actions.
    """
    choose("play", play, PLAYS)
    env, random = _native(env_id), np.random.default_rng(seed)
    env.reset(seed=seed)
    kept = np.zeros((steps, COPIES), np.int64)
    for actions in kept:
        if play == "random":
            mask = env.action_masks()
            actions[:] = (random.random(mask.shape) * mask).argmax(axis=1)
        else:
            for i, session in enumerate(env.sessions):
                actions[i] = 0 if session.ended else expert_action(session.sight())
        env.step(actions)
    return kept


def replay_seconds(
    env: gym.vector.VectorEnv[Any, Any, Any], actions: NDArray[np.int64], seed: int
) -> float:
    """Processor seconds of the steps of a replay."""
    env.reset(seed=seed)

    def run() -> None:
        for row in actions:
            env.step(row)

    return best_seconds(run, time.process_time, 1)


def measure(
    env_id: str, play: str, steps: int, repeats: int, elsewhere: ProcessPoolExecutor
) -> Row:
    """Steps per second of the native class, and how many times those of copies in a loop."""
    seeds = range(0, (repeats + 1) * COPIES, COPIES)
    recordings = [elsewhere.submit(recorded_actions, env_id, play, steps, seed) for seed in seeds]
    plays = [recording.result() for recording in recordings]
    native = _native(env_id)
    _, *seconds = [replay_seconds(native, *one) for one in zip(plays, seeds, strict=True)]
    loop = gym.make_vec(
        f"envs:{env_id}", num_envs=COPIES, vectorization_mode="sync", backend="twin"
    )
    plain = replay_seconds(loop, plays[-1], seeds[-1])
    loop.close()
    return {
        "id": env_id,
        "play": play,
        "steps_per_s": steps * COPIES / min(seconds),
        "ratio_to_loop": plain / seconds[-1],
    }


def _native(env_id: str) -> WebVectorEnv:
    return WebVectorEnv(COPIES, str(ENTRIES[env_id].kwargs["task"]))


def _print(console: Console, rows: list[Row]) -> None:
    console.print(f"Steps a second of {COPIES} rows of the twin on one core, resets included;")
    console.print("ratio to as many copies of the single environment in a loop.")
    table = Table(box=SIMPLE, pad_edge=False, collapse_padding=True)
    table.add_column("id")
    for play in PLAYS:
        table.add_column(play, justify="right")
        table.add_column("ratio", justify="right")
    for env_id in dict.fromkeys(row["id"] for row in rows):
        cells = [
            cell
            for row in rows
            if row["id"] == env_id
            for cell in (f"{row['steps_per_s']:,.0f}", f"{row['ratio_to_loop']:.1f}x")
        ]
        table.add_row(env_id, *cells)
    console.print(table)


def command(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids; all, if none is given.")] = None,
    steps: Annotated[int, typer.Option(help="Steps of each of the 64 rows.", min=1)] = 100,
    repeats: Annotated[int, typer.Option(help="Runs, of which the best counts.", min=1)] = 3,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file for the figures.")
    ] = None,
) -> None:
    """Measures the twin on this machine."""
    console = printer(soft_wrap=False)
    console.print(hardware())
    names = [choose("id", env_id, IDS) for env_id in ids or IDS]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as elsewhere:
        rows = [
            measure(env_id, play, steps, repeats, elsewhere) for env_id in names for play in PLAYS
        ]
    _print(console, rows)
    if output is not None:
        figures = {"hardware": hardware(), "python": platform.python_version(), "twin": rows}
        write_json(output, figures)


if __name__ == "__main__":
    run(command)
