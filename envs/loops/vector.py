"""The natively vectorised loop scheduling environment."""

from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from envs.loops.batch import LoopBatch
from envs.loops.drawing import picture
from envs.loops.env import LoopScheduleEnv, Observation
from envs.rows import Rows, RowsEnv, columns, named


class LoopScheduleVectorEnv(RowsEnv[LoopBatch]):
    """``num_envs`` nests; see :class:`RowsEnv` and :class:`LoopScheduleEnv`.

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
        core = partial(LoopBatch, operations, backend, processor, threads)
        super().__init__(num_envs, render_mode, core)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Takes an edit in every row; rows that had ended start anew instead.

        Raises:
            InputError: An action is out of range, or there is not one for each row.
        """
        starting, rows = self.ended, ~self.ended
        outcome = self.core.step(rows, np.asarray(actions))
        self.ended = outcome.terminated | outcome.truncated
        results = self.core.results() if self.ended.any() else {}
        info = columns(results, self.ended)
        info |= self.begin(starting, None) if starting.any() else {}
        parts = {"speed": outcome.speed, "steps": outcome.steps, "illegal": outcome.illegal}
        info |= columns({"reward": columns(parts, rows)}, rows)
        if self.core.clock is not None:
            info |= columns({"outcome": self.core.outcomes.copy()}, rows)
        reward = outcome.speed + outcome.steps + outcome.illegal
        return self.core.observe(), reward, outcome.terminated, outcome.truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are legal in each row now, bool ``(num_envs, A)``."""
        return np.array(self.core.mask != 0)

    def begin(self, rows: Rows, options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode in the given rows and says which problem each got."""
        problems = [self.core.draw(self.randoms[i], options) for i in np.flatnonzero(rows)]
        self.core.begin(rows, problems)
        self.ended = self.ended & ~rows
        return columns({"problem": named([each.name for each in problems], rows)}, rows)

    def close_extras(self, **kwargs: Any) -> None:
        """Ends the process that measures, if there is one."""
        self.core.close()

    def show(self, row: int) -> Any:
        """A row's picture or text."""
        return self.core.text(row) if self.render_mode == "ansi" else picture(self.core, row)
