"""The graph of co-location groups, which an agent sees and places, one group a step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hardware_sim.problem import PlacementProblem

NODE_FEATURES = (
    "cost on its fastest device over the mean cost",
    "cost on its slowest device over that on its fastest",
    "bytes from earlier groups, in seconds of the slowest link over the mean cost",
    "bytes to later groups, in seconds of the slowest link over the mean cost",
    "longest path before it over the longest path",
    "longest path after it over the longest path",
    "number of earlier groups it reads",
    "number of later groups that read it",
)
"""Static features of a group; counts and ratios to the mean as log(1 + x), others as log x."""

LARGEST_FEATURE = 32.0
"""Features lie between 0 and this; a logarithm reaches it only for absurd graphs."""


@dataclass(frozen=True, eq=False)
class GroupGraph:
    """A placement problem contracted to its ``G`` groups.

    Groups are numbered by their first op, so a network's forward pass numbers them. What flows
    between two groups in either direction (activations forward, gradients backward) is one edge
    from the lower to the higher number, which makes the contraction acyclic.

    Attributes:
        problem: The problem.
        cost_s: float64 ``(G, D)``, seconds of the whole group on each device.
        edges: int64 ``(E, 2)``, sorted by consumer, then producer.
        edge_bytes: int64 ``(E,)``, bytes both ways.
        reserved_bytes: int64 ``(G,)``, the most memory the group can ever occupy: parameters,
            outputs, and copies of everything it reads from other groups.
        features: float32 ``(G, F)``, :data:`NODE_FEATURES`.
    """

    problem: PlacementProblem
    cost_s: NDArray[np.float64]
    edges: NDArray[np.int64]
    edge_bytes: NDArray[np.int64]
    reserved_bytes: NDArray[np.int64]
    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.cost_s)

    @classmethod
    def build(cls, problem: PlacementProblem) -> "GroupGraph":
        """Contracts a problem."""
        graph, count = problem.graph, problem.num_groups
        cost = np.zeros((count, problem.num_devices))
        np.add.at(cost, graph.groups, problem.compute_s)
        between = graph.groups[graph.edges]
        crossing = between[:, 0] != between[:, 1]
        pairs, number = np.unique(
            np.sort(between[crossing], axis=1)[:, ::-1], axis=0, return_inverse=True
        )
        sizes = np.zeros(len(pairs), np.int64)
        np.add.at(sizes, number.ravel(), graph.edge_bytes[crossing])
        reserved = np.zeros(count, np.int64)
        np.add.at(reserved, graph.groups, graph.parameter_bytes + graph.output_bytes)
        np.add.at(reserved, between[crossing, 1], graph.edge_bytes[crossing])
        edges = np.ascontiguousarray(pairs[:, ::-1])
        features = _features(problem, cost, edges, sizes)
        return cls(problem, cost, edges, sizes, reserved, features)


def _features(
    problem: PlacementProblem,
    cost: NDArray[np.float64],
    edges: NDArray[np.int64],
    sizes: NDArray[np.int64],
) -> NDArray[np.float32]:
    """The static features of every group, float32 ``(G, F)``."""
    fastest, slowest = cost.min(axis=1), cost.max(axis=1)
    mean = fastest.mean() or 1.0
    seconds = sizes * problem.cluster.seconds_per_byte.max()
    before, after = np.zeros(len(cost)), np.zeros(len(cost))
    for u, v in edges.tolist():
        before[v] = max(before[v], before[u] + fastest[u])
    for u, v in edges[np.argsort(-edges[:, 0], kind="stable")].tolist():
        after[u] = max(after[u], after[v] + fastest[v])
    longest = (before + fastest + after).max() or 1.0
    received, sent = np.zeros(len(cost)), np.zeros(len(cost))
    np.add.at(received, edges[:, 1], seconds)
    np.add.at(sent, edges[:, 0], seconds)
    columns = (
        np.log1p(fastest / mean),
        np.log(np.maximum(slowest, 1e-9) / np.maximum(fastest, 1e-9)),
        np.log1p(received / mean),
        np.log1p(sent / mean),
        before / longest,
        after / longest,
        np.log1p(np.bincount(edges[:, 1], minlength=len(cost))),
        np.log1p(np.bincount(edges[:, 0], minlength=len(cost))),
    )
    return np.array(columns, np.float32).T.clip(0, LARGEST_FEATURE).copy()
