"""Schedules by hand and by search."""

from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest

from agents.loading import load_agent
from agents.loops import search
from agents.loops.baselines import Hand
from agents.rollout import rollout
from agents.tables import BASELINES
from envs.loops.batch import MAX_STEPS
from envs.loops.nest import Kind, Nest
from envs.loops.problem import CONVOLUTIONS, Problem
from envs.loops.task import Judge, LoopTask
from hardware_sim.errors import InputError
from hardware_sim.processors import Processor


@pytest.fixture
def judge():
    problem = Problem.parse("matmul-64x64x64")
    return Judge(LoopTask(problem, 2, Processor.load("zen4"), "model"))


def after(nest, edits):
    for action in search.actions_of(nest, edits):
        nest = nest.after(action)
    return nest


@pytest.mark.parametrize(
    "name", ["matmul-64x64x64", "matmul-112x480x352", "matmul-5x13x7", *CONVOLUTIONS["test"]]
)
def test_the_hand_schedule_keeps_a_tile_in_registers(judge, name):
    nest = Nest.unscheduled(Problem.parse(name), threads=2)
    edits = search.hand(nest, registers=32, lanes=16)
    scheduled = after(nest, edits)
    *_, last = scheduled.loops
    unrolled = [loop.extent for loop in scheduled.loops if loop.kind == Kind.UNROLLED]
    assert last.kind == Kind.VECTORISED
    assert scheduled.block >= 0
    assert -(-last.extent // 16) * np.prod(unrolled, initial=1) < 32
    assert len(search.actions_of(nest, edits)) < MAX_STEPS
    assert judge(scheduled) < judge(nest) / 10


def test_greedy_takes_the_best_edit_until_none_improves(judge):
    nest = Nest.unscheduled(Problem.parse("matmul-64x64x64"), threads=2)
    found = search.greedy(nest, judge)
    end = after(nest, found.edits)
    assert judge(end) == found.seconds < judge(nest)
    choices = [(d, a) for d in range(len(end.loops)) for a in search.EDITS]
    ahead = [search.edited(end, edit) for edit in choices]
    assert min(judge(other) for other in ahead if other) >= found.seconds
    few = search.greedy(nest, judge, evaluations=10)
    assert few.evaluations == 10


def test_annealing_spends_its_evaluations_repeats_and_finds_what_greedy_does_not(judge):
    nest = Nest.unscheduled(Problem.parse("matmul-64x64x64"), threads=2)
    first = search.annealing(nest, judge, 1_500, seed=0)
    assert judge.evaluations == first.evaluations == 1_500
    second = search.annealing(nest, judge, 1_500, seed=0)
    assert (first.edits, first.seconds) == (second.edits, second.seconds)
    assert judge(after(nest, first.edits)) == first.seconds
    assert len(search.actions_of(nest, first.edits)) < MAX_STEPS
    assert first.seconds < search.greedy(nest, judge).seconds
    with pytest.raises(InputError, match="at least 1"):
        search.annealing(nest, judge, 0, seed=0)


@pytest.mark.parametrize("name", BASELINES["loops"])
def test_every_baseline_acts_as_an_agent(name):
    env = gym.make("envs:LoopSchedule-v0")
    agent = load_agent(name, env)
    for before, after in pairwise(rollout(env, agent, 1, agent_seed=0)):
        assert before.observation["action_mask"][after.action]
    assert not after.truncated
    assert after.info["speedup"] >= 1


def test_baselines_refuse_other_domains():
    with pytest.raises(InputError, match="schedules loops"):
        Hand(gym.make("CartPole-v1"))
