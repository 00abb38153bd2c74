"""Compares the model of loop nests with this machine: ``python -m experiments.loops.bench``.

Needs Halide (``pip install "gymworks[loops]"``). Everything runs on one core; times are processor
times of the thread, each taken in turn with the unscheduled nest's. Nests for the correlation come
from random legal edits, half of them starting at the unscheduled nest, half at the one by hand.
"""

import os
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.progress import track
from rich.table import Table

from agents.loops import search
from envs.loops.compiled import Kernel, algorithm, halide, sample
from envs.loops.measured import Stopwatch
from envs.loops.nest import ACTIONS, STOP, Nest
from envs.loops.problem import Problem
from envs.loops.task import Judge, LoopTask
from experiments.options import printer
from experiments.timing import hardware
from hardware_sim.commands import run
from hardware_sim.files import write_json
from hardware_sim.processors import Processor

PROBLEMS = (
    "matmul-128x128x128",
    "matmul-240x352x480",
    "matmul-512x512x512",
    "conv-28x28x192-96-3x3",
    "conv-56x56x128-128-1x1",
    "conv-7x7x512-512-3x3",
)
AUTOSCHEDULERS = ("Mullapudi2016", "Adams2019")
ANNEALING_EVALUATIONS = 5_000

Row = dict[str, Any]


def random_nests(start: Nest, hand: Nest, count: int, seed: int) -> list[Nest]:
    """Different nests after 5 to 30 random legal edits of either of two."""
    random = np.random.default_rng(seed)
    found: dict[str, Nest] = {}
    while len(found) < count:
        nest = hand if len(found) % 2 else start
        for _ in range(random.integers(5, 31)):
            legal = [a for a in range(len(ACTIONS)) if a != STOP and nest.legal(a)]
            nest = nest.after(int(random.choice(legal)))
        found[str(nest)] = nest
    return list(found.values())


def correlation_row(problem: Problem, processor: Processor, clock: Stopwatch, count: int) -> Row:
    """Rank correlation and error of the model on random nests of a problem."""
    start = Nest.unscheduled(problem)
    nests = random_nests(start, _by_hand(start, processor), count, seed=0)
    model = Judge(LoopTask(problem, 1, processor, "model"))
    modelled = np.array([model(nest) for nest in nests])
    measured = np.array([clock.seconds(nest) for nest in nests])
    return {
        "problem": problem.name,
        "nests": count,
        "rank_correlation": rank_correlation(modelled, measured),
        "median_factor": float(2 ** np.median(np.abs(np.log2(modelled / measured)))),
        "gflops": (problem.flops / measured / 1e9).tolist(),
        "modelled_gflops": (problem.flops / modelled / 1e9).tolist(),
    }


def rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's, of values without ties: 1 is the same order, -1 the reverse."""
    return float(np.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1])


def _by_hand(start: Nest, processor: Processor) -> Nest:
    return _after(start, search.hand(start, processor.vector_registers, processor.lanes))


def _after(nest: Nest, edits: list[search.Edit]) -> Nest:
    for action in search.actions_of(nest, edits):
        nest = nest.after(action)
    return nest


def speed_row(problem: Problem, processor: Processor, clock: Stopwatch) -> Row:
    """Measured GFLOP/s of schedules that need no measurement to be found, and of autoschedulers."""
    start = Nest.unscheduled(problem)
    model = Judge(LoopTask(problem, 1, processor, "model"))
    greedy = search.greedy(start, model)
    annealed = search.annealing(start, model, ANNEALING_EVALUATIONS, seed=0)
    nests = {
        "unscheduled": start,
        "greedy": _after(start, greedy.edits),
        "annealing": _after(start, annealed.edits),
        "hand": _by_hand(start, processor),
    }
    rates = {name: problem.flops / clock.seconds(nest) / 1e9 for name, nest in nests.items()}
    for name in AUTOSCHEDULERS:
        rates[name] = problem.flops / autoscheduled_seconds(problem, name) / 1e9
    return {"problem": problem.name, **rates}


def autoscheduled_seconds(problem: Problem, name: str) -> float:
    """Processor seconds of one of Halide's autoschedulers' code."""
    hl = halide()
    libraries = Path(str(hl.__file__)).parent / "lib64"
    hl.load_plugin(str(libraries / f"libautoschedule_{name.lower()}.so"))
    kernel = Kernel(Nest.unscheduled(problem))
    function, _ = algorithm(problem, kernel.inputs)
    function.set_estimates([(0, extent) for extent in reversed(problem.shapes[0])])
    pipeline = hl.Pipeline(function)
    target = hl.get_host_target()
    pipeline.apply_autoscheduler(target, hl.AutoschedulerParams(name, {"parallelism": "1"}))
    pipeline.compile_jit(target)
    buffer = kernel.result
    kernel.run = lambda: pipeline.realize(buffer)
    kernel.run()
    return min(sample(kernel, time.thread_time) for _ in range(5))


def _table(title: str, rows: list[Row], columns: list[str], form: str) -> Table:
    table = Table(title=title, box=SIMPLE, pad_edge=False, title_justify="left")
    table.add_column("problem")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(row["problem"], *(format(row[column], form) for column in columns))
    return table


def command(
    nests: Annotated[int, typer.Option(help="Random nests of each problem.", min=3)] = 60,
    problems: Annotated[list[str] | None, typer.Option("--problem", help="Repeatable.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file for the figures.")
    ] = None,
) -> None:
    """Measures nests on this machine and compares their order with the model's."""
    os.environ["HL_NUM_THREADS"] = "1"  # so that autoschedulers' threads are this one
    console = printer(soft_wrap=False)
    console.print(hardware())
    processor = Processor.load("zen4")
    clock = Stopwatch(threads=1)
    chosen = [Problem.parse(name) for name in problems or PROBLEMS]
    speeds = [speed_row(p, processor, clock) for p in track(chosen, "schedules")]
    orders = [correlation_row(p, processor, clock, nests) for p in track(chosen, "random nests")]
    columns = [column for column in speeds[0] if column != "problem"]
    console.print(_table("GFLOP/s, measured on one core", speeds, columns, ".1f"))
    shown = ["nests", "rank_correlation", "median_factor"]
    console.print(_table("The model and the machine", orders, shown, ".3g"))
    ranks = [row["rank_correlation"] for row in orders]
    console.print(f"mean rank correlation {np.mean(ranks):.3f}, least {np.min(ranks):.3f}")
    if output is not None:
        write_json(output, {"hardware": hardware(), "speeds": speeds, "orders": orders})


if __name__ == "__main__":
    run(command)
