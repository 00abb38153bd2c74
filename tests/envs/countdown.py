"""A domain as small as one can be: a core and two classes of a few lines."""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.rows import Core, Outcome, RowEnv, Rows, RowsEnv, whole_actions
from hardware_sim.errors import InputError, choose

STARTS = {"low": (3, 7), "high": (7, 12)}
LIMIT = 4


class CountdownBatch(Core):
    """Numbers that are counted down by 1, 2 or 3 a step: 0 is the goal, below it is illegal."""

    options = ("start",)

    def __init__(self, starts: str, price: float, batch: int) -> None:
        self.starts = STARTS[choose("starts", starts, list(STARTS))]
        self.price = price
        self.left, self.steps = np.zeros((2, batch), np.int64)
        self.closed = 0

    def spaces(self) -> tuple[gym.spaces.Dict, "gym.spaces.Discrete[np.int64]"]:
        parts: dict[str, gym.Space[Any]] = {
            "left": gym.spaces.Box(0, 12, (1,), np.int64),
            "action_mask": gym.spaces.Box(0, 1, (3,), np.int8),
        }
        return gym.spaces.Dict(parts), gym.spaces.Discrete(3)

    def draw(self, random: np.random.Generator, options: Mapping[str, Any]) -> int:
        if "start" in options and not 1 <= options["start"] <= 12:
            raise InputError(f"start is {options['start']}; allowed: 1 to 12")
        return int(options.get("start", random.integers(*self.starts)))

    def begin(self, rows: Rows, drawn: list[int]) -> dict[str, list[str]]:
        self.left[rows], self.steps[rows] = drawn, 0
        return {"start": [f"from {start}" for start in drawn]}

    def step(self, rows: Rows, actions: NDArray[Any]) -> Outcome:
        less = whole_actions(actions, rows, 3) + rows
        illegal = less > self.left
        self.left -= np.where(illegal, 0, less)
        self.steps += rows
        goal = rows & (self.left == 0)
        parts = {
            "goal": np.where(goal, 1.0, 0.0),
            "steps": np.where(rows, -self.price, 0.0),
            "illegal": np.where(illegal, -1.0, 0.0),
        }
        late = rows & ~goal & ~illegal & (self.steps >= LIMIT)
        return Outcome(parts, goal | illegal, late, {"less": less})

    def observe(self) -> dict[str, NDArray[Any]]:
        return {"left": self.left[:, None].copy(), "action_mask": self.mask().astype(np.int8)}

    def mask(self) -> NDArray[np.bool_]:
        left = self.left[:, None]
        return np.asarray((np.arange(3) < left) | (left == 0))

    def results(self) -> dict[str, NDArray[Any]]:
        return {
            "score": self.left.astype(np.float64),
            "is_success": self.left == 0,
            "count": np.stack([self.left, self.steps], axis=1),
        }

    def close(self) -> None:
        self.closed += 1


def picture(core: CountdownBatch, row: int) -> NDArray[np.uint8]:
    shown = np.zeros((8, 104, 3), np.uint8)
    shown[:, : 8 * int(core.left[row]) + 8] = 255
    return shown


def text(core: CountdownBatch, row: int) -> str:
    return f"{core.left[row]} left"


class CountdownEnv(RowEnv[CountdownBatch]):
    """One countdown."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}
    drawings = {"rgb_array": picture, "ansi": text}

    def __init__(
        self, starts: str = "low", price: float = 0.1, render_mode: str | None = None
    ) -> None:
        super().__init__(CountdownBatch(starts, price, batch=1), render_mode)


class CountdownVectorEnv(RowsEnv[CountdownBatch]):
    """``num_envs`` countdowns."""

    single = CountdownEnv
    make_core = CountdownBatch


gym.register(
    "Countdown-v0",
    f"{__name__}:CountdownEnv",
    vector_entry_point=f"{__name__}:CountdownVectorEnv",
)
gym.register("CountdownCopies-v0", f"{__name__}:CountdownEnv")
ID = f"{__name__}:Countdown-v0"
