"""Plays a demonstration again in a browser, and sees whether the pages go the same way."""

from collections.abc import Callable
from typing import NamedTuple

from envs.web.actions import perform
from envs.web.application import Outcome
from envs.web.client import BrowserClient
from envs.web.demonstration import ACT, END, Demonstration, Step, differing_rows
from envs.web.env import STEP_MS, WebEnv
from envs.web.inputs import Event, KeyDown, KeyUp, PointerDown, PointerMove, PointerUp, Text
from envs.web.keys import CONTROL, KEYBOARD, SHIFT
from envs.web.recording import web_spec
from envs.web.snapshot import Snapshot
from hardware_sim.errors import InputError

ALONE = ("Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock")
"""Keys that by themselves change nothing."""

COMPOSING = ("Process", "Dead", "Unidentified")
"""``KeyboardEvent.key`` of keys whose text comes as an ``insert``."""


class Drift(NamedTuple):
    """The first step before which the page was not as recorded.

    Attributes:
        step: Its index.
        rows: Refs of the rows that differ.
        parts: Other parts that differ: ``"path"``, ``"title"``, ``"focus"``, ``"held"``.
        recorded: The page as recorded.
        shown: The page as it is now.
    """

    step: int
    rows: tuple[int, ...]
    parts: tuple[str, ...]
    recorded: Snapshot
    shown: Snapshot


class Unsent(NamedTuple):
    """A recorded event that cannot be sent again, and the reason."""

    step: int
    why: str


class Replay(NamedTuple):
    """The result of a replay.

    Attributes:
        drift: The first difference of the pages from those recorded, or ``None``.
        unsent: Events that were left out.
        sent: Pairs of the last POST, or ``None``.
        outcome: The judge's outcome now.
        agrees: No drift, and POST and score are those recorded.
    """

    drift: Drift | None
    unsent: tuple[Unsent, ...]
    sent: tuple[tuple[str, str], ...] | None
    outcome: Outcome | None
    agrees: bool


def open_again(demonstration: Demonstration) -> WebEnv:
    """The environment of a demonstration, reset as it began.

    Raises:
        InputError: It was not recorded on pages of ours, its environment does not exist any more,
            or has become another one.
    """
    if demonstration.foreign:
        raise InputError(f"{demonstration.env_id} was recorded on pages that are not ours")
    spec = web_spec(demonstration.env_id)
    env = WebEnv(**spec.kwargs, render_mode="rgb_array")
    try:
        _, info = env.reset(seed=demonstration.seed, options=demonstration.options)
    except BaseException:
        env.close()
        raise
    if info["instruction"] != demonstration.instruction:
        env.close()
        raise InputError(
            f"{spec.id} has changed: seed {demonstration.seed} now gives the instruction "
            f"{info['instruction']!r}; recorded was {demonstration.instruction!r}"
        )
    return env


def replay(
    demonstration: Demonstration, on_step: Callable[[int, WebEnv], None] | None = None
) -> Replay:
    """Sends the recorded events, at the recorded pace of page time.

    Args:
        demonstration: A recording, or the acts of an agent.
        on_step: Called before each step with its index and the environment, which can render.

    Raises:
        InputError: As :func:`open_again`.
        BrowserDiedError: The browser is gone.
    """
    env = open_again(demonstration)
    try:
        hand = _Hand(env, demonstration)
        drift = None
        for index, step in enumerate(demonstration.steps):
            drift = drift or compared(index, step.state, hand.state)
            if on_step is not None:
                on_step(index, env)
            hand.perform(index)
        return _result(demonstration, env, drift, tuple(hand.unsent))
    finally:
        env.close()


def compared(index: int, recorded: Snapshot, shown: Snapshot) -> Drift | None:
    """The difference of two states, or ``None`` if they are equal."""
    rows = tuple(differing_rows(recorded.rows, shown.rows))
    names = ("path", "title", "focus", "held")
    parts = tuple(name for name in names if getattr(recorded, name) != getattr(shown, name))
    return Drift(index, rows, parts, recorded, shown) if rows or parts else None


def _result(
    demonstration: Demonstration, env: WebEnv, drift: Drift | None, unsent: tuple[Unsent, ...]
) -> Replay:
    log = env.session.recorder.log
    posts = [request.form for request in log if request.method == "POST"]
    sent, outcome = posts[-1] if posts else None, env.instance.judge(log)
    score = None if outcome is None else outcome.score
    agrees = drift is None and sent == demonstration.sent and score == demonstration.score
    return Replay(drift, unsent, sent, outcome, agrees)


class _Hand:
    """Does the steps of a demonstration; ``state`` is the page as it is now."""

    def __init__(self, env: WebEnv, demonstration: Demonstration) -> None:
        assert isinstance(env.session.client, BrowserClient)
        self.client: BrowserClient = env.session.client
        self.steps = demonstration.steps
        self.texts = tuple(text for _, text in demonstration.fields)
        self.state = env.snapshot
        self.held = False
        self.unsent: list[Unsent] = []

    def perform(self, index: int) -> None:
        """Does a step and lets page time pass until the next."""
        step = self.steps[index]
        following = self.steps[index + 1] if index + 1 < len(self.steps) else None
        if step.type == ACT:
            assert step.action is not None
            try:
                self.state = perform(self.client, step.action, self.texts)
            except InputError as error:
                self.unsent.append(Unsent(index, str(error)))
            return
        self.held = step.button == 0 if step.type == "mousedown" else self.held
        self.held = self.held and step.type != "mouseup"
        events = input_of(step, following, self.held)
        if isinstance(events, str):
            self.unsent.append(Unsent(index, events))
            events = []
        if step.type == END:
            return
        wait = STEP_MS if following is None else following.time - step.time
        self.state = self.client.events(events, wait)


def input_of(step: Step, following: Step | None, held: bool) -> list[Event] | str:
    """The events to send for a recorded event, or the reason why none can be.

    Args:
        step: The event.
        following: The one after it: text that was pasted comes right behind its keys.
        held: Whether the pointer's button is down.
    """
    if step.type in ("load", END):
        return []
    if not step.trusted:
        return f"a script made the {step.type}"
    if step.type.startswith("mouse"):
        return _pointer(step, held)
    if step.type == "insert":
        return [Text(step.key)]
    if step.type in ("keydown", "keyup"):
        pasted = following is not None and following.type == "insert"
        return [] if pasted else _key(step)
    return f"{step.type} follows from other events"


def _pointer(step: Step, held: bool) -> list[Event] | str:
    if step.type == "mousemove":
        return [PointerMove(step.x, step.y, held)]
    if step.button != 0:
        return f"button {step.button} is not the left one"
    kind = PointerDown if step.type == "mousedown" else PointerUp
    return [kind(step.x, step.y, max(1, step.clicks))]


def _key(step: Step) -> list[Event] | str:
    """A key; on layouts with AltGr a character may come with Control and Alt together."""
    down = step.type == "keydown"
    if step.key in ALONE + COMPOSING:
        return []
    typed = len(step.key) == 1 and not step.modifiers & ~SHIFT
    if len(step.key) == 1 and step.modifiers & CONTROL and step.modifiers & 1:
        typed = True
    if typed and step.key not in KEYBOARD:
        return [Text(step.key)] if down else []
    if step.key not in KEYBOARD:
        return f"the key {step.key!r} is none that is sent"
    modifiers = 0 if typed else step.modifiers
    return [(KeyDown if down else KeyUp)(step.key, modifiers)]
