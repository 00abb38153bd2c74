"""The demo, end to end with little training: its table, run folder and report."""

import json

import gymnasium as gym
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from experiments.placement import demo
from experiments.verify import verify
from hardware_sim import reference

APP = typer.Typer()
APP.command()(demo.command)
METHODS = {
    "one device",
    "round robin",
    "published expert",
    "HEFT",
    "ETF",
    "min-cut",
    "simulated annealing",
    "random search",
    "PPO, trained policy",
    "PPO, best found",
    "proven lower bound",
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "run"
    arguments = ["--steps", "8000", "--run-dir", str(folder)]
    result = CliRunner().invoke(APP, arguments)
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_the_table_has_every_method_and_the_bound_holds(outcome):
    folder, output = outcome
    rows = json.loads((folder / "comparison.json").read_text())["rows"]
    assert {row["name"] for row in rows} == METHODS
    bound = next(row["makespan_s"] for row in rows if row["name"] == "proven lower bound")
    assert all(row["makespan_s"] >= bound for row in rows)
    assert "PPO beats" in output


def test_every_step_time_is_the_reference_simulators(outcome):
    folder, _ = outcome
    problem = gym.make(demo.ENV_ID).unwrapped.core.graphs[0].problem
    for row in json.loads((folder / "comparison.json").read_text())["rows"]:
        if row["placement"] is not None:
            judged = reference.simulate(problem, np.array(row["placement"]))
            assert row["makespan_s"] == judged.makespan_s
            assert row["peak_bytes"] == judged.peak_bytes.tolist()


def test_searches_and_training_spend_the_same_simulations(outcome):
    folder, _ = outcome
    rows = json.loads((folder / "comparison.json").read_text())["rows"]
    searching = ("PPO", "simulated", "random")
    spent = {row["evaluations"] for row in rows if row["name"].startswith(searching)}
    assert spent == {64}


def test_the_runs_result_is_the_trained_policys_and_verifies(outcome):
    folder, _ = outcome
    rows = json.loads((folder / "comparison.json").read_text())["rows"]
    policy = next(row for row in rows if row["name"] == "PPO, trained policy")
    result = json.loads((folder / "result.json").read_text())
    assert {episode["score"] for episode in result["episodes"]} == {policy["makespan_s"]}
    assert verify(folder / "result.json").differences == []


@pytest.mark.browser
def test_the_report_shows_the_table_in_a_browser(outcome, chromium):
    folder, _ = outcome
    chromium.get((folder / "report.html").as_uri())
    table = chromium.find_element("css selector", "table")
    lines = [
        [cell.text for cell in line.find_elements("css selector", "th, td")]
        for line in table.find_elements("css selector", "tr")
    ]
    rows = json.loads((folder / "comparison.json").read_text())["rows"]
    shown = {line[0]: line[2] for line in lines[1:]}
    assert shown == {row["name"]: f"{row['makespan_s'] * 1e3:.1f}" for row in rows}
    pictures = chromium.find_elements("css selector", "figure img, figure svg")
    assert len(pictures) >= 2
    assert all(picture.size["width"] > 200 for picture in pictures)
