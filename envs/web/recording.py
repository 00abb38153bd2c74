"""Records what a person does on a task's pages.

The pages stand in a frame of their own size on a page that shows the instruction, so that they look
and behave as for an agent, however large the person's window is. A script on them reports every
event before the page reacts to it; the reward is computed from the application's log, as always.
"""

import json
import math
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils import seeding
from jinja2 import Environment, Template

from envs.web.application import Outcome, Recorder, Request, Response
from envs.web.demonstration import NO_STATE, Demonstration, Step
from envs.web.demonstration_file import checked_step
from envs.web.env import load_task
from envs.web.server import ASIDE, Answer
from envs.web.snapshot import read_snapshot
from hardware_sim.errors import InputError, choose
from hardware_sim.reading import parse_json

PATIENCE_S = 5.0
"""Seconds that an answered episode waits for its last page to report that it has loaded."""

OURS = "envs.web.env:WebEnv"
"""The environments whose pages are served here, and so recorded and played again."""

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; img-src data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the page with the instruction."""


def web_spec(env_id: str) -> EnvSpec:
    """The registered spec of an environment whose pages are ours.

    Args:
        env_id: With or without the leading ``envs:``.

    Raises:
        InputError: There is no such id, or its pages are not ours.
    """
    name = env_id.removeprefix("envs:")
    ours = [spec.id for spec in gym.registry.values() if spec.entry_point == OURS]
    if name in gym.registry and name not in ours:
        raise InputError(f"{name} has no pages of ours; allowed: the WoB-* environments")
    return gym.registry[choose("environment", name, ours)]


def versions() -> dict[str, str]:
    """Versions of the packages that make the pages, by name."""
    found = {}
    for name in ("gymworks", "gymnasium"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


class Recording:
    """One episode in a person's hands.

    Args:
        env_id: The environment; the episode is that of ``reset(seed=seed, options=options)``.
        seed: Its seed.
        options: Its options.
        by: Name of the person who plays, as they give it.

    Attributes:
        instance: The instruction and its application.
        recorder: The application's requests.
        steps: The steps recorded so far.
        outcome: The judge's outcome, or ``None`` while the episode goes on.
        answered: Time of the request that brought the outcome about (``time.monotonic``, s).
        finished: Whether nothing more is recorded.

    Raises:
        InputError: An unknown id, or options that its task refuses.
    """

    def __init__(self, env_id: str, seed: int, options: dict[str, Any], by: str = "") -> None:
        spec = web_spec(env_id)
        self.env_id, self.seed, self.options, self.by = spec.id, seed, options, by
        self.task = load_task(spec.kwargs["task"])
        self.instance = self.task.instance(seeding.np_random(seed)[0], dict(options))
        self.recorder = Recorder(self.instance.application)
        self.steps: list[Step] = []
        self.outcome: Outcome | None = None
        self.answered = 0.0
        self.finished = False
        self._began = 0.0

    def respond(self, request: Request) -> Response:
        """Answers a request of the pages, and sees whether it ends the episode."""
        response = self.recorder.respond(request)
        if self.outcome is None:
            self.answered = time.monotonic()
            self.outcome = self.instance.judge(self.recorder.log)
        return response

    def take(self, line: dict[str, Any]) -> None:
        """Takes in a step as ``record.js`` sends it.

        Raises:
            InputError: It is none.
        """
        try:
            moment, seen = float(line["time"]), line["state"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"no step of a recording: {error!r}") from None
        if not math.isfinite(moment):
            raise InputError(f"the time is {moment}; allowed: ms since 1970")
        last = self.steps[-1] if self.steps else Step(0, "load", NO_STATE)
        began = self._began if self.steps else moment
        state = last.state if seen is None else read_snapshot(seen)
        self.steps.append(checked_step(line, max(round(moment - began), last.time), state))
        self._began = began

    def demonstration(self) -> Demonstration:
        """The episode so far; without an outcome its score is ``None``."""
        posts = [request.form for request in self.recorder.log if request.method == "POST"]
        outcome = self.outcome
        return Demonstration(
            self.env_id,
            self.seed,
            self.options,
            self.instance.instruction,
            self.instance.fields,
            self.task.size,
            "human",
            self.by,
            tuple(self.steps),
            posts[-1] if posts else None,
            None if outcome is None else outcome.score,
            outcome is not None and outcome.is_success,
            versions(),
            datetime.now(UTC).isoformat(timespec="seconds"),
        )


class Desk:
    """Serves a person one episode after the other, under one address.

    It is both the application and its observer, see :class:`envs.web.server.Observer`. An episode
    begins when the page with the instruction is opened, and begins again if that is reloaded.

    Args:
        begin: Makes the recording of an episode by its number, from 0.
        episodes: Number of episodes.

    Attributes:
        recording: The present episode.
        done: Number of finished episodes.
    """

    def __init__(self, begin: Callable[[int], Recording], episodes: int) -> None:
        self.script = files("envs.web").joinpath("record.js").read_text()
        self.begin, self.episodes = begin, episodes
        self.recording: Recording | None = None
        self.done = 0
        self._finishing = Lock()
        self._finished: SimpleQueue[Recording] = SimpleQueue()

    def respond(self, request: Request) -> Response:
        """Answers for the application of the present episode."""
        if self.recording is None:
            return Response(json={"error": f"open the address that ends in {ASIDE}"}, status=404)
        return self.recording.respond(request)

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answers the page with the instruction, and takes the steps that the pages send."""
        if (method, path) == ("GET", ""):
            return self._page()
        if (method, path) == ("GET", "state"):
            return Answer(200, "application/json", json.dumps(self._state()).encode())
        if (method, path) == ("POST", "events"):
            self._take(body)
            return Answer()
        return Answer(404)

    def wait(self) -> Recording:
        """Waits for the next episode that is finished."""
        while True:
            try:
                return self._finished.get(timeout=PATIENCE_S / 10)
            except Empty:
                self._finish_without_last_page()

    def _finish_without_last_page(self) -> None:
        """Finishes an episode whose window was closed as soon as the answer was sent."""
        recording = self.recording
        if recording is None or recording.outcome is None:
            return
        if time.monotonic() - recording.answered > PATIENCE_S:
            self._finish(recording)

    def _take(self, body: bytes) -> None:
        """Takes a step; one that comes after the end is no part of the episode."""
        try:
            line = parse_json(body)
        except ValueError as error:
            raise InputError(f"no step of a recording: {error}") from None
        recording = self.recording
        if recording is None or recording.finished:
            return
        recording.take(line)
        if recording.outcome is not None and recording.steps[-1].type == "load":
            self._finish(recording)

    def _finish(self, recording: Recording) -> None:
        with self._finishing:
            if not recording.finished:
                recording.finished = True
                self.done += 1
                self._finished.put(recording)

    def _state(self) -> dict[str, Any]:
        recording = self.recording
        outcome = None if recording is None else recording.outcome
        result = "" if outcome is None else f"Recorded. Score {outcome.score:.2f}."
        over = recording is None or recording.finished
        return {"outcome": result, "more": over and self.done < self.episodes}

    def _page(self) -> Answer:
        """Begins an episode: the next one, or again the one that was not finished."""
        self.recording = self.begin(self.done) if self.done < self.episodes else None
        nonce = secrets.token_urlsafe(12)
        shown: dict[str, Any] = {"title": "demonstrations", "recording": None}
        if self.recording is not None:
            shown = {
                "title": self.recording.env_id,
                "recording": self.recording,
                "size": self.recording.task.size,
                "start": self.recording.instance.start,
                "number": self.done + 1,
                "episodes": self.episodes,
                "nonce": nonce,
            }
        page = _template().render(shown).encode()
        return Answer(200, "text/html; charset=utf-8", page, POLICY.format(nonce=nonce))


@cache
def _template() -> Template:
    source = files("envs.web").joinpath("desk.html").read_text()
    return Environment(autoescape=True).from_string(source)
