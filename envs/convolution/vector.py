"""The natively vectorised tuning environment."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from envs.convolution.batch import ROOFLINE, Settings, TuningBatch
from envs.convolution.drawing import describe, picture
from envs.convolution.env import ConvTuningEnv, Observation, total
from envs.rows import Rows, RowsEnv, columns, named


class ConvTuningVectorEnv(RowsEnv[TuningBatch]):
    """``num_envs`` layers being tuned; see :class:`RowsEnv` and :class:`ConvTuningEnv`.

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
        render_mode: Likewise; :meth:`render` returns a picture or a text a row.

    Raises:
        InputError: As for the single environment.
    """

    metadata: dict[str, Any] = {
        **ConvTuningEnv.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

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
        settings = Settings(budget, memory_weight, compile_weight, penalty)
        core = partial(TuningBatch, layers, split, backend, model, settings)
        super().__init__(num_envs, render_mode, core)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Measures a variant in every row; rows that had ended start anew instead.

        Raises:
            InputError: An action is not in the action space, or there is not one for each row.
        """
        starting, rows = self.ended, ~self.ended
        outcome = self.core.step(rows, actions)
        info = self.begin(starting, None) if starting.any() else {}
        info |= columns({"reward": columns(outcome.reward, rows), "tried": outcome.tried}, rows)
        ended = outcome.terminated
        if ended.any():
            results = {
                "score": self.core.score(),
                "share": self.core.share(),
                "is_success": self.core.is_success(),
                "kept": self.core.state.kept.copy(),
            }
            info |= columns(results, ended)
        self.ended = ended
        return self.core.observe(), total(outcome), ended.copy(), np.zeros_like(ended), info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which choices are open in each row, bool ``(num_envs, 24)``."""
        masks: NDArray[np.bool_] = self.core.masks[self.core.state.table]
        return masks

    def begin(self, rows: Rows, options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode in the given rows and says which layer each got."""
        drawn = [self.core.draw(self.randoms[i], options) for i in np.flatnonzero(rows)]
        self.core.begin(rows, np.array(drawn, np.int64))
        self.ended = self.ended & ~rows
        return columns({"layer": named([self.core.names[k] for k in drawn], rows)}, rows)

    def show(self, row: int) -> Any:
        """A row's picture or text."""
        return describe(self.core, row) if self.render_mode == "ansi" else picture(self.core, row)
