"""The origin of a result: versions, commit and date."""

import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

LIBRARIES = ("gymworks", "gymnasium", "numpy", "torch", "stable-baselines3", "sb3-contrib", "ray")


def _git_hash() -> str | None:
    """The commit this code was run from, with ``+changes`` if edited; ``None`` if installed."""
    folder = Path(__file__).resolve().parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def provenance() -> dict[str, Any]:
    """The origin of a result: ``{"versions": {library: version}, "git": ..., "date": ...}``.

    ``git`` is the commit hash or ``None``; ``date`` is UTC in ISO 8601.
    """
    versions = {"python": python_version()}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return {
        "versions": versions,
        "git": _git_hash(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
