"""Recorded bookings: those that contradict their instruction, and names that a site settles."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from agents.loading import load_agent
from agents.rollout import ending
from envs.web.application import Request
from envs.web.sites import recordings
from envs.web.sites.application import BOOK
from envs.web.sites.declaration import load_site
from envs.web.sites.recordings import Booked, bookings, contradictions, followed, settled
from envs.web.sites.task import FlightTask
from experiments.web.recordings import counts

PAGE = Path(__file__).parents[4] / "experiments" / "web" / "page.md"
RECORDED = {"source": "recorded", "split": "test"}


def changed(concept, value, place=0):
    """A booking of the AA site whose person sent another value."""
    site, booked = load_site("aa"), followed("aa")[place]
    answer = tuple((k, value if k == site.key(concept) else v) for k, v in booked.answer)
    return contradictions(site, booked._replace(answer=answer))


@pytest.mark.parametrize(
    ("concept", "value", "found"),
    [
        ("from", "JFK", ()),
        ("from", "New York, NY (All Airports)", ()),
        ("from", "DEN", ("from",)),
        ("to", "", ("to",)),
        ("depart", "2017-03-06", ()),
        ("depart", "04/06/2017", ("depart",)),
        ("return", "", ("return",)),
    ],
)
def test_what_contradicts_an_instruction(concept, value, found):
    assert followed("aa")[0].wish.meaning["from"] == "New York"
    assert changed(concept, value) == found


def test_a_one_way_booking_of_a_round_trip_contradicts():
    site, (booked, *_) = load_site("alaska"), followed("alaska")
    answer = tuple((k, "OneWay" if v == "RoundTrip" else v) for k, v in booked.answer)
    assert contradictions(site, booked._replace(answer=answer)) == ("trip",)


def test_the_page_says_how_many_contradict():
    page = " ".join(PAGE.read_text().split())
    for site, total in (("aa", 74), ("alaska", 75)):
        found = counts(site)
        against = sum(wrong for _, wrong in found.values())
        assert sum(every for every, _ in found.values()) == total
        assert f"{against} of the {total} " in page


def test_names_are_settled_by_the_split_train_alone(monkeypatch):
    assert (settled("aa")["Dallas"], settled("alaska")["Dallas"]) == ("DFW", "DAL")
    assert settled("aa")["New York"] == settled("alaska")["New York"] == "NYC"
    assert settled("united") == {}
    site = load_site("aa")

    def elsewhere(booked: Booked) -> Booked:
        answer = [(key, "DAL" if value == "DFW" else value) for key, value in booked.answer]
        return booked._replace(answer=tuple(answer))

    table = [elsewhere(b) if b.split == "test" else b for b in bookings("aa")]
    monkeypatch.setattr(recordings, "bookings", lambda name: table)
    assert {dict(b.answer)[site.key("to")] for b in table if b.split == "test"} >= {"DAL"}
    for of in (followed, settled):
        of.cache_clear()
    assert settled("aa")["Dallas"] == "DFW"
    for of in (followed, settled):
        of.cache_clear()


@pytest.mark.parametrize(("source", "first"), [("recorded", "DFW"), ("formwob", "DAL")])
def test_a_site_suggests_what_its_names_mean(source, first):
    options = {"source": source}
    application = FlightTask("aa").instance(np.random.default_rng(0), options).application
    assert application.suggestions("Dallas")[0][0] == first
    assert application.suggestions("Dallas (DAL)")[0][0] == "DAL"


def test_no_recording_that_contradicts_is_drawn():
    task, site = FlightTask("aa"), load_site("aa")
    wrong = {b.wish.text for b in bookings("aa") if contradictions(site, b)}
    drawn = {
        source: {
            task.instance(np.random.default_rng(seed), {"source": source}).instruction
            for seed in range(300)
        }
        for source in ("recorded", "formwob")
    }
    assert drawn["formwob"] & wrong
    assert not drawn["recorded"] & wrong


def test_what_a_name_means_on_the_site_is_as_right_as_what_the_person_booked():
    task, site = FlightTask("alaska"), load_site("alaska")
    key, oregon, denver = site.key("to"), site.airport("PDX")[0], site.airport("DEN")[0]
    found = {}
    for source in ("recorded", "formwob"):
        draws = (
            task.instance(np.random.default_rng(seed), {"source": source, "split": "test"})
            for seed in range(300)
        )
        maine = next(one for one in draws if "ME (PWM" in str(one.answer))
        assert "Portland" in maine.instruction
        for value in (dict(maine.answer)[key], oregon, denver):
            form = tuple((k, value if k == key else v) for k, v in maine.answer)
            outcome = maine.judge([Request("POST", BOOK, (), form)])
            found[source, value] = outcome.report[key]
    assert [found["recorded", v] for _, v in list(found)[:3]] == [1, 1, 0]
    assert [found["formwob", v] for _, v in list(found)[3:]] == [1, 0, 0]


@pytest.mark.parametrize("site", ["AA", "Alaska"])
@pytest.mark.parametrize("agent", ["expert", "pretrained"])
def test_recorded_flights_are_booked(site, agent):
    env = gym.make(f"envs:WoB-{site}-v0", backend="twin")
    player = load_agent(agent, env)
    ends = [ending(env, player, seed, options=RECORDED).info for seed in range(12)]
    env.close()
    assert all(info["is_success"] for info in ends)
