"""Digests differ where trajectories do, and files of them are compared within a tolerance."""

import gymnasium as gym
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from experiments import digests

ID = "CompactFeature-v0"


def command() -> typer.Typer:
    app = typer.Typer()
    app.command()(digests.main)
    return app


def test_two_plays_of_an_id_have_one_digest_and_settings_change_it() -> None:
    found = dict(digests.play(ID, 2, browser=False))
    assert list(found) == ["single", "vector"]
    again = dict(digests.play(ID, 2, browser=False))
    assert [digests.digest(c) for c in found.values()] == [
        digests.digest(c) for c in again.values()
    ]
    other = digests.single(gym.make(f"envs:{ID}", prices=[0.3]), 2)
    assert digests.digest(other) != digests.digest(found["single"])


def test_everything_returned_is_in_the_columns() -> None:
    found = dict(digests.play(ID, 2, browser=False))
    single, vector = found["single"], found["vector"]
    ended = single["info/is_success bool @"]
    assert len(ended) == 2
    assert len(single["step/reward float"]) == ended[-1] - 1  # without the two resets
    assert single["observation/context float32[4]"].shape == (ended[-1] + 1, 4)
    keys = single["info keys"]
    assert keys[0] == "batch\nprice\nbudget"
    assert keys[-1].startswith("reward\nscore\n")
    assert {f"{i}/info/kept int64[5]" for i in range(digests.ROWS)} <= set(vector)
    assert vector["step/reward float64[3]"].shape[1:] == (digests.ROWS,)


def test_odd_episodes_take_illegal_actions_too() -> None:
    rewards = digests.single(gym.make(f"envs:{ID}", budgets=[0.07]), 8)["info/reward/illegal float"]
    assert 0 < np.count_nonzero(rewards) <= 4


def test_a_negative_zero_is_a_zero() -> None:
    left, right = {"a": np.array([0.0, 1.0])}, {"a": np.array([-0.0, 1.0])}
    assert digests.digest(left) == digests.digest(right)
    assert digests.digest(left) != digests.digest({"a": np.array([0.0, 2.0])})
    assert digests.digest(left) != digests.digest({"b": np.array([0.0, 1.0])})


@pytest.mark.parametrize(
    ("other", "lines"),
    [
        ({"a": np.array([1.0, np.nan]), "b": np.array(["x"])}, []),
        ({"a": np.array([1.0, 2.0]), "b": np.array(["x"])}, ["a: differ"]),
        ({"a": np.array([1.5, np.nan]), "b": np.array(["x"])}, ["a: differ by up to 0.5"]),
        ({"a": np.array([1.0]), "b": np.array(["x"])}, ["a: (2,) against (1,)"]),
        ({"a": np.array([1.0, np.nan]), "b": np.array(["y"])}, ["b: 1 values differ"]),
        ({"a": np.array([1.0, np.nan])}, ["b: only in the first"]),
    ],
)
def test_differences_name_the_column(other: digests.Columns, lines: list[str]) -> None:
    mine = {"a": np.array([1.0, np.nan]), "b": np.array(["x"])}
    found = digests.differences(mine, other, 1e-3)
    assert len(found) == len(lines)
    assert all(line.startswith(start) for line, start in zip(found, lines, strict=True))


def test_files_are_written_and_compared_within_a_tolerance(tmp_path) -> None:
    run, app = CliRunner().invoke, command()
    first, second = str(tmp_path / "first.npz"), tmp_path / "second.npz"
    shown = run(app, [ID, "--episodes", "1", "--write", first])
    assert [line.split()[1:] for line in shown.output.splitlines()] == [
        ["single", ID],
        ["vector", ID],
    ]
    with np.load(first) as file:
        columns = dict(file)
    columns[f"{ID} single step/reward float"] += 1e-6
    np.savez(second, **columns)
    compared = ["--compare", first, str(second)]
    assert run(app, [*compared, "--tolerance", "1e-5"]).exit_code == 0
    strict = run(app, compared)
    assert strict.exit_code == 1
    assert strict.output.startswith(f"{ID} single step/reward float: differ by up to 1e-06")
    assert run(app, [*compared[:2], str(tmp_path / "none.npz")]).exit_code != 0
