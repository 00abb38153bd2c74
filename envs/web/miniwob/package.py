"""Finds the pages of an installed ``miniwob`` package and serves them, without importing it."""

import json
import mimetypes
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

from envs.web.application import Request, Response


@cache
def html_folder() -> Path | None:
    """The package's folder of pages, or ``None`` where it is not installed."""
    found = find_spec("miniwob")
    places = found.submodule_search_locations if found else None
    folder = Path(places[0], "html") if places else None
    return folder if folder and folder.is_dir() else None


@cache
def reloaded() -> frozenset[str]:
    """Tasks whose pages keep something of an episode, so that the next needs a fresh page.

    ``reloaded.json`` lists them; ``python -m experiments.web.miniwob_check --restart`` finds them.
    """
    listed = json.loads(files("envs.web.miniwob").joinpath("reloaded.json").read_text())
    return frozenset(listed["tasks"])


@cache
def tasks() -> tuple[str, ...]:
    """Names of the tasks, such as ``"click-button"``, sorted; none where it is not installed."""
    folder = html_folder()
    return tuple(sorted(page.stem for page in folder.glob("miniwob/*.html"))) if folder else ()


class Folder:
    """An application that serves the files below a folder and nothing else.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def respond(self, request: Request) -> Response:
        """Sends a file; 404 for what is no file or lies outside, 405 for anything but GET."""
        if request.method != "GET":
            return Response(file=b"only GET is allowed", kind="text/plain", status=405)
        try:
            path = (self.folder / unquote(request.path)).resolve()
            inside = path.is_relative_to(self.folder) and path.is_file()
        except (OSError, ValueError):  # a name that no file can have
            inside = False
        if not inside:
            return Response(file=b"not found", kind="text/plain", status=404)
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        return Response(file=path.read_bytes(), kind=kind)
