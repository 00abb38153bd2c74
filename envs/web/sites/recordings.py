"""Recorded bookings of a site: those that contradict their instruction, and meanings of names.

People followed one instruction in several ways, and now and then none. A booking that contradicts
its instruction is no answer to it. Where a city's name means several airports, a site offers one of
them first; which one, the bookings of its split train show.
"""

from collections import Counter
from functools import cache
from typing import NamedTuple

from envs.web.dates import read_date
from envs.web.sites.airports import meant
from envs.web.sites.declaration import AREA_NAMES, Site, load_site
from envs.web.sites.instructions import Wish, recorded

ENDS = ("from", "to")


class Booked(NamedTuple):
    """An instruction with the booking of the person who followed it.

    Attributes:
        wish: The instruction.
        answer: Pairs of the person's request, those that an instruction determines.
        split: ``"train"`` or ``"test"``.
    """

    wish: Wish
    answer: tuple[tuple[str, str], ...]
    split: str


@cache
def bookings(name: str) -> tuple[Booked, ...]:
    """The recorded bookings of a site, all of them; ``()`` where there are none."""
    return tuple(Booked(*row) for row in recorded(name))


def contradictions(site: Site, booked: Booked) -> tuple[str, ...]:
    """The concepts in which a booking is not what its instruction asks for.

    A place contradicts if none of its airports is one that the instruction's name may mean, a date
    if it is another day, a choice if it is another one.
    """
    sent = dict(booked.answer)
    return tuple(
        concept
        for concept, text in booked.wish.meaning.items()
        if not _follows(site, concept, text, sent.get(site.key(concept), ""))
    )


def _follows(site: Site, concept: str, text: str, value: str) -> bool:
    if concept in ENDS:
        return bool(meant(text) & meant(value))
    if concept in ("depart", "return"):
        return read_date(text) == read_date(value)
    untouched = site.field(concept).default
    means = {sent: meaning for meaning, sent, _ in site.field(concept).options}
    return means.get(value or untouched) == text


@cache
def followed(name: str) -> tuple[Booked, ...]:
    """The recorded bookings of a site that do as their instructions say."""
    site = load_site(name)
    return tuple(each for each in bookings(name) if not contradictions(site, each))


@cache
def settled(name: str) -> dict[str, str]:
    """The code of the airport or area that each name of a place means on a site.

    It is what most people booked who were given the name, in the split train.
    """
    site = load_site(name)
    counts: dict[str, Counter[str]] = {}
    for wish, answer, split in followed(name):
        for concept in ENDS if split == "train" else ():
            code = _code(dict(answer)[site.key(concept)])
            counts.setdefault(wish.meaning[concept], Counter())[code] += 1
    return {place: count.most_common(1)[0][0] for place, count in sorted(counts.items())}


def _code(value: str) -> str:
    """The code of the airport, or of the area as a whole, that a value means."""
    airports = meant(value)
    area = (code for code in AREA_NAMES if len(airports) > 1 and meant(code) == airports)
    return next(area, min(airports))
