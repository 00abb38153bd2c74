"""The verify verb: what was really played holds; whatever was changed afterwards is found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import typer
from typer.testing import CliRunner

from envs.registration import BRIDGED, ENTRIES, find
from experiments import verify as verb
from experiments.evaluate import aggregate, digest, evaluate
from experiments.verify import read_result, verify
from hardware_sim.errors import InputError

BERT = "DevicePlacement-BERT24-v0"

app = typer.Typer()
app.command()(verb.command)


@pytest.fixture(scope="module")
def honest() -> str:
    return json.dumps(evaluate(BERT, "random", [0, 1], 2))


def changed(honest: str, path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    result = json.loads(honest)
    change(result)
    path.write_text(json.dumps(result))
    return path


def sealed(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], None]:
    """The change of a careful cheat, who computes aggregate and digest anew."""

    def careful(result: dict[str, Any]) -> None:
        change(result)
        result["aggregate"] = aggregate(result["env_id"], result["env_kwargs"], result["episodes"])
        result["digest"] = digest(result)

    return careful


def test_what_was_played_holds(honest: str, tmp_path: Path) -> None:
    path = changed(honest, tmp_path / "result.json", lambda result: None)
    done = CliRunner().invoke(app, [str(path)])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == "verified: 4 episodes"
    quiet = CliRunner().invoke(app, [str(path), "--quiet"])
    assert (quiet.exit_code, quiet.output) == (0, "")


def test_the_json_holds_the_verdict(honest: str, tmp_path: Path) -> None:
    path = changed(honest, tmp_path / "result.json", lambda result: None)
    done = CliRunner().invoke(app, [str(path), "--json"])
    assert done.exit_code == 0
    held = {"result": str(path), "holds": True, "episodes": 4, "differences": []}
    assert json.loads(done.stdout) == held
    path = changed(honest, tmp_path / "result.json", better)
    done = CliRunner().invoke(app, [str(path), "--json", "--quiet"])
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert found == {**held, "holds": False, "differences": verify(path)}


def test_cartpole_holds(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(evaluate("CartPole-v1", "random", [0, 1])))
    assert verify(path) == []


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
        (sealed(lambda r: r["episodes"].pop(1)), "seed 0 has episodes [0], not [0, 1]"),
        (sealed(lambda r: r["episodes"].append(r["episodes"][0])), "seed 0 has episodes [0, 1, 0]"),
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
    found = verify(path)
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
        (lambda r: r.update(format=2), "has format 2; allowed: 1"),
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


def test_measurements_are_not_replayed(tmp_path: Path) -> None:
    result = evaluate("LoopSchedule-v0", "random", [0], 1)
    result["env_kwargs"] = {"backend": "measured"}
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result))
    with pytest.raises(InputError, match=r"cannot be replayed: .*LoopSchedule.*'measured'"):
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
        ("ConvTuning-AlexNet2-v0", {"backend": "measured"}),
        ("WoB-Login-v0", {"backend": "selenium"}),
    ],
)
def test_what_measures_is_not_deterministic(env_id: str, kwargs: dict[str, Any]) -> None:
    env = gym.make(f"envs:{env_id}", **kwargs)
    assert not env.get_wrapper_attr("deterministic")
    env.close()
