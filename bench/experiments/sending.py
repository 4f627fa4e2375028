"""An experiment on sending a mapped file in P-DATA-TF PDUs: system calls, buffers in each, and lengths of PDUs."""

from __future__ import annotations

import fcntl
import itertools
import mmap
import os
import select
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from bench.experiments.comparing import MEMORY, Spent, beside, compare, file_of, poller

HUGE = 128 << 20  # larger than the processor's caches
IMAGE, IMAGES = 525_000, 200
KB = 1 << 10
HEADERS = 12  # of a PDU and its PDV
LENGTH = 128 * KB
RECEIVED = 256 * KB
RESPONSE = bytes(150)

SO_ZEROCOPY, MSG_ZEROCOPY = 60, 0x4000000

# Sends a number of bytes of a file, in PDUs of a length.
Send = Callable[[socket.socket, select.poll, int, int, int], None]


def headers(length: int) -> bytes:
    """Return the headers of a PDU of this length."""
    return struct.pack(">BxLLBB", 4, length - 6, length - 10, 1, 0)


def push(connection: socket.socket, writable: select.poll, buffers: list[memoryview | bytes], flags: int = 0) -> None:
    """Send all of `buffers`."""
    while buffers:
        try:
            sent = connection.sendmsg(buffers, (), flags)
        except BlockingIOError:
            writable.poll()
            continue
        index = 0
        while index < len(buffers) and sent >= len(buffers[index]):
            sent -= len(buffers[index])
            index += 1
        buffers = buffers[index:]
        if sent:
            buffers[0] = memoryview(buffers[0])[sent:]


def slices(data: memoryview, length: int) -> Iterator[memoryview | bytes]:
    """Yield headers and slices of the data in turn."""
    head, step = headers(length), length - HEADERS
    return itertools.chain.from_iterable((head, data[start : start + step]) for start in range(0, len(data), step))


def mapped(batch: int, connection: socket.socket, writable: select.poll, file: int, size: int, length: int) -> None:
    """Use `sendmsg` of slices of a map: the way in use."""
    data = memoryview(mmap.mmap(file, size, access=mmap.ACCESS_READ))
    buffers = slices(data, length)
    while several := list(itertools.islice(buffers, batch)):
        push(connection, writable, several)


def read(room: int, connection: socket.socket, writable: select.poll, file: int, size: int, length: int) -> None:
    """Use `preadv` into a buffer that is reused, between headers that stay in it, and one `send`."""
    pdus = max(1, room // length)
    buffer, step = memoryview(bytearray(pdus * length)), length - HEADERS
    for start in range(0, len(buffer), length):
        buffer[start : start + HEADERS] = headers(length)
    values = [buffer[start + HEADERS : start + length] for start in range(0, len(buffer), length)]
    position = 0
    while position < size:
        count = os.preadv(file, values, position)
        position += count
        push(connection, writable, [buffer[: count + HEADERS * -(-count // step)]])


def sendfile(corked: bool, connection: socket.socket, writable: select.poll, file: int, size: int, length: int) -> None:
    """Use `sendfile` for each PDU; MSG_MORE or TCP_CORK holds its headers back."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, corked)
    head, step = headers(length), length - HEADERS
    for start in range(0, size, step):
        push(connection, writable, [head], 0 if corked else socket.MSG_MORE)
        position, end = start, min(start + step, size)
        while position < end:
            try:
                position += os.sendfile(connection.fileno(), file, position, end - position)
            except BlockingIOError:
                writable.poll()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, False)


def spliced(connection: socket.socket, writable: select.poll, file: int, size: int, length: int) -> None:
    """Use `splice` from the file into a pipe, and from there into the socket."""
    out, into = os.pipe2(os.O_NONBLOCK)
    fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, 1 << 20)
    head, step = headers(length), length - HEADERS
    for start in range(0, size, step):
        held = os.write(into, head)
        position, end = start, min(start + step, size)
        while held or position < end:
            if position < end:
                with suppress(BlockingIOError):  # the pipe is full
                    count = os.splice(file, into, end - position, offset_src=position, flags=os.SPLICE_F_NONBLOCK)
                    position += count
                    held += count
            try:
                held -= os.splice(out, connection.fileno(), held, flags=os.SPLICE_F_NONBLOCK)
            except BlockingIOError:
                writable.poll()
    os.close(out)
    os.close(into)


def zero_copy(connection: socket.socket, writable: select.poll, file: int, size: int, length: int) -> None:
    """Use `sendmsg` of slices of a map with MSG_ZEROCOPY; the system's report on each call has to be fetched."""
    connection.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    buffers = slices(memoryview(mmap.mmap(file, size, access=mmap.ACCESS_READ)), length)
    while several := list(itertools.islice(buffers, 16)):
        push(connection, writable, several, MSG_ZEROCOPY)
        with suppress(BlockingIOError):
            while True:
                connection.recvmsg(0, 512, socket.MSG_ERRQUEUE)


def whole(connection: socket.socket, writable: select.poll, file: int, size: int, length: int) -> None:
    """Use a bare `sendfile`, without any PDU."""
    sendfile(False, connection, writable, file, size, size + HEADERS)


def drain(connection: socket.socket) -> None:
    """Receive, and keep nothing."""
    buffer = memoryview(bytearray(RECEIVED))
    while connection.recv_into(buffer):
        pass


def keep(connection: socket.socket) -> None:
    """Receive images, write each to a file, and answer it."""
    readable, buffer = poller(connection, select.POLLIN), memoryview(bytearray(RECEIVED))
    whole = IMAGE + HEADERS * -(-IMAGE // (LENGTH - HEADERS))
    for _ in range(IMAGES):
        file, left = os.open(MEMORY, os.O_TMPFILE | os.O_RDWR, 0o600), whole
        while left:
            try:
                count = connection.recv_into(buffer)
            except BlockingIOError:
                readable.poll()
            else:
                left -= os.write(file, buffer[:count])
        os.close(file)
        connection.send(RESPONSE)


def run(send: Send, file: int, length: int) -> Spent:
    """Send a huge object to a peer that only receives."""
    return beside(lambda near: send(near, poller(near, select.POLLOUT), file, HUGE, length), drain)


def lock_step(send: Send, files: list[int]) -> Spent:
    """Send images, each after the answer to the one before."""

    def side(connection: socket.socket) -> None:
        writable, answered = poller(connection, select.POLLOUT), poller(connection, select.POLLIN)
        for file in files:
            send(connection, writable, file, IMAGE, LENGTH)
            answered.poll()
            connection.recv(len(RESPONSE))

    return beside(side, keep)


def main() -> None:
    """Print tables for large objects, and one for images."""
    batches: dict[str, Send] = {f"{batch} buffers": partial(mapped, batch) for batch in (64, 2, 16, 32, 128, 256, 1024)}
    calls: dict[str, Send] = {
        "sendmsg, map, 64 buffers": partial(mapped, 64),
        "preadv into 256 KB, send": partial(read, 256 * KB),
        "preadv into 1 MB, send": partial(read, 1 << 20),
        "sendfile, MSG_MORE": partial(sendfile, False),
        "sendfile, TCP_CORK": partial(sendfile, True),
        "splice through a pipe": spliced,
        "sendmsg, map, MSG_ZEROCOPY": zero_copy,
        "bare sendfile, no PDUs": whole,
    }
    with file_of(HUGE) as (file,):
        for ways, lengths in ((batches, (16 * KB, LENGTH)), (calls, (16 * KB, LENGTH, 1 << 20))):
            for length in lengths:
                compare(
                    f"{HUGE >> 20} MB in PDUs of {length // KB} KB",
                    {name: partial(run, send, file, length) for name, send in ways.items()},
                )
    with file_of(IMAGE, IMAGES) as files:
        compare(
            f"{IMAGES} images of {IMAGE:,} bytes in PDUs of {LENGTH // KB} KB, kept and answered",
            {name: partial(lock_step, send, files) for name, send in calls.items() if send not in (zero_copy, whole)},
            count=IMAGES,
        )


if __name__ == "__main__":
    main()
