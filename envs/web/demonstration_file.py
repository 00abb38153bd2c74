"""Demonstrations in files: JSON Lines with checksums, so that cuts and changes are noticed.

A file (``.jsonl``, or ``.jsonl.xz``) holds demonstrations one after the other, each a header line,
one line a step, and an end line::

    {"gymworks": "demonstration", "format": 1, "env_id": "WoB-Login-v0", "seed": 0, ...}
    {"time": 0, "type": "load", "hash": "92d0...", "state": {"path": "", "rows": {"0": [...]}}}
    {"time": 812, "type": "mousedown", "x": 40, "y": 77, "clicks": 1, "target": 3, "hash": ...}
    {"end": 37}

``state`` holds what changed on the page since the line before: ``path``, ``title``, ``focus``,
``held``, the number of rows (``count``) and rows by ref, with the columns of
:class:`envs.web.snapshot.Row` or null; without changes it is left out. ``hash`` is
:func:`envs.web.demonstration.state_hash` of the whole page. Values equal to a step's defaults are
left out. Every line ends with ``check``, a checksum of it and of the demonstration's lines before.
"""

import hashlib
import json
import lzma
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from envs.web.actions import Action
from envs.web.demonstration import (
    NO_STATE,
    TYPES,
    Demonstration,
    Step,
    differing_rows,
    state_hash,
)
from envs.web.snapshot import Row, Snapshot, read_row
from hardware_sim.errors import InputError, choose
from hardware_sim.files import check_writable, write_atomic, writing
from hardware_sim.reading import parse_json, read_lines

FORMAT = 1
SUFFIXES = (".jsonl", ".jsonl.xz")

MOST_ROWS = 100_000
"""Most elements of a page, those counted that have gone."""

Line = dict[str, Any]

_DEFAULTS = {each.name: each.default for each in fields(Step) if each.default is not MISSING}
_PLAIN = tuple(name for name in _DEFAULTS if name != "action")
_OF_STATE = {"path": str, "title": str, "focus": int, "held": int}
_CHECK = ', "check": "'


def write_demonstrations(
    path: str | Path, demonstrations: Iterable[Demonstration], force: bool = False
) -> Path:
    """Writes a file whole or not at all.

    Args:
        path: Ends in one of :data:`SUFFIXES`.
        demonstrations: At least one.
        force: Whether an existing file may be replaced.

    Raises:
        InputError: The name has another ending, the file exists, or the folder cannot be written.
    """
    path = writable(path, force)

    def write(file: BinaryIO) -> None:
        if path.suffix == ".xz":
            with lzma.open(file, "wb") as packed:
                packed.writelines(_lines(demonstrations))
        else:
            file.writelines(_lines(demonstrations))

    return write_atomic(path, write)


class DemonstrationFile:
    """Demonstrations that are written as they come: whatever happens, the whole ones are there.

    They stand in a hidden file, plain, until they are finished or kept.

    Args:
        folder: Where they will be.

    Attributes:
        count: How many are written.

    Raises:
        InputError: The folder cannot be written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.count = 0
        self._whole = 0
        with writing(folder):
            Path(folder).mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=folder, prefix=".demonstrations.")
        self._path, self._file = Path(name), os.fdopen(descriptor, "wb")

    def add(self, demonstration: Demonstration) -> None:
        """Writes one.

        Raises:
            InputError: It cannot be written.
        """
        with writing(self._path.parent):
            self._file.writelines(_lines([demonstration]))
            self._file.flush()
        self._whole = self._file.tell()
        self.count += 1

    def finish(self, path: Path) -> None:
        """Makes them a file, packed if its name says so, and removes the hidden one.

        Raises:
            InputError: It cannot be written; the hidden one is still there.
        """

        def write(file: BinaryIO) -> None:
            with self._path.open("rb") as plain, ExitStack() as stack:
                packed = (
                    stack.enter_context(lzma.open(file, "wb")) if path.suffix == ".xz" else file
                )
                shutil.copyfileobj(plain, packed)

        write_atomic(path, write)
        self.discard()

    def keep(self, path: Path) -> None:
        """Makes a plain file of the whole ones, which takes no room that is not taken already."""
        self._close()
        os.truncate(self._path, self._whole)
        os.chmod(self._path, 0o644)
        os.replace(self._path, path)

    def discard(self) -> None:
        """Removes the hidden file."""
        self._close()
        self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        with suppress(OSError):  # what could not be written is not whole
            self._file.close()


def writable(path: str | Path, force: bool) -> Path:
    """The path, if demonstrations may be written there; raises as the writer does."""
    path = Path(path)
    if not path.name.endswith(SUFFIXES):
        raise InputError(f"{path} is no name of demonstrations; allowed: *{', *'.join(SUFFIXES)}")
    if path.exists() and not force:
        raise InputError(f"{path} exists; it is replaced only with --force")
    return check_writable(path)


def read_demonstrations(path: str | Path) -> Iterator[Demonstration]:
    """The demonstrations of a file, one after the other; the file is read as they are asked for.

    Raises:
        InputError: There is no such file, or a line is not as it was written; the message has its
            number.
    """
    yield from _Reader(Path(path)).demonstrations(read_lines(path))


def demonstration_files(paths: Iterable[str | Path]) -> list[Path]:
    """The files that paths mean: themselves, and of a folder every file of demonstrations in it.

    Raises:
        InputError: A path does not exist, or a folder has none.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(each for each in path.glob("*") if each.name.endswith(SUFFIXES))
        if path.is_dir() and not inside:
            raise InputError(f"{path} has no demonstrations; their names end in {SUFFIXES}")
        if not path.exists():
            raise InputError(f"{path} does not exist")
        found += inside if path.is_dir() else [path]
    return found


def _lines(demonstrations: Iterable[Demonstration]) -> Iterator[bytes]:
    for demonstration in demonstrations:
        check, state = "", NO_STATE
        bodies: list[Line] = [_header(demonstration)]
        for step in demonstration.steps:
            bodies.append(_step_line(step, state))
            state = step.state
        for body in (*bodies, {"end": len(demonstration.steps)}):
            text = json.dumps(body, allow_nan=False)[:-1]
            check = _checksum(check, text)
            yield f'{text}{_CHECK}{check}"}}\n'.encode()


def _checksum(before: str, text: str) -> str:
    return hashlib.sha256((before + text).encode()).hexdigest()[:16]


def _header(demonstration: Demonstration) -> Line:
    values = {each.name: getattr(demonstration, each.name) for each in fields(Demonstration)}
    del values["steps"]
    return {"gymworks": "demonstration", "format": FORMAT, **values}


def _step_line(step: Step, before: Snapshot) -> Line:
    line: Line = {"time": step.time, "type": step.type}
    line |= {name: value for name in _PLAIN if (value := getattr(step, name)) != _DEFAULTS[name]}
    if step.action is not None:
        line["action"] = list(step.action)
    changes = _changes(before, step.state)
    return line | {"hash": state_hash(step.state)} | ({"state": changes} if changes else {})


def _changes(before: Snapshot, state: Snapshot) -> Line:
    """The changes from one state to the next."""
    changes: Line = {
        name: value
        for name in _OF_STATE
        if (value := getattr(state, name)) != getattr(before, name)
    }
    if len(state.rows) != len(before.rows):
        changes["count"] = len(state.rows)
    kept = before.rows[: len(state.rows)]
    rows = {ref: state.rows[ref] for ref in differing_rows(kept, state.rows)}
    return changes | ({"rows": rows} if rows else {})


class _Reader:
    """Reads a file line by line and knows where it is."""

    def __init__(self, path: Path) -> None:
        self.path, self.number, self.check = path, 0, ""

    def demonstrations(self, file: Iterable[bytes]) -> Iterator[Demonstration]:
        lines = iter(file)
        for line in lines:
            self.check = ""
            header = self._parse(line)
            steps: list[Step] = []
            state, ended = NO_STATE, False
            for each in lines:
                body = self._parse(each)
                if "end" in body:
                    ended = body["end"] == len(steps)
                    break
                step = self._understood(_step, body, state)
                if steps and step.time < steps[-1].time:
                    self._refuse(f"time {step.time} comes after {steps[-1].time}")
                steps.append(step)
                state = step.state
            if not ended:
                self._refuse("the demonstration is cut off: its end is missing")
            yield self._understood(_demonstration, header, tuple(steps))
        if not self.number:
            raise InputError(f"{self.path} is empty")

    def _parse(self, raw: bytes) -> Line:
        self.number += 1
        text, found, check = raw.decode("utf-8", "replace").rpartition(_CHECK)
        try:
            body = parse_json(text + "}", self._refuse)
        except ValueError as error:
            self._refuse(f"it is cut off or no line of a demonstration ({error})")
        if self.check == "":
            self._head(body)
        self.check = _checksum(self.check, text)
        if not found or check != f'{self.check}"}}\n':
            self._refuse("it has been changed since it was written, or a line before is missing")
        return body  # type: ignore[no-any-return]

    def _head(self, body: Any) -> None:
        """Raises unless a demonstration begins here, in a format that this version reads."""
        if not isinstance(body, dict) or body.get("gymworks") != "demonstration":
            self._refuse("a demonstration should begin here")
        if body.get("format") != FORMAT:
            self._refuse(f"format {body.get('format')!r}; this version reads format {FORMAT}")

    def _understood(self, read: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return read(*arguments)
        except InputError as error:
            self._refuse(str(error))
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            self._refuse(f"it is no line of a demonstration ({error!r})")

    def _refuse(self, why: str) -> NoReturn:
        raise InputError(f"{self.path}, line {self.number}: {why}")


def _typed(kind: type, value: Any, name: str) -> Any:
    if type(value) is not kind:
        raise InputError(f"{name} is {value!r:.80}; allowed: {kind.__name__}")
    return value


def _demonstration(header: Line, steps: tuple[Step, ...]) -> Demonstration:
    values = {
        each.name: header[each.name] for each in fields(Demonstration) if each.name != "steps"
    }
    for name in ("env_id", "instruction", "source", "by", "date"):
        _typed(str, values[name], name)
    for name in ("options", "versions", "notes"):
        _typed(dict, values[name], name)
    width, height = values["viewport"]
    values["viewport"] = _typed(int, width, "width"), _typed(int, height, "height")
    values["fields"] = _pairs(values["fields"])
    if values["sent"] is not None:
        values["sent"] = _pairs(values["sent"])
    if values["seed"] is not None:
        _typed(int, values["seed"], "seed")
    if values["score"] is not None:
        values["score"] = float(values["score"])
    _typed(bool, values["success"], "success")
    return Demonstration(**values, steps=steps)


def _pairs(given: Any) -> tuple[tuple[str, str], ...]:
    return tuple((_typed(str, name, "a name"), _typed(str, text, "a text")) for name, text in given)


def _step(line: Line, before: Snapshot) -> Step:
    if _typed(int, line["time"], "time") < 0:
        raise InputError(f"time is {line['time']}; allowed: at least 0")
    state = _changed(before, line.get("state", {}))
    if line["hash"] != state_hash(state):
        raise InputError(f"the state's hash is {state_hash(state)}, not {line['hash']!r}")
    return checked_step(line, line["time"], state)


def checked_step(line: Line, time: int, state: Snapshot) -> Step:
    """A step from its values in JSON.

    Args:
        line: ``type``, and of the other values those that are no defaults.
        time: Page time in ms since the first step.
        state: The page before it.

    Raises:
        InputError: A value is of another type than a step's, or ``type`` is none of a step.
    """
    kind = choose("type of step", _typed(str, line.get("type"), "type"), TYPES)
    values = {
        name: _typed(type(_DEFAULTS[name]), line[name], name) for name in _PLAIN if name in line
    }
    if "action" in line:
        verb, ref, place, key = _typed(list, line["action"], "action")
        numbers = _typed(int, ref, "ref"), _typed(int, place, "field")
        values["action"] = Action(_typed(str, verb, "verb"), *numbers, _typed(str, key, "key"))
    return Step(time, kind, state, **values)


def _changed(before: Snapshot, changes: Line) -> Snapshot:
    """The state after changes; the inverse of :func:`_changes`."""
    if not changes:
        return before
    count = _typed(int, changes.get("count", len(before.rows)), "count")
    if not 0 <= count <= MOST_ROWS:
        raise InputError(f"count is {count}; allowed: 0 to {MOST_ROWS}")
    rows: list[Row | None] = [*before.rows[:count], *[None] * (count - len(before.rows))]
    for ref, cells in changes.get("rows", {}).items():
        rows[int(ref)] = read_row(cells)
    given = {
        name: _typed(kind, changes[name], name)
        for name, kind in _OF_STATE.items()
        if name in changes
    }
    return before._replace(rows=rows, changed=None, **given)
