"""The server of applications: nonsense is answered, and one that has stopped is replaced."""

import socket
import struct
from contextlib import contextmanager
from threading import Event

import gymnasium as gym
import pytest

from envs.web import server as module
from envs.web.application import Response
from envs.web.server import Lease, Server


class Echo:
    """Answers what was sent."""

    def respond(self, request):
        return Response(json=[request.method, request.path, *request.form])


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()
    assert not server.running


@contextmanager
def connected(server):
    address = server.address.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), 10) as connection:
        yield connection, connection.makefile("rb")


def answer(file):
    """Status, whether the connection goes on, and body of the next answer."""
    status = int(file.readline().split()[1])
    headers = dict(iter(lambda: tuple(file.readline().strip().lower().split(b": ")), (b"",)))
    body = file.read(int(headers[b"content-length"]))
    return status, headers.get(b"connection") != b"close", body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Content-Length: -1", 400),
        ("Content-Length: abc", 400),
        ("Content-Length: 1_0", 400),
        ("Content-Length: \u0663".encode().decode("latin-1"), 400),
        ("Transfer-Encoding: chunked", 400),
        ("Content-Length: 65537", 413),
        ("Content-Length: " + "9" * 5000, 413),
        ("Content-Length: 0000000000000001", 413),
    ],
)
def test_a_body_of_no_length_is_refused_at_once(server, headers, status):
    root = server.mount(Echo())
    with connected(server) as (connection, file):
        path = root.removeprefix(server.address)
        connection.sendall(f"POST {path} HTTP/1.1\r\n{headers}\r\n\r\n".encode("latin-1"))
        assert answer(file) == (status, False, b"")
        assert file.read() == b""


def test_a_body_that_is_no_text_is_refused(server):
    path = server.mount(Echo()).removeprefix(server.address)
    with connected(server) as (connection, file):
        connection.sendall(f"POST {path} HTTP/1.1\r\nContent-Length: 2\r\n\r\n".encode() + b"\xff=")
        assert answer(file) == (400, False, b"")


def test_who_leaves_before_the_answer_is_no_error(server, capfd):
    asked, left = Event(), Event()

    class Slow:
        def respond(self, request):
            asked.set()
            left.wait(10)
            return Response(file=bytes(10**7))

    path = server.mount(Slow()).removeprefix(server.address)
    with connected(server) as (connection, file):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        assert asked.wait(10)
        (ended,) = server.connections.values()
        file.close()
    left.set()
    assert ended.wait(10)
    assert capfd.readouterr().err == ""


def test_a_body_that_never_comes_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    path = server.mount(Echo()).removeprefix(server.address)
    for rest in (b"", b"a=b"):
        with connected(server) as (connection, file):
            head = f"POST {path} HTTP/1.1\r\nContent-Length: 9\r\n\r\n".encode()
            connection.sendall(head + rest)
            assert file.read() == b""


def test_the_server_serves_nobody_as_a_proxy(server):
    root = server.mount(Echo())
    with connected(server) as (connection, file):
        connection.sendall(f"GET {root} HTTP/1.1\r\n\r\n".encode())
        assert answer(file) == (403, False, b"")
    with connected(server) as (connection, file):
        connection.sendall(b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n")
        assert answer(file)[:2] == (501, False)
    with connected(server) as (connection, file):
        path = root.removeprefix(server.address)
        connection.sendall(f"GET {path}page HTTP/1.1\r\n\r\n".encode() * 2)
        assert [answer(file), answer(file)] == [(200, True, b'["GET", "page"]')] * 2


def test_a_stopped_server_is_replaced():
    first = Lease()
    first.server.close()
    second, third = Lease(), Lease()
    assert second.server is third.server is not first.server
    first.close()
    assert second.server.running
    second.close()
    assert third.server.running
    third.close()
    assert not third.server.running


def test_an_environment_goes_on_with_another_server():
    env = gym.make("envs:WoB-Login-v0", backend="shell")
    before, _ = env.reset(seed=0)
    env.unwrapped.lease.server.close()
    after, _ = env.reset(seed=0)
    assert env.unwrapped.lease.server.running
    for key, array in before.items():
        assert (array == after[key]).all(), key
    env.close()
