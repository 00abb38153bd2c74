"""The environment under examination, and random legal actions for it."""

import importlib
import pickle
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector.utils import CloudpickleWrapper
from numpy.typing import NDArray

from hardware_sim.naming import resolve

Target = str | Callable[..., gym.Env[Any, Any]]
"""An id such as ``"module:Name-v0"``, or anything that makes the environment when called."""


@dataclass(frozen=True)
class Subject:
    """An environment under examination, made afresh as often as a check needs.

    Attributes:
        target: The target as given by the caller.
        name: Its name in failures.
    """

    target: Target
    name: str

    @classmethod
    def of(cls, target: Target) -> "Subject":
        """Names a target; an id is looked up, so that an unknown one raises here.

        Raises:
            gymnasium.error.Error: The id is not registered.
        """
        if isinstance(target, str):
            _registered(target)
            return cls(target, target)
        return cls(target, getattr(target, "__qualname__", repr(target)))

    def make(self, **kwargs: Any) -> gym.Env[Any, Any]:
        """A new environment; keywords go to its constructor."""
        if isinstance(self.target, str):
            return gym.make(self.target, disable_env_checker=True, **kwargs)
        return self.target(**kwargs)

    def spec(self) -> EnvSpec | None:
        """The registered specification; a factory's is that of the environment it makes."""
        if isinstance(self.target, str):
            return _registered(self.target)
        env = self.make()
        env.close()
        return env.spec

    def constructor(self) -> Callable[..., Any]:
        """The class or function that takes the constructor arguments."""
        if not isinstance(self.target, str):
            return self.target
        entry_point = _registered(self.target).entry_point
        if not isinstance(entry_point, str):
            assert entry_point is not None
            return entry_point
        found: Callable[..., Any] = resolve(entry_point, "entry point")
        return found

    def to_bytes(self) -> bytes:
        """The environment for another process, which makes it anew from these bytes.

        A module-qualified id travels as it is, so that the other process must find it by itself; a
        bare id travels as its specification, a factory by value.
        """
        target: Any = self.target
        if isinstance(target, str) and ":" not in target:
            target = gym.spec(target)
        return pickle.dumps(CloudpickleWrapper(target))

    @staticmethod
    def make_from_bytes(data: bytes) -> gym.Env[Any, Any]:
        """The environment of :meth:`to_bytes`, in the process that received it."""
        target = pickle.loads(data).fn
        if isinstance(target, str | EnvSpec):
            return gym.make(target, disable_env_checker=True)
        env: gym.Env[Any, Any] = target()
        return env


def _registered(env_id: str) -> EnvSpec:
    """The specification of an id; the module before a colon is imported first."""
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    return gym.spec(name)


def require(condition: object, name: str, sentence: str) -> None:
    """Fails a check with one sentence that names the environment.

    Raises:
        AssertionError: The condition is false.
    """
    if not condition:
        raise AssertionError(f"{name}: {sentence}")


def current_mask(env: gym.Env[Any, Any], observation: Any) -> NDArray[np.bool_] | None:
    """The legal actions, bool ``(n,)``, flat; ``None`` where every action of the space is.

    Reads ``observation["action_mask"]``, or else calls ``action_masks()``.
    """
    if isinstance(observation, dict) and "action_mask" in observation:
        given = observation["action_mask"]
    elif env.has_wrapper_attr("action_masks"):
        given = env.get_wrapper_attr("action_masks")()
    else:
        return None
    return np.asarray(given, np.bool_).ravel()


def mask_size(space: gym.Space[Any]) -> int:
    """Length of the flat mask of an action space: ``n``, or the sum of ``nvec``.

    Raises:
        AssertionError: The space is neither Discrete nor MultiDiscrete.
    """
    if isinstance(space, gym.spaces.Discrete):
        return int(space.n)
    if isinstance(space, gym.spaces.MultiDiscrete):
        return int(space.nvec.sum())
    raise AssertionError(f"an action mask needs a Discrete or MultiDiscrete space, not {space}")


def is_legal(space: gym.Space[Any], mask: NDArray[np.bool_], action: Any) -> bool:
    """True if a mask allows an action of the space."""
    if isinstance(space, gym.spaces.Discrete):
        return bool(mask[int(action) - int(space.start)])
    assert isinstance(space, gym.spaces.MultiDiscrete)
    offsets = np.concatenate([[0], np.cumsum(space.nvec.ravel())[:-1]])
    index = offsets + (np.asarray(action) - space.start).ravel()
    return bool(mask[index].all())


class LegalActions:
    """Random legal actions from a generator of its own.

    Args:
        space: The action space; it is copied, so the environment's own is left alone.
        seed: Same seed and masks, same actions.
    """

    def __init__(self, space: gym.Space[Any], seed: int) -> None:
        self.space = deepcopy(space)
        self.space.seed(seed)

    def __call__(self, mask: NDArray[np.bool_] | None = None) -> Any:
        """Samples an action that the flat mask allows."""
        if mask is None:
            return self.space.sample()
        flags = mask.astype(np.int8)
        if isinstance(self.space, gym.spaces.MultiDiscrete):
            parts = np.split(flags, np.cumsum(self.space.nvec.ravel())[:-1])
            return self.space.sample(mask=tuple(parts))
        return self.space.sample(mask=flags)
