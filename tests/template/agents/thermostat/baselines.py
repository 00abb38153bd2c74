"""Heuristics of the thermostat."""

from typing import Any

import gymnasium as gym


class Hysteresis:
    """Full power below the target, where it is legal; off above it.

    Args:
        env: A thermostat environment.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        del env  # everything it needs is in the observation

    def reset(self, seed: int) -> None:
        """Nothing is kept between episodes."""

    def act(self, observation: dict[str, Any], info: dict[str, Any]) -> int:
        """Off, half or full power for the next hour."""
        inside, _, target = observation["temperatures"]
        if inside >= target:
            return 0
        return 2 if observation["action_mask"][2] else 1
