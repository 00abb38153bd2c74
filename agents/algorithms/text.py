"""Language models as agents, whatever runs them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from hardware_sim.errors import InputError


class Turn(NamedTuple):
    """A prompt and the answer to it."""

    prompt: str
    answer: str


class TextAgent:
    """Acts by a function from a prompt to a command, where observations and actions are text.

    A prompt is the usage, the observation and, where the last command could not be carried out
    (``info["error"]``), why. The command is the last line of the answer that is not empty, so that
    a model may think aloud before it.

    Args:
        answer: From a prompt to an answer; calls a model, a person or a script.
        usage: Which commands there are and what they do; opens every prompt.

    Attributes:
        transcript: The turns of the present episode.
    """

    def __init__(self, answer: Callable[[str], str], usage: str) -> None:
        self.answer = answer
        self.usage = usage
        self.transcript: list[Turn] = []

    def reset(self, seed: int) -> None:
        """Starts a new transcript."""
        del seed  # what the function draws is its own affair
        self.transcript = []

    def act(self, observation: str, info: dict[str, Any]) -> str:
        """Asks for the next command.

        Raises:
            InputError: The observation is no text.
        """
        if not isinstance(observation, str):
            raise InputError(f"a text agent reads text; got {type(observation).__name__}")
        parts = [self.usage, observation]
        if "error" in info:
            parts.append(f"The last command failed: {info['error']}")
        prompt = "\n\n".join(parts)
        answer = self.answer(prompt)
        self.transcript.append(Turn(prompt, answer))
        return next((line for line in reversed(answer.splitlines()) if line.strip()), "").strip()
