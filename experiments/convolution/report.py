"""Searches and learned agents on layers never seen: ``python -m experiments.convolution.report``.

Every agent tunes every layer of the test split in the replayed table, from several seeds, and the
share of the greatest gain is noted after each measurement; a gain is a log speed-up over oneDNN,
less the term for scratch memory. Layers where less than :data:`LEAST_GAIN` is to be gained are left
out. Prints a table and writes JSON and a picture.
"""

from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.progress import track
from rich.table import Table as Printed

from agents.loading import load_agent
from agents.provenance import provenance
from agents.rollout import rollout
from envs.convolution.batch import SUCCESS
from envs.convolution.env import ConvTuningEnv
from envs.convolution.tables import shipped
from experiments import statistics
from experiments.options import printer
from experiments.svg import themed_svg
from hardware_sim.commands import run
from hardware_sim.files import write_json, write_text

AGENTS = (
    "random",
    "annealing",
    "tpe",
    "greedy",
    "roofline",
    "cost-model",
    "adaptive",
    "pretrained",
    "oracle",
)
ENV_ID = "envs:ConvTuning-v1"
LEAST_GAIN = 0.05
SHOWN = (1, 2, 4, 8, 16, 32)


def shares(env: gym.Env[Any, Any], name: str, layer: str, seed: int) -> NDArray[np.float64]:
    """Share of the greatest gain after each measurement of an episode, float64 ``(budget,)``."""
    tuning = env.unwrapped
    assert isinstance(tuning, ConvTuningEnv)
    agent = load_agent(name, env, deterministic=False)
    moments = rollout(env, agent, seed, options={"layer": layer})
    next(moments)  # nothing is measured yet
    return np.array([tuning.core.share()[0] for _ in moments])


def worthwhile(env: gym.Env[Any, Any], split: str) -> list[str]:
    """The layers of a split on which something is to be gained."""
    tuning = env.unwrapped
    assert isinstance(tuning, ConvTuningEnv)
    core = tuning.core
    return [
        table.name
        for table, greatest in zip(core.tables, core.greatest, strict=True)
        if table.split == split and greatest >= LEAST_GAIN
    ]


def curve(found: NDArray[np.float64]) -> dict[str, Any]:
    """Mean share over seeds and layers after each measurement, with intervals.

    Args:
        found: Shares ``(seeds, layers, budget)``.
    """
    budget = found.shape[2]
    mean = found.mean(axis=(0, 1))
    ends = np.array(
        [
            statistics.stratified_bootstrap(found[:, :, i], statistics.mean)
            if (i + 1) in (*SHOWN, budget)
            else (np.nan, np.nan)
            for i in range(budget)
        ]
    )
    needed = np.flatnonzero(mean >= SUCCESS)
    return {
        "mean": mean.tolist(),
        "at": {
            str(n): {"mean": mean[n - 1], "low": ends[n - 1, 0], "high": ends[n - 1, 1]}
            for n in SHOWN
            if n <= budget
        },
        "needed": int(needed[0]) + 1 if len(needed) else None,
        "score_by_layer": found[:, :, -1].mean(axis=0).tolist(),
    }


def measured(agents: list[str], split: str, seeds: int, budget: int) -> dict[str, Any]:
    """The curves of all agents on a split."""
    env = gym.make(ENV_ID, budget=budget)
    layers = worthwhile(env, split)
    curves = {}
    for name in track(agents, "agents"):
        found = [
            [shares(env, name, layer, seed) for layer in layers]
            for seed in range(1000, 1000 + seeds)
        ]
        curves[name] = curve(np.array(found))
    env.close()
    return {
        **provenance(),
        "machine": shipped()["machine"],
        "split": split,
        "layers": layers,
        "seeds": seeds,
        "budget": budget,
        "agents": curves,
    }


def printed(report: dict[str, Any]) -> Printed:
    """The report for a person."""
    budget = report["budget"]
    columns = [n for n in SHOWN if n <= budget]
    table = Printed(
        box=SIMPLE,
        title=f"share of the greatest gain (%) on {len(report['layers'])} layers of the split "
        f"{report['split']}, {report['seeds']} seeds, after so many measurements",
    )
    table.add_column("agent")
    for n in columns:
        table.add_column(str(n), justify="right")
    table.add_column("95 % interval at the end", justify="right")
    table.add_column(f"needs for {100 * SUCCESS:.0f} %", justify="right")
    for name, found in report["agents"].items():
        end = found["at"][str(columns[-1])]
        table.add_row(
            name,
            *(f"{100 * found['at'][str(n)]['mean']:.1f}" for n in columns),
            f"{100 * end['low']:.1f} to {100 * end['high']:.1f}",
            str(found["needed"] or f"over {budget}"),
        )
    return table


def drawn(report: dict[str, Any]) -> str:
    """The curves as SVG."""
    from experiments.figures import learning_curves  # matplotlib is slow to import

    budget = report["budget"]
    x = list(range(1, budget + 1))
    curves = {
        name: (x, [100 * share for share in found["mean"]])
        for name, found in report["agents"].items()
        if name != "oracle"
    }
    figure = learning_curves(
        curves, "measurements", "share of the greatest gain (%)", {"95 %": 100 * SUCCESS}
    )
    return themed_svg(figure)


def main(
    agents: Annotated[str, typer.Option(help="Names, run folders, or module:class.")] = ",".join(
        AGENTS
    ),
    split: Annotated[str, typer.Option(help="train or test")] = "test",
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of each agent.")] = 5,
    budget: Annotated[int, typer.Option(min=1, help="Measurements of an episode.")] = 32,
    out: Annotated[Path, typer.Option(help="Folder.")] = Path("runs/convolution-report"),
) -> None:
    """Prints the table, writes ``report.json`` and ``curves.svg``."""
    report = measured(agents.split(","), split, seeds, budget)
    printer(soft_wrap=False).print(printed(report))
    write_json(out / "report.json", report)
    write_text(out / "curves.svg", drawn(report))
    typer.echo(f"kept in {out}")


if __name__ == "__main__":
    run(main)
