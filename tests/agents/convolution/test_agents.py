"""Searches and learned agents on the tuning environment, and both engines on it."""

import math
import re
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

import agents
import experiments
from agents.convolution import cost_model, recipe
from agents.convolution.extractor import TuningExtractor
from agents.convolution.search import Annealing, Greedy, Oracle, Roofline
from agents.engines import rllib, sb3
from agents.engines.base import TrainConfig
from agents.engines.rllib_session import session
from agents.loading import load_agent
from agents.rollout import rollout
from agents.runs import Run
from agents.tables import BASELINES
from agents.view import View
from envs.convolution import tables
from envs.convolution.env import ConvTuningEnv
from envs.registration import CURRENT, ENTRIES
from experiments.train import configure
from hardware_sim.errors import InputError
from hardware_sim.kernels import space
from hardware_sim.kernels.layers import find

ENV_ID = "envs:ConvTuning-v1"
SEARCHES = (
    "random",
    "greedy",
    "annealing",
    "roofline",
    "cost-model",
    "adaptive",
    "pretrained",
    "oracle",
)


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks gain nothing from two threads, and on a busy machine wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def play(name, layer, seed=0, budget=32):
    """The choices of an episode, and its last info."""
    env = gym.make(ENV_ID, budget=budget)
    agent = load_agent(name, env, deterministic=False)
    _, *moments = rollout(env, agent, seed, options={"layer": layer})
    env.close()
    chosen = [tuple(int(knob) for knob in moment.action) for moment in moments]
    return chosen, moments[-1].info


@pytest.mark.parametrize("name", SEARCHES)
def test_agents_choose_what_is_open_and_repeat_themselves_by_seed(name):
    for layer in ("OverFeat4", "AlexNet1"):
        chosen, info = play(name, layer)
        masks = [np.concatenate(table.masks) for table in tables.layers([layer])]
        offsets = np.cumsum([0, *space.SIZES[:-1]])
        assert all(masks[0][offsets + choice].all() for choice in chosen)
        assert play(name, layer)[0] == chosen
        assert 0 < info["score"] <= 1


def test_every_agent_of_the_domain_is_tried_here():
    assert {*BASELINES["convolution"]} | {"random"} == {*SEARCHES, "tpe"}


def test_tpe_searches_with_optuna():
    chosen, info = play("tpe", "ResNet2", budget=12)
    assert len(set(chosen)) > 4
    assert 0 < info["score"] <= 1
    assert play("tpe", "ResNet2", budget=12)[0] == chosen


def test_tpe_names_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"gymworks\[convolution\]"):
        play("tpe", "ResNet2", budget=2)


def test_the_oracle_has_everything_at_once_and_no_search_has_more():
    for layer in ("ResNet2", "OverFeat2"):
        assert play("oracle", layer, budget=1)[1]["share"] == pytest.approx(1)
        for name in ("greedy", "annealing"):
            assert play(name, layer)[1]["share"] <= 1 + 1e-9


def test_greedy_keeps_what_is_fastest_and_changes_one_knob_at_a_time():
    chosen, info = play("greedy", "ResNet2")
    open_ = int(tables.layers(["ResNet2"])[0].masks[0].sum())
    assert {choice[0] for choice in chosen[:open_]} == set(
        np.flatnonzero(tables.layers(["ResNet2"])[0].masks[0]).tolist()
    )
    assert {choice[1:] for choice in chosen[:open_]} == {space.DEFAULT[1:]}
    assert info["share"] > 0.8


def test_ranked_agents_try_different_kernels_in_the_order_of_their_model():
    env = gym.make(ENV_ID)
    predictions = Roofline(View.of(env)).predict("ResNet4")
    chosen, _ = play("roofline", "ResNet4")
    ordered = [predictions[choice] for choice in chosen]
    assert ordered == sorted(ordered, reverse=True)
    alike = space.choices(find("ResNet4").problem, tables.measured_on())
    kernels = [variant for c in chosen for variant, cs in alike.items() if c in cs]
    assert len(set(kernels)) == len(chosen)
    assert (
        np.isnan(predictions[:, 0, 0, 0]).tolist()
        == (~tables.layers(["ResNet4"])[0].masks[0]).tolist()
    )


def test_agents_of_the_domain_refuse_other_environments():
    for kind in (Greedy, Annealing, Oracle):
        with pytest.raises(InputError, match="tunes convolutions"):
            kind(gym.make("CartPole-v1"))


def test_the_cost_model_knows_layers_it_has_not_seen():
    shares = []
    for table in tables.replay().values():
        best = math.log(np.nanmax(table.speedup))
        if table.split == "test" and best > 0.05:
            predictions = cost_model.predict(find(table.name).problem, tables.measured_on())
            assert (np.isnan(predictions) == np.isnan(table.speedup)).all()
            first = np.unravel_index(np.nanargmax(predictions), predictions.shape)
            shares.append(math.log(table.speedup[first]) / best)
    assert np.mean(shares) > 0.6


def test_the_cost_model_serves_as_reward():
    env = ConvTuningEnv(["ResNet2"], backend="model", model="agents.convolution.cost_model:predict")
    env.reset(seed=0)
    predictions = cost_model.predict(find("ResNet2").problem, tables.measured_on())
    _, _, _, _, info = env.step(np.array([5, 2, 1, 0]))
    assert info["tried"] == pytest.approx(math.exp(predictions[5, 2, 1, 0]))


def test_a_cost_model_is_fitted_to_measurements():
    few = tables.layers(["ResNet4", "ResNet2"])
    model = recipe.fit(few, seed=0, updates=120)
    x, y, _ = recipe.samples(few)
    with torch.no_grad():
        error = (model(x).mean(dim=0) - y).abs().mean()
    assert error < 0.5 * (y - y.mean()).abs().mean()
    assert recipe.regret(model, few, 8) > 0.8


def test_recipes_and_agents_name_no_id_that_a_later_version_has_replaced():
    replaced = re.compile("|".join(re.escape(name) for name in ENTRIES if name not in CURRENT))
    for floor in (agents, experiments):
        for path in Path(floor.__file__).parent.rglob("*.py"):
            assert not replaced.search(path.read_text()), path


def test_the_extractor_distinguishes_methods_and_wants_a_tuning_observation():
    env = gym.make(ENV_ID)
    extractor = TuningExtractor(env.observation_space, features_dim=32)
    observation, _ = env.reset(seed=0)
    batch = {key: torch.from_numpy(value)[None] for key, value in observation.items()}
    features = extractor(batch)
    assert features.shape == (1, 32)
    swapped = batch | {"methods": batch["methods"].flip(1)}
    assert not torch.allclose(extractor(swapped), features)
    with pytest.raises(InputError, match="no tuning observation"):
        TuningExtractor(gym.spaces.Dict({"layer": gym.spaces.Box(0, 1, (3,))}))


def trained(folder: Path, engine: str) -> TrainConfig:
    sizes = {"n_steps": 32, "batch_size": 256, "n_epochs": 2}
    if engine == "rllib":
        sizes = {"train_batch_size_per_learner": 256, "minibatch_size": 128, "num_epochs": 2}
    config = configure(ENV_ID, engine=engine, steps=512, seed=0, num_envs=8, hyperparameters=sizes)
    Run.create(folder, config.to_json())
    return config


def test_the_engine_of_stable_baselines_trains_a_tuner(tmp_path):
    config = trained(tmp_path / "run", "sb3")
    sb3.train(config, Run(tmp_path / "run"), lambda _: None)
    chosen, info = play(str(tmp_path / "run"), "ResNet2")
    assert len(chosen) == 32
    assert 0 < info["score"] <= 1


@pytest.mark.peers
def test_the_engine_of_ray_trains_a_tuner(tmp_path):
    config = trained(tmp_path / "run", "rllib")
    with session(num_cpus=2):
        rllib.train(config, Run(tmp_path / "run"), lambda _: None)
        chosen, info = play(str(tmp_path / "run"), "ResNet2")
    assert len(chosen) == 32
    assert 0 < info["score"] <= 1
