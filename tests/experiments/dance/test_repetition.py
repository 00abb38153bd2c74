"""What charts that repeat themselves earn."""

import gymnasium as gym
import pytest

from envs.dance.episodes import Episodes
from experiments.dance import repetition
from experiments.dance.repetition import ENV_ID, nats, players
from tests.envs.dance.sounds import song_of_clicks


def test_repeated_rows_have_no_variety_and_agents_do(monkeypatch):
    monkeypatch.setattr(repetition, "AGENTS", ("rules",))
    env = gym.make(ENV_ID, critic=None)
    options = {"song": "metal_madness", "level": "Medium"}
    found = {name: nats(env, player, options) for name, player in players(env, "shipped").items()}
    env.close()
    assert found.keys() == {*repetition.ROUNDS, "rules"}
    assert found["left"][1] == pytest.approx(0.0, abs=1e-9)
    assert found["left and right in turn"] == pytest.approx((-0.03, 0.0), abs=0.01)
    assert 0.4 < found["stairs"][1] < 0.5 < found["rules"][1]


def test_people_play_their_own_charts(tmp_path):
    song_of_clicks(tmp_path / "clicks")
    songs = str(tmp_path)
    (split,) = Episodes.of("selection", songs).split
    env = gym.make(
        ENV_ID, songs=songs, split=split, critic=None, playability=0.0, density=0.0, imitation=1.0
    )
    people = players(env, songs)[repetition.PEOPLE]
    without, variety = nats(env, people, {})
    assert without == 1.0  # for each row, as it is the human one
    assert variety == pytest.approx(0.0, abs=1e-9)
