"""Checks of resources: memory, processes, threads and files that an environment takes."""

import gc
import os
import threading
import time
from pathlib import Path
from typing import Any

import gymnasium as gym

from envs.testing.subject import LegalActions, Subject, Target, current_mask, require

PROC = Path("/proc")
GRACE_S = 5.0
"""Seconds that ended processes may take to disappear after ``close()``."""


def check_long_rollout_memory(
    target: Target,
    steps: int = 10_000,
    warm_up: int = 2_000,
    limit_mb: float = 8.0,
    frames: int = 4,
    seed: int = 0,
) -> str:
    """A long random rollout, rendered now and then, does not grow.

    Args:
        target: An id or a factory.
        steps: Steps measured.
        warm_up: Steps before, in which caches may fill.
        limit_mb: Allowed growth of resident memory, in units of 2**20 bytes.
        frames: Pictures rendered during the measured steps, where there is ``rgb_array``.
        seed: Seed of the first reset and the actions.

    Raises:
        AssertionError: Resident memory grew beyond the limit.
    """
    subject = Subject.of(target)
    if not (PROC / "self/statm").exists():
        return "not applicable: no /proc"
    env = _make_rendering(subject)
    actions = LegalActions(env.action_space, seed)
    _wander(env, actions, warm_up, frames, seed)
    before = _resident_mb()
    _wander(env, actions, steps, frames, seed)
    growth = _resident_mb() - before
    env.close()
    require(
        growth <= limit_mb,
        subject.name,
        f"expected memory to grow by at most {limit_mb:g} MB over {steps} steps; it grew by "
        f"{growth:.1f} MB",
    )
    return f"{growth:.1f} MB over {steps} steps"


def _make_rendering(subject: Subject) -> gym.Env[Any, Any]:
    """The environment with pictures, where it has them."""
    env = subject.make()
    if "rgb_array" not in env.metadata.get("render_modes", ()):
        return env
    env.close()
    return subject.make(render_mode="rgb_array")


def _wander(
    env: gym.Env[Any, Any], actions: LegalActions, steps: int, frames: int, seed: int | None
) -> None:
    """Random legal steps with evenly spread pictures."""
    observation, _ = env.reset(seed=seed)
    for step in range(steps):
        action = actions(current_mask(env, observation))
        observation, _, terminated, truncated, _ = env.step(action)
        if env.render_mode and frames and step % max(1, steps // frames) == 0:
            env.render()
        if terminated or truncated:
            observation, _ = env.reset()


def _resident_mb() -> float:
    gc.collect()
    pages = int((PROC / "self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def check_close(target: Target, steps: int = 5, seed: int = 0) -> str:
    """``close()`` may be called twice and leaves no process, thread, file or socket.

    The environment is used and closed once before, so that files which libraries keep open for
    good do not count.

    Raises:
        AssertionError: Something of the environment's is still there.
    """
    subject = Subject.of(target)
    if not (PROC / "self/fd").exists():
        return "not applicable: no /proc"
    _use(subject, steps, seed)[0].close()
    files, threads = _open_files(), set(threading.enumerate())
    env, processes = _use(subject, steps, seed)
    env.close()
    try:
        env.close()
    except (ValueError, RuntimeError, LookupError, AttributeError, TypeError, OSError) as error:
        raise AssertionError(
            f"{subject.name}: expected a second close() to do nothing; it raised "
            f"{type(error).__name__}: {error}"
        ) from error
    left = {
        "process": _wait_for(processes),
        "file": [path for fd, path in _open_files().items() if files.get(fd) != path],
        "thread": [t.name for t in threading.enumerate() if t not in threads],
    }
    for kind, names in left.items():
        require(
            not names,
            subject.name,
            f"expected close() to leave no {kind}; saw {', '.join(names)}",
        )
    return f"closed twice, {len(processes)} processes gone"


def _use(subject: Subject, steps: int, seed: int) -> tuple[gym.Env[Any, Any], dict[int, str]]:
    """An environment that has been stepped and rendered, and the processes it started."""
    before = _descendants()
    env = _make_rendering(subject)
    _wander(env, LegalActions(env.action_space, seed), steps, 1, seed)
    started = {pid: name for pid, name in _descendants().items() if pid not in before}
    return env, started


def _open_files() -> dict[str, str]:
    """The file that each descriptor of this process points to."""
    found = {}
    for entry in (PROC / "self/fd").iterdir():
        try:
            path = os.readlink(entry)
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
        found[entry.name] = path
    return found


def _descendants() -> dict[int, str]:
    """Processes below this one, by number, with their names."""
    children: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):  # it has just ended
                continue
            name, _, rest = stat.partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            if state != "Z":
                names[int(folder.name)] = name
            children.setdefault(int(parent), []).append(int(folder.name))
    found: dict[int, str] = {}
    below = list(children.get(os.getpid(), []))
    while below:
        pid = below.pop()
        if pid in names:
            found[pid] = names[pid]
        below += children.get(pid, [])
    return found


def _wait_for(processes: dict[int, str]) -> list[str]:
    """The processes that are still alive after a grace period."""
    deadline = time.monotonic() + GRACE_S
    while True:
        alive = [f"{name} ({pid})" for pid, name in processes.items() if _alive(pid, name)]
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.05)


def _alive(pid: int, name: str) -> bool:
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return f"({name})" in stat and stat.rpartition(")")[2].split()[0] != "Z"
