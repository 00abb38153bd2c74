"""The report on web agents."""

import json

import pytest
from typer import Typer
from typer.testing import CliRunner

from experiments.web_report import interval, report


@pytest.mark.parametrize(
    ("successes", "episodes", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_intervals_are_wilsons(successes, episodes, low, high):
    assert interval(successes, episodes) == pytest.approx((low, high), abs=5e-4)


def test_the_report_judges_in_a_browser(tmp_path):
    app = Typer()
    app.command()(report)
    path = tmp_path / "report.json"
    arguments = ["--agents", "expert,random", "--episodes", "2", "--only", "Tabs", "-o", str(path)]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    rows = json.loads(path.read_text())["results"]["WoB-Tabs-v0"]
    assert rows["expert"]["success"] == 1
    assert rows["expert"]["lost"] == 0
    assert rows["random"]["success"] < 1
