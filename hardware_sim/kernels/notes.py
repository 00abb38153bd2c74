"""The folder of compiled libraries, and signed notes of what is in it.

Libraries are code that is loaded into this process. So the folder is one that nobody else can look
into or write to, and what has been stored is believed only with a note that bears a signature: by a
key that was drawn for the folder and is kept in it. Files that came from elsewhere have none.
"""

import hashlib
import hmac
import json
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hardware_sim.errors import InputError
from hardware_sim.files import write_json
from hardware_sim.reading import read_bytes, read_json

KEY = ".key"
KEY_BYTES = 32
MARK = "signature"


def folder() -> Path:
    """The folder of libraries: ``GYMWORKS_KERNEL_CACHE``, or a folder in the user's cache.

    It is made if it is not there.

    Raises:
        OSError: It cannot be made, is somebody else's, or others have rights to it.
    """
    chosen = os.environ.get("GYMWORKS_KERNEL_CACHE")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = Path(chosen) if chosen else user / "gymworks" / "kernels"
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to another user, who could put code there")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"others have rights to {path}; take them away: chmod 700 {path}")
    return path


def write_note(path: Path, content: dict[str, Any]) -> None:
    """Writes a signed note, whole or not at all.

    Raises:
        OSError: The folder cannot be written.
    """
    write_json(path, {**content, MARK: _signature(path, content)})


def read_note(path: Path) -> dict[str, Any] | None:
    """The content of a note; ``None`` if there is none that was written by :func:`write_note`."""
    try:
        content = read_json(path)
        signature = content.pop(MARK)
        signed = hmac.compare_digest(signature, _signature(path, content))
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return None
    return content if signed else None


def _signature(path: Path, content: dict[str, Any]) -> str:
    """Depends on the folder's key, the note's name and its content."""
    text = json.dumps([path.name, content], sort_keys=True)
    return hmac.new(_key(path.parent), text.encode(), hashlib.sha256).hexdigest()


def _key(place: Path) -> bytes:
    """The key of a folder, drawn when it is first needed."""
    path = place / KEY
    if not path.exists():
        descriptor, drawn = tempfile.mkstemp(dir=place, prefix=f"{KEY}.")  # readable by us alone
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        with suppress(FileExistsError):  # another process was quicker
            os.link(drawn, path)
        os.unlink(drawn)
    return read_bytes(path, KEY_BYTES)
