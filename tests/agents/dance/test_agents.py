"""The row critic, the policy that starts as the critics', and agents of the dance environments."""

from itertools import islice, pairwise

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.dance.baselines import fitted_ngram, likeliest
from agents.dance.policy import Cloned, DanceNetwork
from agents.loading import load_agent
from agents.rollout import rollout
from agents.tables import BASELINES
from envs.dance.batch import LEAST_CHANCE, LEAST_LOG_PROB
from envs.dance.chart import held_before
from envs.dance.corpus import VARIABLE
from envs.dance.levels import LEGAL, PRESSES
from envs.dance.rewards import conditional
from envs.dance.row_critic import RowModel, RowNetwork, holding, seen


def sound_rows(random, count):
    """Rows ``(64,)`` of a chart, zeros before its start."""
    rows, held = [], 0
    for _ in range(count):
        row = random.choice(np.flatnonzero(LEGAL[held])[1:])
        rows.append(row)
        for panel in range(4):
            state = row >> (2 * panel) & 3
            held = held | 1 << panel if state == 2 else held & ~(1 << panel) if state == 3 else held
    return np.array([0] * (64 - count) + rows, np.uint8)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_row_critic_equals_its_network_in_batches_of_any_size(seed):
    random = np.random.default_rng(seed)
    network = RowNetwork()
    model = RowModel(network)
    rows = np.stack([sound_rows(random, int(random.integers(0, 65))) for _ in range(5)])
    given_ = rows, random.exponential(0.3, (5, 64)).astype(np.float32)
    given_ += random.integers(0, 48, 5), random.integers(0, 5, 5)
    together = model.log_probs(*given_)
    alone = np.concatenate(
        [model.log_probs(*(part[i : i + 1] for part in given_)) for i in range(5)]
    )
    assert together.tobytes() == alone.tobytes()
    looked_up, held = seen(*given_)
    with torch.no_grad():
        logits = network(torch.from_numpy(looked_up)).double().numpy()
    logits[~LEGAL[held]] = -np.inf
    logits[:, 0] = -np.inf
    plain = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert np.isneginf(together).tolist() == np.isneginf(plain).tolist()
    kept = np.isfinite(plain)
    assert together[kept] == pytest.approx(plain[kept], abs=1e-4)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 64))
def test_what_is_held_is_read_from_the_rows(seed, count):
    rows = sound_rows(np.random.default_rng(seed), count)
    held = held_before(np.append(rows[-count:], np.uint8(0)))[-1]
    assert holding(rows[None])[0] == (held * [1, 2, 4, 8]).sum()


def supervised_by_hand(env, observation):
    """Log-probabilities of all rows, by the critics of the environment."""
    core = env.unwrapped.core
    log_probs = core.critic.log_probs(
        observation["rows"][None],
        observation["deltas"][None],
        np.array([core.episodes.ticks[core.episode[0], core.place[0]] % 48]),
        core.episodes.level[core.episode],
    ).astype(np.float64)
    if core.task == "selection":
        return log_probs[0]
    chance = np.clip(float(observation["onset"][0]), LEAST_CHANCE, 1 - LEAST_CHANCE)
    pressing = np.log(chance) + conditional(log_probs, np.array([True]))[0]
    ending = np.log(1 - chance) + conditional(log_probs, np.array([False]))[0]
    return np.where(PRESSES > 0, pressing, ending)


@pytest.mark.parametrize("name", ["Choreography-v0", "StepSelection-v1"])
def test_the_untrained_policy_is_the_critics_own(name):
    env = gym.make(f"envs:{name}")
    agent = Cloned(env)
    observation, info = env.reset(seed=2)
    agent.reset(2)
    compared = 0
    for _ in range(150):
        batch = {key: torch.from_numpy(value[None]) for key, value in observation.items()}
        with torch.no_grad():
            logits = agent.network(batch)[0][0].numpy()
        expected = supervised_by_hand(env, observation)
        likely = expected > LEAST_LOG_PROB
        assert logits[likely] == pytest.approx(expected[likely], abs=2e-3)
        compared += likely.sum()
        observation, _, ended, _, info = env.step(agent.act(observation, info))
        if ended:
            observation, info = env.reset()
    assert compared > 1000


def test_placement_starts_as_the_onset_critic():
    env = gym.make("envs:StepPlacement-v0")
    observation, _ = env.reset(seed=0)
    batch = {key: torch.from_numpy(value[None]) for key, value in observation.items()}
    probs = DanceNetwork()(batch)[0].detach().softmax(dim=-1)[0]
    assert float(probs[1]) == pytest.approx(float(observation["onset"][0]), abs=2e-3)


@pytest.fixture
def charts_to_read(invented_data, monkeypatch):
    """Charts that n-grams are fitted to."""
    monkeypatch.setenv(VARIABLE, str(invented_data))
    fitted_ngram.cache_clear()
    yield
    fitted_ngram.cache_clear()


@pytest.mark.parametrize("name", BASELINES["dance"])
@pytest.mark.parametrize("task", ["Choreography-v0", "StepPlacement-v0", "StepSelection-v1"])
@pytest.mark.usefixtures("charts_to_read")
def test_agents_play_by_the_rules_and_repeat(name, task):
    env = gym.make(f"envs:{task}")
    agent = load_agent(name, env)
    charts = []
    for _ in range(2):
        options = {"song": "metal_madness", "level": "Medium"}
        moments = rollout(env, agent, 1, agent_seed=7, options=options)
        for before, after in islice(pairwise(moments), 60):
            assert before.observation["action_mask"][after.action]
        charts.append(env.unwrapped.chart()[2].tolist())
    assert charts[0] == charts[1]
    assert charts[0]


def test_likeliest_times_keep_their_distance():
    times = np.arange(10) * 0.1
    chances = np.array([0.1, 0.9, 0.8, 0.1, 0.7, 0.2, 0.6, 0.1, 0.1, 0.5], np.float32)
    assert likeliest(chances, times, 3, 0.15).tolist() == [1, 4, 6]
    assert likeliest(chances, times, 99, 0.0).tolist() == list(range(10))
