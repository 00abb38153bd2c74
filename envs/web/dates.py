"""Dates as pages show them and people write them."""

import re
from datetime import date
from functools import lru_cache

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

MONTH_NUMBERS = {name.lower(): number for number, name in enumerate(MONTHS, 1)}
"""Numbers of months, 1 to 12, by their names in lower case."""

_BY_START = {name[:3]: number for name, number in MONTH_NUMBERS.items()}


@lru_cache(maxsize=1 << 14)
def read_date(text: str) -> date | None:
    """The date of a text, as ``3/6/2017``, ``2017-03-06`` or ``March 6, 2017``; else ``None``."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    named = [month for month in re.findall(r"[a-z]{3}", text.lower()) if month in _BY_START]
    try:
        if named and len(numbers) == 2:
            return date(numbers[1], _BY_START[named[0]], numbers[0])
        if len(numbers) == 3 and numbers[0] > 31:
            return date(*numbers)
        if len(numbers) == 3:
            return date(numbers[2], numbers[0], numbers[1])
    except ValueError:
        return None  # no such day
    return None
