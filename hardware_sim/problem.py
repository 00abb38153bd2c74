"""A placement problem: one op graph on one cluster, as the arrays the simulator reads."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hardware_sim.costs import compute_seconds
from hardware_sim.devices import Cluster
from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph


@dataclass(frozen=True, eq=False)
class PlacementProblem:
    """The problem of choosing a device for each group of ops.

    Attributes:
        graph: ``N`` ops in ``G`` groups.
        cluster: ``D`` devices.
        compute_s: float64 ``(N, D)``, seconds of each op on each device.
        priority: int64 ``(N,)``, a permutation of ``0..N-1``; a device runs the ready op of
            lowest number first.
    """

    graph: OpGraph
    cluster: Cluster
    compute_s: NDArray[np.float64]
    priority: NDArray[np.int64]

    @classmethod
    def build(cls, graph: OpGraph, cluster: Cluster) -> "PlacementProblem":
        """Costs every op on every device and ranks the ops by their upward rank.

        Raises:
            InputError: An op fits on no device, or a device kind has no cost.
        """
        largest = max(device.memory_bytes for device in cluster.devices)
        needs = graph.parameter_bytes + graph.output_bytes
        worst = int(needs.argmax())
        if needs[worst] > largest:
            raise InputError(
                f"op {graph.ops[worst]!r} of {graph.name!r} needs {needs[worst]} bytes and fits on "
                f"no device of {cluster.name!r}; the largest has {largest}"
            )
        compute = compute_seconds(graph, cluster)
        return cls(graph, cluster, compute, by_upward_rank(graph, compute.min(axis=1)))

    @property
    def num_devices(self) -> int:
        """Number of devices ``D``."""
        return len(self.cluster)

    @property
    def num_groups(self) -> int:
        """Number of co-location groups ``G``, the length of a placement."""
        return self.graph.num_groups

    @cached_property
    def capacity(self) -> NDArray[np.int64]:
        """int64 ``(D,)``, memory of each device in bytes."""
        return np.array([device.memory_bytes for device in self.cluster.devices], np.int64)

    @cached_property
    def successors(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """``(offsets (N+1,), consumers (E,), bytes (E,))``: the out-edges of each op."""
        offsets = np.searchsorted(self.graph.edges[:, 0], np.arange(len(self.graph) + 1))
        return offsets, np.ascontiguousarray(self.graph.edges[:, 1]), self.graph.edge_bytes

    @cached_property
    def predecessors(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """``(offsets (N+1,), producers (E,))``: the in-edges of each op."""
        order = np.argsort(self.graph.edges[:, 1], kind="stable")
        offsets = np.searchsorted(self.graph.edges[order, 1], np.arange(len(self.graph) + 1))
        return offsets, self.graph.edges[order, 0]

    @cached_property
    def single_device(self) -> int:
        """The device that runs the whole graph fastest."""
        return int(self.compute_s.sum(axis=0).argmin())

    @cached_property
    def single_device_s(self) -> float:
        """Seconds of the whole graph on :attr:`single_device`, memory aside."""
        return float(self.compute_s[:, self.single_device].sum())

    def check_placements(self, placements: NDArray[np.integer]) -> NDArray[np.int64]:
        """Placements as int64 ``(B, G)``.

        Raises:
            InputError: The shape is not ``(B, G)`` or a device does not exist.
        """
        array = np.ascontiguousarray(placements, np.int64)
        if array.ndim != 2 or array.shape[1] != self.num_groups:
            raise InputError(
                f"placements have shape {array.shape}; expected (batch, {self.num_groups})"
            )
        if array.size and not 0 <= array.min() <= array.max() < self.num_devices:
            raise InputError(
                f"placements name devices {array.min()} to {array.max()}; "
                f"devices are 0 to {self.num_devices - 1}"
            )
        return array


def by_upward_rank(graph: OpGraph, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Priorities by upward rank, the longest path to the end (Topcuoglu et al. 2002).

    Communication is left out, as it is unknown before the placement.

    Args:
        graph: ``N`` ops.
        seconds: float64 ``(N,)``, cost of each op.

    Returns:
        int64 ``(N,)``, a permutation: 0 is the op that starts the longest path.
    """
    order = np.lexsort((np.arange(len(graph)), -upward_rank(graph, seconds)))
    priority = np.empty(len(graph), np.int64)
    priority[order] = np.arange(len(graph))
    return priority


def upward_rank(graph: OpGraph, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length of the longest path from the start of each op to the end, ``(N,)`` seconds."""
    rank = seconds.astype(np.float64)
    for u, v in graph.edges[::-1].tolist():
        rank[u] = max(rank[u], seconds[u] + rank[v])
    return rank


def downward_rank(graph: OpGraph, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length of the longest path from the start to the start of each op, ``(N,)`` seconds."""
    rank = np.zeros(len(graph))
    for u, v in graph.edges.tolist():
        rank[v] = max(rank[v], rank[u] + seconds[u])
    return rank
