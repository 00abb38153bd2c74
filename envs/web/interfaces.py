"""The ways to act on a page: the space of actions, and how each is carried out."""

from functools import partial
from math import ceil
from typing import Any, Protocol, cast

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.web import commands, events
from envs.web.actions import ACTIONS, whole_number
from envs.web.application import Task
from envs.web.events import PointerEvent
from envs.web.observation import Encoder
from envs.web.session import Session, Step
from hardware_sim.errors import InputError, choose

INTERFACES = ("elements", "events", "text")

SECONDS_PER_ACT = 2
"""Page time that raw events get for each act on an element that a task allows."""


class Interface(Protocol):
    """Carries out an agent's actions on a page.

    Attributes:
        space: The action space.
        extras: Parts of the observation that go with it, all numbers; a session keeps their arrays.
        max_steps: Steps after which an episode is truncated.
    """

    space: gym.Space[Any]
    extras: dict[str, gym.spaces.Box]
    max_steps: int

    def begin(self, session: Session) -> None:
        """Sets the extras as they are when an episode begins."""

    def step(self, session: Session, action: Any) -> Step:
        """Carries out an action; returns reward, terminated, truncated and info.

        Raises:
            InputError: There is no such action, or the episode has ended.
        """


class ElementInterface:
    """One act on an element, by its number; see :mod:`envs.web.actions`."""

    def __init__(self, max_acts: int) -> None:
        self.space: gym.Space[Any] = gym.spaces.Discrete(ACTIONS)
        self.extras = {"action_mask": gym.spaces.Box(0, 1, (ACTIONS,), np.int8)}
        self.max_steps = max_acts

    def begin(self, session: Session) -> None:
        """Does nothing: a session keeps the mask itself."""

    def step(self, session: Session, action: Any) -> Step:
        """Acts on an element."""
        return session.act(whole_number(action))


class EventInterface:
    """The raw events of one frame; see :mod:`envs.web.events`."""

    def __init__(
        self, max_acts: int, size: tuple[int, int], max_events: int, frame_rate: float
    ) -> None:
        width, height = size
        self.max_events = max_events
        self.space: gym.Space[Any] = events.space(size, max_events)
        limits = np.array([width - 1, height - 1, 1], np.int32)
        self.extras = {"pointer": gym.spaces.Box(np.zeros_like(limits), limits, dtype=np.int32)}
        self.max_steps = ceil(max_acts * SECONDS_PER_ACT * frame_rate)

    def begin(self, session: Session) -> None:
        """Puts the pointer where it is at rest."""
        _pointer(session)[:] = events.AT_REST

    def step(self, session: Session, action: Any) -> Step:
        """Sends a frame's events."""
        numbers = np.asarray(action)
        if not np.issubdtype(numbers.dtype, np.integer) or not self.space.contains(numbers):
            shown = numbers.tolist()
            raise InputError(f"action {shown} is not in {self.space}; encode() makes actions")
        pointer = _pointer(session)
        x, y, down = pointer.tolist()
        before, frame = PointerEvent(x, y, bool(down)), events.decode(numbers)
        strokes = events.strokes(frame, before)
        result = session.take(lambda client: client.events(strokes))
        pointer[:] = events.moved(before, frame)
        return result


def _pointer(session: Session) -> NDArray[np.int32]:
    """State of the pointer, int32 ``(3,)``, where a single environment keeps it."""
    pointer: NDArray[np.int32] = cast(Encoder, session.encoder).arrays["pointer"]
    return pointer


class TextInterface:
    """A command as text; see :mod:`envs.web.commands`."""

    def __init__(self, max_acts: int) -> None:
        self.space: gym.Space[Any] = gym.spaces.Text(commands.MAX_LENGTH, charset=commands.CHARSET)
        self.extras: dict[str, gym.spaces.Box] = {}
        self.max_steps = max_acts

    def begin(self, session: Session) -> None:
        """Does nothing: commands have no extras."""

    def step(self, session: Session, action: Any) -> Step:
        """Carries out a command; one that cannot be carried out is an illegal action."""
        if not isinstance(action, str):
            raise InputError(
                f"action {action!r} is no text; allowed: commands such as 'click 12', which "
                "envs.web.commands.USAGE describes"
            )
        try:
            if not self.space.contains(action):
                raise InputError(
                    f"a command is 1 to {commands.MAX_LENGTH} printable ASCII characters; "
                    f"got {len(action)}: {action!r}"
                )
            command = commands.parse(action)
            commands.check(command, session.snapshot)
        except InputError as error:
            return session.take(None, str(error))
        return session.take(partial(commands.perform, command=command))


def make_interface(name: str, task: Task, max_events: int, frame_rate: float) -> Interface:
    """An interface to the pages of a task, by its name.

    Args:
        name: One of ``INTERFACES``.
        task: The task that the pages belong to.
        max_events: Most raw events of a frame.
        frame_rate: Frames in a second of page time.

    Raises:
        InputError: An unknown name, or ``max_events`` below 1.
    """
    choose("actions", name, INTERFACES)
    if name == "elements":
        return ElementInterface(task.max_steps)
    if name == "text":
        return TextInterface(task.max_steps)
    return EventInterface(task.max_steps, task.size, max_events, frame_rate)
