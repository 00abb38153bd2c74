"""Command lines: bad input and bad disks are one sentence, and SIGTERM ends as Ctrl-C does."""

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from hardware_sim.errors import InputError
from hardware_sim.files import FULL

PLACES = (*FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EIO)
"""The system's reasons that lie in a person's disk, not in a fault of ours."""


def run(command: Callable[..., object] | typer.Typer, name: str | None = None) -> None:
    """Runs a command line and ends the process if it fails.

    Bad input or a bad disk prints one line on standard error and exits with status 2; a fault of
    ours keeps its traceback. A process that is asked to end (SIGTERM) gets a ``KeyboardInterrupt``.

    Args:
        command: A function with annotated parameters, or an app of several.
        name: Its name in its help; that of the module by default.
    """
    app = command
    if not isinstance(app, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command()(command)
    try:
        with own_sigterm():
            _interrupt_on_sigterm()
            try:
                app(prog_name=name)
            finally:
                sys.stdout.flush()
    except InputError as error:
        refuse(str(error))
    except OSError as error:
        if error.errno not in PLACES:
            raise
        # What standard output still holds would be written, and fail, once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        refuse(f"{error.filename or 'standard output'} cannot be used: {error.strerror}")


def refuse(why: str) -> None:
    """Ends with one line on standard error and status 2."""
    from rich.console import Console  # seldom needed

    Console(stderr=True, highlight=False, soft_wrap=True).print(f"gymworks: {why}", markup=False)
    sys.exit(2)


def _interrupt_on_sigterm() -> None:
    """Makes SIGTERM raise a ``KeyboardInterrupt``, once: what follows it may save in peace."""
    owner = os.getpid()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a fork of this process, which has nothing to save
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        # A function, for children would inherit that a signal is ignored.
        signal.signal(number, lambda *_: None)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


@contextmanager
def own_sigterm() -> Iterator[None]:
    """Puts what SIGTERM does back as it was, whatever sets that meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
