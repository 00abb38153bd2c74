"""Plays every task of an installed MiniWoB++: ``python -m experiments.web.miniwob_check``.

Each task is opened, played with random legal actions, and played again after other episodes: the
same seed and actions must give the same observations, whatever went before. Pixels may differ by
two levels, as the browser paints anew only what it believes has changed.
"""

import time
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from numpy.typing import NDArray

from envs.testing.trajectory import Record, difference, reset_record, step_record
from envs.web.browser import release_browsers
from envs.web.devtools import BrowserDiedError, CommandError
from envs.web.miniwob.package import reloaded, tasks
from experiments.options import printer
from hardware_sim.commands import run
from hardware_sim.errors import InputError, choose

LEVELS = 2
"""Greatest difference that a pixel may have, of 255."""

Moment = tuple[Record, NDArray[np.uint8]]

SEEDS = (1, 2, 3)
"""Of the episodes that are compared; others lie between."""


def play(env: gym.Env[Any, Any], seed: int, steps: int) -> list[Moment]:
    """Records and screens of an episode of at most ``steps`` random legal actions.

    Raises:
        BrowserDiedError: The browser is lost.
    """
    random = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    screen = observation.pop("pixels")
    moments = [(reset_record(observation, info), screen)]
    for _ in range(steps):
        action = int(random.choice(np.flatnonzero(observation["action_mask"])))
        outcome = env.step(action)
        observation = outcome[0]
        screen = observation.pop("pixels")
        moments.append((step_record(*outcome), screen))
        if "lost" in outcome[4]:
            raise BrowserDiedError(outcome[4]["lost"])
        if outcome[2] or outcome[3]:
            break
    return moments


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


def compare(once: list[Moment], again: list[Moment]) -> str:
    """The first difference of two episodes; empty if there is none."""
    for step, (first, second) in enumerate(zip(once, again, strict=False)):
        found = difference(first[0], second[0])
        if found:
            return f"step {step}: {found}"
        apart = np.abs(first[1].astype(np.int16) - second[1]).max()
        if apart > LEVELS:
            return f"step {step}: pixels differ by up to {apart}"
    return "" if len(once) == len(again) else f"{len(once)} and {len(again)} steps"


def command(
    only: Annotated[str, typer.Option(help="Tasks with this in their name.")] = "",
    steps: Annotated[int, typer.Option(help="Most actions of an episode.")] = 6,
    restart: Annotated[
        bool, typer.Option(help="Restart in the open page even where a task needs a fresh one.")
    ] = False,
) -> None:
    """Plays every task and prints its fault, if it has one."""
    console = printer(soft_wrap=False)
    chosen = [task for task in tasks() if only in task]
    if not chosen:
        choose("MiniWoB task", only, tasks())
    faults = 0
    for task in chosen:
        row = check_task(task, steps, False if restart else None)
        faults += bool(row["fault"])
        page = "fresh pages" if task in reloaded() and not restart else "one page"
        console.print(
            f"{task}: {page}, {row['steps']} steps, up to {row['elements']} elements, "
            f"{row['seconds']:.1f} s; {row['fault'] or 'repeats'}"
        )
    release_browsers()
    console.print(f"{len(chosen)} tasks, {faults} with a fault")
    raise typer.Exit(1 if faults else 0)


if __name__ == "__main__":
    run(command)
