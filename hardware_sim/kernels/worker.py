"""A child process that answers requests, and whose end in the middle of one is a value."""

import json
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import IO, Any

from hardware_sim.kernels.outcome import KernelError, Outcome, ended


class Worker:
    """A Python module run in a process of its own, for code that may crash or never end.

    The module is run as ``python -m MODULE DESCRIPTOR`` with this process's import path. It makes a
    :class:`multiprocessing.connection.Connection` of the descriptor, answers each message on it
    with one, both JSON, and ends when there are no more. The process starts with the first request
    and serves the next ones, too; after a crash or a hang the next request starts another.

    Args:
        module: Its name.
        environment: Variables of the child process besides this one's.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self._module, self._environment = module, dict(environment)
        self._child: _Child | None = None

    def ask(self, request: object, limit_s: float) -> Any:
        """The answer to a request.

        Args:
            request: What JSON can hold.
            limit_s: Longest wall time, in seconds.

        Raises:
            KernelError: ``crashed`` or ``hung``; the process is gone.
        """
        if self._child is not None and self._child.process.poll() is not None:
            self.close()  # it ended while nothing was asked, which is not this request's doing
        if self._child is None:
            self._child = _Child(self._module, self._environment)
        child, answer = self._child, None
        try:
            child.connection.send_bytes(json.dumps(request).encode())
            if child.connection.poll(limit_s):
                answer = child.connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise KernelError(ended(*child.wait())) from error
        finally:
            if answer is None:
                self.close()
        if answer is None:
            raise KernelError(Outcome("hung", f"it did not end within {limit_s} s"))
        return json.loads(answer)

    def close(self) -> None:
        """Ends the process, if there is one."""
        if self._child is not None:
            self._child.end()
        self._child = None


class _Child:
    """A process, this end of the connection to it, and what it writes on its standard error."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        path = os.pathsep.join(each or os.getcwd() for each in sys.path)
        self.connection, theirs = Pipe()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(theirs.fileno())],
                env=os.environ | {"PYTHONPATH": path} | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # an interrupt from the keyboard is for this process
            )
        self.end = weakref.finalize(self, _end, self.process, self.connection, self._output)

    def wait(self) -> tuple[int, str]:
        """Exit status of the process, which is ending by itself, and what it wrote."""
        status = self.process.wait()
        self._output.seek(0)
        return status, self._output.read().decode(errors="replace")


def _end(process: subprocess.Popen[bytes], connection: Connection, output: IO[bytes]) -> None:
    process.kill()
    process.wait()
    connection.close()
    output.close()
