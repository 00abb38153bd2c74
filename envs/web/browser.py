"""A browser that agents drive: trusted input, exact page time, pixels when asked for."""

import atexit
import base64
import io
import os
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from envs.web.chromium import find_chromium, launch
from envs.web.devtools import BrowserDiedError, CommandError, Message, Work
from envs.web.inputs import Event as Event
from envs.web.inputs import KeyDown as KeyDown
from envs.web.inputs import KeyUp as KeyUp
from envs.web.inputs import PointerDown as PointerDown
from envs.web.inputs import PointerMove as PointerMove
from envs.web.inputs import PointerUp as PointerUp
from envs.web.inputs import Text as Text
from envs.web.inputs import commands

TIMEOUT_S = 20.0
HOST = "127.0.0.1"


# Page scripts draw from a seeded generator (mulberry32) and cannot open windows.
FIRST_SCRIPT = """(() => {
  let state = %d;
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  window.open = () => null;
})()"""


class Page:
    """One page in a context of its own: no cookies, cache or storage shared with others.

    It is prepared while others are in use; :meth:`begin` waits until it is ready.

    Args:
        browser: The process it lives in.
        size: Width and height of the viewport in CSS pixels.

    Attributes:
        blocked: Requests to other hosts that were refused.
    """

    def __init__(self, browser: "Browser", size: tuple[int, int]) -> None:
        self.browser = browser
        self.size = size
        self.pipe = browser.process.pipe
        self.frames = browser.process.backend == "shell"
        self.blocked = 0
        self.loading = False
        self.context = self.session = ""
        self._ready = self._expired = self._asked = False
        self._departures = 0
        self._last: NDArray[np.uint8] | None = None
        self.pipe.begin(self._prepare())

    def begin(self, start_time_ms: int, seed: int) -> None:
        """Starts the page's clock and seeds its randomness; its first page comes next.

        Args:
            start_time_ms: Moment at which the page's clock begins, in ms since 1970.
            seed: Seeds the page's ``Math.random``.
        """
        self.pipe.wait_until(lambda: self._ready)
        script, moment = FIRST_SCRIPT % seed, start_time_ms / 1000
        clock = {"policy": "pause", "initialVirtualTime": moment}
        numbers = [
            self._send("Page.addScriptToEvaluateOnNewDocument", source=script),
            self._send("Emulation.setVirtualTimePolicy", **clock),
        ]
        self.pipe.wait(numbers)

    def goto(self, url: str) -> None:
        """Opens an address and waits until it has loaded.

        Raises:
            BrowserDiedError: The browser is gone or does not answer.
            CommandError: The address cannot be opened.
        """
        self.loading = True
        number = self._send("Page.navigate", url=url)
        result = self.pipe.wait([number])[0]
        if "errorText" in result:
            self.loading = False
            raise CommandError(f"{url} cannot be opened: {result['errorText']}")
        self._load()

    def step(self, events: Sequence[Event], advance_ms: int, script: str) -> Any:
        """Sends events, lets page time pass, and evaluates an expression.

        If the events led to another page, waits for it and evaluates there.

        Args:
            events: Trusted input, in order.
            advance_ms: Page time to let pass; requests of the page are waited for.
            script: An expression; a promise is awaited. Its value must be JSON.

        Raises:
            BrowserDiedError: The browser is gone or does not answer.
            CommandError: The script raised.
        """
        if events:
            self.browser.prepare(self.size)
        numbers = [
            self._send(method, **params) for event in events for method, params in commands(event)
        ]
        if numbers and self.frames:
            self._call("HeadlessExperimental.beginFrame")
            while not self.pipe.answered(numbers):  # a move is answered at a frame after it arrived
                self._call("HeadlessExperimental.beginFrame")
        self.pipe.wait(numbers)
        if advance_ms:
            self.advance(advance_ms)
        if self.frames:
            self._call("HeadlessExperimental.beginFrame")  # moves the focus off what has gone
        return self._evaluate(script)

    def advance(self, milliseconds: int) -> None:
        """Lets page time pass; it stands still while requests are under way."""
        self._expired = False
        policy = {"policy": "pauseIfNetworkFetchesPending", "budget": milliseconds}
        number = self._send("Emulation.setVirtualTimePolicy", **policy)
        while not self._expired:
            self.pipe.wait_until(lambda: self._expired or (self.frames and self._asked))
            if not self._expired:
                self._call("HeadlessExperimental.beginFrame")  # pictures are taken in with a frame
        self._asked = False
        self.pipe.wait([number])

    def pixels(self) -> NDArray[np.uint8]:
        """The viewport, uint8 ``(height, width, 3)``.

        Raises:
            BrowserDiedError: The browser is gone or does not answer.
        """
        data = self._draw() if self.frames else self._capture()
        if data:
            image = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
            self._last = np.asarray(image, np.uint8)
        assert self._last is not None  # the first frame has a picture
        return self._last.copy()

    def _capture(self) -> str:
        data: str = self._call("Page.captureScreenshot", format="png")["data"]
        return data

    def _draw(self) -> str | None:
        """The next frame; ``None`` if nothing has changed since the last picture."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            self._load()  # a page that is not there yet draws nothing
            frame = self._call("HeadlessExperimental.beginFrame", screenshot={"format": "png"})
            if "screenshotData" in frame:
                data: str = frame["screenshotData"]
                return data
            if self._last is not None and not frame["hasDamage"]:
                return None
        raise BrowserDiedError("the browser draws nothing")  # not even after a while

    def close(self) -> None:
        """Closes the page with its context; calling it again changes nothing."""
        if self in self.browser.pages:
            self.browser.pages.discard(self)
            self.dispose()

    def dispose(self) -> None:
        """Frees the page's context without waiting for it."""
        try:
            self.pipe.wait_until(lambda: self._ready)
            self.pipe.listeners.pop(self.session)
            number = self.pipe.send("Target.disposeBrowserContext", browserContextId=self.context)
            self.pipe.forget(number)
        except BrowserDiedError:
            self.browser.close()

    def _prepare(self) -> Work:
        """Opens the page, as far as it does not depend on the episode."""
        send = self.pipe.send
        made = yield send("Target.createBrowserContext", disposeOnDetach=True)
        context = self.context = made["browserContextId"]
        yield send("Browser.setDownloadBehavior", behavior="deny", browserContextId=context)
        width, height = self.size
        settings: Message = {"browserContextId": context, "url": "about:blank"}
        if self.frames:
            settings |= {"enableBeginFrameControl": True, "width": width, "height": height}
        target = (yield send("Target.createTarget", **settings))["targetId"]
        attached = yield send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        self.pipe.listeners[self.session] = self._hear
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        numbers = [
            self._send("Page.enable"),
            self._send("Fetch.enable", patterns=[{"urlPattern": "*"}]),
            self._send("Emulation.setDeviceMetricsOverride", **metrics),
            self._send("Emulation.setTimezoneOverride", timezoneId="UTC"),
            self._send("Emulation.setFocusEmulationEnabled", enabled=True),
        ]
        while numbers:
            yield numbers.pop()
        self._ready = True

    def _hear(self, method: str, params: Message) -> None:
        """Takes an event of this page's session."""
        if method == "Emulation.virtualTimeBudgetExpired":
            self._expired = True
        elif method == "Page.frameStartedNavigating":
            self.loading = True
            self._departures += 1
        elif method == "Page.loadEventFired":
            self.loading = False
        elif method == "Page.javascriptDialogOpening":
            self._send_and_forget("Page.handleJavaScriptDialog", accept=False)
        elif method == "Fetch.requestPaused":
            self._admit(params["requestId"], params["request"]["url"])

    def _admit(self, request: str, url: str) -> None:
        """Lets a request pass if it stays on this machine."""
        self._asked = True
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname == HOST:
            self._send_and_forget("Fetch.continueRequest", requestId=request)
        else:
            self.blocked += 1
            self._send_and_forget(
                "Fetch.failRequest", requestId=request, errorReason="BlockedByClient"
            )

    def _load(self) -> None:
        """Gives a page that is loading the page time that its scripts and styles need."""
        deadline = time.monotonic() + TIMEOUT_S
        while self.loading:
            if time.monotonic() > deadline:
                raise BrowserDiedError(f"the page has not loaded for {TIMEOUT_S:g} s")
            self.advance(1)

    def _evaluate(self, script: str) -> Any:
        settings = {"expression": script, "returnByValue": True, "awaitPromise": True}
        while True:
            self._load()
            before = self._departures
            try:
                answer = self._call("Runtime.evaluate", **settings)
            except CommandError as error:
                if "navigated" in str(error) or "destroyed" in str(error):
                    continue  # the page changed meanwhile; evaluate in the next one
                raise
            if self._departures != before:
                continue  # what answered may have been a page that had not loaded yet
            if "exceptionDetails" in answer:
                details = answer["exceptionDetails"]
                said = details.get("exception", {}).get("description", details["text"])
                raise CommandError(f"the page's script raised: {said}")
            return answer["result"].get("value")

    def _send(self, method: str, **params: Any) -> int:
        return self.pipe.send(method, self.session, **params)

    def _send_and_forget(self, method: str, **params: Any) -> None:
        self.pipe.forget(self._send(method, **params))

    def _call(self, method: str, **params: Any) -> Message:
        return self.pipe.call(method, self.session, **params)


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
        self._spare: Page | None = None
        self.name = f"{self.process.backend} {self.process.product}"

    def new_page(self, size: tuple[int, int], start_time_ms: int, seed: int) -> Page:
        """A page in a fresh context; see :class:`Page` and :meth:`Page.begin`."""
        self.prepare(size)
        page, self._spare = self._spare, None
        assert page is not None
        page.begin(start_time_ms, seed)
        self.pages.add(page)
        return page

    def prepare(self, size: tuple[int, int]) -> None:
        """Sees to it that a page of a size is being made ready for who asks next."""
        if self._spare is not None and self._spare.size != size:
            self._spare.dispose()
            self._spare = None
        if self._spare is None:
            self._spare = Page(self, size)

    def close(self) -> None:
        """Ends the process; calling it again changes nothing."""
        if not self.dead:
            self.dead = True
            self.pages.clear()
            self._spare = None
            self.process.close()


_browsers: dict[tuple[int, str], Browser] = {}


def shared_browser(backend: str = "auto") -> Browser:
    """This process's browser of a backend, started again if it has ended.

    It ends with this process.

    Raises:
        InputError: As :class:`Browser`.
    """
    key = (os.getpid(), find_chromium(backend)[0])
    browser = _browsers.get(key)
    if browser is None or browser.dead or browser.process.popen.poll() is not None:
        if browser is not None:
            browser.close()
        browser = _browsers[key] = Browser(backend)
    return browser


def release_browsers() -> None:
    """Ends this process's browsers that have no page left."""
    for key, browser in list(_browsers.items()):
        if key[0] == os.getpid() and not browser.pages:
            _browsers.pop(key).close()


@atexit.register
def _end_browsers() -> None:
    for browser in _browsers.values():
        browser.close()
