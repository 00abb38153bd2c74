"""Times generated kernels against PyTorch's: ``python -m experiments.convolution.kernel_bench``.

On both sides the weights are packed (and transformed) beforehand, and input and output are tensors
in channels-last memory; each call allocates its output. Everything else is inside the timed region,
the transforms of input and output among it. Kernel and library take turns; one thread is timed by
its processor time, and the least time of each counts. The fastest variants are measured again, and
the second figure is the one that is reported.
"""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.box import SIMPLE
from rich.table import Table

from experiments.convolution.kernel_layers import MEC, NETWORKS, VOLUMES
from experiments.convolution.tuning_rate import NAMES, describe, rates
from experiments.options import AsJson, print_json, printer
from hardware_sim.commands import run
from hardware_sim.files import write_json
from hardware_sim.host import this_machine
from hardware_sim.kernels import (
    Plan,
    Problem,
    Variant,
    build,
    candidates,
    interleaved,
    opponents,
    verify,
)
from hardware_sim.kernels.opponents import Run
from hardware_sim.machine import Machine
from hardware_sim.timing import clock_of

Row = dict[str, Any]
FINALISTS = 2
"""Variants that are measured again."""


class Suite(StrEnum):
    """Sets of layers."""

    NETWORKS = "networks"
    VOLUMES = "volumes"
    MEC = "mec"


def against(
    library: Run, run: Run, x: torch.Tensor, threads: int, limit_s: float
) -> dict[str, float]:
    """Times the library and a kernel in turn; seconds of each, and runs that were interrupted."""
    functions: dict[str, Callable[[], object]] = {
        "library": lambda: library(x),
        "kernel": lambda: run(x),
    }
    timings = interleaved(functions, clock=clock_of(threads=threads), limit_s=limit_s)
    return {
        "library_s": timings["library"].best,
        "kernel_s": timings["kernel"].best,
        "clean_runs": len(timings["kernel"].seconds),
    }


def fastest_row(name: str, problem: Problem, machine: Machine, threads: int, limit_s: float) -> Row:
    """Measures all variants of a layer and its fastest ones again."""
    weight = torch.randn(problem.weight_shape)
    x = opponents.channels_last(torch.randn(problem.input_shape))
    library, eager = opponents.packed(problem, weight), opponents.eager(problem, weight)
    tried: list[tuple[float, Variant, float]] = []
    failures: dict[str, str] = {}
    for variant in candidates(problem, machine, threads=threads):
        if variant.algorithm in ("im2col", "mec"):
            continue
        outcome = verify(problem, variant, machine)
        if not outcome:
            failures[label(variant)] = f"{outcome.status}: {outcome.detail}"
            continue
        kernel = build(problem, variant, machine, weight)
        times = against(library, kernel, x, threads, limit_s)
        speed = times["library_s"] / times["kernel_s"]
        tried.append((speed, variant, outcome.error or 0.0))
    tried.sort(key=lambda each: -each[0])
    final = []
    for _, variant, error in tried[:FINALISTS]:
        kernel = build(problem, variant, machine, weight)
        times = against(library, kernel, x, threads, 4 * limit_s)
        final.append((times["library_s"] / times["kernel_s"], variant, error, times))
    speed, variant, error, times = max(final, key=lambda each: each[0])
    plan = Plan(problem, variant, machine)
    return {
        "layer": name,
        "gflop": problem.flops / 1e9,
        "library_ms": times["library_s"] * 1e3,
        "eager_ms": against(eager, library, x, threads, limit_s)["library_s"] * 1e3,
        "kernel_ms": times["kernel_s"] * 1e3,
        "clean_runs": times["clean_runs"],
        "speedup": speed,
        "variant": label(variant),
        "block": plan.block,
        "panels": plan.panels,
        "error": error,
        "scratch_bytes": 4 * plan.scratch_floats,
        "tried": {label(each): round(ratio, 3) for ratio, each, _ in tried},
        "failures": failures,
    }


def lowering_row(
    name: str, problem: Problem, machine: Machine, threads: int, limit_s: float
) -> Row:
    """Measures MEC against im2col (ours), oneDNN, and unfold with a matrix product."""
    weight = torch.randn(problem.weight_shape)
    x = opponents.channels_last(torch.randn(problem.input_shape))
    variants = {name: Variant(name, threads=threads) for name in ("im2col", "mec")}
    runs: dict[str, Run] = {"library": opponents.packed(problem, weight)}
    runs |= {name: build(problem, each, machine, weight) for name, each in variants.items()}
    runs["unfold"] = opponents.unfolded(problem, weight)
    timed = interleaved(
        {name: _bind(run, x) for name, run in runs.items()},
        clock=clock_of(threads=threads),
        limit_s=4 * limit_s,
    )
    scratch = {
        name: 4 * Plan(problem, each, machine).scratch_floats for name, each in variants.items()
    }
    return {
        "layer": name,
        "gflop": problem.flops / 1e9,
        **{f"{name}_ms": timing.best * 1e3 for name, timing in timed.items()},
        "clean_runs": len(timed["mec"].seconds),
        "over_im2col": timed["im2col"].best / timed["mec"].best,
        "speedup": timed["library"].best / timed["mec"].best,
        "im2col_bytes": scratch["im2col"],
        "mec_bytes": scratch["mec"],
        "memory_ratio": scratch["im2col"] / scratch["mec"],
    }


def _bind(run: Run, x: torch.Tensor) -> Callable[[], object]:
    return lambda: run(x)


def label(variant: Variant) -> str:
    """A short name of a variant."""
    block = f" in blocks of {variant.block}" if variant.block else ""
    return f"{variant.algorithm} {'x'.join(map(str, variant.tile))}".strip() + block


def geometric_mean(values: list[float]) -> float:
    """The geometric mean of positive numbers."""
    return math.exp(sum(map(math.log, values)) / len(values))


COLUMNS = {
    Suite.MEC: {
        "layer": "{}",
        "library_ms": "{:.3f}",
        "unfold_ms": "{:.3f}",
        "im2col_ms": "{:.3f}",
        "mec_ms": "{:.3f}",
        "over_im2col": "{:.2f}",
        "speedup": "{:.2f}",
        "im2col_bytes": "{:,}",
        "mec_bytes": "{:,}",
        "memory_ratio": "{:.2f}",
        "clean_runs": "{}",
    },
    Suite.NETWORKS: {
        "layer": "{}",
        "gflop": "{:.2f}",
        "eager_ms": "{:.3f}",
        "library_ms": "{:.3f}",
        "kernel_ms": "{:.3f}",
        "speedup": "{:.2f}",
        "variant": "{}",
        "block": "{}",
        "error": "{:.1e}",
        "clean_runs": "{}",
    },
}


def table(suite: Suite, rows: list[Row]) -> Table:
    """The rows of a suite for a person."""
    columns = COLUMNS[Suite.MEC if suite is Suite.MEC else Suite.NETWORKS]
    result = Table(box=SIMPLE, title=f"{suite}: library is oneDNN with packed weights")
    for column in columns:
        result.add_column(column, justify="left" if column in ("layer", "variant") else "right")
    for row in rows:
        result.add_row(*(form.format(row[column]) for column, form in columns.items()))
    return result


SUITES: Mapping[Suite, dict[str, Problem]] = {
    Suite.NETWORKS: NETWORKS,
    Suite.VOLUMES: VOLUMES,
    Suite.MEC: MEC,
}


def main(
    suite: Annotated[list[Suite] | None, typer.Option(help="Layers; default: all")] = None,
    layer: Annotated[list[str] | None, typer.Option(help="Only these layers")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of both sides")] = 1,
    limit_s: Annotated[float, typer.Option(help="Seconds for each pair")] = 0.5,
    out: Annotated[Path | None, typer.Option(help="Also write the figures here, as JSON")] = None,
    as_json: AsJson = False,
) -> None:
    """Prints a table for each suite, and with all of them the rate of tuning."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    console, machine = printer(as_json, soft_wrap=False), this_machine()
    report: dict[str, Any] = {
        "machine": machine.to_json(),
        "torch": torch.__version__,
        "threads": threads,
        "suites": {},
    }
    for chosen in suite or [*Suite]:
        measure = lowering_row if chosen is Suite.MEC else fastest_row
        rows = [
            measure(name, problem, machine, threads, limit_s)
            for name, problem in SUITES[chosen].items()
            if not layer or name in layer
        ]
        if not rows:
            continue
        mean = geometric_mean([row["speedup"] for row in rows])
        report["suites"][chosen.value] = {"rows": rows, "geometric_mean": mean}
        console.print(table(chosen, rows))
        console.print(f"geometric mean of the speed-ups over the library: {mean:.2f}\n")
    if not suite and not layer:
        report["tuning"] = []
        for row in rates([*NAMES], machine):
            console.print(describe(row))
            report["tuning"].append(row)
    if out:
        write_json(out, report)
    if as_json:
        print_json(report)


if __name__ == "__main__":
    run(main)
