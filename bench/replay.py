"""A cheap load: C-STOREs whose bytes are prepared beforehand, sent over many associations by one loop.

    python bench/replay.py PORT FILE ASSOCIATIONS OBJECTS

All associations are established first. Then each sends its share of the objects, each object after the response to the last one. An
object is the file's data set with a SOP Instance UID of its own. Meanwhile nothing is read from a disk, and nothing is decoded
except the status of responses. The program prints, as JSON, the seconds from the first byte to the last response, and its own
processor seconds.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dimse import uids
from dimse.instances import InstanceFile
from dimse.message import command
from dimse.settings import ProposedContext, Requestor
from dimse.upper_layer import negotiation, pdu

CONTEXT_ID = 1
COMMAND, LAST = 0x01, 0x02  # message control header (PS3.8 E.2)
STATUS = struct.pack("<HHI", 0x0000, 0x0900, 2)  # the header of Status
RECEIVED = 1 << 16
SHORT = 1 << 16  # bytes sent with the head
SILENCE = 30.0  # seconds without anything from the receiver


class RefusedError(Exception):
    """The receiver does not do what is measured."""


def new_uid(number: int) -> str:
    """Return a SOP Instance UID; all of them have the same length."""
    return f"2.25.2{number:038d}"


def p_data(control: int, value: bytes, maximum_length: int) -> Iterator[bytes]:
    """Yield the parts of a command set or data set as P-DATA-TF PDUs (PS3.8 9.3.5), one PDV in each."""
    size = maximum_length - 6
    for start in range(0, len(value), size):
        piece = value[start : start + size]
        last = LAST if start + size >= len(value) else 0
        yield struct.pack(">BxLLBB", 0x04, len(piece) + 6, len(piece) + 2, CONTEXT_ID, control | last)
        yield piece


@dataclass(frozen=True)
class Store:
    """A C-STORE as it is transmitted, except for the SOP Instance UID of each object.

    Attributes:
        head: Its bytes up to the UID in the data set, with the file's own UID in it twice; all bytes, if they are few.
        tail: A file in memory with all bytes behind it, the same for every object, so that the system copies none of them.
        tail_size: The size of the tail.
        uid: The UID of the file.
    """

    head: bytes
    tail: int
    tail_size: int
    uid: bytes

    @classmethod
    def of(cls, instance: InstanceFile, maximum_length: int) -> Store:
        """Make the C-STORE of a file, in PDUs of this length."""
        request = command.CStoreRQ(
            message_id=1,
            affected_sop_class_uid=instance.sop_class_uid,
            affected_sop_instance_uid=instance.sop_instance_uid,
        )
        data_set = bytes(instance.data_set())
        pdus = [
            *p_data(COMMAND, command.encode(request), maximum_length),
            *p_data(0, data_set, maximum_length),
        ]
        message, uid = b"".join(pdus), instance.sop_instance_uid.encode()
        end = message.index(uid, message.index(uid) + len(uid)) + len(uid)
        if len(message) - end < SHORT:
            end = len(message)
        tail = os.memfd_create("tail")
        os.write(tail, memoryview(message)[end:])
        return cls(message[:end], tail, len(message) - end, uid)

    def patched(self, number: int) -> bytes:
        """Return the head for the object of this number."""
        return self.head.replace(self.uid, new_uid(number).encode())


@dataclass
class Player:
    """A player of the objects of one association.

    Attributes:
        connection: The socket.
        store: The C-STORE to send.
        heads: The heads of the objects that remain.
        answered: The number of responses so far.
    """

    connection: socket.socket
    store: Store
    heads: Iterator[bytes]
    answered: int = 0
    _unsent: bytes = b""  # of the head
    _tail_sent: int = 0
    _received: bytes = b""

    def next(self) -> bool:
        """Begin with the next object, and return False if there is no other."""
        if (head := next(self.heads, None)) is None:
            return False
        self._unsent, self._tail_sent = head, 0
        return True

    def send(self) -> bool:
        """Send what the connection takes, and return True if everything has been sent."""
        try:
            while self._unsent:
                more = socket.MSG_MORE if self.store.tail_size else 0
                self._unsent = self._unsent[self.connection.send(self._unsent, more) :]
            while (left := self.store.tail_size - self._tail_sent) > 0:
                self._tail_sent += os.sendfile(self.connection.fileno(), self.store.tail, self._tail_sent, left)
        except BlockingIOError:
            return False
        return True

    def receive(self) -> bool:
        """Receive bytes that have arrived, and return True if they complete a response.

        Raises:
            RefusedError: The response is not success, or the connection is lost.
        """
        received = self.connection.recv(RECEIVED)
        self._received += received
        if not received:
            raise RefusedError("the connection was closed")
        if len(self._received) < 6 or len(self._received) < 6 + int.from_bytes(self._received[2:6], "big"):
            return False
        status = self._received.find(STATUS) + len(STATUS)
        if self._received[0] != 0x04 or self._received[status : status + 2] != b"\0\0":
            raise RefusedError(f"a response without success: {self._received[:200]!r}")
        self._received = b""
        self.answered += 1
        return True


def associate(port: int, instance: InstanceFile) -> tuple[socket.socket, int]:
    """Request an association for a file's SOP class and transfer syntax, and return it with the acceptor's maximum length.

    Raises:
        RefusedError: The association or the context was not accepted.
    """
    contexts = (ProposedContext(instance.sop_class_uid, (instance.transfer_syntax_uid,)),)
    requestor = Requestor(calling_ae_title="REPLAY", called_ae_title="ANY-SCP", contexts=contexts)
    request = negotiation.propose(requestor)
    connection = socket.create_connection(("127.0.0.1", port), timeout=SILENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(pdu.encode(request))
    kind, body = read_pdu(connection)
    accept = pdu.decode(kind, body)
    if not isinstance(accept, pdu.AssociateAC):
        raise RefusedError(repr(accept))
    agreed = negotiation.conclude(requestor, request, accept)
    if not agreed.accepted(instance.sop_class_uid):
        raise RefusedError(f"{uids.name(instance.sop_class_uid)} is not accepted")
    return connection, agreed.send_length


def read_pdu(connection: socket.socket) -> tuple[int, bytes]:
    """Return the type of a PDU, and the bytes behind its header.

    Raises:
        RefusedError: The connection is lost.
    """
    header = read(connection, 6)
    return header[0], read(connection, int.from_bytes(header[2:], "big"))


def read(connection: socket.socket, count: int) -> bytes:
    """Return a number of bytes. Raises `RefusedError` if the connection is lost."""
    received = b""
    while len(received) < count:
        if not (piece := connection.recv(count - len(received))):
            raise RefusedError("the connection was closed")
        received += piece
    return received


def play(players: Sequence[Player]) -> float:
    """Let all players send all their objects, and return the seconds until the last response.

    Raises:
        RefusedError: An object is not answered, or not with success.
    """
    waiting = select.epoll()
    by_descriptor = {player.connection.fileno(): player for player in players}
    for descriptor, player in by_descriptor.items():
        player.connection.setblocking(False)
        waiting.register(descriptor, select.EPOLLIN | select.EPOLLOUT if player.next() else 0)
    busy = len(players)
    started = time.perf_counter()
    while busy:
        ready = waiting.poll(SILENCE)
        if not ready:
            raise RefusedError(f"{busy} associations wait for a response for {SILENCE:g} s")
        for descriptor, events in ready:
            player = by_descriptor[descriptor]
            if events & ~select.EPOLLOUT and player.receive():
                if not player.next():
                    waiting.modify(descriptor, 0)
                    busy -= 1
                elif not player.send():
                    waiting.modify(descriptor, select.EPOLLIN | select.EPOLLOUT)
            elif events & select.EPOLLOUT and player.send():
                waiting.modify(descriptor, select.EPOLLIN)
    return time.perf_counter() - started


def main(port: int, path: str, associations: int, objects: int) -> None:
    """Play, and print the result."""
    instance = InstanceFile.check(path)
    made = [associate(port, instance) for _ in range(associations)]
    store = Store.of(instance, made[0][1])
    players = []
    for number, (connection, _) in enumerate(made):
        mine = range(number, objects, associations)
        players.append(Player(connection, store, iter([store.patched(each) for each in mine])))
    cpu_seconds = time.process_time()
    seconds = play(players)
    cpu_seconds = time.process_time() - cpu_seconds
    for player in players:
        player.connection.settimeout(SILENCE)
        player.connection.sendall(pdu.encode(pdu.ReleaseRQ()))
    for player in players:
        read_pdu(player.connection)
        player.connection.close()
    answered = sum(player.answered for player in players)
    played = {"seconds": seconds, "cpu_seconds": cpu_seconds}
    print(json.dumps(played | {"objects": answered, "bytes": answered * instance.data_set_size}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:5]))
