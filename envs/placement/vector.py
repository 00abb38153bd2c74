"""The natively vectorised device placement environment."""

from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.placement.batch import PlacementBatch
from envs.placement.drawing import picture
from envs.placement.env import DevicePlacementEnv, Observation, draw_graph
from hardware_sim.errors import InputError, choose


class DevicePlacementVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """``num_envs`` placements in one set of arrays; see :class:`DevicePlacementEnv`.

    Row ``i`` of ``reset(seed=s)`` goes through the same trajectory as the single environment after
    ``reset(seed=s + i)``. An ended row starts its next episode at the following step (NEXT_STEP),
    whose action it ignores. ``reset(options={"reset_mask": rows})`` starts the next episode of the
    given rows at once, for training loops that want no idle step.

    Args:
        num_envs: Number of rows.
        graphs: As for the single environment, and so the rest.
        cluster: Likewise.
        out_of_memory: Likewise.
        reward: Likewise.
        render_mode: Likewise; :meth:`render` returns a picture a row.

    Raises:
        InputError: As for the single environment.
    """

    metadata: dict[str, Any] = {
        **DevicePlacementEnv.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int,
        graphs: list[str],
        cluster: str,
        out_of_memory: str = "penalty",
        reward: str = "shaped",
        render_mode: str | None = None,
    ) -> None:
        if num_envs < 1:
            raise InputError(f"num_envs is {num_envs}; at least 1 is needed")
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.core = PlacementBatch(graphs, cluster, out_of_memory, reward, num_envs)
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
            InputError: An unknown graph, or a mask of another shape.
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
        """Places the present group of every row; rows that had ended start anew instead.

        Raises:
            InputError: An action is no device, or there is not one for each row.
        """
        starting = self.ended
        outcome = self.core.step(~starting, np.asarray(actions))
        info = self._begin(starting, None) if starting.any() else {}
        rows = ~starting
        info["reward"] = {
            "estimate": outcome.estimate,
            "_estimate": rows,
            "simulator": outcome.simulator,
            "_simulator": rows.copy(),
        }
        info["_reward"] = rows.copy()
        ended = outcome.terminated
        if ended.any():
            for key, value in (
                ("score", outcome.score_s),
                ("is_success", outcome.is_success),
                ("placement", np.where(ended[:, None], self.core.progress.device, 0)),
                ("peak_bytes", outcome.peak_bytes),
            ):
                info[key], info[f"_{key}"] = value, ended.copy()
        self.ended = ended
        reward = outcome.estimate + outcome.simulator
        return self.core.observe(), reward, ended.copy(), np.zeros_like(ended), info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which devices each row may choose now, bool ``(num_envs, D)``."""
        return self.core.mask.copy()

    def render(self) -> tuple[Any, ...] | None:
        """A picture a row, as the single environment draws it."""
        if self.render_mode is None:
            return None
        return tuple(picture(self.core, row) for row in range(self.num_envs))

    def _begin(self, rows: NDArray[np.bool_], options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode in the given rows and says which graph each got."""
        index = np.flatnonzero(rows)
        graph = np.array([draw_graph(self.core, self.randoms[i], options) for i in index], np.int64)
        self.core.begin(rows, graph)
        self.ended = self.ended & ~rows
        names = np.full(self.num_envs, None, object)
        names[index] = [self.core.names[k] for k in graph]
        return {"graph": names, "_graph": rows.copy()}
