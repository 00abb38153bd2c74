"""A small environment that keeps the contract, and one that breaks it for each check of the kit."""

import os
import subprocess
import sys
import threading
import time
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from hardware_sim.errors import InputError, choose

CELLS = 6
LIMIT = 10
SURFACES = ("grass", "sand")


def observation_space() -> gym.spaces.Dict:
    return gym.spaces.Dict(
        {
            "place": gym.spaces.Box(0, 1, (2,), np.float32),
            "cell": gym.spaces.Discrete(CELLS),
            "action_mask": gym.spaces.Box(0, 1, (3,), np.int8),
        }
    )


class Walk(gym.Env[Any, Any]):
    """Left, right or stay; the right end is the goal, ten steps are the limit."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}

    def __init__(self, surface: str = "grass", render_mode: str | None = None) -> None:
        choose("surface", surface, SURFACES)
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.surface, self.render_mode = surface, render_mode
        self.observation_space = observation_space()
        self.action_space = gym.spaces.Discrete(3)
        self.cell = self.steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.cell, self.steps = int(self.np_random.integers(CELLS - 1)), 0
        return self.observe(), {"start": self.cell}

    def observe(self) -> dict[str, Any]:
        place = np.array([self.cell / CELLS, self.steps / LIMIT], np.float32)
        return {
            "place": place,
            "cell": self.cell,
            "action_mask": self.action_masks().astype(np.int8),
        }

    def action_masks(self) -> Any:
        return np.array([self.cell > 0, True, True])

    def step(self, action: Any) -> Any:
        if action not in self.action_space:
            raise InputError(f"action {action!r}: 0 is left, 1 stays, 2 is right")
        if not self.action_masks()[action]:
            raise InputError("there is no cell on the left")
        self.cell += int(action) - 1
        self.steps += 1
        slip = -0.01 * float(self.np_random.random())
        goal = self.cell == CELLS - 1
        info: dict[str, Any] = {"reward": {"goal": float(goal), "slip": slip}}
        ended, late = goal, not goal and self.steps == LIMIT
        if ended or late:
            info |= {"score": float(self.steps), "is_success": goal}
        return self.observe(), float(goal) + slip, ended, late, info

    def render(self) -> Any:
        if self.render_mode == "ansi":
            return "." * self.cell + "@" + "." * (CELLS - 1 - self.cell)
        picture = np.zeros((8, CELLS * 8, 3), np.uint8)
        picture[:, self.cell * 8 : self.cell * 8 + 8] = 255
        return picture


class WalkVector(VectorEnv[Any, Any, Any]):
    """Rows of walks that keep what a native class must keep."""

    metadata: ClassVar[dict[str, Any]] = {"autoreset_mode": AutoresetMode.NEXT_STEP}
    single = Walk

    def __init__(self, num_envs: int, surface: str = "grass") -> None:
        self.num_envs = num_envs
        self.rows = [self.single(surface) for _ in range(num_envs)]
        self.single_observation_space = observation_space()
        self.single_action_space = gym.spaces.Discrete(3)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.ended = np.zeros(num_envs, bool)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        seeds = seed
        if not isinstance(seed, list):
            seeds = [None if seed is None else seed + i for i in range(self.num_envs)]
        infos: dict[str, Any] = {}
        for i, row in enumerate(self.rows):
            infos = self._add_info(infos, row.reset(seed=seeds[i])[1], i)
        self.ended[:] = False
        return self.observe(), infos

    def observe(self) -> dict[str, Any]:
        observations = [row.observe() for row in self.rows]
        return {key: np.array([each[key] for each in observations]) for key in observations[0]}

    def action_masks(self) -> Any:
        return np.array([row.action_masks() for row in self.rows])

    def begin(self, i: int) -> Any:
        _, info = self.rows[i].reset()
        return 0.0, False, False, info

    def step(self, actions: Any) -> Any:
        infos: dict[str, Any] = {}
        rewards = np.zeros(self.num_envs)
        terminated, truncated = np.zeros((2, self.num_envs), bool)
        for i, row in enumerate(self.rows):
            outcome = self.begin(i) if self.ended[i] else row.step(actions[i])[1:]
            rewards[i], terminated[i], truncated[i], info = outcome
            infos = self._add_info(infos, info, i)
        self.ended = terminated | truncated
        return self.observe(), rewards, terminated, truncated, infos


class BeatsItsBound(Walk):
    """Its score lies now on one side of its bound and now on the other."""

    def step(self, action: Any) -> Any:
        *rest, info = super().step(action)
        return *rest, info | {"bound": 5.0}


class HasNoBoundAfterAll(Walk):
    def step(self, action: Any) -> Any:
        *rest, info = super().step(action)
        return *rest, info | {"bound": float("nan")}


class NumbersItsProblem(Walk):
    def step(self, action: Any) -> Any:
        *rest, info = super().step(action)
        return *rest, info | {"problem": 3}


class WarnsOfItsSeed(Walk):
    def reset(self, *, seed: int | None = 7, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=seed, options=options)


class HashOrder(Walk):
    """Walks in the order of a set of strings."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        observation, info = super().reset(seed=seed, options=options)
        return observation, {**info, "order": list({f"name{i}" for i in range(50)})}


class Unpicklable(Walk):
    def __init__(self, surface: str = "grass", render_mode: str | None = None) -> None:
        super().__init__(surface, render_mode)
        self.lock = threading.Lock()


class Forgetful(Walk):
    """A copy forgets its surface and with it where it starts."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, surface="sand")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        observation, info = super().reset(seed=seed, options=options)
        return observation, {**info, "surface": self.surface}


class SharesItsArray(Walk):
    def observe(self) -> dict[str, Any]:
        self.place = getattr(self, "place", np.zeros(2, np.float32))
        self.place[:] = self.cell / CELLS, self.steps / LIMIT
        return {**super().observe(), "place": self.place}


class PaintsNothing(Walk):
    def render(self) -> Any:
        return np.zeros((8, 8, 3), np.uint8)


class PaintsFloats(Walk):
    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 4}

    def render(self) -> Any:
        return super().render() / 255.0


class HasNoPicture(Walk):
    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 4}


class MovesWhenWatched(Walk):
    def render(self) -> Any:
        self.steps = min(self.steps + 1, LIMIT - 1)
        return super().render()


class TakesAnySurface(Walk):
    def __init__(self, surface: str = "grass", render_mode: str | None = None) -> None:
        super().__init__("grass", render_mode)


class RefusesWithoutReason(Walk):
    def __init__(self, surface: str = "grass", render_mode: str | None = None) -> None:
        if surface not in SURFACES:
            raise InputError("bad surface")
        super().__init__(surface, render_mode)


class CrashesOnItsSurface(Walk):
    def __init__(self, surface: str = "grass", render_mode: str | None = None) -> None:
        {"grass": 1, "sand": 2}[surface]
        super().__init__(surface, render_mode)


class MasksDiffer(Walk):
    def observe(self) -> dict[str, Any]:
        return {**super().observe(), "action_mask": np.ones(3, np.int8)}


class MaskAllowsNothing(Walk):
    def action_masks(self) -> Any:
        return np.array([self.cell > 0, self.steps < 3, self.steps < 3]) & (self.steps < 3)


class MaskOfFloats(Walk):
    def observe(self) -> dict[str, Any]:
        return {**super().observe(), "action_mask": self.action_masks().astype(np.float32)}


class MaskWithoutMethod(Walk):
    action_masks = None  # type: ignore[assignment]

    def observe(self) -> dict[str, Any]:
        return {"action_mask": np.ones(3, np.int8)}

    def __getattribute__(self, name: str) -> Any:
        if name == "action_masks":
            raise AttributeError(name)
        return super().__getattribute__(name)


class IgnoresTheMask(Walk):
    """A masked-out action does nothing, without a penalty or an error."""

    def step(self, action: Any) -> Any:
        if action in self.action_space and not self.action_masks()[action]:
            return self.observe(), 0.0, False, False, {"reward": {"goal": 0.0}}
        return super().step(action)


class CrashesOnTheMask(Walk):
    def step(self, action: Any) -> Any:
        if action in self.action_space and not self.action_masks()[action]:
            raise IndexError("list index out of range")
        return super().step(action)


class PenalisesTheMask(Walk):
    """Allowed: the penalty is stated."""

    def step(self, action: Any) -> Any:
        if action in self.action_space and not self.action_masks()[action]:
            return self.observe(), -1.0, False, False, {"reward": {"illegal": -1.0}}
        return super().step(action)


class TakesMinusOne(Walk):
    def step(self, action: Any) -> Any:
        return super().step(1 if action == -1 else action)


class CountsRefusedActions(Walk):
    def step(self, action: Any) -> Any:
        if action not in self.action_space:
            self.steps += 1
        return super().step(action)


class HidesItsReward(Walk):
    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward - 0.5, terminated, truncated, info


class KeepsNoScore(Walk):
    def step(self, action: Any) -> Any:
        *rest, info = super().step(action)
        info.pop("score", None)
        return *rest, info


class LeavesItsSpace(Walk):
    def observe(self) -> dict[str, Any]:
        observation = super().observe()
        return {**observation, "place": observation["place"] * (3 if self.steps > 3 else 1)}


class Grows(Walk):
    # More than what earlier tests in the process may have freed and left to be used again.
    kept: ClassVar[list[Any]] = []

    def step(self, action: Any) -> Any:
        self.kept.append(np.ones(30_000))
        return super().step(action)


class EndsItself(Walk):
    def step(self, action: Any) -> Any:
        os._exit(3)


class Sleeps(Walk):
    def step(self, action: Any) -> Any:
        time.sleep(60)
        return super().step(action)


class LeavesAFile(Walk):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.descriptor = os.open(os.devnull, os.O_RDONLY)
        return super().reset(seed=seed, options=options)


class LeavesAProcess(Walk):
    started: ClassVar[list[subprocess.Popen[bytes]]] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return super().reset(seed=seed, options=options)


class EndsItsProcess(LeavesAProcess):
    """Allowed: the process goes with the environment."""

    def close(self) -> None:
        while self.started:
            process = self.started.pop()
            process.kill()
            process.wait()


class LeavesAThread(Walk):
    stop: ClassVar[threading.Event] = threading.Event()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        threading.Thread(target=self.stop.wait, name="forgotten", daemon=True).start()
        return super().reset(seed=seed, options=options)


class ClosesOnce(Walk):
    def close(self) -> None:
        if getattr(self, "closed", False):
            raise ValueError("already closed")
        self.closed = True


class RewardsAutoreset(WalkVector):
    def begin(self, i: int) -> Any:
        return (1.0, *super().begin(i)[1:])


class SeedsAllAlike(WalkVector):
    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=[seed] * self.num_envs if isinstance(seed, int) else seed)


class HasNoMasks(WalkVector):
    action_masks = None


class DeclaresNoMode(WalkVector):
    metadata: ClassVar[dict[str, Any]] = {}


class StepsBeyondTheEnd(WalkVector):
    """The action of a row that starts anew is not ignored."""

    def step(self, actions: Any) -> Any:
        again, self.ended = self.ended, np.zeros(self.num_envs, bool)
        for i in np.flatnonzero(again):
            self.rows[i].reset()
        return super().step(np.where(again, 1, actions))


def register(name: str, single: type[Walk] = Walk, vector: type[WalkVector] | None = None) -> str:
    """Registers a class of this module and returns its module-qualified id."""
    gym.register(
        f"{name}-v0",
        f"{__name__}:{single.__name__}",
        vector_entry_point=f"{__name__}:{vector.__name__}" if vector else None,
    )
    return f"{__name__}:{name}-v0"


GOOD = register("Walk", Walk, WalkVector)
"""The id that passes every check."""

BROKEN_VECTORS = {
    vector: register(vector.__name__, Walk, vector)
    for vector in (RewardsAutoreset, SeedsAllAlike, HasNoMasks, DeclaresNoMode, StepsBeyondTheEnd)
}
gym.register("WalkByLambda-v0", lambda **kwargs: Walk(**kwargs))
