"""From our training configuration to Stable-Baselines3's algorithms and environments."""

import inspect
import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from agents.engines.base import TrainConfig, settings
from agents.engines.episodes import CopiesVecEnv, MaskedEpisodes, SeededEpisodes
from agents.engines.ranges import check_ranges
from agents.engines.sb3_networks import check_policy_kwargs
from agents.engines.sb3_policy import MaskedPolicy, NetworkPolicy, has_masks
from agents.engines.vec_adapter import NativeVecEnv, UnsupportedVectorEnvError
from agents.tables import FLAT
from hardware_sim.errors import InputError, choose


@dataclass(frozen=True)
class Algorithm:
    """An algorithm by name.

    Attributes:
        cls: Stable-Baselines3's class.
        actions: The action spaces it can act in.
        neutral: Engine-neutral names of hyperparameters and what the class calls them.
    """

    cls: type[BaseAlgorithm]
    actions: tuple[type[spaces.Space[Any]], ...]
    neutral: dict[str, str]


_CHOICES = (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
_CLIPPED = {
    "entropy": "ent_coef",
    "clip": "clip_range",
    "lambda": "gae_lambda",
    "epochs": "n_epochs",
    "minibatch": "batch_size",
}
ALGORITHMS: dict[str, Algorithm] = {
    "ppo": Algorithm(PPO, (*_CHOICES, spaces.Box), _CLIPPED),
    "maskable_ppo": Algorithm(MaskablePPO, _CHOICES, _CLIPPED),
    "a2c": Algorithm(A2C, (*_CHOICES, spaces.Box), {"entropy": "ent_coef", "lambda": "gae_lambda"}),
    "dqn": Algorithm(DQN, (spaces.Discrete,), {"minibatch": "batch_size"}),
    "sac": Algorithm(SAC, (spaces.Box,), {"minibatch": "batch_size", "entropy": "ent_coef"}),
}
OBSERVATIONS = (spaces.Box, spaces.Discrete, spaces.MultiBinary, spaces.MultiDiscrete)
OURS = ("self", "policy", "env", "seed", "verbose", "tensorboard_log", "_init_setup_model")
TEXTS = {
    "device": r"auto|cpu|mps|cuda(:\d+)?",
    "ent_coef": r"auto(_[\d.]+)?",
    "target_entropy": "auto",
}
"""Hyperparameters that may be texts, and their forms."""
REPLAY_BYTES = 2**30
CLIPPED = (PPO, MaskablePPO)
ROLLOUT = 2048  # steps of all environments together between updates


def make_env(env_id: str, kwargs: dict[str, Any]) -> gym.Env[Any, Any]:
    """One environment.

    Raises:
        InputError: The environment does not take these arguments.
    """
    try:
        return gym.make(env_id, **kwargs)
    except TypeError as error:
        if not kwargs:
            raise
        raise InputError(f"{env_id} cannot be made with {kwargs}: {error}") from error


def resolve(algo: str, env: gym.Env[Any, Any]) -> tuple[str, Algorithm]:
    """The algorithm for an environment; ``ppo`` is ``maskable_ppo`` where there are masks.

    Raises:
        InputError: There is no such algorithm, or it does not fit the environment's spaces.
    """
    choose("algorithm of engine sb3", algo, list(ALGORITHMS))
    if algo == "ppo" and has_masks(env) and isinstance(env.action_space, _CHOICES):
        algo = "maskable_ppo"
    algorithm = ALGORITHMS[algo]
    fitting = [
        name for name, other in ALGORITHMS.items() if isinstance(env.action_space, other.actions)
    ]
    if algo not in fitting:
        raise InputError(
            f"{algo} cannot act in {env.action_space}; allowed: {', '.join(fitting) or 'none'}"
        )
    if algo == "maskable_ppo" and not has_masks(env):
        raise InputError("maskable_ppo needs an environment with action_masks(); allowed: ppo")
    space = env.observation_space
    parts = space.spaces if isinstance(space, spaces.Dict) else {"observation": space}
    for key, part in parts.items():
        if not isinstance(part, OBSERVATIONS):
            allowed = ", ".join(kind.__name__ for kind in OBSERVATIONS)
            raise InputError(
                f"{key} is a {type(part).__name__}; engine sb3 observes {allowed} or a Dict of them"
            )
    return algo, algorithm


def make_envs(config: TrainConfig, masked: bool) -> VecEnv:
    """The parallel environments: the native vector class where there is a fit one, or copies."""
    native = _native(config)
    if native is not None:
        return native
    wrapper = MaskedEpisodes if masked else SeededEpisodes

    def make(index: int) -> SeededEpisodes:
        return wrapper(make_env(config.env_id, config.env_kwargs), index, config.options)

    copies = [partial(make, index) for index in range(config.num_envs)]
    return CopiesVecEnv(copies, seed=config.seed)


def _native(config: TrainConfig) -> NativeVecEnv | None:
    """The native vector class, unless there is none or it is not fit for the training.

    Raises:
        InputError: It refuses the options of resets.
    """
    spec = gym.spec(config.env_id.rpartition(":")[2])
    if spec.vector_entry_point is None:
        return None
    try:
        native = gym.make_vec(
            config.env_id,
            num_envs=config.num_envs,
            vectorization_mode="vector_entry_point",
            **config.env_kwargs,
        )
    except (InputError, TypeError):
        if not config.env_kwargs:
            raise
        return None  # some arguments are those of the single environment alone
    try:
        return NativeVecEnv(native, config.seed, config.options)
    except UnsupportedVectorEnvError:
        native.close()
        return None
    except InputError:
        native.close()
        raise


def hyperparameters(config: TrainConfig, name: str, envs: VecEnv) -> dict[str, Any]:
    """Constructor arguments: our defaults, the domain's, then the caller's, later ones win.

    Args:
        config: The run.
        name: The algorithm, as :func:`resolve` gave it.
        envs: The environments it will train on.

    Returns:
        The arguments, and under ``weights`` the file that a network of the domain begins with.

    Raises:
        InputError: A name the algorithm does not have, text where a number belongs, a number out
            of range, or a network that is in no table.
    """
    algorithm = ALGORITHMS[name]
    of_domain = settings(config.env_id)["hyperparameters"].get("sb3", {})
    chosen = of_domain.get(name, of_domain.get("ppo", {}) if name == "maskable_ppo" else {})
    values = _defaults(algorithm, config, envs)
    known = {
        key: parameter.default
        for key, parameter in inspect.signature(algorithm.cls).parameters.items()
        if key not in OURS
    }
    for source in (chosen, config.hyperparameters):
        for given, value in source.items():
            key = algorithm.neutral.get(given, given)
            if key == "weights":
                values[key] = value
                continue
            if key not in known:
                raise InputError(
                    f"unknown hyperparameter {given!r} of {name}; allowed: "
                    f"{', '.join(sorted({*known, *algorithm.neutral, 'weights'}))}"
                )
            _check_value(f"hyperparameter {given} of {name}", key, value)
            values[key] = tuple(value) if key == "train_freq" and not _number(value) else value
    return _fitted(check_ranges(values), algorithm, config)


def _check_value(what: str, key: str, value: Any) -> None:
    """Refuses what is no number, except where the algorithms take a text or more."""
    if key == "policy_kwargs":
        check_policy_kwargs(value)
        return
    number = value is None or isinstance(value, int | float)
    text = isinstance(value, str) and re.fullmatch(TEXTS.get(key, r"(?!)"), value)
    frequency = key == "train_freq" and isinstance(value, list | tuple) and len(value) == 2
    if not (number or text or frequency):
        raise InputError(f"{what} is {value!r}, not a number")


def _number(value: Any) -> bool:
    return isinstance(value, int | float)


def _defaults(algorithm: Algorithm, config: TrainConfig, envs: VecEnv) -> dict[str, Any]:
    """Ours where Stable-Baselines3's defaults are meant for one environment and flat vectors."""
    if algorithm.cls in CLIPPED:
        n_steps = max(2, ROLLOUT // config.num_envs)
        return {"device": "cpu", "n_steps": n_steps, "batch_size": 256, "n_epochs": 8}
    if issubclass(algorithm.cls, OnPolicyAlgorithm):
        return {"device": "cpu"}
    space = envs.observation_space
    parts = space.spaces.values() if isinstance(space, spaces.Dict) else [space]
    width = sum(spaces.flatdim(part) * np.dtype(part.dtype).itemsize for part in parts)
    fitting = REPLAY_BYTES // (2 * width + 64)
    return {"device": "cpu", "buffer_size": max(1000, min(1_000_000, config.steps, fitting))}


def _fitted(values: dict[str, Any], algorithm: Algorithm, config: TrainConfig) -> dict[str, Any]:
    """Rollouts no longer than the whole run, batches no larger than a rollout."""
    if issubclass(algorithm.cls, OnPolicyAlgorithm) and "n_steps" in values:
        longest = max(2, -(-config.steps // config.num_envs))
        values["n_steps"] = min(values["n_steps"], longest)
        if algorithm.cls in CLIPPED:
            rollout = values["n_steps"] * config.num_envs
            values["batch_size"] = min(values["batch_size"], rollout)
    return values


def network(config: TrainConfig, name: str, values: dict[str, Any]) -> dict[str, Any]:
    """The description of the networks, as JSON.

    Args:
        config: The run.
        name: The algorithm, as :func:`resolve` gave it.
        values: Its hyperparameters, of which the policy's arguments are taken out.

    Returns:
        ``{"extractor": name, "network": name or None, "policy_kwargs": {...}}``; a network of the
        domain's own takes the place of the extractor and of the algorithm's networks.
    """
    given = settings(config.env_id)
    return {
        "extractor": given["extractor"] or FLAT,
        "network": given["network"] if name == "maskable_ppo" else None,
        "policy_kwargs": values.pop("policy_kwargs", None) or {},
    }


def policy_class(
    algorithm: Algorithm, observation_space: spaces.Space[Any], described: dict[str, Any]
) -> type[BasePolicy]:
    """The algorithm's policy class for a kind of observation and :func:`network`'s description."""
    if algorithm.cls is MaskablePPO:
        return NetworkPolicy if described.get("network") else MaskedPolicy
    dictionary = isinstance(observation_space, spaces.Dict)
    return algorithm.cls.policy_aliases["MultiInputPolicy" if dictionary else "MlpPolicy"]
