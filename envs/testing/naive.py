"""Naive play, which shows what an environment gives to those who know nothing of it."""

from collections.abc import Iterator
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.testing.subject import LegalActions, current_mask

ALL_ACTIONS = 32
"""Of a ``Discrete`` space up to this size, every action is played as a constant one."""


class Player(Protocol):
    """Anything that acts."""

    def reset(self, seed: int) -> None:
        """Starts an episode; all randomness derives from the seed."""

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """The action for an observation and the info that came with it."""


class RandomPlay:
    """Uniform over the legal actions.

    Args:
        env: The environment.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        self._env = env

    def reset(self, seed: int) -> None:
        """Seeds the choice of actions."""
        self._actions = LegalActions(self._env.action_space, seed)

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """A legal action."""
        return self._actions(current_mask(self._env, observation))


class ConstantPlay:
    """Always the same action where it is legal, else the first legal one.

    Of a ``MultiDiscrete`` action, each number is replaced that is not open.

    Args:
        env: The environment.
        action: The action.
    """

    def __init__(self, env: gym.Env[Any, Any], action: Any) -> None:
        self._env, self.action = env, action

    def reset(self, seed: int) -> None:
        """Changes nothing: no seed matters."""

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """The action, or the first legal one."""
        mask, space = current_mask(self._env, observation), self._env.action_space
        if mask is None:
            return self.action
        if isinstance(space, gym.spaces.Discrete):
            legal = mask[int(self.action) - int(space.start)]
            return self.action if legal else np.int64(int(space.start) + int(mask.argmax()))
        assert isinstance(space, gym.spaces.MultiDiscrete)
        parts = np.split(mask, np.cumsum(space.nvec.ravel())[:-1])
        number = np.asarray(self.action - space.start).ravel()
        kept = [k if part[k] else int(part.argmax()) for k, part in zip(number, parts, strict=True)]
        return space.start + np.array(kept, np.int64).reshape(space.nvec.shape)


def constants(space: gym.Space[Any]) -> Iterator[Any]:
    """The actions that are tried as constant ones.

    Of a ``Discrete`` space all of them up to :data:`ALL_ACTIONS`, else its numbers 0, 1, 2, 4, 8
    and so on, and the last; of a ``MultiDiscrete`` space the first, the middle and the last choices
    of all dimensions; of a ``Box`` with bounds the lowest, the middle and the highest. Other spaces
    have none.
    """
    if isinstance(space, gym.spaces.Discrete):
        count = int(space.n)
        few = {0, count - 1, *(1 << k for k in range((count - 1).bit_length()))}
        for number in range(count) if count <= ALL_ACTIONS else sorted(few):
            yield np.int64(int(space.start) + number)
    elif isinstance(space, gym.spaces.MultiDiscrete):
        last: NDArray[np.int64] = space.nvec - 1
        yield from (space.start + number for number in (np.zeros_like(last), last // 2, last))
    elif isinstance(space, gym.spaces.Box) and space.is_bounded():
        low, high = space.low, space.high
        yield from (low, (low + (high - low) / 2).astype(space.dtype), high)


def episode(
    env: gym.Env[Any, Any], player: Player, seed: int, options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The last info of an episode.

    Args:
        env: The environment; stays open.
        player: The player.
        seed: Of the environment's reset and the player's.
        options: Options of the environment's reset.
    """
    observation, info = env.reset(seed=seed, options=options)
    player.reset(seed)
    ended = False
    while not ended:
        observation, _, terminated, truncated, info = env.step(player.act(observation, info))
        ended = bool(terminated or truncated)
    return info
