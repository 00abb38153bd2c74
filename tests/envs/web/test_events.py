"""Raw events of keyboard and pointer, as arrays, as tuples and in a real browser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.web.application import Recorder, Request, Response
from envs.web.browser import release_browsers
from envs.web.client import BrowserClient
from envs.web.document import Box, Document, Node
from envs.web.events import (
    AT_REST,
    KeyEvent,
    PointerEvent,
    decode,
    encode,
    moved,
    space,
    strokes,
)
from envs.web.inputs import PointerDown, PointerMove, PointerUp
from envs.web.keys import KEY_NAMES, KEYBOARD
from hardware_sim.errors import InputError

SIZE = (160, 210)
KEYS = st.builds(KeyEvent, st.sampled_from(KEY_NAMES))
POINTERS = st.builds(PointerEvent, st.integers(0, 159), st.integers(0, 209), st.booleans())
CENTRE = (80, 40)
CLICK = [PointerEvent(*CENTRE, True), PointerEvent(*CENTRE, False)]


def typed(text):
    return [KeyEvent(letter) for letter in text]


@given(st.lists(KEYS | POINTERS, max_size=6))
def test_encoding_is_inverted_by_decoding(events):
    action = encode(events, 6)
    assert space(SIZE, 6).contains(action)
    assert decode(action) == events


def test_the_table_has_every_printable_character_once():
    assert KEY_NAMES[:95] == tuple(map(chr, range(32, 127)))
    assert len(KEY_NAMES) == len(set(KEYBOARD.values())) == 108
    assert all(key.modifiers for name, key in KEYBOARD.items() if name.isupper())


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="at most 4"):
        encode(typed("hello"))
    with pytest.raises(InputError, match="did you mean 'Escape'"):
        encode([KeyEvent("Escap")])


def test_the_button_is_pressed_and_released_when_its_state_changes():
    events = [PointerEvent(1, 2, True), PointerEvent(3, 4, True), PointerEvent(5, 6, False)]
    assert strokes(events, AT_REST) == [
        PointerMove(1, 2),
        PointerDown(1, 2),
        PointerMove(3, 4, held=True),
        PointerMove(5, 6, held=True),
        PointerUp(5, 6),
    ]
    assert moved(AT_REST, [*events, KeyEvent("a")]) == events[-1]
    assert strokes(events[1:2], moved(AT_REST, events[:1])) == [PointerMove(3, 4, held=True)]


class OneField:
    """A page with a text control, a button and a link."""

    def respond(self, request: Request) -> Response:
        nodes = [
            Node("input", Box(10, 30, 140, 20), id="field", type="text", name="field"),
            Node("button", Box(10, 60, 60, 20), id="go", type="submit", text="Go"),
            Node("a", Box(10, 90, 60, 20), href="./", text="Again"),
        ]
        return Response(document=Document("Field", SIZE, nodes))


@pytest.fixture(scope="module")
def recorder():
    return Recorder(OneField())


@pytest.fixture(scope="module")
def client(recorder):
    client = BrowserClient(recorder, SIZE, 0, 0, 125, "shell")
    yield client
    client.close()
    release_browsers()


@pytest.fixture
def shown(client):
    """The value of the field after events; it is opened and clicked first."""
    client.open("")
    client.page.step([], 0, "addEventListener('keydown', e => (window.seen = e, undefined)), 0")

    def play(*events):
        return client.events(strokes([*CLICK, *events], AT_REST)).rows[0].value

    return play


def test_every_character_can_be_typed(shown):
    every = "".join(map(chr, range(32, 127)))
    assert shown(*typed(every)) == every


def test_shifted_characters_come_with_shift(shown, client):
    assert shown(KeyEvent("A")) == "A"
    event = client.page.step(
        [], 0, "[seen.key, seen.code, seen.keyCode, seen.shiftKey, seen.isTrusted]"
    )
    assert event == ["A", "KeyA", 65, True, True]


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["Backspace"], "abc"),
        (["Backspace", "Backspace", "X"], "abX"),
        (["Control+a", "x"], "x"),
        (["Control+a", "Delete"], ""),
        (["Home", "x"], "xabcd"),
        (["Home", "Delete"], "bcd"),
        (["Home", "End", "x"], "abcdx"),
        (["ArrowLeft", "ArrowLeft", "x"], "abxcd"),
        (["Home", "ArrowRight", "x"], "axbcd"),
        (["ArrowUp", "x", "ArrowDown", "y"], "xabcdy"),
        (["Tab", "x", "Shift+Tab", "y"], "y"),
    ],
)
def test_editing_keys_work(shown, keys, value):
    assert shown(*typed("abcd"), *map(KeyEvent, keys)) == value


def test_text_is_selected_by_dragging(shown):
    drag = [PointerEvent(148, 40, True), PointerEvent(11, 40, True), PointerEvent(11, 40, False)]
    assert shown(*typed("abcd"), *drag, KeyEvent("x")) == "x"


def test_a_link_or_selected_text_does_not_keep_the_pointer(shown):
    across = [PointerEvent(x, 100, True) for x in range(12, 60, 4)]
    assert shown(*across, PointerEvent(*CENTRE, False), *CLICK, *typed("a")) == "a"
    text = [KeyEvent("Control+a"), PointerEvent(14, 40, True), PointerEvent(90, 100, True)]
    end = [PointerEvent(90, 100, False), *CLICK, KeyEvent("e")]
    assert shown(*typed("bcd"), *text, *end) == "abcde"


def test_enter_sends_the_form(shown, recorder):
    shown(*typed("Hi!"), KeyEvent("Enter"))
    assert recorder.log[-1] == Request("POST", "", (), (("field", "Hi!"),))


def test_selenium_presses_the_same_keys():
    client = BrowserClient(Recorder(OneField()), SIZE, 0, 0, 125, "selenium")
    client.open("")

    def shown(*keys):
        return client.events(strokes([*CLICK, *map(KeyEvent, keys)], AT_REST)).rows[0].value

    assert shown(*"aB {~") == "aB {~"
    assert shown("Control+a", "x", "Backspace", "y", "ArrowLeft", "Z") == "Zy"
    assert shown("Tab", "Shift+Tab", "w") == "w"
    client.close()
