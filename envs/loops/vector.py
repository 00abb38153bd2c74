"""The natively vectorised loop scheduling environment."""

from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.loops.batch import LoopBatch
from envs.loops.drawing import picture
from envs.loops.env import LoopScheduleEnv, Observation
from hardware_sim.errors import InputError, choose


class LoopScheduleVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """``num_envs`` nests in one set of arrays; see :class:`envs.loops.env.LoopScheduleEnv`.

    Row ``i`` of ``reset(seed=s)`` goes through the same trajectory as the single environment after
    ``reset(seed=s + i)``. An ended row starts its next episode at the following step (NEXT_STEP),
    whose action it ignores.
    ``reset(options={"reset_mask": rows})`` starts the next episode of the given rows at once.

    Args:
        num_envs: Number of rows.
        operations: As for the single environment, and so the rest.
        backend: Likewise.
        processor: Likewise.
        threads: Likewise.
        render_mode: Likewise; :meth:`render` returns a picture or a text a row.

    Raises:
        InputError: As for the single environment.
    """

    metadata: dict[str, Any] = {
        **LoopScheduleEnv.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int,
        operations: list[str],
        backend: str = "model",
        processor: str = "zen4",
        threads: int = 2,
        render_mode: str | None = None,
    ) -> None:
        if num_envs < 1:
            raise InputError(f"num_envs is {num_envs}; at least 1 is needed")
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.core = LoopBatch(operations, backend, processor, threads, num_envs)
        self.single_observation_space, self.single_action_space = self.core.spaces()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.randoms = [seeding.np_random(None)[0] for _ in range(num_envs)]
        self.ended = np.zeros(num_envs, np.bool_)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode in every row, or in the rows of ``options["reset_mask"]``.

        Args:
            seed: Row ``i`` is seeded with ``seed + i``, or with its entry of a list.
            options: ``{"reset_mask": bool (num_envs,)}`` and those of the single environment.

        Raises:
            InputError: An unknown problem or split, or a mask of another shape.
        """
        if seed is not None:
            seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
            for i, value in enumerate(seeds):
                if value is not None:
                    self.randoms[i] = seeding.np_random(value)[0]
        rows = np.ones(self.num_envs, np.bool_)
        if options and "reset_mask" in options:
            rows = np.asarray(options["reset_mask"], np.bool_)
            if rows.shape != (self.num_envs,):
                raise InputError(f"reset_mask has shape {rows.shape}; expected ({self.num_envs},)")
        info = self._begin(rows, options)
        return self.core.observe(), info

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Takes an edit in every row; rows that had ended start anew instead.

        Raises:
            InputError: An action is out of range, or there is not one for each row.
        """
        starting = self.ended
        outcome = self.core.step(~starting, np.asarray(actions))
        self.ended = outcome.terminated | outcome.truncated
        results = self.core.results() if self.ended.any() else {}
        info = self._begin(starting, None) if starting.any() else {}
        rows = ~starting
        parts = {"speed": outcome.speed, "steps": outcome.steps, "illegal": outcome.illegal}
        info["reward"] = dict(parts) | {f"_{key}": rows.copy() for key in parts}
        info["_reward"] = rows.copy()
        for key, value in results.items():
            info[key], info[f"_{key}"] = value, self.ended.copy()
        reward = outcome.speed + outcome.steps + outcome.illegal
        return self.core.observe(), reward, outcome.terminated, outcome.truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are legal in each row now, bool ``(num_envs, A)``."""
        return np.array(self.core.mask != 0)

    def render(self) -> tuple[Any, ...] | None:
        """A picture or a text a row, as the single environment gives it."""
        if self.render_mode is None:
            return None
        show = self.core.text if self.render_mode == "ansi" else self._picture
        return tuple(show(row) for row in range(self.num_envs))

    def _picture(self, row: int) -> NDArray[np.uint8]:
        return picture(self.core, row)

    def _begin(self, rows: NDArray[np.bool_], options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode in the given rows and says which problem each got."""
        index = np.flatnonzero(rows)
        problems = [self.core.draw(self.randoms[i], options) for i in index]
        self.core.begin(rows, problems)
        self.ended = self.ended & ~rows
        names = np.full(self.num_envs, None, object)
        names[index] = [problem.name for problem in problems]
        return {"problem": names, "_problem": rows.copy()}
