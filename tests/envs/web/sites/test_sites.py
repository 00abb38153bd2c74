"""The flight sites: what they ask, refuse, offer and take."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.web.application import Recorder, Request
from envs.web.dates import read_date
from envs.web.sites.airports import airports, meant
from envs.web.sites.application import BOOK, FlightApplication, untouched
from envs.web.sites.declaration import AREA_NAMES, CONCEPTS, SITES, load_site
from envs.web.sites.flights import PREFERENCES, clock, offer, preferred
from envs.web.sites.instructions import _draw, generate, places, recorded, split_of
from envs.web.sites.reward import agreement
from envs.web.sites.task import FlightTask, pairs
from envs.web.sites.variation import _table, varied
from hardware_sim.errors import InputError

TOKEN = "secret"
seeds = st.integers(0, 2**32 - 1)


def random(seed=0):
    return np.random.default_rng(seed)


def booking(site, wish):
    """The whole request of a person who follows a wish and leaves the rest as it is."""
    values = untouched(site, ()) | dict(pairs(site, wish))
    for concept in ("first name", "last name"):
        values.setdefault(site.key(concept), "Kim")
    values.setdefault(site.key("email"), "kim@example.org")
    flights = FlightApplication(site, TOKEN).flights(values)
    values.setdefault(site.flight_name, flights[0].number)
    token = next(name for name, value in site.hidden if value == "token")
    return values | {token: TOKEN}


def post(site, path, values):
    request = Request("POST", path, (), tuple(values.items()))
    return FlightApplication(site, TOKEN).respond(request)


def texts(response):
    return [node.text for node in response.document.nodes]


@pytest.mark.parametrize("name", SITES)
def test_every_site_asks_for_every_concept(name):
    site = load_site(name)
    assert {field.concept for field in site.fields} - {""} == set(CONCEPTS) - {"flight"}
    keys = [field.name for field in site.fields] + [site.flight_name]
    assert len(set(keys)) == len(keys)


def test_unknown_sites_are_refused():
    with pytest.raises(InputError, match="united"):
        load_site("pan-am")


@pytest.mark.parametrize("name", SITES)
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_a_booking_goes_through_every_page(name, seed):
    site = load_site(name)
    wish = generate(random(seed), "train")
    values = booking(site, wish)
    for path, after in (("results", "passenger"), ("passenger", "review"), ("review", BOOK)):
        response = post(site, path, values)
        response.document.check()
        assert response.document.action == after
    assert "Thank you. Your flight is booked." in texts(post(site, BOOK, values))


@pytest.mark.parametrize("name", SITES)
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_the_answer_succeeds_and_junk_earns_next_to_nothing(name, seed):
    site = load_site(name)
    wish = generate(random(seed), "train")
    values, before = booking(site, wish), untouched(site, ())
    answer = pairs(site, wish)
    right = agreement(tuple(values.items()), answer, site.kinds(), before)
    assert right.is_success
    assert right.score == 1
    junk = values | dict.fromkeys(dict(answer), "junk") | before
    wrong = agreement(tuple(junk.items()), answer, site.kinds(), before)
    assert wrong.score == 0
    assert not wrong.is_success


def test_spoiling_what_was_right_costs():
    answer, before = (("from", "BOS"), ("adults", "1")), {"adults": "1"}
    kinds = {"from": "airport"}
    kept = agreement((("from", "BOS"), ("adults", "1")), answer, kinds, before)
    spoilt = agreement((("from", "BOS"), ("adults", "3")), answer, kinds, before)
    assert (kept.score, kept.is_success) == (1.0, True)
    assert (spoilt.score, spoilt.is_success) == (0.5, False)


@pytest.mark.parametrize("name", SITES)
@pytest.mark.parametrize(
    ("concept", "value", "reason"),
    [
        ("from", "", "choose an airport"),
        ("from", "Atlantis", "choose an airport"),
        ("depart", "", "choose a day"),
        ("depart", "2016-01-01", "choose a day"),
        ("return", "2017-03-02", "before the departure"),
    ],
)
def test_a_wrong_search_comes_back_with_the_reason(name, concept, value, reason):
    site = load_site(name)
    wish = next(w for w in (_draw(random(i)) for i in range(50)) if "return" in w.meaning)
    values = booking(site, wish) | {site.key("depart"): "2017-04-01"}
    response = post(site, "results", values | {site.key(concept): value})
    assert any(reason in text for text in texts(response))
    assert response.document.action == "results"
    shown = [node.value for node in response.document.nodes if node.name == site.key("to")]
    assert shown == [values[site.key("to")]]


@pytest.mark.parametrize("name", SITES)
def test_both_ends_must_differ_and_passengers_have_names(name):
    site = load_site(name)
    values = booking(site, _draw(random(3)))
    same = post(site, "results", values | {site.key("to"): values[site.key("from")]})
    assert "Choose two different airports." in texts(same)
    nameless = post(site, "review", values | {site.key("last name"): " "})
    assert f"{site.field('last name').label} is missing." in texts(nameless)
    bad = post(site, "review", values | {site.key("email"): "nowhere"})
    assert any("name@example.com" in text for text in texts(bad))
    no_flight = {key: value for key, value in values.items() if key != site.flight_name}
    assert "Choose a flight." in texts(post(site, "passenger", no_flight))


def test_a_form_without_the_token_is_refused():
    site = load_site("united")
    response = post(site, BOOK, booking(site, _draw(random())) | {"CartId": "guess"})
    assert response.status == 403


def test_unknown_pages_are_not_found():
    application = FlightApplication(load_site("aa"), TOKEN)
    for request in (Request("GET", "admin"), Request("GET", "about/7")):
        assert application.respond(request).status == 404


@pytest.mark.parametrize("name", SITES)
def test_what_an_instruction_names_is_suggested_first(name):
    site = load_site(name)
    application = FlightApplication(site, TOKEN)
    for code, text in places():
        assert application.suggestions(text)[0] == list(site.airport(code)), text
    assert application.suggestions("") == []
    assert application.suggestions("zzz") == []


@pytest.mark.parametrize("name", SITES)
def test_values_of_airports_mean_them(name):
    site = load_site(name)
    for code in (*airports(), *AREA_NAMES):
        value, text = site.airport(code)
        assert code in meant(value) or code in AREA_NAMES
        assert site.airport_text_of(value) == text


@given(seed=seeds, preference=st.sampled_from(PREFERENCES))
def test_a_preference_names_one_flight(seed, preference):
    flights = offer("BOS", "DEN", str(seed))
    assert flights == offer("BOS", "DEN", str(seed))
    assert len({f.price for f in flights}) == len({f.departs for f in flights}) == len(flights)
    chosen = preferred(flights, preference)
    best = {
        "cheapest": min(flights, key=lambda f: f.price),
        "earliest": min(flights, key=lambda f: f.departs),
        "latest": max(flights, key=lambda f: f.departs),
        "nonstop": min(flights, key=lambda f: f.stops),
    }
    assert chosen == best[preference]
    assert sum(f.stops == 0 for f in flights) == 1


def test_clocks_are_read_as_people_write_them():
    assert [clock(m) for m in (5, 720, 725, 1439)] == [
        "12:05 AM",
        "12:00 PM",
        "12:05 PM",
        "11:59 PM",
    ]


def test_splits_are_apart_and_of_the_right_size():
    wishes = [_draw(random(seed)) for seed in range(2000)]
    count = Counter(split_of(wish) for wish in wishes)
    assert 0.06 < count["unseen-pair"] / 2000 < 0.14
    assert 0.14 < count["test"] / 2000 < 0.22
    ends = {
        split: {(w.meaning["from"], w.meaning["to"]) for w in wishes if split_of(w) == split}
        for split in count
    }
    assert not ends["unseen-pair"] & (ends["train"] | ends["test"])


@pytest.mark.parametrize(("name", "rows"), [("aa", 74), ("alaska", 75), ("united", 0)])
def test_recorded_instructions_have_the_humans_answers(name, rows):
    table = recorded(name)
    assert len(table) == rows
    site = load_site(name)
    known = {field.name for field in site.fields}
    for wish, answer, split in table:
        assert set(dict(answer)) <= known
        assert split in ("train", "test")
        day = dict(answer)[site.key("depart")]
        assert read_date(day) is not None
        assert wish.meaning["from"] in wish.text


@pytest.mark.parametrize(
    ("name", "options", "allowed"),
    [
        ("united", {"split": "dev"}, "unseen-pair"),
        ("united", {"colour": "red"}, "source"),
        ("united", {"source": "formwob"}, "alaska"),
        ("aa", {"source": "formwob", "split": "unseen-pair"}, "train and test"),
        ("aa", {"source": "web"}, "formwob"),
    ],
)
def test_bad_options_name_what_is_allowed(name, options, allowed):
    with pytest.raises(InputError, match=allowed):
        FlightTask(name).instance(random(), options)


@pytest.mark.parametrize("source", ["generated", "recorded", "formwob"])
def test_judged_by_the_first_booking_alone(source):
    task = FlightTask("aa")
    instance = task.instance(random(5), {"source": source})
    recorder = Recorder(instance.application)
    recorder.respond(Request("GET", ""))
    assert instance.judge(recorder.log) is None
    recorder.respond(Request("POST", BOOK, (), instance.answer))
    recorder.respond(Request("POST", BOOK, (), ()))
    outcome = instance.judge(recorder.log)
    assert outcome.is_success
    assert set(outcome.report) == set(dict(instance.answer))


def labels(site):
    return {field.label for field in site.fields if field.concept}


@pytest.mark.parametrize("name", ["generic", "meridian"])
def test_sites_kept_for_transfer_speak_in_words_of_their_own(name):
    kept = labels(load_site(name))
    assert not any(kept & labels(load_site(other)) for other in set(SITES) - {name})
    drawn = {label for seed in range(300) for label in labels(varied(random(seed)))}
    assert len(drawn) > 100
    assert not kept & drawn


def test_drawn_sites_have_at_most_one_label_a_page_that_means_nothing():
    known = {label for row in _table()["labels"].values() for label in row}
    counts = [
        [sum(field.concept != "" and field.label not in known for field in page) for page in pages]
        for site in (varied(random(seed)) for seed in range(200))
        for pages in [(site.search_fields, site.passenger_fields)]
    ]
    assert {max(count) for count in counts} == {0, 1}
    assert 0.3 < np.mean(counts) < 0.5
