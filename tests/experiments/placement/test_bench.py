"""The placement bench: its rows and their units; its figures are not judged here."""

import json

from experiments.placement import bench


def test_simulator_rows_describe_the_runs() -> None:
    rows = bench.simulator_rows(60, 8, repeats=1)
    assert [row["placement"] for row in rows] == ["random", "contiguous"]
    for row in rows:
        assert row["nodes"] == 60
        assert row["edges"] > 60
        assert row["devices"] == 4
        per_item = 1e9 / row["one_core_per_s"] / (row["nodes"] + row["edges"])
        assert abs(row["ns_per_node_and_edge"] / per_item - 1) < 1e-9
        ratio = row["one_core_per_s"] / row["reference_per_s"]
        assert abs(row["ratio_to_reference"] / ratio - 1) < 1e-9
    assert rows[0]["edges_cut"] > rows[1]["edges_cut"]
    json.dumps(rows)
