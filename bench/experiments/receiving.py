"""An experiment on receiving a large object into a file: buffer sizes, system calls, and options of the socket."""

from __future__ import annotations

import fcntl
import mmap
import os
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from bench.experiments.comparing import MEMORY, Spent, beside, compare, file_of, poller
from bench.experiments.sending import HEADERS, KB, mapped

PDU = 128 * KB
SIZE = 1024 * (PDU - HEADERS)

Receive = Callable[[socket.socket, select.poll, int], None]  # receives into a file


def value_length(header: memoryview | bytes) -> int:
    """Return the length of the value in a PDU of one PDV."""
    length: int = struct.unpack_from(">BxL", header)[1]
    return length - 6


def writev(size: int, connection: socket.socket, readable: select.poll, file: int) -> None:
    """Use `recv_into` a buffer, and `writev` of everything but headers: the way in use."""
    buffer, header, left = memoryview(bytearray(size)), b"", 0
    while count := receive(connection, readable, buffer):
        position, values = 0, []
        while position < count:
            if left:
                take = min(left, count - position)
                values.append(buffer[position : position + take])
                left -= take
            else:
                take = min(HEADERS - len(header), count - position)
                header += buffer[position : position + take]
                if len(header) == HEADERS:
                    left, header = value_length(header), b""
            position += take
        os.writev(file, values)


def receive(connection: socket.socket, readable: select.poll, buffer: memoryview) -> int:
    """Receive some bytes; return 0 at the end."""
    while True:
        try:
            return connection.recv_into(buffer)
        except BlockingIOError:
            readable.poll()


def next_value(connection: socket.socket, readable: select.poll, header: memoryview) -> int:
    """Receive the header of a PDU, and return the length of its value; 0 at the end."""
    got = 0
    while got < HEADERS:
        count = receive(connection, readable, header[got:])
        if not count:
            return 0
        got += count
    return value_length(header)


def into_map(flags: int, connection: socket.socket, readable: select.poll, file: int) -> None:
    """Use `recv_into` a map of the file: one copy less, and a page fault for each page."""
    os.ftruncate(file, SIZE)
    target, position = memoryview(mmap.mmap(file, SIZE, flags=mmap.MAP_SHARED | flags)), 0
    header = memoryview(bytearray(HEADERS))
    while left := next_value(connection, readable, header):
        while left:
            count = receive(connection, readable, target[position : position + left])
            position += count
            left -= count


def splice(connection: socket.socket, readable: select.poll, file: int) -> None:
    """Use `splice` from the socket into a pipe, and from there into the file."""
    out, into = os.pipe()
    fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, 1 << 20)
    header = memoryview(bytearray(HEADERS))
    while left := next_value(connection, readable, header):
        while left:
            try:
                count = os.splice(connection.fileno(), into, left, flags=os.SPLICE_F_NONBLOCK)
            except BlockingIOError:
                readable.poll()
                continue
            left -= count
            while count:
                count -= os.splice(out, file, count)
    os.close(out)
    os.close(into)


def allocated(connection: socket.socket, readable: select.poll, file: int) -> None:
    """Do as `writev`, with the space of the file allocated first. In practice its size is unknown."""
    os.posix_fallocate(file, 0, SIZE)
    writev(256 * KB, connection, readable, file)


def with_option(option: int, value: int, connection: socket.socket, readable: select.poll, file: int) -> None:
    """Do as `writev`, with an option of the socket."""
    connection.setsockopt(socket.SOL_SOCKET, option, value)
    # At the end less than SO_RCVLOWAT may be left.
    with suppress(ConnectionError):
        writev(256 * KB, connection, readable, file)


def run(way: Receive, source: int) -> Spent:
    """Receive the file."""

    def here(connection: socket.socket) -> None:
        file = os.open(MEMORY, os.O_TMPFILE | os.O_RDWR, 0o600)
        way(connection, poller(connection, select.POLLIN), file)
        assert os.fstat(file).st_size == SIZE
        os.close(file)

    def there(connection: socket.socket) -> None:
        mapped(64, connection, poller(connection, select.POLLOUT), source, SIZE, PDU)

    return beside(here, there)


def main() -> None:
    """Print three tables."""
    tables: dict[str, dict[str, Receive]] = {
        "receive buffers": {f"{size} KB": partial(writev, size * KB) for size in (256, 64, 128, 512, 1024)},
        "system calls": {
            "recv_into, writev": partial(writev, 256 * KB),
            "posix_fallocate first": allocated,
            "recv_into a map of the file": partial(into_map, 0),
            "the same, MAP_POPULATE": partial(into_map, mmap.MAP_POPULATE),
            "splice": splice,
        },
        "options": {
            "none": partial(writev, 256 * KB),
            "SO_RCVBUF 256 KB": partial(with_option, socket.SO_RCVBUF, 256 * KB),
            "SO_RCVBUF 1 MB": partial(with_option, socket.SO_RCVBUF, 1 << 20),
            "SO_RCVBUF 4 MB": partial(with_option, socket.SO_RCVBUF, 4 << 20),
            "SO_RCVLOWAT 64 KB": partial(with_option, socket.SO_RCVLOWAT, 64 * KB),
        },
    }
    with file_of(SIZE) as (source,):
        for title, ways in tables.items():
            compare(
                f"{SIZE >> 20} MB in PDUs of 128 KB: {title}",
                {name: partial(run, way, source) for name, way in ways.items()},
            )


if __name__ == "__main__":
    main()
