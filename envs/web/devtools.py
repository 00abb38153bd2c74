"""The DevTools protocol over a pipe: commands out, answers and events in."""

import json
import os
import selectors
import time
from collections.abc import Callable, Sequence
from typing import Any

Message = dict[str, Any]
Listener = Callable[[str, Message], None]


class BrowserDiedError(RuntimeError):
    """The browser ended, or does not answer; what was open in it is lost."""


class CommandError(RuntimeError):
    """The browser refused a command."""


class Pipe:
    """A connection to one browser process.

    Commands are sent without waiting, so that several travel together; :meth:`wait` reads until the
    answers are there and hands events to the listeners of their sessions on the way.

    Args:
        reading: File descriptor that the browser writes to.
        writing: File descriptor that the browser reads from.
        timeout_s: How long to wait for an answer.
    """

    def __init__(self, reading: int, writing: int, timeout_s: float) -> None:
        self.reading, self.writing, self.timeout_s = reading, writing, timeout_s
        self.listeners: dict[str, Listener] = {}
        self._answers: dict[int, Message] = {}
        self._forgotten: set[int] = set()
        self._rest = b""
        self._count = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(reading, selectors.EVENT_READ)

    def send(self, method: str, session: str = "", **params: Any) -> int:
        """Sends a command; returns the number of its answer.

        Raises:
            BrowserDiedError: The browser is gone.
        """
        self._count += 1
        message: Message = {"id": self._count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        try:
            while data:
                data = data[os.write(self.writing, data) :]
        except OSError as error:
            raise BrowserDiedError("the browser has ended") from error
        return self._count

    def call(self, method: str, session: str = "", **params: Any) -> Message:
        """Sends a command and waits for its result.

        Raises:
            BrowserDiedError: The browser is gone or does not answer in time.
            CommandError: The browser refused.
        """
        return self.wait([self.send(method, session, **params)])[0]

    def forget(self, number: int) -> None:
        """Drops the answer of a command that nobody waits for."""
        self._forgotten.add(number)

    def wait(self, numbers: Sequence[int]) -> list[Message]:
        """The results of commands, in order; raises as :meth:`call` does."""
        self.wait_until(lambda: self.answered(numbers))
        answers = [self._answers.pop(number) for number in numbers]
        for answer in answers:
            if "error" in answer:
                raise CommandError(answer["error"].get("message", "refused"))
        return [answer["result"] for answer in answers]

    def answered(self, numbers: Sequence[int]) -> bool:
        """Whether the results of commands are there."""
        return all(number in self._answers for number in numbers)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Reads messages until a condition holds.

        Raises:
            BrowserDiedError: The browser is gone, or the condition does not come true in time.
        """
        deadline = time.monotonic() + self.timeout_s
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0 or not self._selector.select(left):
                raise BrowserDiedError(f"the browser has not answered for {self.timeout_s:g} s")
            self._read()

    def close(self) -> None:
        """Closes both ends, upon which the browser ends."""
        self._selector.close()
        for end in (self.reading, self.writing):
            os.close(end)

    def _read(self) -> None:
        data = os.read(self.reading, 1 << 20)
        if not data:
            raise BrowserDiedError("the browser has ended")
        *whole, self._rest = (self._rest + data).split(b"\0")
        for part in whole:
            message = json.loads(part)
            if message.get("id") in self._forgotten:
                self._forgotten.discard(message["id"])
            elif "id" in message:
                self._answers[message["id"]] = message
            else:
                listener = self.listeners.get(message.get("sessionId", ""))
                if listener is not None:
                    listener(message["method"], message["params"])
