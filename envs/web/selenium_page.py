"""A page that Selenium drives, for browsers which speak WebDriver alone."""

import contextlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from envs.web.chromium import FLAGS, WINDOW_FLAGS, find_chromium, sandbox_flags
from envs.web.devtools import BrowserDiedError, CommandError
from envs.web.inputs import Event, KeyDown, KeyUp, PointerDown, PointerMove, PointerUp, Text
from envs.web.keys import CONTROL, KEYBOARD, SHIFT
from envs.web.lifetime import Family, die_with_parent, keep
from hardware_sim.errors import InputError, choose

VARIABLE = "GYMWORKS_WEBDRIVER"
BROWSERS = ("chrome", "edge", "firefox")
TIMEOUT_S = 20.0

# The page's clock begins at the start of its episode, but runs on with the machine's.
CLOCK_SCRIPT = """(() => {
  const real = Date, now = () => real.now() + %d;
  window.Date = new Proxy(real, {
    construct: (target, given, self) =>
      Reflect.construct(target, given.length ? given : [now()], self),
    apply: () => new real(now()).toString(),
    get: (target, name) => name === "now" ? now : Reflect.get(target, name),
  });
})()"""


class SeleniumPage:
    """The counterpart of :class:`envs.web.page.Page` over WebDriver, with a session of its own.

    The browser is Chromium with chromedriver, unless the variable ``GYMWORKS_WEBDRIVER`` names
    another: ``chrome``, ``edge`` or ``firefox``. Input is trusted, by WebDriver's actions. What
    WebDriver cannot do in general:

    * Page time is not virtual: it passes as on the wall, so that pages with timers or animations
      are not reproducible to the millisecond. Chrome and Edge begin each episode at
      ``start_time_ms`` and seed ``Math.random``; Firefox does neither.
    * Requests to other hosts, and to other ports of this machine, are refused by the browser's
      settings and not counted.

    Args:
        size: Width and height of the viewport in CSS pixels.
        start_time_ms: Moment at which the page's clock begins, in ms since 1970.
        first_script: The script that runs before each page's own; it seeds their randomness.
        server: An address of the only server that the page reaches.
        browser: One of ``BROWSERS``; empty for the variable's, or else ``"chrome"``.

    Attributes:
        blocked: Always 0.
        name: Browser and version.

    Raises:
        InputError: Selenium, the browser or its driver is missing, or the browser has no viewport
            of this size.
    """

    def __init__(
        self,
        size: tuple[int, int],
        start_time_ms: int,
        first_script: str,
        server: str,
        browser: str = "",
    ) -> None:
        kind = choose("WebDriver browser", browser or os.environ.get(VARIABLE, "chrome"), BROWSERS)
        self.blocked = 0
        self._process: int | None = os.getpid()
        folder = tempfile.mkdtemp(prefix="gymworks-")
        try:
            self._driver, keeper = keep(
                lambda: _driver(kind, folder, urlsplit(server).netloc),
                lambda driver: driver.service.process.wait(),
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._family = Family(self._driver.service.process.pid, folder, keeper)
        try:
            found = self._driver.capabilities
            self.name = f"selenium {found['browserName']} {found['browserVersion']}"
            self._prepare(kind, size, start_time_ms, first_script)
        except BaseException:
            self.close()
            raise

    def goto(self, url: str) -> None:
        """Opens an address and waits until it has loaded; raises as ``step`` does."""
        with _errors():
            self._driver.get(url)

    def step(self, events: Sequence[Event], advance_ms: int, script: str) -> Any:
        """Sends events, lets time pass, and evaluates an expression.

        Raises:
            BrowserDiedError: The browser is gone or does not answer.
            CommandError: The script raised.
        """
        self.act(events)
        self.advance(advance_ms)
        return self.evaluate(script)

    def act(self, events: Sequence[Event]) -> None:
        """Sends events; raises as ``step`` does."""
        with _errors():
            for _, group in groupby(events, _points):
                self._perform(group)

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page; raises as ``step`` does."""
        with _errors():
            return self._driver.execute_script(f"return ({script})")

    def advance(self, milliseconds: int) -> None:
        """Waits; WebDriver has no virtual time."""
        time.sleep(milliseconds / 1000)

    def pixels(self) -> NDArray[np.uint8]:
        """The viewport, uint8 ``(height, width, 3)``.

        Raises:
            BrowserDiedError: The browser is gone or does not answer.
        """
        with _errors():
            image = Image.open(io.BytesIO(self._driver.get_screenshot_as_png()))
            return np.array(image.convert("RGB"), np.uint8)

    def close(self) -> None:
        """Ends the session, its driver and browser; calling it again changes nothing."""
        if self._process != os.getpid():
            return
        self._process = None
        with contextlib.suppress(Exception):  # whatever is wrong with it, it is ended below
            self._driver.quit()
        self._family.end()

    def _prepare(
        self, kind: str, size: tuple[int, int], start_time_ms: int, first_script: str
    ) -> None:
        """Sets what depends on the episode."""
        driver, (width, height) = self._driver, size
        driver.set_page_load_timeout(TIMEOUT_S)
        driver.set_script_timeout(TIMEOUT_S)
        if kind != "firefox":
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            script = CLOCK_SCRIPT % (start_time_ms - time.time() * 1000) + ";" + first_script
            for method, params in (
                ("Emulation.setDeviceMetricsOverride", metrics),
                ("Emulation.setFocusEmulationEnabled", {"enabled": True}),
                ("Page.addScriptToEvaluateOnNewDocument", {"source": script}),
            ):
                driver.execute_cdp_cmd(method, params)
            return
        inner = "return [outerWidth - innerWidth, outerHeight - innerHeight]"
        across, down = driver.execute_script(inner)
        driver.set_window_size(width + across, height + down)
        if driver.execute_script("return [innerWidth, innerHeight]") != [width, height]:
            raise InputError(f"{self.name} cannot have a viewport of {width} x {height}")

    def _perform(self, events: Iterable[Event]) -> None:
        """Carries out events of one device."""
        from selenium.webdriver.common.actions.action_builder import ActionBuilder

        builder: Any = ActionBuilder(self._driver, duration=0)
        for event in events:
            if isinstance(event, PointerMove):
                builder.pointer_action.move_to_location(event.x, event.y)
            elif isinstance(event, PointerDown):
                builder.pointer_action.pointer_down()
            elif isinstance(event, PointerUp):
                builder.pointer_action.pointer_up()
            else:
                for act, key in _strokes(event):
                    getattr(builder.key_action, act)(key)
        builder.perform()


def _points(event: Event) -> bool:
    return isinstance(event, PointerMove | PointerDown | PointerUp)


def _strokes(event: Text | KeyDown | KeyUp) -> Iterator[tuple[str, str]]:
    """The keyboard's acts in an event: ``"key_down"`` or ``"key_up"``, and the key."""
    from selenium.webdriver.common.keys import Keys

    if isinstance(event, Text):
        for letter in event.text:
            yield "key_down", letter
            yield "key_up", letter
        return
    key = KEYBOARD[event.key]
    given = key.modifiers | event.modifiers
    held = [name for bit, name in ((CONTROL, Keys.CONTROL), (SHIFT, Keys.SHIFT)) if given & bit]
    name = key.key.upper().replace("ARROW", "ARROW_")
    letter = key.key if len(key.key) == 1 else getattr(Keys, name)
    if isinstance(event, KeyDown):
        yield from (("key_down", modifier) for modifier in held)
        yield "key_down", letter
    else:
        yield "key_up", letter
        yield from (("key_up", modifier) for modifier in held)


def _driver(kind: str, folder: str, host: str) -> Any:
    """Starts a driver with its browser, which reaches one host only.

    Raises:
        InputError: Selenium, the browser or its driver is missing.
    """
    os.environ.update(SE_OFFLINE="true", SE_AVOID_STATS="true")
    try:
        from selenium import webdriver
        from selenium.common.exceptions import WebDriverException
    except ImportError as error:
        raise InputError("selenium is missing; pip install 'gymworks[web]'") from error
    settings: dict[str, Any] = {
        "env": {**os.environ, "TMPDIR": folder, "TZ": "UTC"},
        "popen_kw": {"start_new_session": True, "preexec_fn": die_with_parent},
    }
    makers: dict[str, Callable[[], Any]] = {
        "chrome": lambda: webdriver.Chrome(
            _chromium_options(webdriver.ChromeOptions(), find_chromium("chromium")[1], host),
            webdriver.ChromeService(shutil.which("chromedriver"), **settings),
        ),
        "edge": lambda: webdriver.Edge(
            _chromium_options(webdriver.EdgeOptions(), "", host),
            webdriver.EdgeService(**settings),
        ),
        "firefox": lambda: webdriver.Firefox(
            _firefox_options(webdriver.FirefoxOptions(), host),
            webdriver.FirefoxService(**settings),
        ),
    }
    try:
        driver = makers[kind]()
    except (WebDriverException, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"WebDriver cannot start {kind} ({reason}); install the browser and its driver "
            f"(Debian: apt-get install chromium chromium-driver) or name another in {VARIABLE}"
        ) from error
    driver.command_executor.client_config.timeout = TIMEOUT_S
    return driver


def _chromium_options(options: Any, program: str, host: str) -> Any:
    """Those of our own driver; dialogs are dismissed."""
    options.unhandled_prompt_behavior = "dismiss"
    options.binary_location = program
    wall = f"--proxy-server={host}", f"--proxy-bypass-list=<-loopback>;{host}"
    for flag in (*FLAGS, *WINDOW_FLAGS, *wall, *sandbox_flags()):
        options.add_argument(flag)
    return options


def _firefox_options(options: Any, host: str) -> Any:
    """No window, no dialogs, and for all but one server a proxy that serves nobody: that server."""
    options.unhandled_prompt_behavior = "dismiss"
    name, _, port = host.partition(":")
    options.add_argument("-headless")
    for preference, value in {
        "network.proxy.type": 1,
        "network.proxy.http": name,
        "network.proxy.http_port": int(port),
        "network.proxy.ssl": name,
        "network.proxy.ssl_port": int(port),
        "network.proxy.allow_hijacking_localhost": True,
        "network.proxy.no_proxies_on": host,
        "media.peerconnection.enabled": False,
        "browser.link.open_newwindow": 1,
    }.items():
        options.set_preference(preference, value)
    return options


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Raises CommandError for a script's failure, BrowserDiedError for the browser's end."""
    from selenium.common.exceptions import JavascriptException, WebDriverException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except JavascriptException as error:
        raise CommandError(f"the page's script raised: {error.msg}") from error
    except (WebDriverException, HTTPError, OSError) as error:
        raise BrowserDiedError(f"the browser has ended: {str(error).splitlines()[0]}") from error
