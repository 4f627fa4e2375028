"""Sinks: small data sets stay in memory, large ones go to a file, and a disk that fails is no exception."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from dimse.association.sinks import SPOOL_MEMORY, DiscardSink, MemorySink, SpooledSink
from tests.drivers import open_descriptors


def write(sink: SpooledSink, data: bytes, step: int) -> None:
    """Write as data arrives: from a buffer that is used again."""
    buffer = bytearray(2 * step)
    for start in range(0, len(data), 2 * step):
        piece = data[start : start + 2 * step]
        buffer[: len(piece)] = piece
        view = memoryview(buffer)[: len(piece)]
        sink.write([view[:step], view[step:]])
    buffer[:] = bytes(len(buffer))


@pytest.mark.parametrize("size", [0, 1, 1000, SPOOL_MEMORY, SPOOL_MEMORY + 1, 3 * SPOOL_MEMORY + 7])
@pytest.mark.parametrize("step", [999, 131_066])
def test_what_was_written_is_given_back(size: int, step: int) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    before = open_descriptors()
    sink = SpooledSink()
    write(sink, data, step)
    assert sink.size == size
    assert sink.error is None
    assert (open_descriptors() > before) == (size > SPOOL_MEMORY)
    assert bytes(sink.view()) == data
    assert bytes(sink.view()) == data
    sink.discard()
    sink.discard()
    assert open_descriptors() == before


def test_a_view_outlives_its_sink() -> None:
    for size in (1000, SPOOL_MEMORY * 2):
        sink = SpooledSink()
        sink.write([memoryview(b"x" * size)])
        view = sink.view()
        sink.discard()
        assert bytes(view) == b"x" * size


def test_a_large_data_set_has_no_name_in_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sink = SpooledSink()
    sink.write([memoryview(bytes(SPOOL_MEMORY * 2))])
    assert sink.error is None
    assert not list(tmp_path.iterdir())
    sink.discard()


def test_what_the_disk_says_is_kept_and_the_rest_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    before = open_descriptors()
    sink = SpooledSink()
    for _ in range(5):
        sink.write([memoryview(bytes(SPOOL_MEMORY))])
    assert isinstance(sink.error, FileNotFoundError)
    first = sink.error
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sink.write([memoryview(bytes(SPOOL_MEMORY))])
    # The sink no longer has the whole data set.
    assert sink.error is first
    sink.discard()
    assert open_descriptors() == before


def test_an_unwanted_data_set_is_dropped() -> None:
    sink = DiscardSink()
    sink.write([memoryview(b"x")])
    sink.discard()
    assert sink.error is None


def test_memory_has_a_bound() -> None:
    sink = MemorySink(10)
    sink.write([memoryview(b"12345"), memoryview(b"67890")])
    assert (bytes(sink.view()), sink.size, sink.error) == (b"1234567890", 10, None)
    sink.write([memoryview(b"1")])
    assert sink.error is not None and sink.error.strerror == "longer than 10 bytes"
    assert not sink.view()
    sink.write([memoryview(b"2")])
    assert not sink.view()


def test_memory_is_freed_when_it_is_discarded() -> None:
    sink = MemorySink()
    sink.write([memoryview(b"12345")])
    sink.discard()
    sink.discard()
    assert not sink.view()
