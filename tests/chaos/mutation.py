"""Recorded conversations, and what becomes of them when bits, lengths and the order of PDUs change; the seed decides."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

HEADER = 6
LENGTHS = (0, 1, 2, 3, 4, 5, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
MOST_MUTATIONS = 4

Pdus = list[bytes]


class Recorder:
    """A relay in front of an acceptor on 127.0.0.1, which keeps what both sides of each connection say.

    Attributes:
        conversations: What the requestor said and what the acceptor said, of each connection.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.conversations: list[tuple[bytearray, bytearray]] = []
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []

    def __enter__(self) -> int:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._start(self._listen)
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(30)
        for connection in self._connections:
            connection.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._connections += (near, far)
                said = bytearray(), bytearray()
                self.conversations.append(said)
                self._start(self._relay, near, far, said[0])
                self._start(self._relay, far, near, said[1])

    def _relay(self, source: socket.socket, target: socket.socket, said: bytearray) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                said += data
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def cut_into_pdus(said: bytes | bytearray) -> Pdus:
    """Return the PDUs of one side of a conversation."""
    pdus, position = [], 0
    while position + HEADER <= len(said):
        end = position + HEADER + int.from_bytes(said[position + 2 : position + HEADER])
        pdus.append(bytes(said[position:end]))
        position = end
    return pdus


def mutate(pdus: Sequence[bytes], others: Sequence[Sequence[bytes]], random: Random) -> Pdus:
    """Return a conversation with one to four changes; `others` are conversations to borrow from."""
    changed = list(pdus)
    for _ in range(random.randint(1, MOST_MUTATIONS)):
        if changed:
            random.choice(MUTATIONS)(changed, others, random)
    return changed


def _any(pdus: Pdus, random: Random) -> int:
    # The A-ASSOCIATE-RQ has most of the fields, and all else depends on it.
    return 0 if random.random() < 0.3 else random.randrange(len(pdus))


def _flip_bits(pdus: Pdus, _: Sequence[Sequence[bytes]], random: Random) -> None:
    index = _any(pdus, random)
    data = bytearray(pdus[index])
    for _each in range(random.choice((1, 1, 1, 2, 8))):
        if data:
            data[random.randrange(min(len(data), 512))] ^= 1 << random.randrange(8)
    pdus[index] = bytes(data)


def _change_byte(pdus: Pdus, _: Sequence[Sequence[bytes]], random: Random) -> None:
    index = _any(pdus, random)
    data = bytearray(pdus[index])
    if data:
        data[random.randrange(len(data))] = random.choice((0, 1, 0x20, 0x30, 0x50, 0x7F, 0x80, 0xFF))
    pdus[index] = bytes(data)


def _lie_about_a_length(pdus: Pdus, _: Sequence[Sequence[bytes]], random: Random) -> None:
    index = _any(pdus, random)
    data = bytearray(pdus[index])
    where, form = (
        (2, ">I") if random.random() < 0.4 else (random.randrange(max(len(data), 1)), random.choice((">H", "<I", ">I")))
    )
    size = struct.calcsize(form)
    if where + size <= len(data):
        data[where : where + size] = struct.pack(form, random.choice(LENGTHS) % (1 << 8 * size))
    pdus[index] = bytes(data)


def _remove_bytes(pdus: Pdus, _: Sequence[Sequence[bytes]], random: Random) -> None:
    index = _any(pdus, random)
    data = pdus[index]
    start = random.randrange(len(data) + 1)
    pdus[index] = _fitted(data[:start] + data[start + random.randint(1, 40) :], random)


def _insert_bytes(pdus: Pdus, _: Sequence[Sequence[bytes]], random: Random) -> None:
    index = _any(pdus, random)
    data = pdus[index]
    start = random.randrange(len(data) + 1)
    new = random.randbytes(random.randint(1, 40)) if random.random() < 0.5 else data[:start][-random.randint(1, 40) :]
    pdus[index] = _fitted(data[:start] + new + data[start:], random)


def _repeat_pdu(pdus: Pdus, _: Sequence[Sequence[bytes]], random: Random) -> None:
    index = random.randrange(len(pdus))
    pdus[index:index] = [pdus[index]] * random.choice((1, 1, 2, 20))


def _drop_pdu(pdus: Pdus, _: Sequence[Sequence[bytes]], random: Random) -> None:
    del pdus[random.randrange(len(pdus))]


def _swap_pdus(pdus: Pdus, _: Sequence[Sequence[bytes]], random: Random) -> None:
    one, other = random.randrange(len(pdus)), random.randrange(len(pdus))
    pdus[one], pdus[other] = pdus[other], pdus[one]


def _borrow_pdu(pdus: Pdus, others: Sequence[Sequence[bytes]], random: Random) -> None:
    pdus.insert(random.randrange(len(pdus) + 1), random.choice(random.choice(others)))


def _fitted(data: bytes, random: Random) -> bytes:
    """Return a PDU whose length is right again, more often than not: then what is inside is looked at."""
    if len(data) < HEADER or random.random() < 0.3:
        return data
    return data[:2] + struct.pack(">I", len(data) - HEADER) + data[HEADER:]


MUTATIONS = (
    _flip_bits,
    _flip_bits,
    _change_byte,
    _lie_about_a_length,
    _lie_about_a_length,
    _remove_bytes,
    _insert_bytes,
    _repeat_pdu,
    _drop_pdu,
    _swap_pdus,
    _borrow_pdu,
)
