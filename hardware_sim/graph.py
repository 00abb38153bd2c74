"""Op graphs: the operations of a network, their costs, and the data that flows between them."""

import gzip
import heapq
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hardware_sim.errors import InputError
from hardware_sim.files import write_atomic
from hardware_sim.reading import read_json


@dataclass(frozen=True, eq=False)
class OpGraph:
    """A directed acyclic graph of ``N`` ops and ``E`` edges, in topological order.

    Ops are numbered so that every edge goes from a lower to a higher number. An op makes one
    output; a consumer may need only part of it (``edge_bytes``). Ops that share a ``group`` are
    placed together.

    Attributes:
        name: What the graph computes.
        ops: ``N`` unique op names.
        kinds: ``N`` op kinds, such as ``"convolution"``; cost models choose efficiency by kind.
        flops: float64 ``(N,)``, floating-point operations of one run.
        traffic_bytes: float64 ``(N,)``, bytes read and written by one run.
        measured_ms: float64 ``(N, K)``, measured milliseconds on each of ``measured_on``, or
            ``(N, 0)`` where nothing was measured.
        measured_on: ``K`` names of device kinds.
        output_bytes: int64 ``(N,)``, size of the output.
        parameter_bytes: int64 ``(N,)``, memory held during the whole step.
        edges: int64 ``(E, 2)``, producer and consumer, sorted by producer, then consumer.
        edge_bytes: int64 ``(E,)``, what the consumer needs of the producer's output.
        groups: int64 ``(N,)``, co-location groups, numbered ``0..G-1`` by first op.
        source: Where the figures come from.
    """

    name: str
    ops: tuple[str, ...]
    kinds: tuple[str, ...]
    flops: NDArray[np.float64]
    traffic_bytes: NDArray[np.float64]
    measured_ms: NDArray[np.float64]
    measured_on: tuple[str, ...]
    output_bytes: NDArray[np.int64]
    parameter_bytes: NDArray[np.int64]
    edges: NDArray[np.int64]
    edge_bytes: NDArray[np.int64]
    groups: NDArray[np.int64]
    source: str = ""

    @classmethod
    def build(
        cls,
        name: str,
        ops: Sequence[str],
        edges: Iterable[tuple[str, str]],
        *,
        kinds: Sequence[str] | None = None,
        flops: ArrayLike | None = None,
        traffic_bytes: ArrayLike | None = None,
        measured_ms: dict[str, ArrayLike] | None = None,
        output_bytes: ArrayLike | None = None,
        parameter_bytes: ArrayLike | None = None,
        edge_bytes: Sequence[float] | None = None,
        groups: Sequence[str] | None = None,
        source: str = "",
    ) -> "OpGraph":
        """Builds a graph from ops in any order, checking everything.

        Args:
            name: What the graph computes.
            ops: Unique op names; per-op arguments follow this order.
            edges: ``(producer, consumer)`` names; repeated edges are merged (the larger wins).
            kinds: Op kinds; ``"op"`` for all if absent.
            flops: Floating-point operations; 0 if absent.
            traffic_bytes: Memory traffic; 0 if absent.
            measured_ms: Milliseconds by device kind; empty if absent.
            output_bytes: Output sizes; 0 if absent.
            parameter_bytes: Resident sizes; 0 if absent.
            edge_bytes: Bytes per edge, in the order of ``edges``; the producer's output size if
                absent.
            groups: Group name of each op; every op its own group if absent.
            source: Where the figures come from.

        Raises:
            InputError: A repeated op, an edge to an unknown op, a cycle, a negative or
                non-finite figure, or a wrong number of figures. The message names the op.
        """
        count = len(ops)
        if count == 0:
            raise InputError(f"graph {name!r} has no ops; at least one is needed")
        for field, labels in (("kinds", kinds), ("groups", groups)):
            if labels is not None and len(labels) != count:
                raise InputError(f"graph {name!r}: {len(labels)} {field} for {count} ops")
        index = {op: i for i, op in enumerate(ops)}
        if len(index) < count:
            repeated = next(op for i, op in enumerate(ops) if index[op] != i)
            raise InputError(f"graph {name!r} names op {repeated!r} twice; names must be unique")
        pairs = [_edge(name, index, edge) for edge in edges]
        outputs = _figures(name, "output_bytes", output_bytes, ops)
        weights = (
            [outputs[u] for u, _ in pairs]
            if edge_bytes is None
            else _figures(name, "edge_bytes", edge_bytes, [f"{ops[u]}->{ops[v]}" for u, v in pairs])
        )
        merged: dict[tuple[int, int], float] = {}
        for pair, weight in zip(pairs, weights, strict=True):
            merged[pair] = max(merged.get(pair, 0.0), float(weight))
        order = _topological_order(name, ops, list(merged))
        rank = np.empty(count, np.int64)
        rank[order] = np.arange(count)
        links = sorted((int(rank[u]), int(rank[v]), w) for (u, v), w in merged.items())
        labels = [(groups or ops)[i] for i in order]
        number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
        measured = measured_ms or {}
        columns = [_figures(name, f"measured_ms[{k}]", v, ops) for k, v in measured.items()]
        return cls(
            name=name,
            ops=tuple(ops[i] for i in order),
            kinds=tuple("op" if kinds is None else kinds[i] for i in order),
            flops=_figures(name, "flops", flops, ops)[order],
            traffic_bytes=_figures(name, "traffic_bytes", traffic_bytes, ops)[order],
            measured_ms=np.array(columns).reshape(len(columns), count).T[order],
            measured_on=tuple(measured),
            output_bytes=outputs[order].astype(np.int64),
            parameter_bytes=_figures(name, "parameter_bytes", parameter_bytes, ops)[order].astype(
                np.int64
            ),
            edges=np.array([(u, v) for u, v, _ in links], np.int64).reshape(-1, 2),
            edge_bytes=np.array([w for _, _, w in links], np.int64),
            groups=np.array([number[label] for label in labels], np.int64),
            source=source,
        )

    def __len__(self) -> int:
        return len(self.ops)

    @cached_property
    def num_groups(self) -> int:
        """Number of co-location groups ``G``."""
        return int(self.groups.max()) + 1

    @cached_property
    def group_names(self) -> tuple[str, ...]:
        """``G`` names, each the name of the group's first op."""
        first = np.unique(self.groups, return_index=True)[1]
        return tuple(self.ops[i] for i in first)

    def with_groups(self, labels: Sequence[str]) -> "OpGraph":
        """The same graph with other co-location groups.

        Args:
            labels: A group label for each op, in this graph's order.

        Raises:
            InputError: The number of labels is not the number of ops.
        """
        if len(labels) != len(self):
            raise InputError(f"{len(labels)} group labels for {len(self)} ops of {self.name!r}")
        number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
        return replace(self, groups=np.array([number[label] for label in labels], np.int64))

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable form that :meth:`from_json` reads back equal."""
        return {
            "name": self.name,
            "source": self.source,
            "ops": list(self.ops),
            "kinds": list(self.kinds),
            "flops": self.flops.tolist(),
            "traffic_bytes": self.traffic_bytes.tolist(),
            "measured_ms": {
                kind: self.measured_ms[:, k].tolist() for k, kind in enumerate(self.measured_on)
            },
            "output_bytes": self.output_bytes.tolist(),
            "parameter_bytes": self.parameter_bytes.tolist(),
            "edges": [[self.ops[u], self.ops[v]] for u, v in self.edges.tolist()],
            "edge_bytes": self.edge_bytes.tolist(),
            "groups": [self.group_names[g] for g in self.groups.tolist()],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "OpGraph":
        """Reads the form written by :meth:`to_json`.

        Raises:
            InputError: A field is missing or the graph is malformed.
        """
        if not isinstance(value, dict):
            raise InputError("not an op graph: a JSON object is expected; see OpGraph.to_json")
        try:
            fields = dict(value)
            return cls.build(
                fields.pop("name"), fields.pop("ops"), map(tuple, fields.pop("edges")), **fields
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise InputError(f"not an op graph: {error}; see OpGraph.to_json") from error

    @classmethod
    def load(cls, path: str | Path) -> "OpGraph":
        """Reads a graph from a ``.json`` or ``.json.gz`` file.

        Raises:
            InputError: The file is missing, not JSON, not an op graph, or beyond the limits of
                :mod:`hardware_sim.reading`.
        """
        return cls.from_json(read_json(path))

    def save(self, path: str | Path) -> None:
        """Writes the graph to a ``.json`` or ``.json.gz`` file, whole or not at all."""
        data = json.dumps(self.to_json()).encode()
        packed = gzip.compress(data, mtime=0) if Path(path).suffix == ".gz" else data
        write_atomic(path, lambda file: file.write(packed))

    def to_networkx(self) -> "nx.DiGraph[str]":
        """The graph as networkx, with every per-op figure as a node attribute."""
        graph: nx.DiGraph[str] = nx.DiGraph(name=self.name)
        for i, op in enumerate(self.ops):
            graph.add_node(
                op,
                kind=self.kinds[i],
                flops=float(self.flops[i]),
                traffic_bytes=float(self.traffic_bytes[i]),
                output_bytes=int(self.output_bytes[i]),
                parameter_bytes=int(self.parameter_bytes[i]),
                group=self.group_names[self.groups[i]],
            )
        for (u, v), size in zip(self.edges.tolist(), self.edge_bytes.tolist(), strict=True):
            graph.add_edge(self.ops[u], self.ops[v], bytes=size)
        return graph

    @classmethod
    def from_networkx(cls, graph: "nx.DiGraph[Any]", name: str | None = None) -> "OpGraph":
        """Reads a networkx graph; node and edge attributes are those of :meth:`to_networkx`.

        Absent attributes take the defaults of :meth:`build`.

        Raises:
            InputError: The graph is malformed.
        """
        nodes = list(graph.nodes)
        data = [graph.nodes[node] for node in nodes]
        links = list(graph.edges(data=True))
        return cls.build(
            name or graph.name or "graph",
            [str(node) for node in nodes],
            [(str(u), str(v)) for u, v, _ in links],
            kinds=[d.get("kind", "op") for d in data],
            flops=[d.get("flops", 0.0) for d in data],
            traffic_bytes=[d.get("traffic_bytes", 0.0) for d in data],
            output_bytes=[d.get("output_bytes", 0) for d in data],
            parameter_bytes=[d.get("parameter_bytes", 0) for d in data],
            edge_bytes=[d.get("bytes", graph.nodes[u].get("output_bytes", 0)) for u, _, d in links],
            groups=[str(d.get("group", node)) for node, d in zip(nodes, data, strict=True)],
        )


_LARGEST = 2.0**62
"""Figures stay below this, so that sizes fit a 64-bit integer."""


def _edge(name: str, index: dict[str, int], edge: tuple[str, str]) -> tuple[int, int]:
    """The edge as op numbers."""
    if len(edge) != 2:
        raise InputError(f"graph {name!r} has an edge {edge}; it must be (producer, consumer)")
    for op in edge:
        if op not in index:
            raise InputError(f"graph {name!r} has an edge {edge} to an unknown op {op!r}")
    return index[edge[0]], index[edge[1]]


def _figures(
    name: str, field: str, values: ArrayLike | None, labels: Sequence[str]
) -> NDArray[np.float64]:
    """A float64 array, one finite non-negative figure a label."""
    if values is None:
        return np.zeros(len(labels))
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"graph {name!r}: {field} must be numbers ({error})") from error
    if array.shape != (len(labels),):
        raise InputError(
            f"graph {name!r}: {field} has shape {array.shape}, expected ({len(labels)},)"
        )
    bad = np.flatnonzero(~((array >= 0) & (array < _LARGEST)))
    if len(bad):
        raise InputError(
            f"graph {name!r}: {field} of {labels[bad[0]]!r} is {array[bad[0]]}; "
            f"it must be finite, at least 0 and below {_LARGEST:g}"
        )
    return array


def _topological_order(
    name: str, ops: Sequence[str], pairs: Sequence[tuple[int, int]]
) -> NDArray[np.int64]:
    """Op numbers in topological order, ties by the given order."""
    consumers: list[list[int]] = [[] for _ in ops]
    missing = [0] * len(ops)
    for producer, consumer in pairs:
        consumers[producer].append(consumer)
        missing[consumer] += 1
    ready = [op for op, inputs in enumerate(missing) if not inputs]  # sorted, and so a heap
    order: list[int] = []
    while ready:
        order.append(heapq.heappop(ready))
        for consumer in consumers[order[-1]]:
            missing[consumer] -= 1
            if not missing[consumer]:
                heapq.heappush(ready, consumer)
    if len(order) < len(ops):
        cycle = " -> ".join(ops[u] for u, _ in nx.find_cycle(nx.DiGraph(pairs)))
        raise InputError(f"graph {name!r} has a cycle: {cycle}; it must be acyclic")
    return np.array(order, np.int64)
