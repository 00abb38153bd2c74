"""Natively vectorised environments as Stable-Baselines3 wants them."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from agents.engines.base import episode_seed
from hardware_sim.errors import InputError

Indices = None | int | Iterable[int]


class UnsupportedVectorEnvError(Exception):
    """The native vector class cannot reset some environments alone; use copies instead."""


def _indices(mask: NDArray[np.bool_]) -> list[int]:
    indices: list[int] = np.flatnonzero(mask).tolist()
    return indices


def _copy(observation: Any) -> Any:
    if isinstance(observation, dict):
        return {key: _copy(value) for key, value in observation.items()}
    return np.array(observation)


def _row(observation: Any, i: int) -> Any:
    if isinstance(observation, dict):
        return {key: _row(value, i) for key, value in observation.items()}
    return np.array(observation[i])


def _info(infos: dict[str, Any], i: int) -> dict[str, Any]:
    """Environment ``i``'s share of a vector info, in which ``_key`` marks who has ``key``."""
    own: dict[str, Any] = {}
    for key, value in infos.items():
        if key.startswith("_") and key[1:] in infos:
            continue
        if f"_{key}" not in infos or infos[f"_{key}"][i]:
            own[key] = _info(value, i) if isinstance(value, dict) else value[i]
    return own


class NativeVecEnv(VecEnv):
    """Adapter from a Gymnasium ``VectorEnv`` to Stable-Baselines3's ``VecEnv``.

    Stable-Baselines3 wants the first observation of the next episode in the step that ends one
    (the last observation goes to ``infos[i]["terminal_observation"]``); a NEXT_STEP environment
    would give it one step later and ignore that step's action. The adapter therefore resets the
    finished environments at once with ``reset(seed=[...], options={"reset_mask": done})``. The
    environment must support this as ``gymnasium.vector.SyncVectorEnv`` does: a list of seeds with
    ``None`` for the others, only masked environments reset and their pending autoreset cleared,
    the observations of the others returned unchanged.

    ``infos`` hold the environment's own info at the end of an episode alone; during an episode
    they are empty, which keeps a step free of loops over the environments.

    Args:
        env: The environment; autoreset mode NEXT_STEP or DISABLED.
        seed: The run's seed.
        options: Options of every reset.

    Raises:
        UnsupportedVectorEnvError: The environment has another autoreset mode or takes no list of
            seeds.
        InputError: It refuses the options.
    """

    def __init__(
        self,
        env: "VectorEnv[Any, Any, Any]",
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode not in (AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED):
            raise UnsupportedVectorEnvError(f"autoreset mode {mode}")
        self.env = env
        self._episode_options = dict(options or {})
        self._start = time.perf_counter()
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._partial_reset_checked = False
        self.seed(seed)
        try:
            self.reset()
        except InputError:
            raise
        except (TypeError, ValueError, gym.error.Error) as error:
            raise UnsupportedVectorEnvError(f"no list of seeds: {error}") from None
        self.seed(seed)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Starts the stream of episodes of a run's seed, from the next :meth:`reset`."""
        self._seed = 0 if seed is None else seed
        self._episodes = np.zeros(self.num_envs, dtype=np.int64)
        return [self._seed] * self.num_envs

    def _next_seeds(self, mask: NDArray[np.bool_]) -> list[int | None]:
        """Seeds for the masked environments' next episodes, ``None`` for the others."""
        seeds: list[int | None] = [None] * self.num_envs
        for i in _indices(mask):
            seeds[i] = self._current_seeds[i] = episode_seed(self._seed, i, int(self._episodes[i]))
        self._episodes[mask] += 1
        return seeds

    def reset(self) -> VecEnvObs:
        """Starts a new episode in every environment."""
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)
        self._current_seeds = [0] * self.num_envs
        seeds = self._next_seeds(np.ones(self.num_envs, dtype=np.bool_))
        options = dict(self._episode_options) or None
        observations, infos = self.env.reset(seed=seeds, options=options)  # type: ignore[arg-type]  # 1.2's hint
        self.reset_infos = [_info(infos, i) for i in range(self.num_envs)]
        self._observations = _copy(observations)
        first: VecEnvObs = self._observations
        return first

    def step_async(self, actions: NDArray[Any]) -> None:
        """Takes the actions (n, ...) of the coming step."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Steps every environment and resets the finished ones; see the class."""
        stepped, rewards, terminated, truncated, native = self.env.step(self._actions)
        observations = _copy(stepped)
        self._returns += rewards
        self._lengths += 1
        dones = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if dones.any():
            elapsed = round(time.perf_counter() - self._start, 6)
            for i in _indices(dones):
                infos[i] = _info(native, i) | {
                    "terminal_observation": _row(observations, i),
                    "TimeLimit.truncated": bool(truncated[i] and not terminated[i]),
                    "episode_seed": self._current_seeds[i],
                    "episode": {
                        "r": float(self._returns[i]),
                        "l": int(self._lengths[i]),
                        "t": elapsed,
                    },
                }
            observations = self._reset_some(dones, observations)
        self._observations = observations
        return observations, np.array(rewards), dones.copy(), infos

    def _reset_some(self, mask: NDArray[np.bool_], before: Any) -> Any:
        options = {**self._episode_options, "reset_mask": mask.copy()}
        seeds = self._next_seeds(mask)
        reset, infos = self.env.reset(seed=seeds, options=options)  # type: ignore[arg-type]
        for i in _indices(mask):
            self.reset_infos[i] = _info(infos, i)
        self._returns[mask] = 0
        self._lengths[mask] = 0
        observations = _copy(reset)
        if not self._partial_reset_checked and not mask.all():
            kept = [
                np.array_equal(new[~mask], old[~mask]) for new, old in _pairs(observations, before)
            ]
            if not all(kept):
                raise UnsupportedVectorEnvError(f"{self.env} ignores options['reset_mask']")
            self._partial_reset_checked = True
        return observations

    def action_masks(self) -> NDArray[np.bool_]:
        """Legal actions (n, actions) of the current observations."""
        if hasattr(self.env, "action_masks"):
            return np.asarray(self.env.action_masks(), dtype=np.bool_)
        if isinstance(self._observations, dict) and "action_mask" in self._observations:
            return np.asarray(self._observations["action_mask"], dtype=np.bool_)
        raise AttributeError("the environment has no action masks")

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """The environment's attribute, once per index: native environments share theirs."""
        source = self if attr_name == "action_masks" else self.env
        value = getattr(source, attr_name)
        return [value for _ in self._get_indices(indices)]

    def has_attr(self, attr_name: str) -> bool:
        """True if the attribute exists; ``action_masks`` does if there are masks."""
        if attr_name != "action_masks":
            return hasattr(self.env, attr_name)
        space = self.observation_space
        in_observation = isinstance(space, gym.spaces.Dict) and "action_mask" in space.spaces
        return in_observation or hasattr(self.env, "action_masks")

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Sets an attribute of the native environment, which all indices share."""
        setattr(self.env, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Calls a method that returns a batch (n, ...) and gives the rows asked for."""
        source = self if method_name == "action_masks" else self.env
        batch = getattr(source, method_name)(*method_args, **method_kwargs)
        return [batch[i] for i in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: "type[gym.Wrapper[Any, Any, Any, Any]]", indices: Indices = None
    ) -> list[bool]:
        """Never: a native environment has no wrappers around its single ones."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """A picture per environment."""
        return list(self.env.render() or [None] * self.num_envs)

    def close(self) -> None:
        """Closes the native environment."""
        self.env.close()


def _pairs(one: Any, other: Any) -> list[tuple[Any, Any]]:
    if isinstance(one, dict):
        return [pair for key in one for pair in _pairs(one[key], other[key])]
    return [(one, other)]
