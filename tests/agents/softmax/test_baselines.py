"""Baselines of the adaptive softmax: legal plans, the optimum, searches."""

from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest

from agents.loading import load_agent
from agents.rollout import rollout
from agents.softmax.baselines import Annealing, Judge, RandomSearch
from agents.tables import BASELINES
from envs.softmax.plan import LOSS_PRICE
from envs.softmax.problems import tables
from envs.testing.subject import is_legal
from hardware_sim.errors import InputError

ID = "envs:AdaptiveSoftmax-v0"


def play(env, agent, seed):
    """The last info of an episode, in which every action must be legal."""
    total = 0.0
    for before, after in pairwise(rollout(env, agent, seed)):
        mask = before.observation["action_mask"].astype(bool)
        assert is_legal(env.action_space, mask, after.action)
        total += after.reward
    return after.info | {"return": total}


@pytest.mark.parametrize("name", ["random", *BASELINES["softmax"]])
def test_every_baseline_makes_legal_plans(name):
    env = gym.make(ID)
    agent = load_agent(name, env)
    scores = [play(env, agent, seed)["score"] for seed in range(4)]
    assert 0 < min(scores) <= max(scores) <= 1 + 1e-9


def test_the_oracle_reaches_the_bound_and_nothing_beats_it():
    env = gym.make(ID)
    agent = load_agent("oracle", env)
    for seed in range(10):
        info = play(env, agent, seed)
        assert info["score"] == pytest.approx(1.0)
        assert info["is_success"]


def test_searches_spend_equal_evaluations_and_beat_guesses():
    env = gym.make(ID)
    found = tables(LOSS_PRICE)
    for kind in (Annealing, RandomSearch):
        judge = Judge(found.problems[0], found.places[0], LOSS_PRICE)
        agent = kind(env)
        agent.reset(3)
        plan = agent.plan(judge)
        assert judge.evaluations == kind.evaluations
        assert judge.possible(plan)
    names = ("guess", "greedy", "random-search", "annealing")
    means = [
        np.mean([play(env, load_agent(name, env), seed)["score"] for seed in range(6)])
        for name in names
    ]
    assert means == sorted(means)


def test_the_score_that_a_search_gets_is_the_return():
    env = gym.make(ID)
    core = env.unwrapped.core
    agent = load_agent("annealing", env)
    info = play(env, agent, 5)
    row = core.problem[0]
    judge = Judge(core.tables.problems[row], core.tables.places[row], LOSS_PRICE)
    cuts = info["cutoffs"][info["cutoffs"] > 0]
    chosen = tuple(np.searchsorted(judge.places, cuts).tolist()), int(np.log2(info["div_value"]))
    assert judge(chosen) == pytest.approx(info["return"])


def test_baselines_refuse_other_domains():
    with pytest.raises(InputError):
        load_agent("oracle", gym.make("CartPole-v1"))
