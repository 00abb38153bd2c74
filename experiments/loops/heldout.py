"""Agents on held-out loop schedules: ``python -m experiments.loops.heldout AGENT ...``.

Every agent schedules the same problems of the split ``test``, under the model. A trained policy is
judged 48 times an episode at most, as is ``short-annealing``; ``greedy`` judges hundreds of nests
and ``annealing`` a thousand.
"""

from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from rich.table import Table

from agents.loading import load_agent
from agents.rollout import ending
from experiments.options import printer
from hardware_sim.commands import run


def held_out(agent: str, episodes: int) -> dict[str, Any]:
    """Mean rate in GFLOP/s, geometric mean of speed-ups, and share of successes of an agent."""
    env = gym.make("envs:LoopSchedule-v0")
    actor = load_agent(agent, env)
    held = {"split": "test"}
    ends = [ending(env, actor, seed, options=held).info for seed in range(episodes)]
    env.close()
    return {
        "agent": agent,
        "gflops": float(np.mean([end["score"] for end in ends])),
        "speedup": float(np.exp(np.mean(np.log([end["speedup"] for end in ends])))),
        "success": float(np.mean([end["is_success"] for end in ends])),
    }


def command(
    agents: Annotated[list[str], typer.Argument(help="Names of baselines, or run folders.")],
    episodes: Annotated[int, typer.Option(help="Problems.", min=1)] = 100,
) -> None:
    """Compares agents on problems that training never sees."""
    table = Table("agent", "GFLOP/s", "speed-up", "success")
    for agent in agents:
        row = held_out(agent, episodes)
        figures = f"{row['gflops']:.1f}", f"{row['speedup']:.1f}", f"{row['success']:.0%}"
        table.add_row(agent, *figures)
    printer(soft_wrap=False).print(table)


if __name__ == "__main__":
    run(command)
