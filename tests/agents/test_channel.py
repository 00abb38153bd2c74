"""Messages between two processes: whole, in order, and ended by the other side or by the clock."""

import socket
import threading

import pytest

from agents.channel import SLEEPS, Channel


@pytest.fixture
def sockets():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_messages_of_any_size_arrive_whole_and_in_order(sockets):
    ours, theirs = map(Channel, sockets)
    messages = [b"", b"a", bytes(range(256)) * 64, b"b" * 5_000_000, b"", b"c" * 3]
    sending = threading.Thread(target=lambda: [ours.send(message) for message in messages])
    sending.start()
    assert [bytes(theirs.receive()) for _ in messages] == messages
    sending.join()


def test_messages_arrive_also_after_one_that_was_waited_for(sockets):
    ours, theirs = map(Channel, sockets)
    ours.wait_at_most(0.01)
    with pytest.raises(TimeoutError):
        ours.receive()
    for number in range(2 * SLEEPS):
        theirs.send(b"%d" % number)
        assert ours.receive() == b"%d" % number


def test_a_message_that_nobody_reads_is_given_up(sockets):
    channel = Channel(sockets[0])
    channel.wait_at_most(0.01)
    with pytest.raises(TimeoutError):
        channel.send(b"a" * 50_000_000)


def test_a_message_above_the_limit_is_refused_before_it_is_read(sockets):
    channel = Channel(sockets[0], largest=10)
    sockets[1].sendall(b"\x0b\x00\x00\x00")
    with pytest.raises(ValueError, match="a message of 11 bytes; allowed: 10"):
        channel.receive()


@pytest.mark.parametrize("part", [b"", b"\x01\x00", b"\x05\x00\x00\x00abc"])
def test_the_other_sides_end_is_the_end(sockets, part):
    sockets[1].sendall(part)
    sockets[1].close()
    with pytest.raises(EOFError):
        Channel(sockets[0]).receive()
