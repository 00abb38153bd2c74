"""The report on web agents."""

import json

import pytest
from typer import Typer
from typer.testing import CliRunner

from experiments.web import report as web_report
from experiments.web.report import Job, Result, report, rows


def job(agent, training_seed):
    return Job("WoB-Tabs-v0", agent, training_seed, 2, {"split": "test"}, "twin")


def test_rows_bring_training_seeds_together():
    found = [Result([True, True], [1, 1], 0), Result([True, False], [1, 0.5], 1)]
    learned, other = rows(
        [job("pretrained", 0), job("pretrained", 1), job("random", 0)],
        [
            *found,
            Result([False, False], [0, 0], 0),
        ],
    )
    assert learned.success == 0.75
    assert learned.seeds == [1, 0.5]
    assert learned.low <= 0.75 <= learned.high
    assert (learned.agreement, learned.episodes, learned.lost) == (0.875, 4, 1)
    assert (other.success, other.low, other.high) == (0, 0, 0)


def test_every_training_seed_is_judged_on_held_out_instructions():
    wanted = list(web_report.jobs(4, 2, "shell"))
    for env_id in ("WoB-United-v0", "WoB-Generic-v0", "WoB-Meridian-v0", *web_report.SMALL):
        seeds = {
            each.training_seed
            for each in wanted
            if each.env_id == env_id and each.agent == "pretrained"
        }
        assert seeds == set(range(5))
    assert {each.options["split"] for each in wanted} == {"test", "unseen-pair"}
    assert sum(each.agent == "pixels" for each in wanted) == 5


def test_the_report_judges_in_a_browser(tmp_path, monkeypatch):
    monkeypatch.setattr(web_report, "SMALL", ("WoB-Tabs-v0",))
    app = Typer()
    app.command()(report)
    arguments = ["--task-episodes", "2", "--only", "Tabs", "--workers", "1", "-o", str(tmp_path)]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    (row,) = json.loads((tmp_path / "report.json").read_text())["rows"]
    assert row["agent"] == "pretrained"
    assert row["episodes"] == 10
    assert row["lost"] == 0
    assert "Small tasks" in (tmp_path / "report.html").read_text()


def test_unknown_backends_are_refused():
    with pytest.raises(Exception, match="backend"):
        web_report.judge(Job("WoB-Tabs-v0", "random", 0, 1, {"split": "test"}, "none"))
