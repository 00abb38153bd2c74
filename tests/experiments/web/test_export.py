"""Demonstrations leave as parquet that RLlib learns from, and as Minari data sets."""

import json
from pathlib import Path

import gymnasium as gym
import minari
import numpy as np
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from agents.engines import rllib
from agents.engines.base import TrainConfig
from agents.engines.rllib_offline import demonstrations, restore
from agents.runs import Run
from envs.web.demonstration_file import read_demonstrations
from envs.web.transitions import transitions
from experiments.web.verbs import app
from hardware_sim.errors import InputError

ENV_ID = "WoB-ClickButton-v0"


def invoke(*arguments):
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if isinstance(done.exception, InputError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Demonstrations of the expert."""
    path = tmp_path_factory.mktemp("demonstrations")
    output = invoke("demonstrate", ENV_ID, "--episodes", 40, "-o", path)
    assert f"40 episodes, mean score 1.000, in {path}/{ENV_ID}.jsonl.xz" in output
    return path


@pytest.fixture
def space():
    env = gym.make(f"envs:{ENV_ID}", backend="twin")
    yield env.observation_space
    env.close()


def test_parquet_has_every_transition(folder, space, tmp_path):
    path = tmp_path / "sets" / "clicks.parquet"
    assert "40 episodes, 40 steps in" in invoke("export", folder, "--to", "parquet", "-o", path)
    table = pyarrow.parquet.read_table(path).to_pandas()
    shown = [transitions(each) for each in read_demonstrations(folder / f"{ENV_ID}.jsonl.xz")]
    assert len(table) == len(shown)
    for (_, row), each in zip(table.iterrows(), shown, strict=True):
        for name, place in (("obs", 0), ("new_obs", -1)):
            for key, part in restore(space, row[name]).items():
                assert np.array_equal(part, each.observations[key][place])
                assert part.dtype == space[key].dtype
        assert (row.actions, row.rewards) == (each.actions[0], 1)
        assert (row.terminateds, row.truncateds) == (True, False)


def test_the_json_counts_what_was_shown_and_exported(tmp_path):
    output = invoke("demonstrate", ENV_ID, "--episodes", 2, "-o", tmp_path, "--quiet", "--json")
    file = tmp_path / f"{ENV_ID}.jsonl.xz"
    assert json.loads(output) == {"file": str(file), "episodes": 2, "mean_score": 1.0}
    path = tmp_path / "clicks.parquet"
    found = json.loads(invoke("export", file, "--to", "parquet", "-o", path, "--quiet", "--json"))
    assert (found["output"], found["episodes"], found["left_out"]) == (str(path), 2, 0)
    assert (found["steps"], found["unmapped"]) == (pyarrow.parquet.read_table(path).num_rows, {})


@pytest.mark.peers
def test_rllib_learns_from_the_parquet(folder, tmp_path):
    path = tmp_path / "clicks.parquet"
    invoke("export", folder, "--to", "parquet", "-o", path, "--quiet")
    config = TrainConfig(
        f"envs:{ENV_ID}",
        "rllib",
        "bc",
        steps=128,
        seed=0,
        num_envs=1,
        checkpoint_every=128,
        env_kwargs={"backend": "twin"},
        hyperparameters={"input": str(path), "minibatch": 32},
    )
    run = Run.create(tmp_path / "run", config.to_json())
    rllib.train(config, run, lambda _: None)
    losses = [row["policy_loss"] for row in run.metrics()]
    assert losses[-1] < losses[0]
    assert run.metrics()[-1]["step"] >= 128
    assert demonstrations("marwil", path) == [str(path)]  # which reads more columns
    env = gym.make(f"envs:{ENV_ID}", backend="twin")
    agent = rllib.load(Run(tmp_path / "run"), env)
    observation, info = env.reset(seed=0)
    assert env.action_space.contains(agent.act(observation, info))
    env.close()


def test_minari_reads_what_was_written(folder, space, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = invoke("export", folder, "--to", "minari", "-o", "clicks-v0")
    assert "40 episodes, 40 steps" in output
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    data = minari.load_dataset("clicks-v0")
    shown = list(read_demonstrations(folder / f"{ENV_ID}.jsonl.xz"))
    assert (data.total_episodes, data.total_steps) == (40, 40)
    assert data.observation_space == space
    for episode, each in zip(data.iterate_episodes(), shown, strict=True):
        given = transitions(each)
        for key, part in given.observations.items():
            assert np.array_equal(episode.observations[key], part)
        assert np.array_equal(episode.actions, given.actions)
        assert np.array_equal(episode.rewards, given.rewards)
        assert episode.terminations.tolist() == [True]
    env = data.recover_environment()
    assert env.spec.id == ENV_ID
    assert env.observation_space == space
    assert [path.name for path in tmp_path.iterdir()] == ["clicks-v0"]


def test_failures_can_be_left_out(tmp_path):
    invoke("demonstrate", ENV_ID, "--episodes", 40, "--agent", "random", "-o", tmp_path, "--quiet")
    output = invoke("export", tmp_path, "--to", "parquet", "-o", tmp_path / "a", "--success-only")
    kept = sum(each.success for each in read_demonstrations(tmp_path / f"{ENV_ID}.jsonl.xz"))
    assert 0 < kept < 40
    assert f"{kept} episodes" in output
    assert f"; {40 - kept} without success left out" in output


def test_bad_input_is_refused_and_leaves_nothing(folder, tmp_path):
    done = tmp_path / "done.parquet"
    done.write_text("mine")
    for arguments, message in (
        (["export", folder, "--to", "csv", "-o", tmp_path / "a"], "allowed: minari, parquet"),
        (["export", folder, "--to", "parquet", "-o", done], "exists; it is replaced only with"),
        (["export", tmp_path / "none", "--to", "parquet", "-o", tmp_path / "a"], "does not exist"),
        (["export", folder, "--to", "minari", "-o", tmp_path / "a b"], "Minari refuses 'a b'"),
        (["export", folder, "--to", "parquet", "-o", done / "a"], "cannot be written"),
        (["export", folder, "--to", "minari", "-o", done / "a-v0"], "cannot be written"),
        (["demonstrate", ENV_ID, "-o", folder], "--force"),
        (["demonstrate", "WoB-Bookflight-v0", "-o", tmp_path], "unknown environment"),
        (["demonstrate", "DevicePlacement-BERT24-v0", "-o", tmp_path], "has no pages of ours"),
        (["demonstrate", ENV_ID, "-o", tmp_path, "--episodes", 0], "0 episodes"),
        (["demonstrate", ENV_ID, "-o", tmp_path, "--options", "[]"], "allowed: an object"),
        (["demonstrate", ENV_ID, "-o", tmp_path, "--options", '{"split": "x"}'], "allowed: test"),
        (["import", folder / "none.jsonl.xz", "-o", tmp_path], "does not exist"),
    ):
        with pytest.raises(InputError, match=message):
            invoke(*arguments)
    assert done.read_text() == "mine"
    assert [path.name for path in Path(tmp_path).iterdir()] == ["done.parquet"]


def test_one_minari_data_set_has_one_environment(folder, tmp_path):
    invoke("demonstrate", "WoB-Dialog-v0", "--episodes", 1, "-o", tmp_path / "in", "--quiet")
    with pytest.raises(InputError, match="has one environment, not WoB-ClickButton-v0, WoB-Dialog"):
        invoke("export", folder, tmp_path / "in", "--to", "minari", "-o", tmp_path / "both-v0")
