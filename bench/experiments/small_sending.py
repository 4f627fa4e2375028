"""An experiment on a message that fits one system call: `sendmsg` of its parts, or `send` of the joined parts."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from functools import partial

from bench.experiments.comparing import Spent, beside, compare, poller

KB = 1 << 10
HEADERS, COMMAND, RESPONSE = bytes(12), bytes(150), bytes(150)
PDU = 128 * KB

Send = Callable[[socket.socket, list[bytes | memoryview]], int]


def parts(connection: socket.socket, buffers: list[bytes | memoryview]) -> int:
    """Send the parts with `sendmsg`: the way in use."""
    return connection.sendmsg(buffers)


def joined(connection: socket.socket, buffers: list[bytes | memoryview]) -> int:
    """Send the joined parts, with one copy more."""
    return connection.send(b"".join(buffers))


def head_joined(connection: socket.socket, buffers: list[bytes | memoryview]) -> int:
    """Send with the command set and all headers up to the data set joined."""
    return connection.sendmsg([b"".join(buffers[:3]), *buffers[3:]])


def message(data_set: memoryview) -> list[bytes | memoryview]:
    """Return a command set and a data set in their PDUs."""
    buffers: list[bytes | memoryview] = [HEADERS, COMMAND]
    for start in range(0, len(data_set), PDU):
        buffers += [HEADERS, data_set[start : start + PDU]]
    return buffers


def ask(send: Send, size: int, count: int, connection: socket.socket) -> None:
    """Send messages, each after the answer to the one before."""
    # Each message has to go out at once.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * size + 64 * KB)
    data_set, answered = memoryview(os.urandom(size)), poller(connection, select.POLLIN)
    whole = sum(map(len, message(data_set)))
    for _ in range(count):
        sent = send(connection, message(data_set))
        assert sent == whole
        answered.poll()
        connection.recv(len(RESPONSE))


def answer(size: int, count: int, connection: socket.socket) -> None:
    """Act as the peer."""
    buffer, whole = bytearray(1 << 20), sum(map(len, message(memoryview(bytes(size)))))
    for _ in range(count):
        left = whole
        while left:
            left -= connection.recv_into(buffer)
        connection.send(RESPONSE)


def run(send: Send, size: int, count: int) -> Spent:
    """Send a number of messages of one size."""
    return beside(partial(ask, send, size, count), partial(answer, size, count))


def main() -> None:
    """Print a table for each size of a data set."""
    ways: dict[str, Send] = {
        "sendmsg of all parts": parts,
        "send of all joined": joined,
        "sendmsg of the head joined, and data": head_joined,
    }
    for size, count in ((500, 3000), (8 * KB, 3000), (64 * KB, 2000), (525_000, 500)):
        compare(
            f"data sets of {size:,} bytes",
            {name: partial(run, send, size, count) for name, send in ways.items()},
            count=count,
            rounds=7,
        )


if __name__ == "__main__":
    main()
