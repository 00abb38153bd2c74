"""Run folders: metrics, checkpoints and what happens when a disk or a file is bad."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agents.engines import base
from agents.engines.base import DEFAULT_SETTINGS, EpisodeTracker, TrainConfig, qualified, settings
from agents.runs import Run, UnreadableCheckpointError
from hardware_sim.errors import InputError


def read(path: Path) -> str:
    text = path.read_text()
    if not text.endswith("whole"):
        raise UnreadableCheckpointError("cut off")
    return text


def new_run(folder: Path) -> Run:
    return Run.create(folder / "run", {"env_id": "CartPole-v1"})


def test_create_keeps_config_and_provenance(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    again = Run(run.folder)
    assert again.config["env_id"] == "CartPole-v1"
    assert {"python", "gymnasium", "torch"} <= again.config["versions"].keys()
    assert again.config["date"].endswith("+00:00")
    assert again.config["git"] is None or len(again.config["git"]) >= 40


def test_create_overwrites_nothing(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    before = (run.folder / "config.json").read_bytes()
    with pytest.raises(InputError, match="exists; resume it"):
        new_run(tmp_path)
    assert (run.folder / "config.json").read_bytes() == before


@pytest.mark.parametrize("content", [None, "{broken"])
def test_opening_what_is_no_run(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json"):
        Run(tmp_path)


def test_metrics_append_and_survive_a_new_column(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.append_metrics({"step": 10, "mean_reward": 0.125})
    run.append_metrics({"step": 20, "mean_reward": 0.25, "loss": 3.0})
    run.append_metrics({"step": 30, "loss": float("nan")})
    header, *lines = run.metrics_path.read_text().splitlines()
    assert header.startswith("step,seconds,episodes,mean_reward,best_score,mean_score,")
    assert header.endswith(",loss")
    assert len(lines) == 3
    assert run.metrics() == [
        {"step": 10, "mean_reward": 0.125},
        {"step": 20, "mean_reward": 0.25, "loss": 3},
        {"step": 30},
    ]


def test_metrics_hold_no_step_twice(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    for step in (10, 20, 30, 40):
        run.append_metrics({"step": step, "loss": 1.0})
    with pytest.raises(ValueError, match="not past 40"):
        run.append_metrics({"step": 40})
    again = Run(run.folder)
    again.rewind(25)
    again.append_metrics({"step": 30, "loss": 2.0})
    assert [(row["step"], row["loss"]) for row in again.metrics()] == [(10, 1), (20, 1), (30, 2)]


def test_a_line_cut_off_by_a_kill_is_dropped(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.append_metrics({"step": 10})
    run.append_metrics({"step": 20})
    text = run.metrics_path.read_text()
    run.metrics_path.write_text(text + "3")
    again = Run(run.folder)
    assert [row["step"] for row in again.metrics()] == [10, 20]
    again.rewind(20)
    again.append_metrics({"step": 30})
    assert [row["step"] for row in again.metrics()] == [10, 20, 30]


def test_keeps_the_last_three_checkpoints_and_the_best(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    for step, quality in [(100, 1.0), (200, 9.0), (300, 3.0), (1000, 4.0), (2000, 5.0)]:
        run.save_checkpoint(step, ".pt", b"whole", quality)
    assert [run.checkpoint_step(path) for path in run.checkpoints()] == [2000, 1000, 300, 200]
    best = run.best_checkpoint()
    assert best is not None
    assert best.name == "step-000000000200.pt"
    assert run.read_best(read)[0] == best


def test_unfinished_checkpoints_are_not_listed_and_go_away(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.save_checkpoint(1, ".pt", b"whole", 0.0)
    leftover = run.folder / "checkpoints" / ".step-000000000002.pt.x7"
    leftover.write_text("who")
    assert len(run.checkpoints()) == 1
    run.save_checkpoint(3, ".pt", b"whole", 0.0)
    assert not leftover.exists()


def test_checkpoints_may_be_folders(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    for step in range(1, 6):
        run.checkpoint_path(step).mkdir(parents=True)
    run.prune()
    assert [path.name[-1] for path in run.checkpoints()] == ["5", "4", "3"]


def test_truncated_checkpoint_falls_back_with_one_warning(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    for step in (1, 2, 3):
        run.save_checkpoint(step, ".pt", f"{step} whole".encode(), 0.0)
    for step in (2, 3):
        run.checkpoint_path(step, ".pt").write_text("1 who")
    with pytest.warns(RuntimeWarning, match="step-000000000003") as caught:
        path, value = run.read_newest(read) or (Path(), "")
    assert len(caught) == 1
    assert (run.checkpoint_step(path), value) == (1, "1 whole")


def test_no_readable_checkpoint_is_an_error_and_none_at_all_is_not(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    assert run.read_newest(read) is None
    with pytest.raises(InputError, match="no checkpoint yet"):
        run.read_best(read)
    run.save_checkpoint(1, ".pt", b"who", 0.0)
    with pytest.raises(InputError, match=r"no checkpoint in .* is readable"):
        run.read_newest(read)


def test_results_round_trip(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    assert run.result() is None
    run.save_result({"format": 1})
    assert Run(run.folder).result() == {"format": 1}


FULL = """
import resource, sys
from agents.runs import Run
from hardware_sim.errors import InputError
run = Run(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    run.save_checkpoint(2, ".pt", bytes(10_000), 5.0)
except InputError as error:
    print(error)
"""


def test_write_that_fails_leaves_every_earlier_file(tmp_path: Path) -> None:
    """A real failure of the operating system: a limit on the size of files."""
    run = new_run(tmp_path)
    run.save_checkpoint(1, ".pt", b"whole", 1.0)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(run.folder)], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 1
    assert "cannot be written: File too large" in done.stdout
    assert "make room, then resume it" in done.stdout
    assert "earlier checkpoints" in done.stdout
    assert [path.name for path in run.checkpoints()] == ["step-000000000001.pt"]
    assert run.read_best(read)[1] == "whole"
    assert not list((run.folder / "checkpoints").glob(".*"))


def test_a_folder_that_refuses_is_not_told_to_make_room(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    (run.folder / "checkpoints").touch()
    with pytest.raises(InputError, match="untouched: see to that, then resume it"):
        run.save_checkpoint(1, ".pt", b"whole", 0.0)


HOLD = """
import sys
from agents.runs import Run
with Run(sys.argv[1]).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_trains_in_a_folder_and_a_kill_frees_it(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="run is in use: another process"), run.locked():
            raise AssertionError
        other.kill()
        other.wait()
    with run.locked():
        run.append_metrics({"step": 1})
    run.discard_if_untrained()
    assert run.metrics() == [{"step": 1}]


def test_what_killed_processes_left_goes_at_the_next_start(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.save_checkpoint(1, ".pt", b"whole", 0.0)
    left = [run.folder / ".best.json.x7_3abcd", run.folder / "checkpoints/.best.json.0123abc_"]
    mine = run.folder / ".notes.txt"
    for path in (*left, mine):
        path.touch()
    with run.locked():
        assert not any(path.exists() for path in left)
        assert mine.exists()
    assert run.reached == 1


def test_tracker_ranks_by_return_without_reference_scores(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    tracker = EpisodeTracker(run, "CartPole-v1")
    assert tracker.quality() == float("-inf")
    tracker.record(7, lambda: [0, 1], 2.0, score=None)
    tracker.record(8, lambda: [1, 1], 5.0, score=None)
    tracker.record(9, lambda: [0, 0], 3.0, score=None)
    tracker.save()
    best = run.best_episode()
    assert best is not None
    assert (best["seed"], best["actions"], best["return"]) == (8, [1, 1], 5)
    assert tracker.metrics() == {"episodes": 3, "mean_reward": 10 / 3, "best_score": 5}
    assert EpisodeTracker(run, "CartPole-v1").metrics()["best_score"] == 5


def test_tracker_ranks_by_the_score_where_lower_is_better(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    tracker = EpisodeTracker(run, "envs:DevicePlacement-InceptionV3-v0")
    tracker.record(1, lambda: [0], -0.1, score=0.3)
    tracker.record(2, lambda: [1], -0.9, score=0.2)
    tracker.record(3, lambda: [2], -0.0, score=0.4)
    tracker.save()
    assert json.loads((run.folder / "best.json").read_text())["seed"] == 2
    assert tracker.metrics()["best_score"] == 0.2
    assert tracker.quality() == pytest.approx(-0.3)


@pytest.mark.parametrize(
    ("field", "value"), [("steps", 0), ("num_envs", 0), ("seed", -1), ("checkpoint_every", 0)]
)
def test_config_refuses_numbers_out_of_range(field: str, value: int) -> None:
    values = {"env_id": "CartPole-v1", "engine": "sb3", "algo": "ppo", "steps": 1, "seed": 0}
    with pytest.raises(InputError, match=field):
        TrainConfig(**{**values, field: value})


def test_config_round_trips_through_the_folder(tmp_path: Path) -> None:
    config = TrainConfig("CartPole-v1", "sb3", "ppo", 10, 3, hyperparameters={"gamma": 0.9})
    run = Run.create(tmp_path / "run", config.to_json())
    assert TrainConfig.from_json(Run(run.folder).config) == config
    with pytest.raises(InputError, match="describes no training run"):
        TrainConfig.from_json({"env_id": "CartPole-v1"})


def test_settings_are_the_domains_over_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings("CartPole-v1") == DEFAULT_SETTINGS
    settings("CartPole-v1")["seeds"]["test"].append(7)
    assert settings("CartPole-v1") == DEFAULT_SETTINGS
    given = {"steps": 9, "seeds": {"test": [5]}, "num_envs": {"ppo": 4}, "own": True}
    monkeypatch.setattr(base, "training_settings", lambda env_id: given)
    found = settings("DevicePlacement-InceptionV3-v0")
    assert (found["steps"], found["algo"], found["own"]) == (9, "ppo", True)
    assert found["seeds"] == DEFAULT_SETTINGS["seeds"] | {"test": [5]}
    assert found["num_envs"] == {"dqn": 8, "sac": 8, "others": 32, "ppo": 4}


def test_ids_are_qualified_or_refused() -> None:
    known = "envs:DevicePlacement-InceptionV3-v0"
    assert qualified("DevicePlacement-InceptionV3-v0") == known
    assert qualified(known) == known
    assert qualified("CartPole-v1") == "CartPole-v1"
    assert qualified("tests.agents.toy:Line-v0") == "tests.agents.toy:Line-v0"
    for unknown in ("NoSuch-v0", "no_such_module:CartPole-v1", "DevicePlacement-InceptionV3-v9"):
        with pytest.raises(InputError, match="unknown environment"):
            qualified(unknown)
