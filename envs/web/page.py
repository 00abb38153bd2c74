"""A page that agents act on: trusted input, exact page time, pixels when asked for."""

import base64
import io
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from envs.web.browser import Browser
from envs.web.devtools import BrowserDiedError, CommandError, Message, Work
from envs.web.inputs import Event, PointerMove, commands

FIRST_FRAMES = 10
"""Frames at most that a new page is given to show itself."""
PICTURE: dict[str, Any] = {"format": "png", "optimizeForSpeed": True}
QUIET_S = 0.003
"""Seconds that a loading page may be silent before it gets a frame, for which it may be waiting."""


@lru_cache
def _first_script() -> str:
    files = resources.files("envs.web")
    return "".join(files.joinpath(name).read_text("utf-8") for name in ("pickers.js", "first.js"))


def first_script(seed: int) -> str:
    """The script that runs before a page's own: seeds randomness, keeps to the one window."""
    return _first_script().replace("SEED", str(seed))


def new_page(
    browser: Browser, size: tuple[int, int], start_time_ms: int, seed: int, server: str
) -> "Page":
    """A page in a fresh context of a browser, begun; see :class:`Page` and :meth:`Page.begin`."""
    host = urlsplit(server).netloc
    prepare(browser, size, host)
    spare, browser.spare = browser.spare, None
    page = spare if isinstance(spare, Page) else Page(browser, size, host)
    page.begin(start_time_ms, seed)
    browser.pages.add(page)
    return page


def prepare(browser: Browser, size: tuple[int, int], host: str) -> None:
    """Sees to it that a page of a size and host is being made ready for the next to ask for one."""
    if browser.spare is not None and (browser.spare.size, browser.spare.host) != (size, host):
        browser.spare.dispose()
        browser.spare = None
    if browser.spare is None and not browser.worn:
        browser.spare = Page(browser, size, host)
        browser.opened += 1


class Page:
    """One page in a context of its own: no cookies, cache or storage shared with others.

    It reaches one server and nothing else, no other port of this machine either: its requests are
    looked at one by one, and what the browser does not show (workers, sockets) goes to a proxy,
    for which that server stands in and which serves nobody.

    It is prepared while others are in use; :meth:`begin` waits until it is ready.

    Args:
        browser: The process it lives in.
        size: Width and height of the viewport in CSS pixels.
        host: The server, ``"127.0.0.1:port"``.

    Attributes:
        blocked: Requests to others that were refused.
        draws: Whether every step draws the page, for those who ask for its pixels each time.
    """

    def __init__(self, browser: Browser, size: tuple[int, int], host: str) -> None:
        self.browser = browser
        self.size, self.host = size, host
        self.pipe = browser.process.pipe
        self.frames = browser.process.backend == "shell"
        self.blocked = 0
        self.draws = False
        self.loading = self._drawn = False
        self.context = self.session = self._frame = ""
        self._ready = self._crashed = False
        self._expired = self._stuck = self._asked = False
        self._departures = self._shown = 0
        self._last: NDArray[np.uint8] | None = None
        self.pipe.begin(self._prepare())

    def begin(self, start_time_ms: int, seed: int) -> None:
        """Starts the page's clock and seeds its randomness; its first page comes next.

        Args:
            start_time_ms: Moment at which the page's clock begins, in ms since 1970.
            seed: Seeds the page's ``Math.random``.
        """
        self.pipe.wait_until(lambda: self._ready)
        clock = {"policy": "pause", "initialVirtualTime": start_time_ms / 1000}
        numbers = [
            self._send("Page.addScriptToEvaluateOnNewDocument", source=first_script(seed)),
            self._send("Emulation.setVirtualTimePolicy", **clock),
        ]
        self._results(numbers)

    def goto(self, url: str) -> None:
        """Opens an address and waits until it has loaded.

        Raises:
            BrowserDiedError: The browser is gone or does not answer.
            CommandError: The address cannot be opened.
        """
        self.loading = True
        result = self._call("Page.navigate", url=url)
        if "errorText" in result:
            self.loading = False
            raise CommandError(f"{url} cannot be opened: {result['errorText']}")
        self._load()
        self._show()

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
        self.act(events)
        if advance_ms:
            self.advance(advance_ms)
        self._load()
        self._show()
        before = self._departures
        if self.draws:
            self._draw()
        elif self.frames:
            # As a drawn frame does, it moves the focus off what has gone.
            self._call("HeadlessExperimental.beginFrame", noDisplayUpdates=True)
        value = self.evaluate(script)
        self._drawn = self.draws and self._departures == before
        return value

    def act(self, events: Sequence[Event]) -> None:
        """Sends events; raises as ``step`` does."""
        if not events:
            return
        self._drawn = False
        prepare(self.browser, self.size, self.host)
        numbers = [
            self._send(method, **params) for event in events for method, params in commands(event)
        ]
        if self.frames and isinstance(events[-1], PointerMove):
            while not self.pipe.answered(numbers):  # a move waits for a frame, or for other events
                self._call("HeadlessExperimental.beginFrame")
        self._results(numbers)

    def _show(self) -> None:
        """Draws a page that is new, before which it may take no notice of input."""
        frames = FIRST_FRAMES if self.frames and self._shown != self._departures else 0
        self._shown = self._departures
        for _ in range(frames):
            if self._call("HeadlessExperimental.beginFrame")["hasDamage"]:
                break

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page, as ``step`` gives it."""
        settings = {"expression": script, "returnByValue": True, "awaitPromise": True}
        self._drawn = False
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
                raised = details.get("exception", {}).get("description", details["text"])
                raise CommandError(f"the page's script raised: {raised}")
            return answer["result"].get("value")

    def advance(self, milliseconds: int) -> None:
        """Lets page time pass; it stands still while requests are under way."""
        self._drawn = self._expired = False
        if not self._stuck:
            self._run_clock("pauseIfNetworkFetchesPending", milliseconds)
        if not self._expired:  # the clock waits for a page that will not come, maybe since before
            self._stuck = False
            self._run_clock("advance", milliseconds)
        self._asked = self._stuck = False

    def _run_clock(self, policy: str, milliseconds: int) -> None:
        """Runs the clock until its time is over, or nothing more can come of it."""
        number = self._send("Emulation.setVirtualTimePolicy", policy=policy, budget=milliseconds)
        while not (self._expired or self._stuck):
            self._wait_until(lambda: self._expired or self._stuck or (self.frames and self._asked))
            if not (self._expired or self._stuck or self.pipe.listen(QUIET_S)):
                self._call("HeadlessExperimental.beginFrame")  # pictures are taken in with a frame
        self._results([number])

    def pixels(self) -> NDArray[np.uint8]:
        """The viewport, uint8 ``(height, width, 3)``.

        Raises:
            BrowserDiedError: The browser is gone or does not answer.
        """
        if not self._drawn:
            self._draw()
        assert self._last is not None  # the first frame has a picture
        return self._last.copy()

    def _draw(self) -> None:
        """Takes a picture of the page, if it has changed since the last one."""
        data = self._frame_data() if self.frames else self._capture()
        if data:
            image = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
            self._last = np.asarray(image, np.uint8)

    def _capture(self) -> str:
        data: str = self._call("Page.captureScreenshot", **PICTURE)["data"]
        return data

    def _frame_data(self) -> str | None:
        """The next frame; ``None`` if nothing has changed since the last picture."""
        deadline = time.monotonic() + self.pipe.timeout_s
        while time.monotonic() < deadline:
            self._load()  # a page that is not there yet draws nothing
            frame = self._call("HeadlessExperimental.beginFrame", screenshot=PICTURE)
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
        wall = {"proxyServer": self.host, "proxyBypassList": f"<-loopback>;{self.host}"}
        made = yield send("Target.createBrowserContext", disposeOnDetach=True, **wall)
        context = self.context = made["browserContextId"]
        yield send("Browser.setDownloadBehavior", behavior="deny", browserContextId=context)
        width, height = self.size
        settings: Message = {"browserContextId": context, "url": "about:blank"}
        if self.frames:
            settings |= {"enableBeginFrameControl": True, "width": width, "height": height}
        self._frame = (yield send("Target.createTarget", **settings))["targetId"]
        attached = yield send("Target.attachToTarget", targetId=self._frame, flatten=True)
        self.session = attached["sessionId"]
        self.pipe.listeners[self.session] = self._hear
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        numbers = [
            self._send("Page.enable"),
            self._send("Inspector.enable"),
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
            if params["frameId"] == self._frame and "same" not in params["navigationType"].lower():
                self.loading = True
                self._departures += 1
        elif method == "Page.loadEventFired":
            self.loading = False
        elif method == "Page.frameStoppedLoading":
            if params["frameId"] == self._frame and self.loading:
                self._stay()
        elif method == "Page.javascriptDialogOpening":
            leaves = params["type"] == "beforeunload"
            self._send_and_forget("Page.handleJavaScriptDialog", accept=leaves)
        elif method == "Fetch.requestPaused":
            self._admit(params)
        elif method == "Inspector.targetCrashed":
            self._crashed = True

    def _stay(self) -> None:
        """Notes that the page is not left after all, for which the clock may be waiting."""
        self.loading, self._stuck = False, True

    def _admit(self, paused: Message) -> None:
        """Lets a request to the page's server pass; the page stays if it was to be left."""
        request, address = paused["requestId"], urlsplit(paused["request"]["url"])
        page = paused["resourceType"] == "Document"
        self._asked |= not page  # a frame while one page follows another may be its last
        if address.scheme == "http" and address.netloc == self.host:
            self._send_and_forget("Fetch.continueRequest", requestId=request)
        else:
            self.blocked += 1
            if page and paused["frameId"] == self._frame:
                self._stay()
            reason = "Aborted" if page else "BlockedByClient"
            self._send_and_forget("Fetch.failRequest", requestId=request, errorReason=reason)

    def _load(self) -> None:
        """Gives a page that is loading the page time that its scripts and styles need."""
        deadline = time.monotonic() + self.pipe.timeout_s
        while self.loading:
            if time.monotonic() > deadline:
                raise BrowserDiedError(f"the page has not loaded for {self.pipe.timeout_s:g} s")
            self.advance(1)

    def _send(self, method: str, **params: Any) -> int:
        return self.pipe.send(method, self.session, **params)

    def _send_and_forget(self, method: str, **params: Any) -> None:
        self.pipe.forget(self._send(method, **params))

    def _call(self, method: str, **params: Any) -> Message:
        with self.pipe.turn:  # frames, for one, must not be asked for while another is being drawn
            return self._results([self._send(method, **params)])[0]

    def _results(self, numbers: Sequence[int]) -> list[Message]:
        self._wait_until(lambda: self.pipe.answered(numbers))
        return self.pipe.wait(numbers)

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Waits as the pipe does, but not for a page that has crashed."""
        self.pipe.wait_until(lambda: self._crashed or condition())
        if self._crashed:
            raise BrowserDiedError("the page has crashed")
