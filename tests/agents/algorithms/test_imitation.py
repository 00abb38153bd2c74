"""Imitation of experts that act from what they observe, on a small id and on a walk of cells."""

from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from torch import nn

from agents.algorithms.choices import Choices
from agents.algorithms.imitation import Memory, collect, dagger, fit, greedy, uniform
from agents.policies.flat import FlatExtractor
from agents.softmax.baselines import Greedy
from hardware_sim.errors import InputError

CELLS = 9
START, GOAL = 4, CELLS - 1
LEFT, RIGHT = 0, 1


class Walk(gym.Env):
    """From the middle of nine cells to the last one in 12 steps; the first cell has no left."""

    observation_space = gym.spaces.Dict(
        {
            "cell": gym.spaces.Discrete(CELLS),
            "action_mask": gym.spaces.Box(0, 1, (2,), np.int8),
        }
    )
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cell, self.steps = START, 0
        return self.observe(), {}

    def step(self, action):
        assert self.cell or action == RIGHT, "illegal"
        self.cell += 1 if action == RIGHT else -1
        self.steps += 1
        ended, cut = self.cell == GOAL, self.steps == 12
        info = {"is_success": ended} if ended or cut else {}
        return self.observe(), 0.0, ended, cut and not ended, info

    def observe(self):
        mask = [0, 0] if self.cell == GOAL else [self.cell > 0, 1]
        return {"cell": self.cell, "action_mask": np.array(mask, np.int8)}


@pytest.fixture
def walks():
    env = gym.vector.SyncVectorEnv([Walk] * 6)
    yield env
    env.close()


@pytest.fixture(autouse=True)
def one_thread():
    """Several torch threads wait for each other on busy cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(env, seed=0):
    torch.manual_seed(seed)
    options = sum(Choices(env.single_action_space).sizes)
    return nn.Sequential(FlatExtractor(env.single_observation_space), nn.Linear(128, options))


def right(row, observation):
    assert observation["cell"] < GOAL, "asked after the end"
    return RIGHT


def agreement(env, expert, learner, seed):
    """The share of a learner's states in which it acts as the expert would."""
    memory = Memory()
    collect(memory, env, expert, 800, seed, learner, disturbance=0)
    records = memory.joined()
    return (learner(records.observations) == records.actions).all(1).mean()


def test_a_network_learns_to_cut_vocabularies_as_the_greedy_agent_does():
    env = gym.make_vec("envs:AdaptiveSoftmax-v0", num_envs=32)
    agent = Greedy(gym.make("envs:AdaptiveSoftmax-v0"))
    choices, random = Choices(env.single_action_space), np.random.default_rng(0)

    def expert(row, observation):
        return agent.act(observation, {})

    def chance(observations):
        return np.array([choices.draw(mask, random) for mask in observations["action_mask"]])

    policy = network(env)
    untrained = agreement(env, expert, greedy(policy, env.single_action_space), 1)
    dagger(policy, env, expert, rounds=2, steps=1500, updates=300)
    trained = agreement(env, expert, greedy(policy, env.single_action_space), 1)
    assert agreement(env, expert, chance, 1) < 0.2
    assert untrained < 0.2
    assert trained > 0.6
    env.close()


def test_aggregation_fits_the_states_that_the_network_comes_to(walks):
    policy = network(walks)
    with torch.no_grad():
        policy[1].bias.copy_(torch.tensor([9.0, 0.0]))  # walks to the left, where no expert goes
    learner = greedy(policy, walks.single_action_space)
    memory = Memory()
    assert collect(memory, walks, right, 200, 0, learner, disturbance=0) == 0
    cells = set(memory.joined().observations["cell"].tolist())
    assert cells == {0, 1, 2, 3, 4}
    successes = dagger(policy, walks, right, rounds=1, steps=200, updates=100)
    assert len(successes) == 2
    assert collect(Memory(), walks, right, 200, 0, learner, disturbance=0) == 1


def test_the_expert_is_asked_in_every_state_but_the_last_of_each_episode(walks):
    memory = Memory()
    assert collect(memory, walks, right, 600, 0, disturbance=0) == 1
    records = memory.joined()
    cells, counts = np.unique(records.observations["cell"], return_counts=True)
    assert cells.tolist() == [4, 5, 6, 7]
    assert counts.tolist() == [120] * 4  # a hundred steps of six rows, a fifth of them restarts
    assert (records.actions == RIGHT).all()
    assert records.observations["action_mask"].all()


def test_disturbance_leads_to_states_that_the_expert_avoids(walks):
    memory = Memory()
    rate = collect(memory, walks, right, 600, 0, disturbance=1)
    assert 0 < rate < 1
    assert set(memory.joined().observations["cell"].tolist()) == set(range(GOAL))


def test_states_in_which_the_expert_has_no_action_are_left_out(walks):
    memory = Memory()

    def knows_even_cells(row, observation):
        return RIGHT if observation["cell"] % 2 == 0 else None

    assert collect(memory, walks, knows_even_cells, 600, 0, disturbance=0) > 0.5
    assert set(memory.joined().observations["cell"].tolist()) == {4, 6}


def test_an_expert_without_any_action_is_refused(walks):
    memory = Memory()
    collect(memory, walks, lambda row, observation: None, 60, 0)
    with pytest.raises(InputError, match="no action in any state"):
        memory.joined()


def test_an_illegal_action_of_the_expert_is_refused(walks):
    with pytest.raises(InputError, match="action 0 in row 0 is illegal"):
        collect(Memory(), walks, lambda row, observation: LEFT, 600, 0, disturbance=0)


def test_states_are_kept_packed_and_unpacked_by_the_batches(walks):
    memory = Memory(lambda observations: {"cell": observations["cell"].astype(np.uint8)})
    collect(memory, walks, right, 200, 0)
    records = memory.joined()
    assert list(records.observations) == ["cell"]
    assert records.observations["cell"].dtype == np.uint8

    def batches(random):
        observations, actions = uniform(records, 32)(random)
        return {"cell": observations["cell"].long()}, actions

    policy = network(walks)
    first = fit(policy, walks.single_action_space, batches, 1, 1e-2, 0)
    assert fit(policy, walks.single_action_space, batches, 100, 1e-2, 0) < 0.5 * first


def test_the_same_seed_gives_the_same_weights(walks):
    def weights(seed):
        policy = network(walks)
        dagger(policy, walks, right, rounds=1, steps=60, updates=5, seed=seed)
        return torch.cat([part.flatten() for part in policy.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_actor_critics_are_fitted_by_their_logits(walks):
    class ActorCritic(nn.Module):
        def __init__(self):
            super().__init__()
            self.policy = network(walks)

        def forward(self, observations):
            logits = self.policy(observations)
            return logits, logits.sum(1)

    alone, pair = network(walks), ActorCritic()
    run = partial(dagger, env=walks, expert=right, rounds=0, steps=60, updates=5)
    assert run(alone) == run(pair)
    assert torch.equal(alone[1].weight, pair.policy[1].weight)


def test_other_environments_are_refused():
    same_step = gym.vector.SyncVectorEnv([Walk], autoreset_mode=AutoresetMode.SAME_STEP)
    pole = gym.make_vec("CartPole-v1", num_envs=1)
    for env, wanted in ((same_step, "NEXT_STEP"), (pole, "expected a Dict")):
        with pytest.raises(InputError, match=wanted):
            collect(Memory(), env, right, 10, 0)
        env.close()
