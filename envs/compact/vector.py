"""The natively vectorised compact-feature environment."""

from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.compact.batch import CompactBatch
from envs.compact.drawing import picture, text
from envs.compact.env import (
    BATCHES,
    BUDGETS,
    PRICES,
    RESULTS,
    REWARDS,
    SETTINGS,
    CompactFeatureEnv,
    Observation,
    draw_setting,
    settings,
    total,
)
from hardware_sim.errors import InputError, choose


class CompactFeatureVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """``num_envs`` episodes in one set of arrays; see :class:`CompactFeatureEnv`.

    Row ``i`` of ``reset(seed=s)`` goes through the same trajectory as the single environment after
    ``reset(seed=s + i)``. An ended row starts its next episode at the following step (NEXT_STEP),
    whose action it ignores. ``reset(options={"reset_mask": rows})`` starts the next episode of the
    given rows at once.

    Args:
        num_envs: Number of rows.
        batches: As for the single environment, and so the rest.
        prices: Likewise.
        budgets: Likewise.
        backend: Likewise.
        data: Likewise.
        network: Likewise.
        render_mode: Likewise; :meth:`render` returns a picture or a text a row.

    Raises:
        InputError: As for the single environment.
    """

    metadata: dict[str, Any] = {
        **CompactFeatureEnv.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int,
        batches: list[int] | tuple[int, ...] = BATCHES,
        prices: list[float] | tuple[float, ...] = PRICES,
        budgets: list[float] | tuple[float, ...] = BUDGETS,
        backend: str = "replay",
        data: str | None = None,
        network: str | None = None,
        render_mode: str | None = None,
    ) -> None:
        if num_envs < 1:
            raise InputError(f"num_envs is {num_envs}; at least 1 is needed")
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.core = CompactBatch(batches, prices, budgets, backend, data, network, num_envs)
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
            InputError: A setting that is not allowed, or a mask of another shape.
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
        """Decides the present layer of every row; rows that had ended start anew instead.

        Raises:
            InputError: An action is no choice, or there is not one for each row.
        """
        starting = self.ended
        rows = ~starting
        outcome = self.core.step(rows, np.asarray(actions))
        info = self._begin(starting, None) if starting.any() else {}
        parts: dict[str, Any] = {}
        for name in REWARDS:
            parts[name], parts[f"_{name}"] = getattr(outcome, name), rows.copy()
        info["reward"], info["_reward"] = parts, rows.copy()
        ended = outcome.terminated
        if ended.any():
            for name in (*RESULTS, "kept"):
                info[name], info[f"_{name}"] = getattr(outcome, name), ended.copy()
        self.ended = ended
        return self.core.observe(), total(outcome), ended.copy(), np.zeros_like(ended), info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which choices each row is allowed now, bool ``(num_envs, C)``."""
        return self.core.mask()

    def render(self) -> tuple[Any, ...] | None:
        """A picture or a text a row, as the single environment draws it."""
        if self.render_mode is None:
            return None
        draw = picture if self.render_mode == "rgb_array" else text
        return tuple(draw(self.core, row, None) for row in range(self.num_envs))

    def _begin(self, rows: NDArray[np.bool_], options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode in the given rows and says which setting each got."""
        index = np.flatnonzero(rows)
        drawn = [draw_setting(self.core, self.randoms[i], options) for i in index]
        self.core.begin(rows, np.array(drawn, np.int64).reshape(-1, 3).T)
        self.ended = self.ended & ~rows
        info: dict[str, Any] = {}
        for name in SETTINGS:
            info[name], info[f"_{name}"] = np.full(self.num_envs, None, object), rows.copy()
        for i, setting in zip(index, drawn, strict=True):
            for name, value in settings(self.core, setting).items():
                info[name][i] = value
        return info
