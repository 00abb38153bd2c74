"""Rooms that lose heat to the weather: the core that both environment classes drive."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.rows import Core, Outcome, whole_actions
from hardware_sim.errors import InputError, choose

ACTIONS = 3
"""Off, half, full; full is illegal right after full, when the heater is hot."""

HOURS = 48
LOSS = 0.1
"""Share of the difference to the weather that a room loses in an hour."""

HEAT_C = 2.0
"""Kelvin that half power adds in an hour; full adds twice as much."""

ENERGY_PRICE = 0.05
ILLEGAL_REWARD = -1.0
SUCCESS_K = 1.0
WEATHER = {"mild": 10.0, "cold": -5.0}
"""Mean temperature outside in degrees Celsius."""


class RoomBatch(Core):
    """``B`` rooms.

    Args:
        target_c: The temperature to keep, in degrees Celsius, 15 to 25.
        batch: Number of rows ``B``.

    Raises:
        InputError: The target is out of range.
    """

    options = ("weather",)

    def __init__(self, target_c: float, batch: int) -> None:
        if not 15.0 <= target_c <= 25.0:
            raise InputError(f"target_c is {target_c}; allowed: 15 to 25")
        self.target_c, self.batch = target_c, batch
        self.room_c, self.weather_c = np.zeros(batch), np.zeros(batch)
        self.deviation_k = np.zeros(batch)
        self.hour = np.zeros(batch, np.int64)
        self.weather = np.full(batch, "", object)
        self.hot = np.zeros(batch, np.bool_)

    def spaces(self) -> tuple[spaces.Dict, spaces.Discrete]:
        """Observation and action space of one row."""
        observation = spaces.Dict(
            {
                "temperatures": spaces.Box(-100.0, 100.0, (3,), np.float32),
                "progress": spaces.Box(0.0, 1.0, (1,), np.float32),
                "action_mask": spaces.Box(0, 1, (ACTIONS,), np.int8),
            }
        )
        return observation, spaces.Discrete(ACTIONS)

    def draw(self, random: np.random.Generator, options: Mapping[str, Any]) -> tuple[str, float]:
        """The weather of a new episode, and a temperature inside to begin with.

        Raises:
            InputError: There is no such weather.
        """
        names = list(WEATHER)
        weather = choose("weather", options.get("weather", names[random.integers(2)]), names)
        return weather, float(random.uniform(10.0, 25.0))

    def begin(
        self, rows: NDArray[np.bool_], drawn: list[tuple[str, float]]
    ) -> dict[str, list[str]]:
        """Starts episodes in the given rows; names the weather."""
        self.weather_c[rows] = [WEATHER[weather] for weather, _ in drawn]
        self.weather[rows] = [weather for weather, _ in drawn]
        self.room_c[rows] = [start for _, start in drawn]
        self.deviation_k[rows], self.hour[rows], self.hot[rows] = 0.0, 0, False
        return {"weather": [weather for weather, _ in drawn]}

    def step(self, rows: NDArray[np.bool_], actions: NDArray[np.integer]) -> Outcome:
        """Heats the given rows for an hour.

        Raises:
            InputError: An action of these rows is outside the space.
        """
        power = whole_actions(actions, rows, ACTIONS)
        illegal = rows & self.hot & (power == 2)
        power = np.where(illegal, 0, power)
        warmer = LOSS * (self.weather_c - self.room_c) + HEAT_C * power
        self.room_c = np.where(rows, self.room_c + warmer, self.room_c)
        off_k = np.abs(self.room_c - self.target_c)
        self.deviation_k += np.where(rows, off_k, 0.0)
        self.hot = np.where(rows, power == 2, self.hot)
        self.hour += rows
        parts = {
            "comfort": np.where(rows, -off_k, 0.0),
            "energy": np.where(rows, -ENERGY_PRICE * power, 0.0),
            "illegal": np.where(illegal, ILLEGAL_REWARD, 0.0),
        }
        return Outcome(parts, np.zeros(self.batch, np.bool_), rows & (self.hour >= HOURS))

    def observe(self) -> dict[str, NDArray[Any]]:
        """The observations of all rows, as new arrays."""
        target = np.full(self.batch, self.target_c)
        temperatures = np.stack([self.room_c, self.weather_c, target], axis=1)
        return {
            "temperatures": temperatures.astype(np.float32),
            "progress": (self.hour[:, None] / HOURS).astype(np.float32),
            "action_mask": self.mask().astype(np.int8),
        }

    def mask(self) -> NDArray[np.bool_]:
        """The actions that are legal now, bool ``(B, 3)``."""
        mask = np.ones((self.batch, ACTIONS), np.bool_)
        mask[:, 2] = ~self.hot
        return mask

    def results(self) -> dict[str, NDArray[Any]]:
        """Mean deviation from the target in kelvin, ``(B,)``, whether it is small, and the weather.

        ``bound`` is what none can beat: no deviation.
        """
        score, bound = self.deviation_k / HOURS, np.zeros(self.batch)
        success = score <= SUCCESS_K
        return {
            "score": score,
            "is_success": success,
            "problem": self.weather.copy(),
            "bound": bound,
        }
