"""The warning about the result of `dimse.send` or `dimse.retrieve` that no caller iterates over."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dimse
import dimse.aio
from dimse.retrieving import Destination
from tests.interop.peers import free_port

PEER = ("127.0.0.1", 1)
CALLS: dict[str, Callable[[Path], Any]] = {
    "dimse.send": lambda folder: dimse.send(folder, PEER),
    "dimse.retrieve": lambda folder: dimse.retrieve(["1.2"], PEER, folder),
    "dimse.aio.send": lambda folder: dimse.aio.send(folder, PEER),
    "dimse.aio.retrieve": lambda folder: dimse.aio.retrieve(["1.2"], PEER, folder),
}
each_call = pytest.mark.parametrize("name", CALLS)


@each_call
def test_a_result_that_is_dropped_is_a_warning(name: str, tmp_path: Path) -> None:
    words = f"the result of {name} is an iterator, and was never iterated over"
    with pytest.warns(ResourceWarning, match=words):
        CALLS[name](tmp_path)
        gc.collect()


@each_call
def test_a_result_that_is_iterated_over_is_none(name: str, tmp_path: Path) -> None:
    async def every(items: Any) -> list[Any]:
        return [item async for item in items]

    items = CALLS[name](tmp_path)
    found = asyncio.run(every(items)) if "aio" in name else list(items)
    assert len(found) == ("retrieve" in name)
    # There is no more.
    with pytest.raises((StopIteration, StopAsyncIteration)):
        asyncio.run(items.__anext__()) if "aio" in name else next(items)


@each_call
def test_a_result_that_is_closed_is_none(name: str, tmp_path: Path) -> None:
    items = CALLS[name](tmp_path)
    asyncio.run(items.aclose()) if "aio" in name else items.close()


def test_what_is_dropped_releases_its_port_and_its_folder(tmp_path: Path) -> None:
    address = ("127.0.0.1", free_port())
    with pytest.warns(ResourceWarning):
        dimse.retrieve(["1.2"], PEER, tmp_path, destination=Destination("ME", address))
    with socket.create_server(address):
        pass
    assert list(dimse.retrieve([], PEER, tmp_path)) == []
