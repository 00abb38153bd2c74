"""The RLlib engine, with a real Ray session on this machine."""

import io
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import ray
import torch
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

import rllib_toys  # noqa: E402

from agents.engines import rllib, rllib_offline  # noqa: E402
from agents.engines import rllib_checkpoint as checkpoint  # noqa: E402
from agents.engines.base import Progress, TrainConfig  # noqa: E402
from agents.engines.rllib_config import build  # noqa: E402
from agents.engines.rllib_env import TrainingTeam  # noqa: E402
from agents.engines.rllib_session import session  # noqa: E402
from agents.engines.teams import make_team  # noqa: E402
from agents.policies.rllib_module import MaskedActorCritic  # noqa: E402
from agents.rollout import rollout  # noqa: E402
from agents.runs import Run  # noqa: E402
from envs.softmax.batch import ILLEGAL_REWARD  # noqa: E402
from experiments.convert import convert  # noqa: E402
from experiments.train import configure  # noqa: E402
from hardware_sim.errors import InputError  # noqa: E402
from hardware_sim.naming import trusting  # noqa: E402

CHAIN = "rllib_toys:Chain-v0"
REACH = "rllib_toys:Reach-v0"
COUNTDOWN = "tests.envs.countdown:Countdown-v0"


def longer(*values: str) -> Any:
    """Values of a test that are left to ``make test-peers``; PPO's cover the engine quickly."""
    return pytest.param(*values, marks=pytest.mark.peers)


@pytest.fixture(scope="module", autouse=True)
def ray_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One session for all tests, started where neither the packages nor the toys are."""
    before, path = Path.cwd(), os.environ.get("PYTHONPATH")
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    os.environ["PYTHONPATH"] = str(HERE)
    with session(num_cpus=3):
        os.chdir(before)
        yield
    assert not ray.is_initialized()
    os.environ.pop("PYTHONPATH")
    if path is not None:
        os.environ["PYTHONPATH"] = path


def start(folder: Path, algo: str, env_id: str = CHAIN, **settings: Any) -> TrainConfig:
    defaults: dict[str, Any] = {"steps": 400, "num_envs": 4, "checkpoint_every": 200}
    config = TrainConfig(env_id, "rllib", algo, seed=3, **(defaults | settings))
    Run.create(folder, config.to_json())
    return config


def train(folder: Path, algo: str, env_id: str = CHAIN, **settings: Any) -> list[Progress]:
    config = start(folder, algo, env_id, **settings)
    reports: list[Progress] = []
    rllib.train(config, Run(folder), reports.append)
    return reports


def play(folder: Path, env: gym.Env[Any, Any], seed: int = 0) -> float:
    agent = rllib.load(Run(folder), env)
    return sum(moment.reward for moment in rollout(env, agent, seed))


@pytest.mark.parametrize("algo", ["ppo", *(longer(algo) for algo in ("appo", "impala", "dqn"))])
def test_masked_algorithms_train_and_act_legally(algo: str, tmp_path: Path) -> None:
    # The environment raises on an illegal action, in training as in play.
    reports = train(tmp_path / "run", algo)
    assert reports[-1].step >= 400
    assert reports[-1].metrics["best_score"] >= 1
    run = Run(tmp_path / "run")
    assert Run.checkpoint_step(run.checkpoints()[0]) == reports[-1].step
    rows = run.metrics()
    assert [row["step"] for row in rows] == sorted({row["step"] for row in rows})
    assert any(name in rows[-1] for name in ("total_loss", "vf_loss"))
    assert 0 <= play(tmp_path / "run", rllib_toys.Chain()) <= 6


@pytest.mark.peers
def test_dqn_learns_what_the_mask_allows(tmp_path: Path) -> None:
    reports = train(tmp_path / "run", "dqn", steps=3000, hyperparameters={"learning_rate": 3e-3})
    assert play(tmp_path / "run", rllib_toys.Chain()) >= 5
    assert reports[-1].metrics["mean_reward"] > reports[0].metrics["mean_reward"]


def test_best_episode_replays_from_its_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path / "run", "ppo", CHAIN)
    monkeypatch.chdir(tmp_path)
    assert 0 <= play(Path("run"), rllib_toys.Chain()) <= 6  # by a relative path, as people write
    best = Run(tmp_path / "run").best_episode()
    assert best is not None
    env = rllib_toys.Chain()
    env.reset(seed=best["seed"])
    total, info = 0.0, {}
    for action in best["actions"]:
        _, reward, _, _, info = env.step(action)
        total += reward
    assert total == best["return"]
    assert info["score"] == best["score"]


def test_every_episode_is_reset_with_the_options(tmp_path: Path) -> None:
    train(tmp_path / "run", "ppo", COUNTDOWN, steps=64, options={"start": 11})
    best = Run(tmp_path / "run").best_episode()
    assert best is not None
    assert len(best["actions"]) >= 4  # those without the option start at 6 at most, the mask allows
    env = gym.make(COUNTDOWN)
    env.reset(seed=best["seed"], options={"start": 11})
    assert sum(env.step(action)[1] for action in best["actions"]) == best["return"]
    team = TrainingTeam({"env_id": "rllib_toys:Pair", "env_kwargs": {}, "options": {"a": 1}})
    given: list[Any] = []
    team.par_env.reset = lambda seed, options: given.append(options) or ({}, {})
    team.reset(seed=1)
    team.reset(options={"b": 2})
    assert given == [{"a": 1}, {"a": 1, "b": 2}]


def test_learning_from_demonstrations_resets_nothing() -> None:
    config = TrainConfig(CHAIN, "rllib", "bc", 100, 0, options={"split": "test"})
    with pytest.raises(InputError, match="bc learns from demonstrations and resets no environment"):
        build(config)


def test_an_interrupted_training_keeps_what_it_has_learned(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = {"train_batch_size_per_learner": 100}
    config = start(folder, "ppo", checkpoint_every=400, hyperparameters=settings)

    def interrupt(progress: Progress) -> None:
        if progress.step >= 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rllib.train(config, Run(folder), interrupt)
    assert Run(folder).reached == 200
    reports: list[Progress] = []
    rllib.train(config, Run(folder), reports.append)
    assert [report.step for report in reports] == [300, 400]


def test_resume_continues_past_a_truncated_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    config = start(folder, "ppo", hyperparameters={"train_batch_size_per_learner": 200})
    rllib.train(config, Run(folder), lambda _: None)
    newest = Run(folder).checkpoints()[0]
    newest.write_bytes(newest.read_bytes()[:100])
    before = Run(folder).metrics()
    longer = TrainConfig.from_json(config.to_json() | {"steps": 600})
    reports: list[Progress] = []
    with pytest.warns(RuntimeWarning, match=f"unreadable checkpoint {newest.name}"):
        rllib.train(longer, Run(folder), reports.append)
    assert [report.step for report in reports] == [400, 600]
    assert Run(folder).metrics()[0] == before[0]
    assert reports[-1].metrics["episodes"] > before[0]["episodes"]


class Bomb:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    """A run with a checkpoint as RLlib writes it, which earlier versions kept."""
    config = start(tmp_path / "old", "ppo")
    algorithm = build(config).build_algo()
    algorithm.save_to_path((tmp_path / "old" / "checkpoints" / f"step-{400:012d}").resolve())
    algorithm.stop()
    return tmp_path / "old"


def test_pickles_of_rllib_are_opened_by_convert_and_trust_only(old_run: Path) -> None:
    marker = old_run / "marker"
    named = "learner_group/learner/rl_module/default_policy/class_and_ctor_args.pkl"
    hostile = old_run / "checkpoints" / f"step-{400:012d}" / named
    assert hostile.is_file()
    hostile.write_bytes(pickle.dumps(Bomb(marker)))
    longer = TrainConfig.from_json(Run(old_run).config)
    for opened in (
        lambda: rllib.load(Run(old_run), rllib_toys.Chain()),
        lambda: rllib.train(longer, Run(old_run), lambda _: None),
        lambda: convert(old_run),
    ):
        with pytest.raises(InputError, match=r"trust") as caught:
            opened()
        assert "\n" not in str(caught.value)
    assert not marker.exists()
    with trusting():
        (made,) = convert(old_run)
    assert [path.name for path in Run(old_run).checkpoints()] == [made.name]
    assert 0 <= play(old_run, rllib_toys.Chain()) <= 6
    assert not hostile.exists()  # it lies apart, so that nobody opens it by mistake


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extractor": "subprocess:Popen"}, "extractor 'subprocess:Popen' is none of ours"),
        ({"network": "os:system"}, "network 'os:system' is none of ours"),
        ({"features_dim": 10**9}, "widths of networks"),
        ({"hidden": "evil:run"}, "widths of networks"),
        ({"more": 1}, "networks are described by"),
    ],
)
def test_a_checkpoint_names_no_code(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    start(tmp_path / "run", "ppo")
    network = {"extractor": None, "network": None, "features_dim": 8, "hidden": [4]} | change
    checkpoint.write(Run(tmp_path / "run"), 400, "ppo", network, {"default_policy": {}}, {})
    with pytest.raises(InputError, match=message):
        rllib.load(Run(tmp_path / "run"), rllib_toys.Chain())


def test_a_checkpoint_that_is_a_pickle_is_not_opened(tmp_path: Path) -> None:
    start(tmp_path / "run", "ppo")
    marker = tmp_path / "marker"
    buffer = io.BytesIO()
    torch.save({"modules": Bomb(marker)}, buffer)
    Run(tmp_path / "run").write_checkpoint(400, ".pt", buffer.getvalue())
    with pytest.raises(InputError, match="no checkpoint in"):
        rllib.load(Run(tmp_path / "run"), rllib_toys.Chain())
    assert not marker.exists()


@pytest.mark.peers
def test_finished_run_is_left_alone(tmp_path: Path) -> None:
    train(tmp_path / "run", "ppo")
    reports: list[Progress] = []
    rllib.train(
        TrainConfig.from_json(Run(tmp_path / "run").config), Run(tmp_path / "run"), reports.append
    )
    assert reports == []


@pytest.mark.peers
def test_runners_in_other_processes_find_the_environment(tmp_path: Path) -> None:
    reports = train(tmp_path / "run", "ppo", hyperparameters={"num_env_runners": 1})
    assert reports[-1].metrics["episodes"] > 10


@pytest.mark.parametrize(("algo", "kind"), [("ppo", "box"), ("ppo", "pair"), longer("sac", "box")])
def test_other_action_spaces(algo: str, kind: str, tmp_path: Path) -> None:
    # The environment raises unless its action space contains the action.
    train(tmp_path / "run", algo, REACH, steps=100, env_kwargs={"actions": kind})
    assert play(tmp_path / "run", rllib_toys.Reach(kind)) < 0


def demonstrations(folder: Path, episodes: int = 400) -> Path:
    env, rows = rllib_toys.Chain(), []

    def plain(observation: dict[str, Any]) -> dict[str, Any]:
        return {name: value.tolist() for name, value in observation.items()}

    for episode in range(episodes):
        observation, _ = env.reset(seed=episode)
        over = False
        while not over:
            action = (env.time + 1) % 4
            following, reward, over, _, _ = env.step(action)
            rows.append(
                {
                    "obs": plain(observation),
                    "actions": action,
                    "rewards": reward,
                    "new_obs": plain(following),
                    "terminateds": over,
                    "truncateds": False,
                }
            )
            observation = following
    folder.mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "part.parquet")
    return folder


@pytest.mark.peers
@pytest.mark.parametrize("algo", ["bc", "marwil"])
def test_demonstrations_are_imitated(algo: str, tmp_path: Path) -> None:
    data = demonstrations(tmp_path / "data")
    hyperparameters = {
        "input": str(data),
        "learning_rate": 0.01,
        "train_batch_size_per_learner": 64,
    }
    train(tmp_path / "run", algo, steps=4800, hyperparameters=hyperparameters)
    assert play(tmp_path / "run", rllib_toys.Chain()) == 6


@pytest.mark.peers
def test_team_trains_through_the_multi_agent_interface(tmp_path: Path) -> None:
    reports = train(tmp_path / "run", "ppo", "rllib_toys:Pair", steps=300)
    assert reports[-1].metrics["episodes"] >= 50
    best = Run(tmp_path / "run").best_episode()
    assert best is not None
    env = rllib_toys.Pair()
    env.reset(seed=best["seed"])
    total = sum(sum(env.step(actions)[1].values()) for actions in best["actions"])
    assert total == best["return"]
    agent = rllib.load(Run(tmp_path / "run"), env)  # type: ignore[arg-type]
    agent.reset(0)
    actions = agent.act(env.reset(seed=1)[0], {})
    assert all(env.action_space(name).contains(action) for name, action in actions.items())
    assert set(actions) == {"left", "right"}


def test_team_belongs_to_this_engine() -> None:
    with pytest.raises(InputError, match="only engine rllib trains"):
        configure("rllib_toys:Pair", engine="sb3")
    assert configure("rllib_toys:Pair", engine="rllib", steps=10).env_id == "rllib_toys:Pair"
    with pytest.raises(InputError, match="makes a Reach, not a PettingZoo ParallelEnv"):
        make_team("rllib_toys:Reach", {})


@pytest.mark.peers
def test_placement_trains(tmp_path: Path) -> None:
    reports = train(tmp_path / "run", "ppo", "envs:DevicePlacement-InceptionV3-v0", steps=500)
    assert reports[-1].metrics["best_score"] > 0
    env = gym.make("envs:DevicePlacement-InceptionV3-v0")
    assert play(tmp_path / "run", env) < 0


@pytest.mark.peers
def test_softmax_trains_on_choices_with_masks(tmp_path: Path) -> None:
    reports = train(tmp_path / "run", "ppo", "envs:AdaptiveSoftmax-v0", steps=500)
    assert 0 < reports[-1].metrics["best_score"] <= 1 + 1e-9
    assert play(tmp_path / "run", gym.make("envs:AdaptiveSoftmax-v0")) > ILLEGAL_REWARD


@pytest.mark.peers
def test_dance_trains_from_the_supervised_policy(tmp_path: Path) -> None:
    reports = train(tmp_path / "run", "ppo", "envs:StepSelection-v1", steps=1500)
    assert np.isfinite(reports[-1].metrics["best_score"])
    assert play(tmp_path / "run", gym.make("envs:StepSelection-v1")) > ILLEGAL_REWARD


@pytest.mark.peers
def test_loading_needs_no_session(tmp_path: Path) -> None:
    train(tmp_path / "run", "ppo")
    code = (
        "import ray, rllib_toys\n"
        "from agents.engines import rllib\n"
        "from agents.runs import Run\n"
        "env = rllib_toys.Chain()\n"
        f"agent = rllib.load(Run({str(tmp_path / 'run')!r}), env)\n"
        "agent.reset(0)\n"
        "print(agent.act(*env.reset(seed=0)), ray.is_initialized())\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"}
    command = [sys.executable, "-c", code]
    shown = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    action, session_runs = shown.stdout.splitlines()[-1].split()
    assert action in ("1", "2", "3")
    assert session_runs == "False"


@pytest.mark.peers
def test_sampled_actions_follow_the_seed(tmp_path: Path) -> None:
    train(tmp_path / "run", "ppo")
    env = rllib_toys.Chain()
    observation, info = env.reset(seed=0)
    agent = rllib.load(Run(tmp_path / "run"), env, deterministic=False)

    def draws(seed: int) -> list[int]:
        agent.reset(seed)
        return [int(agent.act(observation, info)) for _ in range(30)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert set(draws(1)) <= set(np.flatnonzero(observation["action_mask"]).tolist())


@pytest.mark.parametrize(
    ("algo", "env_id", "hyperparameters", "message"),
    [
        ("a3c", CHAIN, {}, "unknown algorithm of engine rllib 'a3c'.*allowed: appo, bc"),
        ("bc", CHAIN, {}, "bc learns from demonstrations"),
        ("marwil", CHAIN, {"input": "/nowhere"}, "no parquet file at /nowhere"),
        ("ppo", CHAIN, {"learning_speed": 1}, "unknown hyperparameter 'learning_speed'"),
        ("ppo", CHAIN, {"lambda": "high"}, "lambda_ is 'high'; allowed: a number"),
        ("ppo", CHAIN, {"entropy": [[5, 0.1], [9, 0]]}, "RLlib's ppo refuses its settings"),
        ("ppo", CHAIN, {"num_env_runners": "two"}, "num_env_runners is 'two'"),
        ("dqn", CHAIN, {"clip": 0.2}, "unknown hyperparameter 'clip' of RLlib's dqn"),
        ("ppo", CHAIN, {"callbacks_class": "os.system"}, "may name a class of RLlib's"),
        ("ppo", CHAIN, {"model": {"custom_model": "os.system"}}, "may name a class of RLlib's"),
        ("sac", CHAIN, {}, "^sac knows no action masks"),
        ("dqn", REACH, {}, "^dqn acts in Discrete spaces"),
    ],
)
def test_bad_input_is_one_clear_error(
    algo: str, env_id: str, hyperparameters: dict[str, Any], message: str, tmp_path: Path
) -> None:
    config = start(tmp_path / "run", algo, env_id, hyperparameters=hyperparameters)
    with pytest.raises(InputError, match=message):
        rllib.train(config, Run(tmp_path / "run"), lambda _: None)


def test_unwritable_checkpoint_is_one_clear_error(tmp_path: Path) -> None:
    config = start(tmp_path / "run", "ppo")
    (tmp_path / "run" / "checkpoints").write_text("in the way")
    with pytest.raises(InputError, match=r"step-.* cannot be written"):
        rllib.train(config, Run(tmp_path / "run"), lambda _: None)


def test_neutral_names_reach_each_algorithm() -> None:
    given = {"learning_rate": 0.5, "minibatch": 7}

    def settings_of(algo: str) -> AlgorithmConfig:
        config = TrainConfig(CHAIN if algo == "dqn" else REACH, "rllib", algo, 400, 0)
        return build(replace(config, hyperparameters=given))

    assert settings_of("ppo").lr == 0.5
    assert settings_of("ppo").minibatch_size == 7
    assert settings_of("dqn").train_batch_size_per_learner == 7
    sac = settings_of("sac")
    assert (sac.actor_lr, sac.critic_lr, sac.alpha_lr) == (0.5, 0.5, 0.5)


def test_parquet_without_a_column_is_refused(tmp_path: Path) -> None:
    table = pyarrow.Table.from_pylist([{"obs": [1.0], "rewards": 0.0}])
    pyarrow.parquet.write_table(table, tmp_path / "part.parquet")
    config = start(tmp_path / "run", "bc", hyperparameters={"input": str(tmp_path)})
    with pytest.raises(InputError, match="lacks the columns actions"):
        rllib.train(config, Run(tmp_path / "run"), lambda _: None)


def test_parquet_of_pickled_objects_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    field = pyarrow.field(
        "obs",
        pyarrow.large_binary(),
        metadata={
            b"ARROW:extension:name": b"ray.data.arrow_pickled_object",
            b"ARROW:extension:metadata": b"",
        },
    )
    table = pyarrow.table(
        [[pickle.dumps(Bomb(marker))], [0]],
        schema=pyarrow.schema([field, ("actions", pyarrow.int64())]),
    )
    pyarrow.parquet.write_table(table, tmp_path / "part.parquet")
    config = start(tmp_path / "run", "bc", hyperparameters={"input": str(tmp_path)})
    with pytest.raises(InputError, match="columns of another library's types, obs"):
        rllib.train(config, Run(tmp_path / "run"), lambda _: None)
    assert not marker.exists()


def test_a_small_parquet_file_of_many_values_is_refused(tmp_path: Path) -> None:
    file, values = tmp_path / "part.parquet", rllib_offline.GROUP_VALUES + 8
    flat = pyarrow.array(np.zeros(values, np.int8))
    rows = pyarrow.FixedSizeListArray.from_arrays(flat, values // 8)
    pyarrow.parquet.write_table(pyarrow.table({"obs": rows, "actions": range(8)}), file)
    assert file.stat().st_size < 100_000
    with pytest.raises(InputError, match=r"row group of 67,108,880 values; allowed: 67,108,864"):
        rllib_offline.demonstrations("bc", file)
    pyarrow.parquet.write_table(pyarrow.table({"obs": ["a" * 100], "actions": [0]}), file)
    with pytest.raises(InputError, match="columns of texts or bytes, obs"):
        rllib_offline.demonstrations("bc", file)


@pytest.mark.peers
def test_the_masked_module_needs_no_settings_where_rllib_has_no_network() -> None:
    plain = (
        PPOConfig()
        .environment("envs:AdaptiveSoftmax-v0")
        .env_runners(num_env_runners=0, num_envs_per_env_runner=4)
        .learners(num_learners=0)
        .training(train_batch_size_per_learner=64, minibatch_size=32, num_epochs=1)
        .debugging(log_level="ERROR")
    )
    with pytest.raises(ValueError, match="No default encoder config"):
        plain.copy(copy_frozen=False).build_algo()
    masked = plain.rl_module(rl_module_spec=RLModuleSpec(module_class=MaskedActorCritic))
    algorithm = masked.build_algo()
    found = algorithm.train()["env_runners"]["episode_return_mean"]
    algorithm.stop()
    assert found > ILLEGAL_REWARD / 2


@pytest.mark.peers
def test_loading_a_run_prints_none_of_rays_warnings(tmp_path: Path) -> None:
    train(tmp_path / "run", "ppo", steps=64, checkpoint_every=64)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import gymnasium as gym, rllib_toys;"
        "from agents.engines import rllib; from agents.runs import Run;"
        "rllib.load(Run(sys.argv[2]), gym.make('Chain-v0')); print('loaded')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(HERE), str(tmp_path / "run")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "loaded\n", done.stderr
    assert "deprecat" not in done.stderr.lower()
