"""Op graphs: round trips, order, and clear errors for malformed ones."""

import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph
from tests.hardware_sim.problems import graphs

ARRAYS = ("flops", "traffic_bytes", "measured_ms", "output_bytes", "parameter_bytes")
ARRAYS += ("edges", "edge_bytes", "groups")


def assert_equal(one: OpGraph, other: OpGraph) -> None:
    assert (one.name, one.ops, one.kinds) == (other.name, other.ops, other.kinds)
    for field in ARRAYS:
        left, right = getattr(one, field), getattr(other, field)
        assert left.dtype == right.dtype, field
        assert left.shape == right.shape, field
        assert left.tolist() == right.tolist(), field


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_json_round_trip(graph: OpGraph) -> None:
    assert_equal(OpGraph.from_json(json.loads(json.dumps(graph.to_json()))), graph)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_networkx_round_trip(graph: OpGraph) -> None:
    assert_equal(OpGraph.from_networkx(graph.to_networkx()), graph)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_edges_go_forward_and_are_sorted(graph: OpGraph) -> None:
    edges = graph.edges
    assert (edges[:, 0] < edges[:, 1]).all()
    assert edges.tolist() == sorted(edges.tolist())
    assert len(np.unique(edges, axis=0)) == len(edges)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_groups_are_numbered_by_first_op(graph: OpGraph) -> None:
    first = np.unique(graph.groups, return_index=True)[1]
    assert np.unique(graph.groups).tolist() == list(range(graph.num_groups))
    assert first.tolist() == sorted(first.tolist())
    assert graph.group_names == tuple(graph.ops[i] for i in first)


def test_round_trip_keeps_measured_costs_and_the_source() -> None:
    graph = OpGraph.build(
        "g", ["b", "a"], [("a", "b")], measured_ms={"cpu": [2, 1], "gpu": [4, 3]}, source="a book"
    )
    again = OpGraph.from_json(graph.to_json())
    assert_equal(again, graph)
    assert again.ops == ("a", "b")
    assert again.measured_on == ("cpu", "gpu")
    assert again.measured_ms.tolist() == [[1, 3], [2, 4]]
    assert again.source == "a book"


@pytest.mark.parametrize("name", ["graph.json", "graph.json.gz"])
def test_save_and_load(tmp_path, name: str) -> None:
    graph = OpGraph.build("g", ["a", "b"], [("a", "b")], output_bytes=[3, 4])
    path = tmp_path / "new" / name
    graph.save(path)
    assert_equal(OpGraph.load(path), graph)
    first = path.read_bytes()
    graph.save(path)
    assert path.read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == [name]


def test_a_failed_save_leaves_the_old_file(tmp_path) -> None:
    path = tmp_path / "graph.json"
    graph = OpGraph.build("g", ["a"], [])
    graph.save(path)
    before = path.read_bytes()
    broken = OpGraph.build("g", ["a"], [])
    object.__setattr__(broken, "kinds", (object(),))
    with pytest.raises(TypeError):
        broken.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_repeated_edges_are_merged_and_the_larger_wins() -> None:
    graph = OpGraph.build("g", ["a", "b"], [("a", "b")] * 3, edge_bytes=[1, 9, 4])
    assert graph.edges.tolist() == [[0, 1]]
    assert graph.edge_bytes.tolist() == [9]


def test_edges_carry_the_whole_output_by_default() -> None:
    graph = OpGraph.build("g", ["a", "b"], [("a", "b")], output_bytes=[7, 1])
    assert graph.edge_bytes.tolist() == [7]


def test_other_groups() -> None:
    graph = OpGraph.build("g", ["a", "b", "c"], [])
    assert graph.num_groups == 3
    assert graph.with_groups(["x", "y", "x"]).groups.tolist() == [0, 1, 0]
    with pytest.raises(InputError, match="2 group labels for 3 ops"):
        graph.with_groups(["x", "y"])


@pytest.mark.parametrize(
    ("ops", "edges", "figures", "message"),
    [
        ([], [], {}, "no ops"),
        (["a", "b", "a"], [], {}, "names op 'a' twice"),
        (["a", "b"], [("a", "c")], {}, "unknown op 'c'"),
        (["a", "b"], [("c", "b")], {}, "unknown op 'c'"),
        (["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "b")], {}, "cycle: (b -> c|c -> b)"),
        (["a"], [("a", "a")], {}, "cycle: a"),
        (["a", "b"], [], {"flops": [1, -2]}, "flops of 'b' is -2"),
        (["a", "b"], [], {"flops": [1, float("nan")]}, "flops of 'b' is nan"),
        (["a", "b"], [], {"traffic_bytes": [float("inf"), 1]}, "traffic_bytes of 'a' is inf"),
        (["a", "b"], [], {"output_bytes": [-1, 1]}, "output_bytes of 'a' is -1"),
        (["a", "b"], [], {"parameter_bytes": [1, -1]}, "parameter_bytes of 'b' is -1"),
        (["a", "b"], [], {"measured_ms": {"gpu": [1, -1]}}, r"measured_ms\[gpu\] of 'b' is -1"),
        (["a", "b"], [("a", "b")], {"edge_bytes": [-1]}, "edge_bytes of 'a->b' is -1"),
        (["a", "b"], [("a", "b")], {"edge_bytes": [1, 2]}, "edge_bytes has shape"),
        (["a", "b"], [], {"flops": [1]}, "flops has shape"),
        (["a", "b"], [], {"flops": ["x", "y"]}, "flops must be numbers"),
    ],
)
def test_malformed_graphs_are_refused(ops, edges, figures, message: str) -> None:
    with pytest.raises(InputError, match=message):
        OpGraph.build("g", ops, edges, **figures)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.pop("ops"),
        lambda v: v.pop("edges"),
        lambda v: v.update(colour="red"),
        lambda v: v.update(edges=[["a"]]),
        lambda v: v.update(edges=[["a", "b", "c"]]),
        lambda v: v.update(edges=[1]),
        lambda v: v.update(ops=5),
        lambda v: v.update(kinds=["op"]),
        lambda v: v.update(groups=["x"]),
        lambda v: v.update(flops={"a": 1}),
        lambda v: v.update(measured_ms=[1, 2]),
        lambda v: v.update(output_bytes=[1e300, 0]),
        lambda v: v.update(ops=[["a"], "b"]),
    ],
)
def test_malformed_json_is_refused(change) -> None:
    value = OpGraph.build("g", ["a", "b"], [("a", "b")]).to_json()
    change(value)
    with pytest.raises(InputError):
        OpGraph.from_json(value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b'"text"', b"\xff\xfe", b'["abc"]'])
@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_unreadable_files_are_refused(tmp_path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"graph{suffix}"
    path.write_bytes(gzip.compress(content) if suffix == ".json.gz" else content)
    with pytest.raises(InputError):
        OpGraph.load(path)
    with pytest.raises(InputError, match="missing"):
        OpGraph.load(tmp_path / f"missing{suffix}")


def test_truncated_gzip_is_refused(tmp_path) -> None:
    path = tmp_path / "graph.json.gz"
    OpGraph.build("g", ["a"], []).save(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"graph\.json\.gz"):
        OpGraph.load(path)


def test_networkx_cycles_are_refused() -> None:
    graph = OpGraph.build("g", ["a", "b"], [("a", "b")]).to_networkx()
    graph.add_edge("b", "a")
    with pytest.raises(InputError, match="cycle"):
        OpGraph.from_networkx(graph)


def test_a_hundred_thousand_ops_are_no_more_work_each(tmp_path) -> None:
    program = [sys.executable, "-m", "tests.hardware_sim.large_graphs", str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert done.stdout == "node ids must be unique; 99999 is repeated\n"
