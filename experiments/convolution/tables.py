"""Measures the replay tables of tuning: ``python -m experiments.convolution.tables``.

Every different variant of every named layer is timed against oneDNN with packed weights, one
thread, in turn, by processor time; what it computes is compared with the float64 definition. The
table is written after each layer, so a run that was stopped goes on where it was; layers on which a
check ran out of time are measured anew. ``--again`` measures the fastest of each layer once more,
all in turn with one another, for longer; run that on a machine that does nothing else. It prints
the variants measured a minute.
"""

import json
import os
import time
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from envs.convolution.tables import FILE
from experiments.convolution.tuning_rate import processor_s
from hardware_sim.commands import run
from hardware_sim.errors import InputError
from hardware_sim.files import write_text
from hardware_sim.host import this_machine
from hardware_sim.kernels import compiler, roofline, space
from hardware_sim.kernels.layers import LAYERS, Layer
from hardware_sim.kernels.measuring import Bench, Measurement
from hardware_sim.kernels.space import Choice
from hardware_sim.kernels.variant import Variant
from hardware_sim.machine import Machine

FINALISTS = 8
"""Variants of a layer that are measured again."""

Row = dict[str, Any]


def measured(layer: Layer, machine: Machine, limit_s: float) -> Row:
    """Measures all variants of a layer; the table's entry."""
    began = time.perf_counter(), processor_s()
    bench = Bench(layer.problem, machine, limit_s=limit_s)
    choices = space.choices(layer.problem, machine)
    found = bench.measure(choices)
    return {
        "split": layer.split,
        "sizes": sizes(layer),
        "library_s": min(each.library_s for each in found.values() if each.outcome),
        "methods": {
            space.METHODS[method].name: _method(layer, method, machine, choices, found)
            for method in range(len(space.METHODS))
            if space.is_offered(layer.problem, method, machine)
        },
        "failures": {
            space.label(choices[variant][0]): f"{each.outcome.status}: {each.outcome.detail}"
            for variant, each in found.items()
            if not each.outcome
        },
        "variants": len(found),
        "wall_s": round(time.perf_counter() - began[0], 1),
        "processor_s": round(processor_s() - began[1], 1),
    }


def sizes(layer: Layer) -> dict[str, Any]:
    """The sizes of a layer in the order of a problem's attributes."""
    problem = layer.problem
    return {
        "in_channels": problem.in_channels,
        "out_channels": problem.out_channels,
        "output": problem.output,
        "kernel": problem.kernel,
        "stride": problem.stride,
        "flops": problem.flops,
    }


def _method(
    layer: Layer,
    method: int,
    machine: Machine,
    choices: dict[Variant, list[Choice]],
    found: dict[Variant, Measurement],
) -> Row:
    """Speed-ups, scratch memory and compile times of a method, and its work by default."""
    shape = space.SIZES[1:]
    speedup, scratch = np.full(shape, np.nan), np.zeros(shape, np.int64)
    compile_s = np.zeros(shape[-1])
    for variant, meanings in choices.items():
        for choice in (each for each in meanings if each[0] == method):
            speedup[choice[1:]] = found[variant].speedup
            scratch[choice[1:]] = found[variant].scratch_bytes
            compile_s[choice[-1]] = max(compile_s[choice[-1]], found[variant].compile_s)
    work, estimate = roofline.by_default(layer.problem, method, machine)
    return {
        "work": {name: round(value) for name, value in vars(work).items()},
        "estimate": round(estimate, 4),
        "compile_s": [round(each, 3) for each in compile_s.tolist()],
        "speedup": _flat(speedup),
        "scratch_bytes": scratch.ravel().tolist(),
    }


def _flat(values: np.ndarray[Any, Any]) -> list[float | None]:
    return [None if np.isnan(each) else round(each, 4) for each in values.ravel().tolist()]


def was_stopped(row: Row) -> bool:
    """True if a check ran out of time, as happens on a machine that is too busy."""
    return any(reason.startswith("hung") for reason in row["failures"].values())


def again(layer: Layer, row: Row, machine: Machine, limit_s: float) -> None:
    """Measures the fastest variants of a layer again and corrects its entry."""
    choices = space.choices(layer.problem, machine)
    by_speed = sorted(choices, key=lambda variant: -_entry(row, choices[variant][0]))
    bench = Bench(layer.problem, machine)
    found = bench.together(by_speed[:FINALISTS], limit_s)
    for variant, measurement in found.items():
        for choice in choices[variant]:
            speedups = row["methods"][space.METHODS[choice[0]].name]["speedup"]
            speedups[_place(choice)] = round(measurement.speedup, 4)
    row["library_s"] = next(iter(found.values())).library_s
    row["again"] = [space.label(choices[variant][0]) for variant in found]


def _place(choice: Choice) -> int:
    return int(np.ravel_multi_index(choice[1:], space.SIZES[1:]))


def _entry(row: Row, choice: Choice) -> float:
    return row["methods"][space.METHODS[choice[0]].name]["speedup"][_place(choice)] or 0.0


def head(machine: Machine) -> Row:
    """The machine, the versions, and the names of the choices."""
    return {
        "machine": machine.to_json(),
        "vector_floats": machine.isa().width,
        "compiler": compiler.compiler_version().split(" ", 2)[2],
        "torch": version("torch"),
        "date": datetime.now(UTC).date().isoformat(),
        "methods": [method.name for method in space.METHODS],
        "sizes": space.SIZES,
    }


def write(path: Path, table: Row) -> None:
    """Writes a table with a line for each method of a layer."""
    lines = []
    for name, row in table["layers"].items():
        rest = {key: value for key, value in row.items() if key != "methods"}
        methods = (
            f"   {json.dumps(key)}: {json.dumps(one)}" for key, one in row["methods"].items()
        )
        inside = ",\n".join(methods)
        lines.append(f'  {json.dumps(name)}: {json.dumps(rest)[:-1]}, "methods": {{\n{inside}}}}}')
    body = ",\n".join(lines)
    top = json.dumps({key: value for key, value in table.items() if key != "layers"})
    write_text(path, f'{top[:-1]}, "layers": {{\n{body}}}}}\n')


def main(
    layer: Annotated[list[str] | None, typer.Argument(help="Layers; default: all.")] = None,
    out: Annotated[Path | None, typer.Option(help="Default: the table that is shipped.")] = None,
    limit_s: Annotated[float, typer.Option(help="Seconds for variants of one library.")] = 0.5,
    repeat: Annotated[bool, typer.Option("--again", help="Only the fastest, once more.")] = False,
) -> None:
    """Measures what the table lacks, or the fastest of each layer again.

    Raises:
        InputError: The table was measured on another machine.
    """
    path = out or Path(str(files("envs").joinpath(FILE)))
    torch.set_num_threads(1)
    os.environ.setdefault("GYMWORKS_KERNEL_CACHE", str(Path("runs/convolution-tables").resolve()))
    machine = this_machine()
    table = json.loads(path.read_text()) if path.is_file() else {**head(machine), "layers": {}}
    if difference := Machine.from_json(table["machine"]).difference(machine):
        raise InputError(f"{path} was measured on another machine: {difference}; name another file")
    rows = table["layers"]
    for name in layer or LAYERS:
        began = time.perf_counter()
        if repeat:
            again(LAYERS[name], rows[name], machine, 4 * limit_s)
        elif name not in rows or was_stopped(rows[name]):
            rows[name] = measured(LAYERS[name], machine, limit_s)
        else:
            continue
        table["layers"] = {each: rows[each] for each in LAYERS if each in rows}
        write(path, table)
        speedups = (each for one in rows[name]["methods"].values() for each in one["speedup"])
        best = max(filter(None, speedups), default=0.0)
        seconds = time.perf_counter() - began
        number = FINALISTS if repeat else rows[name]["variants"]
        typer.echo(
            f"{name}: {number} variants in {seconds:.1f} s, {60 * number / seconds:.0f} a minute; "
            f"best {best:.2f} times oneDNN; {len(rows[name]['failures'])} failed"
        )
    if not repeat:
        done = list(rows.values())
        number, wall, busy = (
            sum(row[key] for row in done) for key in ("variants", "wall_s", "processor_s")
        )
        typer.echo(
            f"{number} variants in {wall:.0f} s, {60 * number / wall:.0f} a minute; "
            f"{60 * number / busy:.0f} in a minute of processor time, compilers' included"
        )


if __name__ == "__main__":
    run(main)
