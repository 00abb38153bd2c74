"""Measures the simulator and the environments: ``python -m experiments.placement.bench``.

Times on one core are processor times, which other programs disturb least; times on all cores are
wall times. Each is the best of several runs. The plain reference is timed in the same run.
"""

import platform
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from experiments.options import printer
from experiments.timing import best_seconds, environment_rows, hardware
from hardware_sim import reference, simulator
from hardware_sim.commands import run
from hardware_sim.devices import Cluster
from hardware_sim.files import write_json
from hardware_sim.library import layered
from hardware_sim.problem import PlacementProblem

CLUSTER = "4xk80"
ENVIRONMENT = "envs:DevicePlacement-InceptionV3-v0"
REPEATS = 5

Row = dict[str, Any]


def simulator_rows(nodes: int, evaluations: int, repeats: int = REPEATS) -> list[Row]:
    """Times the simulator on a random layered graph, for scattered and contiguous placements.

    Args:
        nodes: Number of ops; there are about twice as many edges.
        evaluations: Placements a run.
        repeats: Runs.
    """
    problem = PlacementProblem.build(layered(nodes), Cluster.load(CLUSTER))
    devices = problem.num_devices
    scattered = np.random.default_rng(0).integers(devices, size=(evaluations, nodes))
    blocks = np.tile(np.arange(nodes) * devices // nodes, (evaluations, 1))
    return [
        _simulator_row(problem, name, placements, repeats)
        for name, placements in (("random", scattered), ("contiguous", blocks))
    ]


def _simulator_row(
    problem: PlacementProblem, name: str, placements: NDArray[np.int64], repeats: int
) -> Row:
    few = placements[: max(2, 20_000 // len(problem.graph))]

    def plain() -> None:
        for row in few:
            reference.simulate(problem, row)

    def one_core() -> None:
        simulator.evaluate(problem, placements, 1)

    def all_cores() -> None:
        simulator.evaluate(problem, placements)

    one_core()  # compiles, or loads what was compiled before
    plain_s = best_seconds(plain, time.process_time, 2) / len(few)
    one_s = best_seconds(one_core, time.process_time, repeats) / len(placements)
    all_s = best_seconds(all_cores, time.perf_counter, repeats) / len(placements)
    ends = placements[0, problem.graph.groups[problem.graph.edges]]
    nodes, edges = len(problem.graph), len(problem.graph.edges)
    return {
        "nodes": nodes,
        "edges": edges,
        "devices": problem.num_devices,
        "placement": name,
        "edges_cut": float((ends[:, 0] != ends[:, 1]).mean()),
        "reference_per_s": 1 / plain_s,
        "one_core_per_s": 1 / one_s,
        "all_cores_per_s": 1 / all_s,
        "ns_per_node_and_edge": one_s / (nodes + edges) * 1e9,
        "ratio_to_reference": plain_s / one_s,
    }


def _print(console: Console, simulated: list[Row], stepped: list[Row]) -> None:
    console.print(f"Simulations a second on {CLUSTER}; ns for each node plus edge on one core;")
    console.print("ratio of one core to the plain reference.")
    table = Table(box=SIMPLE, pad_edge=False, collapse_padding=True)
    headings = (
        "nodes",
        "edges",
        "placement",
        "cut",
        "reference",
        "1 core",
        "all cores",
        "ns",
        "ratio",
    )
    for heading in headings:
        table.add_column(
            heading, justify="left" if heading == "placement" else "right", no_wrap=True
        )
    for row in simulated:
        table.add_row(
            f"{row['nodes']:,}",
            f"{row['edges']:,}",
            row["placement"],
            f"{row['edges_cut']:.0%}",
            f"{row['reference_per_s']:,.1f}",
            f"{row['one_core_per_s']:,.0f}",
            f"{row['all_cores_per_s']:,.0f}",
            f"{row['ns_per_node_and_edge']:.1f}",
            f"{row['ratio_to_reference']:.0f}x",
        )
    console.print(table)
    console.print(f"Steps a second of {ENVIRONMENT}, random legal actions.")
    table = Table(box=SIMPLE, pad_edge=False, collapse_padding=True)
    table.add_column("environment")
    table.add_column("steps/s", justify="right")
    for row in stepped:
        table.add_row(row["environment"], f"{row['steps_per_s']:,.0f}")
    console.print(table)


def command(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file for the figures.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="Fewer evaluations, rougher figures.")] = False,
) -> None:
    """Measures the simulator and the environments on this machine."""
    console = printer(soft_wrap=False)
    console.print(hardware())
    scale = 10 if quick else 1
    simulated = simulator_rows(1_000, 2_000 // scale) + simulator_rows(5_000, 400 // scale)
    stepped = environment_rows(64_000 // scale, ENVIRONMENT)
    _print(console, simulated, stepped)
    if output is not None:
        write_json(
            output,
            {
                "hardware": hardware(),
                "python": platform.python_version(),
                "simulator": simulated,
                "environment": stepped,
            },
        )


if __name__ == "__main__":
    run(command)
