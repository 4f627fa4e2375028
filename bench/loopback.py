"""The limit of the machine's loopback: files by `sendfile` into a loop of `recv` and `write`, and nothing else.

There is no protocol, and the time excludes the start of programs. It begins when the connection is established, and ends when the
receiver has written the last byte. `python -m bench.loopback PORT FILE` is the receiver.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

BUFFER = 256 * 1024


def receive(port: int, into: Path) -> None:
    """Accept one connection, write its bytes into a file, and close it."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        connection, _ = listener.accept()
    buffer = memoryview(bytearray(BUFFER))
    with connection, into.open("wb", buffering=0) as file:
        while count := connection.recv_into(buffer):
            file.write(buffer[:count])


def send(connection: socket.socket, files: Sequence[Path]) -> float:
    """Send files one after another, and return the seconds until the receiver has written all of them."""
    started = time.perf_counter()
    for path in files:
        with path.open("rb", buffering=0) as file:
            connection.sendfile(file)
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
    return time.perf_counter() - started


if __name__ == "__main__":
    receive(int(sys.argv[1]), Path(sys.argv[2]))
