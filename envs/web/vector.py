"""Many web environments without a browser, in one set of arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.rows import generators, reseed, reset_rows
from envs.web import observation
from envs.web.actions import ACTIONS
from envs.web.application import Recorder, Task
from envs.web.env import Observation, load_task
from envs.web.observation import PageEncoder, Pages
from envs.web.session import Session
from envs.web.snapshot import Client
from envs.web.twin import TwinClient
from hardware_sim.errors import InputError, choose


class WebVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """``num_envs`` web environments run by the twin; see :class:`envs.web.env.WebEnv`.

    Row ``i`` of ``reset(seed=s)`` goes through the same trajectory as the single environment after
    ``reset(seed=s + i)``, though no browser is involved. An ended row starts its next episode at
    the following step (NEXT_STEP), whose action it ignores.

    Args:
        num_envs: Number of rows.
        task: As of the single environment.
        backend: Only ``"twin"``.
        actions: Only ``"elements"``; for others, ``gym.make_vec(..., vectorization_mode="sync")``
            makes single environments.

    Raises:
        InputError: An unknown task, or a backend that is not the twin.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self,
        num_envs: int,
        task: str | Task | Callable[[], Task],
        backend: str = "twin",
        actions: str = "elements",
        render_mode: str | None = None,
    ) -> None:
        if num_envs < 1:
            raise InputError(f"num_envs is {num_envs}; at least 1 is needed")
        if render_mode is not None:
            raise InputError("the twin draws nothing; render_mode needs the single environment")
        choose("backend", backend, ["twin"])
        choose("actions", actions, ["elements"])
        self.num_envs = num_envs
        self.render_mode = None
        loaded = load_task(task)
        self.single_observation_space = observation.space(loaded.size, pixels=False)
        self.single_action_space = Discrete(ACTIONS)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.pages = Pages(num_envs)
        self.sessions = [
            Session(loaded, _twin, PageEncoder(self.pages, i, loaded.size)) for i in range(num_envs)
        ]
        self.randoms = generators(num_envs)
        self.options: dict[str, Any] = {}

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode in every row, or in the rows of ``options["reset_mask"]``.

        Args:
            seed: Row ``i`` is seeded with ``seed + i``, or with its entry of a list.
            options: ``{"reset_mask": bool (num_envs,)}`` and those of the task, which also hold
                for the episodes that rows start by themselves.

        Raises:
            InputError: An unknown option, or a mask of another shape.
        """
        rows, self.options = reset_rows(options, self.num_envs)
        reseed(self.randoms, seed)
        begun = [(i, self._begin(i)) for i in np.flatnonzero(rows).tolist()]
        return self.arrays, joined(begun, self.num_envs)

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Acts on every row's page; rows that had ended start anew instead.

        Raises:
            InputError: There is no such action, or there is not one for each row.
        """
        numbers = np.asarray(actions)
        if numbers.shape != (self.num_envs,) or not np.issubdtype(numbers.dtype, np.integer):
            raise InputError(f"{self.num_envs} whole numbers are needed; got {actions!r}")
        rewards = np.zeros(self.num_envs)
        terminated, truncated = np.zeros((2, self.num_envs), np.bool_)
        infos: list[tuple[int, dict[str, Any]]] = []
        for i, (session, number) in enumerate(zip(self.sessions, numbers.tolist(), strict=True)):
            if session.ended:
                info = self._begin(i)
            else:
                rewards[i], terminated[i], truncated[i], info = session.act(number)
            infos.append((i, info))
        return self.arrays, rewards, terminated, truncated, joined(infos, self.num_envs)

    def action_masks(self) -> NDArray[np.bool_]:
        """The legal actions of each row, bool ``(num_envs, 1445)``."""
        return self.pages.masks().astype(np.bool_)

    def _begin(self, row: int) -> dict[str, Any]:
        return self.sessions[row].begin(self.randoms[row], self.options)

    @property
    def arrays(self) -> Observation:
        """The present observations of all rows, in new arrays."""
        return self.pages.observation()


def joined(infos: list[tuple[int, dict[str, Any]]], count: int) -> dict[str, Any]:
    """Infos of single environments in the form of vector environments, as Gymnasium joins them.

    Args:
        infos: Rows with their infos.
        count: Number of rows.
    """
    columns: dict[str, tuple[list[int], list[Any]]] = {}
    for row, info in infos:
        for key, value in info.items():
            rows, values = columns.setdefault(key, ([], []))
            rows.append(row)
            values.append(value)
    whole: dict[str, Any] = {}
    for key, (rows, values) in columns.items():
        if isinstance(values[0], dict):
            whole[key] = joined(list(zip(rows, values, strict=True)), count)
        elif isinstance(values[0], bool | int | float):
            whole[key] = np.zeros(count, type(values[0]))
            whole[key][rows] = values
        else:
            whole[key] = np.full(count, None, object)
            for row, value in zip(rows, values, strict=True):
                whole[key][row] = value
        whole[f"_{key}"] = np.zeros(count, np.bool_)
        whole[f"_{key}"][rows] = True
    return whole


def _twin(recorder: Recorder, task: Task, seed: int) -> Client:
    del task, seed  # without a window there is no size, and pages draw no random numbers
    return TwinClient(recorder)
