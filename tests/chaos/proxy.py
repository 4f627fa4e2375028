"""A proxy between a requestor and an acceptor that is as far away as it is told to be, and breaks connections.

    with Proxy(scp_port, delay=0.025) as port:
        ...  # each byte takes 25 ms to 127.0.0.1:scp_port, and as long back

    with Proxy(scp_port, cut_after=iter([7, 20]), seed=3) as port:
        ...  # the first connection ends after 7 PDUs, the second after 20, all others live

It knows nothing of DICOM but the header of a PDU (PS3.8 9.3.1).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from random import Random

LOOPBACK = "127.0.0.1"
CHUNK = 1 << 16  # bytes that are read at one time
UNDER_WAY = 256  # chunks that may be between the two sides, in each direction
HEADER = 6  # bytes: type, reserved, length


class Proxy:
    """Listens on a free port of 127.0.0.1 while entered, and passes on what comes.

    Args:
        port: Of the acceptor on 127.0.0.1.
        delay: Seconds that everything takes each way; how much may be under way is not limited by it.
        cut_after: For each connection, after how many PDUs of both directions together it is cut, at least one; then none is.
        seed: Decides how each is cut: by FIN or by RST, and behind that PDU or within it.

    Attributes:
        connections: How many have come.
        cuts: How each connection that was cut was cut: "FIN" or "RST", and "torn" where that was within a PDU.
    """

    def __init__(self, port: int, *, delay: float = 0.0, cut_after: Iterator[int] | None = None, seed: int = 0) -> None:
        self.connections = 0
        self.cuts: list[tuple[str, ...]] = []
        self._port, self._delay, self._seed = port, delay, seed
        self._cut_after = iter(()) if cut_after is None else cut_after
        self._failure: BaseException | None = None

    def __enter__(self) -> int:
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.setblocking(False)
        self._loop = asyncio.new_event_loop()
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

    def _run(self) -> None:
        try:
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
        except BaseException as error:  # raised again where the test sees it
            self._failure = error

    async def _listen(self) -> None:
        async with asyncio.TaskGroup() as connections:
            while True:
                near, _ = await self._loop.sock_accept(self._listener)
                self.connections += 1
                fate = Fate(next(self._cut_after, None), Random(f"{self._seed}/{self.connections}"))
                connections.create_task(self._join(near, fate))

    async def _join(self, near: socket.socket, fate: Fate) -> None:
        """Pass on what comes over one connection until it ends."""
        with near, socket.socket() as far:
            for end in (near, far):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                await self._loop.sock_connect(far, (LOOPBACK, self._port))
                async with asyncio.TaskGroup() as directions:
                    directions.create_task(self._pass_on(near, far, fate))
                    directions.create_task(self._pass_on(far, near, fate))
            except* ConnectionError:
                reset(near, far)
            except* Cut:
                self.cuts.append(fate.described)
                if fate.resets:
                    reset(near, far)
                else:
                    await self._finish(near, far)

    async def _pass_on(self, source: socket.socket, target: socket.socket, fate: Fate) -> None:
        """One direction of a connection, until its sender has ended it.

        Raises:
            ConnectionError: It was reset.
            Cut: It has met its fate.
        """
        under_way: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue(UNDER_WAY)
        framing = Framing()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(source, under_way))
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(due - self._loop.time())
                if data is None:
                    raise ConnectionResetError
                if not data:
                    await self._loop.sock_sendall(target, framing.held)
                    target.shutdown(socket.SHUT_WR)
                    return
                passing, cut = fate.passing(framing, data)
                await self._loop.sock_sendall(target, passing)
                if cut:
                    raise Cut

    async def _take(self, source: socket.socket, under_way: asyncio.Queue[tuple[float, bytes | None]]) -> None:
        """Put what comes on its way, with the time when it is due; b"" is its end, None a reset."""
        data: bytes | None = b"more"
        while data:
            try:
                data = await self._loop.sock_recv(source, CHUNK)
            except ConnectionError:
                data = None
            await under_way.put((self._loop.time() + self._delay, data))

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


class Framing:
    """One direction of a connection, taken apart by the headers of its PDUs.

    Attributes:
        held: A header that has not come whole.
        allowed: How many bytes may pass yet, once the PDU goes by in which the connection ends.
    """

    def __init__(self) -> None:
        self.held = b""
        self.allowed: int | None = None
        self._left = 0  # of the PDU that goes by

    def pieces(self, data: bytes) -> Iterator[tuple[bytes, int]]:
        """Pieces of `data`, none of more than one PDU; with each the length of the PDU that begins with it, or 0."""
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
    """When and how one connection ends: after so many PDUs, or never."""

    def __init__(self, after: int | None, random: Random) -> None:
        self._after, self._random = after, random
        self.resets, self._torn = random.random() < 0.5, random.random() < 0.5

    @property
    def described(self) -> tuple[str, ...]:
        return ("RST" if self.resets else "FIN", *(["torn"] if self._torn else []))

    def passing(self, framing: Framing, data: bytes) -> tuple[bytes, bool]:
        """What of `data` passes in the direction of `framing`, and whether the connection ends behind it."""
        if self._after is None:
            return data, False
        passing = b""
        for piece, begins in framing.pieces(data):
            if begins:
                self._after -= 1
                if not self._after:
                    framing.allowed = self._random.randrange(1, begins) if self._torn else begins
            if framing.allowed is not None:
                piece = piece[: framing.allowed]  # noqa: PLW2901
                framing.allowed -= len(piece)
            passing += piece
            if framing.allowed == 0:
                return passing, True
        return passing, False


def reset(*ends: socket.socket) -> None:
    """Close these by RST."""
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()
