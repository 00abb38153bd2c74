"""The expert on web tasks: knows the human's answer and carries it out on the page."""

from typing import Any

import gymnasium as gym
import numpy as np

from agents.kinds import Oracle
from agents.view import View
from agents.web.translation import to_command, to_events
from envs.web import commands, events
from envs.web.actions import ACTIONS, Action, encode
from envs.web.application import Request
from envs.web.dates import MONTHS, read_date
from envs.web.document import Node
from envs.web.session import Sight
from envs.web.sites.reward import agreement
from envs.web.snapshot import Row
from hardware_sim.errors import InputError

Steps = Action | None


class AtALossError(InputError):
    """No act of the expert's brings a page nearer to the answer."""


class Expert(Oracle):
    """Fills in what the answer determines, in the order of the page, and sends it.

    It looks at the page again before every act, so that it goes on from any state. Its acts are the
    same in every interface, translated into the environment's actions; with raw events an act may
    take several frames.

    Args:
        view: Of a web environment.

    Raises:
        InputError: The environment's actions are not those of web environments.
    """

    follows = True

    def __init__(self, view: View) -> None:
        space = view.action_space
        self.events = space.nvec.size // 5 if isinstance(space, gym.spaces.MultiDiscrete) else 0
        self.texts = isinstance(space, gym.spaces.Text)
        if not (self.texts or self.events or getattr(space, "n", None) == ACTIONS):
            raise InputError("the web expert needs a web environment")
        self.waiting: list[events.InputEvent] = []

    def reset(self, seed: int) -> None:
        """Forgets what is left of an act; the expert draws nothing."""
        self.waiting = []

    def know(self, answer: Sight) -> None:
        """Receives the page as it is now, and the human's answer."""
        self.sight = answer

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """The next action."""
        if self.events:
            if not self.waiting:
                self.waiting = to_events(_Plan(self.sight).action(), self.sight)
            frame, self.waiting = self.waiting[: self.events], self.waiting[self.events :]
            return events.encode(frame, self.events)
        if self.texts:
            return commands.to_text(_command(self.sight))
        return np.int64(expert_action(self.sight))


def expert_action(sight: Sight) -> int:
    """The number of the act that brings a page nearer to its answer.

    Raises:
        AtALossError: There is none.
    """
    return encode(_Plan(sight).action())


def _command(sight: Sight) -> commands.Command:
    """The expert's next act as a command; picking up and dropping are one."""
    action, target = _Plan(sight).action(), -1
    if action.verb == "grab":
        held = sight.snapshot._replace(held=action.ref)
        target = _Plan(sight._replace(snapshot=held)).action().ref
    return to_command(action, sight, target)


class _Plan:
    """One look at a page."""

    def __init__(self, sight: Sight) -> None:
        self.document = document = sight.document
        self.application = sight.application
        self.snapshot = sight.snapshot
        self.rows = sight.snapshot.rows
        self.texts = sight.texts
        self.refs = {index: ref for ref, index in enumerate(document.listed())}
        self.ids = {node.id: index for index, node in enumerate(document.nodes) if node.id}
        self.wanted: dict[str, list[str]] = {}
        for name, value in sight.answer:
            self.wanted.setdefault(name, []).append(value)
        self.widget_of = {key: widget for widget in document.widgets for key in _controls(widget)}

    def action(self) -> Action:
        """The next act."""
        if self.snapshot.held >= 0:
            return self._drop()
        for index, node in enumerate(self.document.nodes):
            if node.name in self.wanted and node.tag != "button":
                step = self._control(index, node)
                if step is not None:
                    return step
        return self._finish()

    def _row(self, index: int) -> Row | None:
        return self.rows[self.refs[index]] if index in self.refs else None

    def _click(self, name: str) -> Action:
        return self._reach(self.ids[name], "click")

    def _reach(self, index: int, verb: str, field: int = -1) -> Action:
        """An act on a node, or first the one that uncovers it."""
        row = self._row(index)
        if row is None:
            return self._open(index)
        if row.covered:
            return Action("press", key="Escape")
        return Action(verb, self.refs[index], field)

    def _open(self, index: int) -> Action:
        """The act that makes a node appear: on the opener of something it stands in."""
        inside = set()
        while index >= 0:
            inside.add(self.document.nodes[index].id)
            index = self.document.nodes[index].parent
        for widget in self.document.widgets:
            if widget["type"] == "tabs":
                for opener, panel in zip(widget["openers"], widget["panels"], strict=True):
                    if inside & set(panel):
                        return self._click(opener)
            elif inside & {*widget.get("ids", ()), *widget.get("show", ())} and "opener" in widget:
                return self._click(widget["opener"])
        return Action("press", key="Escape")

    def _control(self, index: int, node: Node) -> Steps:
        """The next act on a control, or ``None`` if it is as it should be."""
        widget = self.widget_of.get(node.id)
        value = self.wanted[node.name][0]
        if widget is not None:
            return getattr(self, f"_{widget['type']}")(widget, index, value)  # type: ignore[no-any-return]
        row = self._row(index)
        if node.type == "hidden":
            return None
        if node.type in ("checkbox", "radio"):
            right = node.value in self.wanted[node.name]
            wrong = row is None or row.checked != (right or (node.type == "radio" and row.checked))
            return self._reach(index, "click") if wrong else None
        if node.tag == "select":
            return self._select(index, node, value)
        if row is None or node.readonly or row.value == value:
            return None
        if read_date(value) is not None and read_date(row.value) == read_date(value):
            return None
        return self._type(index, value)

    def _type(self, index: int, value: str) -> Action:
        """Types the field whose text means the value."""
        for field, text in enumerate(self.texts):
            if text == value or (
                read_date(text) is not None and read_date(text) == read_date(value)
            ):
                return self._reach(index, "type", field)
        raise AtALossError(f"no field of the instruction has the text {value!r}")

    def _select(self, index: int, node: Node, value: str) -> Steps:
        row = self._row(index)
        text = next(shown for sent, shown in node.options if (sent or shown) == value)
        if row is None or row.value == text:
            return None
        if text in self.texts:
            return self._reach(index, "type", self.texts.index(text))
        if self.snapshot.focus != self.refs[index]:
            return self._reach(index, "click")
        shown = [option for _, option in node.options]
        down = shown.index(text) > shown.index(row.value)
        return Action("press", key="ArrowDown" if down else "ArrowUp")

    def _autocomplete(self, widget: dict[str, Any], index: int, value: str) -> Steps:
        control = self.ids[widget["control"]]
        row = self._row(control)
        field, place, text = self._suggested(widget, value)
        if row is not None and row.value == text:
            return None
        item = self._row(self.ids[widget["items"][place]])
        if row is not None and row.value == self.texts[field] and item and item.text == text:
            return self._click(widget["items"][place])
        return self._reach(control, "type", field)

    def _suggested(self, widget: dict[str, Any], value: str) -> tuple[int, int, str]:
        """The field to type for a value, and place and text of the suggestion to take.

        Some people misread their instruction: where no field leads to their value, the one that
        leads to nothing else that is wanted has to do.
        """
        others = [other for values in self.wanted.values() for other in values if other != value]
        spare = None
        for field, text in enumerate(self.texts):
            query = (("q", text),)
            answer = self.application.respond(Request("GET", widget["url"], query))
            found = answer.json[: len(widget["items"])]
            equal = [place for place, row in enumerate(found) if row[0] == value]
            close = [place for place, row in enumerate(found) if _same_place(row[0], value)]
            for place in (*equal, *close):
                return field, place, found[place][1]
            used = any(_same_place(row[0], other) for row in found for other in others)
            if found and not used and spare is None:
                spare = (field, 0, found[0][1])
        if spare is None:
            raise AtALossError(f"no field of the instruction leads to {value!r}")
        return spare

    def _calendar(self, widget: dict[str, Any], index: int, value: str) -> Steps:
        control = next(
            self.ids[name]
            for name, code in widget["controls"]
            if index in (self.ids[name], self.ids[code])
        )
        row, day = self._row(control), read_date(value)
        if row is None or day is None or read_date(row.value) == day:
            return None
        title = self._row(self.ids[widget["title"]])
        if title is None or "open" not in row.classes.split():
            return self._reach(control, "click")
        month, year = title.text.split()
        shown = (int(year), MONTHS.index(month) + 1)
        if shown != (day.year, day.month):
            later = shown < (day.year, day.month)
            return self._click(widget["following" if later else "previous"])
        for cell in widget["cells"]:
            place = self._row(self.ids[cell])
            if place is not None and place.text == str(day.day):
                return self._click(cell)
        raise AtALossError(f"the calendar has no {value}")

    def _stepper(self, widget: dict[str, Any], index: int, value: str) -> Steps:
        row = self._row(index)
        if row is None or row.value == value:
            return None
        return self._click(widget["plus" if int(row.value) < int(value) else "minus"])

    def _listbox(self, widget: dict[str, Any], index: int, value: str) -> Steps:
        opener = self._row(self.ids[widget["opener"]])
        nodes = self.document.nodes
        item = next(name for name in widget["items"] if nodes[self.ids[name]].value == value)
        text = nodes[self.ids[item]].text
        if opener is None or opener.text == text:
            return None
        shown = self._row(self.ids[item])
        return self._click(widget["opener"] if shown is None else item)

    def _choice(self, widget: dict[str, Any], index: int, value: str) -> Steps:
        nodes = self.document.nodes
        item = next(name for name in widget["items"] if nodes[self.ids[name]].value == value)
        row = self._row(self.ids[item])
        chosen = row is not None and "selected" in row.classes.split()
        return None if chosen else self._click(item)

    def _sortable(self, widget: dict[str, Any], index: int, value: str) -> Steps:
        wanted = value.split(",")
        rows = [self._row(self.ids[name]) for name in widget["items"]]
        for place, row in enumerate(rows):
            if row is not None and row.text != wanted[place]:
                texts = [other.text if other else "" for other in rows]
                return self._reach(self.ids[widget["items"][texts.index(wanted[place])]], "grab")
        return None

    def _dropzones(self, widget: dict[str, Any], index: int, value: str) -> Steps:
        item = self._valued(widget["items"], value.partition(":")[0])
        return None if self._row(item) is None else self._reach(item, "grab")

    def _valued(self, names: list[str], value: str) -> int:
        """The node with a value."""
        nodes = self.document.nodes
        return next(self.ids[name] for name in names if nodes[self.ids[name]].value == value)

    def _drop(self) -> Action:
        """Drops what is held where it belongs."""
        held = self.rows[self.snapshot.held]
        for widget in self.document.widgets:
            if widget["type"] == "dropzones":
                code = self.document.nodes[self.ids[widget["code"]]]
                item, _, zone = self.wanted[code.name][0].partition(":")
                if held is not None and held.text == item:
                    return self._reach(self._valued(widget["zones"], zone), "drop")
            if widget["type"] == "sortable" and held is not None:
                code = self.document.nodes[self.ids[widget["code"]]]
                wanted = self.wanted.get(code.name, [""])[0].split(",")
                if held.text in wanted:
                    return self._reach(self.ids[widget["items"][wanted.index(held.text)]], "drop")
        return Action("drop", self.snapshot.held)

    def _finish(self) -> Action:
        """Sends the form, by the button that the answer names or else the first without a name.

        What the page demands and the answer leaves open is chosen at will: the first.
        """
        buttons = [
            (index, node)
            for index, node in enumerate(self.document.nodes)
            if node.tag == "button" and node.type == "submit"
        ]
        for index, node in buttons:
            if node.value in self.wanted.get(node.name, ()):
                return self._reach(index, "click")
        if not buttons:
            return self._follow_link()
        unchosen = self._unchosen()
        if unchosen is not None:
            return self._reach(unchosen, "click")
        return self._reach(
            next((i for i, node in buttons if not node.name), buttons[0][0]), "click"
        )

    def _unchosen(self) -> int | None:
        """The first radio button of a group of which none is checked."""
        groups: dict[str, list[int]] = {}
        for index, node in enumerate(self.document.nodes):
            if node.type == "radio":
                groups.setdefault(node.name, []).append(index)
        for members in groups.values():
            rows = [self._row(index) for index in members]
            if not any(row is not None and row.checked for row in rows):
                return members[0]
        return None

    def _follow_link(self) -> Action:
        """Follows the link that the answer names, or else the last one."""
        links = [
            (index, node)
            for index, node in enumerate(self.document.nodes)
            if node.tag == "a" and self._row(index) is not None
        ]
        values = [value for values in self.wanted.values() for value in values]
        for index, node in links:
            if node.href.rpartition("=")[2] in values:
                return self._reach(index, "click")
        return self._reach(links[-1][0], "click")


def _controls(widget: dict[str, Any]) -> list[str]:
    """Ids of the controls whose value a widget sets."""
    if widget["type"] == "calendar":
        return [name for pair in widget["controls"] for name in pair]
    if widget["type"] == "stepper":
        return [widget["control"]]
    return [widget["code"]] if "code" in widget else []


def _same_place(sent: str, value: str) -> bool:
    """True if an airport's value means what the human's means."""
    return agreement((("", sent),), (("", value),), {"": "airport"}).is_success
