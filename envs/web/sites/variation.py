"""Sites for training: declared ones, and new ones with words, widgets and order drawn at random.

An agent that trains on them cannot learn one site by heart; see Tobin et al., "Domain randomization
for transferring deep neural networks", IROS 2017. On a page now and then one label is a made-up
word, so that an agent learns to find a field by elimination, as a person does. The labels of sites
that are kept for measuring transfer are not among those drawn.
"""

import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from envs.web.application import Instance
from envs.web.sites.declaration import Field, Site, load_site
from envs.web.sites.task import FlightTask

DECLARED = ("united", "alaska", "aa", "jetblue")
DECLARED_SHARE = 0.5
PASSENGER = ("first name", "last name", "email")
PLACES = ("from", "to")
DATES = ("depart", "return")
UNKNOWN_SHARE = 0.4
"""Share of pages with a label that is a made-up word."""


@cache
def _table() -> dict[str, Any]:
    """The table of ``variation.json``, from which sites are drawn."""
    table: dict[str, Any] = json.loads(
        files("envs.web.sites").joinpath("variation.json").read_text()
    )
    return table


class VariedFlightTask(FlightTask):
    """Books flights on another site each time: in half of the episodes a declared one.

    Sites that are kept for measuring transfer are never among them.
    """

    def __init__(self) -> None:
        super().__init__(DECLARED[0])

    def instance(self, random: np.random.Generator, options: dict[str, Any]) -> Instance:
        """Draws a site and an instance on it; the options are those of :class:`FlightTask`."""
        declared = random.random() < DECLARED_SHARE
        self.site = load_site(_one(random, DECLARED)) if declared else varied(random)
        return super().instance(random, options)


def varied(random: np.random.Generator) -> Site:
    """Draws a site."""
    table = _table()
    base = load_site(_one(random, DECLARED))
    search = [field for field in base.search_fields if field.concept]
    passenger = list(base.passenger_fields)
    random.shuffle(search)
    random.shuffle(passenger)
    words = {part: _one(random, texts) for part, texts in table["words"].items()}
    number = sum(len(field.options) for field in search)
    widget = _one(random, ("calendar", "calendar", "calendar", "text"))
    return replace(
        base,
        name=f"varied {number}",
        skin=load_site(_one(random, DECLARED)).skin,
        date_format=_one(random, table["date_formats"]),
        week_start=_one(random, (0, 6)),
        airport_text=_one(random, table["airport_texts"]),
        airport_value="{code}",
        search_fields=_fields(random, search, widget),
        passenger_fields=_fields(random, passenger, "text"),
        flight_choice=_one(random, ("button", "radio", "price")),
        words=words,
    )


def _fields(random: np.random.Generator, fields: list[Field], widget: str) -> tuple[Field, ...]:
    """A page's fields in other words, one of them perhaps in a word that means nothing."""
    drawn = [_field(random, field, widget) for field in fields]
    if random.random() < UNKNOWN_SHARE:
        place = int(random.integers(len(drawn)))
        drawn[place] = replace(drawn[place], label=_made_up(random))
    return tuple(drawn)


def _made_up(random: np.random.Generator) -> str:
    """A word of three syllables that is in no dictionary."""
    return "".join(_one(random, "bdfgklmnprstvz") + _one(random, "aeiou") for _ in range(3)).title()


def _field(random: np.random.Generator, field: Field, widget: str) -> Field:
    """A field in other words and by another widget."""
    table = _table()
    options = field.options
    if not field.concept:
        return field
    if field.concept in PLACES:
        widget = "airport"
    elif field.concept not in (*DATES, *PASSENGER):
        widget = _one(random, table["widgets"][field.concept])
        options = _options(random, field.concept)
    label = _one(random, table["labels"][field.concept])
    return replace(
        field, label=label, widget=widget, options=options, half=bool(random.random() < 0.5)
    )


def _options(random: np.random.Generator, concept: str) -> tuple[tuple[str, str, str], ...]:
    """The options to choose from, in one of several wordings."""
    if concept == "travellers":
        text = _one(random, _table()["people"])
        return tuple((str(n), str(n), text.format(n)) for n in range(1, 5 + random.integers(3)))
    rows = _table()["options"][concept]
    return tuple((meaning, f"v{i}", _one(random, texts)) for i, (meaning, texts) in enumerate(rows))


def _one(random: np.random.Generator, choices: Any) -> Any:
    return choices[random.integers(len(choices))]
