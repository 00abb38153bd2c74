"""Reports of runs, sweeps and results."""

import base64
import json
import re
import shutil
from copy import deepcopy

import gymnasium as gym
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from agents.runs import Run
from envs.registration import normalised
from experiments import benchmark, report
from experiments.evaluate import evaluate
from experiments.report_results import judge, normalised_scores, result_sections
from experiments.report_runs import run_names, run_sections, sweep_sections
from experiments.report_sources import read_sources
from experiments.results import aggregate_of, digest
from experiments.seeds import Seeds
from experiments.statistics import iqm
from experiments.train import configure, train
from hardware_sim.errors import InputError

APP = typer.Typer()
APP.command("report")(report.command)
APP.command("benchmark")(benchmark.command)
BERT = "envs:DevicePlacement-BERT24-v0"
INCEPTION = "envs:DevicePlacement-InceptionV3-V100-v0"
TITLES = ["DevicePlacement-BERT24-v0", "DevicePlacement-InceptionV3-V100-v0"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs that differ in their seed alone, each with a result."""
    folder = tmp_path_factory.mktemp("runs")
    found = [
        train(configure(BERT, steps=8_000, seed=seed), folder / f"short-{seed}", quiet=True)
        for seed in range(2)
    ]
    for run in found:
        run.save_result(evaluate(BERT, str(run.folder), Seeds((0, 1))))
    return found


@pytest.fixture(scope="module")
def played():
    return [
        evaluate(env_id, agent, Seeds((0, 1, 2)))
        for env_id in (BERT, INCEPTION)
        for agent in ("heft", "random")
    ]


@pytest.fixture
def results(played):
    return deepcopy(played)


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
    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def call(*arguments):
    return CliRunner().invoke(APP, ["report", *(str(argument) for argument in arguments)])


def write(folder, results):
    paths = []
    for number, result in enumerate(results):
        path = folder / f"{number}.json"
        path.write_text(json.dumps(result))
        paths.append(path)
    return paths


def drawings(page):
    """The SVG figures of a page, as text."""
    return [
        base64.b64decode(data).decode()
        for data in re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", page)
    ]


def column(table, name):
    place = list(table.columns).index(name)
    return [row[place] for row in table.rows]


# Results -----------------------------------------------------------------------------------


def test_several_agents_are_compared(results):
    sections = result_sections(results)
    assert [section.title for section in sections] == ["Over all environments", *TITLES]
    overall = sections[0].table
    assert column(overall, "agent") == ["heft", "random"]
    scores = normalised_scores(judge(results))
    assert scores["heft"].shape == (3, 2)
    assert column(overall, "IQM") == [f"{iqm(scores[agent]):.3f}" for agent in ("heft", "random")]
    assert column(overall, "beats next")[1] == ""
    assert int(column(overall, "beats next")[0].rstrip("%")) > 50
    assert all(len(section.figures) == 2 for section in sections[1:])


def test_agents_stand_among_the_reference_scores_best_first(results):
    table = result_sections(results)[1].table
    names, scores = column(table, "agent"), [float(row[1]) for row in table.rows]
    assert scores == sorted(scores)
    assert names[0] == "(bound)"
    assert table.muted == {i for i, name in enumerate(names) if name.startswith("(")}
    assert {"heft", "random", "(reference)"} <= set(names)
    sources = dict(zip(names, column(table, "played, or source"), strict=True))
    assert sources["heft"] == "3 custom seeds, not comparable; not replayed"
    assert "lower bound" in sources["(bound)"]


def test_kinds_are_shown_and_oracles_stand_last(results):
    seeds = Seeds((0, 1), options={"split": "test"})
    found = [
        evaluate("AdaptiveSoftmax-v0", agent, seeds, in_process=True)
        for agent in ("oracle", "guess")
    ]
    overall, section = result_sections(found)
    assert column(overall.table, "agent") == ["guess", "oracle"]
    assert column(overall.table, "kind") == ["planner", "oracle"]
    kinds = dict(zip(column(section.table, "agent"), column(section.table, "kind"), strict=True))
    assert (kinds["guess"], kinds["oracle"], kinds["(bound)"]) == ("planner", "oracle", "")
    assert list(kinds)[-1] == "oracle"
    older = {key: value for key, value in found[1].items() if key != "kind"}
    assert "kind" not in result_sections([older])[1].table.columns


def test_agents_that_missed_an_environment_are_left_out_of_the_aggregate(results):
    assert set(normalised_scores(judge(results[:3]))) == {"heft"}
    assert "Left out, for they did not play all of them: random." in (
        result_sections(results[:3])[0].table.caption
    )


def test_no_agent_costs_another_its_episodes(results):
    results[0] = evaluate(BERT, "heft", Seeds((0,)))
    scores = normalised_scores(judge(results))
    assert scores["heft"].shape == (1, 2)
    assert scores["random"].shape == (3, 2)


def test_episodes_without_a_scale_are_left_out_and_counted():
    settings = {"batch": 1, "price": 0.4}
    scaled, without = (
        evaluate("CompactFeature-v0", "greedy", Seeds((0,), options={**settings, "budget": share}))
        for share in (1.0, 0.25)
    )
    both = {**scaled, "seeds": Seeds((0, 1)).to_json()}
    both["episodes"] = [*scaled["episodes"], *without["episodes"]]
    both["aggregate"] = aggregate_of(both)
    (problem,) = (episode["problem"] for episode in scaled["episodes"])
    value = normalised("CompactFeature-v0", scaled["episodes"][0]["score"], problem)
    assert problem == "batch 1, price 0.4, budget 1"
    assert (both["aggregate"]["normalised_iqm"], both["aggregate"]["left_out"]) == (value, 1)
    section = result_sections([both])[-1]
    (said,) = (row[-1] for row in section.table.rows if row[0] == "greedy")
    assert said.endswith("not replayed; episodes not normalised: 1")


def test_another_task_is_not_normalised():
    result = evaluate(BERT, "heft", Seeds((0,)), env_kwargs={"cluster": "4xv100_nvlink"})
    (section,) = result_sections([result])
    assert list(section.table.columns) == [
        "agent", "score\N{NO-BREAK SPACE}(s)", "success", "kind", "played, or source",
    ]  # fmt: skip
    assert len(section.table.rows) == 1


def test_what_an_environment_does_not_know_is_not_claimed():
    result = evaluate("CartPole-v1", "random", Seeds((0, 1)))
    (section,) = result_sections([result])
    columns = ["agent", "return", "95 % interval", "kind", "played, or source"]
    assert list(section.table.columns) == columns
    assert column(section.table, "agent") == ["random"]
    assert "higher is better" in section.figures[0].caption
    assert 1 <= len(section.figures) <= 2  # drawn where pygame is installed


def test_a_benchmarks_folder_is_reported(tmp_path):
    suite = [f"{BERT},{INCEPTION}", "--agents", "heft,random", "--run-dir", str(tmp_path / "b")]
    assert CliRunner().invoke(APP, ["benchmark", *suite, "--seeds", "2", "--quiet"]).exit_code == 0
    assert call(tmp_path / "b", "-o", tmp_path / "out.html").exit_code == 0
    cells = re.findall(r"<t[hd] [^>]*>([^<]*)</t[hd]>", (tmp_path / "out.html").read_text())
    made = re.findall(r"<t[hd] [^>]*>([^<]*)</t[hd]>", (tmp_path / "b/report.html").read_text())
    assert sorted(cells) == sorted(cell.replace("just played", "1 of 2 replayed") for cell in made)


@pytest.mark.browser
def test_results_are_read_in_a_browser(results, tmp_path, chromium):
    output = tmp_path / "results.html"
    assert call(*write(tmp_path, results), "-o", output).exit_code == 0
    chromium.get(output.as_uri())
    headings = [h.text for h in chromium.find_elements("css selector", "h2")]
    assert headings == ["Over all environments", *TITLES]
    table = chromium.find_element("css selector", "section:nth-of-type(2) table")
    rows = [
        [cell.text for cell in row.find_elements("css selector", "th, td")]
        for row in table.find_elements("css selector", "tbody tr")
    ]
    shown = {row[0]: row for row in rows}
    score = iqm([episode["score"] for episode in results[0]["episodes"]])
    assert float(shown["heft"][1]) == pytest.approx(score, rel=1e-3)
    assert float(shown["heft"][3]) == pytest.approx(
        normalised(BERT, score, "msr_bert24_training"), abs=1e-3
    )
    number = table.find_element("css selector", "tbody td")
    assert number.value_of_css_property("text-align") == "right"
    pictures = chromium.find_elements("css selector", "figure img")
    assert len(pictures) == 5
    assert np.min([picture.get_property("naturalWidth") for picture in pictures]) > 200
    assert chromium.get_log("browser") == []


@pytest.mark.browser
def test_a_narrow_page_does_not_scroll_sideways(results, tmp_path, chromium):
    output = tmp_path / "results.html"
    assert call(*write(tmp_path, results), "-o", output).exit_code == 0
    size = chromium.get_window_size()
    try:
        chromium.set_window_size(520, 900)
        chromium.get(output.as_uri())
        script = "return document.documentElement.scrollWidth <= window.innerWidth"
        assert chromium.execute_script(script)
    finally:
        chromium.set_window_size(size["width"], size["height"])


# Runs and sweeps ---------------------------------------------------------------------------


def test_a_run_is_shown_with_its_curve_and_its_best_episode(runs, tmp_path):
    output = tmp_path / "run.html"
    assert call(runs[0].folder, "-o", output).exit_code == 0
    page = output.read_text()
    assert "short-0: best episode" in page
    assert any("short-0, best so far" in drawing for drawing in drawings(page))


def test_runs_that_differ_in_their_seed_are_one_agent(runs, tmp_path):
    output = tmp_path / "runs.html"
    assert call(*(run.folder for run in runs), "-o", output).exit_code == 0
    page = output.read_text()
    assert "2 runs, each 2 custom seeds, not comparable; 1 of 2 replayed" in page
    assert any("ppo (sb3), mean of 2 runs" in drawing for drawing in drawings(page))
    found = read_sources(run.folder for run in runs)
    assert found.agents == ["ppo (sb3)"] * 2
    (judged,) = judge(found.results, found.agents)
    expected = [iqm([e["score"] for e in run.result()["episodes"]]) for run in runs]
    assert judged.scores.tolist() == expected


def test_only_runs_of_one_training_share_a_name(runs, tmp_path):
    again = Run(shutil.copytree(runs[0].folder, tmp_path / "again"))
    assert run_names([runs[0], again]) == ["short-0", "again"]  # one seed twice is no sample
    other = Run(shutil.copytree(runs[1].folder, tmp_path / "other"))
    other.update_config({"hyperparameters": {"learning_rate": 0.1}})
    assert run_names([runs[0], other]) == ["short-0", "other"]
    again.update_config({"seed": 7, "hyperparameters": {"learning_rate": 0.1}})
    expected = ["ppo (sb3)", "ppo (sb3)", "ppo (sb3), settings 2", "ppo (sb3), settings 2"]
    assert run_names([*runs, again, other]) == expected


def test_a_run_without_an_episode_is_reported(runs, tmp_path):
    folder = shutil.copytree(runs[0].folder, tmp_path / "young")
    (folder / "metrics.csv").write_text("step,seconds\n")
    (folder / "best.json").unlink()
    (_, learning) = run_sections([Run(folder)])
    assert learning.text == "No run has finished an episode yet."


def test_a_sweep_is_shown_with_its_picture(sweep_folder, tmp_path):
    result = json.loads((sweep_folder / "result.json").read_text())
    (section,) = sweep_sections("sweep", result)
    assert section.table.marked == {0}
    assert column(section.table, "trial") == ["0", "1", "2"]
    output = tmp_path / "sweep.html"
    assert call(sweep_folder, "-o", output).exit_code == 0
    assert len(drawings(output.read_text())) == 1


# Sources -----------------------------------------------------------------------------------


def test_a_result_that_does_not_replay_is_not_published(results, tmp_path):
    results[0]["episodes"][0]["score"] = 1e-9
    results[0]["aggregate"] = aggregate_of(results[0])
    results[0]["digest"] = digest(results[0])
    (path,) = write(tmp_path, results[:1])
    outcome = call(path, "-o", tmp_path / "out.html", "--replay", "all")
    assert "does not hold: episode 0 of seed 0 has score 1e-09" in str(outcome.exception)
    assert not (tmp_path / "out.html").exists()
    assert call(path, "-o", tmp_path / "out.html", "--replay", "none").exit_code == 0
    assert "not replayed" in (tmp_path / "out.html").read_text()


def test_folders_are_looked_through_and_what_is_there_twice_counts_once(
    runs, results, sweep_folder, tmp_path
):
    shutil.copytree(runs[0].folder, tmp_path / "trained" / "short-0")
    paths = write(tmp_path, results)
    shutil.copy(paths[0], tmp_path / "copy.json")
    (tmp_path / "notes.json").write_text('{"episodes": 3}')
    found = read_sources([tmp_path, sweep_folder, paths[0]])
    assert [run.folder.name for run in found.runs] == ["short-0"]
    assert len(found.results) == 5
    assert {path.name for path in found.sweeps} == {"sweep"}


def test_contradictory_results_are_refused(results, tmp_path):
    paths = write(tmp_path, [results[0], evaluate(BERT, "heft", Seeds((7,)))])
    with pytest.raises(InputError, match=r"0\.json and .*1\.json are different results of heft"):
        read_sources(paths)


def reseal(change):
    def careful(result):
        change(result)
        result["digest"] = digest(result)

    return careful


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["episodes"][0].update(score=0.0), "was changed"),
        (lambda r: r["episodes"][0].pop("actions"), "has no 'actions'"),
        (lambda r: r.update(episodes=[]), "holds no episodes"),
        (reseal(lambda r: r.update(env_id="Nothing-v0")), "unknown environment"),
        (reseal(lambda r: r.update(env_kwargs={"colour": 1})), "unknown argument"),
        (reseal(lambda r: r["episodes"][0]["actions"].insert(0, 99)), "action 99"),
    ],
)
def test_results_that_do_not_hold_are_one_clear_error(results, change, message, tmp_path):
    change(results[0])
    outcome = call(*write(tmp_path, results[:1]), "-o", tmp_path / "out.html")
    assert isinstance(outcome.exception, InputError)
    assert message in str(outcome.exception)
    assert not (tmp_path / "out.html").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), ("not json", "not readable JSON"), ('{"a": 1}', "no result file")],
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


def test_an_environment_that_cannot_draw_here_is_shown_without_a_picture(monkeypatch):
    def render(self):
        raise gym.error.DependencyNotInstalled("a library is not installed")

    result = evaluate(BERT, "heft", Seeds((0,)))
    monkeypatch.setattr(gym.make(BERT).unwrapped.__class__, "render", render)
    sections = result_sections([result])
    assert [len(section.figures) for section in sections] == [1, 1]
