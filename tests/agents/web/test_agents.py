"""The web expert, the pointer policy and its imitation."""

from itertools import pairwise
from unittest.mock import Mock

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.wrappers import FilterObservation
from stable_baselines3 import PPO

from agents.algorithms.imitation import Memory
from agents.loading import load_agent
from agents.rollout import rollout
from agents.web import imitation
from agents.web.expert import AtALossError, Expert, expert_action
from agents.web.imitation import collect, fit, pack
from agents.web.policy import WebAgent, WebPolicy
from envs.registration import ENTRIES
from envs.web.actions import ACTIONS
from envs.weights import load_weights, save_weights
from experiments.train import configure, train
from hardware_sim.errors import InputError

WEB = [name for name, entry in ENTRIES.items() if entry.domain == "web"]
LOGIN = "envs.web.tasks.catalogue:make:Login"


def play(env, agent, seed, **options):
    for before, after in pairwise(rollout(env, agent, seed, options=options)):
        shown = before.observation
        assert "action_mask" not in shown or shown["action_mask"][after.action]
        assert "error" not in after.info
    return after.info


@pytest.mark.parametrize("env_id", WEB)
def test_the_expert_always_succeeds(env_id):
    env = gym.make(f"envs:{env_id}", backend="twin")
    expert = load_agent("expert", env)
    for seed in range(15):
        for split in ("train", "test"):
            assert play(env, expert, seed, split=split)["is_success"], (seed, split)
    env.close()


@pytest.mark.parametrize("site", ["AA", "Alaska"])
def test_the_expert_gives_the_answers_that_people_gave(site):
    env = gym.make(f"envs:WoB-{site}-v0", backend="twin")
    expert = load_agent("expert", env)
    results = [play(env, expert, seed, source="formwob")["is_success"] for seed in range(40)]
    assert np.mean(results) >= 0.95  # some people misread their instruction


@pytest.mark.parametrize(
    ("site", "backend"),
    [("United", "shell"), ("JetBlue", "shell"), ("United", "chromium"), ("United", "selenium")],
)
def test_the_expert_books_in_a_real_browser(site, backend):
    env = gym.make(f"envs:WoB-{site}-v0", backend=backend)
    assert play(env, load_agent("expert", env), 0)["score"] == 1
    env.close()


@pytest.mark.parametrize("env_id", WEB)
def test_the_expert_succeeds_with_textual_commands(env_id):
    env = gym.make(f"envs:{env_id}", backend="twin", actions="text")
    expert = load_agent("expert", env)
    assert all(play(env, expert, seed)["is_success"] for seed in range(5))
    env.close()


@pytest.mark.parametrize("task", ["Login", "DragSort", "SelectOption", "Slider", "United"])
def test_every_kind_of_action_leads_to_the_same_request(task):
    sent = []
    for settings in (
        {"backend": "twin"},
        {"backend": "twin", "actions": "text"},
        {"actions": "events", "max_events": 8},
    ):
        env = gym.make(f"envs:WoB-{task}-v0", **settings)
        assert play(env, load_agent("expert", env), seed=2)["score"] == 1
        sent.append(env.unwrapped.session.recorder.log[-1])
        env.close()
    assert sent[0] == sent[1] == sent[2]


@pytest.fixture
def one_thread():
    """Several torch threads wait for each other on busy cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_stable_baselines_trains_on_raw_events_and_pixels():
    env = gym.make("envs:WoB-ClickButton-v0", actions="events", frame_rate=12, pixels=True)
    env = FilterObservation(env, ["pixels", "pointer"])
    model = PPO("MultiInputPolicy", env, n_steps=8, batch_size=8, n_epochs=1, seed=0)
    model.learn(16)
    assert model.num_timesteps == 16
    action, _ = model.predict(env.reset(seed=1)[0])
    assert action in env.action_space
    env.close()


def test_the_expert_recovers_from_any_state():
    env = gym.make("envs:WoB-United-v0", backend="twin")
    expert, random = load_agent("expert", env), np.random.default_rng(0)
    for seed in range(5):
        observation, info = env.reset(seed=seed)
        for _ in range(20):
            legal = np.flatnonzero(observation["action_mask"])
            observation, _, terminated, _, info = env.step(random.choice(legal))
            assert not terminated
        while not terminated:
            observation, _, terminated, truncated, info = env.step(expert.act(observation, info))
            assert not truncated
        assert info["score"] > 0.5
    env.close()


def test_the_expert_is_for_web_environments():
    env = gym.make("CartPole-v1")
    for agent in (Expert, WebAgent):
        with pytest.raises(InputError, match="web"):
            agent(env)


def batch(env, count=3):
    seen = [env.reset(seed=seed)[0] for seed in range(count)]
    return {key: torch.as_tensor(np.stack([o[key] for o in seen])) for key in seen[0]}


def test_a_page_means_the_same_in_any_batch():
    torch.manual_seed(0)
    policy = WebPolicy().eval()
    small = gym.make("envs:WoB-Login-v0", backend="twin")
    large = gym.make("envs:WoB-Alaska-v0", backend="twin")
    both = {key: torch.cat([part, batch(large, 1)[key]]) for key, part in batch(small, 1).items()}
    with torch.inference_mode():
        alone, together = policy(batch(small, 1)), policy(both)
    assert alone[0].shape == (1, ACTIONS)
    legal = both["action_mask"][0] > 0
    assert torch.allclose(alone[0][0, legal], together[0][0, legal], atol=1e-5)
    assert torch.allclose(alone[1][0], together[1][0], atol=1e-5)


@pytest.mark.parametrize("sees", ["pixels", "both"])
def test_a_policy_may_see_pixels(sees):
    torch.manual_seed(0)
    env = gym.make("envs:WoB-ClickColour-v0", pixels=True)
    policy = WebPolicy(sees).eval()
    seen = batch(env, 2)
    darker = {**seen, "pixels": seen["pixels"] // 2}
    unread = {**seen, "text": torch.zeros_like(seen["text"])}
    with torch.inference_mode():
        logits, dark, silent = (policy(each)[0] for each in (seen, darker, unread))
    assert logits.shape == (2, ACTIONS)
    assert not torch.allclose(logits, dark)
    assert torch.allclose(logits, silent) == (sees == "pixels")
    env.close()


def test_a_policy_that_sees_pixels_needs_them():
    env = gym.make("envs:WoB-Login-v0", backend="twin")
    with pytest.raises(InputError, match="pixels=True"):
        WebAgent(env, sees="pixels")
    with pytest.raises(InputError, match="both, dom, pixels"):
        WebPolicy("ears")


SHORT = {
    "sb3": {"n_steps": 8, "batch_size": 32, "n_epochs": 1},
    "rllib": {"train_batch_size_per_learner": 64, "minibatch_size": 32, "num_epochs": 1},
}


@pytest.mark.parametrize("engine", ["sb3", pytest.param("rllib", marks=pytest.mark.peers)])
def test_engines_go_on_from_weights(engine, tmp_path):
    torch.manual_seed(0)
    network, start = WebPolicy(), tmp_path / "start.safetensors"
    save_weights(network, start)
    config = configure(
        "WoB-EnterText-v0",
        engine=engine,
        steps=64,
        num_envs=8,
        env_kwargs={"backend": "twin"},
        hyperparameters={**SHORT[engine], "weights": str(start), "learning_rate": 1e-9},
    )
    train(config, tmp_path / engine, quiet=True)
    env = gym.make("envs:WoB-EnterText-v0", backend="twin")
    trained, first = load_agent(str(tmp_path / engine), env), WebAgent(env, start)
    for seed in range(5):
        observation, info = env.reset(seed=seed)
        assert trained.act(observation, info) == first.act(observation, info)
    env.close()


def test_weights_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_weights(torch.nn.Linear(2, 2), path)
    with pytest.raises(InputError, match="another network's"):
        load_weights(WebPolicy(), path)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read"):
        load_weights(WebPolicy(), path)
    with pytest.raises(InputError, match="cannot be read"):
        load_weights(WebPolicy(), tmp_path / "none.safetensors")


@pytest.mark.usefixtures("one_thread")
def test_imitation_lowers_the_loss():
    torch.manual_seed(0)
    memory, policy = Memory(pack), WebPolicy()
    rate = collect(memory, LOGIN, 320, None, 0)
    records = memory.joined()
    assert rate > 0.5
    assert len(records.actions) > 200
    first = fit(policy, records, 2, 1e-3, 0)
    assert fit(policy, records, 25, 1e-3, 0) < 0.7 * first


def test_imitation_leaves_out_where_the_expert_is_at_a_loss_but_not_its_bugs(monkeypatch):
    memory, asked = Memory(pack), []

    def at_a_loss_every_other_time(session):
        asked.append(session)
        if len(asked) % 2:
            raise AtALossError("no field")
        return expert_action(session)

    monkeypatch.setattr(imitation, "expert_action", at_a_loss_every_other_time)
    collect(memory, LOGIN, 64, None, 0)
    assert len(memory.joined().actions) == len(asked) // 2
    for bug in (InputError, IndexError, StopIteration):
        monkeypatch.setattr(imitation, "expert_action", Mock(side_effect=bug("a bug")))
        with pytest.raises(bug, match="a bug"):
            collect(Memory(pack), LOGIN, 64, None, 0)


def test_shipped_weights_follow_instructions_they_have_not_seen():
    env = gym.make("envs:WoB-ClickButton-v0", backend="twin")
    agent = load_agent("pretrained", env)
    results = [play(env, agent, seed, split="test")["is_success"] for seed in range(20)]
    assert np.mean(results) >= 0.9
    env.close()


class Stubborn(WebPolicy):
    """Prefers the actions with the lowest numbers, whatever it sees."""

    def forward(self, observation):
        batch = len(observation["action_mask"])
        return -torch.arange(ACTIONS).float().expand(batch, -1), torch.zeros(batch)


def test_the_agent_never_does_the_same_thing_twice_in_one_situation():
    env = gym.make("envs:WoB-ClickRadio-v0", backend="twin")
    agent = WebAgent(env)
    agent.policy = Stubborn()
    observation, info = env.reset(seed=0)
    agent.reset(0)
    acts = [agent.act(observation, info) for _ in range(5)]
    assert acts == np.flatnonzero(observation["action_mask"])[:5].tolist()
    agent.reset(0)
    assert agent.act(observation, info) == acts[0]
    env.close()
