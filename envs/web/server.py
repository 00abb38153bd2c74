"""The web server on the loopback interface that sends applications' pages to browsers."""

import json
import os
import secrets
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from urllib.parse import parse_qsl

from envs.web.application import Application, Request, Response
from envs.web.html import content_policy, to_html

LARGEST_BODY = 1 << 16


class Server:
    """Serves any number of applications, each under a path that cannot be guessed.

    Attributes:
        address: ``http://127.0.0.1:port``.
    """

    def __init__(self) -> None:
        self.applications: dict[str, Application] = {}
        self.failures: dict[str, Exception] = {}
        self._locks: dict[str, Lock] = {}
        self.connections: dict[socket.socket, Event] = {}
        outer = self

        class Handler(_Handler):
            server_of_applications = outer

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"
        Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def mount(self, application: Application) -> str:
        """Serves an application; returns the address of its root, which ends in a slash."""
        token = secrets.token_urlsafe(16)
        self._locks[token] = Lock()
        self.applications[token] = application
        return f"{self.address}/{token}/"

    def unmount(self, address: str) -> None:
        """Stops serving an application.

        Raises:
            Exception: What the application raised while it answered, if it did.
        """
        token = address.rstrip("/").rpartition("/")[2]
        self.applications.pop(token, None)
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

    def close(self) -> None:
        """Stops the server and ends its connections, which browsers keep open for later."""
        self._http.shutdown()
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

    def finish(self) -> None:
        super().finish()
        self.connection.close()
        self.server_of_applications.connections.pop(self.connection, None)
        self.ended.set()

    def do_GET(self) -> None:
        self._serve(())

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST_BODY:
            self._send(413, "text/plain", b"", {})
            return
        body = self.rfile.read(length).decode()
        self._serve(tuple(parse_qsl(body, keep_blank_values=True)))

    def log_message(self, format: str, *args: object) -> None:
        """Requests are kept by recorders, not printed."""

    def _serve(self, form: tuple[tuple[str, str], ...]) -> None:
        path, _, query = self.path.partition("?")
        token, _, rest = path.lstrip("/").partition("/")
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        request = Request(self.command, rest, pairs, form)
        response = self.server_of_applications.answer(token, request)
        root = f"/{token}/"
        if response is None:
            self._send(404, "text/plain", b"not found", {})
        elif response.location is not None:
            self._send(303, "text/plain", b"", {"Location": root + response.location})
        elif response.document is not None:
            nonce = secrets.token_urlsafe(12)
            page = to_html(response.document, root, nonce).encode()
            headers = {"Content-Security-Policy": content_policy(nonce)}
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
_users: dict[int, int] = {}


def acquire_server() -> Server:
    """This process's server, started for the first who asks; give it back by releasing."""
    process = os.getpid()
    if process not in _servers:
        _servers[process] = Server()
    _users[process] = _users.get(process, 0) + 1
    return _servers[process]


def release_server() -> None:
    """Gives this process's server back; the last one stops it."""
    process = os.getpid()
    _users[process] -= 1
    if _users[process] == 0:
        _servers.pop(process).close()
