"""Plays every task of an installed MiniWoB++: ``python -m experiments.miniwob_check``.

Each task is opened, played with random legal actions, and played again after other episodes: the
same seed and actions must give the same observations, pixels included, whatever went before.
"""

import time
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from envs.testing.trajectory import Record, difference, reset_record, step_record
from envs.web.browser import release_browsers
from envs.web.devtools import BrowserDiedError, CommandError
from envs.web.miniwob.env import RELOADED
from envs.web.miniwob.package import tasks
from hardware_sim.errors import InputError, choose

SEEDS = (1, 2, 3)
"""Of the episodes that are compared; others lie between."""


def play(env: gym.Env[Any, Any], seed: int, steps: int) -> list[Record]:
    """An episode of at most ``steps`` random legal actions."""
    random = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    records = [reset_record(observation, info)]
    for _ in range(steps):
        action = int(random.choice(np.flatnonzero(observation["action_mask"])))
        outcome = env.step(action)
        observation = outcome[0]
        records.append(step_record(*outcome))
        if "lost" in outcome[4]:
            raise BrowserDiedError(outcome[4]["lost"])
        if outcome[2] or outcome[3]:
            break
    return records


def check_task(task: str, steps: int, fresh_page: bool | None = None) -> dict[str, Any]:
    """Plays one task.

    Args:
        task: Its name.
        steps: Most actions of an episode.
        fresh_page: As for :class:`envs.web.miniwob.env.MiniWoBEnv`.

    Returns:
        ``{"task", "steps", "seconds", "elements": most rows, "fault": "" or what went wrong}``.
    """
    began = time.perf_counter()
    env: Any = gym.make(
        f"envs:WoB-MiniWoB-{task}-v0", disable_env_checker=True, pixels=True, fresh_page=fresh_page
    )
    row: dict[str, Any] = {"task": task, "steps": 0, "elements": 0, "fault": ""}
    try:
        for seed in SEEDS:
            once = play(env, seed, steps)
            row["steps"] += len(once) - 1
            row["elements"] = max(row["elements"], int(env.unwrapped.arrays["element_mask"].sum()))
            play(env, seed + 100, steps)
            again = play(env, seed, steps)
            row["fault"] = row["fault"] or compare(once, again)
    except (BrowserDiedError, CommandError, InputError) as error:
        row["fault"] = f"{type(error).__name__}: {error}"
    env.close()
    return row | {"seconds": time.perf_counter() - began}


def compare(once: list[Record], again: list[Record]) -> str:
    """Where two episodes differ, or nothing."""
    for step, (first, second) in enumerate(zip(once, again, strict=False)):
        found = difference(first, second)
        if found:
            return f"step {step}: {found}"
    return "" if len(once) == len(again) else f"{len(once)} and {len(again)} steps"


def command(
    only: Annotated[str, typer.Option(help="Tasks with this in their name.")] = "",
    steps: Annotated[int, typer.Option(help="Most actions of an episode.")] = 6,
    restart: Annotated[
        bool, typer.Option(help="Restart in the open page even where a task needs a fresh one.")
    ] = False,
) -> None:
    """Plays every task and says what went wrong."""
    console = Console()
    chosen = [task for task in tasks() if only in task]
    if not chosen:
        choose("MiniWoB task", only, tasks())
    rows = [
        check_task(task, steps, False if restart else None)
        for task in track(chosen, "tasks", console=console)
    ]
    release_browsers()
    table = Table("task", "steps", "elements", "s", "fault", box=SIMPLE_HEAD)
    for row in rows:
        name = row["task"] + (" (fresh pages)" if row["task"] in RELOADED and not restart else "")
        table.add_row(
            name, str(row["steps"]), str(row["elements"]), f"{row['seconds']:.1f}", row["fault"]
        )
    console.print(table)
    faults = sum(bool(row["fault"]) for row in rows)
    console.print(f"{len(rows)} tasks, {faults} with a fault")
    raise typer.Exit(1 if faults else 0)


if __name__ == "__main__":
    typer.run(command)
