"""One machine for rows: a core of many episodes in arrays, driven alone or as a vector."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from envs import infos
from envs.infos import Rows
from hardware_sim.errors import InputError, choose

Observation = dict[str, NDArray[Any]]
Columns = Mapping[str, Sequence[str]]


class Outcome(NamedTuple):
    """A step of ``B`` rows; rows that did not step hold zeros.

    Attributes:
        parts: Components of the reward by name, float64 ``(B,)``.
        terminated: bool ``(B,)``.
        truncated: bool ``(B,)``.
        info: Further values for the info of every step, ``(B, ...)``.
    """

    parts: dict[str, NDArray[np.float64]]
    terminated: Rows
    truncated: Rows
    info: Mapping[str, NDArray[Any]] = MappingProxyType({})

    @property
    def reward(self) -> NDArray[np.float64]:
        """The sum of the parts in their order, float64 ``(B,)``."""
        first, *rest = self.parts.values()
        total = first.copy()
        for part in rest:
            total += part
        return total


class Core(Protocol):
    """The state of ``B`` episodes, a row each; a domain writes a class that inherits from it.

    ``rows`` is always bool ``(B,)``. All arrays that are returned are new ones.

    Attributes:
        options: Class attribute, names of the options of a reset that ``draw`` knows; others are
            refused before it is called.
    """

    options: ClassVar[tuple[str, ...]] = ()

    def spaces(self) -> tuple[gym.spaces.Dict, gym.Space[Any]]:
        """Observation and action space of one row."""

    def columns(self) -> Columns:
        """By key of the observation, names of its last axis, where its columns mean things apart.

        A core without such keys inherits this.
        """
        return {}

    def draw(self, random: np.random.Generator, options: Mapping[str, Any]) -> Any:
        """The problem of a new episode: the one that the options name, or any that they allow.

        Args:
            random: Draws the problem.
            options: Only names of :attr:`options`.

        Raises:
            InputError: An option has no such value.
        """

    def begin(self, rows: Rows, drawn: list[Any]) -> Mapping[str, Sequence[Any]]:
        """Starts episodes in the given rows, a drawn problem for each.

        Returns:
            By key of the info of a reset, a value for each of the given rows.
        """

    def step(self, rows: Rows, actions: NDArray[Any]) -> Outcome:
        """Acts in the given rows.

        Args:
            rows: None of them has ended.
            actions: ``(B, ...)``; those of other rows are ignored.

        Raises:
            InputError: An action is outside the space, or there is not one for each row; nothing
                has changed.
        """

    def observe(self) -> Observation:
        """The present observations of all rows, ``(B, ...)`` each."""

    def mask(self) -> NDArray[np.bool_]:
        """The actions that are legal now, flat, bool ``(B, A)``."""

    def results(self) -> Mapping[str, NDArray[Any]]:
        """The score and other figures of all rows, asked for when the last step has ended some.

        Returns:
            By key of the info, ``score`` and ``is_success`` among them, arrays ``(B, ...)``, of
            which the entries of other rows are not read.
        """

    def problem_of(self, row: int) -> Any:
        """The problem of a row's episode as data that can be pickled, without its answer.

        For planners; a core that declares none inherits this.

        Raises:
            InputError: None is declared.
        """
        raise InputError(f"{type(self).__name__} declares no problem to planners")

    def answer_of(self, row: int) -> Any:
        """The answer of a row's episode as data that can be pickled, for oracles.

        A core that knows none inherits this.

        Raises:
            InputError: None is known.
        """
        raise InputError(f"{type(self).__name__} has no answer for oracles")

    def close(self) -> None:
        """Ends processes and closes files; a core that has none inherits this."""
        return


AnyCore = TypeVar("AnyCore", bound=Core)


class RowEnv(gym.Env[Observation, Any], Generic[AnyCore]):
    """An episode at a time, on a core with one row.

    A domain's class has the page of documentation, the arguments and the drawings.

    Args:
        core: A core with one row.
        render_mode: One of ``metadata["render_modes"]``, or None.

    Attributes:
        drawings: Class attribute; by render mode, the function that draws a row of a core.
        core: The state.
        ended: Whether the episode has ended, or none has begun.

    Raises:
        InputError: There is no such render mode.
    """

    drawings: ClassVar[Mapping[str, Callable[[Any, int], Any]]]

    def __init__(self, core: AnyCore, render_mode: str | None) -> None:
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self.core = core
        self.observation_space, self.action_space = core.spaces()
        self.ended = True

    def columns(self) -> Columns:
        """Names of the last axis, by key of the observation, where columns mean things apart."""
        return self.core.columns()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: Seeds the draws of problems from here on.
            options: Those of the class's page, under "Starting State".

        Raises:
            InputError: An option is unknown or has no such value.
        """
        given = known_options(self.core, options or {})
        super().reset(seed=seed)
        drawn = self.core.draw(self.np_random, given)
        info = self.core.begin(np.ones(1, np.bool_), [drawn])
        self.ended = False
        return self._observation(), infos.only(info)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Takes an action of the action space.

        Raises:
            InputError: The action is outside the space, or the episode has ended.
        """
        if self.ended:
            raise InputError("the episode has ended; call reset() before step()")
        outcome = self.core.step(np.ones(1, np.bool_), np.asarray(action)[None])
        terminated, truncated = bool(outcome.terminated[0]), bool(outcome.truncated[0])
        self.ended = terminated or truncated
        info: dict[str, Any] = {"reward": infos.only(outcome.parts), **infos.only(outcome.info)}
        if self.ended:
            info |= infos.only(self.core.results())
        return self._observation(), float(outcome.reward[0]), terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """The actions that are legal now, flat, bool ``(A,)``."""
        return np.asarray(self.core.mask()[0])

    def problem(self) -> Any:
        """The present problem as data, without its answer; what planners receive.

        Raises:
            InputError: The environment declares none.
        """
        return self.core.problem_of(0)

    def answer(self) -> Any:
        """The answer to the present problem; what oracles receive.

        Raises:
            InputError: The environment knows none.
        """
        return self.core.answer_of(0)

    def render(self) -> Any:
        """The present state: uint8 ``(height, width, 3)``, or text with ``"ansi"``."""
        if self.render_mode is None:
            gym.logger.warn("render() needs a render_mode at construction")
            return None
        return self.drawings[self.render_mode](self.core, 0)

    def close(self) -> None:
        """Closes the core; calling it again changes nothing."""
        self.core.close()

    def _observation(self) -> Observation:
        return {key: value[0] for key, value in self.core.observe().items()}


class RowsEnv(VectorEnv[Observation, NDArray[Any], NDArray[Any]], Generic[AnyCore]):
    """``num_envs`` episodes on one core.

    Row ``i`` of ``reset(seed=s)`` goes through the same trajectory as the single environment after
    ``reset(seed=s + i)``. An ended row starts its next episode at the following step (NEXT_STEP),
    whose action it ignores; so does a row that was never reset.
    ``reset(options={"reset_mask": rows})`` starts the next episode of the given rows at once, for
    training loops that want no idle step.

    A domain's class names its single class, whose arguments and drawings it shares, and its core,
    which takes the same arguments but ``render_mode``, and ``batch``, the number of rows.

    Args:
        num_envs: Number of rows.
        *arguments: Those of the single class.
        **keywords: The same by name.

    Attributes:
        single: Class attribute, the single environment.
        make_core: Class attribute, makes the core.
        core: The state.
        randoms: A generator a row.
        ended: bool ``(num_envs,)``, rows whose episode has ended, or that have had none.
        options: Those of the last reset.

    Raises:
        InputError: There are no rows, or as for the single environment.
    """

    single: ClassVar[type[RowEnv[Any]]]
    make_core: ClassVar[Callable[..., Any]]
    __signature__: ClassVar[inspect.Signature]

    def __init_subclass__(cls) -> None:
        """Gives a domain's class the metadata and the signature that follow from the single one."""
        super().__init_subclass__()
        cls.metadata = {**cls.single.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        count = inspect.Parameter("num_envs", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        rest = inspect.signature(cls.single).parameters.values()
        cls.__signature__ = inspect.Signature([count.replace(annotation=int), *rest])

    def __init__(self, num_envs: int, *arguments: Any, **keywords: Any) -> None:
        if num_envs < 1:
            raise InputError(f"num_envs is {num_envs}; at least 1 is needed")
        bound = inspect.signature(self.single).bind(*arguments, **keywords)
        bound.apply_defaults()
        self.render_mode = bound.arguments.pop("render_mode")
        if self.render_mode is not None:
            choose("render_mode", self.render_mode, self.metadata["render_modes"])
        self.num_envs = num_envs
        self.core: AnyCore = self.make_core(**bound.arguments, batch=num_envs)
        self.single_observation_space, self.single_action_space = self.core.spaces()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.randoms = generators(num_envs)
        self.ended = np.ones(num_envs, np.bool_)
        self.options: Mapping[str, Any] = {}

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode in every row, or in the rows of ``options["reset_mask"]``.

        Args:
            seed: Row ``i`` is seeded with ``seed + i``, or with its entry of a list.
            options: ``{"reset_mask": bool (num_envs,)}`` and those of the single environment, which
                also hold for the episodes that rows start by themselves, until the next reset.

        Raises:
            InputError: As for the single environment, or a mask of another shape.
        """
        rows, rest = reset_rows(options, self.num_envs)
        self.options = known_options(self.core, rest)
        reseed(self.randoms, seed)
        info = self._begin(rows)
        return self.core.observe(), info

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Acts in every row; rows that had ended start their next episode instead.

        Raises:
            InputError: An action is outside the space, or there is not one for each row.
        """
        starting, rows = self.ended, ~self.ended
        outcome = self.core.step(rows, np.asarray(actions))
        ended = outcome.terminated | outcome.truncated
        self.ended = ended | starting
        info = infos.columns({"reward": infos.columns(outcome.parts, rows), **outcome.info}, rows)
        if ended.any():
            info |= infos.columns(self.core.results(), ended)
        if starting.any():
            info = infos.joined(info, self._begin(starting))
        observation = self.core.observe()
        return observation, outcome.reward, outcome.terminated, outcome.truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """The actions that are legal in each row now, flat, bool ``(num_envs, A)``."""
        return self.core.mask()

    def render(self) -> tuple[Any, ...] | None:
        """A picture or a text a row, as the single environment gives it."""
        if self.render_mode is None:
            return None
        draw = self.single.drawings[self.render_mode]
        return tuple(draw(self.core, row) for row in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """Closes the core; an instance whose constructor raised has none."""
        if hasattr(self, "core"):
            self.core.close()

    def _begin(self, rows: Rows) -> dict[str, Any]:
        """Starts an episode in the given rows; the info of a reset."""
        drawn = [self.core.draw(self.randoms[i], self.options) for i in np.flatnonzero(rows)]
        info = self.core.begin(rows, drawn)
        self.ended = self.ended & ~rows
        return infos.columns({key: infos.named(values, rows) for key, values in info.items()}, rows)


def generators(count: int) -> list[np.random.Generator]:
    """A generator a row, seeded by the operating system."""
    return [seeding.np_random(None)[0] for _ in range(count)]


def reseed(randoms: list[np.random.Generator], seed: int | list[int | None] | None) -> None:
    """Seeds generators as a vector's ``reset`` does: with ``seed + i``, or entries of a list."""
    if seed is None:
        return
    seeds = [seed + i for i in range(len(randoms))] if isinstance(seed, int) else seed
    for i, value in enumerate(seeds):
        if value is not None:
            randoms[i] = seeding.np_random(value)[0]


def reset_rows(options: Mapping[str, Any] | None, count: int) -> tuple[Rows, dict[str, Any]]:
    """The rows that a vector's ``reset`` starts, bool ``(count,)``, and the other options.

    Raises:
        InputError: ``reset_mask`` has another shape.
    """
    rest = dict(options or {})
    rows = np.asarray(rest.pop("reset_mask", np.ones(count, np.bool_)), np.bool_)
    if rows.shape != (count,):
        raise InputError(f"reset_mask has shape {rows.shape}; expected ({count},)")
    return rows, rest


def known_options(core: Core, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a reset, all of which the core knows.

    Raises:
        InputError: It does not know one.
    """
    for name in options:
        choose("option", name, core.options)
    return options


def whole_actions(actions: NDArray[Any], rows: Rows, choices: ArrayLike) -> NDArray[np.int64]:
    """Actions of a ``Discrete`` or ``MultiDiscrete`` space, int64; 0 where a row does not step.

    Args:
        actions: ``(B,)`` or ``(B, D)``.
        rows: bool ``(B,)``, whose actions count.
        choices: The number of choices, one or one for each of ``D`` dimensions.

    Raises:
        InputError: They have another shape, are no integers, or one is out of range.
    """
    limits = np.asarray(choices, np.uint64)
    shape = (len(rows), *limits.shape)
    if actions.shape != shape or actions.dtype.kind not in "iu":
        raise InputError(f"actions are {actions.dtype} {actions.shape}; expected integers {shape}")
    taken = actions * (rows if limits.ndim == 0 else rows[:, None])
    taken = taken.astype(np.int64, copy=False)
    outside = taken.view(np.uint64) >= limits  # where negative ones are the greatest
    if outside.any():
        bad = actions[outside.reshape(len(rows), -1).any(axis=1)][0].tolist()
        allowed = ", ".join(f"0 to {limit - 1}" for limit in limits.ravel().tolist())
        raise InputError(f"action is {bad}; allowed: {allowed}")
    return taken
