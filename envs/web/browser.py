"""A browser process that environments share, and its pages."""

import atexit
import os
from collections.abc import Callable

from envs.web.chromium import find_chromium, launch
from envs.web.page import Page

TIMEOUT_S = 20.0
MOST_PAGES = 250
"""Pages that a browser opens before another takes over, as it keeps some memory of each."""


class Browser:
    """A browser process with any number of pages.

    Args:
        backend: ``"auto"``, ``"shell"`` or ``"chromium"``.

    Attributes:
        name: Backend and version.
        pages: The open pages.

    Raises:
        InputError: Chromium is not installed, does not start, or is too old.
    """

    def __init__(self, backend: str = "auto") -> None:
        self.process = launch(backend, TIMEOUT_S)
        self.pages: set[Page] = set()
        self.dead = False
        self._opened = 0
        self._spare: Page | None = None
        self.name = f"{self.process.backend} {self.process.product}"

    @property
    def alive(self) -> bool:
        """Whether it runs and has always answered."""
        ended = self.dead or self.process.popen.poll() is not None
        return not ended and not self.process.pipe.broken

    @property
    def worn(self) -> bool:
        """Whether it should open no more pages."""
        return self._opened >= MOST_PAGES and self._spare is None

    def new_page(self, size: tuple[int, int], start_time_ms: int, seed: int) -> Page:
        """A page in a fresh context; see :class:`Page` and :meth:`Page.begin`."""
        self.prepare(size)
        page, self._spare = self._spare or Page(self, size), None
        page.begin(start_time_ms, seed)
        self.pages.add(page)
        return page

    def prepare(self, size: tuple[int, int]) -> None:
        """Sees to it that a page of a size is being made ready for who asks next."""
        if self._spare is not None and self._spare.size != size:
            self._spare.dispose()
            self._spare = None
        if self._spare is None and not self.worn:
            self._spare = Page(self, size)
            self._opened += 1

    def close(self) -> None:
        """Ends the process; calling it again changes nothing."""
        if not self.dead:
            self.dead = True
            self.pages.clear()
            self._spare = None
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
    """Ends those of this process's browsers of which something is true."""
    for browser in list(_browsers):
        if browser.process.owner == os.getpid() and which(browser):
            _browsers.remove(browser)
            browser.close()
