"""Small tasks that take typing: texts, passwords, lists to choose from."""

import numpy as np

from envs.web.tasks.base import Drawn, MiniTask
from envs.web.tasks.words import NAMES, NOUNS, code, one, some


class EnterText(MiniTask):
    """A word to type, and the right one of two buttons."""

    page = "enter_text.html"
    max_steps = 8

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws the word and what the control is called."""
        label, word, other = some(random, NOUNS, 3)
        return Drawn(
            f'Write "{word}" and send it.',
            (("text", word), ("button", "send")),
            {"label": label.capitalize()},
            tuple(some(random, (("text", word), ("other text", other)), 2)),
        )


class EnterPassword(MiniTask):
    """A password to type twice."""

    page = "enter_password.html"
    max_steps = 8

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws a password."""
        password = code(random, 6)
        return Drawn(
            f'Set the password "{password}".',
            (("password", password), ("again", password)),
            fields=(("password", password),),
        )


class Login(MiniTask):
    """A user name and a password, and a box to leave or tick."""

    page = "login.html"
    max_steps = 10
    partial = 0.5

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws a user, a password and whether to be remembered."""
        user, password = one(random, NAMES).lower(), code(random, 5)
        remember = bool(random.integers(2))
        end = "and be remembered." if remember else "without being remembered."
        return Drawn(
            f'Log in as "{user}" with the password "{password}" {end}',
            (("user", user), ("password", password), ("remember", "yes" if remember else "")),
            fields=(("user", user), ("password", password)),
        )


class SelectOption(MiniTask):
    """One of eight options of a list."""

    page = "select_option.html"
    max_steps = 6

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws options and the one to take, never the first, which is chosen already."""
        label, *words = some(random, NOUNS, 9)
        word = one(random, words[1:])
        return Drawn(
            f"Select {word} from the list and submit.",
            (("choice", word),),
            {"label": label.capitalize(), "words": words},
            (("choice", word),),
        )
