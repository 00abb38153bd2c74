"""The natively vectorised tuning environment."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.convolution.batch import ROOFLINE, Settings, TuningBatch
from envs.convolution.drawing import describe, picture
from envs.convolution.env import ConvTuningEnv, Observation, total
from hardware_sim.errors import InputError, choose


class ConvTuningVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """``num_envs`` layers being tuned in one set of arrays; see :class:`ConvTuningEnv`.

    Row ``i`` of ``reset(seed=s)`` goes through the same trajectory as the single environment after
    ``reset(seed=s + i)``. An ended row starts its next episode at the following step (NEXT_STEP),
    whose action it ignores. ``reset(options={"reset_mask": rows})`` starts the next episode of the
    given rows at once.

    Args:
        num_envs: Number of rows.
        layers: As for the single environment, and so the rest.
        split: Likewise.
        backend: Likewise.
        model: Likewise.
        budget: Likewise.
        memory_weight: Likewise.
        compile_weight: Likewise.
        penalty: Likewise.
        render_mode: Likewise; :meth:`render` returns a picture or text a row.

    Raises:
        InputError: As for the single environment.
    """

    metadata: dict[str, Any] = {**ConvTuningEnv.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self,
        num_envs: int,
        layers: list[str] | None = None,
        split: str = "all",
        backend: str = "replay",
        model: str | Callable[..., Any] = ROOFLINE,
        budget: int = 32,
        memory_weight: float = 0.01,
        compile_weight: float = 0.001,
        penalty: float = 0.1,
        render_mode: str | None = None,
    ) -> None:
        if num_envs < 1:
            raise InputError(f"num_envs is {num_envs}; at least 1 is needed")
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.num_envs = num_envs
        self.render_mode = render_mode
        settings = Settings(budget, memory_weight, compile_weight, penalty)
        self.core = TuningBatch(layers, split, backend, model, settings, num_envs)
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
            InputError: An unknown layer or split, or a mask of another shape.
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
        """Measures a variant in every row; rows that had ended start anew instead.

        Raises:
            InputError: An action is not in the action space, or there is not one for each row.
        """
        starting, rows = self.ended, ~self.ended
        outcome = self.core.step(rows, actions)
        info = self._begin(starting, None) if starting.any() else {}
        info["reward"] = {}
        for name, part in outcome.reward.items():
            info["reward"] |= {name: part, f"_{name}": rows.copy()}
        info |= {"_reward": rows.copy(), "tried": outcome.tried, "_tried": rows.copy()}
        ended = outcome.terminated
        if ended.any():
            for key, value in (
                ("score", self.core.score()),
                ("share", self.core.share()),
                ("is_success", self.core.is_success()),
                ("kept", self.core.state.kept.copy()),
            ):
                info[key], info[f"_{key}"] = value, ended.copy()
        self.ended = ended
        truncated = np.zeros_like(ended)
        return self.core.observe(), total(outcome), ended.copy(), truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which choices are open in each row, bool ``(num_envs, 24)``."""
        masks: NDArray[np.bool_] = self.core.masks[self.core.state.table]
        return masks

    def render(self) -> tuple[Any, ...] | None:
        """A picture or text a row, as the single environment gives it."""
        if self.render_mode is None:
            return None
        show = describe if self.render_mode == "ansi" else picture
        return tuple(show(self.core, row) for row in range(self.num_envs))

    def _begin(self, rows: NDArray[np.bool_], options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode in the given rows and says which layer each got."""
        index = np.flatnonzero(rows)
        drawn = [self.core.draw(self.randoms[i], options) for i in index]
        self.core.begin(rows, np.array(drawn, np.int64))
        self.ended = self.ended & ~rows
        names = np.full(self.num_envs, None, object)
        names[index] = [self.core.names[k] for k in drawn]
        return {"layer": names, "_layer": rows.copy()}
