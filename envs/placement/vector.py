"""The natively vectorised device placement environment."""

from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from envs.placement.batch import PlacementBatch
from envs.placement.drawing import picture
from envs.placement.env import DevicePlacementEnv, Observation, draw_graph
from envs.rows import Rows, RowsEnv, columns, named


class DevicePlacementVectorEnv(RowsEnv[PlacementBatch]):
    """``num_envs`` placements; see :class:`RowsEnv` and :class:`DevicePlacementEnv`.

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
        core = partial(PlacementBatch, graphs, cluster, out_of_memory, reward)
        super().__init__(num_envs, render_mode, core)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Places the present group of every row; rows that had ended start anew instead.

        Raises:
            InputError: An action is no device, or there is not one for each row.
        """
        starting, rows = self.ended, ~self.ended
        outcome = self.core.step(rows, np.asarray(actions))
        info = self.begin(starting, None) if starting.any() else {}
        parts = {"estimate": outcome.estimate, "simulator": outcome.simulator}
        info |= columns({"reward": columns(parts, rows)}, rows)
        ended = outcome.terminated
        if ended.any():
            results = {
                "score": outcome.score_s,
                "is_success": outcome.is_success,
                "placement": np.where(ended[:, None], self.core.progress.device, 0),
                "peak_bytes": outcome.peak_bytes,
            }
            info |= columns(results, ended)
        self.ended = ended
        reward = outcome.estimate + outcome.simulator
        return self.core.observe(), reward, ended.copy(), np.zeros_like(ended), info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which devices each row may choose now, bool ``(num_envs, D)``."""
        return self.core.mask.copy()

    def begin(self, rows: Rows, options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode in the given rows and says which graph each got."""
        index = np.flatnonzero(rows)
        graph = np.array([draw_graph(self.core, self.randoms[i], options) for i in index], np.int64)
        self.core.begin(rows, graph)
        self.ended = self.ended & ~rows
        return columns({"graph": named([self.core.names[k] for k in graph], rows)}, rows)

    def show(self, row: int) -> NDArray[np.uint8]:
        """A row's picture."""
        return picture(self.core, row)
