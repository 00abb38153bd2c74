"""Files written whole or not at all."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO


def write_atomic(path: str | Path, write: Callable[[BinaryIO], object]) -> Path:
    """Writes a file through a temporary neighbour, so that a crash leaves the old one untouched.

    Args:
        path: The destination; missing parent folders are made.
        write: Called with the open binary file.

    Returns:
        The destination.

    Raises:
        OSError: The disk is full or the folder cannot be written; the old file is still there.
    """
    path = Path(path)
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


def write_text(path: str | Path, text: str) -> Path:
    """Writes UTF-8 text atomically; see :func:`write_atomic`."""
    return write_atomic(path, lambda file: file.write(text.encode()))


def write_json(path: str | Path, value: Any) -> Path:
    """Writes a value as indented JSON atomically; see :func:`write_atomic`."""
    return write_text(path, json.dumps(value, indent=1) + "\n")
