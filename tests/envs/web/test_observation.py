"""Numbers of actions and arrays of observations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.web import observation
from envs.web.actions import ACTIONS, CLICK, DROP, GRAB, MAX_FIELDS, TYPE, decode, encode
from envs.web.document import MAX_ELEMENTS
from envs.web.elements import (
    ELEMENT_FEATURES,
    MATCH_FEATURES,
    ElementEncoder,
    figure,
    match,
    word_ids,
)
from envs.web.observation import Encoder
from envs.web.snapshot import Row, Snapshot
from hardware_sim.errors import InputError

SIZE = (375, 667)
FIELDS = (("from", "Boston"), ("depart", "March 6, 2017"))


def row(tag="button", text="", **changes):
    plain = Row(
        tag=tag,
        type="",
        text=text,
        value="",
        left=10,
        top=20,
        width=30,
        height=40,
        checked=False,
        disabled=False,
        readonly=False,
        covered=False,
        draggable=False,
        options=(),
        classes="",
    )
    return plain._replace(**changes)


@pytest.fixture
def encoder():
    arrays = {
        key: np.zeros(part.shape, part.dtype)
        for key, part in observation.space(SIZE, pixels=False).items()
    }
    encoder = Encoder(arrays, SIZE)
    encoder.begin("Fly from Boston on March 6.", FIELDS)
    return encoder


def show(encoder, rows, focus=-1, held=-1, changed=None):
    encoder.update(Snapshot("", "", rows, focus, held, changed))
    return encoder.arrays


@given(st.integers(0, ACTIONS - 1))
def test_every_number_means_one_action(number):
    assert encode(decode(number)) == number


@pytest.mark.parametrize("number", [-1, ACTIONS])
def test_other_numbers_are_refused(number):
    with pytest.raises(InputError, match="does not exist"):
        decode(number)


def test_masks_follow_what_an_element_takes(encoder):
    rows = [
        row(text="Search"),
        row("input", type="text"),
        row("select", options=("Boston", "Denver")),
        row(text="under", covered=True),
        row("li", text="card", draggable=True),
        row("input", type="text", readonly=True),
        None,
    ]
    mask = show(encoder, rows)["action_mask"]
    assert mask[CLICK : CLICK + 7].tolist() == [1, 1, 1, 0, 1, 1, 0]
    assert mask[GRAB : GRAB + 7].tolist() == [0, 0, 0, 0, 1, 0, 0]
    assert not mask[DROP : DROP + MAX_ELEMENTS].any()
    typing = mask[TYPE:GRAB].reshape(MAX_ELEMENTS, -1)
    assert typing[1, :3].tolist() == [1, 1, 0]
    assert typing[2, :3].tolist() == [1, 0, 0]
    assert typing[[0, 3, 4, 5, 6]].sum() == 0


def test_only_drops_are_legal_while_something_is_held(encoder):
    rows = [row(text="Search"), row("li", text="card", draggable=True)]
    show(encoder, rows)
    mask = show(encoder, rows, held=1, changed=set())["action_mask"]
    assert mask[DROP : DROP + 3].tolist() == [1, 1, 0]
    assert mask.sum() == 2
    released = show(encoder, rows, changed=set())["action_mask"]
    assert released[CLICK] == 1
    assert not released[DROP]


def test_changed_rows_give_what_a_whole_encoding_gives(encoder):
    rows = [row(text="$200"), row(text="$150"), row("input", type="text")]
    show(encoder, rows, focus=2)
    rows[1] = row(text="$250")
    partly = {k: v.copy() for k, v in show(encoder, rows, focus=1, changed={1}).items()}
    encoder.begin("Fly from Boston on March 6.", FIELDS)
    whole = show(encoder, rows, focus=1)
    for key, array in partly.items():
        assert np.array_equal(array, whole[key]), key
    lowest = ELEMENT_FEATURES.index("lowest")
    assert whole["elements"][:3, lowest].tolist() == [1, 0, 0]


def test_match_compares_texts_days_and_months():
    def found(text, field, value=""):
        flags = match(text, value, field)
        return {name for name, flag in zip(MATCH_FEATURES, flags, strict=True) if flag}

    assert found("Boston, MA (BOS)", "Boston") == {"contains", "shares a word", "all words"}
    assert found("New York, NY (LGA)", "New York (JFK)") == {"shares a word"}
    assert "all words" in found("New York, NY (JFK)", "New York (JFK)")
    assert "same day" in found("6", "March 6, 2017")
    assert "same day" not in found("16", "March 6, 2017")
    assert "same month" in found("March 2017", "March 6, 2017")
    assert found("", "Boston", value="Boston") == {"value equal", "value all words"}
    assert found("Depart", "March 6, 2017", value="03/06/2017") == {"value equal"}
    assert found("Depart", "March 7, 2017", value="03/06/2017") == set()
    assert found("Cabin", "first class", value="First") == {"value equal"}
    assert found("Boston", "") == set()
    assert found("less apples", "3", value="5") == {"above"}
    assert found("2", "3") == {"below"}
    assert found("3", "3") == {"equal", "contains", "shares a word", "all words"}
    assert found("April 2017", "March 6, 2017") == {"shares a word", "above"}


@given(
    st.sampled_from(["March 2017", "6", "Boston, MA", "Depart", "", "3"]),
    st.sampled_from(["", "03/06/2017", "2", "Boston", "First"]),
    st.lists(st.sampled_from(["Boston", "March 6, 2017", "3", "first class"]), max_size=3),
)
def test_elements_that_may_agree_with_no_field_agree_with_none(text, value, texts):
    encoded = ElementEncoder(tuple(texts), (160, 210)).match(text, value)
    plain = [match(text, value, field) for field in texts]
    table = np.frombuffer(encoded, np.int8).reshape(MAX_FIELDS, len(MATCH_FEATURES))
    assert table[: len(texts)].tolist() == [list(flags) for flags in plain]
    assert not table[len(texts) :].any()


def test_forms_of_a_word_have_one_id():
    assert word_ids("Leaving from", 2).tolist() == word_ids("leaves, from", 2).tolist()
    assert word_ids("Leaving", 1) != word_ids("Returning", 1)


@pytest.mark.parametrize(
    ("text", "number"),
    [("$215", 215), ("8:15 AM", 8.25), ("12:30 PM", 12.5), ("7", 7), ("Go", None)],
)
def test_figures_are_read_from_texts(text, number):
    assert figure(text) == number
