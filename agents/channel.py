"""Messages between two processes, each a size and that many bytes.

Who waits for a message asks for it again and again for a moment before it sleeps: where both
processes have a core, to wake one takes longer than many steps. Where the message does not come in
that moment (the other side thinks for longer, or other programs need the cores), the next waits
sleep at once, so that a busy machine loses a sixty-fourth of that moment a step.
"""

import select
import socket
import struct
import time

SIZE = struct.Struct("<I")
"""Of the message that follows it."""

READ = 2**14
WATCH_S = 1e-3
"""Longest time to ask for a message without sleep, in seconds."""

SLEEPS = 64
"""Waits that sleep at once after one in which the message did not come in that time."""


class Channel:
    """One end of a connection between two processes.

    Args:
        connection: A stream socket, which belongs to the channel from now on.
        largest: Bytes of the largest message that it receives; None for any.
    """

    def __init__(self, connection: socket.socket, largest: int | None = None) -> None:
        self._connection, self._largest = connection, largest
        self._arrived = bytearray()
        self._sleeps = 0
        ready = select.poll()
        ready.register(connection, select.POLLIN)
        self._ready = ready.poll

    def wait_at_most(self, limit_s: float) -> None:
        """Sets the longest time for each message, in seconds."""
        timeval = struct.pack("@ll", int(limit_s), int(limit_s % 1 * 1e6))
        for way in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._connection.setsockopt(socket.SOL_SOCKET, way, timeval)

    def send(self, message: bytes) -> None:
        """Sends a message.

        Raises:
            OSError: The other side is gone; TimeoutError if it does not read in time.
        """
        try:
            self._connection.sendall(SIZE.pack(len(message)) + message)
        except BlockingIOError:
            raise TimeoutError from None

    def receive(self) -> bytearray:
        """The next message.

        Raises:
            EOFError: The other side is gone; OSError if it broke off.
            TimeoutError: It does not come in time.
            ValueError: It is too large.
        """
        if not self._arrived:
            self._watch()
        (size,) = SIZE.unpack(self._taken(SIZE.size))
        if self._largest is not None and size > self._largest:
            raise ValueError(f"a message of {size} bytes; allowed: {self._largest}")
        return self._taken(size)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _taken(self, size: int) -> bytearray:
        """The next bytes."""
        while len(self._arrived) < size:
            try:
                part = self._connection.recv(max(READ, size - len(self._arrived)))
            except BlockingIOError:
                raise TimeoutError from None
            if not part:
                raise EOFError
            self._arrived += part
        taken = self._arrived[:size]
        del self._arrived[:size]
        return taken

    def _watch(self) -> None:
        """Returns when a message is there, or it is time to sleep."""
        if self._sleeps:
            self._sleeps -= 1
            return
        end = time.perf_counter() + WATCH_S
        while not self._ready(0):
            if time.perf_counter() > end:
                self._sleeps = SLEEPS
                return
