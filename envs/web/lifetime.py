"""Processes that end with this one, however it ends, and leave nothing behind."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from threading import Lock, Thread
from typing import TypeVar

Started = TypeVar("Started")

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 1, 36, 37
GUARD = """read _
kill -s KILL -- "-$0"
for _ in 1 2 3; do rm -rf -- "$1" && break; sleep 1; done
"""
_adopting = Lock()


class Family:
    """A process group that is ours and its folder; neither outlives this process.

    A shell waits beside it until this process ends in any way, then ends the group and removes the
    folder: the kernel would end the first of the group alone, and the others notice seconds later.

    Args:
        leader: The process whose number is the group's.
        folder: What the group writes to.
        keeper: The thread that started the first of the group, see :func:`keep`.
    """

    def __init__(self, leader: int, folder: str, keeper: Thread) -> None:
        self.leader, self.folder, self.keeper = leader, folder, keeper
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, str(leader), folder],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end(self) -> None:
        """Ends every process of the group, waits until none is left, and removes the folder."""
        self._guard.kill()
        self._guard.communicate()
        with _orphans_come_here():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.leader, signal.SIGKILL)
            self.keeper.join()
            with contextlib.suppress(ChildProcessError):
                while True:
                    os.waitpid(-self.leader, 0)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def _orphans_come_here() -> Iterator[None]:
    """Makes this process the parent of orphans below it, so that it can wait for their end."""
    prctl = ctypes.CDLL(None).prctl
    before = ctypes.c_int()
    with _adopting:
        prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before))
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        try:
            yield
        finally:
            prctl(PR_SET_CHILD_SUBREAPER, before.value)


def keep(run: Callable[[], Started], wait: Callable[[Started], object]) -> tuple[Started, Thread]:
    """Starts something from a thread that lasts as long as it does.

    The kernel would end a process with the thread that started it, not with our process.

    Args:
        run: Starts it.
        wait: Returns when it has ended.
    """
    started: Future[Started] = Future()

    def last() -> None:
        try:
            running = run()
        except BaseException as error:  # raised again where the result is awaited
            started.set_exception(error)
            return
        started.set_result(running)
        wait(running)

    keeper = Thread(target=last, name="gymworks-browser", daemon=True)
    keeper.start()
    return started.result(), keeper


def die_with_parent() -> None:
    """Has the kernel end this process with the one that started it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
