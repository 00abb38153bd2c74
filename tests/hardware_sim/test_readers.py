"""Reading published graph formats, well-formed and not."""

import gzip
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph
from hardware_sim.readers import (
    read,
    read_dagbench,
    read_doppler,
    read_msr,
    read_msr_placement,
    read_pipedream,
)

GRAPHS = Path(str(files("hardware_sim").joinpath("data", "graphs")))


def _profiled(node: str, op: str, forward: float, backward: float, size: Any) -> dict[str, Any]:
    times = {"forward_ms": forward, "backward_ms": backward}
    return {"id": node, "op": op, **times, "activation_bytes": size, "parameter_bytes": 24.0}


PIPEDREAM: dict[str, Any] = {
    "source": "profiles/tiny/graph.txt",
    "nodes": [
        _profiled("node3", "ReLU(inplace)", 1.0, 0.5, [80.0, 80.0]),
        _profiled("node1", "Input0", 474.0, 0.0, 30.0),
        _profiled("node2", "Conv2d(3, 8, ...)", 2.0, 5.0, 160.0),
        _profiled("node4", "__getitem__(0)", 0.0, 0.0, 80.0),
    ],
    "edges": [["node1", "node2"], ["node2", "node3"], ["node3", "node4"]],
}


def _costed(node: int, name: str, milliseconds: float, size: float) -> dict[str, Any]:
    times = {"cpuLatency": 10 * milliseconds, "fpgaLatency": milliseconds}
    flags = {"supportedOnFpga": 1, "isBackwardNode": name.endswith("grad")}
    return {"id": node, "name": name, **times, "size": size, **flags}


MSR: dict[str, Any] = {
    "maxSizePerFPGA": 1e9,
    "maxFPGAs": 2,
    "maxCPUs": 1,
    "nodes": [
        _costed(7, "conv", 2.0, 600.0) | {"colorClass": 1},
        _costed(3, "weight", 0.0, 400.0),
        _costed(9, "convgrad", 5.0, 10.0) | {"colorClass": 1},
    ],
    "edges": [
        {"sourceId": 3, "destId": 7, "cost": 0.5, "size": 400.0},
        {"sourceId": 7, "destId": 9, "cost": 1000 * 150.0 / 2**31},
    ],
}

DOPPLER: dict[str, Any] = {
    "num_nodes": 3,
    "edges": [[0, 2], [1, 2]],
    "compute_cost": [10**10, 2 * 10**10, 0],
    "comm_cost": [10**9, 0, 5],
}

DAGBENCH: dict[str, Any] = {
    "name": "synthetic.tiny",
    "task_graph": {
        "tasks": [{"name": "b", "cost": 2.5}, {"name": "a", "cost": 1.0}, {"name": "c", "cost": 1}],
        "dependencies": [
            {"source": "a", "target": "b", "size": 0.25},
            {"source": "a", "target": "c", "size": 2.0},
        ],
    },
    "network": {"nodes": [], "edges": []},
}

SAMPLES = {"pipedream": PIPEDREAM, "msr": MSR, "doppler": DOPPLER, "dagbench": DAGBENCH}


def _write(folder: Path, value: Any, name: str = "tiny.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(value))
    return path


def _by_op(graph: OpGraph, kind: str) -> dict[str, float]:
    column = graph.measured_ms[:, graph.measured_on.index(kind)]
    return dict(zip(graph.ops, column.tolist(), strict=True))


def test_pipedream(tmp_path: Path) -> None:
    graph = read_pipedream(_write(tmp_path, PIPEDREAM))
    assert graph.name == "tiny"
    assert graph.ops == ("node1", "node2", "node3", "node4")
    assert graph.kinds == ("input", "convolution", "relu", "view")
    assert _by_op(graph, "gpu") == {"node1": 0.0, "node2": 2.0, "node3": 1.0, "node4": 0.0}
    assert graph.output_bytes.tolist() == [30, 160, 160, 80]
    assert graph.edge_bytes.tolist() == [30, 160, 80], "an item is all that its view needs"
    assert graph.parameter_bytes.tolist() == [24] * 4


def test_pipedream_training(tmp_path: Path) -> None:
    graph = read_pipedream(_write(tmp_path, PIPEDREAM), training=True)
    assert graph.ops[4:] == ("node4/grad", "node3/grad", "node2/grad")
    assert _by_op(graph, "gpu")["node2/grad"] == 5.0
    assert _by_op(graph, "gpu")["node3/grad"] == 0.5


def test_msr(tmp_path: Path) -> None:
    graph = read_msr(_write(tmp_path, MSR))
    assert graph.ops == ("weight", "conv", "convgrad")
    assert graph.kinds == ("op", "op", "op/grad")
    assert _by_op(graph, "cpu") == {"weight": 0.0, "conv": 20.0, "convgrad": 50.0}
    assert _by_op(graph, "gpu") == {"weight": 0.0, "conv": 2.0, "convgrad": 5.0}
    assert graph.edge_bytes.tolist() == [400, 150]
    # The weight stays, the convolution holds its output and 450 bytes besides.
    assert graph.parameter_bytes.tolist() == [400, 450, 10]
    assert graph.output_bytes.tolist() == [0, 150, 0]
    assert graph.groups.tolist() == [0, 1, 1]


def test_msr_refuses_what_a_placement_cannot_express(tmp_path: Path) -> None:
    nodes = [node | {"supportedOnFpga": node["id"] != 9} for node in MSR["nodes"]]
    with pytest.raises(InputError, match="node 9 runs on CPUs only"):
        read_msr(_write(tmp_path, MSR | {"nodes": nodes}))
    with pytest.raises(InputError, match="7 is repeated"):
        read_msr(_write(tmp_path, MSR | {"nodes": [*MSR["nodes"], MSR["nodes"][0]]}))


def test_msr_placement(tmp_path: Path) -> None:
    graph = _write(tmp_path, MSR)

    def place(*devices: list[int]) -> NDArray[np.int64]:
        fpgas = [{"load": -1, "nodes": nodes} for nodes in devices]
        value = {"fpgas": fpgas, "cpus": [{"load": 0.0, "nodes": []}]}
        return read_msr_placement(_write(tmp_path, value, "placement.json"), graph)

    assert place([7, 9], [3]).tolist() == [1, 0]
    with pytest.raises(InputError, match="apart from its group"):
        place([7], [3, 9])
    with pytest.raises(InputError, match="'weight' is not placed"):
        place([7, 9])
    with pytest.raises(InputError, match="unknown or placed twice"):
        place([7, 9, 7], [3])
    with pytest.raises(InputError, match="unknown or placed twice"):
        place([7, 9], [3, 100])


def test_doppler(tmp_path: Path) -> None:
    graph = read_doppler(_write(tmp_path, DOPPLER))
    assert _by_op(graph, "unit") == {"op0": 1.0, "op1": 2.0, "op2": 0.0}
    # A tenth of a millisecond at the 1 MB a millisecond of the ideal link.
    assert graph.output_bytes.tolist() == [100_000, 0, 0]
    kinds = ["einsummable", "einsummable", "formation"]
    assert read_doppler(_write(tmp_path, DOPPLER | {"kind": kinds})).kinds == tuple(kinds)
    with pytest.raises(InputError, match="1 kinds for 3 ops"):
        read_doppler(_write(tmp_path, DOPPLER | {"kind": ["short"]}))


def test_dagbench(tmp_path: Path) -> None:
    path = _write(tmp_path, DAGBENCH)
    graph = read_dagbench(path)
    assert _by_op(graph, "unit") == {"a": 1.0, "b": 2.5, "c": 1.0}
    assert graph.edge_bytes.tolist() == [250_000, 2_000_000]
    assert graph.output_bytes[0] == 2_000_000
    assert read_dagbench(path, bytes_per_size=1.0).edge_bytes.tolist() == [1, 2], "rounded up"


@pytest.mark.parametrize("name", SAMPLES)
def test_read_finds_the_format(name: str, tmp_path: Path) -> None:
    reader = {
        "pipedream": read_pipedream,
        "msr": read_msr,
        "doppler": read_doppler,
        "dagbench": read_dagbench,
    }[name]
    plain = _write(tmp_path, SAMPLES[name])
    packed = tmp_path / "packed" / "tiny.json.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read(packed).to_json() | {"source": ""} == read(plain).to_json() | {"source": ""}
    assert read(plain).to_json() == reader(plain).to_json()


def test_read_reads_saved_graphs(tmp_path: Path) -> None:
    graph = OpGraph.build("two", ["a", "b"], [("a", "b")], flops=[1.0, 2.0])
    graph.save(tmp_path / "two.json.gz")
    assert read(tmp_path / "two.json.gz").to_json() == graph.to_json()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not readable JSON"),
        (b"{", "not readable JSON"),
        (b"\x1f\x8b\x08nonsense", "cannot be read"),
        (gzip.compress(b'{"nodes": []}', mtime=0)[:-9], "cannot be read"),
        (b"[]", "no known graph format"),
        (b'{"nodes": []}', "no known graph format"),
        (b'{"task_graph": []}', "not a DAGBench workflow"),
        (b'{"ops": 3}', "not an op graph"),
    ],
)
def test_files_that_are_no_graphs(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.json"):
        read(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("pipedream", {"edges": [["node1", "node9"]]}, "unknown op 'node9'"),
        ("pipedream", {"edges": [["node2", "node3"], ["node3", "node2"]]}, "has a cycle"),
        ("pipedream", {"edges": [["node2"]]}, "not a PipeDream profile"),
        ("msr", {"edges": [{"sourceId": 3, "destId": 8, "cost": 1.0}]}, "unknown op 'id 8'"),
        ("msr", {"edges": [{"sourceId": 3, "destId": 7, "cost": -1.0}]}, "must be finite"),
        ("doppler", {"edges": [[0, 3]]}, "unknown op 'op3'"),
        ("doppler", {"compute_cost": [1, float("nan"), 1]}, "must be finite"),
        ("doppler", {"compute_cost": [1, 2]}, "2 costs for 3 nodes"),
        ("doppler", {"num_nodes": 0, "edges": [], "compute_cost": []}, "has no ops"),
    ],
)
def test_malformed_graphs(name: str, change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read(_write(tmp_path, SAMPLES[name] | change))


def test_shipped_profiles_hold_the_published_totals() -> None:
    profile = read_pipedream(GRAPHS / "pipedream_resnet50.json.gz")
    assert len(profile) == 177
    raw = json.loads(gzip.decompress((GRAPHS / "pipedream_resnet50.json.gz").read_bytes()))
    loading = sum(n["forward_ms"] for n in raw["nodes"] if n["op"].startswith("Input"))
    total = sum(n["forward_ms"] for n in raw["nodes"])
    assert loading > 0
    assert profile.measured_ms.sum() == pytest.approx(total - loading)
    workload = read_msr(GRAPHS / "msr_bert24.json.gz")
    assert np.allclose(workload.measured_ms[:, 0], 10 * workload.measured_ms[:, 1])


def _spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of every item below a JSON value."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [p for k, v in items for p in [(*path, k), *_spots(v, (*path, k))]]


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    value = json.loads(json.dumps(SAMPLES[name]))
    *way, last = data.draw(st.sampled_from(_spots(value)))
    parent = value
    for step in way:
        parent = parent[step]
    scraps = st.none() | st.booleans() | st.integers(-2, 2**70) | st.floats() | st.text(max_size=3)
    parent[last] = data.draw(scraps | st.lists(scraps, max_size=2) | st.just({}))
    path = _write(tmp_path, value)
    try:
        graph = read(path)
    except InputError:
        return
    assert (graph.edges[:, 0] < graph.edges[:, 1]).all()
    assert np.isfinite(graph.measured_ms).all()
    assert OpGraph.from_json(graph.to_json()).to_json() == graph.to_json()


@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_random_workflows_survive(tmp_path: Path, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    pairs = [(u, v) for v in range(count) for u in range(v)]
    chosen = data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    costs = data.draw(st.lists(st.floats(0, 1e6), min_size=count, max_size=count))
    order = data.draw(st.permutations(range(count)))
    value = {
        "task_graph": {
            "tasks": [{"name": f"t{i}", "cost": costs[i]} for i in order],
            "dependencies": [
                {"source": f"t{u}", "target": f"t{v}", "size": u + v} for u, v in chosen
            ],
        }
    }
    graph = read(_write(tmp_path, value))
    assert _by_op(graph, "unit") == {f"t{i}": cost for i, cost in enumerate(costs)}
    ends = {(graph.ops[u], graph.ops[v]) for u, v in graph.edges}
    assert ends == {(f"t{u}", f"t{v}") for u, v in chosen}
