"""Heuristics of the thermostat."""

from typing import Any

from agents.view import View


class Hysteresis:
    """Full power below the target, where it is legal; off above it.

    Args:
        view: Of a thermostat environment.
    """

    def __init__(self, view: View) -> None:
        del view  # everything it needs is in the observation

    def reset(self, seed: int) -> None:
        """Nothing is kept between episodes."""

    def act(self, observation: dict[str, Any], info: dict[str, Any]) -> int:
        """Off, half or full power for the next hour."""
        inside, _, target = observation["temperatures"]
        if inside >= target:
            return 0
        return 2 if observation["action_mask"][2] else 1
