"""Reports of runs, sweeps and results, and the page they are written to."""

import json

import numpy as np
import pytest
import typer
from matplotlib.figure import Figure
from typer.testing import CliRunner

from experiments import report
from experiments.evaluate import evaluate
from experiments.page import Picture, Section, Table, render
from experiments.report_results import normalised_scores, result_sections
from experiments.report_runs import sweep_sections
from experiments.train import configure, train
from hardware_sim.errors import InputError

APP = typer.Typer()
APP.command()(report.command)
BERT = "envs:DevicePlacement-BERT24-v0"
INCEPTION = "envs:DevicePlacement-InceptionV3-V100-v0"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "short"
    return train(configure(BERT, steps=8_000), folder, quiet=True)


@pytest.fixture(scope="module")
def results():
    return [
        evaluate(env_id, agent, seeds=[0, 1, 2], episodes=1)
        for env_id in (BERT, INCEPTION)
        for agent in ("heft", "random")
    ]


@pytest.fixture
def sweep_folder(tmp_path):
    trials = [
        {
            "trial": i,
            "hyperparameters": {"learning_rate": 10.0 ** -(i + 2), "epochs": 2 * i + 2},
            "status": "finished",
            "step": 1000,
            "mean_reward": -1.0 - i,
            "best_score": 0.4 + i,
            "run": f"trials/{i:03}",
        }
        for i in range(3)
    ]
    result = {
        "format": 1,
        "env_id": BERT,
        "engine": "sb3",
        "algo": "ppo",
        "steps": 1000,
        "search_space": {
            "learning_rate": {"kind": "loguniform", "low": 1e-4, "high": 1e-2},
            "epochs": {"kind": "choice", "values": [2, 4, 6]},
        },
        "best": 0,
        "trials": trials,
    }
    (tmp_path / "result.json").write_text(json.dumps(result))
    return tmp_path


def call(*arguments):
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


def test_a_page_is_one_file_that_asks_for_nothing(tmp_path):
    figure = Figure()
    figure.subplots().plot([0, 1])
    table = Table(["name", "value"], [["<b>", "1"]], "a caption", frozenset({0}))
    section = Section("Part", "One.\n\nTwo.", table, (Picture(figure, "a line"),))
    page = render("Title & more", [section], tmp_path / "page.html").read_text()
    assert "Title &amp; more" in page
    assert "&lt;b&gt;" in page
    assert page.count("<p>") == 2
    assert "http:" not in page.replace("http://www.w3.org", "")
    assert "https:" not in page
    assert "data:image/png;base64," in page


def test_a_run_is_shown_with_its_curve_and_its_best_episode(run, tmp_path):
    output = tmp_path / "run.html"
    assert call(run.folder, "-o", output).exit_code == 0
    page = output.read_text()
    assert "short: best episode" in page
    assert page.count("data:image/png") == 2


def test_several_agents_are_compared(results):
    sections = result_sections(results)
    titles = [section.title for section in sections]
    assert titles == ["Over all environments", BERT, INCEPTION]
    overall = sections[0].table
    assert [row[0] for row in overall.rows] == ["heft", "random"]
    scores = normalised_scores(results)
    assert scores["heft"].shape == (3, 2)
    assert scores["heft"].mean() > scores["random"].mean()
    assert all(len(section.figures) == 2 for section in sections[1:])


def test_agents_that_missed_an_environment_are_left_out_of_the_aggregate(results):
    assert set(normalised_scores(results[:3])) == {"heft"}


def test_a_sweep_is_shown_with_its_picture(sweep_folder, tmp_path):
    (section,) = sweep_sections(sweep_folder)
    assert section.table.marked == {0}
    assert [row[0] for row in section.table.rows] == ["0", "1", "2"]
    output = tmp_path / "sweep.html"
    assert call(sweep_folder, "-o", output).exit_code == 0
    assert output.read_text().count("data:image/png") == 1


@pytest.mark.browser
def test_results_are_read_in_a_browser(results, tmp_path, chromium):
    paths = []
    for number, result in enumerate(results):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(result))
        paths.append(path)
    output = tmp_path / "results.html"
    assert call(*paths, "-o", output).exit_code == 0
    chromium.get(output.as_uri())
    headings = [h.text for h in chromium.find_elements("css selector", "h2")]
    assert headings == ["Over all environments", BERT, INCEPTION]
    cells = [c.text for c in chromium.find_elements("css selector", "table:first-of-type td")]
    assert cells
    sizes = [i.size["width"] for i in chromium.find_elements("css selector", "figure img")]
    assert np.min(sizes) > 200


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot read"), ("not json", "cannot read"), ('{"a": 1}', "no result file")],
)
def test_sources_that_are_nothing_are_named(tmp_path, content, message):
    path = tmp_path / "thing.json"
    if content is not None:
        path.write_text(content)
    outcome = call(path, "-o", tmp_path / "out.html")
    assert isinstance(outcome.exception, InputError)
    assert message in str(outcome.exception)
    assert not (tmp_path / "out.html").exists()


def test_an_empty_folder_is_named(tmp_path):
    outcome = call(tmp_path, "-o", tmp_path / "out.html")
    assert isinstance(outcome.exception, InputError)
    assert "neither a run" in str(outcome.exception)


def test_an_environment_that_cannot_draw_here_is_shown_without_a_picture():
    result = evaluate("CartPole-v1", "random", seeds=[0, 1], episodes=1)
    (section,) = result_sections([result])
    assert [row[0] for row in section.table.rows] == ["random"]
    assert 1 <= len(section.figures) <= 2
