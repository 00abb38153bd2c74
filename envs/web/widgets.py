"""Behaviours that a page declares over its nodes, as plain JSON objects.

The browser's side is ``page.js``, the twin's :mod:`envs.web.twin`; both follow what is written
here. Popups (of autocomplete, calendar and listbox) share some rules: one is open at a time; a
press of the pointer outside an open popup and its opener, a focus that moves to a control outside
it, and Escape close it. The opener of an open popup has the class ``open``.
"""

from collections.abc import Sequence
from typing import Any

Widget = dict[str, Any]


def autocomplete(control: str, code: str, popup: str, items: Sequence[str], url: str) -> Widget:
    """Suggestions under a text input.

    Whenever typing changes the input, ``code`` is emptied and, if the text without outer blanks is
    not empty, ``GET url?q=text`` is sent, one request a keystroke, in order. The answer, JSON
    ``[[value, text], ...]``, fills the items from the first; the rest are hidden. The popup shows
    under the input, left edges aligned, if there is an item, else hides. A click on an item, or
    Enter in the input while the popup is open (which then does not submit; it takes the first),
    writes the item's text into the input and its value into ``code``, and closes.

    Args:
        control: Id of the text input, which sends nothing unless it has a name.
        code: Id of the hidden input that takes the chosen value.
        popup: Id of the container of the items, hidden at first.
        items: Ids of buttons inside the popup.
        url: Path of the suggestions, relative to the application's root.
    """
    return {
        "type": "autocomplete",
        "control": control,
        "code": code,
        "popup": popup,
        "items": list(items),
        "url": url,
    }


def calendar(
    controls: Sequence[tuple[str, str]],
    popup: str,
    title: str,
    previous: str,
    following: str,
    cells: Sequence[str],
    first: str,
    last: str,
    date_format: str,
    week_start: int = 6,
) -> Widget:
    """A month of days to choose from, for one or more readonly inputs.

    A click on one of the inputs opens the popup for it, at the month of its code's date or else of
    ``first``. ``title`` shows the month as ``"March 2017"``. Cell ``i`` shows the day of row
    ``i // 7``, column ``i % 7``, and is hidden outside the month, disabled outside ``first`` to
    ``last``; ``previous`` and ``following`` are disabled where the next month has no allowed day. A
    click on a day writes the date into the input, in ``date_format``, and into its code, as
    ``YYYY-MM-DD``, and closes.

    Args:
        controls: ``(input id, hidden code id)`` of each date.
        popup: Id of the container, hidden at first, which shows at its own box.
        title: Id of the node with the month's name.
        previous: Id of the button to the month before.
        following: Id of the button to the month after.
        cells: Ids of 42 buttons.
        first: First allowed day, ``YYYY-MM-DD``.
        last: Last allowed day.
        date_format: With ``{d} {dd} {m} {mm} {mon} {month} {yyyy}``, as ``"{mm}/{dd}/{yyyy}"``;
            ``mon`` is the first three letters of the month's English name.
        week_start: Day of the first column, Monday 0 to Sunday 6.
    """
    return {
        "type": "calendar",
        "controls": [list(pair) for pair in controls],
        "popup": popup,
        "title": title,
        "previous": previous,
        "following": following,
        "cells": list(cells),
        "first": first,
        "last": last,
        "format": date_format,
        "week_start": week_start,
    }


def stepper(control: str, minus: str, plus: str, least: int, most: int) -> Widget:
    """Two buttons that lower and raise the number in a readonly input, between limits."""
    return {
        "type": "stepper",
        "control": control,
        "minus": minus,
        "plus": plus,
        "least": least,
        "most": most,
    }


def listbox(opener: str, code: str, popup: str, items: Sequence[str]) -> Widget:
    """A button that opens a list; a click on an item takes it.

    A click on the opener opens or closes the popup under it, left edges aligned. A click on an item
    writes its text on the opener and its node's ``value`` into ``code``, and closes.
    """
    return {
        "type": "listbox",
        "opener": opener,
        "code": code,
        "popup": popup,
        "items": list(items),
    }


def depends(name: str, value: str, ids: Sequence[str]) -> Widget:
    """Shows nodes only while the control (or radio group) called ``name`` has a value.

    Evaluated when the page opens and after every change; of a checkbox the value counts only while
    it is checked.
    """
    return {"type": "depends", "name": name, "value": value, "ids": list(ids)}


def tabs(openers: Sequence[str], panels: Sequence[Sequence[str]]) -> Widget:
    """A click on opener ``i`` shows the nodes of panel ``i`` and hides the others.

    The chosen opener has the class ``selected``; the first is chosen when the page opens.
    """
    return {"type": "tabs", "openers": list(openers), "panels": [list(ids) for ids in panels]}


def toggle(opener: str, ids: Sequence[str]) -> Widget:
    """A click on the opener shows hidden nodes of ``ids`` and hides shown ones.

    The opener has the class ``open`` after an odd number of clicks.
    """
    return {"type": "toggle", "opener": opener, "ids": list(ids)}


def reveal(opener: str, show: Sequence[str], hide: Sequence[str] = ()) -> Widget:
    """A click on the opener hides the nodes of ``hide``, then shows those of ``show``."""
    return {"type": "reveal", "opener": opener, "show": list(show), "hide": list(hide)}


def choice(items: Sequence[str], code: str) -> Widget:
    """A click on one of the buttons writes its node's ``value`` into ``code``.

    The chosen one has the class ``selected``.
    """
    return {"type": "choice", "items": list(items), "code": code}


def sortable(items: Sequence[str], code: str) -> Widget:
    """A list that dragging rearranges.

    An item dropped on another takes its place, and those between move by one towards where it came
    from. Boxes stay; texts and values move. ``code`` holds the values in order, joined by commas,
    from the start. Items have the class ``drag``.
    """
    return {"type": "sortable", "items": list(items), "code": code}


def dropzones(items: Sequence[str], zones: Sequence[str], code: str) -> Widget:
    """Items that can be dragged onto zones, where they disappear.

    ``code`` holds ``item:zone`` for each item dropped so far, by their nodes' values, in order of
    the drops, joined by commas. Items have the class ``drag``.
    """
    return {"type": "dropzones", "items": list(items), "zones": list(zones), "code": code}


def mirror(control: str, output: str) -> Widget:
    """The output's text is the control's value, when the page opens and after every change."""
    return {"type": "mirror", "control": control, "output": output}


def filtering(control: str, items: Sequence[str]) -> Widget:
    """Typing shows the items whose text contains the input's, whatever the case; hides the rest."""
    return {"type": "filter", "control": control, "items": list(items)}
