"""Airports, their cities, and the airports that a text means."""

import json
import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple


class Airport(NamedTuple):
    """An airport.

    Attributes:
        code: IATA code.
        city: Name of the city.
        state: Two letters.
        metro: IATA code of the metropolitan area, or empty where the airport is alone in it.
    """

    code: str
    city: str
    state: str
    metro: str


@cache
def airports() -> dict[str, Airport]:
    """Every airport by code, in order of the codes."""
    table = json.loads(files("envs.web.sites").joinpath("airports.json").read_text())
    return {row[0]: Airport(*row) for row in table}


@cache
def metro(code: str) -> frozenset[str]:
    """Codes of the airports of a metropolitan area."""
    members = [airport.code for airport in airports().values() if code and airport.metro == code]
    return frozenset(members)


def area(code: str) -> frozenset[str]:
    """The airports that serve the same area as an airport, itself included."""
    found = airports()[code].metro
    return metro(found) if found else frozenset((code,))


@lru_cache(maxsize=1 << 12)
def meant(text: str) -> frozenset[str]:
    """Codes of the airports that a text may mean; none if it names nothing known.

    A code, alone or first in brackets, means its airport, or the area that has this code;
    ``"All Airports"`` means the city's whole area; otherwise a city's name means the city's
    airports, of the state that is named if one is.
    """
    upper = text.upper()
    if "ALL AIRPORTS" not in upper:
        for code in (*re.findall(r"\(([A-Z]{3})\b", upper), upper.strip()):
            if code in airports():
                return frozenset((code,))
            if metro(code):
                return metro(code)
    named = [airport for airport in airports().values() if airport.city.upper() in upper]
    states = set(re.findall(r"(?<![A-Z])[A-Z]{2}(?![A-Z])", upper))
    of_state = [airport for airport in named if airport.state in states] or named
    if "ALL AIRPORTS" in upper and of_state:
        return frozenset().union(*(area(airport.code) for airport in of_state))
    return frozenset(airport.code for airport in of_state)
