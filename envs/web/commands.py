"""Actions as text, for language models: ``click 12``, ``type 12 "New York"``, ``press Enter``."""

import json
import re
from typing import NamedTuple

from envs.web.actions import TYPED
from envs.web.snapshot import KEYS, Client, Row, Snapshot
from hardware_sim.errors import InputError, choose

CHARSET = "".join(map(chr, range(32, 127)))
"""Characters of commands: printable ASCII."""

MAX_LENGTH = 256
"""Most characters of a command."""

EXAMPLES = {
    "click": "click 12",
    "type": 'type 12 "New York"',
    "select": 'select 5 "2 adults"',
    "drag": "drag 3 7",
    "press": "press Enter",
}
"""Every verb with an example; numbers are the refs of elements."""

USAGE = f"""\
Answer with one command:
click 12              press and release the pointer on element 12
type 12 "New York"    write a text into text box 12 over what it holds, or a number into a slider
select 5 "2 adults"   choose an option of combobox 5
drag 3 7              pick element 3 up and drop it on element 7
press Enter           press a key: {", ".join(KEYS)}
A text stands in double quotes, as a JSON string: \\" for a quote, \\u00e9 for an accent."""
"""The commands explained to a language model."""

_REF = r"(\d{1,4})"
_QUOTED = r'(".*")'
_FORMS = {
    "click": re.compile(_REF, re.ASCII),
    "type": re.compile(rf"{_REF} +{_QUOTED}", re.ASCII),
    "select": re.compile(rf"{_REF} +{_QUOTED}", re.ASCII),
    "drag": re.compile(rf"{_REF} +{_REF}", re.ASCII),
    "press": re.compile(r"(\S+)", re.ASCII),
}
_NUMBER = re.compile(r"-?\d{1,9}", re.ASCII)


class Command(NamedTuple):
    """A parsed command.

    Attributes:
        verb: A key of ``EXAMPLES``.
        ref: The element, or -1 for keys.
        target: The element it is dropped on, or -1.
        text: What is typed, the option that is chosen, or the key.
    """

    verb: str
    ref: int = -1
    target: int = -1
    text: str = ""


def parse(text: str) -> Command:
    """The command that a text gives; blanks around it are ignored.

    Raises:
        InputError: It is none; the message shows an example.
    """
    verb, _, rest = text.strip(" ").partition(" ")
    if verb not in EXAMPLES:
        shown = "; ".join(EXAMPLES.values())
        raise InputError(f"{verb!r} is no command; commands look like: {shown}")
    found = _FORMS[verb].fullmatch(rest.strip(" "))
    if found is None:
        raise InputError(f"{text!r} is no command; {verb} looks like: {EXAMPLES[verb]}")
    if verb == "click":
        return Command(verb, int(found[1]))
    if verb == "drag":
        return Command(verb, int(found[1]), int(found[2]))
    if verb == "press":
        return Command(verb, text=choose("key", found[1], KEYS))
    return Command(verb, int(found[1]), text=_unquoted(found[2]))


def to_text(command: Command) -> str:
    """A command as text, printable ASCII; the inverse of :func:`parse`."""
    if command.verb == "press":
        return f"press {command.text}"
    if command.verb == "drag":
        return f"drag {command.ref} {command.target}"
    quoted = "" if command.verb == "click" else f" {json.dumps(command.text)}"
    return f"{command.verb} {command.ref}{quoted}"


def check(command: Command, snapshot: Snapshot) -> None:
    """Finds out whether a command can be carried out.

    Raises:
        InputError: It cannot; the message gives the reason.
    """
    if command.verb == "press":
        return
    row = _reachable(command.ref, snapshot)
    if row.disabled:
        raise InputError(f"element {command.ref} is disabled")
    if command.verb == "drag":
        if not row.draggable:
            raise InputError(f"element {command.ref} cannot be dragged")
        _reachable(command.target, snapshot)
    elif command.verb == "select":
        if row.tag != "select":
            raise InputError(f"element {command.ref} has no options; use click or type")
        choose(f"option of element {command.ref}", command.text, row.options)
    elif command.verb == "type":
        _check_typing(command, row)


def perform(client: Client, command: Command) -> Snapshot:
    """Carries out a command that :func:`check` lets pass.

    If picking an element up takes its target away, it is dropped where it was.
    """
    if command.verb == "click":
        return client.click(command.ref)
    if command.verb == "press":
        return client.press(command.text)
    if command.verb != "drag":
        return client.type(command.ref, command.text)
    row = _row(command.target, client.grab(command.ref))
    gone = row is None or row.covered
    return client.drop(command.ref if gone else command.target)


def _unquoted(quoted: str) -> str:
    try:
        text: str = json.loads(quoted)
    except ValueError as error:
        raise InputError(f"{quoted} is no JSON string: {error}") from error
    return text


def _row(ref: int, snapshot: Snapshot) -> Row | None:
    return snapshot.rows[ref] if ref < len(snapshot.rows) else None


def _reachable(ref: int, snapshot: Snapshot) -> Row:
    """The row of an element that can be acted on."""
    row = _row(ref, snapshot)
    if row is None:
        raise InputError(f"there is no element {ref} on the page")
    if row.covered:
        raise InputError(f"element {ref} is covered by another")
    return row


def _check_typing(command: Command, row: Row) -> None:
    """Raises unless an element takes a text."""
    if row.tag != "textarea" and row.type not in TYPED:
        raise InputError(f"element {command.ref} is no text box; use click or select")
    if row.readonly:
        raise InputError(f"element {command.ref} takes no typing; use click")
    if row.type == "range" and not _NUMBER.fullmatch(command.text):
        raise InputError(f"element {command.ref} takes a whole number, not {command.text!r}")
    if not command.text.isprintable():
        raise InputError(f"{command.text!r} has characters that no key types")
