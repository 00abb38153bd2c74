"""Acts on MiniWoB's pages in a browser and starts their episodes."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NamedTuple

from envs.web.actions import MAX_FIELDS
from envs.web.client import BrowserClient
from envs.web.devtools import BrowserDiedError
from envs.web.inputs import Event, PointerMove, PointerUp
from envs.web.miniwob.fields import fields
from envs.web.miniwob.folder import Folder
from envs.web.miniwob.package import html_folder
from envs.web.snapshot import Snapshot, read_row
from hardware_sim.reading import parse_json

SIZE = (160, 210)
"""Width and height of a task in CSS pixels."""

FIRST_MOMENT_MS = 1_488_326_400_000  # 2017-03-01 UTC, on which every episode begins
STEP_MS = 125
PARK: list[Event] = [PointerMove(SIZE[0] - 1, 0), PointerUp(SIZE[0] - 1, 0)]
"""Lets go and moves the pointer over the instruction, which takes no notice of it.

In this order, as a browser may take notice of a move only with the event that follows.
"""

LOOK = "globalThis.gymworks ? JSON.stringify(gymworks.look()) : null"


class Verdict(NamedTuple):
    """The verdict of MiniWoB's own code on an episode.

    Attributes:
        done: Whether it has ended.
        raw: Its reward, -1 to 1; 0 until then.
        scaled: The same, shrunk by the share of the time limit that has passed on the page's clock.
    """

    done: bool = False
    raw: float = 0.0
    scaled: float = 0.0


class Start(NamedTuple):
    """The beginning of an episode.

    Attributes:
        snapshot: The page.
        instruction: The instruction.
        fields: ``(name, text)`` of what can be typed.
    """

    snapshot: Snapshot
    instruction: str
    fields: tuple[tuple[str, str], ...]


class MiniWoBClient(BrowserClient):
    """Hands and eyes on a task's page, through any number of episodes.

    Args:
        task: Name of the task; the package must be installed.
        backend: Name of the browser backend.
        fresh_page: Whether every episode gets a fresh page.
        draws: Whether pixels will be asked for after every act.

    Attributes:
        verdict: The page's verdict at the last look.
    """

    def __init__(self, task: str, backend: str, fresh_page: bool, draws: bool) -> None:
        folder = html_folder()
        assert folder is not None
        super().__init__(Folder(folder), SIZE, FIRST_MOMENT_MS, 0, STEP_MS, backend, draws)
        self.task, self.fresh_page = task, fresh_page
        self.verdict = Verdict()
        self._away: set[int] = set()
        self._loaded = False

    def start(self, seed: int, split: str) -> Start:
        """Starts an episode in the open page, or in a fresh one.

        Args:
            seed: Seeds the task's random numbers, as MiniWoB++'s own environments do.
            split: MiniWoB's data mode, ``"train"`` or ``"test"``.

        Raises:
            BrowserDiedError: The browser is gone or does not answer.
            CommandError: The task's code raised.
        """
        away: list[Event] = [] if self.pointer is None else PARK
        self.pointer = None
        if not self._loaded or self.fresh_page:
            self._load(away)
            away = []
        self.page.act(away)
        problem = self.page.evaluate(f"gymworks.start({seed}, {split!r})")
        snapshot = self._look([])
        given = tuple((name, text) for name, text in problem["fields"])
        found = given[:MAX_FIELDS] or fields(problem["utterance"], problem["marked"])
        return Start(snapshot, problem["utterance"], found)

    def _load(self, away: Sequence[Event]) -> None:
        """Opens a fresh page, with the pointer out of the way as it would stay where it is."""
        self.page.act(away)
        self.page.goto(f"{self.root}miniwob/{self.task}.html")
        self.page.advance(self._tick())
        self.page.evaluate(_script())
        self._loaded = True

    def drop(self, ref: int) -> Snapshot:
        """Releases what is held on an element, on a way of several moves, as drags need."""
        started = self.pointer
        x, y = self._centre(ref)
        across, down = started or (x, y)
        half = PointerMove((across + x) // 2, (down + y) // 2)
        near = PointerMove(x, y - 1 if down <= y else y + 1)
        return self._look([half, near, PointerMove(x, y), PointerUp(x, y)])

    def _look(self, events: Sequence[Event], advance_ms: int | None = None) -> Snapshot:
        time_ms = self._tick() if advance_ms is None else advance_ms
        seen = self.page.step(events, time_ms, LOOK)
        if seen is None:
            raise BrowserDiedError("the task's page has been left")
        return self._read(parse_json(seen))

    def _read(self, seen: dict[str, Any]) -> Snapshot:
        self.verdict = Verdict(seen["done"], float(seen["raw"]), float(seen["scaled"]))
        self._away = set(seen["away"])
        self.rows = list(map(read_row, seen["rows"]))
        return Snapshot("", seen["title"], self.rows, seen["focus"], seen["held"])

    def _centre(self, ref: int) -> tuple[int, int]:
        """The middle of an element, which is scrolled into view first if need be."""
        if ref in self._away:
            x, y = self.page.step([], 0, f"gymworks.reach({ref})")
            self.pointer = x, y
            return x, y
        return super()._centre(ref)


def _script() -> str:
    return files("envs.web.miniwob").joinpath("look.js").read_text()
