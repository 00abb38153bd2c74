"""Finds the pages of an installed ``miniwob`` package, without importing it."""

import json
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path


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
