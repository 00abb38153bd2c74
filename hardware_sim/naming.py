"""Objects by name: ``"module:attribute"``, as tables, files and people write it."""

import json
import os
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache, reduce
from importlib import import_module
from pathlib import Path
from typing import Any

from hardware_sim.errors import InputError

MOVED: dict[str, str] = json.loads(Path(__file__).with_name("moved.json").read_text())
"""Modules, or single ``"module:attribute"``, by the name that older files know them under."""

TRUST = "GYMWORKS_TRUST"
"""Environment variable, so that child processes inherit it: ``1`` while foreign names are trusted.
"""

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


@contextmanager
def trusting(on: bool = True) -> Iterator[None]:
    """Lets files name code of other people within the block, as ``--trust`` asks for.

    Args:
        on: ``False`` changes nothing.
    """
    before = os.environ.get(TRUST)
    if on:
        os.environ[TRUST] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(TRUST, None)
        else:
            os.environ[TRUST] = before


def permit(what: str, otherwise: str) -> None:
    """Says in one line on standard error what is about to be imported, if that is trusted.

    Args:
        what: What is named, such as ``"extractor 'mine:Net'"``.
        otherwise: Why it is refused and what is allowed, to follow ``what``.

    Raises:
        InputError: Nothing foreign is trusted.
    """
    if os.environ.get(TRUST) != "1":
        raise InputError(f"{what} {otherwise}; --trust imports what a file names")
    _say(f"gymworks: trusted, imports {what}")


@cache
def _say(line: str) -> None:
    print(line, file=sys.stderr)


def check_listed(name: str, kind: str, listed: Collection[str]) -> None:
    """Checks a name as :func:`resolve_listed` does, without importing anything.

    Raises:
        InputError: The name is not in the table and not trusted.
    """
    if not isinstance(name, str) or current(name) not in listed:
        shown = sorted(listed)[:4] + (["..."] if len(listed) > 4 else [])
        permit(f"{kind} {name!r}", f"is none of ours, {', '.join(shown)}")


def resolve_listed(name: str, kind: str, listed: Collection[str]) -> Any:
    """The object that a name of a table names; any other only where that is trusted.

    Args:
        name: ``"module:attribute"``, as :func:`resolve` takes it.
        kind: What is named, for messages.
        listed: Names of the table, the present ones.

    Raises:
        InputError: The name is not in the table and not trusted, or there is no such object.
    """
    check_listed(name, kind, listed)
    return resolve(name, kind, working_folder=current(name) not in listed)
