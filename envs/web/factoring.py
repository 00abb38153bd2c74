"""Factored actions from what people did with mouse and keyboard, as far as there are any.

A press and release on one element is a click, on two a grab and a drop. Keys that change a text
control together are one ``type``, if they leave the text of a field in it (letters' case apart); so
are those that bring a select or a range to a field's text. The other keys are presses. Moves of the
pointer, releases of keys and what follows from other events need no action.
"""

from typing import NamedTuple

from envs.web.actions import TYPED, Action
from envs.web.demonstration import ACT, END, Demonstration, Step
from envs.web.snapshot import KEYS, Row, Snapshot

SILENT = ("load", "mousemove", "keyup", "keypress", "click", "dblclick", "scroll", END)
"""Events that need no action of their own."""

ALONE = ("Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock", "Process", "Dead")
TOGGLES = ("checkbox", "radio")


class Decision(NamedTuple):
    """An action, with its step and the page before it."""

    step: int
    state: Snapshot
    action: Action


class Unmapped(NamedTuple):
    """A step without a factored action, and the reason."""

    step: int
    why: str


def to_actions(demonstration: Demonstration) -> tuple[list[Decision], list[Unmapped]]:
    """The factored actions of a demonstration, and the steps that have none.

    An agent's demonstration gives its own actions.
    """
    return _Mapper(demonstration).mapped()


class _Mapper:
    """Goes through a demonstration once; each part takes the steps it understands."""

    def __init__(self, demonstration: Demonstration) -> None:
        self.steps = demonstration.steps
        self.texts = [text.strip().casefold() for _, text in demonstration.fields]
        self.decisions: list[Decision] = []
        self.unmapped: list[Unmapped] = []

    def mapped(self) -> tuple[list[Decision], list[Unmapped]]:
        """The whole demonstration."""
        place = 0
        while place < len(self.steps):
            place = self._take(place)
        return self.decisions, self.unmapped

    def _take(self, place: int) -> int:
        """Takes one or more steps; returns the place of the next."""
        step = self.steps[place]
        if step.type == ACT:
            assert step.action is not None
            self._decide(place, step.action)
        elif step.type == "mousedown":
            return self._pointer(place)
        elif step.type in ("keydown", "insert"):
            return self._keys(place)
        elif step.type not in (*SILENT, "mouseup"):
            self._refuse(place, f"{step.type} is no action")
        return place + 1

    def _decide(self, place: int, action: Action) -> None:
        self.decisions.append(Decision(place, self.steps[place].state, action))

    def _refuse(self, place: int, why: str) -> None:
        self.unmapped.append(Unmapped(place, why))

    def _pointer(self, place: int) -> int:
        """A press up to its release: a click, or a grab and a drop."""
        down = self.steps[place]
        end = next(
            (i for i in range(place + 1, len(self.steps)) if self.steps[i].type == "mouseup"), None
        )
        if end is None:
            self._refuse(place, "the button is never released")
            return place + 1
        up = self.steps[end]
        row = _row(down.state, down.target)
        if down.button != 0 or row is None or (row.draggable and up.target < 0):
            if self._state_after(end) != down.state:
                self._refuse(place, "it was on no element" if down.button == 0 else "other button")
        elif row.draggable:
            self._decide(place, Action("grab", down.target))
            self._decide(end, Action("drop", up.target))
        elif up.target in (down.target, -1):
            self._decide(place, Action("click", down.target))
        else:
            self._refuse(place, f"pressed on element {down.target}, released on {up.target}")
        return end + 1

    def _state_after(self, place: int) -> Snapshot:
        return self.steps[min(place + 1, len(self.steps) - 1)].state

    def _keys(self, place: int) -> int:
        """Keys: those that belong together on one control, or one press."""
        step = self.steps[place]
        ref = step.state.focus if step.state.focus >= 0 else step.target
        row = _row(step.state, ref)
        if row is not None and _is_text(row) and not _leaves(step):
            return self._typing(place, ref)
        if row is not None and _is_scale(row) and (not _leaves(step) or _is_arrow(step)):
            return self._choosing(place, ref)
        if step.key in KEYS and not step.modifiers:
            self._decide(place, Action("press", key=step.key))
        elif step.key == " " and row is not None and (row.type in TOGGLES or row.tag == "button"):
            self._decide(place, Action("click", ref))
        elif step.key not in ALONE and self._state_after(place) != step.state:
            self._refuse(place, f"the key {step.key!r} is no action")
        return place + 1

    def _run(self, place: int, ref: int, arrows: bool) -> int:
        """The place behind the keys that go on in one control."""
        while place < len(self.steps):
            step = self.steps[place]
            stays = step.type in ("keydown", "insert") and step.state.focus in (ref, -1)
            belongs = stays and (not _leaves(step) or (arrows and _is_arrow(step)))
            if not (step.type in SILENT or belongs):
                break
            if step.type in ("load", END):
                break
            place += 1
        return place

    def _typing(self, place: int, ref: int) -> int:
        """Keys in a text control: one ``type``, in place of the click that went before it."""
        end = self._run(place, ref, arrows=False)
        before, after = (_row(step.state, ref) for step in (self.steps[place], self._at(end)))
        if before is None or after is None or before.value == after.value:
            if before is not None and after is None:
                self._refuse(place, "the control has gone while it was typed into")
            return end
        field = self._field(after.value)
        if field < 0:
            self._refuse(place, f"{after.value!r} is the text of no field")
            return end
        if self.decisions and self.decisions[-1].action == Action("click", ref):
            place = self.decisions.pop().step
        self._decide(place, Action("type", ref, field))
        return end

    def _choosing(self, place: int, ref: int) -> int:
        """Keys on a select or a range: one ``type`` of a field's text, or each arrow a press."""
        end = self._run(place, ref, arrows=True)
        after = _row(self._at(end).state, ref)
        field = -1 if after is None else self._field(after.value)
        if field >= 0:
            self._decide(place, Action("type", ref, field))
            return end
        for i in range(place, end):
            step = self.steps[i]
            if step.type == "keydown" and step.key in KEYS:
                self._decide(i, Action("press", key=step.key))
            elif step.type in ("keydown", "insert") and self._state_after(i) != step.state:
                self._refuse(i, f"the key {step.key!r} is no action")
        return end

    def _at(self, place: int) -> Step:
        return self.steps[min(place, len(self.steps) - 1)]

    def _field(self, value: str) -> int:
        text = value.strip().casefold()
        return self.texts.index(text) if text in self.texts else -1


def _row(state: Snapshot, ref: int) -> Row | None:
    return state.rows[ref] if 0 <= ref < len(state.rows) else None


def _is_text(row: Row) -> bool:
    return row.tag == "textarea" or (row.tag == "input" and row.type in TYPED[:2])


def _is_scale(row: Row) -> bool:
    return row.tag == "select" or row.type == "range"


def _is_arrow(step: Step) -> bool:
    return step.key.startswith("Arrow")


def _leaves(step: Step) -> bool:
    """True if a key does more than change the control it is pressed in."""
    return step.type == "keydown" and step.key in KEYS
