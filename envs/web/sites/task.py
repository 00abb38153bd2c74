"""Booking a flight on one of the sites."""

from functools import partial
from typing import Any

import numpy as np

from envs.web.application import Instance, Outcome, Request
from envs.web.dates import read_date
from envs.web.document import Pairs
from envs.web.sites.application import BOOK, FlightApplication, untouched
from envs.web.sites.declaration import Site, load_site
from envs.web.sites.flights import preferred
from envs.web.sites.form import SIZE
from envs.web.sites.instructions import NAMES, Wish, generate
from envs.web.sites.recordings import ENDS, Booked, bookings, followed, settled
from envs.web.sites.reward import agreement
from envs.web.twin_widgets import written_date
from hardware_sim.errors import InputError, choose

SOURCES = ("generated", "recorded", "formwob")


class FlightTask:
    """Books flights as instructed; an episode ends with the booking's POST.

    Options of an instance: ``split``, one of ``splits``, and ``source``: ``"generated"``, or
    ``"recorded"`` for the instructions and human answers of the original World of Bits, which the
    sites ``alaska`` and ``aa`` have, without the split ``"unseen-pair"``.

    Answers that contradict their instruction are left out, see :mod:`envs.web.sites.recordings`.
    Where a name means several places, the site suggests first what it means to people on that
    site, as the split train shows, and that is as right as what the person booked. The source
    ``"formwob"`` has every answer and neither of these; results of it replay.

    Args:
        site: Name of a site.
    """

    size = SIZE
    max_steps = 80
    splits: tuple[str, ...] = ("train", "test", "unseen-pair")

    def __init__(self, site: str) -> None:
        self.site = load_site(site)

    def instance(self, random: np.random.Generator, options: dict[str, Any]) -> Instance:
        """Draws an instance.

        Raises:
            InputError: An unknown option, split or source, or one that the site lacks.
        """
        for name in options:
            choose("option", name, ("split", "source"))
        split = choose("split", options.get("split", "train"), self.splits)
        source = choose("source", options.get("source", "generated"), SOURCES)
        token = random.bytes(8).hex()
        profile = self._profile(random)
        names: dict[str, str] = {}
        if source == "generated":
            wish = generate(random, split)
            answer = pairs(self.site, wish)
        else:
            wish, answer = self._recorded(random, split, source)
            names = settled(self.site.name) if source == "recorded" else names
        kept = tuple((key, value) for key, value in profile if key not in dict(answer))
        application = FlightApplication(self.site, token, kept, frozenset(names.values()))
        before, equal = untouched(self.site, ()), self._equal(wish, names)
        judged = partial(judge, answer, self.site.kinds(), before, equal)
        return Instance(wish.text, wish.fields, application, answer, judged, split=split)

    def _profile(self, random: np.random.Generator) -> tuple[tuple[str, str], ...]:
        """The passenger's values that the site has already, where the instruction gives none."""
        first, last = (NAMES[name][random.integers(len(NAMES[name]))] for name in ("first", "last"))
        known = {"first name": first, "last name": last}
        known["email"] = f"{first}.{last}@example.org".lower()
        return tuple((self.site.key(concept), value) for concept, value in known.items())

    def _equal(self, wish: Wish, names: dict[str, str]) -> dict[str, str]:
        """By key, the value that a site has for the name of a place."""
        ends = [(concept, names.get(wish.meaning[concept])) for concept in ENDS]
        return {
            self.site.key(concept): self.site.airport(code)[0] for concept, code in ends if code
        }

    def _recorded(
        self, random: np.random.Generator, split: str, source: str
    ) -> tuple[Wish, tuple[tuple[str, str], ...]]:
        known = followed if source == "recorded" else bookings
        rows: list[Booked] = [row for row in known(self.site.name) if row.split == split]
        if not rows:
            raise InputError(
                f"{self.site.name} has no recorded instructions of the split {split!r}; "
                "allowed: the splits train and test of the sites alaska and aa"
            )
        chosen = rows[random.integers(len(rows))]
        return chosen.wish, chosen.answer


def pairs(site: Site, wish: Wish) -> tuple[tuple[str, str], ...]:
    """The pairs of a site's request that a wish determines."""
    found: dict[str, str] = {}
    for concept, value in wish.meaning.items():
        key = site.key(concept)
        if concept in ("from", "to"):
            found[key] = site.airport(value)[0]
        elif concept in ("depart", "return"):
            day = read_date(value)
            assert day is not None
            found[key] = written_date(day, site.date_format)
        elif concept == "flight":
            continue
        else:
            options = site.field(concept).options
            found[key] = next((sent for meant, sent, _ in options if meant == value), value)
    if "flight" in wish.meaning:
        flights = FlightApplication(site, "").flights(found)
        found[site.key("flight")] = preferred(flights, wish.meaning["flight"]).number
    return tuple(found.items())


def judge(
    answer: Pairs,
    kinds: dict[str, str],
    before: dict[str, str],
    equal: dict[str, str],
    log: list[Request],
) -> Outcome | None:
    """Compares the first booking with the human's answer, once there is one."""
    for request in log:
        if request.method == "POST" and request.path == BOOK:
            return agreement(request.form, answer, kinds, before, equal)
    return None
