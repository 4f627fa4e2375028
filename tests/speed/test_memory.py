"""What an object costs in memory: none of its bytes is copied in Python on its way, and nothing is left behind for later."""

from __future__ import annotations

import gc
import mmap
import os
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

import dimse
from dimse.archive import FileStore
from dimse.services import AsyncAssociation
from dimse.transport.base import Transport
from tests.drivers import ASYNCIO, Driver, Face, make_instance, on_both_drivers, serving

LARGE = 64_000_000  # bytes of pixel data: the map of a file
MOST_MEMORY = 100_000  # bytes of both sides together: less than one PDU of 131,072, of which a copy would be made
OBJECTS = 500
MOST_BLOCKS = 50  # of memory that are left after so many objects: less than one of each tenth


def face_of(driver: Driver) -> Face:
    """The server that goes with a driver."""
    return "asyncio" if driver is ASYNCIO else "threads"


async def send(association: AsyncAssociation, paths: Iterable[str | Path]) -> None:
    async for outcome in association.store_many(paths):
        assert outcome.state == "stored"


@on_both_drivers
async def test_an_object_takes_no_memory_of_either_side(driver: Driver, tmp_path: Path) -> None:
    paths = [make_instance(tmp_path, number, LARGE).path for number in (1, 2)]
    with FileStore(tmp_path / "kept", durability="none") as store, serving(face_of(driver), store.handlers()) as port:
        async with await driver.associate(port) as association:
            await send(association, paths[:1])
            tracemalloc.start()
            try:
                tracemalloc.reset_peak()
                before, _ = tracemalloc.get_traced_memory()
                await send(association, paths[1:])
                _, most = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    print(most-before)
    assert most - before < MOST_MEMORY


@on_both_drivers
async def test_nothing_is_left_of_an_object(driver: Driver, tmp_path: Path) -> None:
    """Not even for the garbage collector, whose work grows with what there is."""
    paths = [os.fspath(make_instance(tmp_path, number).path) for number in range(OBJECTS + 20)]
    with FileStore(tmp_path / "kept", durability="none") as store, serving(face_of(driver), store.handlers()) as port:
        async with await driver.associate(port) as association:
            await send(association, paths[:20])
            gc.collect()
            gc.disable()
            try:
                before = sys.getallocatedblocks()
                await send(association, paths[20:])
                left = sys.getallocatedblocks() - before
            finally:
                gc.enable()
    print(left)
    assert left < MOST_BLOCKS
