"""Rows made of stored files: for an index that is built from them, and for an instance that is about to be added."""

from __future__ import annotations

import hashlib
import os
import time

from dimse import tags
from dimse.archive.fingerprint import same_instance
from dimse.archive.index.columns import text_of
from dimse.archive.index.frames import locate_frames
from dimse.archive.index.header import SHAPE, Header, read_file
from dimse.archive.index.normal import whole_number
from dimse.archive.index.row import Frames, Location, Row
from dimse.data_set.attributes import Attributes
from dimse.data_set.source import MalformedDataSet
from dimse.support.disk import sync

SOP_CLASS_UID, SOP_INSTANCE_UID, INSTANCE_NUMBER = 0x00080016, 0x00080018, 0x00200013
STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = 0x0020000D, 0x0020000E
_PIECE = 1024 * 1024
# Nanoseconds between the times of two files, which all file systems keep apart.
_LATER = 10_000_000


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
        whole_number(text_of(attributes, INSTANCE_NUMBER)),
        path,
        size,
        digest_of(full, syntax, meta.data_set_offset) if digest else b"",
        os.stat(full).st_mtime,
        meta.source_application_entity_title or "",
        frames_of(header, full, meta.data_set_offset),
        was_there=True,
    )


def frames_in_file(path: str) -> Frames | None:
    """Return the place and the shape of the Pixel Data of a file; None without any.

    Raises:
        OSError: The file cannot be read.
    """
    try:
        meta, _, header = read_file(path, SHAPE)
    except MalformedDataSet:
        return None
    return frames_of(header, path, meta.data_set_offset)


def frames_of(header: Header, path: str, start: int) -> Frames | None:
    """Return the place and the shape of the Pixel Data of a file whose header was read; None without any.

    Args:
        header: The header.
        path: The path of the file, for encapsulated pixel data.
        start: The offset of the data set in the file.

    Raises:
        OSError: The file cannot be read.
    """
    if header.pixel_data is None:
        return None
    offset, length = header.pixel_data.offset, header.pixel_data.length
    frames, rows, columns, bits = (_number(header.attributes, tag) for tag in SHAPE)
    frames = max(1, frames)
    table: tuple[tuple[int, int], ...] = ()
    if length < 0:
        with open(path, "rb", buffering=0) as file:
            number = file.fileno()
            table = locate_frames(lambda position, size: os.pread(number, size, start + position), offset, frames)
    return Frames(offset, length, frames, rows, columns, bits, table)


def _number(attributes: Attributes, tag: int) -> int:
    attribute = attributes.get(tag)
    if attribute is None or not attribute.values:
        return 0
    found = attribute.values[0]
    if isinstance(found, int):
        return found
    number = whole_number(found) if isinstance(found, str) else None
    return 0 if number is None else number


def digest_of(path: str, transfer_syntax_uid: str, start: int) -> bytes:
    """Return the SHA-256 over transfer syntax UID and data set of a file, whose data set begins at `start`."""
    made = hashlib.sha256(transfer_syntax_uid.encode("ascii", "replace"))
    with open(path, "rb") as file:
        file.seek(start)
        while piece := file.read(_PIECE):
            made.update(piece)
    return made.digest()


class StoredFiles:
    """The files of a store, as the ingest looks at them.

    Args:
        folder: The folder of the store.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def exists(self, path: str) -> bool:
        """Return True if there is a file at a path, relative to the folder."""
        return os.path.lexists(os.path.join(self.folder, path))

    def are_same(self, one: str, other: str) -> bool:
        """Return True if two files hold the same data set in the same transfer syntax; False if one of them cannot be read."""
        files: list[int] = []
        try:
            for path in (one, other):
                files.append(os.open(os.path.join(self.folder, path), os.O_RDONLY | os.O_CLOEXEC))
            return same_instance(*files)
        except OSError:
            return False
        finally:
            for file in files:
                os.close(file)

    def is_younger(self, one: str, other: str) -> bool:
        """Return True if a file was written after another one; one that is gone was written before all others."""
        return self._modified(one) > self._modified(other)

    def make_younger(self, one: str, other: str) -> None:
        """Let a file have been written after another one, unless it was, and wait until the disk has the time.

        Raises:
            OSError: That is not possible.
        """
        earlier = self._modified(other)
        if not 0 <= self._modified(one) <= earlier:
            return
        modified = max(time.time_ns(), earlier + _LATER)
        path = os.path.join(self.folder, one)
        # The time of the folder lets a recovery look into it. It comes first, so that it is there if that of the file is.
        for place, now in ((os.path.dirname(path), time.time_ns()), (path, modified)):
            file = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.utime(file, ns=(now, now))
                sync(file)
            finally:
                os.close(file)

    def _modified(self, path: str) -> int:
        try:
            return os.stat(os.path.join(self.folder, path)).st_mtime_ns
        except FileNotFoundError:
            return -1


def attributes_of_file(location: Location, wanted: frozenset[int]) -> Attributes:
    """Return the attributes that the file of an instance has of those that are wanted; none if it is malformed.

    Raises:
        OSError: It cannot be read.
    """
    try:
        _, _, header = read_file(location.path, {*wanted, tags.SPECIFIC_CHARACTER_SET})
    except MalformedDataSet:
        return {}
    return {tag: attribute for tag, attribute in header.attributes.items() if tag in wanted}
