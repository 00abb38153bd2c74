"""Times runs and environments, and names the machine; shared by all benches."""

import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from hardware_sim.host import this_machine

COPIES = 64
"""Environments at once, in a native vector class or in a loop."""

Row = dict[str, Any]


def hardware() -> str:
    """The processor and its number of cores."""
    here = this_machine()
    return f"{here.processor}, {here.cores} cores"


def best_seconds(run: Callable[[], object], clock: Callable[[], float], repeats: int) -> float:
    """The least time of several runs."""
    times = []
    for _ in range(repeats):
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)


def environment_rows(steps: int, env_id: str) -> list[Row]:
    """Steps per second of one environment, of 64 in a loop, and of 64 in the native class.

    Args:
        steps: Steps of each, summed over the copies.
        env_id: An id with a native vector class.
    """
    single: Any = gym.make(env_id)
    loop: Any = gym.make_vec(env_id, num_envs=COPIES, vectorization_mode="sync")
    native: Any = gym.make_vec(env_id, num_envs=COPIES)
    measured = (
        ("one environment", _single_seconds(single, steps), steps),
        (f"{COPIES} in a loop", _vector_seconds(loop, steps // COPIES), steps // COPIES * COPIES),
        (f"{COPIES} native", _vector_seconds(native, steps // COPIES), steps // COPIES * COPIES),
    )
    for env in (single, loop, native):
        env.close()
    return [{"environment": n, "steps_per_s": count / seconds} for n, seconds, count in measured]


def _legal(mask: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.intp]:
    """A random legal action a row."""
    return np.asarray((rng.random(mask.shape) * mask).argmax(axis=-1))


def _single_seconds(env: gym.Env[Any, Any], steps: int) -> float:
    """Wall seconds of random legal steps."""
    rng = np.random.default_rng(0)
    observation, _ = env.reset(seed=0)
    start = time.perf_counter()
    for _ in range(steps):
        observation, _, terminated, truncated, _ = env.step(_legal(observation["action_mask"], rng))
        if terminated or truncated:
            observation, _ = env.reset()
    return time.perf_counter() - start


def _vector_seconds(envs: gym.vector.VectorEnv[Any, Any, Any], steps: int) -> float:
    """Wall seconds of random legal steps of every copy."""
    rng = np.random.default_rng(0)
    observation, _ = envs.reset(seed=0)
    start = time.perf_counter()
    for _ in range(steps):
        observation, *_ = envs.step(_legal(observation["action_mask"], rng))
    return time.perf_counter() - start
