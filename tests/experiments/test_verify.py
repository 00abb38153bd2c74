"""The verify verb: what was really played holds; whatever was changed afterwards is found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from envs.placement.batch import PlacementBatch
from envs.registration import BRIDGED, ENTRIES, find
from experiments import verify as verb
from experiments.evaluate import evaluate
from experiments.results import aggregate_of, beyond_bound, digest, read_result
from experiments.seeds import Seeds, drawn, named
from experiments.spot_check import spot_check
from experiments.verify import verify
from hardware_sim.errors import InputError

BERT = "DevicePlacement-BERT24-v0"

app = typer.Typer()
app.command()(verb.command)


@pytest.fixture(scope="module")
def honest() -> str:
    return json.dumps(evaluate(BERT, "random", Seeds((0, 1), episodes=2)))


def changed(honest: str, path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    result = json.loads(honest)
    change(result)
    path.write_text(json.dumps(result))
    return path


def sealed(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], None]:
    """The change of a careful cheat, who computes aggregate and digest anew."""

    def careful(result: dict[str, Any]) -> None:
        change(result)
        result["aggregate"] = aggregate_of(result)
        result["digest"] = digest(result)

    return careful


def test_what_was_played_holds(honest: str, tmp_path: Path) -> None:
    path = changed(honest, tmp_path / "result.json", lambda result: None)
    done = CliRunner().invoke(app, [str(path)])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "verified: 4 episodes replayed exactly; 2 custom seeds, 2 episodes each, not comparable",
        "not checked, as a replay cannot: agent, kind, in_process, evaluations, versions, git, "
        "date",
    ]
    quiet = CliRunner().invoke(app, [str(path), "--quiet"])
    assert (quiet.exit_code, quiet.output) == (0, "")


def test_the_json_holds_the_verdict(honest: str, tmp_path: Path) -> None:
    path = changed(honest, tmp_path / "result.json", lambda result: None)
    done = CliRunner().invoke(app, [str(path), "--json"])
    assert done.exit_code == 0
    held = {
        "result": str(path),
        "holds": True,
        "episodes": 4,
        "seeds": "2 custom seeds, 2 episodes each, not comparable",
        "comparable": False,
        "measured": None,
        "claims": ["agent", "kind", "in_process", "evaluations", "versions", "git", "date"],
        "differences": [],
        "improbable": [],
    }
    assert json.loads(done.stdout) == held
    path = changed(honest, tmp_path / "result.json", better)
    done = CliRunner().invoke(app, [str(path), "--json", "--quiet"])
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert found == {**held, "holds": False, "differences": verify(path).differences}


def test_cartpole_holds(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(evaluate("CartPole-v1", "random", Seeds((0, 1)))))
    assert verify(path).differences == []


def better(result: dict[str, Any]) -> None:
    result["episodes"][2]["score"] *= 0.5


def other_action(result: dict[str, Any]) -> None:
    actions = result["episodes"][1]["actions"]
    actions[3] = next(device for device in range(1, 7) if device != actions[3])


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda r: r.update(digest="0" * 64), "the digest is not that of the content"),
        (better, "episode 0 of seed 1 has score"),
        (sealed(better), "episode 0 of seed 1 has score"),
        (other_action, "episode 1 of seed 0"),
        (sealed(other_action), "episode 1 of seed 0"),
        (sealed(lambda r: r["episodes"][0].update(is_success=True)), "has is_success True"),
        (sealed(lambda r: r["episodes"][0].update(length=31)), "has length 31, its replay 32"),
        (sealed(lambda r: r["episodes"][0].update({"return": 0.0})), "has return 0.0"),
        (sealed(lambda r: r["episodes"][0].update(score=None)), "has score None"),
        (sealed(lambda r: r["episodes"][0]["actions"].pop()), "has not ended after its 31"),
        (sealed(lambda r: r["episodes"][0]["actions"].append(1)), "ends after 32 of its 33"),
        (sealed(lambda r: r["episodes"][0]["actions"].insert(0, 99)), "action 0: action 99"),
        (sealed(lambda r: r["episodes"][0]["actions"].insert(0, "1")), "action 0: action '1'"),
        (sealed(lambda r: r["episodes"].pop(1)), "its 3 episodes, without [(0, 1)]"),
        (
            sealed(lambda r: r["episodes"].append(r["episodes"][0])),
            "its 5 episodes, not those it was asked",
        ),
        (lambda r: r["aggregate"].update(iqm=0.1), "aggregate has iqm 0.1"),
        (lambda r: r["aggregate"].pop("normalised_iqm"), "aggregate has normalised_iqm None"),
        (lambda r: r.update(env_spec=r["env_spec"].replace("6xv100", "8xv100")), "env_spec has"),
        (lambda r: r.update(env_spec="spec"), "env_spec is no spec"),
        (lambda r: r.update(env_spec=None), "env_spec is not that"),
        (
            sealed(lambda r: r.update(env_kwargs={"cluster": "4xv100_nvlink"})),
            "env_spec has kwargs",
        ),
    ],
)
def test_what_was_changed_is_named(
    honest: str, change: Callable[[dict[str, Any]], Any], difference: str, tmp_path: Path
) -> None:
    path = changed(honest, tmp_path / "result.json", change)
    done = CliRunner().invoke(app, [str(path), "--quiet"])
    assert done.exit_code == 1
    assert difference in done.output
    assert done.output.startswith(f"{path} does not hold: ")
    assert len(done.output.splitlines()) == 1


def test_all_differences_are_found(honest: str, tmp_path: Path) -> None:
    path = changed(honest, tmp_path / "result.json", better)
    found = verify(path).differences
    assert found[0].startswith("episode 0 of seed 1 has score")
    assert found[-1].startswith("the digest is not that of the content")
    assert any(part.startswith("aggregate has mean") for part in found)
    line = CliRunner().invoke(app, [str(path), "--quiet"]).output
    assert f"(and {len(found) - 1} more)" in line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("episodes"), "the result has no 'episodes'"),
        (lambda r: r.update(episodes=[]), "holds no episodes"),
        (lambda r: r.update(episodes={}), "'episodes' of the result is not list"),
        (lambda r: r.update(episodes=[7]), "episode 0 is no JSON object"),
        (lambda r: r["episodes"][1].pop("actions"), "episode 1 has no 'actions'"),
        (lambda r: r["episodes"][1].update(seed=True), "'seed' of episode 1 is not int"),
        (lambda r: r["episodes"][1].update(score="low"), "'score' of episode 1 is not int or"),
        (lambda r: r["episodes"][1].update(seed=-4), "is negative"),
        (lambda r: r.update(format=3), "has format 3; allowed: 1, 2"),
        (lambda r: r.update(env_id="Nothing-v0"), "unknown environment"),
        (lambda r: r.update(env_kwargs={"colour": 1}), "unknown argument"),
        (lambda r: r["episodes"][0].update(score=float("inf")), "no finite score"),
    ],
)
def test_malformed_results_are_one_clear_error(
    honest: str, change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    path = changed(honest, tmp_path / "result.json", change)
    with pytest.raises(InputError) as error:
        verify(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"text"'])
def test_what_is_no_result_is_one_clear_error(content: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"result\.json is n"):
        read_result(path)


def test_missing_files_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        verify(tmp_path / "result.json")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        verify(tmp_path)


def test_measurements_are_measured_again(tmp_path: Path) -> None:
    measured = {"backend": "measured"}
    result = evaluate("LoopSchedule-v0", "random", Seeds((0,)), measured, in_process=True)
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result))
    verdict = verify(path, tolerance=1.0)
    assert verdict.differences == []
    assert verdict.measured is not None
    assert 0 < verdict.measured < 1
    result["episodes"][0]["score"] *= 1e6
    sealed(lambda r: None)(result)
    path.write_text(json.dumps(result))
    (difference,) = verify(path, tolerance=0.9).differences
    assert "more than 90% apart on this machine" in difference


TEST_SEEDS = named(BERT, "test")


@pytest.fixture(scope="module")
def official() -> str:
    return json.dumps(evaluate(BERT, "random", TEST_SEEDS))


def drop_the_worst(result: dict[str, Any]) -> None:
    worst = max(result["episodes"], key=lambda episode: episode["score"])
    result["episodes"].remove(worst)


def drop_the_worst_with_its_seed(result: dict[str, Any]) -> None:
    drop_the_worst(result)
    result["seeds"]["seeds"] = [episode["seed"] for episode in result["episodes"]]


def test_official_seeds_are_named_and_picked_ones_do_not_compare(
    official: str, tmp_path: Path
) -> None:
    path = changed(official, tmp_path / "a.json", lambda r: None)
    verdict = verify(path)
    assert (verdict.standing, verdict.comparable) == ("5 of 5 official test seeds", True)
    dropped = verify(changed(official, path, sealed(drop_the_worst)))
    assert not dropped.comparable
    assert "its 4 episodes, without [(" in dropped.differences[0]
    chosen = verify(changed(official, path, sealed(drop_the_worst_with_its_seed)))
    assert (chosen.differences, chosen.comparable) == ([], False)
    assert chosen.standing == "4 custom seeds, not comparable"


def test_the_best_of_many_seeds_do_not_compare(tmp_path: Path) -> None:
    result = evaluate(BERT, "random", Seeds(tuple(range(40))))
    best = sorted(result["episodes"], key=lambda episode: episode["score"])[:5]
    seeds = {**result["seeds"], "name": "test", "seeds": [each["seed"] for each in best]}
    sealed(lambda r: r.update(episodes=best, seeds=seeds))(result)
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result))
    verdict = verify(path)
    assert (verdict.standing, verdict.comparable) == ("5 custom seeds, not comparable", False)


@pytest.mark.parametrize(
    "edit",
    [
        {"agent": "mine"},
        {"versions": {}},
        {"git": "0" * 40},
        {"date": "1970-01-01T00:00:00+00:00"},
    ],
)
def test_claims_are_digested_and_called_claims(
    official: str, edit: dict[str, Any], tmp_path: Path
) -> None:
    verdict = verify(changed(official, tmp_path / "a.json", lambda r: r.update(edit)))
    assert verdict.differences == ["the digest is not that of the content: the file was changed"]
    assert set(edit) <= set(verdict.claims)


def test_drawn_seeds_are_verified_with_the_secret(tmp_path: Path) -> None:
    secret = "kept by the judge alone"
    path = tmp_path / "result.json"
    path.write_text(json.dumps(evaluate(BERT, "random", drawn(BERT, secret))))
    without = verify(path)
    assert (without.differences, without.comparable) == ([], False)
    assert "drawn by a judge who keeps" in without.standing
    known = verify(path, secret=secret)
    assert known.standing == "5 of 5 seeds drawn from the judge's secret"
    assert known.comparable
    with pytest.raises(InputError, match="the secret is not the one that"):
        verify(path, secret="another judge's secret")
    others = Seeds((1, 2), commitment=drawn(BERT, secret).commitment)
    path.write_text(json.dumps(evaluate(BERT, "random", others)))
    with pytest.raises(InputError, match="its seeds and options are not those"):
        verify(path, secret=secret)


def test_scores_of_today_stand_beside_the_old_ones(official: str, tmp_path: Path) -> None:
    path = changed(
        official, tmp_path / "a.json", sealed(lambda r: r["episodes"][0].update(score=0.5))
    )
    done = CliRunner().invoke(app, [str(path), "--rejudge"])
    assert done.exit_code == 0, done.output
    first = next(line for line in done.output.splitlines() if "episode 0 of seed 1000" in line)
    then, now = (float(cell) for cell in first.replace("│", " ").split()[-2:])
    assert (then, now) == (0.5, pytest.approx(json.loads(official)["episodes"][0]["score"], 1e-5))


@pytest.mark.parametrize(("count", "words"), [(None, "5 of 5 replayed"), (2, "2 of 5 replayed")])
def test_a_sample_is_replayed(official: str, count: int | None, words: str) -> None:
    result = json.loads(official)
    assert spot_check(result, count) == words
    assert spot_check(result, 0) == "not replayed"
    for episode in result["episodes"]:
        episode["score"] = 1e-9
    with pytest.raises(InputError, match=r"does not hold: .* has score 1e-09, its replay"):
        spot_check(result, count)


def test_a_score_beyond_the_bound_is_refused(
    honest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = changed(
        honest, tmp_path / "a.json", sealed(lambda r: r["episodes"][0].update(score=0.12))
    )
    sentence = verify(path).differences[0]
    assert sentence.startswith("episode 0 of seed 0 of envs:DevicePlacement-BERT24-v0 scores 0.12,")
    assert "beyond the bound 0.125407 of 'msr_bert24_training' (proven lower bound" in sentence
    honestly = PlacementBatch.results
    patched = {"score": np.array([0.12])}
    monkeypatch.setattr(PlacementBatch, "results", lambda core: {**honestly(core), **patched})
    with pytest.raises(InputError, match=r"scores 0\.12, beyond the bound 0\.125407 .*no play can"):
        evaluate(BERT, "heft", Seeds((0,)))


@pytest.mark.parametrize(
    ("score", "bound", "beyond"),
    [(1.0, 1.0, False), (1 + 1e-10, 1.0, False), (1.1, 1.0, True), (1.1, None, False)],
)
def test_the_bound_of_an_id_without_references(
    score: float, bound: float | None, beyond: bool
) -> None:
    episode = {"seed": 3, "episode": 0, "score": score, "bound": bound, "problem": None}
    found = beyond_bound("CartPole-v1", episode)
    assert (found is not None) == beyond
    if found is not None:
        assert 'its info["bound"]' in found


def test_problem_and_bound_are_replayed(honest: str, tmp_path: Path) -> None:
    for key, value in (("problem", "inception_v3"), ("bound", 0.1)):
        change = sealed(lambda r, k=key, v=value: r["episodes"][0].update({k: v}))
        path = changed(honest, tmp_path / "a.json", change)
        assert f"episode 0 of seed 0 has {key} {value!r}" in verify(path).differences[0]
    path = changed(honest, tmp_path / "a.json", sealed(lambda r: r["episodes"][0].pop("bound")))
    with pytest.raises(InputError, match="episode 0 has no 'bound'"):
        verify(path)


@pytest.mark.parametrize("env_id", [*ENTRIES, *[*BRIDGED][:1]])
def test_ids_say_of_themselves_whether_they_repeat(env_id: str) -> None:
    env = gym.make(f"envs:{env_id}")
    assert getattr(env.unwrapped, "deterministic", True) == find(env_id).deterministic
    env.close()


@pytest.mark.parametrize(
    ("env_id", "kwargs"),
    [
        ("LoopSchedule-v0", {"backend": "measured"}),
        ("ConvTuning-AlexNet2-v1", {"backend": "measured"}),
        ("WoB-Login-v0", {"backend": "selenium"}),
    ],
)
def test_what_measures_is_not_deterministic(env_id: str, kwargs: dict[str, Any]) -> None:
    env = gym.make(f"envs:{env_id}", **kwargs)
    assert not env.get_wrapper_attr("deterministic")
    env.close()
