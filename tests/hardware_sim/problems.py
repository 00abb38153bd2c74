"""Random placement problems for property tests."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from hardware_sim.devices import Cluster
from hardware_sim.graph import OpGraph
from hardware_sim.problem import PlacementProblem

Case = tuple[PlacementProblem, np.ndarray]

DEVICE: dict[str, Any] = {
    "name": "G",
    "kind": "gpu",
    "peak_tflops": 4,
    "memory_gbs": 240,
    "memory_gb": 12,
    "overhead_us": 5,
    "efficiency": {"default": 0.5},
}


def cluster(
    count: int, sharing: str = "sender", gbs: float = 1.0, latency_us: float = 0.0, **device: Any
) -> Cluster:
    """Equal devices, all connected by one kind of link."""
    link = {"gbs": gbs, "latency_us": latency_us}
    return Cluster.from_json(
        "test",
        {
            "devices": [{**DEVICE, **device}] * count,
            "interconnect": [{"link": link, "devices": list(range(count)), "sharing": sharing}],
        },
    )


def problem(
    seconds: dict[str, Any],
    edges: dict[tuple[str, str], int],
    on: Cluster,
    *,
    output_bytes: list[int] | None = None,
    parameter_bytes: list[int] | None = None,
    priority: list[int] | None = None,
) -> PlacementProblem:
    """A problem from the seconds of each op (one figure, or one a device), in topological order."""
    ops = list(seconds)
    graph = OpGraph.build(
        "test",
        ops,
        list(edges),
        edge_bytes=list(edges.values()),
        output_bytes=output_bytes,
        parameter_bytes=parameter_bytes,
    )
    assert graph.ops == tuple(ops)
    compute = np.array([np.broadcast_to(s, len(on)) for s in seconds.values()], np.float64)
    order = np.arange(len(ops)) if priority is None else np.array(priority)
    return PlacementProblem(graph, on, compute, order)


@st.composite
def graphs(draw: st.DrawFn, max_ops: int = 40) -> OpGraph:
    """Random graphs: sparse to dense, disconnected or not, with groups, zeros and ties."""
    count = draw(st.integers(1, max_ops))
    density = draw(st.sampled_from([0.0, 0.05, 0.15, 0.5, 1.0]))
    groups = draw(st.integers(1, count))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pairs = np.argwhere(np.triu(rng.random((count, count)) < density, 1)).tolist()
    sizes = draw(st.sampled_from([1, 3, 10**9]))
    names = [f"o{i}" for i in rng.permutation(count)]
    return OpGraph.build(
        "random",
        names,
        [(names[u], names[v]) for u, v in pairs],
        edge_bytes=rng.integers(0, sizes, len(pairs)).tolist(),
        kinds=rng.choice(["convolution", "matmul"], count).tolist(),
        flops=rng.random(count) * 1e9,
        traffic_bytes=rng.random(count) * 1e9,
        output_bytes=rng.integers(0, sizes, count),
        parameter_bytes=rng.integers(0, sizes, count),
        groups=[f"g{i}" for i in rng.integers(0, groups, count)],
    )


@st.composite
def cases(
    draw: st.DrawFn, max_ops: int = 40, max_devices: int = 8, batch: int | None = None
) -> Case:
    """A problem with random costs and priorities, and one placement or a batch of them."""
    graph = draw(graphs(max_ops))
    count = draw(st.integers(1, max_devices))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    everyone, half = list(range(count)), list(range(0, count, 2))
    links = [
        {
            "link": {"gbs": draw(st.sampled_from([1.0, 7.6])), "latency_us": latency},
            "devices": members,
            "sharing": draw(st.sampled_from(["sender", "pair"])),
        }
        for members, latency in zip(
            [everyone, half], draw(st.sampled_from([(0, 0), (25, 3), (0, 1e6)])), strict=True
        )
    ]
    on = Cluster.from_json("random", {"devices": [DEVICE] * count, "interconnect": links})
    if draw(st.booleans()):
        compute = rng.integers(0, 3, (len(graph), count)) * 0.5
    else:
        compute = rng.lognormal(0, 1, (len(graph), count)) * (rng.random((len(graph), 1)) < 0.9)
    chosen = PlacementProblem(graph, on, compute, rng.permutation(len(graph)))
    shape = (graph.num_groups,) if batch is None else (batch, graph.num_groups)
    return chosen, rng.integers(0, count, shape)
