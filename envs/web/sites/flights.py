"""The flights that a site offers for a route and a day."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

import numpy as np

from hardware_sim.errors import choose

OFFERS = 5
PREFERENCES = ("cheapest", "earliest", "latest", "nonstop")
"""Flights that an instruction may ask for; each names exactly one of an offer."""


class Flight(NamedTuple):
    """A flight on offer.

    Attributes:
        number: Number, as ``"GW 1204"``; unique in an offer.
        departs: Minutes after midnight; unique in an offer.
        minutes: Duration.
        stops: Stops on the way; one flight of an offer has none.
        price: In dollars, for one person; unique in an offer.
    """

    number: str
    departs: int
    minutes: int
    stops: int
    price: int


@lru_cache(maxsize=1 << 12)
def offer(origin: str, destination: str, day: str) -> tuple[Flight, ...]:
    """The flights of a route and a day, in the order of their departure, the same at any time.

    Args:
        origin: Codes of the airports of departure, joined by commas.
        destination: Codes of the airports of arrival, joined by commas.
        day: Day of departure, ``YYYY-MM-DD``.
    """
    random = np.random.default_rng(crc32(f"{origin}>{destination}@{day}".encode()))
    numbers = random.choice(np.arange(100, 2000), OFFERS, replace=False)
    departures = np.sort(random.choice(np.arange(72, 264), OFFERS, replace=False)) * 5
    prices = random.choice(np.arange(89, 640), OFFERS, replace=False)
    direct = int(random.integers(OFFERS))
    return tuple(
        Flight(
            f"GW {numbers[i]}",
            int(departures[i]),
            int(random.integers(75, 330)),
            0 if i == direct else int(random.integers(1, 3)),
            int(prices[i]),
        )
        for i in range(OFFERS)
    )


def preferred(flights: Sequence[Flight], preference: str) -> Flight:
    """The flight that an instruction asks for.

    Raises:
        InputError: An unknown preference.
    """
    choose("preference", preference, PREFERENCES)
    if preference == "cheapest":
        return min(flights, key=lambda flight: flight.price)
    if preference == "nonstop":
        return next(flight for flight in flights if flight.stops == 0)
    return flights[0 if preference == "earliest" else -1]


def clock(minutes: int) -> str:
    """A time of day, as ``"8:15 AM"``."""
    hours, rest = divmod(minutes % 1440, 60)
    return f"{(hours - 1) % 12 + 1}:{rest:02} {'AM' if hours < 12 else 'PM'}"
