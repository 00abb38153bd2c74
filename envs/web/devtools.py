"""The DevTools protocol over a pipe: commands out, answers and events in."""

import json
import os
import selectors
import time
from collections.abc import Callable, Generator, Sequence
from threading import RLock
from typing import Any

Message = dict[str, Any]
Listener = Callable[[str, Message], None]
Work = Generator[int, Message, None]
"""Commands that follow each other: yields the number of each, and is sent its result."""


class BrowserDiedError(RuntimeError):
    """The browser ended, or does not answer; what was open in it is lost."""


class CommandError(RuntimeError):
    """The browser refused a command."""


class Pipe:
    """A connection to one browser process.

    Commands are queued, and sent together as soon as an answer is waited for or given up
    (:meth:`forget`); :meth:`wait` reads until the answers are there and hands events to the
    listeners of their sessions on the way. Threads take turns. In a process that was forked off,
    the browser counts as gone; once it did not answer, it is not asked again.

    Args:
        reading: File descriptor that the browser writes to.
        writing: File descriptor that the browser reads from.
        timeout_s: Seconds to wait for an answer.

    Attributes:
        broken: Reason why the browser no longer answers; empty as long as it does.
        turn: Lock of the browser: one of this process's threads has it at a time.
    """

    def __init__(self, reading: int, writing: int, timeout_s: float) -> None:
        self.reading, self.writing, self.timeout_s = reading, writing, timeout_s
        self.listeners: dict[str, Listener] = {}
        self.broken = ""
        self._answers: dict[int, Message] = {}
        self._forgotten: set[int] = set()
        self._works: dict[int, Work] = {}
        self._rest = self._outgoing = b""
        self._count = 0
        self._process = os.getpid()
        self.turn = RLock()
        self._selector = selectors.DefaultSelector()
        self._selector.register(reading, selectors.EVENT_READ)

    def send(self, method: str, session: str = "", **params: Any) -> int:
        """Queues a command; returns the number of its answer.

        Raises:
            BrowserDiedError: The browser is gone.
        """
        if os.getpid() != self._process:
            raise BrowserDiedError("the browser belongs to another process")
        if self.broken:
            raise BrowserDiedError(self.broken)
        with self.turn:
            self._count += 1
            message: Message = {"id": self._count, "method": method, "params": params}
            if session:
                message["sessionId"] = session
            self._outgoing += json.dumps(message).encode() + b"\0"
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
        with self.turn:
            self._write()
            if self._answers.pop(number, None) is None:
                self._forgotten.add(number)

    def begin(self, work: Work) -> None:
        """Starts commands that follow each other, and goes on with them whenever it reads."""
        with self.turn:
            self._works[next(work)] = work
            self._write()

    def wait(self, numbers: Sequence[int]) -> list[Message]:
        """The results of commands, in order; raises as :meth:`call` does."""
        self.wait_until(lambda: self.answered(numbers))
        answers = [self._answers.pop(number) for number in numbers]
        return [_result(answer) for answer in answers]

    def answered(self, numbers: Sequence[int]) -> bool:
        """True once the results of commands are there."""
        return all(number in self._answers for number in numbers)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Reads messages until a condition holds.

        Raises:
            BrowserDiedError: The browser is gone, or the condition does not come true in time.
        """
        deadline = time.monotonic() + self.timeout_s
        with self.turn:
            while not condition():
                self._write()
                left = deadline - time.monotonic()
                if left <= 0 or not self._selector.select(left):
                    raise self._break(f"the browser has not answered for {self.timeout_s:g} s")
                self._read()

    def listen(self, seconds: float) -> bool:
        """Reads what arrives within a time; returns true if anything did."""
        with self.turn:
            self._write()
            heard = bool(self._selector.select(seconds))
            if heard:
                self._read()
            return heard

    def close(self) -> None:
        """Closes both ends, upon which the browser ends."""
        self._selector.close()
        for end in (self.reading, self.writing):
            os.close(end)

    def _break(self, why: str) -> BrowserDiedError:
        self.broken = why
        return BrowserDiedError(why)

    def _write(self) -> None:
        """Sends the queued commands."""
        data, self._outgoing = self._outgoing, b""
        try:
            while data:
                data = data[os.write(self.writing, data) :]
        except OSError as error:
            raise self._break("the browser has ended") from error

    def _read(self) -> None:
        try:
            data = os.read(self.reading, 1 << 20)
        except OSError as error:
            raise self._break("the browser has ended") from error
        if not data:
            raise self._break("the browser has ended")
        *whole, self._rest = (self._rest + data).split(b"\0")
        for part in whole:
            try:
                message = json.loads(part)
            except ValueError as error:
                raise self._break("the browser does not speak the protocol") from error
            self._take(message)

    def _take(self, message: Message) -> None:
        """Keeps an answer until it is waited for, or hands an event to its listener."""
        number = message.get("id")
        if number is None:
            listener = self.listeners.get(message.get("sessionId", ""))
            if listener is not None:
                listener(message["method"], message["params"])
        elif number in self._forgotten:
            self._forgotten.discard(number)
        elif number in self._works:
            self._go_on(self._works.pop(number), message)
        else:
            self._answers[number] = message

    def _go_on(self, work: Work, answer: Message) -> None:
        """Hands a piece of work its results until it has to wait for one."""
        try:
            number = work.send(_result(answer))
            while number in self._answers:
                number = work.send(_result(self._answers.pop(number)))
        except StopIteration:
            return
        self._works[number] = work


def _result(answer: Message) -> Message:
    if "error" in answer:
        raise CommandError(answer["error"].get("message", "refused"))
    result: Message = answer["result"]
    return result
