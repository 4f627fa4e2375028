"""The memory that an object takes: none of its bytes is copied on its way, and nothing of it stays."""

from __future__ import annotations

import gc
import mmap
import os
import sys
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dimse.archive import FileStore
from dimse.services import Association
from dimse.transport.base import Transport
from tests.drivers import ASYNCIO, Driver, Face, make_instance, on_each_driver, serving

LARGE = 64_000_000  # bytes of pixel data
# Bytes of both sides; they take 40,000, and a copy of one PDU would be 131,072.
MOST_MEMORY = 100_000
# Bytes in a million: 12 in front of the 131,066 in each PDU, and those again that a call did not send.
MOST_HEADERS = 1000
MOST_FILE_META = 1000  # bytes
# Bytes of memory that one association receives into.
MOST_BUFFERS = 1 << 20

# Those until the interpreter's own free lists are full; then those that count.
WARM, OBJECTS = 100, 500
# Blocks of memory; one for each object would be 500.
MOST_BLOCKS = 250


@asynccontextmanager
async def associated(driver: Driver, folder: Path) -> AsyncIterator[Association]:
    """Associate with a server of this process that keeps what it gets in a folder."""
    face: Face = "asyncio" if driver is ASYNCIO else "threads"
    with (
        FileStore(folder, durability="none") as store,
        serving(face, store.handlers()) as port,
    ):
        async with await driver.associate(port) as association:
            yield association


async def send(association: Association, paths: Iterable[str]) -> None:
    async for outcome in association.store_many(paths):
        assert outcome.state == "stored"


def make(folder: Path, objects: int, pixels: int = 1000) -> list[str]:
    """Make so many files, and return their paths."""
    return [os.fspath(make_instance(folder, number, pixels).path) for number in range(objects)]


class Given:
    """The arguments of calls that take buffers as their second argument.

    Args:
        kind: Of memory that views are expected of.

    Attributes:
        memory: What the views were of.
        others: Bytes that were no such views.
    """

    def __init__(self, kind: type) -> None:
        self.memory: dict[int, Any] = {}
        self.others = 0
        self._kind = kind

    def to(self, call: Callable[[Any, Sequence[bytes | memoryview]], int]) -> Callable[[Any, Any], int]:
        """Wrap a call so that its buffers are noted."""

        def look(where: Any, buffers: Sequence[bytes | memoryview]) -> int:
            for buffer in buffers:
                if isinstance(buffer, memoryview) and isinstance(buffer.obj, self._kind):
                    self.memory[id(buffer.obj)] = buffer.obj
                else:
                    self.others += len(buffer)
            return call(where, buffers)

        return look


@on_each_driver
async def test_the_system_is_given_the_file_to_send_and_the_receive_buffer_to_write(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 8_000_000
    sent, written = Given(mmap.mmap), Given(bytearray)
    monkeypatch.setattr(Transport, "_sendv", sent.to(Transport._sendv))
    monkeypatch.setattr(os, "writev", written.to(os.writev))
    async with associated(driver, tmp_path / "kept") as association:
        await send(association, make(tmp_path, 1, size))
    assert len(sent.memory) == 1
    assert sent.others < MOST_HEADERS * size / 1_000_000
    assert 0 < sum(map(len, written.memory.values())) <= MOST_BUFFERS
    assert written.others < MOST_FILE_META


@pytest.mark.thorough
@on_each_driver
async def test_the_bytes_of_an_object_take_no_memory_of_either_side(driver: Driver, tmp_path: Path) -> None:
    first, second = make(tmp_path, 2, LARGE)
    async with associated(driver, tmp_path / "kept") as association:
        await send(association, [first])
        tracemalloc.start()
        try:
            await send(association, [second])
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < MOST_MEMORY


@pytest.mark.sample("blocking")
@on_each_driver
async def test_nothing_stays_of_an_object(driver: Driver, tmp_path: Path) -> None:
    """Nothing is left to the garbage collector either, which is switched off: it would find it too late."""
    paths = make(tmp_path, WARM + OBJECTS)
    async with associated(driver, tmp_path / "kept") as association:
        gc.disable()
        try:
            await send(association, paths[:WARM])
            before = sys.getallocatedblocks()
            await send(association, paths[WARM:])
            stayed = sys.getallocatedblocks() - before
        finally:
            gc.enable()
    assert stayed < MOST_BLOCKS
