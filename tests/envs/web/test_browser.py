"""The driver: trusted input, exact page time, a closed network, and what happens when it dies."""

import os
import signal

import numpy as np
import pytest

from envs.web import browser as driver
from envs.web.application import Recorder, Request, Response
from envs.web.browser import PointerDown, PointerMove, PointerUp, release_browsers, shared_browser
from envs.web.chromium import VARIABLE, find_chromium
from envs.web.devtools import BrowserDiedError
from envs.web.document import Box, Document, Node
from envs.web.server import acquire_server, release_server
from hardware_sim.errors import InputError

START_MS = 1_488_326_400_000
CLICK = [PointerMove(30, 20), PointerDown(30, 20), PointerUp(30, 20)]


class OneButton:
    """A page with a single button."""

    def respond(self, request: Request) -> Response:
        button = Node("button", Box(10, 10, 60, 20), id="go", text="Go")
        return Response(document=Document("One", (160, 210), [button]))


@pytest.fixture
def address():
    server = acquire_server()
    root = server.mount(Recorder(OneButton()))
    yield root
    server.unmount(root)
    release_server()


@pytest.fixture
def page(address):
    page = shared_browser("auto").new_page((160, 210), START_MS, seed=5)
    page.goto(address)
    yield page
    page.close()
    release_browsers()


def test_clicks_are_trusted(page):
    page.step([], 0, "addEventListener('click', e => { window.seen = [e.isTrusted, e.clientX] })")
    assert page.step(CLICK, 10, "window.seen") == [True, 30]


def test_page_time_is_exact(page):
    began = page.step([], 0, "(window.ticks = 0, setInterval(() => ticks++, 10), Date.now())")
    assert began >= START_MS
    for count in (1, 2, 3):
        ticks, now = page.step([], 1000, "[ticks, Date.now()]")
        assert ticks == 100 * count
        assert now - began == 1000 * count


def test_the_seed_decides_what_a_page_draws_and_shows(page, address):
    other = shared_browser("auto").new_page((160, 210), START_MS, seed=5)
    other.goto(address)
    drawn = [each.step([], 0, "[Math.random(), Math.random()]") for each in (page, other)]
    assert drawn[0] == drawn[1]
    assert 0 <= drawn[0][0] < 1
    assert drawn[0][0] != drawn[0][1]
    assert page.pixels().shape == (210, 160, 3)
    assert np.array_equal(page.pixels(), other.pixels())
    other.close()


def test_other_hosts_are_refused_and_counted(page):
    # The page's own policy is a wall before the driver's: it is taken out of the way here.
    page._call("Page.setBypassCSP", enabled=True)
    fetched = "fetch('http://example.com/').then(() => 'reached', () => 'refused')"
    page.goto(page.step([], 0, "location.href"))
    assert page.step([], 0, fetched) == "refused"
    assert page.blocked == 1


def test_a_resolver_that_knows_no_host_is_a_wall_of_its_own(page, monkeypatch):
    monkeypatch.setattr(
        driver.Page,
        "_admit",
        lambda self, request, url: self._send_and_forget(
            "Fetch.continueRequest", requestId=request
        ),
    )
    page._call("Page.setBypassCSP", enabled=True)
    page.goto(page.step([], 0, "location.href"))
    fetched = "fetch('http://example.com/').then(() => 'reached', () => 'refused')"
    assert page.step([], 0, fetched) == "refused"


def test_a_killed_browser_is_noticed_and_replaced(page, address):
    old = shared_browser("auto")
    os.killpg(old.process.popen.pid, signal.SIGKILL)
    with pytest.raises(BrowserDiedError, match="ended"):
        page.step(CLICK, 10, "1")
    fresh = shared_browser("auto").new_page((160, 210), START_MS, seed=5)
    fresh.goto(address)
    assert fresh.step([], 0, "document.title") == "One"
    assert shared_browser("auto") is not old
    fresh.close()


def test_a_missing_browser_is_named_with_its_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(InputError, match="apt-get install chromium-headless-shell"):
        find_chromium("auto")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    with pytest.raises(InputError, match="no program"):
        find_chromium("auto")


def test_the_pointer_may_move_and_do_nothing_else(page, monkeypatch):
    page.step([], 0, "(window.moves = 0, addEventListener('mousemove', () => moves++))")
    monkeypatch.setattr(page.pipe, "timeout_s", 5)
    for x in range(150):
        page.step([PointerMove(x, 20)], 10, "1")
    assert page.step([], 0, "moves") == 150
