"""The base of the small tasks: pages from files, one answer by POST, a judge that compares."""

import zlib
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from envs.web.application import Instance, Outcome, Request, Response
from envs.web.document import Box, Document, Node, Pairs
from envs.web.tasks.markup import Slots, Template, template
from hardware_sim.errors import InputError, choose

PAGES = Path(__file__).parent / "pages"

QUERY_HEIGHT = 50
"""Pixels at the top of every page that show the instruction."""

HELD_OUT = 5
"""One in so many instances belongs to the split ``"test"``."""


@dataclass(frozen=True)
class Drawn:
    """An instance as a task draws it.

    Attributes:
        instruction: The instruction.
        answer: The pairs that the final POST must have: for each name, exactly these values.
        slots: Values for the page's slots.
        fields: ``(name, text)`` of what can be typed or looked for.
    """

    instruction: str
    answer: tuple[tuple[str, str], ...]
    slots: Slots = field(default_factory=dict)
    fields: tuple[tuple[str, str], ...] = ()


class MiniTask:
    """A small task: one page, a click, a few words or a drag, and one POST to ``answer``.

    Subclasses give ``page`` and :meth:`draw`; those with several pages override :meth:`respond`.

    Attributes:
        page: Name of the HTML file of the first page, in the folder ``pages``.
        size: Width and height of the viewport; the instruction takes the top 50 pixels.
        max_steps: Steps after which an episode is truncated.
        splits: ``"test"`` is one instance in five, by a checksum of instruction and answer.
        partial: Most credit for a wrong answer; the share of names that agree is multiplied with
            it. Only forms of several controls give any.
    """

    page: str
    size = (160, 210)
    max_steps = 20
    splits: tuple[str, ...] = ("train", "test")
    partial = 0.0

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws an instance."""
        raise NotImplementedError

    def respond(self, drawn: Drawn, request: Request) -> Response:
        """Answers a request on a page of an instance."""
        if request.path == "answer" and request.method == "POST":
            return Response(self.document(drawn, "done.html"))
        if request.path == "" and request.method == "GET":
            return Response(self.document(drawn, self.page))
        return Response(self.document(drawn, "missing.html"), status=404)

    def document(self, drawn: Drawn, page: str, **slots: Any) -> Document:
        """A page of an instance, with the instruction on top."""
        query = Node(
            "div", Box(0, 0, self.size[0], QUERY_HEIGHT), text=drawn.instruction, classes="query"
        )
        return _page(page).document({**drawn.slots, **slots}, self.size, "mini", [query])

    def instance(self, random: np.random.Generator, options: dict[str, Any]) -> Instance:
        """Draws an instance of the split ``options["split"]``, ``"train"`` if none is given.

        Raises:
            InputError: An unknown option or split.
        """
        split = chosen_split(options, self.splits)
        while True:
            drawn = self.draw(random)
            if split_of(drawn) == split:
                break
        return Instance(
            drawn.instruction,
            drawn.fields,
            Pages(self, drawn),
            drawn.answer,
            partial(judge, drawn.answer, self.partial),
            split=split,
        )


@dataclass(frozen=True)
class Pages:
    """The application of an instance."""

    task: MiniTask
    drawn: Drawn

    def respond(self, request: Request) -> Response:
        """Answers a request."""
        return self.task.respond(self.drawn, request)


@cache
def _page(name: str) -> Template:
    """The page of a file in the folder ``pages``."""
    return template(PAGES / name)


def chosen_split(options: dict[str, Any], splits: tuple[str, ...]) -> str:
    """The split that options ask for.

    Raises:
        InputError: An unknown option or split.
    """
    for name in options:
        choose("option", name, ("split",))
    split = options.get("split", splits[0])
    if not isinstance(split, str):
        raise InputError(f"the split must be a string, one of {', '.join(splits)}; got {split!r}")
    return choose("split", split, splits)


def split_of(drawn: Drawn) -> str:
    """The split an instance belongs to; alike in every process."""
    key = f"{drawn.instruction}\n{drawn.answer}"
    return "train" if zlib.crc32(key.encode()) % HELD_OUT else "test"


def judge(answer: Pairs, most: float, log: list[Request]) -> Outcome | None:
    """Compares the first POST to ``answer``, if there is one, with the pairs it should have.

    Args:
        answer: The right pairs; an empty value means that the name must not be sent.
        most: Credit for a wrong answer in which nearly all names agree.
        log: The episode's requests.
    """
    for request in log:
        if request.method == "POST" and request.path == "answer":
            break
    else:
        return None
    report = {
        name: float(_values(answer, name) == _values(request.form, name)) for name, _ in answer
    }
    share = sum(report.values()) / len(report)
    return Outcome(1.0 if share == 1 else most * share, share == 1, report)


def _values(pairs: Pairs, name: str) -> list[str]:
    """The values of a name, in a fixed order and without blanks; an empty value is none."""
    return sorted(value.strip() for key, value in pairs if key == name and value.strip())
