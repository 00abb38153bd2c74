"""A browser process that environments share, and its pages."""

import atexit
import os
from collections.abc import Callable
from typing import Protocol

from envs.web.chromium import find_chromium, launch

TIMEOUT_S = 20.0
MOST_PAGES = 250
"""Pages that a browser opens before another takes over, as it keeps some memory of each."""


class Tab(Protocol):
    """A page as its browser handles it; :class:`envs.web.page.Page` is one.

    Attributes:
        size: Width and height of the viewport in CSS pixels.
        host: The only server that it reaches, ``"127.0.0.1:port"``.
    """

    size: tuple[int, int]
    host: str

    def dispose(self) -> None:
        """Frees the page without waiting for it."""


class Browser:
    """A browser process with any number of pages; :func:`envs.web.page.new_page` opens them.

    Args:
        backend: ``"auto"``, ``"shell"`` or ``"chromium"``.

    Attributes:
        name: Backend and version.
        pages: The open pages.
        spare: A page that is being made ready for the next to ask for one, or ``None``.
        opened: Number of pages opened so far.

    Raises:
        InputError: Chromium is not installed, does not start, or is too old.
    """

    def __init__(self, backend: str = "auto") -> None:
        self.process = launch(backend, TIMEOUT_S)
        self.pages: set[Tab] = set()
        self.spare: Tab | None = None
        self.opened = 0
        self.dead = False
        self.name = f"{self.process.backend} {self.process.product}"

    @property
    def alive(self) -> bool:
        """True while it runs and has always answered."""
        ended = self.dead or self.process.popen.poll() is not None
        return not ended and not self.process.pipe.broken

    @property
    def worn(self) -> bool:
        """True once it should open no more pages."""
        return self.opened >= MOST_PAGES and self.spare is None

    def close(self) -> None:
        """Ends the process; calling it again changes nothing."""
        if not self.dead:
            self.dead = True
            self.pages.clear()
            self.spare = None
            self.process.close()


_browsers: list[Browser] = []


def shared_browser(backend: str = "auto") -> Browser:
    """This process's browser of a backend, started again if it has ended or opened many pages.

    It ends with this process.

    Raises:
        InputError: As :class:`Browser`.
    """
    kind = find_chromium(backend)[0]
    _end(lambda browser: not browser.alive or (browser.worn and not browser.pages))
    for browser in _browsers:
        mine = browser.process.owner == os.getpid() and browser.process.backend == kind
        if mine and not browser.worn:
            return browser
    _browsers.append(Browser(backend))
    return _browsers[-1]


def release_browsers() -> None:
    """Ends this process's browsers that have no page left."""
    _end(lambda browser: not browser.pages)


@atexit.register
def _end_browsers() -> None:
    _end(lambda browser: True)


def _end(which: Callable[[Browser], bool]) -> None:
    """Ends those of this process's browsers that a condition picks."""
    for browser in list(_browsers):
        if browser.process.owner == os.getpid() and which(browser):
            _browsers.remove(browser)
            browser.close()
