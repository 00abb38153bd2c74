"""The interface of agents, and the random agent."""

from typing import Any, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np

from agents.view import View


@runtime_checkable
class Agent(Protocol):
    """Anything that acts; ``module:attribute`` names one from outside the project."""

    def reset(self, seed: int) -> None:
        """Starts an episode; all the agent's randomness derives from the seed."""

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """The action for an observation and the info that came with it."""


class RandomAgent:
    """Uniform over the legal actions.

    Args:
        view: Of the environment.
    """

    def __init__(self, view: View) -> None:
        self.space = view.action_space

    def reset(self, seed: int) -> None:
        """Seeds the choice of actions."""
        self.space.seed(seed)

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """Samples a legal action; reads ``observation["action_mask"]`` where there is one."""
        mask = observation.get("action_mask") if isinstance(observation, dict) else None
        if mask is not None and isinstance(self.space, gym.spaces.MultiDiscrete):
            # The masks of the choices lie one after the other.
            mask = tuple(np.split(mask, np.cumsum(self.space.nvec)[:-1]))
        return self.space.sample(mask)
