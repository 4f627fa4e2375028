"""Instances that a `FileStore` keeps and an index knows before they are acknowledged."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from dimse import uids
from dimse.archive import FileStore
from dimse.archive.index import Index
from dimse.archive.index.arriving import REQUIRED_TAGS, arriving_tags
from dimse.archive.index.frames import unpack
from dimse.archive.index.ingest import OnDuplicate
from dimse.archive.index.reading import row_of_file
from dimse.archive.index.schema import PIXELS
from dimse.message.status import Status
from tests.archive.index.rows import contents
from tests.archive.index.test_header import END, UNDEFINED, item, long_element
from tests.archive.storing import CT, element, store_request, take

LAYOUT = "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"
NATIVE, COMPRESSED = uids.ExplicitVRLittleEndian, uids.JPEGBaseline8Bit


def data_set(
    uid: str = "1.2.3", study: str = "1.2", series: str = "1.3", *, name: str = "Doe^John", end: bytes = b""
) -> bytes:
    """Return a data set of 2 x 3 pixels; `end` is its Pixel Data, if it is not the usual one."""
    shape = [
        (0x00280010, b"US", struct.pack("<H", 2)),
        (0x00280011, b"US", struct.pack("<H", 3)),
        (0x00280100, b"US", b"\x10\0"),
    ]
    texts = [
        (0x00080016, b"UI", CT),
        (0x00080018, b"UI", uid),
        (0x00080060, b"CS", "CT"),
        (0x00100010, b"PN", name),
        (0x00100020, b"LO", "7"),
        (0x0020000D, b"UI", study),
        (0x0020000E, b"UI", series),
        (0x00200013, b"IS", "4"),
    ]
    elements = [element(tag, vr, text.encode("latin-1")) for tag, vr, text in texts] + [element(*one) for one in shape]
    return b"".join(elements) + (end or long_element(0x7FE00010, b"OW", bytes(12)))


@contextmanager
def archive(folder: Path, database: str, on_duplicate: OnDuplicate = "keep-both") -> Iterator[tuple[FileStore, Index]]:
    """Run a store whose instances go into an index."""
    with Index(database, folder, on_duplicate=on_duplicate) as index:
        options = {"tags": arriving_tags(), "required": REQUIRED_TAGS, "digest": True}
        with FileStore(folder, layout=LAYOUT, stored=index.arrivals(), **options) as store:  # type: ignore[arg-type]
            yield store, index


def keep(store: FileStore, data: bytes, uid: str = "1.2.3", syntax: str = NATIVE) -> Status:
    """Store an instance."""
    return take(store, store_request(uid, syntax=syntax), data)


def test_an_instance_is_in_the_index_before_it_is_acknowledged(folder: Path, database: str) -> None:
    with archive(folder, database) as (store, index):
        assert keep(store, data_set()).is_success
        found = contents(index)
        (instance,) = found["instance"]
        assert (instance["sop_uid"], instance["number"], instance["calling_ae"]) == ("1.2.3", 4, "MODALITY")
        assert bytes(instance["digest"]) == hashlib.sha256(NATIVE.encode() + data_set()).digest()
        assert [one["name"] for one in found["patient"]] == ["Doe^John"]
        assert (folder / "1.2/1.3/1.2.3.dcm").exists()


def test_the_row_is_the_one_that_is_read_from_the_file(folder: Path, database: str, tmp_path: Path) -> None:
    with archive(folder, database) as (store, index):
        keep(store, data_set())
        with Index(tmp_path / "built.db", folder) as built:
            built.commit(row_of_file(str(folder), "1.2/1.3/1.2.3.dcm"))
            assert contents(index) == contents(built)


@pytest.mark.parametrize("data", [data_set(study=""), data_set(series="")], ids=["study", "series"])
def test_an_instance_that_no_search_would_find_is_refused(folder: Path, database: str, data: bytes) -> None:
    with archive(folder, database) as (store, index):
        status = keep(store, data)
        assert status == 0xA900
        assert "Instance" in status.comment
        assert index.counts()["instances"] == 0
        assert not list(folder.rglob("*.dcm"))


def test_an_instance_that_is_not_in_the_index_is_not_acknowledged(folder: Path, tmp_path: Path) -> None:
    with archive(folder, str(tmp_path / "index.db")) as (store, index):
        keep(store, data_set())
        index.database.write(lambda writer: writer.text("DROP TABLE change"))
        assert keep(store, data_set("1.2.4"), "1.2.4") == 0xA700
        assert (folder / "1.2/1.3/1.2.4.dcm").exists()


def test_the_same_again_is_a_success(folder: Path, database: str) -> None:
    with archive(folder, database) as (store, index):
        assert [keep(store, data_set()) for _ in range(2)] == [0, 0]
        assert index.counts()["instances"] == 1
        assert index.counts()["duplicates"] == 0


POLICIES = [("keep-both", 0, "1.2.3.dcm"), ("reject", 0x0111, "1.2.3.dcm"), ("replace", 0, "1.2.3~2.dcm")]


@pytest.mark.parametrize(("on_duplicate", "code", "served"), POLICIES)
def test_a_duplicate_is_treated_as_the_index_is_told(
    folder: Path, database: str, on_duplicate: OnDuplicate, code: int, served: str
) -> None:
    with archive(folder, database, on_duplicate) as (store, index):
        keep(store, data_set())
        for _ in range(2):
            assert keep(store, data_set(name="Doe^Jane")) == code
        (instance,) = contents(index)["instance"]
        assert (instance["path"] or "1.2/1.3/1.2.3.dcm") == f"1.2/1.3/{served}"
        assert index.counts()["duplicates"] == 1
        # No file is ever deleted for it.
        assert len(list(folder.rglob("*.dcm"))) == 2


def test_pixels_are_located(folder: Path, database: str) -> None:
    with archive(folder, database) as (store, index):
        keep(store, data_set())
        with index.database.reading() as connection:
            (pixels,) = connection.execute(select(PIXELS))
        assert (pixels.offset, pixels.length) == (len(data_set()) - 12, 12)
        assert (pixels.frames, pixels.rows, pixels.columns, pixels.bits) == (1, 2, 3, 16)


def test_compressed_frames_are_located(folder: Path, database: str) -> None:
    frames = element(0x00280008, b"IS", b"2") + long_element(
        0x7FE00010,
        b"OB",
        item(struct.pack("<LL", 0, 26)) + item(b"first 12") + item(b"1b") + item(b"second") + END,
        UNDEFINED,
    )
    data = data_set(end=frames)
    with archive(folder, database) as (store, index):
        assert keep(store, data, syntax=COMPRESSED).is_success
        with index.database.reading() as connection:
            (pixels,) = connection.execute(select(PIXELS))
        assert (pixels.length, pixels.frames) == (-1, 2)
        found = [data[offset : offset + length] for offset, length in unpack(pixels.table)]
        assert found == [b"first 12" + item(b"1b"), b"second"]


def test_another_patient_is_told(folder: Path, database: str, caplog: pytest.LogCaptureFixture) -> None:
    with archive(folder, database) as (store, _):
        keep(store, data_set())
        other = data_set("1.2.4").replace(element(0x00100020, b"LO", b"7"), element(0x00100020, b"LO", b"8"))
        assert keep(store, other, "1.2.4").is_success
    assert "names another patient" in caplog.text


@pytest.mark.parametrize("uid", ["1.2\\3", "1.2.\xb3", "1.2\x07"])
def test_odd_uids_are_the_same_from_the_file(folder: Path, database: str, tmp_path: Path, uid: str) -> None:
    with archive(folder, database) as (store, index):
        assert keep(store, data_set(study=uid)).is_success
        (path,) = (path.relative_to(folder) for path in folder.rglob("*.dcm"))
        with Index(tmp_path / "built.db", folder) as built:
            built.commit(row_of_file(str(folder), str(path)))
            assert contents(index)["study"] == contents(built)["study"]
