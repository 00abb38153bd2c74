"""A browser that agents drive: trusted input, exact page time, pixels when asked for."""

import base64
import io
import os
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from envs.web.chromium import find_chromium, launch
from envs.web.devtools import BrowserDiedError, CommandError, Message

TIMEOUT_S = 20.0
HOST = "127.0.0.1"


class PointerMove(NamedTuple):
    """The pointer moves to a place in the viewport, in CSS pixels."""

    x: int
    y: int


class PointerDown(NamedTuple):
    """The left button is pressed."""

    x: int
    y: int


class PointerUp(NamedTuple):
    """The left button is released."""

    x: int
    y: int


class KeyDown(NamedTuple):
    """A key goes down; one of :data:`KEY_CODES`."""

    key: str


class KeyUp(NamedTuple):
    """A key goes up."""

    key: str


class Text(NamedTuple):
    """Characters are typed, one key after the other."""

    text: str


Event = PointerMove | PointerDown | PointerUp | KeyDown | KeyUp | Text

KEY_CODES = {
    "Backspace": 8,
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Delete": 46,
}
POINTER = {PointerMove: "mouseMoved", PointerDown: "mousePressed", PointerUp: "mouseReleased"}

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

    Args:
        browser: The process it lives in.
        size: Width and height of the viewport in CSS pixels.
        start_time_ms: Moment at which the page's clock begins, in ms since 1970.
        seed: Seeds the page's ``Math.random``.

    Attributes:
        blocked: Requests to other hosts that were refused.
    """

    def __init__(
        self, browser: "Browser", size: tuple[int, int], start_time_ms: int, seed: int
    ) -> None:
        self.browser = browser
        self.pipe = browser.process.pipe
        self.frames = browser.process.backend == "shell"
        self.blocked = 0
        self.loading = False
        self._expired = False
        self._asked = False
        self._last: NDArray[np.uint8] | None = None
        call = self.pipe.call
        self.context = call("Target.createBrowserContext", disposeOnDetach=True)["browserContextId"]
        call("Browser.setDownloadBehavior", behavior="deny", browserContextId=self.context)
        settings: Message = {"browserContextId": self.context, "url": "about:blank"}
        if self.frames:
            width, height = size
            settings |= {"enableBeginFrameControl": True, "width": width, "height": height}
        target = call("Target.createTarget", **settings)["targetId"]
        self.session = call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.pipe.listeners[self.session] = self._hear
        self._prepare(size, start_time_ms, seed)
        browser.pages.add(self)

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
        while self.loading:  # scripts and styles that a page asks for need page time
            self.advance(1)

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
        numbers = [number for event in events for number in self._dispatch(event)]
        if numbers and self.frames:
            numbers.append(self._send("HeadlessExperimental.beginFrame"))
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
        if self.frames:
            result = self._call("HeadlessExperimental.beginFrame", screenshot={"format": "png"})
            data = result.get("screenshotData")
        else:
            data = self._call("Page.captureScreenshot", format="png")["data"]
        if data:
            image = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
            self._last = np.asarray(image, np.uint8)
        if self._last is None:
            raise BrowserDiedError("the browser drew nothing")
        return self._last.copy()

    def close(self) -> None:
        """Closes the page with its context; calling it again changes nothing."""
        if self in self.browser.pages:
            self.browser.pages.discard(self)
            self.pipe.listeners.pop(self.session, None)
            try:
                self.pipe.call("Target.disposeBrowserContext", browserContextId=self.context)
            except BrowserDiedError:
                self.browser.close()

    def _prepare(self, size: tuple[int, int], start_time_ms: int, seed: int) -> None:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        clock = {"policy": "pause", "initialVirtualTime": start_time_ms / 1000}
        commands: list[tuple[str, Message]] = [
            ("Page.enable", {}),
            ("Emulation.setDeviceMetricsOverride", metrics),
            ("Emulation.setTimezoneOverride", {"timezoneId": "UTC"}),
            ("Emulation.setFocusEmulationEnabled", {"enabled": True}),
            ("Page.addScriptToEvaluateOnNewDocument", {"source": FIRST_SCRIPT % seed}),
            ("Fetch.enable", {"patterns": [{"urlPattern": "*"}]}),
            ("Emulation.setVirtualTimePolicy", clock),
        ]
        self.pipe.wait([self._send(method, **params) for method, params in commands])

    def _hear(self, method: str, params: Message) -> None:
        """Takes an event of this page's session."""
        if method == "Emulation.virtualTimeBudgetExpired":
            self._expired = True
        elif method == "Page.frameStartedNavigating":
            self.loading = True
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

    def _evaluate(self, script: str) -> Any:
        settings = {"expression": script, "returnByValue": True, "awaitPromise": True}
        while True:
            self.pipe.wait_until(lambda: not self.loading)
            try:
                answer = self._call("Runtime.evaluate", **settings)
            except CommandError as error:
                if "navigated" in str(error) or "destroyed" in str(error):
                    continue  # the page changed meanwhile; evaluate in the next one
                raise
            if "exceptionDetails" in answer:
                details = answer["exceptionDetails"]
                said = details.get("exception", {}).get("description", details["text"])
                raise CommandError(f"the page's script raised: {said}")
            return answer["result"].get("value")

    def _dispatch(self, event: Event) -> list[int]:
        """Sends an input event; returns the numbers of its answers."""
        if isinstance(event, Text):
            return [number for letter in event.text for number in self._type(letter)]
        if isinstance(event, KeyDown | KeyUp):
            key = {"key": event.key, "code": event.key}
            kind = "keyUp" if isinstance(event, KeyUp) else "rawKeyDown"
            if event.key == "Enter" and kind == "rawKeyDown":
                kind = "keyDown"
                key["text"] = "\r"
            code = KEY_CODES[event.key]
            return [
                self._send("Input.dispatchKeyEvent", type=kind, windowsVirtualKeyCode=code, **key)
            ]
        moved = isinstance(event, PointerMove)
        return [
            self._send(
                "Input.dispatchMouseEvent",
                type=POINTER[type(event)],
                x=event.x,
                y=event.y,
                button="none" if moved else "left",
                clickCount=0 if moved else 1,
            )
        ]

    def _type(self, letter: str) -> list[int]:
        down = {"type": "keyDown", "text": letter, "key": letter}
        up = {"type": "keyUp", "key": letter}
        return [self._send("Input.dispatchKeyEvent", **event) for event in (down, up)]

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
        InputError: Chromium is not installed; the message says what to install.
    """

    def __init__(self, backend: str = "auto") -> None:
        self.process = launch(backend, TIMEOUT_S)
        self.pages: set[Page] = set()
        self.dead = False
        product = self.process.pipe.call("Browser.getVersion")["product"]
        self.name = f"{self.process.backend} {product}"

    def new_page(self, size: tuple[int, int], start_time_ms: int, seed: int) -> Page:
        """A page in a fresh context; see :class:`Page`."""
        return Page(self, size, start_time_ms, seed)

    def close(self) -> None:
        """Ends the process; calling it again changes nothing."""
        if not self.dead:
            self.dead = True
            self.pages.clear()
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
