"""``gymworks list`` shows every id, for people and as JSON."""

import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from typer import Typer
from typer.testing import CliRunner

from envs.entry import Entry
from envs.registration import BRIDGED, CURRENT, ENTRIES, find
from experiments.catalogue import command, describe

app = Typer()
app.command()(command)


def run(*arguments: str) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def listed(*arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(run("--json", *arguments))
    return rows


def test_the_json_has_every_id_and_makes_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(gym, "make")
    rows = listed()
    assert [row["id"] for row in rows] == [*CURRENT, *BRIDGED]
    for row in rows:
        assert row["domain"] == find(row["id"]).domain
        assert "action" not in row
        if row["id"] in ENTRIES:
            assert row["references"]["reference"]["source"]


def test_spaces_are_those_of_the_environments() -> None:
    rows = listed("--spaces")
    assert [row["id"] for row in rows] == [*CURRENT, *BRIDGED]
    for row in rows:
        env = gym.make(f"envs:{row['id']}")
        assert row["observation"] == describe(env.observation_space)
        assert row["action"] == describe(env.action_space)
        assert row["needs"] == ""


def test_words_choose_a_domain_an_id_or_a_part_of_ids() -> None:
    dance = [env_id for env_id, entry in CURRENT.items() if entry.domain == "dance"]
    assert [row["id"] for row in listed("Dance")] == dance
    assert {row["id"] for row in listed("bert", "nasnet")} == {
        "DevicePlacement-BERT24-v0",
        "DevicePlacement-NASNet-v0",
    }
    (row,) = listed("envs:WoB-United-v0")
    assert row["action"] == "Discrete(1445)"
    (row,) = listed("WoB-MiniWoB-click-button-v0")
    assert row["needs"] == ""
    assert row["action"].startswith("Discrete(")


def test_the_text_names_every_id_whole_however_narrow_the_terminal() -> None:
    text = CliRunner(env={"COLUMNS": "40"}).invoke(app, []).output
    for env_id, entry in CURRENT.items():
        assert f"{env_id}  {entry.domain}, {entry.backend}\n  {entry.summary}\n" in text
    assert "\n  WoB-MiniWoB-click-button-v0\n" in text
    assert "nodes (125, 15)" not in text
    assert "nodes (125, 15)" in run("DevicePlacement-InceptionV3-v0")


def test_superseded_ids_are_shown_when_asked_for() -> None:
    rows = json.loads(run("--json", "--superseded"))
    assert {row["id"] for row in rows} == {*ENTRIES, *BRIDGED}


def test_a_missing_library_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Entry("Lost", 0, "web", "no_such_library:Env", None, "real", "needs what is not there")
    monkeypatch.setitem(ENTRIES, lost.id, lost)
    monkeypatch.setitem(CURRENT, lost.id, lost)
    gym.register(lost.id, lost.entry_point)
    rows = listed("--spaces", "Lost-v0", "AdaptiveSoftmax-v0")
    gym.registry.pop(lost.id)
    row = next(row for row in rows if row["id"] == lost.id)
    assert row["needs"] == "No module named 'no_such_library'"
    assert row["references"] == {}
    assert [other["needs"] for other in rows if other is not row] == [""]


def test_spaces_as_text() -> None:
    assert describe(spaces.Box(0, 1, (3,), np.float32)) == "float32 (3,)"
    assert describe(spaces.MultiDiscrete([2, 3])) == "MultiDiscrete([2, 3])"
    assert describe(spaces.Dict({"a": spaces.Discrete(2)})) == {"a": "Discrete(2)"}


def test_actions_of_several_choices_are_written_as_they_are_made() -> None:
    assert describe(gym.spaces.MultiDiscrete([13, 5])) == "MultiDiscrete([13, 5])"
