"""Charts of agents beside human ones: ``python -m experiments.dance.report``.

Every agent writes the held-out songs at every level from several seeds. Technique is judged by the
feet of :mod:`envs.dance.feet` against medians of human charts, likelihood by a model that no agent
was trained on or with (``dance-judge``), and the times against the human chart where there is one.
"""

from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from rich.box import SIMPLE
from rich.progress import track
from rich.table import Table

from agents.dance.critic import human_odds, judged_nats
from agents.loading import load_agent
from agents.provenance import provenance
from agents.rollout import ending
from envs.dance.chart import DIFFICULTIES, Chart
from envs.dance.env import DanceEnv
from envs.dance.feet import quantiles, rates
from experiments.options import printer
from experiments.statistics import mean, stratified_bootstrap
from hardware_sim.commands import run
from hardware_sim.files import write_json

AGENTS = ("random", "rules", "cloned", "pretrained")
ENV_ID = "envs:Choreography-v0"
JUDGED = ("double_steps", "crossovers", "inversions", "spins", "fast_jacks", "cost")
"""Rates of :func:`envs.dance.feet.rates` that are compared with human medians."""

MEDIAN = 4
"""Place of the median among the quantiles."""


def written(env: gym.Env[Any, Any], name: str, song: str, level: str, seed: int) -> dict[str, Any]:
    """Figures of an agent's chart of a song: the episode's, the judge's, the feet's."""
    agent = load_agent(name, env, deterministic=False)
    info = ending(env, agent, seed, options={"song": song, "level": level}).info
    dance = env.unwrapped
    assert isinstance(dance, DanceEnv)
    ticks, times, rows = dance.chart()
    found = {key: float(info[key]) for key in ("score", "f1", "density_error", "steps")}
    if not len(rows):
        return found
    number = DIFFICULTIES.index(level)
    found["judge_nats"] = float(judged_nats(rows, ticks, times, number).mean())
    found["human_odds"] = human_odds(rows, ticks, times, number)
    danced = rates(Chart(ticks, rows, times, level, 1))
    return found | {key: danced[key] for key in JUDGED}


def human(level: str) -> dict[str, float]:
    """Medians of human charts of a level."""
    return {key: quantiles()[level][key][MEDIAN] for key in JUDGED}


def lines_of(env: gym.Env[Any, Any], agents: list[str], seeds: int) -> list[dict[str, Any]]:
    """One line for each agent and level: means over held-out songs and seeds."""
    dance = env.unwrapped
    assert isinstance(dance, DanceEnv)
    table = dance.core.episodes
    songs = sorted({n for n, s in zip(table.name, table.split, strict=True) if s == "test"})
    found = []
    for name in track(agents, description="agents"):
        for level in DIFFICULTIES:
            charts = [
                written(env, name, song, level, seed) for song in songs for seed in range(seeds)
            ]
            keys = charts[0].keys()
            line: dict[str, Any] = {"agent": name, "level": level, "charts": len(charts)}
            line |= {key: float(np.nanmean([c[key] for c in charts if key in c])) for key in keys}
            nats = np.array([[c["judge_nats"]] for c in charts if "judge_nats" in c])
            line["judge_interval"] = stratified_bootstrap(nats, mean)
            found.append(line)
    return found


SHOWN = {
    "agent": "{}",
    "level": "{}",
    "judge_nats": "{:.3f}",
    "human_odds": "{:.2f}",
    "double_steps": "{:.1f}",
    "crossovers": "{:.1f}",
    "inversions": "{:.1f}",
    "spins": "{:.1f}",
    "density_error": "{:.1%}",
    "f1": "{:.2f}",
}


def main(
    agent: Annotated[list[str] | None, typer.Option(help="Agents; default: all.")] = None,
    songs: Annotated[str, typer.Option(help="shipped, or a folder of songs.")] = "shipped",
    seeds: Annotated[int, typer.Option(min=1, help="Of each agent, song and level.")] = 8,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="JSON file.")] = None,
) -> None:
    """Prints a table and writes the figures."""
    env = gym.make(ENV_ID, songs=songs)
    lines = lines_of(env, agent or list(AGENTS), seeds)
    env.close()
    humans = [{"agent": "human median", "level": level, **human(level)} for level in DIFFICULTIES]
    table = Table(box=SIMPLE, title="charts of held-out songs; techniques for 100 steps")
    for column in SHOWN:
        table.add_column(column, justify="left" if column in ("agent", "level") else "right")
    for line in (*lines, *humans):
        cells = (form.format(line[key]) if key in line else "" for key, form in SHOWN.items())
        table.add_row(*cells)
    printer(soft_wrap=False).print(table)
    if output:
        write_json(output, {"provenance": provenance(), "rows": lines, "human": humans})


if __name__ == "__main__":
    run(main)
