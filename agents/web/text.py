"""Language models as agents on the web."""

from collections.abc import Callable

from agents.algorithms import text
from envs.web.commands import USAGE


class TextAgent(text.TextAgent):
    """Acts by a function from a prompt to a command, in ``AccessibilityText`` environments.

    See :class:`agents.algorithms.text.TextAgent`; a prompt opens with
    :data:`envs.web.commands.USAGE`.

    Args:
        answer: From a prompt to an answer; calls a model, a person or a script.
    """

    def __init__(self, answer: Callable[[str], str]) -> None:
        super().__init__(answer, USAGE)
