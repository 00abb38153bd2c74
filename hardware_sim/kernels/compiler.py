"""The system's C compiler, and a cache of what it has made.

A compiled library's name is a digest of all that it depends on: source, compiler and its version,
flags, and the processor's features. So a cache that came from another processor or compiler is
never used, and need not be cleared. A library that is not what was stored here (a torn file, or one
that somebody put there; see :mod:`hardware_sim.kernels.notes`) is rebuilt.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

from hardware_sim.files import UnwritableError, write_text
from hardware_sim.host import features
from hardware_sim.kernels import notes
from hardware_sim.kernels.outcome import KernelError, Outcome

FLAGS = ("-O2", "-std=gnu11", "-ffp-contract=fast", "-fopenmp", "-fPIC", "-shared", "-Wno-psabi")
LIMIT_S = 120.0
"""Longest compilation."""
POLL_S = 0.005
"""Seconds between looks at whether a compiler has ended."""


def compiler_path() -> str:
    """The compiler: the variable ``CC``, or ``cc``.

    Raises:
        KernelError: There is none.
    """
    name = os.environ.get("CC") or "cc"
    path = shutil.which(name)
    if path is None:
        raise KernelError(
            Outcome("no compiler", f"{name!r} is no program; install a C compiler or set CC")
        )
    return path


@cache
def _version(path: str, modified: int) -> str:
    """Path of a compiler, date of its file (``modified``, ns), first line of its ``--version``."""
    version = _run([path, "--version"], 10.0).output
    return f"{path} {modified} {version.partition(chr(10))[0]}"


def compiler_version() -> str:
    """Path, date and version of the compiler.

    Raises:
        KernelError: There is none, or it does not answer.
    """
    path = compiler_path()
    return _version(path, os.stat(path).st_mtime_ns)


def library(source: str, flags: tuple[str, ...], *, limit_s: float = LIMIT_S) -> Path:
    """A shared library of a C source, compiled unless the cache has it.

    Args:
        source: C.
        flags: Flags besides :data:`FLAGS`.
        limit_s: Longest compilation, in seconds.

    Raises:
        KernelError: ``no compiler``, ``compile failed``, ``compile timed out`` or ``no cache``.
    """
    identity = json.dumps([source, compiler_version(), FLAGS, flags, sorted(features())])
    name = f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.so"
    try:
        path = notes.folder() / name
        if not is_intact(path):
            _build(path, source, flags, limit_s)
    except (OSError, UnwritableError) as error:
        raise KernelError(
            Outcome("no cache", f"{error}; set GYMWORKS_KERNEL_CACHE to a folder of your own")
        ) from error
    return path


def seconds(path: Path) -> float:
    """Processor time that the compiler took for a library; 0 if that is not known."""
    note = notes.read_note(path.with_suffix(".json"))
    return note["seconds"] if note else 0.0


def is_intact(path: Path) -> bool:
    """True if the library is there and is what was stored here."""
    note = notes.read_note(path.with_suffix(".json"))
    if note is None or not path.is_file():
        return False
    return bool(note["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest())


def _build(path: Path, source: str, flags: tuple[str, ...], limit_s: float) -> None:
    write_text(path.with_suffix(".c"), source)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".build-") as folder:
        made = Path(folder, path.name)
        done = _run(
            [compiler_path(), *FLAGS, *flags, str(path.with_suffix(".c")), "-o", str(made), "-lm"],
            limit_s,
        )
        if done.status or not made.is_file():
            detail = done.output.strip()[-2000:] or f"status {done.status} and no library"
            raise KernelError(Outcome("compile failed", detail))
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        made.replace(path)
    note = {"sha256": digest, "compiler": compiler_version(), "seconds": done.seconds}
    notes.write_note(path.with_suffix(".json"), note)


class _Done(NamedTuple):
    """Exit status of a program, its output, and the processor time in seconds that it took."""

    status: int
    output: str
    seconds: float


def _run(command: list[str], limit_s: float) -> _Done:
    """Runs a compiler in a process group of its own, of which nothing is left after the limit."""
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise KernelError(
                Outcome("compile failed", f"{command[0]} does not run: {error}")
            ) from error
        deadline, late, ended = time.monotonic() + limit_s, False, 0
        try:
            while not ended:
                if time.monotonic() > deadline and not late:
                    os.killpg(process.pid, signal.SIGKILL)
                    late = True
                time.sleep(POLL_S)
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        if late:
            raise KernelError(
                Outcome("compile timed out", f"{command[0]} took more than {limit_s} s")
            )
        output.seek(0)
        text = output.read().decode(errors="replace")
    return _Done(process.returncode, text, usage.ru_utime + usage.ru_stime)
