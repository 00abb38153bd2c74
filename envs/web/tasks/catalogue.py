"""Every small task by name; ``WoB-<name>-v0`` is its id."""

from typing import TYPE_CHECKING

from hardware_sim.errors import choose
from hardware_sim.naming import resolve

if TYPE_CHECKING:
    from envs.web.tasks.base import MiniTask

TASKS: dict[str, tuple[str, str]] = {
    "Autocomplete": ("searching:Autocomplete", "a word to take from suggestions"),
    "ClickButton": ("clicking:ClickButton", "one of twelve buttons"),
    "ClickCheckboxes": ("clicking:ClickCheckboxes", "boxes to tick, no others"),
    "ClickColour": ("clicking:ClickColour", "the patch of a named colour"),
    "ClickLink": ("clicking:ClickLink", "a link, then a button behind it"),
    "ClickRadio": ("clicking:ClickRadio", "one of six radio buttons"),
    "CompareNumbers": ("clicking:CompareNumbers", "the smallest or largest of nine numbers"),
    "Dialog": ("moving:Dialog", "a dialog to open, and a button in it"),
    "DragSort": ("moving:DragSort", "four numbers to drag into order"),
    "DropZone": ("searching:DropZone", "a thing to drag onto a place"),
    "EnterPassword": ("writing:EnterPassword", "a password, twice"),
    "EnterText": ("writing:EnterText", "a word, and the right one of two buttons"),
    "FilterList": ("moving:FilterList", "a word in a list that typing narrows"),
    "Inbox": ("searching:Inbox", "a mail to open and to deal with"),
    "Login": ("writing:Login", "user name, password and a box to leave or tick"),
    "PickDate": ("searching:PickDate", "a day in a calendar"),
    "QA": ("searching:QA", "a question about a table, answered by a click"),
    "Search": ("searching:Search", "a search, and one of its results"),
    "SelectOption": ("writing:SelectOption", "one of eight options of a list"),
    "Slider": ("moving:Slider", "a number set on a slider"),
    "Stepper": ("clicking:Stepper", "two counts set with minus and plus"),
    "Sum": ("clicking:Sum", "the result of a sum or difference"),
    "TableLookup": ("moving:TableLookup", "the number beside a name"),
    "Tabs": ("moving:Tabs", "a button on one of three tabs"),
    "Tree": ("searching:Tree", "a leaf in one of three folders"),
}
"""Name to ``(module:class, summary)``; modules are those of this package."""


def make(name: str) -> "MiniTask":
    """The task with a name.

    Raises:
        InputError: There is none; the message lists them.
    """
    place = TASKS[choose("task", name, tuple(TASKS))][0]
    task: MiniTask = resolve(f"{__package__}.{place}", "task")()
    return task
