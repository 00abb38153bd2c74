"""Baselines that write dance charts."""

import itertools

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.dance import baselines
from agents.dance.ngram import KneserNey
from agents.dance.writers import HABITS, Alternating, Ngram, grid_ticks, random_rows
from agents.loading import load_agent
from agents.rollout import rollout
from envs.dance.chart import held_before, legal_rows, states

SCALE = [[1, 4, 16, 64, 16, 4] * 5, [65, 1, 64, 2, 3, 4] * 5]
WRITERS = {
    "random": random_rows,
    "alternating": Alternating(),
    "ngram": Ngram(KneserNey(SCALE, 3)),
}


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(WRITERS)), st.integers(0, 4), st.integers(0, 999), st.integers(1, 60))
def test_rows_are_legal_and_every_hold_ends(name, level, seed, size):
    ticks = np.arange(size) * 24
    rows = WRITERS[name](ticks / 96, ticks, level, np.random.default_rng(seed))
    again = WRITERS[name](ticks / 96, ticks, level, np.random.default_rng(seed))
    held = held_before(np.append(rows, np.uint8(1)))
    assert rows.dtype == np.uint8
    assert (rows > 0).all()
    assert not held[-1].any()
    assert legal_rows(held[:-1])[np.arange(size), rows].all()
    np.testing.assert_array_equal(rows, again)


@pytest.mark.parametrize("level", range(5))
def test_feet_take_turns_and_never_cross(level):
    ticks = np.arange(400) * 24
    rows = Alternating()(ticks / 96, ticks, level, np.random.default_rng(level))
    pressed = [np.flatnonzero(np.isin(row, (1, 2))) for row in states(rows)]
    assert all(len(each) in (1, 2) for each in pressed)
    jumps = sum(len(each) == 2 for each in pressed) / 400
    assert jumps == pytest.approx(HABITS[level].jumps, abs=0.03)
    between = []
    for each in [*pressed, np.array([0, 3])]:
        if len(each) == 1:
            between.append(int(each[0]))
            continue
        feet = [
            all(panel != 3 for panel in between[start::2])
            and all(panel != 0 for panel in between[1 - start :: 2])
            for start in (0, 1)
        ]
        assert any(feet)
        assert all(a != b for a, b in itertools.pairwise(between))
        between = []


@pytest.mark.parametrize("level", range(5))
def test_grids_are_as_dense_as_the_level(level):
    ticks = grid_ticks(4000, level, np.random.default_rng(0))
    habits = HABITS[level]
    expected = habits.beats[0] + habits.beats[1] + 2 * habits.beats[2]
    expected += 4 * habits.halves + 8 * habits.quarters
    assert (np.diff(ticks) > 0).all()
    assert len(ticks) / 4000 == pytest.approx(expected, rel=0.08)


def test_an_ngram_writes_what_it_has_read():
    ticks = np.arange(30) * 24
    rows = Ngram(KneserNey(SCALE, 5), temperature=0.05)(
        ticks / 96, ticks, 0, np.random.default_rng(0)
    )
    assert {tuple(rows[i : i + 3]) for i in range(3, 25)} <= {
        tuple(chart[i : i + 3]) for chart in SCALE for i in range(28)
    }


@pytest.mark.parametrize("name", ["rules", "ngram", "selected"])
@pytest.mark.parametrize("env_id", ["Choreography-v0", "StepPlacement-v0", "StepSelection-v1"])
def test_agents_write_charts_to_the_end(name, env_id, monkeypatch):
    monkeypatch.setattr(baselines, "fitted_ngram", lambda: WRITERS["ngram"])
    env = gym.make(f"envs:{env_id}", critic=None)
    agent = load_agent(name, env)
    steps = []
    for _ in range(2):
        moments = rollout(env, agent, 3, options={"level": "Medium"})
        for before, after in itertools.pairwise(moments):
            assert before.observation["action_mask"][after.action]
        steps.append(env.unwrapped.chart()[2].tolist())
    assert steps[0] == steps[1]
    assert len(steps[0]) > 10
