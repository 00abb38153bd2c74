"""Placement problems: costs, priorities, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings

from hardware_sim.costs import roofline_seconds
from hardware_sim.devices import Cluster
from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph
from hardware_sim.problem import PlacementProblem, downward_rank, upward_rank
from tests.hardware_sim.problems import Case, cases, cluster, problem


def test_an_op_that_fits_on_no_device_is_named() -> None:
    graph = OpGraph.build("g", ["small", "big"], [], parameter_bytes=[1, 2**30])
    assert PlacementProblem.build(graph, cluster(2, memory_gb=1)).num_groups == 2
    graph = OpGraph.build("g", ["small", "big"], [], parameter_bytes=[1, 2**30 + 1])
    with pytest.raises(InputError, match="op 'big' of 'g' needs 1073741825 bytes and fits on no"):
        PlacementProblem.build(graph, cluster(2, memory_gb=1))


@pytest.mark.parametrize("shape", [(), (2,), (1, 1), (1, 3), (1, 2, 1)])
def test_wrong_placement_shapes_are_refused(shape) -> None:
    chosen = problem({"a": 1.0, "b": 1.0}, {}, cluster(2))
    with pytest.raises(InputError, match=r"expected \(batch, 2\)"):
        chosen.check_placements(np.zeros(shape, int))


@pytest.mark.parametrize("row", [[0, 2], [-1, 0]])
def test_unknown_devices_are_refused(row) -> None:
    chosen = problem({"a": 1.0, "b": 1.0}, {}, cluster(2))
    with pytest.raises(InputError, match="devices are 0 to 1"):
        chosen.check_placements(np.array([row]))


def test_roofline_is_the_larger_of_arithmetic_and_memory_plus_overhead() -> None:
    graph = OpGraph.build(
        "g",
        ["input", "arithmetic", "memory"],
        [],
        flops=[0, 4e12, 1],
        traffic_bytes=[0, 1, 240e9],
    )
    device = cluster(1).devices[0]
    expected = [0.0, 5e-6 + 2.0, 5e-6 + 1 / 0.75]
    assert roofline_seconds(graph, device).tolist() == pytest.approx(expected)


def test_measured_costs_are_taken_by_kind() -> None:
    graph = OpGraph.build("g", ["a"], [], measured_ms={"gpu": [2.0], "cpu": [9.0]})
    chosen = PlacementProblem.build(graph, Cluster.load("xeon_2xk80"))
    assert chosen.compute_s.tolist() == pytest.approx(np.array([[9e-3, 2e-3, 2e-3]]))
    assert chosen.single_device == 1
    assert chosen.single_device_s == pytest.approx(2e-3)
    lacking = OpGraph.build("g", ["a"], [], measured_ms={"gpu": [2.0]})
    with pytest.raises(InputError, match=r"measured on gpu, but .* has a cpu"):
        PlacementProblem.build(lacking, Cluster.load("xeon_2xk80"))


def test_upward_rank_orders_a_diamond() -> None:
    chosen = problem(
        {"a": 1.0, "b": 5.0, "c": 2.0, "d": 1.0},
        {("a", "b"): 0, ("a", "c"): 0, ("b", "d"): 0, ("c", "d"): 0},
        cluster(1),
    )
    seconds = chosen.compute_s[:, 0]
    assert upward_rank(chosen.graph, seconds).tolist() == [7.0, 6.0, 3.0, 1.0]
    assert downward_rank(chosen.graph, seconds).tolist() == [0.0, 1.0, 1.0, 6.0]


@settings(max_examples=60, deadline=None)
@given(cases())
def test_priorities_respect_the_edges_and_ranks_agree(case: Case) -> None:
    graph, count = case[0].graph, case[0].num_devices
    chosen = PlacementProblem.build(graph, cluster(count))
    assert sorted(chosen.priority.tolist()) == list(range(len(graph)))
    assert (chosen.priority[graph.edges[:, 0]] < chosen.priority[graph.edges[:, 1]]).all()
    seconds = chosen.compute_s.min(axis=1)
    up, down = upward_rank(graph, seconds), downward_rank(graph, seconds)
    assert (up + down).max() == pytest.approx(up.max())


@settings(max_examples=60, deadline=None)
@given(cases())
def test_adjacency_holds_every_edge(case: Case) -> None:
    chosen = case[0]
    offsets, consumers, sizes = chosen.successors
    edges = [
        [u, int(consumers[e]), int(sizes[e])]
        for u in range(len(chosen.graph))
        for e in range(offsets[u], offsets[u + 1])
    ]
    graph = chosen.graph
    assert edges == np.column_stack([graph.edges, graph.edge_bytes]).tolist()
    offsets, producers = chosen.predecessors
    backward = [
        (int(producers[e]), v) for v in range(len(graph)) for e in range(offsets[v], offsets[v + 1])
    ]
    assert sorted(backward) == [tuple(edge) for edge in graph.edges.tolist()]
