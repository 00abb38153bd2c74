"""Episodes with a seed of their own, reported to a tracker when they end.

Every training episode is reset with a seed that is a function of run seed, environment and episode
number, so that any of them can be replayed alone.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from agents.engines.base import EpisodeTracker, episode_seed


class SeededEpisodes(gym.Wrapper[Any, Any, Any, Any]):
    """Resets every episode with a seed of its own and reports the episode at its end.

    ``info`` of the last step gets ``episode_seed`` and ``episode``, as the native adapter's does.

    Args:
        env: A single environment.
        index: Its place among the parallel ones.
        options: Options of every reset.
    """

    def __init__(
        self, env: gym.Env[Any, Any], index: int, options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(env)
        self._index, self._options = index, dict(options or {})
        self._time = time.perf_counter()
        self.begin(0)

    def begin(self, seed: int) -> None:
        """Starts the stream of episodes of a run's seed, from the next :meth:`reset`."""
        self._seed, self._episodes = seed, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts the next episode of the stream; a given seed and given options have precedence."""
        if seed is None:
            seed = episode_seed(self._seed, self._index, self._episodes)
        self._current, self._return, self._length = seed, 0.0, 0
        self._episodes += 1
        given = {**self._options, **(options or {})}
        self._observation, info = self.env.reset(seed=seed, options=given or None)
        return self._observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Steps; see the class for what is added to the last info."""
        self._observation, reward, terminated, truncated, info = self.env.step(action)
        self._return += float(reward)
        self._length += 1
        if terminated or truncated:
            elapsed = round(time.perf_counter() - self._time, 6)
            episode = {"r": self._return, "l": self._length, "t": elapsed}
            info = info | {"episode_seed": self._current, "episode": episode}
        return self._observation, reward, terminated, truncated, info


class MaskedEpisodes(SeededEpisodes):
    """With ``action_masks()``, from the environment's own or from its observation."""

    def action_masks(self) -> NDArray[np.bool_]:
        """Legal actions (actions,) of the current observation."""
        if self.env.has_wrapper_attr("action_masks"):
            return np.asarray(self.env.get_wrapper_attr("action_masks")(), dtype=np.bool_)
        return np.asarray(self._observation["action_mask"], dtype=np.bool_)


class CopiesVecEnv(DummyVecEnv):
    """Copies of a single environment, stepped one after the other, with seeded episodes.

    Args:
        makers: One function per copy.
        seed: The run's seed.
    """

    def __init__(self, makers: Sequence[Callable[[], SeededEpisodes]], seed: int = 0) -> None:
        super().__init__([*makers])
        self.seed(seed)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Starts the stream of episodes of a run's seed, from the next reset."""
        for env in self.envs:
            env.get_wrapper_attr("begin")(0 if seed is None else seed)
        return [seed] * self.num_envs


class TrackedVecEnv(VecEnvWrapper):
    """Hands every finished episode, actions included, to a tracker.

    Args:
        venv: A NativeVecEnv or :class:`CopiesVecEnv`.
        tracker: Records each finished episode.
    """

    def __init__(self, venv: VecEnv, tracker: EpisodeTracker) -> None:
        super().__init__(venv)
        self._tracker = tracker
        self.reset_log()

    def reset_log(self) -> None:
        """Forgets the actions of unfinished episodes."""
        self._log: list[NDArray[Any]] = []
        self._dropped = 0
        self._first = np.zeros(self.num_envs, dtype=np.int64)

    def reset(self) -> VecEnvObs:
        """Starts a new episode in every environment."""
        self.reset_log()
        return self.venv.reset()

    def step_async(self, actions: NDArray[Any]) -> None:
        """Logs the actions (n, ...) and passes them on."""
        self._log.append(np.array(actions))
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Steps, and reports the episodes that ended."""
        observations, rewards, dones, infos = self.venv.step_wait()
        if dones.any():
            for i in np.flatnonzero(dones).tolist():
                info = infos[i]
                score = info.get("score")
                self._tracker.record(
                    info["episode_seed"],
                    lambda i=i: self._actions_of(i),  # type: ignore[misc]
                    info["episode"]["r"],
                    None if score is None else float(score),
                )
            self._first[dones] = self._dropped + len(self._log)
            # Actions older than the oldest running episode are of no use any more.
            useless = int(self._first.min()) - self._dropped
            del self._log[:useless]
            self._dropped += useless
        return observations, rewards, dones, infos

    def _actions_of(self, i: int) -> list[Any]:
        return [step[i].tolist() for step in self._log[int(self._first[i]) - self._dropped :]]
