"""Conversations as a pcap file that tshark and Wireshark read: the headers of Ethernet, IPv4 and TCP are made up."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

# The port of every acceptor here. A requestor's port is `FIRST_PORT` plus the number of its conversation.
PORT = 11112
FIRST_PORT = 20000
# The addresses of the requestor and of the acceptor.
ADDRESSES = socket.inet_aton("10.0.0.1"), socket.inet_aton("10.0.0.2")
SEGMENT = 16384  # bytes at the most
FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16


class Pcap:
    """A pcap file, open while entered; conversations may be written from several threads.

    Attributes:
        conversations: How many it has.
        packets: How many segments these are.
    """

    def __init__(self, path: Path) -> None:
        self.conversations = self.packets = 0
        self._lock = threading.Lock()
        self._file = path.open("wb")
        self._file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 16, 1))  # 1: Ethernet

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def converse(self) -> Conversation:
        """Begin a conversation: its connection stands."""
        with self._lock:
            self.conversations += 1
            port = FIRST_PORT + self.conversations
        return Conversation(self, port)

    def write(self, sender: int, segment: bytes) -> None:
        """Write a TCP segment as a packet; each is a microsecond after the last one."""
        header = struct.pack(">BBHIBBH", 0x45, 0, 20 + len(segment), 0x4000, 64, 6, 0)
        packet = bytes(12) + b"\x08\x00" + header + ADDRESSES[sender] + ADDRESSES[1 - sender] + segment
        with self._lock:
            self.packets += 1
            seconds, microseconds = divmod(self.packets, 1_000_000)
            self._file.write(struct.pack("<IIII", seconds, microseconds, len(packet), len(packet)) + packet)


class Conversation:
    """A connection in a pcap file. Its sides are 0, the requestor, and 1, the acceptor."""

    def __init__(self, pcap: Pcap, port: int) -> None:
        self._pcap = pcap
        self._ports = port, PORT
        self._sent = [0, 0]  # next sequence numbers
        self._ended: set[int] = set()
        self._segment(0, SYN)
        self._segment(1, SYN | ACK)
        self._segment(0, ACK)

    def sent(self, sender: int, data: bytes) -> None:
        """Record that a side has sent bytes."""
        for start in range(0, len(data), SEGMENT):
            self._segment(sender, PUSH | ACK, data[start : start + SEGMENT])

    def ended(self, sender: int, kind: Literal["FIN", "RST"]) -> None:
        """Record that a side has ended its direction, or reset the connection."""
        if sender not in self._ended:
            self._ended.add(sender)
            self._segment(sender, FIN | ACK if kind == "FIN" else RST | ACK)

    def _segment(self, sender: int, flags: int, data: bytes = b"") -> None:
        ports = self._ports[sender], self._ports[1 - sender]
        numbers = self._sent[sender], self._sent[1 - sender] if flags & ACK else 0
        self._sent[sender] += len(data) + bool(flags & (SYN | FIN))
        self._pcap.write(sender, struct.pack(">HHIIBBHHH", *ports, *numbers, 5 << 4, flags, 0xFFFF, 0, 0) + data)


def packets(path: Path) -> Iterator[tuple[tuple[int, int], int, int, bytes]]:
    """Yield ports, sequence number, flags and data of each TCP segment in a file, with lengths from the headers."""
    pcap, position = path.read_bytes(), 24
    while position < len(pcap):
        captured, length = struct.unpack_from("<II", pcap, position + 8)
        assert captured == length
        packet = pcap[position + 16 : position + 16 + length]
        assert int.from_bytes(packet[16:18], "big") == length - 14
        source, target, number, _, _, flags = struct.unpack_from(">HHIIBB", packet, 34)
        yield (source, target), number, flags, packet[54:]
        position += 16 + length
