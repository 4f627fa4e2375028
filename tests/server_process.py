"""A server in a process of its own, which stores what it is sent, and whose memory and time are looked at from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.drivers import Face
from tests.hostile_scu import cpu_seconds, descriptors_and_threads, private

SOON = 10.0  # seconds for any prompt action
LOOK = 0.3  # seconds of watching an idle process
NOTHING = 0.04  # seconds of processor time when idle
OFTEN = 0.005  # seconds between two memory samples

SERVER = """
import asyncio, sys
import dimse
from dimse import aio
from dimse.archive import FileStore

face, folder, associations = sys.argv[1], sys.argv[2], int(sys.argv[3])
# All peers have one address here, which has nine tenths of the associations by default.
limits = dimse.Limits(associations=associations, per_address=0, half_open=2000)

def ready(server):
    print(server.address[1], flush=True)

async def serve(handlers):
    async with aio.Server(("127.0.0.1", 0), handlers, limits=limits) as server:
        ready(server)
        await asyncio.to_thread(sys.stdin.read)

with FileStore(folder, durability="none") as store:
    if face == "asyncio":
        asyncio.run(serve(store.handlers()))
    else:
        with dimse.Server(("127.0.0.1", 0), store.handlers(), limits=limits) as server:
            ready(server)
            sys.stdin.read()
"""

# The most threads that an event loop makes for `def` handlers.
POOL = min(32, (os.cpu_count() or 1) + 4)


@dataclass(frozen=True)
class ServerProcess:
    """A server in a process of its own: where it listens, where it keeps what it gets."""

    pid: int
    port: int
    folder: Path
    pool: int
    log: IO[str]

    def said(self) -> list[str]:
        """Return the lines of its log so far."""
        self.log.seek(0)
        return self.log.read().splitlines()

    def settle(self, base: tuple[int, int]) -> None:
        """Wait until it has no more descriptors and threads than `base`, but for the pool of an event loop, which stays."""
        base = base[0], base[1] + self.pool
        give_up = time.monotonic() + SOON
        while any(now > then for now, then in zip(descriptors_and_threads(self.pid), base, strict=True)):
            assert time.monotonic() < give_up, (descriptors_and_threads(self.pid), base)

    def rest(self) -> None:
        """Wait until it does nothing: with a thread or task that goes round and round it never does."""
        verify_rest(self.pid)


@contextmanager
def server_process(face: Face, folder: Path, associations: int = 100) -> Iterator[ServerProcess]:
    """Run a server of either face that stores in `folder`, whose log must have lines about ended connections only."""
    command = [sys.executable, "-c", SERVER, face, str(folder), str(associations)]
    with (
        # A pipe without a reader would block the server once it is full.
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            pool = POOL if face == "asyncio" else 0
            server = ServerProcess(process.pid, int(process.stdout.readline()), folder, pool, log)
            yield server
            process.communicate("", timeout=SOON)
            assert not any("Traceback" in line for line in server.said())
            assert process.returncode == 0
        finally:
            process.kill()


def verify_rest(pid: int) -> None:
    """Wait until a process does nothing; it has to, soon."""
    give_up = time.monotonic() + SOON
    while True:
        before = cpu_seconds(pid)
        time.sleep(LOOK)
        if (used := cpu_seconds(pid) - before) <= NOTHING:
            return
        assert time.monotonic() < give_up, f"it works for {used:.2f} s of {LOOK} s without a request"


class Watch:
    """A sampler of the private memory of a process, active while entered.

    Attributes:
        most: The largest sample, in bytes.
    """

    def __init__(self, pid: int) -> None:
        self._pid, self.most = pid, private(pid)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._done.wait(OFTEN):
            self.most = max(self.most, private(self._pid))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
