"""Instructions to book a flight: a seeded generator, and those that people really got."""

import json
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from envs.web.dates import MONTHS
from envs.web.sites.airports import airports, meant
from envs.web.sites.declaration import AREA_NAMES
from envs.web.sites.flights import PREFERENCES
from envs.web.sites.form import FIRST_DAY

NAMES: dict[str, list[str]] = json.loads(files("envs.web.sites").joinpath("names.json").read_text())
"""First and last names of passengers."""

CABINS = ("economy", "business", "first class")
DEPARTURES, STAYS = 150, 28
"""Days after the first bookable one on which a journey begins, and days until the return."""

UNSEEN_PAIRS, HELD_OUT = 10, 5
"""One in so many pairs of places, and one in so many other instructions, is kept for tests."""


class Wish(NamedTuple):
    """An instruction, and the values that it determines.

    Attributes:
        text: The instruction.
        fields: ``(concept, text)`` in the order of the text.
        meaning: By concept: codes of places, dates as ``YYYY-MM-DD``, meanings of options, a
            preference for ``"flight"``, otherwise the text itself.
    """

    text: str
    fields: tuple[tuple[str, str], ...]
    meaning: dict[str, str]


def written(day: date) -> str:
    """A date as instructions give it: ``"March 6, 2017"``."""
    return f"{MONTHS[day.month - 1]} {day.day}, {day.year}"


@cache
def places() -> tuple[tuple[str, str], ...]:
    """``(code, text)`` of every place that instructions name, so that the text means just that."""
    cities = [airport.city for airport in airports().values()]
    named = []
    for airport in airports().values():
        if cities.count(airport.city) == 1:
            text = airport.city
        elif airport.metro:
            text = f"{airport.city} ({airport.code})"
        else:
            text = f"{airport.city}, {airport.state}"
        named.append((airport.code, text))
    return (*named, *((code, name.partition(",")[0]) for code, name in AREA_NAMES.items()))


def generate(random: np.random.Generator, split: str) -> Wish:
    """Draws an instruction of a split: ``"train"``, ``"test"`` or ``"unseen-pair"``."""
    while True:
        wish = _draw(random)
        if split_of(wish) == split:
            return wish


def split_of(wish: Wish) -> str:
    """The split of an instruction, alike in every process."""
    ends = f"{wish.meaning['from']} {wish.meaning['to']}"
    if crc32(ends.encode()) % UNSEEN_PAIRS == 0:
        return "unseen-pair"
    return "train" if crc32(wish.text.encode()) % HELD_OUT else "test"


def _draw(random: np.random.Generator) -> Wish:
    start, end = _ends(random)
    first = date.fromisoformat(FIRST_DAY) + timedelta(int(random.integers(DEPARTURES)))
    back = first + timedelta(int(random.integers(1, STAYS)))
    named = {"from": start[1], "to": end[1], "depart": written(first)}
    meaning = {"from": start[0], "to": end[0], "depart": first.isoformat()}
    named["trip"] = "round trip" if random.random() < 0.6 else "one way"
    if named["trip"] == "round trip":
        named["return"], meaning["return"] = written(back), back.isoformat()
    if random.random() < 0.6:
        named["travellers"] = str(random.integers(1, 5))
    if random.random() < 0.6:
        named["cabin"] = CABINS[random.integers(3)]
    if random.random() < 0.6:
        named["flight"] = PREFERENCES[random.integers(len(PREFERENCES))]
    if random.random() < 0.6:
        for name in ("first", "last"):
            named[f"{name} name"] = NAMES[name][random.integers(len(NAMES[name]))]
        named["email"] = f"{named['first name']}.{named['last name']}@example.com".lower()
    return Wish(_sentence(random, named), tuple(named.items()), {**named, **meaning})


def _ends(random: np.random.Generator) -> tuple[tuple[str, str], tuple[str, str]]:
    """Two places that have no airport in common."""
    known = places()
    while True:
        start, end = (known[i] for i in random.choice(len(known), 2, replace=False))
        if not meant(start[0]) & meant(end[0]):
            return start, end


def _sentence(random: np.random.Generator, named: dict[str, str]) -> str:
    """An instruction that names all values, in one of several wordings."""
    cabin = f" in {named['cabin']}" if "cabin" in named else ""
    count = named.get("travellers", "")
    people = f" for {count} {'person' if count == '1' else 'people'}" if count else ""
    back = f", back on {named['return']}" if "return" in named else ""
    text = (
        "Book a {trip} flight from {from} to {to} on {depart}{back}{cabin}{people}.",
        "I need a {trip} from {from} to {to}{cabin}{people}: leave on {depart}{back}.",
        "Find a {trip} to {to} from {from}, leaving {depart}{back}{people}{cabin}.",
    )[random.integers(3)].format(**{**named, "back": back, "cabin": cabin, "people": people})
    if "flight" in named:
        text += f" Take the {named['flight']} flight."
    if "first name" in named:
        text += " The passenger is {first name} {last name}, {email}.".format(**named)
    return text


@cache
def recorded(site: str) -> tuple[tuple[Wish, tuple[tuple[str, str], ...], str], ...]:
    """The instructions of the original FormWoB for a site, with a human's request and the split.

    The Alaska and AA sites have them (see ``formwob/SOURCE.md``); ``()`` for the others.
    """
    path = files("envs.web.sites").joinpath("formwob", f"{site}.json")
    if not path.is_file():
        return ()
    rows = json.loads(path.read_text())
    return tuple(
        (_recorded(row["instruction"]), tuple(row["request"].items()), _recorded_split(row["id"]))
        for row in rows
    )


def _recorded_split(name: str) -> str:
    return "train" if crc32(name.encode()) % HELD_OUT else "test"


def _recorded(given: dict[str, Any]) -> Wish:
    leave, back = (
        date(2017, given[f"{way} Month"], given[f"{way} Day"]) for way in ("Departure", "Returning")
    )
    named = {
        "from": given["Departure City"],
        "to": given["Destination City"],
        "depart": written(leave),
        "return": written(back),
        "trip": "round trip",
    }
    text = (
        f"Book a return flight from {named['from']} to {named['to']}, leaving on {named['depart']} "
        f"and returning on {named['return']}."
    )
    return Wish(text, tuple(named.items()), named)
