"""The natively vectorised adaptive softmax environment."""

from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from envs.rows import Rows, RowsEnv, columns, named
from envs.softmax.batch import SoftmaxBatch
from envs.softmax.drawing import picture, text
from envs.softmax.env import AdaptiveSoftmaxEnv, Observation
from envs.softmax.plan import LOSS_PRICE


class AdaptiveSoftmaxVectorEnv(RowsEnv[SoftmaxBatch]):
    """``num_envs`` vocabularies; see :class:`RowsEnv` and :class:`AdaptiveSoftmaxEnv`.

    Args:
        num_envs: Number of rows.
        split: As for the single environment, and so the rest.
        loss_price: Likewise.
        render_mode: Likewise; :meth:`render` returns a picture or a text a row.

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
        super().__init__(num_envs, render_mode, partial(SoftmaxBatch, split, loss_price))

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Cuts or stops every row; rows that had ended start anew instead.

        Raises:
            InputError: An action is outside the space, or there is not one for each row.
        """
        starting, rows = self.ended, ~self.ended
        outcome = self.core.step(rows, np.asarray(actions))
        self.ended = ended = outcome.terminated
        parts = {name: getattr(outcome, name) for name in ("time", "quality", "illegal")}
        info = columns({"reward": columns(parts, rows)}, rows)
        if ended.any():
            results = {
                "score": outcome.score,
                "is_success": outcome.is_success,
                "regret": outcome.regret,
                "cutoffs": np.where(ended[:, None], self.core.cutoffs(), 0),
                "div_value": np.where(ended, self.core.div_values(), 0.0),
                "speed_up": np.where(ended, np.exp(self.core.time), 0.0),
            }
            info |= columns(results, ended)
        info |= self.begin(starting, None) if starting.any() else {}
        reward = outcome.time + outcome.quality + outcome.illegal
        return self.core.observe(), reward, ended.copy(), np.zeros_like(ended), info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which places and divisors each row may choose now, bool ``(num_envs, 29)``."""
        return np.concatenate([self.core.place_mask, self.core.divisor_mask], axis=1)

    def begin(self, rows: Rows, options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode in the given rows and says which problem each got."""
        drawn = [self.core.draw(self.randoms[i], options) for i in np.flatnonzero(rows)]
        self.core.begin(rows, np.array(drawn, np.int64))
        self.ended = self.ended & ~rows
        return columns({"problem": named([self.core.tables.names[k] for k in drawn], rows)}, rows)

    def show(self, row: int) -> Any:
        """A row's picture or text."""
        return picture(self.core, row) if self.render_mode == "rgb_array" else text(self.core, row)
