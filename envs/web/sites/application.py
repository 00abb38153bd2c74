"""A flight-booking site's server: search, results, passenger, review, booking."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from envs.web.application import Request, Response
from envs.web.dates import read_date
from envs.web.document import Box, Document, Node, Pairs
from envs.web.sites.airports import airports, meant, metro
from envs.web.sites.declaration import AREA_NAMES, Field, Site
from envs.web.sites.flights import Flight, clock, offer
from envs.web.sites.form import FIRST_DAY, INNER, LAST_DAY, MARGIN, SUGGESTIONS, Form
from envs.web.widgets import depends

BOOK = "book"
"""Path of the request that ends a booking."""


@dataclass(frozen=True)
class FlightApplication:
    """One visit to a site.

    Every page carries what was entered before in hidden inputs, as sites without a session do.

    Attributes:
        site: The site.
        token: Value of the site's hidden token; forms without it are refused.
        profile: Values of fields about the passenger that are already filled in, by key.
        settled: Codes of airports and areas that are suggested before others of the same name.
    """

    site: Site
    token: str
    profile: tuple[tuple[str, str], ...] = ()
    settled: frozenset[str] = frozenset()

    def respond(self, request: Request) -> Response:
        """Answers a request."""
        if request.method == "GET":
            return self._get(request)
        values = dict(request.form)
        if values.get(self.site.token_name) != self.token:
            return Response(self._search({}, ["Your session has ended. Start again."]), status=403)
        return self._post(request.path, values)

    def _get(self, request: Request) -> Response:
        if request.path == "":
            return Response(self._search({}, []))
        if request.path == "suggest":
            return Response(json=self.suggestions(dict(request.query).get("q", "")))
        about = re.fullmatch(r"about/(\d)", request.path)
        if about and int(about[1]) < len(self.site.links):
            return Response(_about(self.site, self.site.links[int(about[1])]))
        return Response(_about(self.site, "Page not found"), status=404)

    def _post(self, path: str, values: dict[str, str]) -> Response:
        errors = self._search_errors(values)
        if errors and path in ("results", "passenger", "review", BOOK):
            return Response(self._search(values, errors))
        flights = self.flights(values) if not errors else ()
        chosen = next((f for f in flights if f.number == values.get(self.site.flight_name)), None)
        if path == "results":
            return Response(self._results(values, flights, []))
        if path == "passenger":
            if chosen is None:
                return Response(self._results(values, flights, ["Choose a flight."]))
            return Response(self._passenger(values | dict(self.profile), []))
        if path in ("review", BOOK) and chosen is not None:
            wrong = self._passenger_errors(values)
            if wrong:
                return Response(self._passenger(values, wrong))
            if path == "review":
                return Response(self._review(values, chosen))
            return Response(_about(self.site, "Thank you. Your flight is booked."))
        return Response(_about(self.site, "Page not found"), status=404)

    def suggestions(self, query: str) -> list[list[str]]:
        """Value and text of the airports and areas that a text may mean, the best first.

        Every word of the query must begin a word of the name, the state or the code. First are
        those whose code is asked for, then those that are settled, then areas.
        """
        return [list(self.site.airport(code)) for code in _suggested(query, self.settled)]

    def flights(self, values: dict[str, str]) -> tuple[Flight, ...]:
        """The flights on offer for a search."""
        start, end = (
            ",".join(sorted(meant(values[self.site.key(concept)]))) for concept in ("from", "to")
        )
        return offer(start, end, str(read_date(values[self.site.key("depart")])))

    def _search_errors(self, values: dict[str, str]) -> list[str]:
        """The errors of a search, as a page shows them; at most three."""
        site = self.site
        errors = [
            f"{site.field(concept).label}: choose an airport from the list."
            for concept in ("from", "to")
            if not meant(values.get(site.key(concept), ""))
        ]
        if not errors and values[site.key("from")] == values[site.key("to")]:
            errors.append("Choose two different airports.")
        dates = ["depart"]
        trip = site.field("trip")
        if values.get(trip.name) == trip.options[0][1]:
            dates.append("return")
        days = []
        for concept in dates:
            day = read_date(values.get(site.key(concept), ""))
            if day is None or not FIRST_DAY <= day.isoformat() <= LAST_DAY:
                errors.append(f"{site.field(concept).label}: choose a day in 2017 from March 1.")
            else:
                days.append(day)
        if len(days) == 2 and days[1] < days[0]:
            errors.append("The return is before the departure.")
        return errors[:3]

    def _passenger_errors(self, values: dict[str, str]) -> list[str]:
        errors = []
        for field in self.site.passenger_fields:
            value = values.get(field.name, "").strip()
            if field.concept and not value:
                errors.append(f"{field.label} is missing.")
            elif field.concept == "email" and not re.fullmatch(r"\S+@\S+\.\S+", value):
                errors.append(f"{field.label} must be as name@example.com.")
        return errors[:3]

    def _search(self, values: dict[str, str], errors: list[str]) -> Document:
        shown = [(field.name, values.get(field.name)) for field in self.site.search_fields]
        kept = tuple((name, value) for name, value in shown if value is not None)
        page = _search_page(self.site, kept, tuple(errors))
        return page.with_value(self.site.token_name, self.token)

    def _results(
        self, values: dict[str, str], flights: tuple[Flight, ...], errors: list[str]
    ) -> Document:
        site = self.site
        form = _form(self.site, "results", values, errors)
        _carry(form, values, {site.flight_name})
        for place, flight in enumerate(flights):
            self._offer(form, place, flight)
        if site.flight_choice == "radio":
            form.submit(site.words["results.submit"])
        return form.document("passenger")

    def _offer(self, form: Form, place: int, flight: Flight) -> None:
        """One flight of the results, in two lines."""
        site, top = self.site, form.top
        line = MARGIN + INNER
        stops = (
            "Nonstop" if flight.stops == 0 else f"{flight.stops} stop" + "s" * (flight.stops > 1)
        )
        arrives = clock(flight.departs + flight.minutes)
        form.nodes += [
            Node("span", Box(MARGIN, top, 76, 18), text=clock(flight.departs), classes="time"),
            Node("span", Box(MARGIN + 80, top, 100, 18), text=f"to {arrives}", classes="arrival"),
            Node("span", Box(MARGIN + 190, top, 64, 18), text=stops, classes="stops"),
            Node("span", Box(MARGIN, top + 22, 120, 18), text=flight.number, classes="number"),
        ]
        price, button = f"${flight.price}", Box(line - 84, top, 84, 40)
        choice = f"offer{place}"
        if site.flight_choice == "price":
            form.nodes.append(
                Node(
                    "button",
                    button,
                    id=choice,
                    text=price,
                    type="submit",
                    name=site.flight_name,
                    value=flight.number,
                    classes="price",
                )
            )
        else:
            where = Box(MARGIN + 190, top + 22, 64, 18)
            form.nodes.append(Node("span", where, text=price, classes="price"))
        if site.flight_choice == "button":
            form.nodes.append(
                Node(
                    "button",
                    button,
                    id=choice,
                    text=site.words["results.choose"],
                    type="submit",
                    name=site.flight_name,
                    value=flight.number,
                )
            )
        elif site.flight_choice == "radio":
            form.nodes += [
                Node(
                    "input",
                    Box(line - 84, top + 12, 16, 16),
                    id=choice,
                    type="radio",
                    name=site.flight_name,
                    value=flight.number,
                    label=site.words["results.choose"],
                ),
                Node(
                    "label",
                    Box(line - 64, top + 12, 60, 16),
                    text=site.words["results.choose"],
                    label_for=choice,
                ),
            ]
        form.top += 56

    def _passenger(self, values: dict[str, str], errors: list[str]) -> Document:
        form = _form(self.site, "passenger", values, errors)
        _carry(form, values, {field.name for field in self.site.passenger_fields})
        _fields(form, self.site.passenger_fields)
        form.submit(self.site.words["passenger.submit"])
        return form.document("review")

    def _review(self, values: dict[str, str], flight: Flight) -> Document:
        form = _form(self.site, "review", values, [])
        _carry(form, values, set())
        for field in self.site.fields:
            if field.concept and values.get(field.name):
                form.text("p", f"{field.label}: {_shown(self.site, field, values[field.name])}")
        form.text("p", f"Flight {flight.number}, {clock(flight.departs)}, ${flight.price}")
        form.submit(self.site.words["review.submit"])
        form.nodes.append(Node("a", Box(MARGIN, form.top, 160, 18), text="Start again", href="./"))
        return form.document(BOOK)


@lru_cache(maxsize=1 << 8)
def _search_page(
    site: Site, values: tuple[tuple[str, str], ...], errors: tuple[str, ...]
) -> Document:
    """A site's first page, but for the token."""
    form = _form(site, "search", dict(values), errors)
    for name, value in site.hidden:
        form.hidden(name, value)
    dates = _fields(form, site.search_fields)
    form.submit(site.words["search.submit"])
    form.calendar(dates)
    trip, back = site.field("trip"), site.search_fields.index(site.field("return"))
    ids = [f"f{back}", f"f{back}-label"]
    form.widgets.append(depends(trip.name, trip.options[0][1], ids))
    return form.document("results")


@lru_cache(maxsize=1 << 8)
def _about(site: Site, title: str) -> Document:
    """A page with nothing but its title."""
    form = Form(site, "search", {})
    form.nodes[-1].text = title
    form.nodes.append(Node("a", Box(MARGIN, form.top, 200, 18), text="Book a trip", href="./"))
    return form.document("results")


def _form(site: Site, page: str, values: dict[str, str], errors: Sequence[str]) -> Form:
    form = Form(site, page, values)
    for error in errors:
        form.text("p", error, "error")
    return form


def _fields(form: Form, fields: tuple[Field, ...]) -> list[tuple[str, str]]:
    """Lays out fields; returns the calendar's inputs with their codes."""
    for number, field in enumerate(fields):
        form.field(field, number)
    return [
        (f"f{number}", f"f{number}-code")
        for number, field in enumerate(fields)
        if field.widget == "calendar"
    ]


def _carry(form: Form, values: dict[str, str], but: set[str]) -> None:
    """Repeats what was entered on the pages before."""
    for name, value in values.items():
        if name not in but:
            form.hidden(name, value)


def untouched(site: Site, profile: Pairs) -> dict[str, str]:
    """Values that fields send if nobody changes them, by key."""
    return {field.name: field.default for field in site.fields if field.options} | dict(profile)


@lru_cache(maxsize=1 << 14)
def _suggested(query: str, settled: frozenset[str]) -> tuple[str, ...]:
    """Codes of the places that a query may mean, the best first."""
    asked = re.findall(r"[a-z0-9.]+", query.lower())
    if not asked:
        return ()
    found = frozenset.intersection(*(_beginnings().get(part, frozenset()) for part in asked))
    best = sorted(
        (code.lower() not in asked, code not in settled, code not in AREA_NAMES, code)
        for code in found
    )
    return tuple(code for *_, code in best[:SUGGESTIONS])


@cache
def _beginnings() -> dict[str, frozenset[str]]:
    """Codes of the airports and areas by each beginning of a word of their names or codes."""
    places = {code: name for code, name in AREA_NAMES.items() if metro(code)}
    places |= {airport.code: f"{airport.city}, {airport.state}" for airport in airports().values()}
    found: dict[str, set[str]] = {}
    for code, name in places.items():
        for word in (*name.lower().replace(",", "").split(), code.lower()):
            for end in range(1, len(word) + 1):
                found.setdefault(word[:end], set()).add(code)
    return {part: frozenset(codes) for part, codes in found.items()}


def _shown(site: Site, field: Field, value: str) -> str:
    """A value as a person reads it."""
    if field.widget == "airport":
        return site.airport_text_of(value)
    return next((text for _, sent, text in field.options if sent == value), value)
