"""Events become commands of the DevTools protocol."""

import pytest

from envs.web.inputs import KeyDown, KeyUp, PointerDown, PointerMove, PointerUp, Text, commands


@pytest.mark.parametrize(
    ("event", "kinds"),
    [
        (KeyDown("Enter"), ["keyDown"]),  # it types a line's end, unlike other named keys
        (KeyUp("Enter"), ["keyUp"]),
        (KeyDown("Tab"), ["rawKeyDown"]),
        (Text("ab"), ["keyDown", "keyUp", "keyDown", "keyUp"]),
        (PointerMove(1, 2), ["mouseMoved"]),
        (PointerDown(1, 2), ["mousePressed"]),
        (PointerUp(1, 2), ["mouseReleased"]),
    ],
)
def test_events_become_commands(event, kinds):
    assert [parameters["type"] for _, parameters in commands(event)] == kinds
