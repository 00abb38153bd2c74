"""Objects by name: ``"module:attribute"``, as tables, files and people write it."""

import json
import re
import sys
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

from hardware_sim.errors import InputError

MOVED: dict[str, str] = json.loads(Path(__file__).with_name("moved.json").read_text())
"""Modules, or single ``"module:attribute"``, by the name that older files know them under."""

FORM = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def resolve(name: str, kind: str = "name", working_folder: bool = False) -> Any:
    """The object that ``"module:attribute"`` names; old names find what has moved.

    Args:
        name: The module's full name, a colon, and the attribute, which may have dots.
        kind: What is named, for the message (``"agent"``).
        working_folder: Modules of the working folder are found too, as for what a person types.

    Raises:
        InputError: The name has another form, its module cannot be imported, or has no such
            attribute.
    """
    if not FORM.fullmatch(name):
        raise InputError(f"{kind} {name!r} is not of the form module:attribute")
    module, _, attribute = current(name).partition(":")
    if working_folder and "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        holder = import_module(module)
    except ImportError as error:
        raise InputError(f"{kind} {name!r} cannot be found: {error}") from error
    try:
        return reduce(getattr, attribute.split("."), holder)
    except AttributeError as error:
        raise InputError(f"{kind} {name!r} cannot be found: {error}") from error


def current(name: str) -> str:
    """The present name of ``"module:attribute"``: itself, unless :data:`MOVED` has another."""
    module, _, attribute = name.partition(":")
    return MOVED.get(name) or f"{MOVED.get(module, module)}:{attribute}"
