"""A proxy between a requestor and an acceptor that is as far away as it is told to be, and harms connections.

    with Proxy(scp_port, delay=0.025) as port:
        ...  # each byte takes 25 ms to 127.0.0.1:scp_port, and as long back

    with Proxy(scp_port, cut_after=iter([7, 20]), seed=3) as port:
        ...  # the first connection ends after 7 PDUs, the second after 20, all others live

    with Proxy(scp_port, faults=iter([Fault("RST", after=3, torn=True)]), split=5) as port:
        ...  # the first one is reset within its third PDU; of all, no write brings more than 5 bytes

It knows nothing of DICOM but the header of a PDU (PS3.8 9.3.1).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.chaos.pcap import Conversation, Pcap

LOOPBACK = "127.0.0.1"
CHUNK = 1 << 16  # bytes of one read
# Chunks that may be between the two sides, in each direction.
UNDER_WAY = 256
HEADER = 6  # bytes: type, reserved, length
# The most seconds to wait for more bytes, if writes are coalesced.
COLLECTING = 0.02
PACES = 50  # writes a second, if slow


@dataclass(frozen=True)
class Fault:
    """The fault of one connection, and its time.

    Attributes:
        kind: "FIN" and "RST" end both sides in this way. "half-close" ends the direction of the last PDU that passes: its receiver
            sees the end, and later bytes of its sender are lost. "stall" holds everything back until it is released.
        after: The number of PDUs that have begun to pass by then, in both directions together; at least one.
        torn: True to act within the last of them, at an offset that the seed decides; otherwise behind it.
        seconds: The duration of a stall; 0 until `Proxy.release`.
    """

    kind: Literal["FIN", "RST", "half-close", "stall"]
    after: int
    torn: bool = False
    seconds: float = 0.0

    @property
    def described(self) -> tuple[str, ...]:
        return self.kind, *(["torn"] if self.torn else [])


class Proxy:
    """A proxy on a free port of 127.0.0.1, which forwards bytes while it is entered.

    Args:
        port: The port of the acceptor on 127.0.0.1.
        delay: The seconds that everything takes each way, without a limit on the bytes in transit.
        cut_after: For each connection, the number of PDUs in both directions together after which it is cut; at least one. Further
            connections are not cut.
        faults: For each connection, its fault instead. Further connections have none.
        seed: A seed that decides whether `cut_after` cuts by FIN or by RST, and behind the PDU or within it. It also decides the
            offset of every cut within a PDU.
        split: The most bytes of one write, whose size is random.
        coalesce: The number of bytes to collect before they are forwarded, for at most `COLLECTING` seconds.
        slow: The bytes that pass in a second, in each direction.
        record: The file for a record of everything that has passed.

    Attributes:
        connections: The number of connections.
        cuts: The fault of each connection that had one: "FIN", "RST", "half-close" or "stall", and "torn" if it was within a PDU.
        stalled: Set when a connection stalls.
    """

    def __init__(
        self,
        port: int,
        *,
        delay: float = 0.0,
        cut_after: Iterator[int] | None = None,
        faults: Iterator[Fault | None] | None = None,
        seed: int = 0,
        split: int = 0,
        coalesce: int = 0,
        slow: int = 0,
        record: Pcap | None = None,
    ) -> None:
        self.connections = 0
        self.cuts: list[tuple[str, ...]] = []
        self.stalled = threading.Event()
        self._port, self._delay, self._seed = port, delay, seed
        self._cut_after = iter(()) if cut_after is None else cut_after
        self._faults = iter(()) if faults is None else faults
        self._split, self._coalesce, self._slow, self._record = split, coalesce, slow, record
        self._failure: BaseException | None = None

    def __enter__(self) -> int:
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._task = self._loop.create_task(self._listen())
        self._thread = threading.Thread(target=self._run, name="Proxy")
        self._thread.start()
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()
        self._loop.close()
        self._listener.close()
        if self._failure is not None:
            raise self._failure

    def release(self) -> None:
        """Release everything that has stalled. Nothing stalls from now on."""
        self._loop.call_soon_threadsafe(self._released.set)

    def _run(self) -> None:
        try:
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
        except BaseException as error:  # raised again later
            self._failure = error

    async def _listen(self) -> None:
        async with asyncio.TaskGroup() as connections:
            while True:
                near, _ = await self._loop.sock_accept(self._listener)
                self.connections += 1
                random = Random(f"{self._seed}/{self.connections}")
                connections.create_task(self._join(near, Fate(self._next_fault(random), random)))

    def _next_fault(self, random: Random) -> Fault | None:
        """Return the fault of the new connection."""
        after = next(self._cut_after, None)
        if after is None:
            return next(self._faults, None)
        return Fault("RST" if random.random() < 0.5 else "FIN", after, torn=random.random() < 0.5)

    async def _join(self, near: socket.socket, fate: Fate) -> None:
        """Pass on what comes over one connection until it ends."""
        record = self._record.converse() if self._record is not None else None
        with near, socket.socket() as far:
            for end in (near, far):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            outward, back = Direction(near, far, 0, record), Direction(far, near, 1, record)
            try:
                await self._loop.sock_connect(far, (LOOPBACK, self._port))
                async with asyncio.TaskGroup() as directions:
                    directions.create_task(self._pass_on(outward, fate))
                    directions.create_task(self._pass_on(back, fate))
            except* ConnectionError:
                outward.note_end("RST")
                reset(near, far)
            except* Cut:
                self.cuts.append(fate.described)
                if fate.kind == "RST":
                    outward.note_end("RST")
                    reset(near, far)
                else:
                    for direction in (outward, back):
                        direction.note_end("FIN")
                    await self._finish(near, far)

    async def _pass_on(self, direction: Direction, fate: Fate) -> None:
        """Forward one direction of a connection, until its sender has ended it.

        Raises:
            ConnectionError: It was reset.
            Cut: It has met its fate.
        """
        under_way: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue(UNDER_WAY)
        framing, deaf = Framing(), False
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(direction.source, under_way))
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(due - self._loop.time())
                await fate.flowing.wait()
                if data is None:
                    raise ConnectionResetError
                if deaf and data:
                    continue
                if not data:
                    if not deaf:
                        await self._write(direction, framing.held, fate)
                        direction.end()
                    return
                passing, behind = fate.passing(framing, data)
                if behind is not None and fate.cuts:
                    # The other direction must not pass an answer to this.
                    fate.flowing.clear()
                await self._write(direction, passing, fate)
                if behind is None:
                    continue
                if fate.cuts:
                    raise Cut
                self.cuts.append(fate.described)
                if fate.kind == "half-close":
                    direction.end()
                    deaf = True
                else:
                    await self._stall(fate)
                    await self._write(direction, behind, fate)

    async def _take(self, source: socket.socket, under_way: asyncio.Queue[tuple[float, bytes | None]]) -> None:
        """Put what comes on its way, with the time when it is due; b"" is its end, None a reset."""
        data: bytes | None = b"more"
        while data:
            try:
                data = await self._loop.sock_recv(source, CHUNK)
                if data:
                    data += await self._collect(source, self._coalesce - len(data))
            except ConnectionError:
                data = None
            await under_way.put((self._loop.time() + self._delay, data))

    async def _collect(self, source: socket.socket, most: int) -> bytes:
        """Receive a number of bytes, or those that arrive in time."""
        collected, deadline = b"", self._loop.time() + COLLECTING
        while len(collected) < most and self._loop.time() < deadline:
            try:
                more = source.recv(most - len(collected))
            except BlockingIOError:
                await asyncio.sleep(0.001)
                continue
            if not more:
                break
            collected += more
        return collected

    async def _write(self, direction: Direction, data: bytes, fate: Fate) -> None:
        """Write what passes, in the pieces and at the pace that were asked for."""
        longest = max(1, self._slow // PACES) if self._slow else len(data)
        while data:
            count = fate.random.randint(1, self._split) if self._split else longest
            piece, data = data[: min(count, longest)], data[min(count, longest) :]
            direction.note(piece)
            await self._loop.sock_sendall(direction.target, piece)
            if self._slow or data:
                await asyncio.sleep(len(piece) / self._slow if self._slow else 0)

    async def _stall(self, fate: Fate) -> None:
        """Hold both directions up, until it is released or its time is over."""
        fate.flowing.clear()
        self.stalled.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(fate.seconds or None):
                await self._released.wait()
        fate.flowing.set()

    async def _finish(self, *ends: socket.socket) -> None:
        """End both sides by FIN: closed with unread bytes they would be reset."""
        with suppress(OSError):
            for end in ends:
                end.shutdown(socket.SHUT_WR)
            for end in ends:
                while await self._loop.sock_recv(end, CHUNK):
                    pass


class Cut(Exception):
    """A connection is to end here."""


@dataclass(frozen=True)
class Direction:
    """A direction of a connection: its source, its destination, and its record."""

    source: socket.socket
    target: socket.socket
    sender: int  # requestor 0, acceptor 1
    record: Conversation | None

    def note(self, data: bytes) -> None:
        """Record what passes; before it does, so that no answer to it comes first."""
        if self.record is not None:
            self.record.sent(self.sender, data)

    def note_end(self, kind: Literal["FIN", "RST"]) -> None:
        """Record how it ends."""
        if self.record is not None:
            self.record.ended(self.sender, kind)

    def end(self) -> None:
        """End it as its sender has."""
        self.note_end("FIN")
        with suppress(OSError):  # the other side has closed already
            self.target.shutdown(socket.SHUT_WR)


class Framing:
    """A parser of one direction of a connection, by the headers of its PDUs.

    Attributes:
        held: An incomplete header.
        allowed: The number of bytes that may still pass of the PDU in which the connection ends.
    """

    def __init__(self) -> None:
        self.held = b""
        self.allowed: int | None = None
        self._left = 0  # of the PDU that goes by

    def pieces(self, data: bytes) -> Iterator[tuple[bytes, int]]:
        """Yield pieces of `data`, each of one PDU at most, and the length of the PDU that begins with it, or 0."""
        data = self.held + data
        while data:
            length = 0
            if not self._left:
                if len(data) < HEADER:
                    break
                length = self._left = HEADER + int.from_bytes(data[2:HEADER], "big")
            piece, data = data[: self._left], data[self._left :]
            self._left -= len(piece)
            yield piece, length
        self.held = data


class Fate:
    """The fault of one connection while it runs.

    Attributes:
        random: The source of the offset.
        flowing: Unset while the connection stalls, and after it has been cut.
        cuts: True if it ends both directions.
    """

    def __init__(self, fault: Fault | None, random: Random) -> None:
        self.random = random
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._fault = fault or Fault("FIN", 0)
        self.cuts = self._fault.kind in ("FIN", "RST")
        self._after = self._fault.after  # PDUs until then
        self.kind, self.seconds, self.described = self._fault.kind, self._fault.seconds, self._fault.described

    def passing(self, framing: Framing, data: bytes) -> tuple[bytes, bytes | None]:
        """Return the part of `data` that passes, and the part behind the fault, or None if the fault is not here."""
        whole = framing.held + data
        if not self._fault.after:
            framing.held = b""
            return whole, None
        passing = b""
        for piece, begins in framing.pieces(data):
            if begins:
                self._after -= 1
                if not self._after:
                    framing.allowed = self.random.randrange(1, begins) if self._fault.torn else begins
            if framing.allowed is not None:
                piece = piece[: framing.allowed]  # noqa: PLW2901
                framing.allowed -= len(piece)
            passing += piece
            if framing.allowed == 0:
                framing.held, self._fault = b"", Fault("FIN", 0)
                return passing, whole[len(passing) :]
        return passing, None


def reset(*ends: socket.socket) -> None:
    """Close these by RST."""
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()
