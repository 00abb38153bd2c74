"""The widgets of :mod:`envs.web.widgets` without a browser."""

from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

from envs.web.dates import MONTHS
from envs.web.live_page import ClickHandler, LivePage

Fetch = Callable[[str, tuple[tuple[str, str], ...]], Any]
"""Takes a path and the pairs of a query; returns the JSON that the application answers."""


def attach(page: LivePage, fetch: Fetch) -> None:
    """Registers the handlers of every widget of a page and brings it to its first state.

    Raises:
        KeyError: A widget names no known type, or an id that is not in the document.
    """
    for widget in page.document.widgets:
        if widget["type"] == "autocomplete":
            _autocomplete(page, widget, fetch)
        else:
            WIDGETS[widget["type"]](page, widget)
    for handler in page.on_change:
        handler()


def _on_click(page: LivePage, name: str, handler: ClickHandler) -> None:
    page.on_click.setdefault(page.ids[name], []).append(handler)


def _autocomplete(page: LivePage, widget: dict[str, Any], fetch: Fetch) -> None:
    control, code = page.ids[widget["control"]], page.ids[widget["code"]]
    popup = page.ids[widget["popup"]]
    items = [page.ids[item] for item in widget["items"]]
    places = {item: place for place, item in enumerate(items)}
    # Popups may be shared between inputs: the one that opened it takes what is chosen.
    found: list[list[str]] = []

    def suggest() -> None:
        page.put(code, "")
        query = page.value[control].strip()
        found[:] = fetch(widget["url"], (("q", query),))[: len(items)] if query else []
        if not found:
            if page.popup == popup:
                page.close_popup()
            return
        for place, item in enumerate(items):
            page.show(item, place < len(found))
            if place < len(found):
                page.write(item, found[place][1])
        page.open_popup(popup, control, below=control)

    def take(item: int) -> None:
        if page.opener == control:
            page.put(code, found[places[item]][0])
            page.put(control, found[places[item]][1])
            page.close_popup()

    def enter() -> bool:
        if page.opener != control:
            return False
        take(items[0])
        return True

    page.on_input.setdefault(control, []).append(suggest)
    page.on_enter[control] = enter
    for item in items:
        page.on_click.setdefault(item, []).append(take)


def written_date(day: date, date_format: str) -> str:
    """A date in a calendar's format."""
    return date_format.format(
        d=day.day,
        dd=f"{day.day:02}",
        m=day.month,
        mm=f"{day.month:02}",
        mon=MONTHS[day.month - 1][:3],
        month=MONTHS[day.month - 1],
        yyyy=f"{day.year:04}",
    )


class _Calendar:
    """One calendar popup and the inputs it serves."""

    def __init__(self, page: LivePage, widget: dict[str, Any]) -> None:
        self.page, self.widget = page, widget
        self.codes = {page.ids[control]: page.ids[code] for control, code in widget["controls"]}
        self.popup = page.ids[widget["popup"]]
        self.title = page.ids[widget["title"]]
        self.previous, self.following = page.ids[widget["previous"]], page.ids[widget["following"]]
        self.cells = [page.ids[cell] for cell in widget["cells"]]
        self.first = date.fromisoformat(widget["first"])
        self.last = date.fromisoformat(widget["last"])
        self.month = self.first.replace(day=1)
        for control in self.codes:
            page.on_click.setdefault(control, []).append(self.open)
        for index in (self.previous, self.following):
            page.on_click.setdefault(index, []).append(self.turn)
        for cell in self.cells:
            page.on_click.setdefault(cell, []).append(self.take)

    def open(self, control: int) -> None:
        chosen = self.page.value[self.codes[control]]
        self.month = (date.fromisoformat(chosen) if chosen else self.first).replace(day=1)
        self.page.open_popup(self.popup, control)
        self.draw()

    def turn(self, button: int) -> None:
        months = 1 if button == self.following else -1
        count = self.month.year * 12 + self.month.month - 1 + months
        self.month = date(count // 12, count % 12 + 1, 1)
        self.draw()

    def draw(self) -> None:
        page, month = self.page, self.month
        length = monthrange(month.year, month.month)[1]
        self.offset = (month.weekday() - self.widget["week_start"]) % 7
        page.write(self.title, f"{MONTHS[month.month - 1]} {month.year}")
        page.enable(self.previous, month > self.first)
        page.enable(self.following, month + timedelta(days=length - 1) < self.last)
        least, most = (self.first - month).days + 1, (self.last - month).days + 1
        for number, cell in enumerate(self.cells, 1 - self.offset):
            page.show(cell, 1 <= number <= length)
            if 1 <= number <= length:
                page.write(cell, str(number))
                page.enable(cell, least <= number <= most)

    def take(self, cell: int) -> None:
        day = self.month.replace(day=self.cells.index(cell) - self.offset + 1)
        control = self.page.opener
        self.page.put(control, written_date(day, self.widget["format"]))
        self.page.put(self.codes[control], day.isoformat())
        self.page.close_popup()


def _calendar(page: LivePage, widget: dict[str, Any]) -> None:
    _Calendar(page, widget)


def _stepper(page: LivePage, widget: dict[str, Any]) -> None:
    control = page.ids[widget["control"]]

    def change(by: int, _: int) -> None:
        number = int(page.value[control]) + by
        page.put(control, str(min(widget["most"], max(widget["least"], number))))

    _on_click(page, widget["minus"], partial(change, -1))
    _on_click(page, widget["plus"], partial(change, 1))


def _listbox(page: LivePage, widget: dict[str, Any]) -> None:
    opener, code = page.ids[widget["opener"]], page.ids[widget["code"]]
    popup = page.ids[widget["popup"]]

    def flip(_: int) -> None:
        if page.opener == opener:
            page.close_popup()
        else:
            page.open_popup(popup, opener, below=opener)

    def take(item: int) -> None:
        page.write(opener, page.text[item])
        page.put(code, page.value[item])
        page.close_popup()

    _on_click(page, widget["opener"], flip)
    for item in widget["items"]:
        _on_click(page, item, take)


def _depends(page: LivePage, widget: dict[str, Any]) -> None:
    named = [i for i in page.structure.named if page.nodes[i].name == widget["name"]]
    ids = [page.ids[name] for name in widget["ids"]]

    def apply() -> None:
        values = [
            page.value[index]
            for index in named
            if page.nodes[index].type not in ("checkbox", "radio") or page.checked[index]
        ]
        for index in ids:
            page.show(index, widget["value"] in values)

    page.on_change.append(apply)


def _tabs(page: LivePage, widget: dict[str, Any]) -> None:
    openers = [page.ids[opener] for opener in widget["openers"]]
    panels = [[page.ids[name] for name in panel] for panel in widget["panels"]]

    def choose(chosen: int) -> None:
        for opener, panel in zip(openers, panels, strict=True):
            page.mark(opener, "selected", opener == chosen)
            for index in panel:
                page.show(index, opener == chosen)

    for name in widget["openers"]:
        _on_click(page, name, choose)
    choose(openers[0])


def _toggle(page: LivePage, widget: dict[str, Any]) -> None:
    opener = page.ids[widget["opener"]]
    ids = [page.ids[name] for name in widget["ids"]]

    def flip(_: int) -> None:
        page.mark(opener, "open", "open" not in page.classes[opener].split())
        for index in ids:
            page.show(index, bool(page.hidden[index]))

    _on_click(page, widget["opener"], flip)


def _reveal(page: LivePage, widget: dict[str, Any]) -> None:
    def swap(_: int) -> None:
        for name in widget["hide"]:
            page.show(page.ids[name], False)
        for name in widget["show"]:
            page.show(page.ids[name], True)

    _on_click(page, widget["opener"], swap)


def _choice(page: LivePage, widget: dict[str, Any]) -> None:
    items, code = [page.ids[item] for item in widget["items"]], page.ids[widget["code"]]

    def take(chosen: int) -> None:
        page.put(code, page.value[chosen])
        for item in items:
            page.mark(item, "selected", item == chosen)

    for item in widget["items"]:
        _on_click(page, item, take)


def _sortable(page: LivePage, widget: dict[str, Any]) -> None:
    items, code = [page.ids[item] for item in widget["items"]], page.ids[widget["code"]]

    def note() -> None:
        page.put(code, ",".join(page.value[item] for item in items))

    def drop(item: int, target: int) -> None:
        if item not in items or target not in items:
            return
        order = [(page.text[index], page.value[index]) for index in items]
        order.insert(items.index(target), order.pop(items.index(item)))
        for index, (text, value) in zip(items, order, strict=True):
            page.write(index, text)
            page.put(index, value)
        note()

    page.on_drop.append(drop)
    note()


def _dropzones(page: LivePage, widget: dict[str, Any]) -> None:
    items = [page.ids[item] for item in widget["items"]]
    zones, code = [page.ids[zone] for zone in widget["zones"]], page.ids[widget["code"]]

    def drop(item: int, target: int) -> None:
        if item in items and target in zones:
            page.show(item, False)
            before = [page.value[code]] if page.value[code] else []
            page.put(code, ",".join([*before, f"{page.value[item]}:{page.value[target]}"]))

    page.on_drop.append(drop)


def _mirror(page: LivePage, widget: dict[str, Any]) -> None:
    control, output = page.ids[widget["control"]], page.ids[widget["output"]]
    page.on_change.append(lambda: page.write(output, page.value[control]))


def _filter(page: LivePage, widget: dict[str, Any]) -> None:
    control = page.ids[widget["control"]]
    items = [page.ids[item] for item in widget["items"]]

    def apply() -> None:
        wanted = page.value[control].lower()
        for item in items:
            page.show(item, wanted in page.text[item].lower())

    page.on_input.setdefault(control, []).append(apply)


WIDGETS: dict[str, Callable[[LivePage, dict[str, Any]], None]] = {
    "calendar": _calendar,
    "stepper": _stepper,
    "listbox": _listbox,
    "depends": _depends,
    "tabs": _tabs,
    "toggle": _toggle,
    "reveal": _reveal,
    "choice": _choice,
    "sortable": _sortable,
    "dropzones": _dropzones,
    "mirror": _mirror,
    "filter": _filter,
}
