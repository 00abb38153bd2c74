"""Training, resuming and loading with Stable-Baselines3, on small environments."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO

from agents.engines import engine
from agents.engines.base import Progress, TrainConfig
from agents.engines.episodes import CopiesVecEnv
from agents.engines.sb3 import load, read, train
from agents.engines.sb3_config import hyperparameters, make_envs, resolve
from agents.engines.sb3_networks import policy_kwargs
from agents.engines.sb3_policy import MaskedPolicy
from agents.engines.vec_adapter import NativeVecEnv
from agents.loading import load_agent
from agents.policies.masked import MaskedCategorical
from agents.rollout import rollout
from agents.runs import Run, UnreadableCheckpointError
from agents.tables import FLAT
from hardware_sim.errors import InputError

LINE = "tests.agents.toy:Line-v0"
SMALL = {"policy_kwargs": {"net_arch": [16], "features_extractor_kwargs": {"features_dim": 16}}}


def config(env_id: str = LINE, algo: str = "ppo", **changes: Any) -> TrainConfig:
    base = TrainConfig(env_id, "sb3", algo, 512, 0, 8, hyperparameters=SMALL, checkpoint_every=256)
    return replace(base, **changes)


def trained(
    folder: Path, settings: TrainConfig, report: Callable[[Progress], None] = lambda _: None
) -> Run:
    run = Run.create(folder, settings.to_json())
    train(settings, run, report)
    return run


def play(agent: Any, env: gym.Env, seed: int) -> list[Any]:
    _, *moments = rollout(env, agent, seed)
    return [moment.action for moment in moments]


@pytest.mark.parametrize(
    ("env_id", "algo", "extra"),
    [
        (LINE, "ppo", {"n_steps": 32}),
        (LINE, "maskable_ppo", {"n_steps": 32}),
        ("tests.agents.toy:LineCopies-v0", "ppo", {"n_steps": 32}),
        ("CartPole-v1", "ppo", {"n_steps": 32}),
        ("CartPole-v1", "a2c", {}),
        ("CartPole-v1", "dqn", {"learning_starts": 64}),
        ("tests.agents.toy:Point-v0", "sac", {"learning_starts": 64, "train_freq": 8}),
        ("tests.agents.toy:Point-v0", "ppo", {"n_steps": 32}),
    ],
)
def test_algorithms_train_save_and_act(
    tmp_path: Path, env_id: str, algo: str, extra: dict[str, Any]
) -> None:
    reports: list[Progress] = []
    settings = config(env_id, algo, hyperparameters=SMALL | extra)
    run = trained(tmp_path / "run", settings, reports.append)
    rows = run.metrics()
    assert rows[-1]["step"] >= 512
    assert rows[-1]["episodes"] > 0
    assert any("loss" in key for key in rows[-1])
    assert reports[-1].step == rows[-1]["step"] == run.checkpoint_step(run.checkpoints()[0])
    env = gym.make(env_id)
    agent = load_agent(str(run.folder), env)
    for action in play(agent, env, seed=3):
        assert env.action_space.contains(action)


def test_masked_ppo_learns_to_walk_right(tmp_path: Path) -> None:
    settings = config(
        steps=6000,
        hyperparameters={"n_steps": 64, "learning_rate": 2e-3, "n_epochs": 6},
        env_kwargs={"noise": 0.0},
    )
    run = trained(tmp_path / "run", settings)
    env = gym.make(LINE)
    agent = load(run, env)
    for seed in range(8):
        observation, _ = env.reset(seed=seed)
        assert play(agent, env, seed) == [1] * (8 - observation["cell"])
    assert run.metrics()[-1]["mean_reward"] > run.metrics()[0]["mean_reward"]


def test_masks_are_used_where_they_exist_and_our_distribution_with_them() -> None:
    line, pole = gym.make(LINE), gym.make("CartPole-v1")
    assert resolve("ppo", line)[1].cls is MaskablePPO
    assert resolve("ppo", pole)[1].cls is PPO
    kwargs = policy_kwargs({"extractor": FLAT, "network": None, "policy_kwargs": {}})
    policy = MaskedPolicy(line.observation_space, line.action_space, lambda _: 1e-3, **kwargs)
    observation, _ = line.reset(seed=0)
    distribution = policy.get_distribution(
        policy.obs_to_tensor(observation)[0], np.array([False, False, True])
    )
    assert isinstance(distribution.distribution, MaskedCategorical)
    assert distribution.distribution.probs.tolist() == [[0, 0, 1]]


def test_several_choices_are_masked_one_by_one() -> None:
    space = gym.spaces.MultiDiscrete([2, 3])
    policy = MaskedPolicy(gym.spaces.Box(-1, 1, (4,)), space, lambda _: 1e-3)
    masks = np.array([[False, True, True, False, False]])
    actions, _, log_prob = policy(torch.zeros(1, 4), action_masks=masks)
    assert actions.tolist() == [[1, 0]]
    assert log_prob.item() == 0
    _, _, entropy = policy.evaluate_actions(torch.zeros(1, 4), actions, torch.tensor(masks))
    assert entropy is not None
    assert entropy.item() == 0


def test_native_vector_class_is_used_where_it_fits() -> None:
    assert isinstance(make_envs(config(), masked=True), NativeVecEnv)
    copies = make_envs(config("tests.agents.toy:LineCopies-v0"), masked=True)
    assert isinstance(copies, CopiesVecEnv)
    # CartPole's own vector class cannot reset some rows alone.
    assert isinstance(make_envs(config("CartPole-v1"), masked=False), CopiesVecEnv)


COUNTDOWN = "tests.envs.countdown:Countdown-v0"


@pytest.mark.parametrize(
    ("env_id", "options", "kind"),
    [
        (COUNTDOWN, {"start": 2}, NativeVecEnv),
        ("tests.envs.countdown:CountdownCopies-v0", {"start": 2}, CopiesVecEnv),
        ("envs:WoB-ClickButton-v0", {"split": "test"}, NativeVecEnv),
    ],
)
def test_every_training_episode_is_reset_with_the_options(
    env_id: str, options: dict[str, Any], kind: type
) -> None:
    envs = make_envs(config(env_id, num_envs=2, options=options), masked=True)
    assert isinstance(envs, kind)
    shown = {"start": "from 2"} if "start" in options else options
    envs.reset()
    begun = 0
    for _ in range(60):
        assert all(info.items() >= shown.items() for info in envs.reset_infos)
        masks = np.array(envs.env_method("action_masks"))
        *_, dones, _ = envs.step(masks.argmax(axis=1))
        begun += int(dones.sum())
    assert begun >= 2
    envs.close()


def test_options_that_a_vector_class_refuses_are_an_error_and_copies_take_its_arguments() -> None:
    with pytest.raises(InputError, match="unknown option 'stop'; allowed: start"):
        make_envs(config(COUNTDOWN, options={"stop": 2}), masked=True)
    pixels = config("envs:WoB-ClickButton-v0", num_envs=1, env_kwargs={"actions": "text"})
    assert isinstance(make_envs(pixels, masked=False), CopiesVecEnv)


@pytest.mark.parametrize(
    ("env_id", "algo", "message"),
    [
        ("CartPole-v1", "sac", r"sac cannot act in Discrete\(2\); allowed: ppo, .*dqn"),
        ("tests.agents.toy:Point-v0", "dqn", r"dqn cannot act in Box.*allowed: ppo, a2c, sac"),
        ("CartPole-v1", "maskable_ppo", r"needs an environment with action_masks\(\)"),
        ("CartPole-v1", "alphazero", "unknown algorithm of engine sb3 'alphazero'"),
    ],
)
def test_algorithm_that_does_not_fit(tmp_path: Path, env_id: str, algo: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trained(tmp_path / "run", config(env_id, algo))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hyperparameters": {"learning_rat": 1}}, "unknown hyperparameter 'learning_rat'"),
        ({"hyperparameters": {"gamma": "high"}}, "gamma of maskable_ppo is 'high', not a number"),
        ({"hyperparameters": {"policy_kwargs": {"activation_fn": "Relo"}}}, "activation_fn"),
        ({"env_kwargs": {"slope": 3}}, "cannot be made with {'slope': 3}"),
    ],
)
def test_bad_settings(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        trained(tmp_path / "run", config(**changes))


def test_neutral_names_mean_the_librarys() -> None:
    given = {"entropy": 0.5, "clip": 0.1, "lambda": 0.8, "epochs": 3, "minibatch": 32}
    settings = config(hyperparameters=given)
    values = hyperparameters(settings, "maskable_ppo", make_envs(settings, masked=True))
    assert values["ent_coef"] == 0.5
    assert values["clip_range"] == 0.1
    assert values["gae_lambda"] == 0.8
    assert values["n_epochs"] == 3
    assert values["batch_size"] == 32


def test_best_episode_replays_to_its_return_and_score(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", config())
    best = run.best_episode()
    assert best is not None
    env = gym.make(best["env_id"])
    env.reset(seed=best["seed"])
    total = 0.0
    for action in best["actions"]:
        _, reward, terminated, truncated, info = env.step(action)
        total += reward
    assert terminated or truncated
    assert total == best["return"]
    assert info["score"] == best["score"] == len(best["actions"])


def test_same_seed_trains_the_same_agent(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    runs = [
        trained(tmp_path / name, config(steps=256, seed=seed))
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    ]
    first, again, other = (read(run.checkpoints()[0])["parameters"]["policy"] for run in runs)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)
    assert runs[0].best_episode() == runs[1].best_episode()


def test_resume_continues_weights_steps_and_metrics(tmp_path: Path) -> None:
    settings = config(hyperparameters=SMALL | {"n_steps": 16})
    run = trained(tmp_path / "run", settings)
    before = read(run.checkpoints()[0])
    episodes = run.metrics()[-1]["episodes"]
    # As if killed after the checkpoint: rows beyond it and half a line are there.
    run.append_metrics({"step": 600, "episodes": 10_000})
    with run.metrics_path.open("a") as file:
        file.write("70")
    longer = replace(settings, steps=1024)
    reports: list[Progress] = []
    again = Run(run.folder)
    train(longer, again, reports.append)
    steps = [row["step"] for row in again.metrics()]
    assert steps == sorted(set(steps))
    assert 600 not in steps
    assert steps[-1] == 1024
    assert min(report.step for report in reports) > 512
    assert episodes < again.metrics()[-1]["episodes"] < 10_000
    after = read(again.checkpoints()[0])
    assert after["updates"] == 2 * before["updates"]
    optimiser = after["parameters"]["policy.optimizer"]["state"][0]
    assert optimiser["step"] == 2 * before["parameters"]["policy.optimizer"]["state"][0]["step"]


def test_resume_of_a_finished_run_does_nothing(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", config())
    before = run.checkpoints()[0].read_bytes()
    train(config(), Run(run.folder), lambda _: None)
    assert run.checkpoints()[0].read_bytes() == before


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.99])
def test_truncated_checkpoint_falls_back(tmp_path: Path, kept: float) -> None:
    run = trained(tmp_path / "run", config(hyperparameters=SMALL | {"n_steps": 16}))
    newest, previous, *_ = run.checkpoints()
    content = newest.read_bytes()
    newest.write_bytes(content[: int(len(content) * kept)])
    (run.folder / "checkpoints" / "best.json").unlink()
    env = gym.make(LINE)
    with pytest.warns(RuntimeWarning, match=f"unreadable checkpoint {newest.name}"):
        load(run, env)
    reports: list[Progress] = []
    with pytest.warns(RuntimeWarning, match=f"using {previous.name}"):
        train(config(steps=1024), Run(run.folder), reports.append)
    assert reports[-1].step >= 1024
    assert load(run, env).act(env.reset(seed=0)[0], {}) in (0, 1, 2)


def test_no_readable_checkpoint_is_an_error(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", config())
    for path in run.checkpoints():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="no checkpoint in"):
        load(run, gym.make(LINE))
    with pytest.raises(InputError, match="no checkpoint in"):
        train(config(steps=1024), Run(run.folder), lambda _: None)


def test_checkpoint_executes_no_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "touched",))

    path = tmp_path / "step-000000000001.pt"
    torch.save({"parameters": Evil()}, path)
    with pytest.raises(UnreadableCheckpointError):
        read(path)
    assert not (tmp_path / "touched").exists()


def test_agent_of_another_environment_is_refused(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", config("CartPole-v1", hyperparameters=SMALL))
    with pytest.raises(InputError, match="was trained on CartPole-v1"):
        load(run, gym.make("Acrobot-v1"))


def test_deterministic_and_sampled_agents(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", config(steps=64))
    env = gym.make(LINE)
    fixed = load(run, env)
    assert play(fixed, env, 1) == play(fixed, env, 1)
    sampled = load(run, env, deterministic=False)
    state = torch.get_rng_state()
    games = [play(sampled, env, seed) for seed in (1, 1, 2, 3, 4)]
    assert torch.equal(torch.get_rng_state(), state)
    assert games[0] == games[1]
    assert len({tuple(game) for game in games}) > 2


def test_interrupted_training_keeps_what_it_learned(tmp_path: Path) -> None:
    settings = config(steps=100_000, hyperparameters=SMALL | {"n_steps": 16})
    run = Run.create(tmp_path / "run", settings.to_json())

    def interrupt(progress: Progress) -> None:
        if progress.step >= 384:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(replace(settings, checkpoint_every=90_000), run, interrupt)
    assert run.checkpoint_step(run.checkpoints()[0]) >= 384


def test_engines_are_found_by_name() -> None:
    assert engine("sb3").ALGORITHMS.keys() >= {"ppo", "maskable_ppo", "dqn", "a2c", "sac"}
    with pytest.raises(InputError, match="unknown engine 'sb2'"):
        engine("sb2")


def test_placement_trains_and_its_best_placement_replays(tmp_path: Path) -> None:
    env_id = "envs:DevicePlacement-InceptionV3-v0"
    settings = config(env_id, hyperparameters={"n_steps": 128}, steps=512, num_envs=4)
    run = trained(tmp_path / "run", settings)
    best = json.loads((run.folder / "best.json").read_text())
    env = gym.make(env_id)
    env.reset(seed=best["seed"])
    for action in best["actions"]:
        *_, info = env.step(action)
    assert info["score"] == best["score"]
    assert best["score"] <= run.metrics()[-1]["mean_score"]
    assert len(play(load(run, env), env, seed=0)) == len(best["actions"])


def test_dance_trains_from_the_supervised_policy(tmp_path: Path) -> None:
    env_id = "envs:StepSelection-v1"
    settings = config(env_id, hyperparameters={"n_steps": 128}, steps=1024, num_envs=8)
    run = trained(tmp_path / "run", settings)
    env = gym.make(env_id)
    assert len(play(load(run, env), env, seed=0)) > 50


def test_softmax_trains_on_choices_with_masks(tmp_path: Path) -> None:
    env_id = "envs:AdaptiveSoftmax-v0"
    settings = config(env_id, hyperparameters={"n_steps": 64}, steps=512, num_envs=4)
    run = trained(tmp_path / "run", settings)
    env = gym.make(env_id)
    actions = play(load(run, env), env, seed=0)
    assert 1 <= len(actions) <= 5
    assert 0 < run.metrics()[-1]["mean_score"] <= 1
