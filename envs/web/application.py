"""The server side of pages: applications that answer requests, and tasks that set them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from envs.web.document import Document


class Request(NamedTuple):
    """One request as the server saw it.

    Attributes:
        method: ``"GET"`` or ``"POST"``.
        path: Relative to the application's root, without a leading slash or query: ``"search"``.
        query: Pairs of the query string, decoded, in order.
        form: Pairs of the body, decoded, in order; empty for GET.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    form: tuple[tuple[str, str], ...] = ()


class Response(NamedTuple):
    """The answer: exactly one of a document, JSON, a file or the path of a redirect (303).

    Attributes:
        document: A page.
        json: The data that a script asked for.
        location: The page to go to, relative to the application's root.
        file: Bytes that are sent as they are.
        kind: Media type of the file.
        status: HTTP status.
    """

    document: Document | None = None
    json: Any = None
    location: str | None = None
    file: bytes | None = None
    kind: str = "application/octet-stream"
    status: int = 200


class Application(Protocol):
    """The server side of one episode; its state lives as long as the episode."""

    def respond(self, request: Request) -> Response:
        """Answers a request; anything unknown is a document with status 404."""


class Recorder:
    """Passes requests on to an application and keeps them, in order.

    Attributes:
        application: The application that answers.
        log: Every request of the episode so far. Rewards are computed from this and nothing else.
        document: The page that was sent last.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self.log: list[Request] = []
        self.document: Document | None = None

    def respond(self, request: Request) -> Response:
        """Records and answers a request."""
        self.log.append(request)
        response = self.application.respond(request)
        if response.document is not None:
            self.document = response.document
        return response


@dataclass(frozen=True)
class Outcome:
    """The result of an episode.

    Attributes:
        score: Agreement with the human's answer, 0 to 1.
        is_success: Whether every key that the instruction determines agrees exactly.
        report: Agreement key by key, 0 to 1.
    """

    score: float
    is_success: bool
    report: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Instance:
    """One instruction to follow, with the application to do it on.

    Attributes:
        instruction: The instruction, in a sentence or two.
        fields: ``(name, text)`` of what can be typed, at most ``MAX_FIELDS`` of observations.
        application: The application to do it on.
        answer: The pairs of the request that a person who follows the instruction ends with, as
            far as the instruction determines them.
        judge: From the log to the outcome, or ``None`` while the episode goes on.
        start: Path of the first page.
        split: ``"train"``, ``"test"`` or another split the instruction belongs to.
    """

    instruction: str
    fields: tuple[tuple[str, str], ...]
    application: Application
    answer: tuple[tuple[str, str], ...]
    judge: Callable[[list[Request]], Outcome | None]
    start: str = ""
    split: str = "train"


class Task(Protocol):
    """A source of instances; built from an id's settings by name.

    Attributes:
        size: Width and height of the viewport in CSS pixels.
        max_steps: Steps after which an episode is truncated.
        splits: Names that ``options={"split": ...}`` may have.
    """

    size: tuple[int, int]
    max_steps: int
    splits: tuple[str, ...]

    def instance(self, random: np.random.Generator, options: dict[str, Any]) -> Instance:
        """Draws an instance; the same generator state and options give the same one.

        Raises:
            InputError: An unknown option or split; the message lists what is allowed.
        """
