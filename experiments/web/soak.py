"""Plays for long in a real browser: ``python -m experiments.web.soak``; needs ``gymworks[dev]``.

Random legal actions; afterwards no process may be left, memory may not have grown, and no episode
may have been lost. Growth is that of memory that a process alone has and has written to, between
the second tenth of the way and the last; browsers of others on the same machine do not change it
(of a program's file they share what is only read). Episodes repeat after a while, so that bounded
caches of what was seen are full before.
"""

import statistics
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import psutil
import typer

from experiments.options import printer
from hardware_sim.commands import run

GROWTH_LIMIT = 0.05
GRACE_S = 5.0
"""Seconds that ended processes may take to disappear."""
SAMPLES = 100
COPIES = (1, 2, 4, 8)
EPISODES = 50
"""Different episodes; then they repeat."""
MIB = 2**20


@dataclass
class Memory:
    """Memory in MiB at one moment."""

    browser_private: float
    browser_pss: float
    python_private: float
    processes: int


@dataclass
class Soak:
    """The result of a long run.

    Attributes:
        resets: Episodes begun.
        steps: Steps taken.
        lost: The error of each lost episode.
        left: Processes that outlived the environment.
        memory: Samples at even distances.
    """

    resets: int = 0
    steps: int = 0
    lost: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)

    def growth(self, name: str) -> float:
        """Relative growth of one figure of memory, from the second tenth to the last."""
        values: list[float] = [getattr(sample, name) for sample in self.memory]
        tenth = len(values) // 10
        early, late = values[tenth : 2 * tenth], values[-tenth:]
        return statistics.median(late) / statistics.median(early) - 1

    def problems(self) -> list[str]:
        """Faults found; empty if all is well."""
        found = [f"{name} is left" for name in self.left]
        found += [f"an episode was lost: {why}" for why in self.lost]
        for name in ("browser_private", "python_private"):
            growth = self.growth(name)
            if growth >= GROWTH_LIMIT:
                found.append(f"{name.replace('_', ' ')} memory grew by {growth:.1%}")
        return found


def soak(env_id: str, resets: int, steps: int, backend: str, seed: int = 0) -> Soak:
    """Begins at least ``resets`` episodes and takes at least ``steps`` random legal steps.

    Args:
        env_id: A web environment.
        resets: Episodes.
        steps: Steps over all episodes.
        backend: The browser.
        seed: Of the episodes and the actions.
    """
    result, before = Soak(), _children()
    env: Any = gym.make(env_id, backend=backend)
    random = np.random.default_rng(seed)
    samples = min(SAMPLES, resets)
    while result.resets < resets or result.steps < steps:
        _episode(env, -(-steps // resets), random, result)
        done = min(result.resets / resets, result.steps / steps)
        if done * samples >= len(result.memory) + 1:
            result.memory.append(memory(_started(before)))
    started = _started(before)
    env.close()
    _, alive = psutil.wait_procs(started, timeout=GRACE_S)
    result.left = [f"{process.name()} ({process.pid})" for process in alive]
    return result


def _episode(env: Any, most: int, random: np.random.Generator, result: Soak) -> None:
    """Plays an episode, or its first steps."""
    observation, _ = env.reset(seed=result.resets % EPISODES)
    result.resets += 1
    for _ in range(most):
        action = random.choice(np.flatnonzero(observation["action_mask"]))
        observation, _, terminated, truncated, info = env.step(action)
        result.steps += 1
        if "lost" in info:
            result.lost.append(info["lost"])
        if terminated or truncated:
            return


def memory(browser: set[psutil.Process]) -> Memory:
    """The memory of a browser's processes and of this one."""
    private = pss = 0
    for process in browser:
        try:
            found = process.memory_maps(grouped=True)
        except psutil.Error:  # it has just ended
            continue
        private += sum(region.private_dirty for region in found)
        pss += sum(region.pss for region in found)
    own = sum(region.private_dirty for region in psutil.Process().memory_maps(grouped=True))
    return Memory(private / MIB, pss / MIB, own / MIB, len(browser))


def copies_memory(env_id: str, backend: str, counts: tuple[int, ...] = COPIES) -> list[Memory]:
    """The memory of a browser while several environments of one process have a page in it."""
    found: list[Memory] = []
    envs: list[Any] = []
    before = _children()
    for count in counts:
        while len(envs) < count:
            env: Any = gym.make(env_id, backend=backend)
            observation, _ = env.reset(seed=len(envs))
            env.step(np.flatnonzero(observation["action_mask"])[0])
            envs.append(env)
        time.sleep(0.5)  # until the next page is ready
        found.append(memory(_started(before)))
    for env in envs:
        env.close()
    return found


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children())


def _started(before: set[psutil.Process]) -> set[psutil.Process]:
    """The processes that were started since, and theirs; not those of other browsers."""
    found: set[psutil.Process] = set()
    for browser in _children() - before:
        with suppress(psutil.NoSuchProcess):  # it has just ended
            found |= {browser, *browser.children(recursive=True)}
    return found


def command(
    env_id: Annotated[str, typer.Option(help="Web environment.")] = "envs:WoB-United-v0",
    resets: Annotated[int, typer.Option(help="Episodes.", min=20)] = 1_000,
    steps: Annotated[int, typer.Option(help="Steps.", min=20)] = 10_000,
    backend: Annotated[str, typer.Option(help="Browser.")] = "shell",
    copies: Annotated[
        bool, typer.Option("--copies", help="Only print the memory of 1 to 8 environments.")
    ] = False,
) -> None:
    """Plays for long in a real browser; status 1 if anything is left, has grown or was lost."""
    console = printer(soft_wrap=False)
    if copies:
        for count, sample in zip(COPIES, copies_memory(env_id, backend), strict=True):
            console.print(
                f"{count} environments: {sample.processes} processes, "
                f"PSS {sample.browser_pss:.0f} MiB, private {sample.browser_private:.0f} MiB"
            )
        return
    start = time.perf_counter()
    result = soak(env_id, resets, steps, backend)
    seconds = time.perf_counter() - start
    console.print(f"{result.resets} resets and {result.steps} steps in {seconds:.0f} s")
    for name in ("browser_private", "browser_pss", "python_private"):
        last = getattr(result.memory[-1], name)
        console.print(f"{name.replace('_', ' ')}: {last:.0f} MiB, {result.growth(name):+.1%}")
    console.print(f"processes left: {len(result.left)}; episodes lost: {len(result.lost)}")
    problems = result.problems()
    for problem in problems:
        console.print(problem)
    if problems:
        raise typer.Exit(1)


if __name__ == "__main__":
    run(command)
