"""``gymworks place``: where to run the parts of a network, without any learning."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

METHODS = ("annealing", "heft", "etf", "expert", "min-cut", "random-search")


def command(
    graph: Annotated[
        str, typer.Argument(help="A shipped graph (gymworks place list) or a path to a graph file.")
    ],
    cluster: Annotated[
        str, typer.Option(help="A shipped cluster or a path to a cluster file.")
    ] = "4xv100_nvlink",
    method: Annotated[str, typer.Option(help=f"One of {', '.join(METHODS)}.")] = "annealing",
    evaluations: Annotated[int, typer.Option(help="Simulations that a search may spend.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of a search.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file for the device of each op.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="PNG file for the graph and the timeline.")
    ] = None,
) -> None:
    """Places a network's ops on devices and says what it gains."""
    from agents.baselines import placement_heuristics as heuristics
    from agents.baselines import placement_search as search
    from hardware_sim import library
    from hardware_sim.bounds import lower_bound
    from hardware_sim.devices import Cluster, names
    from hardware_sim.errors import choose
    from hardware_sim.files import write_json
    from hardware_sim.problem import PlacementProblem
    from hardware_sim.simulator import simulate

    console = Console()
    if graph == "list":
        console.print(f"graphs: {', '.join(library.names())}")
        console.print(f"clusters: {', '.join(names())}")
        return
    problem = PlacementProblem.build(library.load(graph), Cluster.load(cluster))
    choose("method", method, METHODS)
    if method in ("annealing", "random-search"):
        finder = search.annealing if method == "annealing" else search.random_search
        with console.status(f"{method}, {evaluations} simulations"):
            placement = finder(problem, evaluations, seed).placement
    else:
        placement = getattr(heuristics, method.replace("-", "_"))(problem)
    schedule = simulate(problem, placement)
    labels = problem.cluster.labels
    table = Table(title=f"{problem.graph.name} on {problem.cluster.name}, {method}")
    for heading in ("device", "ops", "busy ms", "peak memory GB", "capacity GB"):
        table.add_column(heading, justify="left" if heading == "device" else "right")
    busy = schedule.end_s - schedule.start_s
    for d, label in enumerate(labels):
        mine = schedule.device == d
        table.add_row(
            label,
            str(int(mine.sum())),
            f"{busy[mine].sum() * 1e3:.1f}",
            f"{schedule.peak_bytes[d] / 2**30:.2f}",
            f"{problem.capacity[d] / 2**30:.0f}",
        )
    console.print(table)
    single, bound = problem.single_device_s, lower_bound(problem).value_s
    console.print(
        f"step {schedule.makespan_s * 1e3:.2f} ms; one device {single * 1e3:.2f} ms "
        f"(speed-up {single / schedule.makespan_s:.2f}); no placement can be faster than "
        f"{bound * 1e3:.2f} ms"
    )
    if (schedule.peak_bytes > problem.capacity).any():
        console.print("[red]This placement does not fit in memory.[/red]")
    if output:
        write_json(
            output,
            {
                "graph": problem.graph.name,
                "cluster": problem.cluster.name,
                "method": method,
                "makespan_s": schedule.makespan_s,
                "device": {
                    op: labels[d]
                    for op, d in zip(problem.graph.ops, schedule.device.tolist(), strict=True)
                },
            },
        )
    if picture:
        from experiments.placement_figures import placement_figure

        placement_figure(problem, placement).savefig(picture, dpi=150)
