"""``gymworks list`` shows every id, for people and as JSON."""

import json

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


def test_the_json_has_everything_about_every_id() -> None:
    rows = json.loads(run("--json"))
    assert [row["id"] for row in rows] == [*CURRENT, *BRIDGED]
    for row in rows:
        env = gym.make(f"envs:{row['id']}")
        assert row["observation"] == describe(env.observation_space)
        assert row["action"] == describe(env.action_space)
        assert row["domain"] == find(row["id"]).domain
        if row["id"] in ENTRIES:
            assert row["references"]["reference"]["source"]
        assert row["needs"] == ""


def test_the_table_names_every_id_whole() -> None:
    table = run()
    for env_id, entry in CURRENT.items():
        assert env_id in table
        assert entry.backend in table
    assert "WoB-MiniWoB-click-button-v0" in table
    assert "nodes (125, 15)" in table.replace("\n", "")


def test_superseded_ids_are_shown_when_asked_for() -> None:
    rows = json.loads(run("--json", "--superseded"))
    assert {row["id"] for row in rows} == {*ENTRIES, *BRIDGED}


def test_a_missing_library_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Entry("Lost", 0, "web", "no_such_library:Env", None, "real", "needs what is not there")
    monkeypatch.setitem(ENTRIES, lost.id, lost)
    monkeypatch.setitem(CURRENT, lost.id, lost)
    gym.register(lost.id, lost.entry_point)
    rows = json.loads(run("--json"))
    gym.registry.pop(lost.id)
    row = next(row for row in rows if row["id"] == lost.id)
    assert row["needs"] == "No module named 'no_such_library'"
    assert row["references"] == {}
    assert rows[0]["needs"] == ""


def test_spaces_as_text() -> None:
    assert describe(spaces.Box(0, 1, (3,), np.float32)) == "float32 (3,)"
    assert describe(spaces.MultiDiscrete([2, 3])) == "MultiDiscrete([2, 3])"
    assert describe(spaces.Dict({"a": spaces.Discrete(2)})) == {"a": "Discrete(2)"}


def test_actions_of_several_choices_are_written_as_they_are_made() -> None:
    assert describe(gym.spaces.MultiDiscrete([13, 5])) == "MultiDiscrete([13, 5])"
