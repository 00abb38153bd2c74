"""Imports the public demonstrations of MiniWoB++ tasks, which crowd workers gave.

They are those of github.com/stanfordnlp/miniwob-plusplus-demos (Liu et al., ICLR 2018), one JSON
object each, read here as one a line; the repository names no licence, so none is shipped. Pages are
foreign and pixels were not kept. A state is taken before each event (``timing`` 1 or 2) and after
the last. Coordinates are those of the recorder's page: the element that got an event is the one
marked ``recordingTarget``.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envs.web.demonstration import END, EVENTS, Demonstration, Step
from envs.web.keys import NAMED
from envs.web.snapshot import Row, Snapshot
from hardware_sim.errors import InputError
from hardware_sim.reading import parse_json, read_lines

PREFIX = "miniwob/"
"""First part of the ids of imported demonstrations; the task's name follows."""

AFTER = 3
"""``timing`` of a state that was taken after its event."""

_KEYS = {number: name for name, number in NAMED.items()}

Json = dict[str, Any]


def read_miniwob(path: str | Path) -> Iterator[Demonstration]:
    """The demonstrations of a file, one after the other.

    Args:
        path: ``<task>.jsonl`` or ``<task>.jsonl.xz``; xz files are read as a stream.

    Raises:
        InputError: There is no such file, or a line is no demonstration; the message has its
            number.
    """
    path = Path(path)
    task = path.name.partition(".jsonl")[0]
    for number, line in enumerate(read_lines(path), 1):
        try:
            given = from_miniwob(parse_json(line), task)
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            raise InputError(
                f"{path}, line {number}: no MiniWoB demonstration ({error!r})"
            ) from error
        yield given


def from_miniwob(given: Json, task: str) -> Demonstration:
    """A demonstration from its JSON.

    Args:
        given: ``utterance``, ``rawReward`` and ``states``, as in the repository.
        task: Name of the task.

    Raises:
        LookupError: A value is missing.
        AttributeError: A value has the wrong type; TypeError and ValueError where that shows later.
    """
    utterance = given["utterance"]
    known = _fields(utterance) or _fields(given.get("fields", {}))
    reward = float(given["rawReward"])
    flattener, steps, time = _Flattener(), [], 0
    for state in given["states"]:
        time = max(time, round(state["time"]))
        action = state["action"]
        if action is None or action["timing"] == AFTER:
            continue
        steps.append(_step(action, time, *flattener.flatten(state["dom"])))
    lasts = given["states"][-1:]  # some demonstrations have none
    steps += [Step(time, END, flattener.flatten(last["dom"])[0]) for last in lasts]
    noted = {key: given[key] for key in ("reward", "_round", "_file", "taskName") if key in given}
    return Demonstration(
        env_id=PREFIX + task,
        seed=None,
        options={},
        instruction=utterance if isinstance(utterance, str) else json.dumps(utterance),
        fields=known,
        viewport=(0, 0),
        source="human",
        by="",
        steps=tuple(steps),
        score=reward,
        success=reward == 1,
        notes={key.lstrip("_"): value for key, value in noted.items()},
    )


def _fields(utterance: Any) -> tuple[tuple[str, str], ...]:
    """Names and texts of an utterance that is a JSON object, else nothing."""
    if isinstance(utterance, str) and utterance.startswith("{"):
        utterance = parse_json(utterance)
    if not isinstance(utterance, dict):
        return ()
    return tuple((name, str(text)) for name, text in utterance.items())


def _step(action: Json, time: int, state: Snapshot, target: int) -> Step:
    if action["type"] not in EVENTS:
        raise ValueError(f"unknown event {action['type']!r}")
    number, character = action.get("keyCode", 0), action.get("charCode", 0)
    return Step(
        time,
        action["type"],
        state,
        round(action.get("x", 0)),
        round(action.get("y", 0)),
        clicks=1 if action["type"] in ("mousedown", "mouseup") else 0,
        key=chr(character) if character else _KEYS.get(number, ""),
        code=str(number) if number else "",
        target=target,
    )


class _Flattener:
    """Rows of one demonstration's pages; an element keeps its row as long as the demonstration.

    Elements that the recorder numbered alike, as it does text nodes, differ by their order.
    """

    def __init__(self) -> None:
        self._places: dict[tuple[Any, ...], int] = {}

    def flatten(self, dom: Json) -> tuple[Snapshot, int]:
        """The state of a page, and the row of the element that got the event, or -1."""
        rows: list[Row | None] = [None] * len(self._places)
        focus = target = -1
        seen: dict[tuple[Any, ...], int] = {}
        for node in _walk(dom):
            name = node["tag"], node["ref"]
            seen[name] = seen.get(name, 0) + 1
            place = self._places.setdefault((*name, seen[name]), len(self._places))
            if place == len(rows):
                rows.append(None)
            rows[place] = _row(node)
            focus = place if node.get("focused") and node["tag"] != "BODY" else focus
            target = place if node.get("recordingTarget") else target
        return Snapshot("", "", rows, focus, -1), target


def _walk(node: Json) -> Iterator[Json]:
    yield node
    for child in node["children"]:
        yield from _walk(child)


def _row(node: Json) -> Row:
    tag, _, kind = node["tag"].partition("_")
    value = node.get("value", "")
    left, top, width, height = (round(node[side]) for side in ("left", "top", "width", "height"))
    options = [child.get("text", "") for child in node["children"] if child["tag"] == "OPTION"]
    return Row(
        tag.lower(),
        kind,
        " ".join(str(node.get("text", "")).split()),
        "" if isinstance(value, bool) else str(value),
        left,
        top,
        width,
        height,
        checked=value is True,
        disabled=False,
        readonly=False,
        covered=False,
        draggable=False,
        options=tuple(options),
        classes=str(node.get("classes", "")),
    )
