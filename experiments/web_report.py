"""Success of web agents on held-out instructions in the real browser, as a table and JSON.

``python -m experiments.web_report --agents pretrained,random -o web_report.json``

An episode succeeds if every key that the instruction determines agrees exactly with the human's
answer. World of Bits (Shi et al., ICML 2017) reports about 16 % of human performance for flight
bookings on test instructions.
"""

import math
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from agents.agent import Agent
from agents.loading import load_agent
from envs.registration import ENTRIES
from hardware_sim.files import write_json

FIRST_SEED = 10_000
Z = 1.959964  # two-sided 95 %


def interval(successes: int, episodes: int) -> tuple[float, float]:
    """The 95 % interval of a success rate (Wilson, 1927)."""
    rate, weight = successes / episodes, Z * Z / episodes
    middle = (rate + weight / 2) / (1 + weight)
    half = Z * math.sqrt((rate * (1 - rate) + weight / 4) / episodes) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def judge(env: gym.Env[Any, Any], agent: Agent, episodes: int, split: str) -> dict[str, Any]:
    """Plays episodes of a split; returns rate, interval, mean agreement and lost episodes."""
    successes, agreement, lost = 0, 0.0, 0
    for seed in range(FIRST_SEED, FIRST_SEED + episodes):
        observation, info = env.reset(seed=seed, options={"split": split})
        agent.reset(seed)
        ended = False
        while not ended:
            observation, _, terminated, truncated, info = env.step(agent.act(observation, info))
            ended = terminated or truncated
        successes += info["is_success"]
        agreement += info["score"]
        lost += "lost" in info
    low, high = interval(successes, episodes)
    return {
        "success": successes / episodes,
        "low": low,
        "high": high,
        "agreement": agreement / episodes,
        "episodes": episodes,
        "lost": lost,
    }


def report(
    agents: Annotated[str, typer.Option(help="Names, separated by commas.")] = "pretrained,random",
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of each id.")] = 50,
    split: Annotated[str, typer.Option(help="test, unseen-pair (sites only) or train.")] = "test",
    only: Annotated[str, typer.Option(help="Part of the ids' names.")] = "WoB",
    backend: Annotated[str, typer.Option(help="shell, a real browser, or twin.")] = "shell",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="JSON file.")] = None,
) -> None:
    """Judges agents on held-out instructions."""
    ids = [name for name, entry in ENTRIES.items() if entry.domain == "web" and only in name]
    table = Table("id", "agent", "success", "95 % interval", "agreement", "lost")
    results: dict[str, dict[str, Any]] = {}
    for env_id in track(ids, "judging"):
        env = gym.make(f"envs:{env_id}", backend=backend)
        for name in agents.split(","):
            row = judge(env, load_agent(name, env), episodes, split)
            results.setdefault(env_id, {})[name] = row
            table.add_row(
                env_id,
                name,
                f"{row['success']:.1%}",
                f"{row['low']:.1%} to {row['high']:.1%}",
                f"{row['agreement']:.3f}",
                str(row["lost"]),
            )
        env.close()
    Console().print(table)
    if output is not None:
        write_json(str(output), {"split": split, "backend": backend, "results": results})


if __name__ == "__main__":
    typer.run(report)
