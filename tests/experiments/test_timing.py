"""Timing that benches share: what it counts and how often; its figures are not judged here."""

from experiments import timing


def test_environment_rows_cover_single_loop_and_native() -> None:
    rows = timing.environment_rows(128, "envs:DevicePlacement-InceptionV3-v0")
    assert [row["environment"] for row in rows] == [
        "one environment",
        "64 in a loop",
        "64 native",
    ]
    assert all(row["steps_per_s"] > 0 for row in rows)


def test_best_seconds_is_the_least_of_the_runs() -> None:
    ticks = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])
    assert timing.best_seconds(lambda: None, lambda: next(ticks), 3) == 2.0


def test_hardware_names_the_cores() -> None:
    assert timing.hardware().endswith("cores")
