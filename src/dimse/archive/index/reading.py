"""Rows made of stored files: for an index that is built from them, and for an instance that is about to be added."""

from __future__ import annotations

import hashlib
import os

from dimse.archive.fingerprint import same_instance
from dimse.archive.index.columns import text_of
from dimse.archive.index.header import Header, read_file
from dimse.archive.index.normal import values_of, whole_number
from dimse.archive.index.row import Frames, Row
from dimse.data_set.attributes import Attributes
from dimse.data_set.source import MalformedDataSet

SOP_CLASS_UID, SOP_INSTANCE_UID, INSTANCE_NUMBER = 0x00080016, 0x00080018, 0x00200013
STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = 0x0020000D, 0x0020000E
_FRAMES, _ROWS, _COLUMNS, _BITS = 0x00280008, 0x00280010, 0x00280011, 0x00280100

_PIECE = 1024 * 1024


class Unindexable(ValueError):
    """A file that has no place in the index: it is no instance, or has no Study or Series Instance UID."""


def row_of_file(folder: str, path: str, *, digest: bool = True) -> Row:
    """Return the row of a file.

    Args:
        folder: The folder of its store.
        path: The path of the file, relative to the folder.
        digest: Make the SHA-256 of transfer syntax and data set, for which the whole file is read.

    Raises:
        OSError: The file cannot be read.
        Unindexable: It has no place in the index.
    """
    full = os.path.join(folder, path)
    try:
        meta, size, header = read_file(full)
    except MalformedDataSet as error:
        raise Unindexable(str(error)) from error
    attributes = header.attributes
    study, series = text_of(attributes, STUDY_INSTANCE_UID), text_of(attributes, SERIES_INSTANCE_UID)
    if not study or not series:
        raise Unindexable(f"it has no {'Study' if not study else 'Series'} Instance UID")
    syntax = meta.transfer_syntax_uid or ""
    return Row(
        text_of(attributes, SOP_INSTANCE_UID) or meta.media_storage_sop_instance_uid or "",
        text_of(attributes, SOP_CLASS_UID) or meta.media_storage_sop_class_uid or "",
        syntax,
        study,
        series,
        attributes,
        whole_number(values_of(INSTANCE_NUMBER, attributes.get(INSTANCE_NUMBER))),
        path,
        size,
        digest_of(full, syntax, meta.data_set_offset) if digest else b"",
        os.stat(full).st_mtime,
        meta.source_application_entity_title or "",
        frames_of(header),
        was_there=True,
    )


def frames_of(header: Header) -> Frames | None:
    """Return the place and the shape of the Pixel Data; None without any."""
    if header.pixel_data is None:
        return None

    def number(tag: int, default: int) -> int:
        return _number(header.attributes, tag, default)

    shape = max(1, number(_FRAMES, 1)), number(_ROWS, 0), number(_COLUMNS, 0), number(_BITS, 0)
    return Frames(header.pixel_data.offset, header.pixel_data.length, *shape)


def _number(attributes: Attributes, tag: int, default: int) -> int:
    attribute = attributes.get(tag)
    if attribute is None or not attribute.values:
        return default
    found = attribute.values[0]
    if isinstance(found, int):
        return found
    number = whole_number((found.strip(),)) if isinstance(found, str) else None
    return default if number is None else number


def digest_of(path: str, transfer_syntax_uid: str, start: int) -> bytes:
    """Return the SHA-256 over transfer syntax UID and data set of a file, whose data set begins at `start`."""
    made = hashlib.sha256(transfer_syntax_uid.encode("ascii", "replace"))
    with open(path, "rb") as file:
        file.seek(start)
        while piece := file.read(_PIECE):
            made.update(piece)
    return made.digest()


def same_data_set(one: str, other: str) -> bool:
    """Return True if two files hold the same data set in the same transfer syntax; False if one of them cannot be read."""
    files: list[int] = []
    try:
        for path in (one, other):
            files.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        return same_instance(*files)
    except OSError:
        return False
    finally:
        for file in files:
            os.close(file)
