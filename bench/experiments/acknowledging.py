"""An experiment on TCP_QUICKACK: a peer with Nagle's algorithm on waits for our acknowledgement within a message."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Sequence
from functools import partial

from bench.experiments.comparing import Spent, beside, compare, poller

RESPONSE = bytes(150)
# The policies of setting it; the first is the one in use.
WITHIN, EACH, NEVER = "after a receive within a message", "after each receive", "never"
WAIT, WAIT_WITHIN = "before each wait", "before a wait within a message"


def receiver(policy: str, sizes: Sequence[int], count: int, connection: socket.socket) -> None:
    """Receive messages, and answer each."""
    readable, buffer = poller(connection, select.POLLIN), memoryview(bytearray(256 * 1024))
    whole = sum(sizes)
    for _ in range(count):
        left = whole
        while left:
            try:
                left -= connection.recv_into(buffer)
            except BlockingIOError:
                if policy == WAIT or (policy == WAIT_WITHIN and left < whole):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                readable.poll()
            else:
                if policy == EACH or (policy == WITHIN and left):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        connection.send(RESPONSE)


def sender(nagle: bool, sizes: Sequence[int], count: int, connection: socket.socket) -> None:
    """Send messages, each in calls of these sizes, and await the answer to each."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, not nagle)
    pieces, buffer = [os.urandom(size) for size in sizes], bytearray(1024)
    for _ in range(count):
        for piece in pieces:
            connection.sendall(piece)
        connection.recv_into(buffer)


def run(policy: str, nagle: bool, sizes: Sequence[int], count: int) -> Spent:
    """Send a number of messages over one connection."""
    return beside(partial(receiver, policy, sizes, count), partial(sender, nagle, sizes, count))


def main() -> None:
    """Print a table for each kind of peer."""
    small, image = [150, 12, 8192], [150, *[12, 16372] * 32]
    for title, nagle, sizes, count in (
        ("8 KB, one call, TCP_NODELAY", False, [sum(small)], 2000),
        ("8 KB, three calls, TCP_NODELAY", False, small, 1000),
        ("8 KB, three calls, Nagle's algorithm", True, small, 16),
        ("525 KB, one call, TCP_NODELAY", False, [sum(image)], 400),
        ("525 KB, a call a PDU, Nagle's algorithm", True, [150, *[16384] * 32], 16),
        ("525 KB, two calls a PDU, Nagle's algorithm", True, image, 16),
    ):
        policies = (WITHIN, EACH, NEVER, WAIT, WAIT_WITHIN)
        compare(title, {policy: partial(run, policy, nagle, sizes, count) for policy in policies}, count=count)


if __name__ == "__main__":
    main()
