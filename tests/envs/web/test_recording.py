"""The recorder's side of the server: what it serves, takes and refuses, without a browser."""

import json
import threading
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from envs.web import recording
from envs.web.application import Recorder
from envs.web.recording import Desk, Recording, web_spec
from envs.web.server import Server
from hardware_sim.errors import InputError

LOAD = {"type": "load", "time": 1000.4, "key": "navigate", "target": -1, "trusted": True}
ROW = ["button", "submit", "Go", "", 1, 2, 3, 4, False, False, False, False, False, [], ""]
STATE = {"path": "", "title": "Log in", "rows": [ROW, None], "focus": -1, "held": -1}


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def desk():
    return Desk(lambda number: Recording("WoB-Login-v0", number, {}, "me"), 2)


def report(root, step):
    data = step if isinstance(step, bytes) else json.dumps(step).encode()
    return urlopen(f"{root}~events", data).status


def policy(address):
    with urlopen(address) as answer:
        return answer.headers["Content-Security-Policy"]


def test_pages_are_as_closed_as_ever_unless_they_are_recorded(server, desk):
    plain = Recorder(desk.begin(0).instance.application)
    root = server.mount(plain)
    assert "frame-ancestors 'none'" in policy(root)
    assert b"~events" not in urlopen(root).read()
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"{root}~")
    assert plain.log[-1].path == "~"  # nothing listens beside the application
    watched = server.mount(desk, desk)
    assert "frame-ancestors 'none'" in policy(f"{watched}~")
    framed = policy(watched)
    assert "frame-ancestors 'self'" in framed
    assert "script-src 'nonce-" in framed
    assert b"~events" in urlopen(watched).read()


def test_steps_are_taken_in_order_and_never_reach_the_application(server, desk):
    root = server.mount(desk, desk)
    with pytest.raises(HTTPError, match="404"):
        urlopen(root)  # before anybody has sat down
    with urlopen(f"{root}~") as page:
        shown = page.read().decode()
    assert desk.recording.instance.instruction.replace('"', "&#34;") in shown
    assert report(root, LOAD | {"state": STATE}) == 204
    moved = {"type": "mousemove", "time": 1250.6, "x": 3, "y": 4, "target": 0, "trusted": True}
    assert report(root, moved | {"state": None}) == 204
    assert report(root, moved | {"time": 999.0, "state": STATE | {"focus": 0}}) == 204
    kept = desk.recording.demonstration()
    assert [step.time for step in kept.steps] == [0, 250, 250]  # a clock may be set back
    assert kept.steps[1].state == kept.steps[0].state
    assert (kept.steps[2].state.focus, kept.score) == (0, None)
    assert desk.recording.recorder.log == []


@pytest.mark.parametrize(
    "step",
    [
        b"\xff",
        b"[]",
        b"[" * 60_000,
        {"type": "load"},
        LOAD | {"state": {"path": ""}},
        LOAD | {"state": STATE | {"rows": [[1]]}},
        LOAD | {"state": STATE | {"focus": "x"}},
        LOAD | {"type": "wink", "state": STATE},
        LOAD | {"x": "left", "state": STATE},
        LOAD | {"time": float("nan"), "state": STATE},
        LOAD | {"time": float("inf"), "state": STATE},
        LOAD | {"time": 10**400, "state": STATE},
    ],
)
def test_nonsense_is_refused(server, desk, step):
    root = server.mount(desk, desk)
    urlopen(f"{root}~")
    with pytest.raises(HTTPError, match="400"):
        report(root, step)
    assert desk.recording.steps == []


def answer(root, desk):
    pairs = [pair for pair in desk.recording.instance.answer if pair[1]]
    urlopen(f"{root}answer", urlencode(pairs).encode())


def test_the_last_page_ends_an_episode(server, desk):
    root = server.mount(desk, desk)
    urlopen(f"{root}~")
    report(root, LOAD | {"state": STATE})
    answer(root, desk)
    assert desk.done == 0
    report(root, LOAD | {"state": STATE | {"path": "answer"}})
    assert json.load(urlopen(f"{root}~state")) == {"outcome": "Recorded. Score 1.00.", "more": True}
    finished = desk.wait()
    report(root, LOAD | {"state": STATE})  # after the end
    kept = finished.demonstration()
    assert (len(kept.steps), kept.score, kept.success, kept.by) == (2, 1, True, "me")
    assert kept.sent == tuple(pair for pair in finished.instance.answer if pair[1])
    urlopen(f"{root}~")
    assert (desk.recording.seed, desk.done) == (1, 1)


def test_a_window_closed_at_once_loses_nothing(server, desk, monkeypatch):
    monkeypatch.setattr(recording, "PATIENCE_S", 0.2)
    root = server.mount(desk, desk)
    urlopen(f"{root}~")
    report(root, LOAD | {"state": STATE})
    threading.Timer(0.3, answer, (root, desk)).start()
    assert desk.wait().demonstration().score == 1
    assert desk.done == 1


def test_ports_and_ids_are_checked(server):
    taken = int(server.address.rpartition(":")[2])
    for port in (taken, 70_000):
        with pytest.raises(InputError, match=f"port {port} of 127.0.0.1 cannot be had"):
            Server(port)
    with pytest.raises(InputError, match="has no pages of ours"):
        web_spec("DevicePlacement-BERT24-v0")
