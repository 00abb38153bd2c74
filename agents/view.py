"""All that an agent is shown of an environment before it acts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from hardware_sim.errors import InputError

Masks = Callable[[], NDArray[np.bool_]]


@dataclass(frozen=True)
class Made:
    """The id and arguments that an environment was made with.

    Attributes:
        id: Its id, without the module.
        kwargs: The arguments of its constructor that the id and ``gym.make`` name.
    """

    id: str
    kwargs: dict[str, Any]


@dataclass
class View:
    """All that an agent is shown of its environment before it acts.

    Attributes:
        observation_space: Of the observations it will receive.
        action_space: Of the actions it may give.
        spec: How the environment was made; None if by no id.
        metadata: Of the environment.
        action_masks: Gives the actions that are legal now; None where the environment has no such
            method.
    """

    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]
    spec: Made | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    action_masks: Masks | None = None

    @classmethod
    def of(cls, env: "gym.Env[Any, Any] | View") -> "View":
        """The view of an environment; a view is one already."""
        if isinstance(env, View):
            return env
        made = Made(env.spec.id, dict(env.spec.kwargs)) if env.spec else None
        masks = "action_masks"
        give = env.get_wrapper_attr(masks) if env.has_wrapper_attr(masks) else None
        return cls(env.observation_space, env.action_space, made, dict(env.metadata), give)

    def has_wrapper_attr(self, name: str) -> bool:
        """True if the view has it; as an environment is asked."""
        return getattr(self, name, None) is not None

    def get_wrapper_attr(self, name: str) -> Any:
        """The view's attribute of a name; as an environment is asked."""
        return getattr(self, name)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"an agent receives spaces, observations and infos, not the environment: no {name!r}"
        )


def require_parts(view: View, parts: set[str], message: str) -> None:
    """Refuses environments of other domains.

    Args:
        view: Of the environment.
        parts: Keys of observations of the right domain.
        message: What the agent does.

    Raises:
        InputError: The observations lack one of the parts.
    """
    space = view.observation_space
    if not (isinstance(space, gym.spaces.Dict) and parts <= set(space.spaces)):
        raise InputError(f"{message}; got observations {space}")
