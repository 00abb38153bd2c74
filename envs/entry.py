"""One environment id and what people need to know about it."""

import math
from dataclasses import dataclass, field
from typing import Any

from hardware_sim.errors import InputError

KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True)
class Argument:
    """An argument of a constructor that a file or the command line may set.

    Attributes:
        kind: ``bool``, ``int``, ``float`` (whole numbers too) or ``str`` (a text, or the path of
            data to read).
        choices: The allowed values; any of the kind if there are none.
        low: The least allowed number.
        high: The largest.
        many: A list of such values.
        optional: ``None`` as well.
        named: The choices are names ``"module:attribute"``, to which the domain's room of agents
            adds those of its table ``OFFERED``.
    """

    kind: type
    choices: tuple[Any, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    many: bool = False
    optional: bool = False
    named: bool = False

    def check(self, name: str, value: Any) -> None:
        """Checks a value; a name is only checked to be a text.

        Args:
            name: The argument's name, for the message.
            value: As JSON has it.

        Raises:
            InputError: The value is of another kind or not allowed.
        """
        if value is None and self.optional:
            return
        if self.many and not isinstance(value, list | tuple):
            raise InputError(f"{name} is {value!r}; allowed: a list, each {KINDS[self.kind]}")
        for part in value if self.many else [value]:
            self._check_one(name, part)

    def _check_one(self, name: str, value: Any) -> None:
        allowed = (int, float) if self.kind is float else (self.kind,)
        if not isinstance(value, allowed) or isinstance(value, bool) != (self.kind is bool):
            raise InputError(f"{name} is {value!r}; allowed: {KINDS[self.kind]}")
        if self.choices and not self.named and value not in self.choices:
            raise InputError(f"{name} is {value!r}; allowed: {', '.join(map(str, self.choices))}")
        if isinstance(value, int | float) and not (
            self.low <= value <= self.high and math.isfinite(value)
        ):
            bounds = f"{self.low:g} to {self.high:g}"
            allowed_here = bounds if math.isfinite(value) else "finite numbers"
            raise InputError(f"{name} is {value!r}; allowed: {allowed_here}")


@dataclass(frozen=True)
class Entry:
    """One environment id and what people need to know about it.

    Attributes:
        name: The id without version, such as ``"DevicePlacement-InceptionV3"``.
        version: The version; a change that changes results raises it.
        domain: The name of the rooms that hold the environment, its agents and its verbs.
        entry_point: ``"module:class"`` of the environment.
        vector_entry_point: ``"module:class"`` of the natively vectorised class, if there is one.
        backend: The real thing behind it, such as ``"simulator"``.
        summary: One line for people.
        kwargs: Constructor arguments; JSON-serialisable.
        splits: Names of the splits that ``reset(options={"split": name})`` draws problems from, for
            which the reference scores hold; none where there is one set of problems.
        arguments: The constructor's arguments that a file or the command line may set, by name.
        max_episode_steps: A step limit, where the environment has no end of its own.
        deterministic: The same seed and actions give the same trajectory; ``False`` where it
            measures. Other arguments may change that, so an environment that can measure has an
            attribute of this name as built.
        superseded: A later version takes its place. It stays registered, so that its results
            replay; it is not listed, belongs to no suite and has no normalised score.
        critics: Weights of the frozen networks that the rewards are taken from.
        judges: Weights of the networks that reports judge by; none of them is a critic.
        bridged: The problem is another installed package's; such an id has no reference scores.
    """

    name: str
    version: int
    domain: str
    entry_point: str
    vector_entry_point: str | None
    backend: str
    summary: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    splits: tuple[str, ...] = ()
    arguments: dict[str, Argument] = field(default_factory=dict)
    max_episode_steps: int | None = None
    deterministic: bool = True
    superseded: bool = False
    critics: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    bridged: bool = False

    @property
    def id(self) -> str:
        """The full id, ``Name-vN``."""
        return f"{self.name}-v{self.version}"
