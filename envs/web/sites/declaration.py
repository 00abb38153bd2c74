"""Flight-booking sites as data: which fields a site asks for, by which widgets, in which words."""

import json
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any

from envs.web.sites.airports import airports, meant, metro
from hardware_sim.errors import InputError, choose

SITES = ("united", "alaska", "aa", "jetblue", "generic", "meridian")

CONCEPTS = (
    "from",
    "to",
    "depart",
    "return",
    "trip",
    "travellers",
    "cabin",
    "flight",
    "first name",
    "last name",
    "email",
)
"""Values that an instruction may determine; sites ask for each in names and words of their own."""

WIDGETS = (
    "airport",
    "calendar",
    "checkbox",
    "choice",
    "listbox",
    "radio",
    "select",
    "stepper",
    "text",
)

AREA_NAMES = {"NYC": "New York, NY", "WAS": "Washington, DC", "CHI": "Chicago, IL"}
"""Areas that sites offer as a whole, by code."""


@dataclass(frozen=True, eq=False)
class Field:
    """One thing a site asks for.

    Attributes:
        concept: One of ``CONCEPTS``, or empty for what no instruction speaks of.
        name: Key in the request.
        label: What a person reads beside it.
        widget: One of ``WIDGETS``.
        options: ``(meaning, value, text)`` of what can be chosen; the first is chosen at first.
        half: Shares its line with a neighbour that is a half, too.
    """

    concept: str
    name: str
    label: str
    widget: str
    options: tuple[tuple[str, str, str], ...] = ()
    half: bool = False

    @property
    def default(self) -> str:
        """The value of an untouched field."""
        return self.options[0][1] if self.options else ""


@dataclass(frozen=True, eq=False)
class Site:
    """One site; built from its JSON file by :func:`load_site`.

    Attributes:
        name: Name of the JSON file.
        airline: Invented brand.
        skin: Section of the style sheet.
        date_format: Format of dates, see :func:`envs.web.widgets.calendar`.
        week_start: Day of a calendar's first column, Monday 0 to Sunday 6.
        airport_text: How suggestions show an airport, with ``{code}``, ``{city}``, ``{state}`` and
            ``{place}``.
        airport_value: What is sent for it, with the same and ``{text}``.
        links: Texts of links to pages that have nothing to do with booking.
        search_fields: Fields of the first page.
        passenger_fields: Fields of the page about the passenger.
        hidden: Constants of the first page's form; ``"token"`` is drawn anew for each episode.
        flight_name: Key of the chosen flight.
        flight_choice: ``"button"``, ``"radio"`` or ``"price"``, whose button shows the price.
        words: Titles and texts of buttons, by ``"page.part"``.
    """

    name: str
    airline: str
    skin: str
    date_format: str
    week_start: int
    airport_text: str
    airport_value: str
    links: tuple[str, ...]
    search_fields: tuple[Field, ...]
    passenger_fields: tuple[Field, ...]
    hidden: tuple[tuple[str, str], ...]
    flight_name: str
    flight_choice: str
    words: dict[str, str]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every field but the flight, in the order of the pages."""
        return self.search_fields + self.passenger_fields

    @cached_property
    def token_name(self) -> str:
        """Key of the hidden token."""
        return next(name for name, value in self.hidden if value == "token")

    def field(self, concept: str) -> Field:
        """The field of a concept.

        Raises:
            InputError: The site has none.
        """
        for field in self.fields:
            if field.concept == concept:
                return field
        raise InputError(f"{self.name} asks for no {concept!r}")

    def key(self, concept: str) -> str:
        """The key under which the site sends a concept."""
        return self.flight_name if concept == "flight" else self.field(concept).name

    def kinds(self) -> dict[str, str]:
        """Kinds of the values of keys; see :func:`envs.web.sites.reward.agreement`."""
        kinds = {self.key(concept): "airport" for concept in ("from", "to")}
        return kinds | {self.key(concept): "date" for concept in ("depart", "return")}

    def airport(self, code: str) -> tuple[str, str]:
        """Value and text of an airport, or of an area of ``AREA_NAMES``."""
        return _airport(code, self.airport_text, self.airport_value)

    def airport_text_of(self, value: str) -> str:
        """The text of the airport whose value was sent, or empty."""
        if not value:
            return ""
        codes = sorted(meant(value))
        whole = next((area for area in AREA_NAMES if metro(area) == frozenset(codes)), "")
        return self.airport(whole or codes[0])[1] if codes else ""


@lru_cache(maxsize=1 << 12)
def _airport(code: str, text_format: str, value_format: str) -> tuple[str, str]:
    """Value and text of an airport or area."""
    if code in AREA_NAMES:
        city, _, state = AREA_NAMES[code].partition(", ")
        place = "All Airports"
    else:
        _, city, state, _ = airports()[code]
        place = city
    parts = {"code": code, "city": city, "state": state, "place": place}
    text = text_format.format(**parts)
    return value_format.format(text=text, **parts), text


@cache
def load_site(name: str) -> Site:
    """The site of a JSON file in this folder.

    Raises:
        InputError: There is no such site, or its declaration is wrong.
    """
    choose("site", name, SITES)
    table = json.loads(files("envs.web.sites").joinpath(f"{name}.json").read_text())
    words = {
        f"{page}.{part}": table[page][part]
        for page in ("search", "results", "passenger", "review")
        for part in ("title", "submit", "choose")
        if part in table[page]
    }
    return Site(
        name=name,
        airline=table["airline"],
        skin=table["skin"],
        date_format=table["date_format"],
        week_start=table["week_start"],
        airport_text=table["airport_text"],
        airport_value=table["airport_value"],
        links=tuple(table["links"]),
        search_fields=tuple(_field(name, row) for row in table["search"]["fields"]),
        passenger_fields=tuple(_field(name, row) for row in table["passenger"]["fields"]),
        hidden=tuple(table["search"]["hidden"].items()),
        flight_name=table["results"]["name"],
        flight_choice=choose(
            f"flight choice of {name}", table["results"]["choice"], ("button", "radio", "price")
        ),
        words=words,
    )


def _field(site: str, row: dict[str, Any]) -> Field:
    choose(f"concept of {site}", row["concept"], ("", *CONCEPTS))
    choose(f"widget of {site}", row["widget"], WIDGETS)
    options = tuple((meaning, value, text) for meaning, value, text in row.get("options", ()))
    return Field(
        row["concept"], row["name"], row["label"], row["widget"], options, row.get("half", False)
    )
