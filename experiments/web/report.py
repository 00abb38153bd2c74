"""Success of web agents on held-out instructions in the real browser: table, page and JSON.

``python -m experiments.web.report`` judges the shipped weights of all training seeds.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table as PrintedTable

from agents.agent import Agent
from agents.loading import load_agent
from agents.pretrained import pretrained
from agents.rollout import ending
from agents.view import View
from agents.web.policy import WebAgent
from envs.web.tasks.catalogue import TASKS
from experiments.options import printer
from experiments.page import Section, Table, render
from experiments.statistics import mean, stratified_bootstrap
from hardware_sim.commands import run
from hardware_sim.files import write_json

FIRST_SEED = 10_000
TRAINING_SEEDS = range(5)
SMALL = tuple(f"WoB-{name}-v0" for name in TASKS if name != "QA")
SITES = ("WoB-United-v0", "WoB-Alaska-v0", "WoB-AA-v0", "WoB-JetBlue-v0")
UNSEEN_SITES = ("WoB-Generic-v0", "WoB-Meridian-v0")
LEARNED = {"pretrained": ("web", "dom"), "pixels": ("web-pixels", "pixels")}
"""Shipped weights and their inputs, by the name of an agent with several training seeds."""

PAPER = (
    "Success means that every key that the instruction determines agrees with the human's answer. "
    "For flight bookings, World of Bits (Shi et al., ICML 2017) reports 20 % to 30 % of human "
    "performance on training instructions and 16 % on test instructions."
    "\n\n"
    "Instructions are held out from training by a checksum; those of the split unseen-pair name "
    "pairs of places that training never sees; recorded are the instructions of the original "
    "benchmark, with the answers that people gave, but for those that contradict their instruction "
    "(python -m experiments.web.recordings). The sites Generic and Meridian are kept from training "
    "altogether; Generic was looked at while the training was designed, Meridian was not. "
    "Intervals are 95 % bootstrap intervals over training seeds and episodes."
)


class Job(NamedTuple):
    """Episodes of one agent to judge.

    Attributes:
        env_id: The id without ``envs:``.
        agent: ``"pretrained"``, ``"pixels"`` or a name of :func:`agents.loading.load_agent`.
        training_seed: Which of the shipped weights; 0 for agents without.
        episodes: How many.
        options: Of each reset.
        backend: Of the environment.
    """

    env_id: str
    agent: str
    training_seed: int
    episodes: int
    options: dict[str, str]
    backend: str

    @property
    def title(self) -> str:
        """Id and source of the instructions."""
        return f"{self.env_id} {' '.join(self.options.values())}"


class Result(NamedTuple):
    """Outcomes of a job's episodes: success and agreement of each, and the number of lost ones."""

    successes: list[bool]
    agreement: list[float]
    lost: int


def jobs(site_episodes: int, task_episodes: int, backend: str) -> Iterator[Job]:
    """Everything that the report judges."""
    few = max(1, site_episodes // 2)
    test, unseen = {"split": "test"}, {"split": "unseen-pair"}
    recorded = {"split": "test", "source": "recorded"}
    for seed in TRAINING_SEEDS:
        for env_id in (SITES[0], *UNSEEN_SITES):
            yield Job(env_id, "pretrained", seed, site_episodes, test, backend)
        yield Job(SITES[0], "pretrained", seed, few, unseen, backend)
        for env_id in SITES[1:]:
            yield Job(env_id, "pretrained", seed, few, test, backend)
        for env_id in SITES[1:3]:
            yield Job(env_id, "pretrained", seed, few, recorded, backend)
        for env_id in (*SMALL, "WoB-QA-v0"):
            yield Job(env_id, "pretrained", seed, task_episodes, test, backend)
        if backend != "twin":
            yield Job(SITES[0], "pixels", seed, few, test, backend)
    for agent in ("expert", "random"):
        for env_id in (SITES[0], *UNSEEN_SITES):
            yield Job(env_id, agent, 0, few, test, backend)


def judge(job: Job) -> Result:
    """Plays a job's episodes; the same instructions for every agent."""
    torch.set_num_threads(1)
    pixels = job.agent in LEARNED and LEARNED[job.agent][1] != "dom"
    env = gym.make(f"envs:{job.env_id}", backend=job.backend, pixels=pixels)
    agent = _agent(job, env)
    result = Result([], [], 0)
    for seed in range(FIRST_SEED, FIRST_SEED + job.episodes):
        info = ending(env, agent, seed, options=job.options).info
        result.successes.append(bool(info["is_success"]))
        result.agreement.append(float(info["score"]))
        result = result._replace(lost=result.lost + ("lost" in info))
    env.close()
    return result


def _agent(job: Job, env: gym.Env[Any, Any]) -> Agent:
    if job.agent not in LEARNED:
        return load_agent(job.agent, env)
    name, sees = LEARNED[job.agent]
    return WebAgent(View.of(env), pretrained(f"{name}-{job.training_seed}"), sees)


class Row(NamedTuple):
    """One line of the report: an agent on an id, over its training seeds."""

    title: str
    agent: str
    success: float
    low: float
    high: float
    seeds: list[float]
    agreement: float
    episodes: int
    lost: int


def rows(wanted: Sequence[Job], found: Sequence[Result]) -> list[Row]:
    """The lines of the report, in the order of the jobs."""
    groups: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for job, result in zip(wanted, found, strict=True):
        groups[job.title, job.agent].append(result)
    return [_row(title, agent, results) for (title, agent), results in groups.items()]


def _row(title: str, agent: str, found: list[Result]) -> Row:
    successes: NDArray[np.float64] = np.array([each.successes for each in found], np.float64)
    seeds = successes.mean(axis=1)
    scores = successes.reshape(-1, 1) if len(found) == 1 else successes
    low, high = stratified_bootstrap(scores, mean)
    agreement = float(np.mean([each.agreement for each in found]))
    lost = sum(each.lost for each in found)
    return Row(
        title, agent, float(seeds.mean()), low, high, seeds.tolist(), agreement, scores.size, lost
    )


def cells(row: Row) -> list[str]:
    """A line as text."""
    seeds = "" if len(row.seeds) == 1 else f"{min(row.seeds):.0%} to {max(row.seeds):.0%}"
    return [
        row.title,
        row.agent,
        f"{row.success:.1%}",
        f"{row.low:.1%} to {row.high:.1%}",
        seeds,
        f"{row.agreement:.3f}",
        str(row.episodes),
        str(row.lost),
    ]


COLUMNS = ("id", "agent", "success", "95 % interval", "by seed", "agreement", "episodes", "lost")


def report(
    site_episodes: Annotated[
        int, typer.Option(min=1, help="Of United and unseen sites, a seed.")
    ] = 40,
    task_episodes: Annotated[int, typer.Option(min=1, help="Of each small task, a seed.")] = 8,
    workers: Annotated[int, typer.Option(min=1, help="Processes, each with a browser.")] = 3,
    backend: Annotated[str, typer.Option(help="shell, a real browser, or twin.")] = "shell",
    only: Annotated[str, typer.Option(help="Part of the names of ids.")] = "",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for report.html and report.json.")
    ] = Path("web_report"),
) -> None:
    """Judges agents on held-out instructions."""
    wanted = [job for job in jobs(site_episodes, task_episodes, backend) if only in job.env_id]
    found: dict[int, Result] = {}
    context = get_context("spawn")
    with (
        Progress(console=Console(stderr=True)) as bar,
        ProcessPoolExecutor(workers, context) as pool,
    ):
        line = bar.add_task("judging", total=len(wanted))
        running = {pool.submit(judge, job): place for place, job in enumerate(wanted)}
        for future in as_completed(running):
            found[running[future]] = future.result()
            bar.advance(line)
    write(wanted, [found[place] for place in range(len(wanted))], output)


def write(wanted: list[Job], found: list[Result], output: Path) -> None:
    """Prints the table and writes ``report.html`` and ``report.json``."""
    lines = rows(wanted, found)
    small = [row for row in lines if row.agent == "pretrained" and row.title.split()[0] in SMALL]
    good = sum(row.success > 0.95 for row in small)
    sites = [row for row in lines if row.title.split()[0] not in (*SMALL, "WoB-QA-v0")]
    tasks = [row for row in lines if row not in sites]
    summary = f"{good} of {len(small)} small tasks are solved in more than 95 % of the episodes."
    sections = [
        Section("Flight bookings", PAPER, Table(COLUMNS, [cells(row) for row in sites])),
        Section("Small tasks", summary, Table(COLUMNS, [cells(row) for row in tasks])),
    ]
    render("Web agents on held-out instructions", sections, output / "report.html")
    write_json(
        output / "report.json",
        {
            "rows": [row._asdict() for row in lines],
            "small tasks above 95 %": good,
            "backends": sorted({job.backend for job in wanted}),
        },
    )
    table = PrintedTable(*COLUMNS)
    for row in lines:
        table.add_row(*cells(row))
    printer(soft_wrap=False).print(
        table, summary, f"The page is {output / 'report.html'}.", sep="\n"
    )


if __name__ == "__main__":
    run(report)
