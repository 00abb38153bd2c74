"""Hostile pages and accidents: nothing leaves the machine, hangs or is left over."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import gymnasium as gym
import numpy as np
import psutil
import pytest

from envs.web import browser as driver
from envs.web.browser import release_browsers, shared_browser
from envs.web.chromium import VARIABLE, launch, sandbox_flags
from envs.web.client import open_page
from envs.web.devtools import BrowserDiedError
from envs.web.inputs import PointerDown, PointerMove, PointerUp
from envs.web.page import new_page
from hardware_sim.errors import InputError

BROWSERS = ("shell", "chromium", "selenium")
OWN = ("shell", "chromium")
"""Backends with a driver of our own, which knows of requests and can end a page's wait."""
SIZE = (300, 200)
CLICK = [PointerMove(30, 20), PointerDown(30, 20), PointerUp(30, 20)]
LINK = '<a href="%s" style="position:fixed;left:0;top:0;width:200px;height:100px" %s>go</a>'
PAGE = """<!doctype html><title>Here</title><body>%s
<script>window.clicks = 0; addEventListener("click", () => { clicks++ }, true)</script>"""
GRACE_S = 8.0


class Site:
    """Serves raw pages by path and keeps the paths that were asked for."""

    def __init__(self):
        self.pages, self.asked = {}, []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append(self.path)
                page = site.pages.get(self.path, "")
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                if self.path == "/file":
                    self.send_header("Content-Disposition", "attachment; filename=loot.txt")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.root = f"http://127.0.0.1:{self.http.server_address[1]}"
        Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def show(self, page, html):
        """Opens a page with the given body."""
        self.pages["/"] = PAGE % html
        page.goto(self.root + "/")
        page.step([], 50, "1")  # as the first look at a page does


@pytest.fixture(scope="module")
def site():
    site = Site()
    yield site
    site.http.shutdown()
    site.http.server_close()


@pytest.fixture(scope="module", params=BROWSERS)
def page(request, site):
    page = open_page(request.param, SIZE, 0, 0, site.root)
    yield page
    page.close()
    release_browsers()


@pytest.fixture(scope="module", params=OWN)
def own_page(request, site):
    page = open_page(request.param, SIZE, 0, 0, site.root)
    yield page
    page.close()
    release_browsers()


@pytest.mark.parametrize(
    "html",
    [
        LINK % ("/other", 'target="_blank"'),
        LINK % ("/other", 'target="_blank" rel="opener"'),
        LINK % ("#", "onclick=\"window.open('/other')\""),
        LINK % ("file:///etc/passwd", ""),
        LINK % ("javascript:void(document.title='Gone')", 'target="_blank"'),
        LINK % ("#", "onclick=\"location='file:///etc/passwd'\""),
        LINK % ("chrome://version", ""),
        LINK % ("view-source:http://127.0.0.1/", ""),
        LINK % ("data:text/html,gone", ""),
        LINK % ("/other", 'target="elsewhere"'),
        '<base target="_blank">' + LINK % ("/other", ""),
        LINK % ("/file", "download"),
        LINK % ("/file", ""),
    ],
)
def test_no_link_leads_off_the_site_or_opens_a_window(page, site, html):
    site.show(page, html)
    page.step(CLICK, 200, "1")
    seen = page.step([], 200, "[document.title, location.host, clicks]")
    assert seen == ["Here", site.root[7:], 1]
    assert "/other" not in site.asked


@pytest.mark.parametrize("what", ["alert('x')", "confirm('x')", "prompt('x')", "print()"])
def test_dialogs_hang_nothing(page, site, what):
    site.show(page, LINK % ("#", f'onclick="window.result = String({what})"'))
    page.step(CLICK, 100, "1")
    assert page.step([], 50, "result") in ("undefined", "false", "null")


def test_a_page_that_asks_to_stay_is_left(page, site):
    site.pages["/next"] = "<!doctype html><title>Next</title>"
    site.show(page, LINK % ("/next", "") + "<script>onbeforeunload = () => 'stay'</script>")
    page.step(CLICK, 200, "1")
    assert page.step([], 200, "document.title") == "Next"


def test_links_within_a_page_and_frames_are_not_waited_for(page, site):
    site.pages["/inner"] = "inner"
    site.show(page, LINK % ("#there", "") + '<iframe src="/inner"></iframe>')
    assert page.step(CLICK, 50, "location.hash") == "#there"
    reload = "(document.querySelector('iframe').contentWindow.location.reload(), 1)"
    page.step([], 100, reload)
    assert page.step([], 100, "document.title") == "Here"


def test_requests_to_other_hosts_are_counted(own_page, site):
    before = own_page.blocked
    site.show(own_page, LINK % ("http://example.com/", "") + '<img src="https://example.org/a">')
    own_page.step(CLICK, 200, "1")
    assert own_page.step([], 200, "[document.title, clicks]") == ["Here", 1]
    assert own_page.blocked == before + 2


def test_time_passes_after_a_page_was_refused_before_the_clock_ran(own_page, site):
    site.show(own_page, LINK % ("http://example.com/", ""))
    own_page.act(CLICK)
    own_page.pipe.wait_until(lambda: own_page.blocked and not own_page.loading)
    own_page.advance(200)
    assert own_page.step([], 200, "[document.title, clicks]") == ["Here", 1]


class Neighbour:
    """A program of somebody else on this machine, which notes who knocks at its port."""

    def __init__(self):
        self.streams = socket.create_server(("127.0.0.1", 0))
        self.port = self.streams.getsockname()[1]
        self.packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.packets.bind(("127.0.0.1", self.port))
        self.visits = []
        Thread(target=self._accept, daemon=True).start()
        Thread(target=self._receive, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                connection, _ = self.streams.accept()
                self.visits.append(connection.recv(100))
                connection.close()

    def _receive(self):
        with suppress(OSError):
            while packet := self.packets.recv(100):
                self.visits.append(packet)

    def close(self):
        for end in (self.streams, self.packets):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


CALL = """(() => {
  const b = "127.0.0.1:PORT", ours = new Blob([`fetch("http://${b}/worker").finally(close)`]);
  const frame = document.createElement("iframe"), image = new Image(), form = new FormData();
  fetch(`http://${b}/fetch`, {mode: "no-cors"}).catch(() => 0);
  navigator.sendBeacon(`http://${b}/beacon`, form);
  image.src = `http://${b}/image`;
  frame.src = `http://${b}/frame`;
  document.body.append(frame);
  new WebSocket(`ws://${b}/socket`);
  new Worker(URL.createObjectURL(ours));
  const urls = [`stun:${b}`, `turn:${b}?transport=tcp`];
  const line = new RTCPeerConnection({iceServers: [{urls, username: "a", credential: "b"}]});
  line.createDataChannel("x");
  line.createOffer().then(offer => line.setLocalDescription(offer)).then(() => { called = 1 });
  return "calling";
})()"""


def test_a_page_reaches_no_other_port_of_this_machine(page, site):
    neighbour = Neighbour()
    site.show(page, LINK % (f"http://127.0.0.1:{neighbour.port}/link", ""))
    assert page.evaluate(CALL.replace("PORT", str(neighbour.port))) == "calling"
    for _ in range(5):
        time.sleep(0.1)
        called = page.step([], 50, "globalThis.called")
    assert called == 1
    page.step(CLICK, 200, "1")
    page.step([], 200, f"(location.href = 'http://127.0.0.1:{neighbour.port}/href', 1)")
    page.step([], 200, "1")
    neighbour.close()
    assert neighbour.visits == []


def test_a_crashed_page_is_noticed_at_once(site):
    page = new_page(shared_browser("shell"), SIZE, 0, 0, site.root)
    site.show(page, "")
    family = page.browser.process.popen.pid
    page._send("Page.crash")
    start = time.monotonic()
    with pytest.raises(BrowserDiedError, match="crashed"):
        page.step(CLICK, 100, "1")
    assert time.monotonic() - start < driver.TIMEOUT_S
    other = new_page(shared_browser("shell"), SIZE, 0, 0, site.root)  # the browser itself lives on
    site.show(other, "")
    assert other.browser.process.popen.pid == family
    page.close()
    other.close()
    release_browsers()


def test_a_page_that_never_answers_is_given_up(site, monkeypatch):
    monkeypatch.setattr(driver, "TIMEOUT_S", 2.0)
    release_browsers()
    page = new_page(shared_browser("shell"), SIZE, 0, 0, site.root)
    site.show(page, LINK % ("#", 'onclick="for (;;);"'))
    with pytest.raises(BrowserDiedError, match="has not answered"):
        page.step(CLICK, 10, "1")
    other = new_page(shared_browser("shell"), SIZE, 0, 0, site.root)
    assert other.browser is not page.browser
    other.close()
    release_browsers()


@pytest.mark.parametrize("backend", OWN)
def test_no_port_is_open(backend):
    browser = shared_browser(backend)
    processes = [psutil.Process(browser.process.popen.pid)]
    processes += processes[0].children(recursive=True)
    assert len(processes) > 2
    listening = [
        connection
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == []
    release_browsers()


HOLD = """
import sys, time
from envs.web.client import open_page
page = open_page(sys.argv[1], (300, 200), 0, 0, "http://127.0.0.1:1")
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("backend", BROWSERS)
def test_a_browser_dies_with_its_process(backend):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, backend], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"ready\n"
    family = psutil.Process(holder.pid).children(recursive=True)
    assert len(family) > 2
    holder.kill()
    holder.wait()
    holder.stdout.close()
    _, alive = psutil.wait_procs(family, timeout=GRACE_S)
    assert alive == []


@pytest.mark.parametrize("backend", BROWSERS)
def test_processes_of_a_browser_that_cannot_notice_die_too_and_leave_no_folder(backend):
    with tempfile.TemporaryDirectory() as folder:  # a longer path is too long for Chromium
        variables = {**os.environ, "TMPDIR": folder}
        command = [sys.executable, "-c", HOLD, backend]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=variables) as holder:
            assert holder.stdout.readline() == b"ready\n"
            family = psutil.Process(holder.pid).children(recursive=True)
            youngest = family[-1]
            assert youngest.parent().pid != holder.pid
            assert len(os.listdir(folder)) == 1
            youngest.suspend()
            holder.kill()
        _, alive = psutil.wait_procs(family, timeout=GRACE_S)
        for process in alive:
            process.kill()
        assert alive == []
        assert os.listdir(folder) == []


@pytest.mark.parametrize("backend", OWN)
def test_a_closed_browser_leaves_no_process_even_unburied(backend):
    process = launch(backend)
    family = [psutil.Process(process.popen.pid)]
    family += family[0].children(recursive=True)
    assert len(family) > 2
    process.close()
    assert [each for each in family if each.is_running()] == []


def test_the_missing_sandbox_is_mentioned_once_a_process(monkeypatch, caplog):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    sandbox_flags.cache_clear()
    for _ in range(2):
        launch("shell").close()
    assert [each.message for each in caplog.records if "sandbox" in each.message] == [
        "Chromium runs without its sandbox, because this process is root's"
    ]
    sandbox_flags.cache_clear()


def browser_group(env):
    """The process group of an environment's browser."""
    page = env.unwrapped.session.client.page
    if env.unwrapped.backend == "selenium":
        return page._driver.service.process.pid
    return page.browser.process.popen.pid


@pytest.mark.parametrize("backend", BROWSERS)
def test_a_lost_browser_ends_the_episode_and_the_next_one_works(backend):
    others = set(psutil.Process().children(recursive=True))
    env = gym.make("envs:WoB-Login-v0", backend=backend)
    first, _ = env.reset(seed=0)
    action = int(np.flatnonzero(first["action_mask"])[0])
    os.killpg(browser_group(env), signal.SIGKILL)
    *_, terminated, truncated, info = env.step(action)
    assert truncated
    assert not terminated
    assert "browser" in info["lost"]
    again, _ = env.reset(seed=0)
    os.killpg(browser_group(env), signal.SIGKILL)  # between episodes: nobody notices
    once_more, _ = env.reset(seed=0)
    for key, array in first.items():
        assert np.array_equal(array, again[key]), key
        assert np.array_equal(array, once_more[key]), key
    family = set(psutil.Process().children(recursive=True)) - others
    assert len(family) > 2
    env.close()
    _, alive = psutil.wait_procs(family, timeout=GRACE_S)
    assert alive == []


def test_a_page_cannot_reach_another_episode_nor_a_log():
    envs = [gym.make("envs:WoB-Login-v0") for _ in range(2)]
    for env in envs:
        env.reset(seed=0)
    clients = [env.unwrapped.session.client for env in envs]
    page = clients[0].page
    server = clients[0].server.address
    fetched = "fetch(%r).then(answer => answer.status)"
    assert page.step([], 10, fetched % clients[0].root) == 200
    for path in (
        "/",
        "/log",
        "/recorders",
        f"/{'x' * 22}/",
        f"{clients[0].root[len(server) :]}../",
    ):
        assert page.step([], 10, fetched % (server + path)) == 404
    words = page.step([], 0, "Object.keys(window).join() + document.documentElement.outerHTML")
    assert clients[1].root[len(server) :] not in words
    assert "recorder" not in words.lower()
    for env in envs:
        env.close()


@contextmanager
def program(folder, script):
    """An executable that is no browser, or a strange one."""
    path = Path(folder, "chromium-headless-shell")
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    yield str(path)


ANSWER = '{"id":1,"result":{"product":"HeadlessChrome/90.0.1"}}'


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo no display >&2; exit 1", "no display"),
        ("exec sleep 60", "has not answered for 1 s"),
        ("printf 'hello\\0' >&4; exec sleep 60", "does not speak"),
        (f"printf '{ANSWER}\\0' >&4; exec sleep 60", "HeadlessChrome/90.0.1, but 1"),
    ],
)
def test_what_is_no_browser_is_named_with_the_remedy(monkeypatch, tmp_path, script, sentence):
    others = psutil.Process().children()
    with program(tmp_path, script) as path:
        monkeypatch.setenv(VARIABLE, path)
        with pytest.raises(InputError, match=sentence) as caught:
            launch("auto", 1.0)
    assert "apt-get install chromium-headless-shell" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert set(psutil.Process().children()) <= set(others)
