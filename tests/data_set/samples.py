"""Data sets to test with: those that pydicom ships, and elements made by hand; and what re-encoding makes of them."""

from __future__ import annotations

import functools
import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from dimse import uids
from dimse.data_set.transcode import transcode
from dimse.errors import FileError
from tests import files

EXPLICIT, IMPLICIT = uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian
DEFLATED, BIG = uids.DeflatedExplicitVRLittleEndian, uids.ExplicitVRBigEndian
TARGETS = {"explicit": EXPLICIT, "implicit": IMPLICIT, "deflated": DEFLATED, "big": BIG}
JPEG, JPEG_EXTENDED, JPEG_LOSSLESS = uids.JPEGBaseline8Bit, uids.JPEGExtended12Bit, uids.JPEGLosslessSV1
JPEG_LS_NEAR, JPEG_2000, JPEG_2000_LOSSLESS = uids.JPEGLSNearLossless, uids.JPEG2000, uids.JPEG2000Lossless
RLE = uids.RLELossless
DATA = Path(pydicom.__file__).parent / "data" / "test_files"


@contextmanager
def as_pydicom_likes() -> Iterator[None]:
    """Give pydicom's own view of its odd files, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_back(data_set: bytes, transfer_syntax: str) -> Dataset:
    """Return a data set as pydicom reads it."""
    head = io.BytesIO()
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(transfer_syntax)
    write_file_meta_info(pydicom.filebase.DicomIO(head), meta, enforce_standard=False)
    return pydicom.dcmread(io.BytesIO(bytes(128) + b"DICM" + head.getvalue() + data_set))


def explicit(tag: int, vr: str, value: bytes, *, order: str = "<", length: int | None = None) -> bytes:
    """Return an element with VR (PS3.5 7.1.2)."""
    size = len(value) if length is None else length
    form = "HH2s2xL" if vr.encode() in files.LONG_VRS else "HH2sH"
    return struct.pack(order + form, tag >> 16, tag & 0xFFFF, vr.encode(), size) + value


def implicit(tag: int, value: bytes, *, order: str = "<", length: int | None = None) -> bytes:
    """Return an element without VR (PS3.5 7.1.3), an item or a delimiter."""
    return struct.pack(f"{order}HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def sequence(tag: int, *items: bytes, order: str = "<", vr: str | None = "SQ") -> bytes:
    """Return a sequence of undefined length, with items of undefined length, in Implicit VR if `vr` is None."""
    bodies = b"".join(
        implicit(0xFFFEE000, b"", order=order, length=0xFFFFFFFF) + item + implicit(0xFFFEE00D, b"", order=order)
        for item in items
    )
    body = bodies + implicit(0xFFFEE0DD, b"", order=order)
    if vr is None:
        return implicit(tag, body, order=order, length=0xFFFFFFFF)
    return explicit(tag, vr, body, order=order, length=0xFFFFFFFF)


def convert(data_set: bytes, source: str, target: str) -> bytes:
    """Return a data set made by hand, re-encoded."""
    return transcode(data_set, source, target, path="made.dcm")


def refusal(data_set: bytes, source: str, target: str) -> str:
    """Return the reason why a data set is not re-encoded."""
    with pytest.raises(FileError) as raised:
        convert(data_set, source, target)
    assert raised.value.path == "made.dcm"
    assert "\n" not in raised.value.reason
    assert raised.value.__cause__ is not None
    return raised.value.reason


def re_encode(file: files.Part10File, target: str, *, lossy: bool = False) -> bytes:
    """Return the data set of a file in another transfer syntax."""
    return transcode(file.data_set, file.transfer_syntax, target, path=str(file.path), lossy=lossy)


@functools.cache
def shipped(name: str) -> files.Part10File:
    """Return a file that pydicom ships."""
    return files.read_part10((DATA / name).read_bytes(), DATA / name)


def changed(file: files.Part10File, before: bytes, after: bytes) -> files.Part10File:
    """Return the file with other bytes in its data set."""
    assert before in file.data_set
    return replace(file, content=file.content[: file.offset] + file.data_set.replace(before, after))
