"""What natively vectorised environments share: rows of episodes in one set of arrays."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from hardware_sim.errors import InputError, choose

Observation = dict[str, NDArray[Any]]
Rows = NDArray[np.bool_]


class Batch(Protocol):
    """The state of several episodes, which the single environment has with one row."""

    def spaces(self) -> tuple[Any, Any]:
        """Observation and action space of one row."""

    def observe(self) -> Observation:
        """What every row shows now."""


Core = TypeVar("Core", bound=Batch)


class RowsEnv(VectorEnv[Observation, NDArray[Any], NDArray[Any]], ABC, Generic[Core]):
    """``num_envs`` episodes in one set of arrays.

    Row ``i`` of ``reset(seed=s)`` goes through the same trajectory as the single environment after
    ``reset(seed=s + i)``. An ended row starts its next episode at the following step (NEXT_STEP),
    whose action it ignores. ``reset(options={"reset_mask": rows})`` starts the next episode of the
    given rows at once, for training loops that want no idle step.

    Args:
        num_envs: Number of rows.
        render_mode: One of the single environment's, or None.
        make_core: Makes the state of a number of episodes.

    Attributes:
        core: The state.
        randoms: A generator a row.
        ended: Which rows have ended and not begun again.

    Raises:
        InputError: There are no rows, or there is no such render mode.
    """

    def __init__(
        self,
        num_envs: int,
        render_mode: str | None,
        make_core: Callable[[int], Core],
    ) -> None:
        if num_envs < 1:
            raise InputError(f"num_envs is {num_envs}; at least 1 is needed")
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.core = make_core(num_envs)
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
            InputError: As for the single environment, or a mask of another shape.
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
        info = self.begin(rows, options)
        return self.core.observe(), info

    def render(self) -> tuple[Any, ...] | None:
        """A picture or a text a row, as the single environment gives it."""
        if self.render_mode is None:
            return None
        return tuple(self.show(row) for row in range(self.num_envs))

    @abstractmethod
    def begin(self, rows: Rows, options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode in the given rows; returns what the single environment says of it."""

    @abstractmethod
    def show(self, row: int) -> Any:
        """A row's picture, uint8 ``(height, width, 3)``, or text."""


def columns(values: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """Values a row, each beside the rows that it is said of, as Gymnasium joins infos.

    Args:
        values: By key, arrays with a row for each environment.
        rows: bool ``(num_envs,)``.
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        found[key], found[f"_{key}"] = value, rows.copy()
    return found


def named(names: list[Any], rows: Rows) -> NDArray[Any]:
    """Names of the given rows, None for the others.

    Args:
        names: One for each row that is true.
        rows: bool ``(num_envs,)``.
    """
    found = np.full(len(rows), None, object)
    found[np.flatnonzero(rows)] = names
    return found
