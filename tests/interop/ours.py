"""Our side of a meeting with a peer: as SCU the two faces and the tools, as SCP a server of either face."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest

import dimse
from dimse import aio
from tests.files import Part10File

T = TypeVar("T")

Face = Literal["blocking", "asyncio"]
FACES: tuple[Face, ...] = ("blocking", "asyncio")
Transcode = Literal["never", "lossless", "always"]

# A deadline for operations that take a moment, so that a fault ends before the test does.
SECONDS = 20.0
TIMEOUTS = dimse.Timeouts(connect=5, acse=SECONDS, dimse=SECONDS, network=SECONDS)


def loops_back(address: str) -> bool:
    """Return True if this machine has this loopback address."""
    try:
        with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET):
            return True
    except OSError:
        return False


WITH_IPV6 = pytest.mark.skipif(not loops_back("::1"), reason="this machine has no IPv6 loopback address")
# Where a server of ours listens, and how its peer is told to find it.
ADDRESSES = [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"), pytest.param("::1", "::1", marks=WITH_IPV6)]


def tool(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `python -m dimse {name}` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "dimse", name, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def echo(face: Face, host: str, port: int) -> dimse.Status:
    """Send one C-ECHO over an association of its own."""
    if face == "blocking":
        with dimse.associate(host, port, contexts=[dimse.Verification], timeouts=TIMEOUTS) as association:
            return association.echo()

    async def verify() -> dimse.Status:
        async with aio.associate(host, port, contexts=[dimse.Verification], timeouts=TIMEOUTS) as association:
            return await association.echo()

    return asyncio.run(verify())


def store(
    face: Face,
    port: int,
    files: Sequence[Part10File],
    *,
    host: str = "127.0.0.1",
    transcode: Transcode = "lossless",
) -> list[dimse.Outcome]:
    """Send files over one association, by `store_many`; at its end, a C-ECHO shows that it still lives."""
    paths = [str(file.path) for file in files]
    contexts = [*dimse.contexts_for(paths), dimse.ProposedContext(dimse.Verification)]
    if face == "blocking":
        with dimse.associate(host, port, contexts=contexts, timeouts=TIMEOUTS) as association:
            outcomes = list(association.store_many(paths, transcode=transcode))
            association.echo().check()
            return outcomes

    async def send() -> list[dimse.Outcome]:
        async with aio.associate(host, port, contexts=contexts, timeouts=TIMEOUTS) as association:
            outcomes = [outcome async for outcome in association.store_many(paths, transcode=transcode)]
            (await association.echo()).check()
            return outcomes

    return asyncio.run(send())


@contextmanager
def serving(face: Face, handlers: dimse.Handlers, *, host: str = "127.0.0.1") -> Iterator[int]:
    """Run a server of ours on a free port, and yield the port."""
    if face == "blocking":
        with dimse.Server((host, 0), handlers) as server:
            yield server.address[1]
        return

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def on_the_loop(coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(SECONDS)

    try:
        concurrent = on_the_loop(aio.Server((host, 0), handlers).__aenter__())
        try:
            yield concurrent.address[1]
        finally:
            on_the_loop(concurrent.shutdown())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def encoded(file: Part10File) -> tuple[str, str, bytes]:
    """Return what has to arrive: SOP Instance UID, transfer syntax, and the data set byte for byte.

    A deflated data set of odd length in a file gets a NUL behind it (PS3.5 A.5).
    """
    return file.sop_instance_uid, file.transfer_syntax, file.data_set + bytes(len(file.data_set) % 2)


def copies(files: Sequence[Part10File], folder: Path) -> dict[Path, Part10File]:
    """Copy the files into a tree of folders as deep as their own, and return them by their new paths."""
    copied = {}
    for file in files:
        path = folder.joinpath(*file.path.parts[-3:])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        copied[path] = file
    return copied


def errors(process: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the `E:` lines of a tool; there are no others at its default level."""
    lines = process.stderr.splitlines()
    assert [line for line in lines if not line.startswith("E: ")] == []
    assert process.stdout == ""
    return [line.removeprefix("E: ") for line in lines]
