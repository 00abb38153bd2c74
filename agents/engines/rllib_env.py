"""Environments as RLlib's runners make them: importable by workers, every episode replayable."""

from typing import Any

import gymnasium as gym
import numpy as np
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

from agents.engines.base import episode_seed, qualified
from agents.engines.episodes import SeededEpisodes
from agents.engines.teams import make_team


class TrainingEnv(SeededEpisodes):
    """A single-agent environment whose episodes have seeds of their own.

    RLlib seeds a runner's environments once and then resets them without a seed; here that one
    seed begins a stream. The last info of an episode holds ``episode_actions`` beside what
    :class:`SeededEpisodes` adds, so that the best one can be replayed from its seed.

    Args:
        context: ``{"env_id": ..., "env_kwargs": {...}, "options": {...}}``, RLlib's environment
            configuration; the options are those of every reset.
    """

    def __init__(self, context: dict[str, Any]) -> None:
        env = gym.make(
            qualified(context["env_id"]), disable_env_checker=True, **context["env_kwargs"]
        )
        super().__init__(env, 0, context["options"])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts the next episode of the stream, or a new stream if a seed is given."""
        if seed is not None:
            self.begin(seed)
        self._actions: list[Any] = []
        return super().reset(options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Steps; see the class for what is added to the last info."""
        self._actions.append(np.asarray(action).tolist())
        observation, reward, terminated, truncated, info = super().step(action)
        if terminated or truncated:
            info = info | {"episode_actions": self._actions}
        return observation, reward, terminated, truncated, info


class TrainingTeam(ParallelPettingZooEnv):
    """A PettingZoo parallel environment with the stream of seeds of :class:`TrainingEnv`.

    Every agent's last info holds ``episode`` (return summed over agents, length),
    ``episode_seed`` and ``episode_actions`` (one dict a step).

    Args:
        context: As for :class:`TrainingEnv`; ``env_id`` is ``module:attribute``.
    """

    def __init__(self, context: dict[str, Any]) -> None:
        super().__init__(make_team(context["env_id"], context["env_kwargs"]))
        self._base, self._episodes, self._options = 0, 0, context["options"]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts the next episode of the stream, or a new stream if a seed is given."""
        if seed is not None:
            self._base, self._episodes = seed, 0
        self._seed = episode_seed(self._base, 0, self._episodes)
        self._episodes += 1
        self._actions: list[dict[str, Any]] = []
        self._return = 0.0
        given = {**self._options, **(options or {})}
        observations, infos = super().reset(seed=self._seed, options=given or None)
        return observations, infos

    def step(self, action_dict: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
        """Steps all agents; see the class for what is added to the last infos."""
        self._actions.append({name: np.asarray(a).tolist() for name, a in action_dict.items()})
        observations, rewards, terminations, truncations, infos = super().step(action_dict)
        self._return += float(sum(rewards.values()))
        # RLlib's wrapper ends an episode when all agents ended the same way in the same step;
        # agents may also end one after the other, or some by a limit.
        over = not self.par_env.agents
        terminations["__all__"] = over and not truncations["__all__"]
        if over:
            summary = {
                "episode": {"r": self._return, "l": len(self._actions)},
                "episode_seed": self._seed,
                "episode_actions": self._actions,
            }
            infos = {name: info | summary for name, info in infos.items()}
        return observations, rewards, terminations, truncations, infos
