"""Pages as text, for language models: the instruction, and one line an element."""

import json
import unicodedata
from typing import Any

import gymnasium as gym
from gymnasium.spaces import Text

from envs.web.commands import CHARSET
from envs.web.env import Observation, WebEnv
from envs.web.snapshot import Row, Snapshot
from hardware_sim.errors import InputError

MAX_LENGTH = 8192
"""Most characters of a page's text."""

ROLES = {
    "a": "link",
    "button": "button",
    "select": "combobox",
    "textarea": "textbox",
    "h1": "heading",
    "h2": "heading",
    "label": "label",
    "li": "listitem",
    "p": "paragraph",
    "span": "text",
    "td": "cell",
    "th": "columnheader",
    "input checkbox": "checkbox",
    "input password": "textbox",
    "input radio": "radio",
    "input range": "slider",
    "input submit": "button",
    "input text": "textbox",
}
"""ARIA's role of each kind of element; ``label`` and ``text`` where ARIA has none."""

VALUED = ("combobox", "slider", "textbox")
"""Roles that show what they hold."""


class AccessibilityText(
    gym.ObservationWrapper[str, Any, Observation], gym.utils.RecordConstructorArgs
):
    """Shows the pages of a web environment as text, as accessibility tools read them out.

    An observation is ``Text(1, 8192)`` of printable ASCII characters and line ends::

        Instruction: Book a one way flight from Austin to Newark on March 3, 2017.
        Page: United
        [4] textbox "From" value="Austin" focused
        [5] radio "One way" checked

    It goes well with ``actions="text"``, whose commands name elements by the same numbers, and is
    the same in the browser and in its twin. Accents are dropped; any other character that ASCII
    lacks becomes ``?``. A page that is too long loses its last lines; a line gives their number.

    Args:
        env: A :class:`WebEnv`, wrapped or not.

    Raises:
        InputError: It is another environment.
    """

    def __init__(self, env: gym.Env[Observation, Any]) -> None:
        if not isinstance(env.unwrapped, WebEnv):
            raise InputError("AccessibilityText needs a web environment")
        gym.utils.RecordConstructorArgs.__init__(self)
        gym.ObservationWrapper.__init__(self, env)
        self.web = env.unwrapped
        self.observation_space = Text(MAX_LENGTH, charset=f"{CHARSET}\n")

    def observation(self, observation: Observation) -> str:
        """The text of the present page."""
        del observation  # the page is read from where the arrays come from
        return page_text(self.web.instance.instruction, self.web.snapshot)


def page_text(instruction: str, snapshot: Snapshot, max_length: int = MAX_LENGTH) -> str:
    """A page as text; see :class:`AccessibilityText`."""
    lines = [f"Instruction: {plain(instruction)}", f"Page: {plain(snapshot.title)}"]
    lines += [_line(ref, row, snapshot) for ref, row in enumerate(snapshot.rows) if row is not None]
    text = "\n".join(lines)
    kept = len(lines)
    while len(text) > max_length and kept:
        kept -= 1
        text = "\n".join([*lines[:kept], f"... {len(lines) - kept} more lines"])
    return text[:max_length]


def plain(text: str) -> str:
    """A text in printable ASCII, without accents and line ends; ``?`` for what it lacks."""
    letters = unicodedata.normalize("NFKD", " ".join(text.split()))
    bare = (letter for letter in letters if not unicodedata.combining(letter))
    return "".join(letter if letter in CHARSET else "?" for letter in bare)


def _line(ref: int, row: Row, snapshot: Snapshot) -> str:
    """One element."""
    role = ROLES[f"input {row.type}" if row.tag == "input" else row.tag]
    parts = [f"[{ref}]", role, _quoted(row.text)]
    if role in VALUED and row.value:
        parts.append(f"value={_quoted(row.value)}")
    if row.options:
        parts.append(f"options=[{', '.join(map(_quoted, row.options))}]")
    classes = row.classes.split()
    states = {
        "checked": row.checked,
        "selected": "selected" in classes,
        "expanded": "open" in classes,
        "readonly": row.readonly,
        "disabled": row.disabled,
        "covered": row.covered,
        "draggable": row.draggable,
        "dragged": ref == snapshot.held,
        "focused": ref == snapshot.focus,
    }
    return " ".join([*parts, *(state for state, holds in states.items() if holds)])


def _quoted(text: str) -> str:
    return json.dumps(plain(text))
