"""Times networks, accelerated and not: ``python -m experiments.convolution.accelerate_bench``.

VGG-16 and ResNet-50 in float32 at batch 1. Plans are tuned first (or resumed), outside of the timed
region, as ``torch.compile`` compiles outside of it. All ways to run a network then take turns; one
thread is timed by its processor time, several by the wall clock, and the least time of each counts.
Errors are the greatest difference to the network in float64, relative to its greatest output.
"""

import time
from collections.abc import Callable
from copy import deepcopy
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.box import SIMPLE
from rich.table import Table
from torch import nn
from torch.utils import mkldnn

from experiments.options import AsJson, print_json, printer
from hardware_sim.commands import run
from hardware_sim.files import write_json
from hardware_sim.host import this_machine
from hardware_sim.kernels import interleaved
from hardware_sim.kernels.accelerate import accelerate, summary
from hardware_sim.kernels.model_layers import convolutions
from hardware_sim.kernels.network_plan import NetworkPlan
from hardware_sim.kernels.tuning import plan_for, tune
from hardware_sim.machine import Machine
from hardware_sim.networks.image_classifiers import resnet50, vgg16
from hardware_sim.timing import clock_of


class Network(StrEnum):
    """Networks to time."""

    VGG16 = "vgg16"
    RESNET50 = "resnet50"


MAKERS = {
    Network.VGG16: vgg16,
    Network.RESNET50: resnet50,
}
Run = Callable[[], torch.Tensor]


def tuned(
    model: nn.Module, x: torch.Tensor, machine: Machine, threads: int, path: Path, budget_s: float
) -> NetworkPlan:
    """The plan of a network, with what an earlier run has measured."""
    plan = plan_for(convolutions(model, (x,)).names.items(), machine, threads)
    if path.exists():
        old = NetworkPlan.load(path)
        if not old.stale(threads, machine):
            plan.take(old)
    outcome = tune(plan, budget_s=budget_s, report=lambda entry, measurement: plan.save(path))
    if not outcome:
        raise typer.BadParameter(f"{outcome.status}: {outcome.detail}")
    return plan


def opponents(model: nn.Module, x: torch.Tensor, compiled: bool) -> dict[str, tuple[Run, float]]:
    """Ways to run a network with PyTorch, each with the seconds that its preparation took."""
    ways: dict[str, tuple[Run, float]] = {"eager": (lambda: model(x), 0.0)}
    start = time.perf_counter()
    last: nn.Module = deepcopy(model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x_last = x.contiguous(memory_format=torch.channels_last)
    ways["eager, channels-last"] = (lambda: last(x_last), time.perf_counter() - start)
    start = time.perf_counter()
    packed = mkldnn.to_mkldnn(deepcopy(model))
    ways["oneDNN tensors"] = (lambda: packed(x.to_mkldnn()).to_dense(), time.perf_counter() - start)
    if compiled:
        start = time.perf_counter()
        made = torch.compile(deepcopy(model))
        made(x)
        ways["torch.compile, freezing"] = (lambda: made(x), time.perf_counter() - start)
    return ways


def measure(
    network: Network,
    machine: Machine,
    threads: int,
    plans: Path,
    budget_s: float,
    limit_s: float,
    compiled: bool,
) -> dict[str, Any]:
    """Times all ways to run a network."""
    model, x = MAKERS[network]()
    plan = tuned(model, x, machine, threads, plans / f"{network}-{threads}.json", budget_s)
    start = time.perf_counter()
    fast = accelerate(model, plan)
    fast(x)
    ways: dict[str, tuple[Run, float]] = {
        "accelerated": (lambda: fast(x), time.perf_counter() - start)
    }
    ways |= opponents(model, x, compiled)
    wide = deepcopy(model).to(torch.float64)
    exact = wide(x.to(torch.float64))
    errors = {
        name: float((run() - exact).abs().max() / exact.abs().max())
        for name, (run, _) in ways.items()
    }
    timings = interleaved(
        {name: run for name, (run, _) in ways.items()},
        clock=clock_of(threads=threads),
        limit_s=limit_s,
    )
    eager = timings["eager"].best
    rows = [
        {
            "way": name,
            "ms": timing.best * 1e3,
            "speedup": eager / timing.best,
            "error": errors[name],
            "prepare_s": ways[name][1],
            "clean_runs": len(timing.seconds),
        }
        for name, timing in timings.items()
    ]
    return {"network": network, "threads": threads, "rows": rows, "layers": summary(fast)}


def table(result: dict[str, Any]) -> Table:
    """The rows of a network for a person."""
    forms = {"way": "{}", "ms": "{:.1f}", "speedup": "{:.2f}", "error": "{:.0e}"}
    forms |= {"prepare_s": "{:.1f}", "clean_runs": "{}"}
    made = Table(box=SIMPLE, title=f"{result['network']}, batch 1, {result['threads']} threads")
    for column in forms:
        made.add_column(column, justify="left" if column == "way" else "right")
    for row in result["rows"]:
        made.add_row(*(form.format(row[column]) for column, form in forms.items()))
    return made


def main(
    network: Annotated[list[Network] | None, typer.Option(help="Default: all")] = None,
    threads: Annotated[list[int] | None, typer.Option(help="Default: 1")] = None,
    plans: Annotated[Path, typer.Option(help="Folder of plans")] = Path("runs/plans"),
    budget_s: Annotated[float, typer.Option(help="Seconds to tune each network")] = 180.0,
    limit_s: Annotated[float, typer.Option(help="Seconds to time each network")] = 30.0,
    compiled: Annotated[bool, typer.Option("--compile", help="Also time torch.compile")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the figures here, as JSON")] = None,
    as_json: AsJson = False,
) -> None:
    """Prints a table for each network and number of threads."""
    if compiled:
        from torch._inductor import config

        config.freezing = True
    console, machine = printer(as_json, soft_wrap=False), this_machine()
    report: dict[str, Any] = {"machine": machine.to_json(), "torch": torch.__version__}
    report["results"] = []
    with torch.no_grad():
        for number in threads or [1]:
            torch.set_num_threads(number)
            for chosen in network or [*Network]:
                result = measure(chosen, machine, number, plans, budget_s, limit_s, compiled)
                console.print(table(result))
                report["results"].append(result)
                if out:
                    write_json(out, report)
    if as_json:
        print_json(report)


if __name__ == "__main__":
    run(main)
