"""The natively vectorised compact-feature environment."""

from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
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
from envs.rows import Rows, RowsEnv, columns, named


class CompactFeatureVectorEnv(RowsEnv[CompactBatch]):
    """``num_envs`` episodes; see :class:`RowsEnv` and :class:`CompactFeatureEnv`.

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
        core = partial(CompactBatch, batches, prices, budgets, backend, data, network)
        super().__init__(num_envs, render_mode, core)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Decides the present layer of every row; rows that had ended start anew instead.

        Raises:
            InputError: An action is no choice, or there is not one for each row.
        """
        starting, rows = self.ended, ~self.ended
        outcome = self.core.step(rows, np.asarray(actions))
        info = self.begin(starting, None) if starting.any() else {}
        parts = {name: getattr(outcome, name) for name in REWARDS}
        info |= columns({"reward": columns(parts, rows)}, rows)
        ended = outcome.terminated
        if ended.any():
            info |= columns({name: getattr(outcome, name) for name in (*RESULTS, "kept")}, ended)
        self.ended = ended
        return self.core.observe(), total(outcome), ended.copy(), np.zeros_like(ended), info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which choices each row is allowed now, bool ``(num_envs, C)``."""
        return self.core.mask()

    def begin(self, rows: Rows, options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode in the given rows and says which setting each got."""
        index = np.flatnonzero(rows)
        drawn = [draw_setting(self.core, self.randoms[i], options) for i in index]
        self.core.begin(rows, np.array(drawn, np.int64).reshape(-1, 3).T)
        self.ended = self.ended & ~rows
        told = [settings(self.core, setting) for setting in drawn]
        return columns(
            {name: named([each[name] for each in told], rows) for name in SETTINGS}, rows
        )

    def show(self, row: int) -> Any:
        """A row's picture or text."""
        draw = picture if self.render_mode == "rgb_array" else text
        return draw(self.core, row, None)
