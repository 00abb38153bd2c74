"""The natively vectorised dance environment."""

from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from envs.dance.batch import DanceBatch
from envs.dance.drawing import picture, text
from envs.dance.env import CRITIC, DanceEnv, Observation
from envs.dance.episodes import Task
from envs.dance.rewards import RowCritic, Worth, row_critic
from envs.rows import Rows, RowsEnv, columns, named


class DanceVectorEnv(RowsEnv[DanceBatch]):
    """``num_envs`` songs; see :class:`RowsEnv` and :class:`DanceEnv`.

    Args:
        num_envs: Number of rows.
        task: As for the single environment, and so the rest.
        songs: Likewise.
        split: Likewise.
        critic: Likewise.
        playability: Likewise.
        density: Likewise.
        imitation: Likewise.
        render_mode: Likewise; :meth:`render` returns a picture or a text a row.

    Raises:
        InputError: As for the single environment.
    """

    metadata: dict[str, Any] = {
        **DanceEnv.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int,
        task: Task = "choreography",
        songs: str = "shipped",
        split: str = "train",
        critic: RowCritic | str | None = CRITIC,
        playability: float = Worth.playability,
        density: float = Worth.density,
        imitation: float = Worth.imitation,
        render_mode: str | None = None,
    ) -> None:
        worth = Worth(playability, density, imitation)
        make = partial(DanceBatch, task, songs, split, row_critic(critic), worth)
        super().__init__(num_envs, render_mode, make)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Writes every row's time; rows that had ended start anew instead.

        Raises:
            InputError: An action is outside the space, or there is not one for each row.
        """
        starting, rows = self.ended, ~self.ended
        outcome = self.core.step(rows, np.asarray(actions))
        self.ended = ended = outcome.terminated
        info = columns({"reward": columns(outcome.parts, rows)}, rows)
        if ended.any():
            results = self.core.results()
            values = {name: np.where(ended, value, 0.0) for name, value in results.items()}
            info |= columns({**values, "is_success": ended & self.core.succeeded(results)}, ended)
        info |= self.begin(starting, None) if starting.any() else {}
        return self.core.observe(), outcome.reward, ended.copy(), np.zeros_like(ended), info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions each row may choose now, bool ``(num_envs, 256)`` or ``(num_envs, 2)``."""
        return self.core.mask.copy()

    def begin(self, rows: Rows, options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode in the given rows and says which song and level each got."""
        drawn = [self.core.draw(self.randoms[i], options) for i in np.flatnonzero(rows)]
        self.core.begin(rows, np.array(drawn, np.int64))
        self.ended = self.ended & ~rows
        texts = [self.core.episodes.named(k) for k in drawn]
        names = {key: named([text[key] for text in texts], rows) for key in ("song", "level")}
        return columns(names, rows)

    def show(self, row: int) -> Any:
        """A row's picture or text."""
        return picture(self.core, row) if self.render_mode == "rgb_array" else text(self.core, row)
