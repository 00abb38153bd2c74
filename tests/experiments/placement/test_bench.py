"""The benchmark measures what it says; its figures are not judged here."""

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


def test_environment_rows_cover_single_loop_and_native() -> None:
    rows = bench.environment_rows(128)
    assert [row["environment"] for row in rows] == [
        "one environment",
        "64 in a loop",
        "64 native",
    ]
    assert all(row["steps_per_s"] > 0 for row in rows)


def test_best_seconds_is_the_least_of_the_runs() -> None:
    ticks = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])
    assert bench.best_seconds(lambda: None, lambda: next(ticks), 3) == 2.0


def test_hardware_names_the_cores() -> None:
    assert bench.hardware().endswith("cores")
