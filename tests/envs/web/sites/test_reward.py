"""Requests that humans really sent count as right, junk as nothing."""

import pytest

from envs.web.sites.airports import airports, meant
from envs.web.sites.reward import agreement

KINDS = {"from": "airport", "to": "airport", "depart": "date", "return": "date"}
HUMAN = (
    ("from", "New York, NY (All Airports)"),
    ("to", "Portland, OR (PDX-Portland Intl.)"),
    ("depart", "3/2/2017"),
    ("return", "3/24/2017"),
    ("cabin", "Coach"),
)


def changed(**changes):
    return tuple((key, changes.get(key, value)) for key, value in HUMAN)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"from": "New York, NY (JFK-Kennedy)"},
        {"from": "NYC"},
        {"to": "pdx"},
        {"to": " Portland,  or (PDX) "},
        {"depart": "03/02/2017", "return": "2017-03-24"},
        {"depart": "March 2, 2017"},
        {"cabin": "COACH"},
    ],
)
def test_other_ways_to_write_the_same_are_right(changes):
    outcome = agreement(changed(**changes), HUMAN, KINDS)
    assert outcome.is_success
    assert outcome.score == 1


@pytest.mark.parametrize(
    ("changes", "key", "score"),
    [
        ({"depart": "3/3/2017"}, "depart", 0.5),
        ({"depart": "4/2/2017"}, "depart", 0),
        ({"to": "Portland, ME (PWM-Intl. Jet Port)"}, "to", 0),
        ({"from": "San Diego, CA (SAN)"}, "from", 0),
        ({"cabin": "First"}, "cabin", 0),
    ],
)
def test_errors_cost_what_they_should(changes, key, score):
    outcome = agreement(changed(**changes), HUMAN, KINDS)
    assert not outcome.is_success
    assert outcome.report[key] == score
    assert outcome.score == pytest.approx((4 + score) / 5)


@pytest.mark.parametrize("one", ["JFK", "LGA", "New York, NY (JFK-Kennedy)", "EWR"])
def test_all_airports_counts_as_any_one_of_them_and_the_other_way_round(one):
    every = "New York, NY (All Airports)"
    for sent, wanted in ((every, one), (one, every), ("NYC", one)):
        assert agreement((("from", sent),), (("from", wanted),), KINDS).is_success
    assert not agreement((("from", every),), (("from", "BOS"),), KINDS).score


def test_a_value_that_is_as_right_as_the_humans_counts_where_it_stands_alone():
    equal = {"to": "PWM"}
    for value, score in (("PWM", 1), ("PDX", 1), ("DEN", 0), ("", 0)):
        outcome = agreement((("to", value),), (("to", "PDX"),), KINDS, equal=equal)
        assert (outcome.score, outcome.is_success) == (score, score == 1)
    assert not agreement((("from", "PWM"),), (("from", "PDX"),), KINDS, equal=equal).score


def test_another_airport_of_the_area_is_half_right():
    outcome = agreement((("from", "LGA"),), (("from", "JFK"),), KINDS)
    assert outcome.report == {"from": 0.5}


def test_junk_and_constants_earn_nothing():
    junk = [(key, "xyzzy") for key, _ in HUMAN] + [("token", "a"), ("SourcePage", "Search")]
    assert agreement(junk, HUMAN, KINDS).score == 0
    assert agreement((), HUMAN, KINDS).score == 0
    assert not agreement((), (), KINDS).is_success


def test_every_airport_is_meant_by_its_code_and_city():
    for code, airport in airports().items():
        assert code in meant(f"{airport.city}, {airport.state} ({code}-Somewhere)")
        assert code in meant(f"{airport.city}, {airport.state}")
    assert meant("Portland") == {"PDX", "PWM"}
    assert meant("WAS") == {"BWI", "DCA", "IAD"}
    assert meant("nowhere at all") == frozenset()
