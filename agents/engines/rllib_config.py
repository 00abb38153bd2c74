"""From our training configuration to RLlib's."""

from typing import Any

import gymnasium as gym
import ray
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.appo import APPOConfig
from ray.rllib.algorithms.bc import BCConfig
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.algorithms.impala import IMPALAConfig
from ray.rllib.algorithms.marwil import MARWILConfig
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.algorithms.sac import SACConfig
from ray.rllib.connectors.env_to_module import FlattenObservations
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModule, RLModuleSpec

from agents.engines.base import TrainConfig, settings
from agents.engines.ranges import check_ranges
from agents.engines.rllib_callbacks import EpisodeLog
from agents.engines.rllib_env import TrainingEnv, TrainingTeam
from agents.engines.rllib_offline import DictPreLearner, demonstrations
from agents.engines.teams import is_team, policies
from agents.policies.rllib_module import MASK, MaskedActorCritic, MaskedQ, NetworkActorCritic
from hardware_sim.errors import InputError
from hardware_sim.naming import permit

ALGORITHMS: dict[str, type[AlgorithmConfig]] = {
    "ppo": PPOConfig,
    "appo": APPOConfig,
    "impala": IMPALAConfig,
    "dqn": DQNConfig,
    "sac": SACConfig,
    "bc": BCConfig,
    "marwil": MARWILConfig,
}
OFFLINE = ("bc", "marwil")

_Names = dict[str, tuple[str, ...]]
_ANY: _Names = {"learning_rate": ("lr",), "gamma": ("gamma",)}
_BATCH: _Names = {"minibatch": ("train_batch_size_per_learner",)}
_ROUNDS: _Names = {
    "entropy": ("entropy_coeff",),
    "epochs": ("num_epochs",),
    "minibatch": ("minibatch_size",),
}
_CLIPPED: _Names = {"clip": ("clip_param",), "lambda": ("lambda_",)}
NEUTRAL: dict[str, _Names] = {
    "ppo": _ANY | _ROUNDS | _CLIPPED,
    "appo": _ANY | _ROUNDS | _CLIPPED,
    "impala": _ANY | _ROUNDS,
    "dqn": _ANY | _BATCH,
    "sac": _ANY | _BATCH | {"learning_rate": ("actor_lr", "critic_lr", "alpha_lr")},
    "bc": _ANY | _BATCH,
    "marwil": _ANY | _BATCH,
}
"""Engine-neutral names of search spaces and what an algorithm of RLlib calls them."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "ppo": {
        "train_batch_size_per_learner": 2048,
        "minibatch_size": 256,
        "num_epochs": 8,
        "lr": 3e-4,
    },
    "appo": {"train_batch_size_per_learner": 512, "rollout_fragment_length": 16},
    "impala": {"train_batch_size_per_learner": 512, "rollout_fragment_length": 16},
    "dqn": {"num_steps_sampled_before_learning_starts": 1000},
    "sac": {"num_steps_sampled_before_learning_starts": 1000},
    "bc": {"train_batch_size_per_learner": 256, "lr": 1e-3},
    "marwil": {"train_batch_size_per_learner": 256, "lr": 1e-3, "beta": 1.0},
}
"""Ours where RLlib's defaults are meant for clusters."""

MODEL = {"features_dim": 128, "hidden": [64], "weights": None}


def hyperparameters(config: TrainConfig) -> dict[str, Any]:
    """RLlib's settings of a run: our defaults, the domain's, then the caller's, later ones win."""
    of_domain = settings(config.env_id)["hyperparameters"].get("rllib", {}).get(config.algo, {})
    neutral = NEUTRAL[config.algo]
    return {
        name: value
        for source in (DEFAULTS[config.algo], of_domain, config.hyperparameters)
        for given, value in source.items()
        for name in neutral.get(given, (given,))
    }


def networks_of(config: TrainConfig) -> dict[str, Any]:
    """Settings of a run's networks: those of :data:`MODEL`, ``extractor`` and ``network``."""
    given = hyperparameters(config)
    model = {name: given.get(name, default) for name, default in MODEL.items()}
    return model | {name: settings(config.env_id)[name] for name in ("extractor", "network")}


def module_class(algo: str, network: str | None) -> type[RLModule]:
    """The class of an algorithm's modules, which has the network in it if there is one."""
    if algo == "dqn":
        return MaskedQ
    return MaskedActorCritic if network is None else NetworkActorCritic


def build(config: TrainConfig, step: int = 0) -> AlgorithmConfig:
    """RLlib's configuration of a run.

    Args:
        config: The run.
        step: Steps that lie behind it. A resumed run must not repeat the episodes of its
            beginning, and its batches are no larger than what is left.

    Raises:
        InputError: An unknown hyperparameter, a value RLlib refuses, or an algorithm that cannot
            act in the environment.
    """
    values = hyperparameters(config)
    model = networks_of(config)
    for name in MODEL:
        values.pop(name, None)
    demonstrated = values.pop("input", None)
    target = ALGORITHMS[config.algo]()
    _check_names(target, values, config.algo)
    check_ranges(values)
    _place(target, config, step)
    if config.algo in OFFLINE:
        _offline(target, config, demonstrated)
    try:
        target.update_from_dict(_fitted(values, max(1, config.steps - step)))
        _policies(target, config, model)
        target.validate()
    except InputError:
        raise
    except (ValueError, TypeError) as error:
        raise InputError(f"RLlib's {config.algo} refuses its settings: {error}") from error
    return target


def _check_names(target: AlgorithmConfig, values: dict[str, Any], algo: str) -> None:
    known = {name.lstrip("_") for name in vars(target)}
    numbers = {name for names in NEUTRAL[algo].values() for name in names}
    for name, value in values.items():
        if name not in known:
            raise InputError(
                f"unknown hyperparameter {name!r} of RLlib's {algo}; allowed: "
                f"{', '.join([*NEUTRAL[algo], *MODEL])} and RLlib's own settings"
            )
        if isinstance(value, str) and name in numbers:
            raise InputError(f"hyperparameter {name} is {value!r}; allowed: a number")
        _check_value(f"hyperparameter {name}", value)


def _check_value(what: str, value: Any) -> None:
    """Refuses texts, of which RLlib imports many: allowed are numbers, and lists and objects."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _check_value(what, part)
    elif isinstance(value, str):
        permit(f"{what}, {value!r},", "may name a class of RLlib's; allowed: numbers")


def _fitted(values: dict[str, Any], steps: int) -> dict[str, Any]:
    """Batches no larger than the steps left, minibatches than a batch, warm-up than a quarter."""
    fitted = dict(values)
    for name, most in (
        ("train_batch_size_per_learner", steps),
        ("num_steps_sampled_before_learning_starts", steps // 4),
    ):
        if name in fitted:
            fitted[name] = min(int(fitted[name]), most)
    if "minibatch_size" in fitted and "train_batch_size_per_learner" in fitted:
        batch = fitted["train_batch_size_per_learner"]
        fitted["minibatch_size"] = min(int(fitted["minibatch_size"]), batch)
    return fitted


def _place(target: AlgorithmConfig, config: TrainConfig, step: int) -> None:
    """Environment, runners and learners: all in this process unless a cluster was named."""
    runners = 0
    if config.address is not None:
        # One CPU is left to the learner, which is in this process.
        processors = int(ray.cluster_resources()["CPU"])
        runners = max(1, min(config.num_envs, processors - 1))
    target.environment(
        TrainingTeam if is_team(config.env_id) else TrainingEnv,
        env_config=_context(config),
    )
    target.env_runners(
        num_env_runners=runners,
        # RLlib 2.60 vectorises multi-agent environments one by one only.
        num_envs_per_env_runner=1
        if is_team(config.env_id)
        else max(1, config.num_envs // max(1, runners)),
    )
    target.learners(num_learners=0)
    target.callbacks(EpisodeLog)
    target.debugging(seed=(config.seed + step) % 2**31, log_level="ERROR")
    target.reporting(
        min_time_s_per_iteration=0,
        # The algorithms without batches of their own return after each fragment otherwise.
        min_sample_timesteps_per_iteration=0
        if config.algo in ("ppo", *OFFLINE)
        else min(1000, max(1, config.steps - step)),
    )


def spaces(config: TrainConfig) -> tuple[gym.Space[Any], gym.Space[Any]]:
    """Observation and action space; Dicts by agent for a team."""
    env = (TrainingTeam if is_team(config.env_id) else TrainingEnv)(_context(config))
    env.close()
    return env.observation_space, env.action_space


def _context(config: TrainConfig) -> dict[str, Any]:
    """The settings from which :mod:`agents.engines.rllib_env` makes an environment."""
    return {name: getattr(config, name) for name in ("env_id", "env_kwargs", "options")}


def _policies(target: AlgorithmConfig, config: TrainConfig, model: dict[str, Any]) -> None:
    observation_space, action_space = spaces(config)
    if config.algo == "sac":
        _default_networks(target, observation_space, action_space)
        return
    module = module_class(config.algo, model["network"])
    if module is not NetworkActorCritic and model["weights"] is not None:
        raise InputError(f"{config.algo} begins with no weights on {config.env_id}")
    spec = RLModuleSpec(module_class=module)
    if is_team(config.env_id):
        names = policies(observation_space, action_space)
        target.multi_agent(
            policies=set(names.values()),
            policy_mapping_fn=lambda agent, *_, **__: names[agent],
        )
        specs = {
            name: RLModuleSpec(module_class=module, model_config=model) for name in names.values()
        }
        target.rl_module(rl_module_spec=MultiRLModuleSpec(rl_module_specs=specs))
        return
    target.rl_module(rl_module_spec=spec, model_config=model)


def _default_networks(
    target: AlgorithmConfig, observation_space: gym.Space[Any], action_space: gym.Space[Any]
) -> None:
    """SAC with RLlib's own networks on flat observations."""
    if isinstance(observation_space, gym.spaces.Dict):
        if MASK in observation_space.spaces:
            raise InputError("sac knows no action masks; allowed here: ppo, appo, impala, dqn")
        target.env_runners(env_to_module_connector=_flatten)


def _flatten(env: Any, spaces: Any, device: Any) -> FlattenObservations:
    return FlattenObservations()


def _offline(target: AlgorithmConfig, config: TrainConfig, demonstrated: Any) -> None:
    if config.options:
        raise InputError(
            f"{config.algo} learns from demonstrations and resets no environment; options of "
            f"resets are {config.options}; allowed: none"
        )
    observation_space, action_space = spaces(config)
    target.environment(observation_space=observation_space, action_space=action_space)
    target.offline_data(
        input_=demonstrations(config.algo, demonstrated),
        input_read_method="read_parquet",
        prelearner_class=DictPreLearner,
        dataset_num_iters_per_learner=1,
        map_batches_kwargs={"concurrency": 1, "num_cpus": 0},
        iter_batches_kwargs={"prefetch_batches": 1},
    )
