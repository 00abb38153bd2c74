"""Measures the rate of tuning: ``python -m experiments.convolution.tuning_rate``.

Two ways to tune, each from an empty cache of compiled kernels. ``gymworks tune`` compiles each
variant, checks it in a child process on the problem itself, and times it. The tables of
``ConvTuning-v1`` measure many variants of one library: blocks and panels are arguments. Everything
counts: compilers, checks, packing of weights, timing.
"""

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from hardware_sim.commands import run
from hardware_sim.files import write_json
from hardware_sim.host import this_machine
from hardware_sim.kernels import space
from hardware_sim.kernels.layers import named
from hardware_sim.kernels.measuring import Bench
from hardware_sim.kernels.tuning import plan_for, tune
from hardware_sim.machine import Machine

NAMES = ("ResNet4", "AlexNet2", "VGG3.2")
"""Layers of 3x3 and 5x5, small and large."""
CACHE = "GYMWORKS_KERNEL_CACHE"
Row = dict[str, Any]


def processor_s() -> float:
    """Processor time of this process and of those it has waited for, in seconds."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


@contextmanager
def empty_cache() -> Iterator[Path]:
    """A new cache of compiled kernels, for a while."""
    before = os.environ.get(CACHE)
    with tempfile.TemporaryDirectory(prefix="gymworks-cache-") as folder:
        os.environ[CACHE] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ[CACHE]
            else:
                os.environ[CACHE] = before


def tuned(names: list[str], machine: Machine) -> Row:
    """The rate of ``gymworks tune`` with time enough for every variant."""
    plan = plan_for([(layer.problem, [layer.name]) for layer in named(names)], machine)
    with empty_cache() as folder:
        begun = time.perf_counter(), processor_s()
        tune(plan, budget_s=float("inf"))
        spent = time.perf_counter() - begun[0], processor_s() - begun[1]
        libraries = len([*folder.glob("*.so")])
    done = [each for entry in plan.entries.values() for each in entry.measured]
    return _row("compiled, checked and timed one by one", names, done, libraries, spent)


def tabled(names: list[str], machine: Machine, limit_s: float) -> Row:
    """The rate at which tables are measured."""
    done: list[Any] = []
    with empty_cache() as folder:
        begun = time.perf_counter(), processor_s()
        for layer in named(names):
            bench = Bench(layer.problem, machine, limit_s=limit_s)
            done += bench.measure(space.choices(layer.problem, machine)).values()
        spent = time.perf_counter() - begun[0], processor_s() - begun[1]
        libraries = len([*folder.glob("*.so")])
    return _row("measured by the library", names, done, libraries, spent)


def _row(
    way: str, names: list[str], done: list[Any], libraries: int, spent: tuple[float, float]
) -> Row:
    return {
        "way": way,
        "layers": names,
        "variants": len(done),
        "failed": sum(not each.speedup for each in done),
        "libraries": libraries,
        "seconds": spent[0],
        "variants_per_minute": 60 * len(done) / spent[0],
        "variants_per_processor_minute": 60 * len(done) / spent[1],
    }


def describe(row: Row) -> str:
    """A row as a sentence."""
    return (
        f"{row['variants']} variants of {', '.join(row['layers'])} {row['way']}: "
        f"{row['variants_per_minute']:.0f} a minute, "
        f"{row['variants_per_processor_minute']:.0f} a minute of processor time "
        f"({row['libraries']} libraries compiled, {row['failed']} failed, {row['seconds']:.0f} s)"
    )


def rates(names: list[str], machine: Machine, limit_s: float = 0.5) -> Iterator[Row]:
    """Both rates, on one thread, each when it is measured.

    Args:
        names: Layers.
        machine: This machine.
        limit_s: Seconds of timing for the variants of a library.
    """
    torch.set_num_threads(1)
    yield tuned(names, machine)
    yield tabled(names, machine, limit_s)


def main(
    layer: Annotated[list[str] | None, typer.Argument(help="Default: three layers.")] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the figures here, as JSON.")] = None,
) -> None:
    """Prints a line for each way to tune."""
    rows, machine = [], this_machine()
    for row in rates(layer or [*NAMES], machine):
        typer.echo(describe(row))
        rows.append(row)
    if out:
        write_json(out, {"machine": machine.to_json(), "torch": torch.__version__, "rates": rows})


if __name__ == "__main__":
    run(main)
