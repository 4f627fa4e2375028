"""On the asyncio face what is to be stored is opened, read and converted in a thread: the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import pytest

import dimse
from dimse import aio, uids
from dimse.instances import InstanceFile
from dimse.services.preparing import MOST_AT_ONCE
from dimse.settings import ProposedContext
from dimse.support.values import replace
from tests.drivers import CT_IN_EXPLICIT_VR, LOOPBACK, Driver, Received, make_instance, on_each_driver, serving

LONG = 20.0


class SlowDisk:
    """A container of a file that gives its bytes only when the event loop has gone on.

    Attributes:
        path: The path of the file that it holds.
    """

    def __init__(self, file: InstanceFile) -> None:
        self.path, self._file = file.path, file
        self.asked, self.go_on = threading.Event(), threading.Event()

    def check(self, *, raw_transfer_syntax_uid: str | None = None) -> InstanceFile:
        return self._file

    def open(self, offset: int) -> BinaryIO:
        raise NotImplementedError

    def data_set(self, file: InstanceFile, *, mapped: bool) -> memoryview:
        self.asked.set()
        assert self.go_on.wait(LONG), "the event loop waits for the disk"
        return self._file.data_set(mapped=mapped)

    async def let_it_go_on(self) -> None:
        """Have the disk answer from a task of the loop, once it is asked."""
        while not self.asked.is_set():
            await asyncio.sleep(0)
        self.go_on.set()


@pytest.mark.parametrize("kept", [True, False], ids=["as it is", "re-encoded"])
@pytest.mark.parametrize("many", [False, True], ids=["store", "store_many"])
def test_the_loop_does_not_wait_for_the_disk(many: bool, kept: bool, tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    checked = InstanceFile.check(str(instance.path))
    disk = SlowDisk(checked)
    source = replace(checked, container=disk)
    syntax = uids.ExplicitVRLittleEndian if kept else uids.ImplicitVRLittleEndian
    contexts = [ProposedContext(uids.CTImageStorage, (syntax,))]

    async def store(port: int) -> None:
        async with aio.associate(LOOPBACK, port, contexts=contexts) as association:
            other = asyncio.create_task(disk.let_it_go_on())
            if many:
                assert [outcome.state async for outcome in association.store_many([source])] == ["stored"]
            else:
                assert await association.store(source) == 0
            await other

    received = Received()
    with serving(handlers=received.handlers) as port:
        asyncio.run(store(port))
    assert list(received.data_sets) == [instance.sop_instance_uid]


def test_a_store_that_is_cancelled_while_it_waits_for_the_disk_sends_nothing(tmp_path: Path) -> None:
    checked = InstanceFile.check(str(make_instance(tmp_path).path))
    disk = SlowDisk(checked)

    async def store(port: int) -> None:
        association = await aio.associate(LOOPBACK, port, contexts=[CT_IN_EXPLICIT_VR])
        task = asyncio.create_task(association.store(replace(checked, container=disk)))
        while not disk.asked.is_set():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        disk.go_on.set()
        await association.release()

    received = Received()
    with serving(handlers=received.handlers) as port:
        asyncio.run(store(port))
    assert received.data_sets == {}


@pytest.mark.thorough
@pytest.mark.parametrize("syntax", [uids.ImplicitVRLittleEndian, uids.ExplicitVRBigEndian])
def test_a_large_file_is_re_encoded_while_the_loop_goes_on(syntax: str, tmp_path: Path) -> None:
    """60 MB: the loop used to stand still for most of the time that this takes."""
    instance = make_instance(tmp_path, pixels=60_000_000)

    async def store(port: int) -> tuple[float, float]:
        pauses: list[float] = []
        done = False

        async def watch() -> None:
            last = time.monotonic()
            while not done:
                await asyncio.sleep(0)
                last, before = time.monotonic(), last
                pauses.append(last - before)

        contexts = [ProposedContext(uids.CTImageStorage, (syntax,))]
        async with aio.associate(LOOPBACK, port, contexts=contexts) as association:
            assert await association.store(make_instance(tmp_path, 2).path) == 0
            watching = asyncio.create_task(watch())
            began = time.monotonic()
            assert await association.store(instance.path) == 0
            seconds = time.monotonic() - began
            done = True
            await watching
        return max(pauses), seconds

    with serving(handlers=dimse.Handlers(store=lambda request: 0)) as port:
        longest, seconds = asyncio.run(store(port))
    assert longest < seconds / 2


@on_each_driver
@pytest.mark.parametrize("kind", [list, tuple, iter], ids=["list", "tuple", "iterator"])
async def test_the_files_of_a_list_go_in_order_and_none_is_left(driver: Driver, kind: object, tmp_path: Path) -> None:
    count = 3 * MOST_AT_ONCE + 1
    sources: list[Path] = []
    for number in range(1, count + 1):
        # Every seventh is mapped, and every fifth is missing.
        instance = make_instance(tmp_path, number, 100_000 if number % 7 == 0 else 1000)
        sources.append(tmp_path / f"missing-{number}" if number % 5 == 0 else instance.path)
    given: Iterable[Path] = kind(sources)  # type: ignore[operator]
    received = Received()
    with serving(handlers=received.handlers) as port:
        async with await driver.associate(port) as association:
            outcomes = [outcome async for outcome in association.store_many(given)]
    assert [outcome.source for outcome in outcomes] == sources
    assert [outcome.state == "invalid" for outcome in outcomes] == [number % 5 == 0 for number in range(1, count + 1)]
    assert len(received.data_sets) == count - count // 5


@on_each_driver
async def test_an_invalid_source_raises_when_its_turn_comes(driver: Driver, tmp_path: Path) -> None:
    paths: list[object] = [make_instance(tmp_path, number).path for number in (1, 2)]
    received = Received()
    with serving(handlers=received.handlers) as port:
        async with await driver.associate(port) as association:
            with pytest.raises(TypeError, match="what is stored is a path"):
                async for _ in association.store_many([*paths, 3]):  # type: ignore[list-item]
                    pass
            association.abort()
    assert len(received.data_sets) >= 1


def test_an_iterator_is_asked_for_one_source_at_a_time(tmp_path: Path) -> None:
    asked: list[int] = []
    told: list[int] = []

    def sources() -> Iterable[Path]:
        for number in range(1, 6):
            asked.append(number)
            assert threading.current_thread() is threading.main_thread(), "a caller's own code runs on the loop"
            yield make_instance(tmp_path, number).path

    async def store(port: int) -> None:
        async with aio.associate(LOOPBACK, port, contexts=[CT_IN_EXPLICIT_VR]) as association:
            async for _ in association.store_many(sources()):
                told.append(len(told) + 1)
                assert len(asked) <= len(told) + 2

    with serving(handlers=Received().handlers) as port:
        asyncio.run(store(port))
    assert told == [1, 2, 3, 4, 5]
