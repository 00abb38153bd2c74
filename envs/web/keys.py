"""The keys that can be pressed, each with its event's values in a browser, on a US keyboard."""

from string import ascii_lowercase
from typing import NamedTuple

CONTROL, SHIFT = 2, 8
"""Bits of ``modifiers`` in the DevTools protocol."""


class Key(NamedTuple):
    """A key, with the modifiers that are held down with it.

    Attributes:
        key: ``KeyboardEvent.key``.
        code: ``KeyboardEvent.code``, its place on the keyboard.
        number: Windows' virtual key code, which ``KeyboardEvent.keyCode`` gives.
        text: The character that it types, or empty.
        modifiers: ``CONTROL``, ``SHIFT`` or 0.
    """

    key: str
    code: str
    number: int
    text: str = ""
    modifiers: int = 0


SYMBOLS = {
    "Minus": (189, "-_"),
    "Equal": (187, "=+"),
    "BracketLeft": (219, "[{"),
    "BracketRight": (221, "]}"),
    "Backslash": (220, "\\|"),
    "Semicolon": (186, ";:"),
    "Quote": (222, "'\""),
    "Comma": (188, ",<"),
    "Period": (190, ".>"),
    "Slash": (191, "/?"),
    "Backquote": (192, "`~"),
}
"""Keys of signs, by code: number, and what they type without and with Shift."""

NAMED = {
    "Backspace": 8,
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Delete": 46,
}
"""Keys that type nothing, by name, which is also their code: number."""


def _typing(code: str, number: int, plain: str, shifted: str) -> list[Key]:
    """A key that types one character without Shift and another with it."""
    return [Key(plain, code, number, plain), Key(shifted, code, number, shifted, SHIFT)]


def _keyboard() -> dict[str, Key]:
    typing = [Key(" ", "Space", 32, " ")]
    for letter in ascii_lowercase:
        typing += _typing(f"Key{letter.upper()}", ord(letter.upper()), letter, letter.upper())
    for digit, shifted in enumerate(")!@#$%^&*("):
        typing += _typing(f"Digit{digit}", ord("0") + digit, str(digit), shifted)
    for code, (number, pair) in SYMBOLS.items():
        typing += _typing(code, number, *pair)
    table = {key.text: key for key in sorted(typing, key=lambda key: key.text)}
    table |= {name: Key(name, name, number) for name, number in NAMED.items()}
    table["Enter"] = table["Enter"]._replace(text="\r")
    table["Shift+Tab"] = table["Tab"]._replace(modifiers=SHIFT)
    table["Control+a"] = table["a"]._replace(text="", modifiers=CONTROL)
    return table


KEYBOARD = _keyboard()
"""Every key by name: the printable ASCII characters by themselves, in order, then ``NAMED``, then
``"Shift+Tab"`` and ``"Control+a"``, which selects everything in a text control."""

KEY_NAMES = tuple(KEYBOARD)
