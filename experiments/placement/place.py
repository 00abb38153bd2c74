"""``gymworks place``: places the parts of a network on devices, without any learning."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from agents.placement import heuristics, search
from experiments.options import (
    PICTURES,
    AsJson,
    Force,
    Quiet,
    aside,
    deliver,
    output,
    print_json,
    printer,
)
from hardware_sim import devices, library
from hardware_sim.bounds import lower_bound
from hardware_sim.errors import InputError, choose
from hardware_sim.files import write_atomic, write_json
from hardware_sim.problem import PlacementProblem
from hardware_sim.schedule import Schedule
from hardware_sim.simulator import simulate

SEARCHES = {"annealing": search.annealing, "random-search": search.random_search}
HEURISTICS = {
    "heft": heuristics.heft,
    "etf": heuristics.etf,
    "expert": heuristics.expert,
    "min-cut": heuristics.min_cut,
}
METHODS = (*SEARCHES, *HEURISTICS)


def command(
    graph: Annotated[
        str | None, typer.Argument(help="A shipped graph (--list) or a path to a graph file.")
    ] = None,
    cluster: Annotated[
        str, typer.Option(help="A shipped cluster or a path to a cluster file.")
    ] = "4xv100_nvlink",
    method: Annotated[str, typer.Option(help=f"One of {', '.join(METHODS)}.")] = "annealing",
    evaluations: Annotated[int, typer.Option(help="Simulations that a search may spend.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of a search.")] = 0,
    path: Annotated[Path | None, output("JSON file for the device of each op.")] = None,
    picture: Annotated[
        Path | None,
        output("PNG, SVG or PDF of graph and timeline.", *PICTURES, name="--picture"),
    ] = None,
    force: Force = False,
    shipped: Annotated[
        bool, typer.Option("--list", help="List the shipped graphs and clusters, no more.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Place a network's ops on devices and show what it gains."""
    console = printer(silent=quiet or as_json)
    if shipped or graph == "list":  # the argument is older than the option
        found = {"graphs": library.names(), "clusters": devices.names()}
        for kind, names in found.items():
            console.print(f"{kind}: {', '.join(names)}")
        if as_json:
            print_json(found)
        return
    if graph is None:
        raise InputError("give a graph: one that --list names, or the path of a graph file")
    choose("method", method, METHODS)
    problem = PlacementProblem.build(library.load(graph), devices.Cluster.load(cluster))
    placement = _found(problem, method, evaluations, seed, quiet)
    schedule = simulate(problem, placement)
    plan = {
        "graph": problem.graph.name,
        "cluster": problem.cluster.name,
        "method": method,
        "makespan_s": schedule.makespan_s,
    }
    gains = _gains(problem, schedule)
    title = f"{plan['graph']} on {plan['cluster']}, {method}"
    console.print(_table(title, gains["devices"]), soft_wrap=False)
    console.print(_verdict(schedule.makespan_s, gains))
    if not gains["fits"]:
        console.print("[red]This placement does not fit in memory.[/red]")
    placed = {"device": _device_of_op(problem, schedule)}
    if path:
        deliver(path, lambda place: write_json(place, plan | placed))
    if picture:
        from experiments.placement.figures import placement_figure  # matplotlib is slow to import

        figure, kind = placement_figure(problem, placement), picture.suffix[1:].lower()
        draw = partial(figure.savefig, format=kind, dpi=150)
        deliver(picture, lambda place: write_atomic(place, draw))
    if as_json:
        print_json(plan | gains | placed)


def _found(
    problem: PlacementProblem, method: str, evaluations: int, seed: int, quiet: bool
) -> NDArray[np.int64]:
    """The placement int64 ``(G,)`` that a method finds."""
    if method in HEURISTICS:
        return HEURISTICS[method](problem)
    with aside(quiet).status(f"{method}, {evaluations} simulations"):
        return SEARCHES[method](problem, evaluations, seed).placement


def _gains(problem: PlacementProblem, schedule: Schedule) -> dict[str, Any]:
    """Figures of a schedule, JSON-serialisable: seconds to compare with, and each device's load."""
    busy = schedule.end_s - schedule.start_s
    peak, capacity = schedule.peak_bytes.tolist(), problem.capacity.tolist()
    return {
        "single_device_s": problem.single_device_s,
        "lower_bound_s": lower_bound(problem).value_s,
        "fits": bool((schedule.peak_bytes <= problem.capacity).all()),
        "devices": [
            {
                "device": label,
                "ops": int((schedule.device == d).sum()),
                "busy_s": float(busy[schedule.device == d].sum()),
                "peak_bytes": peak[d],
                "capacity_bytes": capacity[d],
            }
            for d, label in enumerate(problem.cluster.labels)
        ],
    }


def _device_of_op(problem: PlacementProblem, schedule: Schedule) -> dict[str, str]:
    labels = problem.cluster.labels
    placed = zip(problem.graph.ops, schedule.device.tolist(), strict=True)
    return {op: labels[d] for op, d in placed}


def _table(title: str, loads: list[dict[str, Any]]) -> Table:
    table = Table(title=title)
    for heading in ("device", "ops", "busy ms", "peak memory GB", "capacity GB"):
        table.add_column(heading, justify="left" if heading == "device" else "right")
    for load in loads:
        table.add_row(
            load["device"],
            str(load["ops"]),
            f"{load['busy_s'] * 1e3:.1f}",
            f"{load['peak_bytes'] / 2**30:.2f}",
            f"{load['capacity_bytes'] / 2**30:.0f}",
        )
    return table


def _verdict(makespan_s: float, gains: dict[str, Any]) -> str:
    single_s, bound_s = gains["single_device_s"], gains["lower_bound_s"]
    return (
        f"step {makespan_s * 1e3:.2f} ms; one device {single_s * 1e3:.2f} ms "
        f"(speed-up {single_s / makespan_s:.2f}); no placement can be faster than "
        f"{bound_s * 1e3:.2f} ms"
    )
