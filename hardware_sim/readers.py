"""Readers for the graph formats of published placement and scheduling work.

Every reader takes a ``.json`` or ``.json.gz`` file, returns an :class:`OpGraph` named after the
file, and raises :class:`InputError` for a file that is missing, not JSON, not of the format or no
directed acyclic graph. :func:`read` finds out the format by itself.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph
from hardware_sim.reading import read_json
from hardware_sim.training import training_step

UNIT_BYTES = 1e6
"""Bytes that stand for one unit of time where a format counts transfers in time: the cluster table
has devices of kind ``"unit"``, on links that carry 1 MB a millisecond."""

_PIPEDREAM_KINDS = {
    "conv2d": "convolution",
    "batchnorm2d": "batch_norm",
    "maxpool2d": "max_pool",
    "avgpool2d": "avg_pool",
    "concat": "cat",
    "size": "view",
    "__getitem__": "view",
}
_MSR_BYTES_PER_MS = 2**31 / 1000
"""The latency inputs charge 2 GiB/s; it gives the bytes of an edge that states none."""

_DOPPLER_UNITS_PER_MS = 1e10
"""The authors' simulator divides makespans by it."""


def read(path: str | Path) -> OpGraph:
    """Reads a graph in any of the formats below, or in that of :meth:`OpGraph.save`.

    Raises:
        InputError: See the module; also where the format is none of these.
    """
    value = read_json(path)
    fields = value if isinstance(value, dict) else {}
    nodes = fields.get("nodes")
    node = nodes[0] if isinstance(nodes, list) and nodes and isinstance(nodes[0], dict) else {}
    if "ops" in fields:
        return OpGraph.from_json(fields)
    formats: list[tuple[bool, Callable[[str | Path], OpGraph]]] = [
        ("forward_ms" in node, read_pipedream),
        ("fpgaLatency" in node, read_msr),
        ("compute_cost" in fields, read_doppler),
        ("task_graph" in fields, read_dagbench),
    ]
    for matches, reader in formats:
        if matches:
            return reader(path)
    raise InputError(
        f"{path} is in no known graph format: a gymworks graph has 'ops', a PipeDream profile "
        "'nodes' with 'forward_ms', an MSR workload 'nodes' with 'fpgaLatency', a DOPPLER graph "
        "'compute_cost', a DAGBench workflow 'task_graph'"
    )


def read_pipedream(path: str | Path, training: bool = False) -> OpGraph:
    """Reads a profile of PipeDream (Narayanan et al., SOSP 2019), measured on one GPU.

    The file has ``nodes`` (``id``, ``op``, ``forward_ms``, ``backward_ms``, ``activation_bytes``,
    a number or a list of several outputs, ``parameter_bytes``) and ``edges`` as pairs of ids.
    The time of an ``Input`` node is that of loading data, and is taken as 0.

    Args:
        path: The file.
        training: Whether to add the backward ops, by the rules of :func:`training_step` and with
            their measured times.
    """
    with _reading(path, "PipeDream profile") as value:
        nodes = {str(node["id"]): node for node in value["nodes"]}
        kinds = {op: _pipedream_kind(node["op"]) for op, node in nodes.items()}
        outputs = {op: float(np.sum(node["activation_bytes"])) for op, node in nodes.items()}
        edges = [(str(u), str(v)) for u, v in value["edges"]]
        graph = OpGraph.build(
            _name(path),
            [str(node["id"]) for node in value["nodes"]],
            edges,
            kinds=[kinds[op] for op in nodes],
            measured_ms={
                "gpu": [0.0 if kinds[op] == "input" else nodes[op]["forward_ms"] for op in nodes]
            },
            output_bytes=list(outputs.values()),
            parameter_bytes=[node["parameter_bytes"] for node in nodes.values()],
            edge_bytes=[
                min(outputs.get(u, 0.0), outputs.get(v, 0.0))
                if kinds.get(v) == "view"
                else outputs.get(u, 0.0)
                for u, v in edges
            ],
            source=f"PipeDream profile {value.get('source', Path(path).name)}",
        )
        if not training:
            return graph
        return training_step(graph, {"gpu": [nodes[op]["backward_ms"] for op in graph.ops]})


def read_msr(path: str | Path) -> OpGraph:
    """Reads a workload of msr-fiddle/dnn-partitioning (Tarnawski et al., NeurIPS 2020).

    ``cpuLatency`` and ``fpgaLatency`` ("FPGA" is the authors' name for any accelerator) become
    the times on ``"cpu"`` and ``"gpu"``, ``colorClass`` the groups, and an edge's ``size`` its
    bytes, or, where it has none, its ``cost`` at the 2 GiB/s of the latency inputs. ``size`` of a
    node covers all it holds, its output included, so the rest of it counts as parameters; that of
    a source without cost, a constant, counts whole. The published CPU times are exact multiples
    of the accelerator's (10 or 23), not measurements; in layer graphs the first node's time is
    that of loading data, kept as published.
    """
    with _reading(path, "MSR workload") as value:
        nodes = value["nodes"]
        blocked = [node["id"] for node in nodes if not node.get("supportedOnFpga", True)]
        if blocked:
            raise InputError(f"{path}: node {blocked[0]} runs on CPUs only, which is not supported")
        names = _msr_names(nodes)
        ends = [
            (
                names.get(e["sourceId"], f"id {e['sourceId']}"),
                names.get(e["destId"], f"id {e['destId']}"),
            )
            for e in value["edges"]
        ]
        sizes = [float(e.get("size", e["cost"] * _MSR_BYTES_PER_MS)) for e in value["edges"]]
        largest: dict[str, float] = {}
        for (producer, _), size in zip(ends, sizes, strict=True):
            largest[producer] = max(largest.get(producer, 0.0), size)
        fed = {consumer for _, consumer in ends}
        constant = [names[n["id"]] not in fed and n["fpgaLatency"] == 0 for n in nodes]
        outputs = [
            0.0 if fixed else largest.get(names[n["id"]], 0.0)
            for n, fixed in zip(nodes, constant, strict=True)
        ]
        return OpGraph.build(
            _name(path),
            [names[n["id"]] for n in nodes],
            ends,
            kinds=["op/grad" if n["isBackwardNode"] else "op" for n in nodes],
            measured_ms={
                "cpu": [n["cpuLatency"] for n in nodes],
                "gpu": [n["fpgaLatency"] for n in nodes],
            },
            output_bytes=outputs,
            parameter_bytes=[
                max(n["size"] - output, 0.0) for n, output in zip(nodes, outputs, strict=True)
            ],
            edge_bytes=sizes,
            groups=[str(n.get("colorClass", f"id {n['id']}")) for n in nodes],
            source="msr-fiddle/dnn-partitioning",
        )


def read_msr_placement(path: str | Path, graph_path: str | Path) -> NDArray[np.int64]:
    """Reads a placement of msr-fiddle/dnn-partitioning, such as those by human experts.

    Args:
        path: The placement: ``fpgas`` and ``cpus``, each a list of devices with their ``nodes``.
        graph_path: The workload that it places.

    Returns:
        int64 ``(G,)``, the device of each group of ``read_msr(graph_path)``: accelerators from 0
        on, then CPUs.

    Raises:
        InputError: A node is missing, placed twice or unknown, or a group is split.
    """
    graph = read_msr(graph_path)
    with _reading(graph_path, "MSR workload") as value:
        names = _msr_names(value["nodes"])
    number = {op: i for i, op in enumerate(graph.ops)}
    placement = np.full(graph.num_groups, -1, np.int64)
    placed: set[str] = set()
    with _reading(path, "MSR placement") as value:
        for device, entry in enumerate([*value["fpgas"], *value["cpus"]]):
            for node in entry["nodes"]:
                if node not in names or names[node] in placed:
                    raise InputError(f"{path}: node {node} is unknown or placed twice")
                placed.add(names[node])
                group = graph.groups[number[names[node]]]
                if placement[group] not in (-1, device):
                    raise InputError(f"{path}: node {node} is apart from its group")
                placement[group] = device
    missing = sorted(set(names.values()) - placed)
    if missing:
        raise InputError(f"{path}: node {missing[0]!r} is not placed")
    return placement


def read_doppler(path: str | Path) -> OpGraph:
    """Reads a graph of DOPPLER (Yao et al., ICLR 2026).

    The file has ``num_nodes``, ``edges`` as pairs of numbers, and ``compute_cost`` and
    ``comm_cost`` of each node in one unit of time, 1e-10 of the authors' "ms". Costs become times
    on ``"unit"`` devices; see :data:`UNIT_BYTES` for the transfers.
    """
    with _reading(path, "DOPPLER graph") as value:
        count = len(value["compute_cost"])
        if value["num_nodes"] != count:
            raise InputError(f"{path} has {count} costs for {value['num_nodes']} nodes")
        return OpGraph.build(
            _name(path),
            [f"op{i}" for i in range(count)],
            [(f"op{u}", f"op{v}") for u, v in value["edges"]],
            kinds=[str(kind) for kind in value.get("kind", ["op"] * count)],
            measured_ms={"unit": [c / _DOPPLER_UNITS_PER_MS for c in value["compute_cost"]]},
            output_bytes=[
                round(c / _DOPPLER_UNITS_PER_MS * UNIT_BYTES) for c in value["comm_cost"]
            ],
            source=f"DOPPLER {value.get('source', Path(path).name)}",
        )


def read_dagbench(path: str | Path, bytes_per_size: float = UNIT_BYTES) -> OpGraph:
    """Reads a workflow of DAGBench; its task graph only, as clusters have their own table.

    Costs become milliseconds on ``"unit"`` devices.

    Args:
        path: The file.
        bytes_per_size: What a dependency's ``size`` of 1 stands for. By default sizes and costs
            are in one unit of time, see :data:`UNIT_BYTES`; measured traces give bytes: 1.
    """
    with _reading(path, "DAGBench workflow") as value:
        tasks, links = value["task_graph"]["tasks"], value["task_graph"]["dependencies"]
        sizes = [math.ceil(link["size"] * bytes_per_size) for link in links]
        outputs = dict.fromkeys((str(task["name"]) for task in tasks), 0)
        for link, size in zip(links, sizes, strict=True):
            source = str(link["source"])
            outputs[source] = max(outputs.get(source, 0), size)
        names = [str(task["name"]) for task in tasks]
        return OpGraph.build(
            _name(path),
            names,
            [(str(link["source"]), str(link["target"])) for link in links],
            kinds=["task"] * len(tasks),
            measured_ms={"unit": [task["cost"] for task in tasks]},
            output_bytes=[outputs[name] for name in names],
            edge_bytes=sizes,
            source=f"DAGBench {value.get('name', Path(path).name)}",
        )


def _pipedream_kind(op: str) -> str:
    """``"Conv2d(3, 32, ...)"`` to ``"convolution"``, ``"Input0"`` to ``"input"``."""
    bare = op.split("(")[0].lower()
    return "input" if re.fullmatch(r"input\d*", bare) else _PIPEDREAM_KINDS.get(bare, bare)


def _msr_names(nodes: list[dict[str, Any]]) -> dict[int, str]:
    """Unique op names by node id."""
    ids = [node["id"] for node in nodes]
    if len(set(ids)) < len(ids):
        repeated = Counter(ids).most_common(1)[0][0]
        raise InputError(f"node ids must be unique; {repeated} is repeated")
    names = [str(node.get("name", node["id"])) for node in nodes]
    ambiguous = len(set(names)) < len(names)
    return {i: f"{name}#{i}" if ambiguous else name for i, name in zip(ids, names, strict=True)}


def _name(path: str | Path) -> str:
    """File name without ``.json`` and ``.gz``."""
    return Path(path).name.removesuffix(".gz").removesuffix(".json")


@contextmanager
def _reading(path: str | Path, kind: str) -> Iterator[Any]:
    """Gives the content of a file; a field that is missing or of a wrong type is bad input."""
    value = read_json(path)
    try:
        yield value
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{path} is not a {kind}: {error!r}") from error
