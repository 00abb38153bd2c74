"""Folders of browsers: removed when their browser ends, or at the next start of one.

A process that is killed leaves its folders behind. Each has a lock, which the kernel frees with the
process that holds it; whoever starts a browser removes the folders whose locks are free.
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = "gymworks-web-"
LOCK = "owner.lock"


class Profile:
    """A new temporary folder, which lasts as long as this process or until it is removed.

    Attributes:
        folder: Its path.
    """

    def __init__(self) -> None:
        remove_left()
        self.folder = tempfile.mkdtemp(prefix=PREFIX)
        path = Path(self.folder, LOCK)
        self._lock = os.open(path.with_suffix(".new"), os.O_CREAT | os.O_RDWR | os.O_EXCL, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        path.with_suffix(".new").rename(path)  # there is never a lock to see that nobody holds

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


def remove_left() -> None:
    """Removes this user's folders whose processes have ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # it has just gone, or belongs to somebody else
            if folder.lstat().st_uid == os.geteuid() and not folder.is_symlink():
                _remove_unless_held(folder)


def _remove_unless_held(folder: Path) -> None:
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
