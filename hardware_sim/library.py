"""Op graphs by name: those that ship with the package, a user's file, random ones."""

from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hardware_sim.errors import InputError, choose
from hardware_sim.graph import OpGraph
from hardware_sim.readers import (
    read,
    read_dagbench,
    read_msr,
    read_msr_placement,
    read_pipedream,
)
from hardware_sim.training import training_step

_FOLDER = Path(str(files("hardware_sim").joinpath("data", "graphs")))
_SUFFIX = ".json.gz"


def _trained(path: str) -> OpGraph:
    return training_step(OpGraph.load(path))


_pipedream_training = partial(read_pipedream, training=True)

_SHIPPED: dict[str, tuple[str, Callable[[str], OpGraph]]] = {
    "inception_v3": ("inception_v3", OpGraph.load),
    "inception_v3_training": ("inception_v3", _trained),
    "pipedream_gnmt": ("pipedream_gnmt", read_pipedream),
    "pipedream_gnmt_training": ("pipedream_gnmt", _pipedream_training),
    "pipedream_inception_v3": ("pipedream_inception_v3", read_pipedream),
    "pipedream_inception_v3_training": ("pipedream_inception_v3", _pipedream_training),
    "pipedream_nasnetamobile": ("pipedream_nasnetamobile", read_pipedream),
    "pipedream_nasnetamobile_training": ("pipedream_nasnetamobile", _pipedream_training),
    "pipedream_resnet50": ("pipedream_resnet50", read_pipedream),
    "pipedream_resnet50_training": ("pipedream_resnet50", _pipedream_training),
    "msr_bert24": ("msr_bert24", read_msr),
    "msr_bert24_training": ("msr_bert24_training", read_msr),
    "msr_bert_l3": ("msr_bert_l3", read_msr),
    "msr_gnmt": ("msr_gnmt", read_msr),
    "msr_resnet50": ("msr_resnet50", read_msr),
    "dagbench_cholesky": ("dagbench_cholesky", read_dagbench),
    # A measured trace: its sizes are bytes.
    "dagbench_gpt2": ("dagbench_gpt2", partial(read_dagbench, bytes_per_size=1.0)),
}
"""File and reader of each shipped graph."""

_EXPERTS = ("msr_bert24", "msr_bert24_training", "msr_gnmt", "msr_resnet50")


def names() -> list[str]:
    """Names of the shipped graphs."""
    return list(_SHIPPED)


def load(name: str) -> OpGraph:
    """A shipped graph by name, or a user's file in any format that :mod:`readers` knows.

    Args:
        name: One of :func:`names`, or the path of a ``.json`` or ``.json.gz`` file.

    Raises:
        InputError: The name is unknown, or the file malformed.
    """
    if name.endswith((".json", _SUFFIX)):
        return read(name)
    file, reader = _SHIPPED[choose("graph", name, names())]
    return reader(_path(file))


def expert_placement(name: str) -> NDArray[np.int64] | None:
    """The published placement of a shipped graph by human experts.

    Args:
        name: One of :func:`names`.

    Returns:
        int64 ``(G,)``, the accelerator (0 to 5) of each group of the graph, or None where nobody
        published one. The experts meant it for pipelined execution on six accelerators, which the
        cluster ``"6xv100_msr"`` has.

    Raises:
        InputError: The name is unknown.
    """
    if choose("graph", name, names()) not in _EXPERTS:
        return None
    return read_msr_placement(_path(f"{name}.expert"), _path(name))


def layered(nodes: int, edges_per_node: float = 2.0, seed: int = 0) -> OpGraph:
    """A random layered graph with log-normal costs, for benchmarks and tests.

    The ops form about ``sqrt(nodes)`` layers of random sizes. Every op behind the first layer
    reads a random op of the layer before; the other edges join random ops of layers one to three
    apart. The median op computes 1 GFLOP and makes 1 MB, so that on one GPU of a K80 and PCIe 3
    computing an op and sending its output take times of the same order.

    Args:
        nodes: Number of ops, at least 1.
        edges_per_node: About how many edges an op has; as many as the layers allow.
        seed: Of the random numbers; the same arguments give the same graph.

    Raises:
        InputError: ``nodes`` or ``edges_per_node`` is out of range.
    """
    if nodes < 1 or not 0 <= edges_per_node <= nodes:
        raise InputError(
            f"a layered graph needs at least 1 node and 0 to {max(nodes, 1)} edges per node, not "
            f"{nodes} nodes and {edges_per_node} edges per node"
        )
    rng = np.random.default_rng(seed)
    edges = _layered_edges(nodes, round(nodes * edges_per_node), rng)
    ops = [f"op{i}" for i in range(nodes)]
    output = rng.lognormal(np.log(1e6), 1.0, nodes)
    return OpGraph.build(
        f"layered_{nodes}_{seed}",
        ops,
        [(ops[u], ops[v]) for u, v in edges],
        flops=rng.lognormal(np.log(1e9), 1.0, nodes),
        traffic_bytes=3.0 * output,
        output_bytes=np.floor(output),
        parameter_bytes=np.floor(rng.lognormal(np.log(1e5), 1.0, nodes)),
        source=f"random, seed {seed}",
    )


def _layered_edges(nodes: int, wanted: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """About ``wanted`` distinct edges ``(producer, consumer)`` between the ops of layers."""
    layer = np.sort(rng.integers(0, max(1, round(nodes**0.5)), nodes))
    layer = np.unique(layer, return_inverse=True)[1]
    start = np.searchsorted(layer, np.arange(layer[-1] + 2))
    edges: set[tuple[int, int]] = set()
    behind = np.arange(start[1], nodes)
    for v in behind.tolist():
        edges.add((int(rng.integers(start[layer[v] - 1], start[layer[v]])), v))
    # A dense graph has few free pairs left, so the search for one is bounded.
    for _ in range(4 * wanted if len(behind) else 0):
        if len(edges) >= wanted:
            break
        v = int(rng.choice(behind))
        first = start[max(0, layer[v] - int(rng.integers(1, 4)))]
        edges.add((int(rng.integers(first, start[layer[v]])), v))
    return sorted(edges)


def _path(file: str) -> str:
    """Path of a shipped file."""
    return str(_FOLDER / f"{file}{_SUFFIX}")
