"""Small environments that RLlib's workers can import."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv


class Chain(gym.Env[dict[str, Any], int]):
    """Six steps; the mask forbids one action a step, and one of the others gives 1."""

    def __init__(self, length: int = 6) -> None:
        self.length = length
        self.observation_space = spaces.Dict(
            {
                "time": spaces.Box(0, 1, (length, 2), np.float32),
                "edges": spaces.Box(0, length, (3, 2), np.int32),
                "action_mask": spaces.Box(0, 1, (4,), np.int8),
            }
        )
        self.action_space = spaces.Discrete(4)

    def _observe(self) -> dict[str, Any]:
        self.mask = np.ones(4, dtype=np.int8)
        self.mask[self.time % 4] = 0
        time = np.zeros((self.length, 2), np.float32)
        if self.time < self.length:
            time[self.time] = 1
        return {"time": time, "edges": np.zeros((3, 2), np.int32), "action_mask": self.mask}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self.time, self.hits = 0, 0
        self.shift = int(self.np_random.integers(1, 3))
        return self._observe(), {}

    def step(self, action: int) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        if not self.mask[action]:
            raise ValueError(f"action {action} is illegal at {self.time}")
        hit = float(action == (self.time + 1) % 4)
        self.hits += int(hit)
        self.time += 1
        over = self.time >= self.length
        info: dict[str, Any] = {"reward": {"hit": hit}}
        if over:
            # The seed shows in the score, so that a replay with another one differs.
            info |= {"score": self.hits + self.shift / 10, "is_success": self.hits > 3}
        return self._observe(), hit, over, False, info


class Reach(gym.Env[dict[str, Any], Any]):
    """A Dict observation without a mask; the action should equal the target."""

    def __init__(self, actions: str = "box") -> None:
        self.observation_space = spaces.Dict(
            {"target": spaces.Box(-1, 1, (2,), np.float32), "side": spaces.Discrete(2)}
        )
        self.action_space = {
            "box": spaces.Box(-2, 2, (2,), np.float32),
            "pair": spaces.MultiDiscrete([2, 3]),
        }[actions]

    def _observe(self) -> dict[str, Any]:
        self.target = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return {"target": self.target, "side": np.int64(self.target[0] > 0)}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        if not self.action_space.contains(action):
            raise ValueError(f"{action!r} is not in {self.action_space}")
        self.time += 1
        reward = -float(np.abs(np.asarray(action, np.float32) - self.target).sum())
        return self._observe(), reward, False, self.time >= 5, {}


class Pair(ParallelEnv[str, Any, int]):
    """Two agents with different spaces; each is paid for choosing what it sees."""

    metadata = {"name": "pair_v0"}  # PettingZoo's own form
    possible_agents = ["left", "right"]

    def __init__(self, length: int = 5) -> None:
        self.length = length

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(0, 1, (2 if agent == "left" else 3,), np.float32)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(2 if agent == "left" else 3)

    def _observe(self) -> dict[str, Any]:
        self.shown = {"left": int(self.random.integers(2)), "right": int(self.random.integers(3))}
        return {
            "left": np.eye(2, dtype=np.float32)[self.shown["left"]],
            "right": np.eye(3, dtype=np.float32)[self.shown["right"]],
        }

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        self.random = np.random.default_rng(seed)
        self.agents, self.time = list(self.possible_agents), 0
        return self._observe(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> tuple[Any, Any, Any, Any, Any]:
        rewards = {agent: float(actions[agent] == self.shown[agent]) for agent in self.agents}
        self.time += 1
        over = self.time >= self.length
        ended = dict.fromkeys(self.agents, over)
        result = (
            self._observe(),
            rewards,
            ended,
            dict.fromkeys(self.agents, False),
            {agent: {} for agent in self.agents},
        )
        if over:
            self.agents = []
        return result


gym.register("Chain-v0", entry_point=Chain)
gym.register("Reach-v0", entry_point=Reach)
