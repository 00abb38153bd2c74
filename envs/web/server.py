"""The web server on the loopback interface that sends applications' pages to browsers."""

import json
import os
import secrets
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import NamedTuple, Protocol
from urllib.parse import parse_qsl

from envs.web.application import Application, Request, Response
from envs.web.html import content_policy, to_html
from hardware_sim.errors import InputError

LARGEST_BODY = 1 << 16

PATIENCE_S = 10.0
"""Seconds that a body may be silent before its connection is closed."""

ASIDE = "~"
"""First character of the paths that belong to an observer and not to the application."""


class Answer(NamedTuple):
    """An observer's answer; ``policy`` is its Content-Security-Policy."""

    status: int = 204
    kind: str = "text/plain"
    body: bytes = b""
    policy: str = "default-src 'none'"


class Observer(Protocol):
    """Looks at an application from beside it; requests to it never reach the application.

    Attributes:
        script: Runs on every page of the application, after the page's own.
    """

    script: str

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answers a request under ``ASIDE``; called while no other request is answered.

        Raises:
            InputError: The request is nonsense; it is answered with status 400.
        """


class Server:
    """Serves any number of applications, each under a path that cannot be guessed.

    Attributes:
        address: ``http://127.0.0.1:port``.
        users: How many have acquired it and not released it.

    Args:
        port: Port to listen on; 0 takes a free one.

    Raises:
        InputError: The port cannot be had.
    """

    def __init__(self, port: int = 0) -> None:
        self.users = 0
        self.applications: dict[str, Application] = {}
        self.observers: dict[str, Observer] = {}
        self.failures: dict[str, Exception] = {}
        self._locks: dict[str, Lock] = {}
        self.connections: dict[socket.socket, Event] = {}
        outer = self

        class Handler(_Handler):
            server_of_applications = outer

        try:
            self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except (OSError, OverflowError) as error:
            raise InputError(f"port {port} of 127.0.0.1 cannot be had: {error}") from error
        self._http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def mount(self, application: Application, observer: Observer | None = None) -> str:
        """Serves an application; returns the address of its root, which ends in a slash."""
        token = secrets.token_urlsafe(16)
        self._locks[token] = Lock()
        self.applications[token] = application
        if observer is not None:
            self.observers[token] = observer
        return f"{self.address}/{token}/"

    def unmount(self, address: str) -> None:
        """Stops serving an application.

        Raises:
            Exception: What the application raised while it answered, if it did.
        """
        token = address.rstrip("/").rpartition("/")[2]
        self.applications.pop(token, None)
        self.observers.pop(token, None)
        self._locks.pop(token, None)
        self.check(address)

    def check(self, address: str) -> None:
        """Raises what the application raised while it answered a request."""
        failure = self.failures.pop(address.rstrip("/").rpartition("/")[2], None)
        if failure is not None:
            raise failure

    def answer(self, token: str, request: Request) -> Response | None:
        """The application's response, or ``None`` if there is no such application."""
        application, lock = self.applications.get(token), self._locks.get(token)
        if application is None or lock is None:
            return None
        with lock:
            try:
                return application.respond(request)
            except Exception as error:  # raised again where the environment waits
                self.failures[token] = error
                return Response(json={"error": type(error).__name__}, status=500)

    def answer_aside(self, token: str, method: str, path: str, body: bytes) -> Answer:
        """The answer of an application's observer."""
        observer, lock = self.observers.get(token), self._locks.get(token)
        if observer is None or lock is None:
            return Answer(404)
        with lock:
            try:
                return observer.answer(method, path, body)
            except InputError as error:
                return Answer(400, body=str(error).encode())

    @property
    def running(self) -> bool:
        """True until it stops, for whatever reason."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stops the server and ends its connections, which browsers keep open for later."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        for connection, ended in list(self.connections.items()):
            with suppress(OSError):  # the browser was quicker
                connection.shutdown(socket.SHUT_RDWR)
            ended.wait(1)


class _Handler(BaseHTTPRequestHandler):
    """Translates between HTTP and applications."""

    server_of_applications: Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ended = Event()
        self.server_of_applications.connections[self.connection] = self.ended

    def handle(self) -> None:
        with suppress(ConnectionError):  # browsers leave when they please
            super().handle()

    def finish(self) -> None:
        super().finish()
        self.connection.close()
        self.server_of_applications.connections.pop(self.connection, None)
        self.ended.set()

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self._refuse(400)
        elif len(length) > 9 or int(length) > LARGEST_BODY:
            self._refuse(413)
        else:
            self.connection.settimeout(PATIENCE_S)
            body = self.rfile.read(int(length))
            self.connection.settimeout(None)
            if len(body) == int(length):
                self._serve(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are kept by recorders, not printed."""

    def _refuse(self, status: int) -> None:
        """Answers a request whose rest is not worth reading, and ends the connection."""
        self.close_connection = True
        self._send(status, "text/plain", b"", {"Connection": "close"})

    def _serve(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        if not path.startswith("/"):  # meant for others: to them this server is no way
            self._refuse(403)
            return
        token, _, rest = path.lstrip("/").partition("/")
        if rest.startswith(ASIDE) and token in self.server_of_applications.observers:
            aside = self.server_of_applications.answer_aside(token, self.command, rest[1:], body)
            policy = {"Content-Security-Policy": aside.policy}
            self._send(aside.status, aside.kind, aside.body, policy)
            return
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        try:
            form = tuple(parse_qsl(body.decode(), keep_blank_values=True))
        except UnicodeDecodeError:
            self._refuse(400)
            return
        request = Request(self.command, rest, pairs, form)
        self._reply(token, self.server_of_applications.answer(token, request))

    def _reply(self, token: str, response: Response | None) -> None:
        """Sends what an application answered."""
        root = f"/{token}/"
        if response is None:
            self._send(404, "text/plain", b"not found", {})
        elif response.location is not None:
            self._send(303, "text/plain", b"", {"Location": root + response.location})
        elif response.document is not None:
            nonce = secrets.token_urlsafe(12)
            observer = self.server_of_applications.observers.get(token)
            script = "" if observer is None else observer.script
            page = to_html(response.document, root, nonce, script).encode()
            policy = content_policy(nonce, framed=observer is not None)
            headers = {"Content-Security-Policy": policy}
            self._send(response.status, "text/html; charset=utf-8", page, headers)
        elif response.file is not None:
            self._send(response.status, response.kind, response.file, {})
        else:
            self._send(response.status, "application/json", json.dumps(response.json).encode(), {})

    def _send(self, status: int, kind: str, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


_servers: dict[int, Server] = {}


def acquire_server() -> Server:
    """This process's server; give it back by releasing.

    It is started for the first who asks, and anew where it has stopped.
    """
    server = _servers.get(os.getpid())
    if server is None or not server.running:
        server = _servers[os.getpid()] = Server()
    server.users += 1
    return server


def release_server(server: Server) -> None:
    """Gives a server of this process back; the last one stops it."""
    server.users -= 1
    if server.users == 0:
        if _servers.get(os.getpid()) is server:
            del _servers[os.getpid()]
        server.close()


class Lease:
    """Keeps this process's server running until it is closed.

    In a process that was forked off, closing it changes nothing.

    Attributes:
        server: The server.
    """

    def __init__(self) -> None:
        self.server = acquire_server()
        self._process: int | None = os.getpid()

    def close(self) -> None:
        """Gives the server back; calling it again changes nothing."""
        if self._process == os.getpid():
            self._process = None
            release_server(self.server)
