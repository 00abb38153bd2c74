"""One environment id and what people need to know about it."""

from dataclasses import dataclass, field
from typing import Any


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
