"""Measures the web driver beside MiniWoB++ itself: ``python -m experiments.web.bench``.

The same tasks, problems and clicks run in MiniWoB++'s own environment and in ours, a few episodes
in turn, in one run on one machine. MiniWoB++ is installed into an environment of its own in the
cache folder. Its clicks are those of a script on an element (``CLICK_ELEMENT``), its fastest, or
with ``--action coords`` those of the pointer; ours are always trusted events of the pointer. Both
restart episodes in the open page; where ours opens a fresh one by default, so that episodes do not
depend on earlier ones, that is shown as well and counts for no target.
"""

import json
import os
import subprocess
import time
import venv
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import psutil
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from envs.web.browser import release_browsers
from experiments.options import printer
from experiments.timing import hardware
from hardware_sim.commands import run
from hardware_sim.errors import InputError
from hardware_sim.files import write_json

PACKAGES = ("miniwob==1.1.0", "gymnasium==1.4.0", "selenium==4.51.0")
TASKS = (
    ("click-button", False),
    ("email-inbox", False),
    ("book-flight", False),
    ("book-flight", True),
)
"""Tasks, and True where every episode of ours gets a fresh page."""

CLICKS = 5
IN_A_ROW = 5
"""Episodes that one side plays before it is the other's turn, as an agent plays many in a row."""
MANY = 8
TARGETS = {
    ("pixels", "step"): 8.0,
    ("pixels", "reset"): 6.0,
    ("DOM", "step"): 6.0,
    ("DOM", "reset"): 6.0,
}
"""Least ratio of MiniWoB++'s median time to ours."""

LAUNCH_S = 1.0
MEMORY_SHARE = 1.2
Row = dict[str, Any]


class PeerError(RuntimeError):
    """The process that runs MiniWoB++ has ended or does not answer as agreed."""


class Peer:
    """A process that answers each JSON line with one; see :mod:`experiments.web.miniwob_baseline`.

    Args:
        command: The program and its arguments.
    """

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, do: str, **given: Any) -> dict[str, Any]:
        """Sends a message and waits for its answer.

        Raises:
            PeerError: There is none.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({"do": do} | given) + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise PeerError(f"no answer to {do!r}; the process ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def peer_command() -> list[str]:
    """The command of MiniWoB++; its environment is made in the cache folder if it is not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "gymworks" / "-".join(PACKAGES).replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (folder / "complete").touch()
    return [str(python), str(Path(__file__).with_name("miniwob_baseline.py"))]


def play(env: gym.Env[Any, Any], seed: int, clicks: int) -> Row:
    """An episode of ours: random clicks on elements that are no buttons, where there are any.

    Returns:
        ``{"page_seed", "utterance", "reset": ms, "steps": [ms, ...], "points": [[x, y], ...]}``.
    """
    inner: Any = env.unwrapped
    random = np.random.default_rng(seed)
    began = time.perf_counter()
    _, info = env.reset(seed=seed)
    row: Row = {
        "page_seed": info["page_seed"],
        "utterance": info["instruction"],
        "reset": 1000 * (time.perf_counter() - began),
        "steps": [],
        "points": [],
    }
    for _ in range(clicks):
        ref = _chosen(inner, random)
        began = time.perf_counter()
        _, _, terminated, truncated, _ = env.step(np.int64(ref))
        row["steps"].append(1000 * (time.perf_counter() - began))
        row["points"].append(list(inner.client.pointer))
        if terminated or truncated:
            break
    return row


def _chosen(env: Any, random: np.random.Generator) -> int:
    """An element on the screen to click, rather no button, which may end the episode."""
    mask = env.action_masks()
    shown = [
        (row.tag == "button", ref)
        for ref, row in enumerate(env.snapshot.rows)
        if row is not None and mask[ref] and row.top + row.height // 2 < env.screen.shape[0]
    ]
    least = min(shown)[0]
    return int(random.choice([ref for button, ref in shown if button == least]))


def figures(values: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {"median": float(np.median(values)), "p95": float(np.percentile(values, 95))}


def summary(task: str, fresh: bool, kind: str, ours: list[Row], theirs: list[Row]) -> Row:
    """A row of the table, from the episodes of both."""
    row: Row = {"task": task, "fresh_page": fresh, "observation": kind, "episodes": len(ours)}
    row["ratio"] = {}
    for name, episodes in (("gymworks", ours), ("miniwob", theirs)):
        row[name] = {
            "reset": figures([episode["reset"] for episode in episodes]),
            "step": figures([ms for episode in episodes for ms in episode["steps"]]),
        }
    for act in ("reset", "step"):
        row["ratio"][act] = row["miniwob"][act]["median"] / row["gymworks"][act]["median"]
    return row


def compared(peer: Peer, task: str, fresh: bool, pixels: bool, episodes: int, action: str) -> Row:
    """Plays a task in both, a few episodes in turn.

    Raises:
        PeerError: MiniWoB++ set another problem for the same seed.
    """
    env = gym.make(
        f"envs:WoB-MiniWoB-{task}-v0", disable_env_checker=True, pixels=pixels, fresh_page=fresh
    )
    launch = peer.ask("open", task=task, pixels=pixels)["seconds"]
    env.reset(seed=0)
    ours, theirs = [], []
    for first in range(0, episodes, IN_A_ROW):
        mine = [play(env, seed, CLICKS) for seed in range(first, min(first + IN_A_ROW, episodes))]
        for episode in mine:
            seed, points = episode["page_seed"], episode["points"]
            his = peer.ask("episode", seed=seed, points=points, action=action)
            if his["utterance"] != episode["utterance"]:
                raise PeerError(f"{task}: {his['utterance']!r} is not {episode['utterance']!r}")
            theirs.append(his)
        ours += mine
    env.close()
    peer.ask("close")
    row = summary(task, fresh, "pixels" if pixels else "DOM", ours, theirs)
    return row | {"miniwob_launch_s": launch}


def proportional_mb(processes: list[psutil.Process]) -> float:
    """Proportional set size of processes in units of 2**20 bytes; ended ones count nothing."""
    total = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / 2**20


def launch_seconds(env_id: str) -> float:
    """Seconds from no browser to the first observation."""
    release_browsers()
    began = time.perf_counter()
    env = gym.make(env_id, disable_env_checker=True)
    env.reset(seed=0)
    seconds = time.perf_counter() - began
    env.close()
    release_browsers()
    return seconds


def crowd(count: int, steps: int) -> tuple[float, float]:
    """Steps a second of several environments of one process in turn, and their browser's MB."""
    others = {child.pid for child in psutil.Process().children(recursive=True)}
    envs = [gym.make("envs:WoB-MiniWoB-email-inbox-v0", max_steps=10**6) for _ in range(count)]
    for seed, env in enumerate(envs):
        env.reset(seed=seed)
    began = time.perf_counter()
    for step in range(steps // count):
        for seed, env in enumerate(envs):
            inner: Any = env.unwrapped
            ref = _chosen(inner, np.random.default_rng((seed, step)))
            *_, terminated, truncated, _ = env.step(np.int64(ref))
            if terminated or truncated:
                env.reset()
    rate = steps // count * count / (time.perf_counter() - began)
    children = psutil.Process().children(recursive=True)
    memory = proportional_mb([child for child in children if child.pid not in others])
    for env in envs:
        env.close()
    release_browsers()
    return rate, memory


def peer_mb(peer: Peer) -> float:
    """Memory of MiniWoB++'s browser and driver, with one environment open."""
    peer.ask("open", task="email-inbox", pixels=True)
    peer.ask("episode", seed=0, points=[[80, 120]], action="element")
    memory = proportional_mb(psutil.Process(peer.process.pid).children(recursive=True))
    peer.ask("close")
    return memory


def verdicts(result: Row) -> list[Row]:
    """The targets and the figures reached; the worst task counts."""
    rows = []
    for (kind, act), least in TARGETS.items():
        reached = min(
            row["ratio"][act]
            for row in result["comparison"]
            if row["observation"] == kind and not row["fresh_page"]
        )
        name = f"{act}, {kind}: times faster than MiniWoB++"
        rows.append({"target": name, "wanted": least, "reached": reached, "met": reached >= least})
    for env_id, seconds in result["launch_s"].items():
        name = f"{env_id}: s from launch to first observation"
        rows.append(
            {"target": name, "wanted": LAUNCH_S, "reached": seconds, "met": seconds <= LAUNCH_S}
        )
    share = result["memory_mb"]["gymworks"] / result["memory_mb"]["miniwob"]
    name = f"{MANY} environments: share of the memory of one of MiniWoB++"
    rows.append(
        {"target": name, "wanted": MEMORY_SHARE, "reached": share, "met": share <= MEMORY_SHARE}
    )
    return rows


def measure(episodes: int, steps: int, action: str, console: Console) -> Row:
    """Everything that the command prints."""
    result: Row = {"hardware": hardware(), "packages": PACKAGES, "comparison": []}
    result["launch_s"] = {
        name: float(np.median([launch_seconds(f"envs:{name}") for _ in range(3)]))
        for name in ("WoB-MiniWoB-click-button-v0", "WoB-United-v0")
    }
    crowds = {count: crowd(count, steps) for count in (1, 2, 4, MANY)}
    peer = Peer(peer_command())
    try:
        result["memory_mb"] = {"gymworks": crowds[MANY][1], "miniwob": peer_mb(peer)}
        for (task, fresh), pixels in product(TASKS, (True, False)):
            console.print(f"{task}, {'pixels' if pixels else 'DOM only'} ...", style="dim")
            row = compared(peer, task, fresh, pixels, episodes, action)
            result["comparison"].append(row)
    finally:
        peer.close()
    release_browsers()
    result["steps_per_s"] = {str(count): rate for count, (rate, _) in crowds.items()}
    return result | {"targets": verdicts(result)}


def show(result: Row, console: Console) -> None:
    """Prints a result."""
    table = Table(
        "task", "shows", "", "gymworks ms (p95)", "MiniWoB++ ms (p95)", "ratio", box=SIMPLE_HEAD
    )
    for row in result["comparison"]:
        for act in ("reset", "step"):
            ours, theirs = (
                f"{row[name][act]['median']:.1f} ({row[name][act]['p95']:.1f})"
                for name in ("gymworks", "miniwob")
            )
            ratio = f"{row['ratio'][act]:.1f}x"
            task = row["task"] + ", fresh page" * row["fresh_page"]
            table.add_row(task, row["observation"], act, ours, theirs, ratio)
    console.print(table)
    rates = ", ".join(f"{count}: {rate:.0f}" for count, rate in result["steps_per_s"].items())
    console.print(f"steps/s of environments in one process, DOM only: {rates}")
    memory = result["memory_mb"]
    console.print(
        f"memory: {MANY} of ours {memory['gymworks']:.0f} MB, one MiniWoB++ "
        f"{memory['miniwob']:.0f} MB"
    )
    table = Table("target", "wanted", "reached", "met", box=SIMPLE_HEAD)
    for row in result["targets"]:
        met = "yes" if row["met"] else "no"
        table.add_row(row["target"], f"{row['wanted']:g}", f"{row['reached']:.2f}", met)
    console.print(table)


def command(
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of each task.")] = 30,
    steps: Annotated[int, typer.Option(min=8, help="Steps of several environments.")] = 400,
    action: Annotated[
        str, typer.Option(help="How MiniWoB++ clicks: element (a script) or coords (the pointer).")
    ] = "element",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="JSON file.")] = None,
) -> None:
    """Measures the web driver beside MiniWoB++ itself."""
    if action not in ("element", "coords"):
        raise InputError(f"action is {action!r}; allowed: element, coords")
    console = printer(soft_wrap=False)
    result = measure(episodes, steps, action, console)
    console.print(f"{result['hardware']}; {', '.join(PACKAGES)}; MiniWoB++ clicks by {action}")
    show(result, console)
    if output is not None:
        write_json(output, result)


if __name__ == "__main__":
    run(command)
