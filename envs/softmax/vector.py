"""The natively vectorised adaptive softmax environment."""

from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.softmax.batch import SoftmaxBatch
from envs.softmax.drawing import picture, text
from envs.softmax.env import AdaptiveSoftmaxEnv, Observation
from hardware_sim.errors import InputError, choose
from hardware_sim.softmax.plan import LOSS_PRICE


class AdaptiveSoftmaxVectorEnv(VectorEnv[Observation, NDArray[np.integer[Any]], NDArray[Any]]):
    """``num_envs`` vocabularies in one set of arrays; see :class:`AdaptiveSoftmaxEnv`.

    Row ``i`` of ``reset(seed=s)`` goes through the same trajectory as the single environment after
    ``reset(seed=s + i)``. An ended row starts its next episode at the following step (NEXT_STEP),
    whose action it ignores. ``reset(options={"reset_mask": rows})`` starts the next episode of the
    given rows at once, for training loops that want no idle step.

    Args:
        num_envs: Number of rows.
        split: As for the single environment, and so the rest.
        loss_price: Likewise.
        render_mode: Likewise; :meth:`render` returns a picture or text a row.

    Raises:
        InputError: As for the single environment.
    """

    metadata: dict[str, Any] = {
        **AdaptiveSoftmaxEnv.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int,
        split: str = "train",
        loss_price: float = LOSS_PRICE,
        render_mode: str | None = None,
    ) -> None:
        if num_envs < 1:
            raise InputError(f"num_envs is {num_envs}; at least 1 is needed")
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.core = SoftmaxBatch(split, loss_price, num_envs)
        self.single_observation_space, self.single_action_space = self.core.spaces()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.randoms = [seeding.np_random(None)[0] for _ in range(num_envs)]

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode in every row, or in the rows of ``options["reset_mask"]``.

        Args:
            seed: Row ``i`` is seeded with ``seed + i``, or with its entry of a list.
            options: ``{"reset_mask": bool (num_envs,)}`` and those of the single environment.

        Raises:
            InputError: An unknown split or problem, or a mask of another shape.
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
        self, actions: NDArray[np.integer[Any]]
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Cuts or stops every row; rows that had ended start anew instead.

        Raises:
            InputError: An action is outside the space, or there is not one for each row.
        """
        starting = self.core.ended.copy()
        rows = ~starting
        outcome = self.core.step(rows, np.asarray(actions))
        ended = outcome.terminated
        info: dict[str, Any] = {"reward": {}, "_reward": rows}
        for name in ("time", "quality", "illegal"):
            info["reward"] |= {name: getattr(outcome, name), f"_{name}": rows}
        if ended.any():
            for key, value in (
                ("score", outcome.score),
                ("is_success", outcome.is_success),
                ("regret", outcome.regret),
                ("cutoffs", np.where(ended[:, None], self.core.cutoffs(), 0)),
                ("div_value", np.where(ended, self.core.div_values(), 0.0)),
                ("speed_up", np.where(ended, np.exp(self.core.time), 0.0)),
            ):
                info[key], info[f"_{key}"] = value, ended
        if starting.any():
            info |= self._begin(starting, None)
        reward = outcome.time + outcome.quality + outcome.illegal
        return self.core.observe(), reward, ended, np.zeros_like(ended), info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which places and divisors each row may choose now, bool ``(num_envs, 29)``."""
        return np.concatenate([self.core.place_mask, self.core.divisor_mask], axis=1)

    def render(self) -> tuple[Any, ...] | None:
        """A picture or text a row, as the single environment gives it."""
        if self.render_mode is None:
            return None
        show = picture if self.render_mode == "rgb_array" else text
        return tuple(show(self.core, row) for row in range(self.num_envs))

    def _begin(self, rows: NDArray[np.bool_], options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode in the given rows and says which problem each got."""
        index = np.flatnonzero(rows)
        problem = np.array([self.core.draw(self.randoms[i], options) for i in index], np.int64)
        self.core.begin(rows, problem)
        names = np.full(self.num_envs, None, object)
        names[index] = [self.core.tables.names[k] for k in problem]
        return {"problem": names, "_problem": rows.copy()}
