"""Serves the files of a folder to a browser."""

import mimetypes
from pathlib import Path
from urllib.parse import unquote

from envs.web.application import Request, Response


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
