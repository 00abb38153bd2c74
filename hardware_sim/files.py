"""Files written whole or not at all, and whether they can be, asked before the work begins."""

import errno
import fcntl
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from hardware_sim.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The system's reasons for which there is no room."""

TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}")
"""Names that :func:`write_atomic` gives to files while they are written."""


class UnwritableError(InputError):
    """Raised where something cannot be written, in one sentence.

    Args:
        path: The place.
        cause: What the system says.

    Attributes:
        full: There is no room; otherwise the place itself does not allow it.
    """

    def __init__(self, path: str | Path, cause: OSError) -> None:
        self.full = cause.errno in FULL
        super().__init__(f"{path} cannot be written: {cause.strerror or cause}")


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turns a failure to write to a path into an :class:`UnwritableError` that names it."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(path, error) from error


def check_writable(path: str | Path) -> Path:
    """Finds out whether a file can be written, before work is done for it; leaves nothing behind.

    Args:
        path: A file, which may exist, as may any of its folders.

    Returns:
        The path.

    Raises:
        UnwritableError: It is a folder, or its folder cannot be made or written to, or is full.
    """
    path = Path(path)
    with writing(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if is_device(path):
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return path
        _try(path.parent)
    return path


def check_folder(path: str | Path) -> Path:
    """Finds out whether files can be written to a folder, which may exist; leaves nothing behind.

    Returns:
        The path.

    Raises:
        UnwritableError: It cannot be made or written to, or is full.
    """
    path = Path(path)
    with writing(path):
        _try(path)
    return path


def _try(folder: Path) -> None:
    """Writes a byte to a file without a name in a folder, or where it would be made."""
    while not folder.exists():
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"0")


def is_device(path: Path) -> bool:
    """True of what is written to and never replaced, such as a pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def write_atomic(path: str | Path, write: Callable[[BinaryIO], object]) -> Path:
    """Writes a file through a temporary neighbour, so that a crash leaves the old one untouched.

    Args:
        path: The destination; missing parent folders are made, a device or pipe is written to.
        write: Called with the open binary file.

    Returns:
        The destination.

    Raises:
        UnwritableError: The disk is full or the folder cannot be written; the old file is still
            there.
    """
    path = Path(path)
    with writing(path):
        if is_device(path):
            with path.open("wb") as file:
                write(file)
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    return path


@contextmanager
def held(path: str | Path, busy: str) -> Iterator[None]:
    """Locks a file meanwhile, which is made; the lock ends with the process, however that ends.

    Args:
        path: The file; what it holds does not matter.
        busy: The sentence for a lock that another process has.

    Raises:
        InputError: Another process has the lock, or the file cannot be made.
    """
    with ExitStack() as stack:
        with writing(path):
            file = stack.enter_context(Path(path).open("a"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(busy) from None
        yield


def unfinished(folder: str | Path) -> list[Path]:
    """The temporary files that killed processes left in a folder; none of a folder within it."""
    if not Path(folder).is_dir():
        return []
    return sorted(path for path in Path(folder).iterdir() if TEMPORARY.fullmatch(path.name))


def write_text(path: str | Path, text: str) -> Path:
    """Writes UTF-8 text atomically; see :func:`write_atomic`."""
    return write_atomic(path, lambda file: file.write(text.encode()))


def write_json(path: str | Path, value: Any) -> Path:
    """Writes a value as indented JSON atomically; see :func:`write_atomic`."""
    return write_text(path, json.dumps(value, indent=1) + "\n")
