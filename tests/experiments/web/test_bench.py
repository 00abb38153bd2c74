"""The benchmark beside MiniWoB++, as far as it can be had without installing that."""

import sys

import gymnasium as gym
import pytest
from rich.console import Console

from experiments.web import bench as web_bench
from experiments.web.bench import Peer, PeerError, play, show, summary, verdicts


def episode(reset, *steps):
    return {"reset": reset, "steps": list(steps)}


def result():
    ours, theirs = [episode(2, 1, 3), episode(4, 2, 2)], [episode(30, 20, 40)]
    rows = [summary("press", False, kind, ours, theirs) for kind in ("pixels", "DOM")]
    rows.append(summary("press", True, "pixels", [episode(100, 100)], theirs))
    return {
        "comparison": rows,
        "launch_s": {"WoB-Press-v0": 0.5},
        "memory_mb": {"gymworks": 130.0, "miniwob": 100.0},
        "steps_per_s": {"1": 100.0},
    }


def test_a_ratio_is_one_of_medians():
    row = result()["comparison"][0]
    assert row["gymworks"]["reset"]["median"] == 3
    assert row["gymworks"]["step"]["median"] == 2
    assert row["ratio"] == {"reset": 10, "step": 15}


def test_targets_are_judged_by_the_worst_task_without_fresh_pages():
    found = result()
    rows = {row["target"]: row for row in verdicts(found)}
    step = rows["step, pixels: times faster than MiniWoB++"]
    assert (step["reached"], step["met"]) == (15, True)
    found["comparison"][0]["ratio"]["step"] = 7.9
    step = next(row for row in verdicts(found) if row["target"] == step["target"])
    assert (step["reached"], step["met"]) == (7.9, False)
    memory = rows["8 environments: share of the memory of one of MiniWoB++"]
    assert (memory["reached"], memory["met"]) == (1.3, False)


def test_the_tables_say_what_was_measured():
    found = result()
    console = Console(record=True, width=120)
    show(found | {"targets": verdicts(found)}, console)
    text = console.export_text()
    assert "press, fresh page" in text
    assert "15.0x" in text


def test_an_episode_is_played_and_timed_in_a_browser():
    env = gym.make("envs:WoB-MiniWoB-click-button-v0", disable_env_checker=True)
    row = play(env, 0, 2)
    env.close()
    assert 1 <= len(row["steps"]) == len(row["points"]) <= 2
    assert min(row["reset"], *row["steps"]) > 0
    assert "Click" in row["utterance"]


def test_a_peer_that_ends_is_no_answer():
    peer = Peer([sys.executable, "-c", "input(); raise SystemExit(3)"])
    with pytest.raises(PeerError, match=r"'open'.*ended with 3"):
        peer.ask("open")
    peer.close()


def test_every_task_is_measured_as_miniwob_itself_runs_it():
    assert {task for task, _ in web_bench.TASKS} == {
        task for task, fresh in web_bench.TASKS if not fresh
    }
