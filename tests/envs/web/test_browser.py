"""The driver: trusted input, exact page time, a closed network, and what happens when it dies."""

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from envs.web import browser as driver
from envs.web.application import Recorder, Request, Response
from envs.web.browser import release_browsers, shared_browser
from envs.web.chromium import VARIABLE, find_chromium
from envs.web.devtools import BrowserDiedError
from envs.web.document import Box, Document, Node
from envs.web.inputs import KeyDown, KeyUp, PointerDown, PointerMove, PointerUp
from envs.web.page import Page, new_page
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
    release_server(server)


@pytest.fixture
def page(address):
    page = new_page(shared_browser("auto"), (160, 210), START_MS, 5, address)
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
    other = new_page(shared_browser("auto"), (160, 210), START_MS, 5, address)
    other.goto(address)
    drawn = [each.step([], 0, "[Math.random(), Math.random()]") for each in (page, other)]
    assert drawn[0] == drawn[1]
    assert 0 <= drawn[0][0] < 1
    assert drawn[0][0] != drawn[0][1]
    assert page.pixels().shape == (210, 160, 3)
    assert np.array_equal(page.pixels(), other.pixels())
    other.close()


PICKERS = {
    "select": "<select><option>a<option>b</select>",
    **{kind: f"<input type={kind}>" for kind in ("color", "date", "time")},
}
OPENINGS = {
    "a click": CLICK,
    "Enter": [KeyDown("Enter"), KeyUp("Enter")],
    "space": [KeyDown(" "), KeyUp(" ")],
    "alt and an arrow": [KeyDown("ArrowDown", 1), KeyUp("ArrowDown", 1)],
}


@pytest.mark.parametrize("kind", PICKERS)
def test_pickers_that_would_stop_the_drawing_do_not_open(page, kind):
    page.step([], 0, f"document.body.innerHTML = '{PICKERS[kind]}'")
    page.step(
        [],
        0,
        """(window.picker = document.querySelector('select,input'),
        picker.style = 'position: absolute; left: 5px; top: 10px; width: 30px; height: 20px')""",
    )
    for events in OPENINGS.values():
        assert page.step(events, 100, "document.activeElement === picker")
        page.pixels()
    page.step([], 0, "addEventListener('mousedown', () => picker.showPicker())")
    page.step(CLICK, 100, "0")
    page.pixels()


def test_other_hosts_are_refused_and_counted(page):
    # The page's own policy is a wall before the driver's: it is taken out of the way here.
    page._call("Page.setBypassCSP", enabled=True)
    fetched = "fetch('http://example.com/').then(() => 'reached', () => 'refused')"
    page.goto(page.step([], 0, "location.href"))
    assert page.step([], 0, fetched) == "refused"
    assert page.blocked == 1


def test_a_resolver_that_knows_no_host_is_a_wall_of_its_own(page, monkeypatch):
    monkeypatch.setattr(
        Page,
        "_admit",
        lambda self, paused: self._send_and_forget(
            "Fetch.continueRequest", requestId=paused["requestId"]
        ),
    )
    page._call("Page.setBypassCSP", enabled=True)
    page.goto(page.step([], 0, "location.href"))
    fetched = "fetch('http://example.com/').then(() => 'reached', () => 'refused')"
    assert page.step([], 0, fetched) == "refused"


EPISODES = """
import hashlib
import gymnasium as gym
import numpy as np
env = gym.make("envs:WoB-United-v0", pixels=True)
random, digest = np.random.default_rng(0), hashlib.sha256()
for seed in range(3):  # the second and third take pages that were made ready ahead
    observation, _ = env.reset(seed=seed)
    for _ in range(6):
        digest.update(observation["pixels"].tobytes())
        digest.update(repr(env.unwrapped.snapshot).encode())
        action = random.choice(np.flatnonzero(observation["action_mask"]))
        observation, *_ = env.step(action)
env.close()
print(digest.hexdigest())
"""


def test_two_processes_see_the_same_pixels_and_rows():
    def played(hash_seed):
        variables = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", EPISODES]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=True)

    first, second = (played(hash_seed).stdout for hash_seed in "12")
    assert len(first.strip()) == 64
    assert first == second


def test_the_next_page_is_made_ready_while_one_is_in_use(page, address):
    browser = page.browser
    page.step(CLICK, 10, "localStorage.setItem('secret', 'x')")
    spare = browser.spare
    other = new_page(browser, (160, 210), START_MS + 1000, 6, address)
    assert other is spare
    other.goto(address)
    now, secret = other.step([], 0, "[Date.now(), localStorage.getItem('secret')]")
    assert now // 1000 == START_MS // 1000 + 1
    assert secret is None
    wide = new_page(browser, (300, 200), START_MS, 5, address)
    wide.goto(address)
    assert wide.step([], 0, "[innerWidth, innerHeight]") == [300, 200]
    assert wide.pixels().shape == (200, 300, 3)
    for each in (other, wide):
        each.close()
    assert page.step([], 0, "document.title") == "One"


def test_a_worn_browser_makes_way_for_another(page, address, monkeypatch):
    monkeypatch.setattr(driver, "MOST_PAGES", 3)
    old = page.browser
    pages = [new_page(shared_browser("auto"), (160, 210), START_MS, 5, address) for _ in range(4)]
    browsers = {each.browser for each in pages} - {old}
    assert [each.browser is old for each in pages] == [True, True, False, False]
    assert len(browsers) == 1
    assert page.step([], 0, "document.title") == "One"
    for each in (page, *pages):
        each.close()
    assert shared_browser("auto") in browsers
    assert old.dead
    assert old.process.popen.poll() is not None


def test_threads_take_turns(page, address):
    def clicks(start):
        own = new_page(shared_browser("auto"), (160, 210), START_MS, start, address)
        own.goto(address)
        own.step([], 0, "(window.clicks = 0, addEventListener('click', () => { clicks++ }))")
        seen = [own.step(CLICK, 10, "clicks") for _ in range(20)]
        own.close()
        return seen

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(clicks, range(4))) == [list(range(1, 21))] * 4
    assert page.step([], 0, "document.title") == "One"  # the threads have ended, not the browser


def _in_a_fork(page, address, results):
    with pytest.raises(BrowserDiedError, match="another process"):
        page.step([], 0, "1")
    page.close()
    own = new_page(shared_browser("auto"), (160, 210), START_MS, 5, address)
    own.goto(address)
    results.put(own.step([], 0, "document.title"))
    own.close()
    release_browsers()


def test_a_fork_has_a_browser_of_its_own(page, address):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_in_a_fork, args=(page, address, results))
    child.start()
    assert results.get(timeout=30) == "One"
    child.join()
    assert child.exitcode == 0
    assert page.step([], 0, "document.title") == "One"


def test_a_killed_browser_is_noticed_and_replaced(page, address):
    old = shared_browser("auto")
    os.killpg(old.process.popen.pid, signal.SIGKILL)
    with pytest.raises(BrowserDiedError, match="ended"):
        page.step(CLICK, 10, "1")
    fresh = new_page(shared_browser("auto"), (160, 210), START_MS, 5, address)
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
