"""The benchmark verb: suites, intervals, resuming, and what it refuses before playing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from envs.registration import CURRENT, normalised
from experiments import benchmark as verb
from experiments.benchmark import Benchmark, file_name, parse_suite, seeds_of, summary_table
from experiments.evaluate import evaluate
from experiments.results import digest, read_result
from experiments.seeds import named
from experiments.statistics import iqm, stratified_bootstrap
from experiments.verify import verify
from hardware_sim.errors import InputError
from hardware_sim.files import write_json

BERT = "DevicePlacement-BERT24-v0"
V100 = "DevicePlacement-InceptionV3-V100-v0"

app = typer.Typer()
app.command()(verb.command)


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_agents_are_compared_over_environments(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    suite = f"{V100},{BERT}"  # the report has them in the order of their names
    done = invoke(suite, "--agents", "random,heft", "--run-dir", str(folder), "--episodes", "2")
    assert done.exit_code == 0, done.output
    rows = [line for line in done.output.splitlines() if "random" in line or "heft" in line]
    assert "heft" in rows[0]  # best first
    assert "none: all alike" in rows[0]  # it decides nothing by chance
    assert "random" in rows[1]
    files = sorted((folder / "results").iterdir())
    assert len(files) == 4
    assert all(verify(path).differences == [] for path in files)
    results = [read_result(path) for path in files]
    assert {len(result["episodes"]) for result in results} == {10}
    summary = json.loads((folder / "summary.json").read_text())
    assert {len(asked["seeds"]) for asked in summary["seeds"].values()} == {5}
    scores = np.array(
        [
            [normalised(env_id, e["score"], e["problem"]) for e in result["episodes"]]
            for env_id in (f"envs:{BERT}", f"envs:{V100}")
            for result in results
            if (result["agent"], result["env_id"]) == ("random", env_id)
        ]
    ).T
    low, high = stratified_bootstrap(scores)
    assert summary["agents"]["random"]["normalised"] == {
        "iqm": iqm(scores),
        "low": low,
        "high": high,
        "left_out": 0,
    }
    assert low < iqm(scores) < high
    page = (folder / "report.html").read_text()
    assert "heft" in page
    assert f"{low:.3f} to {high:.3f}" in rows[1]
    assert f"{low:.3f} to {high:.3f}" in page
    assert BERT in page


def test_resuming_plays_only_what_is_missing(tmp_path: Path) -> None:
    first = Benchmark(BERT, ["random", "heft", "etf"], tmp_path / "runs")
    steps = first.run()
    next(steps)
    next(steps)  # and then it is killed
    files = sorted((tmp_path / "runs" / "results").iterdir())
    assert len(files) == 2
    before = [path.stat().st_mtime_ns for path in files]
    with pytest.raises(InputError, match="--resume continues it"):
        Benchmark(BERT, ["random", "heft", "etf"], tmp_path / "runs")
    again = Benchmark(BERT, ["random", "heft", "etf"], tmp_path / "runs", resume=True)
    assert len(again.done) == 2
    assert len(list(again.run())) == 3
    assert [path.stat().st_mtime_ns for path in files] == before
    whole = Benchmark(BERT, ["random", "heft", "etf"], tmp_path / "whole")
    list(whole.run())
    assert again.summary() == whole.summary()
    assert again.checks() == ["1 of 5 replayed", "1 of 5 replayed", "just played"]
    assert [r["episodes"] for r in again.results()] == [r["episodes"] for r in whole.results()]


def test_resuming_with_other_settings_is_refused(tmp_path: Path) -> None:
    list(Benchmark(BERT, ["heft"], tmp_path / "runs").run())
    with pytest.raises(InputError, match="5 seeds and 5 episodes in all; this asks for 6 and 6"):
        Benchmark(BERT, ["heft"], tmp_path / "runs", seeds=6, resume=True)
    with pytest.raises(InputError, match="asks for 5 and 10"):
        Benchmark(BERT, ["heft"], tmp_path / "runs", episodes=2, resume=True)
    (path,) = (tmp_path / "runs" / "results").iterdir()
    result = read_result(path)
    result["episodes"][0]["score"] = 0.0
    write_json(path, result)
    with pytest.raises(InputError, match="its digest is not"):
        Benchmark(BERT, ["heft"], tmp_path / "runs", resume=True)
    older = {key: value for key, value in result.items() if key not in ("seeds", "kind")}
    older["format"] = 1
    write_json(path, {**older, "digest": digest(older)})
    with pytest.raises(InputError, match="is of an older format"):
        Benchmark(BERT, ["heft"], tmp_path / "runs", resume=True)


def test_a_split_and_arguments_are_stored_in_each_result(tmp_path: Path) -> None:
    folder, suite = tmp_path / "runs", "AdaptiveSoftmax-v0"
    given = (suite, "--agents", "random", "--seeds", "2", "--split", "train", "--env")
    done = invoke(*given, "loss_price=2", "--run-dir", str(folder))
    assert done.exit_code == 0, done.output
    assert "episodes: 2 seeds of a task of its own, not comparable" in done.output
    (path,) = (folder / "results").iterdir()
    result = read_result(path)
    assert result["seeds"]["options"] == {"split": "train"}
    assert result["env_kwargs"] == {"loss_price": 2}
    assert verify(path).differences == []
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["env_kwargs"] == {"loss_price": 2}
    for options, env_kwargs, message in (
        ({}, {"loss_price": 2}, "made with the options {'split': 'train'}; this asks for"),
        ({"split": "train"}, {}, "made with the arguments {'loss_price': 2}; this asks for {}"),
    ):
        settings = {"env_kwargs": env_kwargs, "options": options}
        with pytest.raises(InputError, match=message):
            Benchmark(suite, ["random"], folder, 2, resume=True, **settings)
    official = seeds_of(suite, 5, options={"split": "test"})
    assert official == named(suite, "test")
    assert seeds_of(suite, 5, options={"split": "train"}).name is None


def test_an_interrupted_benchmark_says_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path / "runs")

    def interrupt(env_id: str, agent: str, *more: Any) -> Any:
        if agent == "etf":
            raise KeyboardInterrupt
        return evaluate(env_id, agent, *more)

    monkeypatch.setattr(verb, "evaluate", interrupt)
    done = invoke(BERT, "--agents", "heft,etf", "--run-dir", folder, "--seeds", "1")
    assert done.exit_code == 130
    assert f"interrupted; 1 of 2 results are kept in {folder}" in done.output
    monkeypatch.undo()
    again = invoke(BERT, "--agents", "heft,etf", "--run-dir", folder, "--seeds", "1", "--resume")
    assert again.exit_code == 0, again.output


def test_environments_without_references_have_rows_of_their_own(tmp_path: Path) -> None:
    benchmark = Benchmark("CartPole-v1", ["random"], tmp_path / "runs", seeds=3)
    list(benchmark.run())
    summary = benchmark.summary()
    found = summary["agents"]["random"]
    assert found["normalised"] is None
    expected = evaluate("CartPole-v1", "random", seeds_of("CartPole-v1", 3))["aggregate"]
    assert found["environments"]["CartPole-v1"] == expected
    table = summary_table(summary)
    cells = [list(column.cells) for column in table.columns]
    assert cells[:3] == [["CartPole-v1"], ["random"], [f"{expected['iqm']:.6g} return"]]
    assert cells[4] == ["agent"]


def test_the_default_folder_and_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(f"envs:{BERT}", "--agents", "heft", "--quiet")
    assert (done.exit_code, done.output) == (0, "")
    assert Path(f"runs/benchmark-envs-{BERT}/summary.json").exists()


def test_the_json_is_the_summary_and_where_the_rest_is(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    shown = json.loads(
        invoke(BERT, "--agents", "heft", "--seeds", "2", "--run-dir", str(folder), "--json").stdout
    )
    assert (shown.pop("folder"), shown.pop("report")) == (str(folder), f"{folder}/report.html")
    assert shown == json.loads((folder / "summary.json").read_text())


def test_suites() -> None:
    assert parse_suite("all") == [f"envs:{env_id}" for env_id in CURRENT]
    domain = [f"envs:{entry.id}" for entry in CURRENT.values() if entry.domain == "placement"]
    assert parse_suite("placement") == domain
    assert parse_suite(f"{V100},CartPole-v1") == [f"envs:{V100}", "CartPole-v1"]


def test_seeds_go_on_after_the_list() -> None:
    five = seeds_of(BERT, 5)
    seven = seeds_of(BERT, 7)
    assert five == named(BERT, "test")
    assert seven.seeds[:5] == five.seeds
    assert (seven.name, len(set(seven.seeds))) == (None, 7)


def test_no_two_files_share_a_name() -> None:
    pairs = [("a/b", "X-v0"), ("a-b", "X-v0"), ("a:b", "X-v0"), ("a", "b/X-v0"), ("../a", "X-v0")]
    names = [file_name(*pair) for pair in pairs]
    assert len(set(names)) == len(pairs)
    assert all("/" not in name and not name.startswith(".") for name in names)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("chess", "--agents", "heft"), "suite 'chess' is none of all, "),
        ((BERT, "--agents", "heft,hefty"), "unknown agent 'hefty'"),
        ((BERT, "--agents", "heft,heft"), "agent 'heft' is named 2 times"),
        ((BERT, "--agents", "heft,"), "agent '' is named"),
        ((f"{BERT},envs:{BERT}", "--agents", "heft"), "is named 2 times"),
        ((f"{BERT},CartPole-v1", "--agents", "heft"), "unknown agent 'heft'"),
        ((BERT, "--agents", "heft", "--seeds", "0"), "seeds is 0; allowed: at least 1"),
        (
            (f"{BERT},LoopSchedule-v0,{V100}", "--agents", "random", "--split", "test"),
            f"envs:{BERT}, envs:{V100}: unknown option 'split'; allowed: graph",
        ),
        (
            (f"{BERT},LoopSchedule-v0", "--agents", "random", "--split", "exam"),
            f"envs:{BERT}: unknown option 'split'; allowed: graph; "
            "envs:LoopSchedule-v0: unknown split 'exam'; allowed: test, train",
        ),
        (
            ("LoopSchedule-v0,CartPole-v1", "--agents", "random", "--option", "low=9"),
            "CartPole-v1: refuses the options {'low': 9}: ",
        ),
        (
            (f"{BERT},LoopSchedule-v0", "--agents", "random", "--env", "threads=2"),
            f"envs:{BERT}: unknown argument 'threads' (did you mean 'reward'?); allowed: cluster, ",
        ),
        ((BERT, "--agents", "heft", "--episodes", "0"), "episodes is 0; allowed: at least 1"),
    ],
)
def test_bad_input_is_refused_before_anything_is_played(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = invoke(*arguments, "--run-dir", str(tmp_path / "runs"))
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(InputError, match="is no folder"):
        Benchmark(BERT, ["heft"], tmp_path / "runs", resume=True)
    with pytest.raises(InputError, match="cannot be written: Not a directory"):
        Benchmark(BERT, ["heft"], tmp_path / "runs" / "more")
