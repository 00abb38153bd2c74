"""Shipped graphs, experts' placements and random graphs."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware_sim import library
from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph
from hardware_sim.training import training_step


@pytest.mark.parametrize("name", library.names())
def test_every_shipped_graph(name: str) -> None:
    graph = library.load(name)
    assert graph.name == name
    assert graph.source
    assert (graph.edges[:, 0] < graph.edges[:, 1]).all()
    cost = graph.measured_ms if graph.measured_on else graph.traffic_bytes
    assert cost.sum() > 0
    assert graph.edge_bytes.max() > 0
    assert library.load(name).to_json() == graph.to_json()


def test_inception_training_is_derived() -> None:
    derived = training_step(library.load("inception_v3"))
    assert library.load("inception_v3_training").to_json() == derived.to_json()


def test_traces_are_in_milliseconds_and_bytes() -> None:
    trace = library.load("dagbench_gpt2")
    assert (len(trace), len(trace.edges)) == (327, 614)
    assert trace.measured_ms.sum() == pytest.approx(75.8, abs=0.1)
    assert trace.edge_bytes.max() == 803_061


def test_load_reads_a_users_file(tmp_path: Path) -> None:
    path = str(tmp_path / "mine.json")
    graph = library.layered(20, seed=3)
    graph.save(path)
    assert library.load(path).to_json() == graph.to_json()


def test_unknown_names_are_answered_with_the_known() -> None:
    with pytest.raises(InputError, match=r"did you mean 'inception_v3'.*pipedream_gnmt"):
        library.load("inception_v4")
    with pytest.raises(InputError, match="unknown graph"):
        library.expert_placement("inception_v4")


def test_expert_placements_fit_their_graphs() -> None:
    published = {name: library.expert_placement(name) for name in library.names()}
    counts = {
        name: np.bincount(placement[library.load(name).groups]).tolist()
        for name, placement in published.items()
        if placement is not None
    }
    assert counts == {
        "msr_bert24": [8, 4, 4, 4, 4, 8],
        "msr_bert24_training": [16, 8, 8, 8, 8, 16],
        "msr_gnmt": [14, 15, 21, 19, 14, 13],
        "msr_resnet50": [5, 32, 42, 42, 42, 14],
    }


def test_every_file_is_accounted_for() -> None:
    data = files("hardware_sim").joinpath("data")
    attribution = data.joinpath("SOURCE.md").read_text(encoding="utf-8")
    for file in data.joinpath("graphs").iterdir():
        assert file.name in attribution


@pytest.mark.parametrize("table", ["devices", "links", "clusters"])
def test_every_figure_has_a_source(table: str) -> None:
    text = files("hardware_sim").joinpath("data", f"{table}.json").read_text(encoding="utf-8")
    for name, entry in json.loads(text).items():
        source = entry["source"]
        notes = [source] if isinstance(source, str) else list(source.values())
        assert all(notes), name
        if table != "clusters":
            kinds = ("spec", "measured", "fitted", "assumed")
            assert all(note.startswith(kinds) for note in notes), name


def test_a_layered_graph_of_benchmark_size() -> None:
    graph = library.layered(1000)
    assert len(graph) == 1000
    assert len(graph.edges) == pytest.approx(2000, rel=0.05)
    assert np.median(graph.flops) == pytest.approx(1e9, rel=0.2)
    assert not graph.measured_on
    assert library.layered(1000).to_json() == graph.to_json()
    assert library.layered(1000, seed=1).to_json() != graph.to_json()


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 60), st.floats(0, 1), st.integers(0, 2**32))
def test_layered_graphs_of_any_size(nodes: int, density: float, seed: int) -> None:
    graph = library.layered(nodes, density * nodes, seed)
    assert len(graph) == nodes
    assert len(graph.edges) <= nodes * (nodes - 1) // 2
    assert (graph.edges[:, 0] < graph.edges[:, 1]).all()
    assert OpGraph.from_json(graph.to_json()).to_json() == graph.to_json()


@pytest.mark.parametrize(("nodes", "edges"), [(0, 0.0), (-1, 0.0), (3, -1.0), (3, 4.0)])
def test_layered_graphs_that_cannot_be(nodes: int, edges: float) -> None:
    with pytest.raises(InputError, match="layered graph"):
        library.layered(nodes, edges)
