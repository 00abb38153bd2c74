"""A small walk on a line, single and natively vectorised, for the tests of the engines."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

CELLS = 9
LIMIT = 12


def _space() -> gym.spaces.Dict:
    return gym.spaces.Dict(
        {
            "place": gym.spaces.Box(-1, 1, (2,), np.float32),
            "cell": gym.spaces.Discrete(CELLS),
            "action_mask": gym.spaces.Box(0, 1, (3,), np.int8),
        }
    )


class LineEnv(gym.Env[Any, Any]):
    """Walk left, right or stay on nine cells; cell 8 ends the walk, 12 steps truncate it.

    The start is drawn and each reward carries seeded noise. ``info["score"]`` of the last step is
    the number of steps.
    """

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(self, noise: float = 0.1, render_mode: str | None = None) -> None:
        self.noise, self.render_mode = noise, render_mode
        self.observation_space = _space()
        self.action_space = gym.spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.cell, self.steps = int(self.np_random.integers(CELLS - 1)), 0
        return self._observe(), {"start": self.cell}

    def _observe(self) -> dict[str, Any]:
        place = np.array([self.cell / CELLS, self.steps / LIMIT], dtype=np.float32)
        return {"place": place, "cell": self.cell, "action_mask": self.action_masks().astype("i1")}

    def action_masks(self) -> np.ndarray:
        return np.array([self.cell > 0, self.cell < CELLS - 1, True])

    def step(self, action: int) -> Any:
        assert self.action_masks()[action], "illegal action"
        self.cell += (-1, 1, 0)[action]
        self.steps += 1
        reward = self.noise * self.np_random.normal() - 0.1
        terminated = self.cell == CELLS - 1
        truncated = not terminated and self.steps >= LIMIT
        info = {}
        if terminated or truncated:
            info = {"score": float(self.steps), "is_success": terminated}
        return self._observe(), reward + terminated, terminated, truncated, info

    def render(self) -> np.ndarray:
        picture = np.zeros((4, CELLS, 3), dtype=np.uint8)
        picture[:, self.cell] = 255
        return picture


class LineVectorEnv(VectorEnv[Any, Any, Any]):
    """The same in arrays, NEXT_STEP autoreset, ``reset_mask`` supported."""

    metadata = {
        "render_modes": ["rgb_array"],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self, num_envs: int = 1, noise: float = 0.1, render_mode: str | None = None
    ) -> None:
        self.num_envs, self.noise, self.render_mode = num_envs, noise, render_mode
        self.single_observation_space = _space()
        self.single_action_space = gym.spaces.Discrete(3)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.cell = np.zeros(num_envs, dtype=np.int64)
        self.steps = np.zeros(num_envs, dtype=np.int64)
        self.over = np.zeros(num_envs, dtype=bool)
        self.generators = [np.random.default_rng() for _ in range(num_envs)]

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=bool))
        if seed is None or isinstance(seed, int):
            seed = [None if seed is None else seed + i for i in range(self.num_envs)]
        for i in np.flatnonzero(mask):
            if seed[i] is not None:
                self.generators[i] = np.random.default_rng(seed[i])
            self._begin(i)
        self.over[mask] = False
        return self._observe(), {"start": self.cell.copy(), "_start": mask.copy()}

    def _begin(self, i: int) -> None:
        self.cell[i], self.steps[i] = self.generators[i].integers(CELLS - 1), 0

    def _observe(self) -> dict[str, Any]:
        place = np.stack([self.cell / CELLS, self.steps / LIMIT], axis=1).astype(np.float32)
        mask = self.action_masks().astype(np.int8)
        return {"place": place, "cell": self.cell, "action_mask": mask}

    def action_masks(self) -> np.ndarray:
        return np.stack(
            [self.cell > 0, self.cell < CELLS - 1, np.ones(self.num_envs, dtype=bool)], axis=1
        )

    def step(self, actions: np.ndarray) -> Any:
        begun = self.over.copy()
        rewards = np.zeros(self.num_envs)
        for i in range(self.num_envs):
            if begun[i]:
                self._begin(i)
                continue
            assert self.action_masks()[i, actions[i]], "illegal action"
            self.cell[i] += (-1, 1, 0)[actions[i]]
            self.steps[i] += 1
            rewards[i] = self.noise * self.generators[i].normal() - 0.1
        terminated = ~begun & (self.cell == CELLS - 1)
        truncated = ~begun & ~terminated & (self.steps >= LIMIT)
        self.over = terminated | truncated
        infos = {
            "score": np.where(self.over, self.steps, 0).astype(float),
            "_score": self.over.copy(),
            "is_success": terminated.copy(),
            "_is_success": self.over.copy(),
        }
        return self._observe(), rewards + terminated, terminated, truncated, infos

    def render(self) -> Any:
        picture = np.zeros((self.num_envs, 4, CELLS, 3), dtype=np.uint8)
        picture[np.arange(self.num_envs), :, self.cell] = 255
        return tuple(picture)


class PointEnv(gym.Env[Any, Any]):
    """One continuous step towards a drawn point, for algorithms with continuous actions."""

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Box(-1, 1, (1,), np.float32)
        self.action_space = gym.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.point = self.np_random.uniform(-1, 1, 1).astype(np.float32)
        return self.point.copy(), {}

    def step(self, action: np.ndarray) -> Any:
        return self.point.copy(), -float(abs(action - self.point)[0]), True, False, {}


gym.register("Line-v0", f"{__name__}:LineEnv", vector_entry_point=f"{__name__}:LineVectorEnv")
gym.register("LineCopies-v0", f"{__name__}:LineEnv")
gym.register("Point-v0", f"{__name__}:PointEnv")
