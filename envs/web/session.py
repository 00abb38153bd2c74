"""One environment's episodes, whoever shows the pages."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from envs.web.actions import decode, perform
from envs.web.application import Application, Instance, Outcome, Recorder, Task
from envs.web.devtools import BrowserDiedError
from envs.web.document import Document
from envs.web.observation import PageEncoder
from envs.web.snapshot import Client, Snapshot
from hardware_sim.errors import InputError

ILLEGAL = -0.05
"""Reward of an action that the mask rules out; nothing else happens."""

ClientFactory = Callable[[Recorder, Task, int], Client]

Deed = Callable[[Client], Snapshot]
"""Something that a person does on a page."""

Step = tuple[float, bool, bool, dict[str, Any]]
"""Reward, terminated, truncated and info."""


class Sight(NamedTuple):
    """An episode as an expert sees it: the present page and the human's answer.

    Attributes:
        document: The page as the server declared it.
        snapshot: The page as it is now.
        texts: Texts of the instruction's fields, by number.
        answer: The pairs of the request to end with; see :class:`Instance`.
        application: Answers what the page's scripts ask.
    """

    document: Document
    snapshot: Snapshot
    texts: Sequence[str]
    answer: tuple[tuple[str, str], ...]
    application: Application


class Session:
    """Runs episodes of a task and keeps an encoder up to date with their pages.

    Args:
        task: The source of instances.
        make_client: Makes the hands and eyes of an episode, with a seed for the page's randomness.
        encoder: Takes in what the pages show.
        max_steps: Steps after which an episode is truncated, if not the task's.

    Attributes:
        instance: The present instruction and its application.
        recorder: The requests of the present episode.
        snapshot: The page as it is now; empty before the first episode.
        first_page: The page on which the episode began.
    """

    def __init__(
        self,
        task: Task,
        make_client: ClientFactory,
        encoder: PageEncoder,
        max_steps: int | None = None,
    ) -> None:
        self.task = task
        self.make_client = make_client
        self.max_steps = task.max_steps if max_steps is None else max_steps
        self.encoder = encoder
        self.client: Client | None = None
        self.instance: Instance
        self.recorder: Recorder
        self.snapshot = Snapshot("", "", [], -1, -1)
        self.first_page: Document
        self.steps = self.judged = 0
        self.ended = True

    def begin(self, random: np.random.Generator, options: dict[str, Any] | None) -> dict[str, Any]:
        """Starts an episode; returns its info.

        Raises:
            InputError: An unknown option or split.
        """
        self.close()
        self.instance = self.task.instance(random, dict(options or {}))
        self.recorder = Recorder(self.instance.application)
        self.client = self.make_client(self.recorder, self.task, int(random.integers(2**31)))
        self.snapshot = self.client.open(self.instance.start)
        assert self.recorder.document is not None
        self.first_page = self.recorder.document
        self.encoder.begin(self.instance.instruction, self.instance.fields)
        self.encoder.update(self.snapshot)
        self.steps, self.judged, self.ended = 0, 0, False
        return {"instruction": self.instance.instruction, "split": self.instance.split}

    def sight(self) -> Sight:
        """The present page with the answer, which can be pickled; after :meth:`begin`."""
        document, instance = self.recorder.document, self.instance
        assert document is not None
        return Sight(
            document, self.snapshot, self.encoder.texts, instance.answer, instance.application
        )

    def act(self, number: int) -> Step:
        """Performs an action; returns reward, terminated, truncated and info.

        Raises:
            InputError: There is no such action, or the episode has ended.
        """
        action, texts = decode(number), self.encoder.texts
        legal = self.encoder.allows(number)
        return self.take((lambda client: perform(client, action, texts)) if legal else None)

    def take(self, deed: Deed | None, error: str = "") -> Step:
        """Does something on the page; returns as :meth:`act` does.

        Args:
            deed: The deed, or ``None`` for an action that is ruled out.
            error: The reason for that, for ``info["error"]``; empty for no such entry.

        Raises:
            InputError: The episode has ended.
        """
        if self.ended or self.client is None:
            raise InputError("the episode has ended; call reset() before step()")
        self.steps += 1
        outcome, notes = None, {"error": error} if error else {}
        if deed is not None:
            try:
                self.snapshot = deed(self.client)
                self.encoder.update(self.snapshot)
                outcome = self._judged()
            except BrowserDiedError as death:
                notes["lost"] = str(death)
        return self._result(outcome, ILLEGAL if deed is None else 0.0, notes)

    def _judged(self) -> Outcome | None:
        """The outcome, which only requests that nobody has judged yet can have brought about."""
        log = self.recorder.log
        if len(log) == self.judged:
            return None
        self.judged = len(log)
        return self.instance.judge(log)

    def _result(self, outcome: Outcome | None, illegal: float, notes: dict[str, str]) -> Step:
        """The step's figures; an episode without an answer in time scores 0."""
        terminated = outcome is not None
        truncated = not terminated and ("lost" in notes or self.steps >= self.max_steps)
        agreement = 0.0 if outcome is None else outcome.score
        info: dict[str, Any] = {"reward": {"agreement": agreement, "illegal": illegal}, **notes}
        self.ended = terminated or truncated
        if self.ended:
            info["score"] = agreement
            info["is_success"] = outcome is not None and outcome.is_success
            info["report"] = {} if outcome is None else dict(outcome.report)
            info |= {"problem": self.instance.instruction, "bound": 1.0}
        return agreement + illegal, terminated, truncated, info

    def close(self) -> None:
        """Frees the client; calling it again changes nothing."""
        if self.client is not None:
            self.client.close()
            self.client = None
