"""Language models as agents, whatever runs them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from envs.web.commands import USAGE


class Turn(NamedTuple):
    """What a model was shown, and what it answered."""

    prompt: str
    answer: str


class TextAgent:
    """Acts by a function from a prompt to a command, in ``AccessibilityText`` environments.

    A prompt is :data:`envs.web.commands.USAGE`, the text of the page and, where the last command
    could not be carried out, why. The command is the last line of the answer that is not empty, so
    that a model may think aloud before it.

    Args:
        answer: From a prompt to an answer; calls a model, a person or a script.

    Attributes:
        transcript: The turns of the present episode.
    """

    def __init__(self, answer: Callable[[str], str]) -> None:
        self.answer = answer
        self.transcript: list[Turn] = []

    def reset(self, seed: int) -> None:
        """Starts a new transcript."""
        del seed  # what the function draws is its own affair
        self.transcript = []

    def act(self, observation: str, info: dict[str, Any]) -> str:
        """Asks for the next command."""
        parts = [USAGE, observation]
        if "error" in info:
            parts.append(f"The last command failed: {info['error']}")
        prompt = "\n\n".join(parts)
        answer = self.answer(prompt)
        self.transcript.append(Turn(prompt, answer))
        return next((line for line in reversed(answer.splitlines()) if line.strip()), "").strip()
