"""SOP instances in memory: Part 10 files as bytes, open files and pydicom data sets, checked as a file on the disk is checked."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeGuard, cast

from dimse import uids
from dimse.data_set.encoding import deflate
from dimse.errors import FileError
from dimse.instances import PATHS, InstanceFile, NotDicom, Path, is_path
from dimse.support.values import replace

if TYPE_CHECKING:
    from pydicom import Dataset

InMemory: TypeAlias = "bytes | bytearray | memoryview | BinaryIO | Dataset"
"""The types of an instance that is not named by a path. Bytes are one only if `is_content` returns True."""

_UNCOMPRESSED: dict[tuple[object, object], str] = {
    (True, True): uids.ImplicitVRLittleEndian,
    (False, True): uids.ExplicitVRLittleEndian,
    (False, False): uids.ExplicitVRBigEndian,
}
"""The uncompressed transfer syntax by the encoding that a data set was read in: implicit VR, and little endian."""

# The start of a Part 10 file without File Meta Information (PS3.10 7.1).
_PREFIX = b"\0" * 128 + b"DICM"
_PIXEL_DATA = 0x7FE00010

EMPTIED = "its bytes were in memory, and were dropped when its outcome was known"
"""The reason for refusing to read an instance in memory that is done with."""


class FileInMemory:
    """A container of one file: its bytes in memory. See `dimse.instances.Container`.

    Args:
        content: The bytes of the file.
        path: A name for it.
        transfer_syntax_uid: The transfer syntax of its data set, where it has no File Meta Information.

    Attributes:
        path: The name.
        held: The number of its bytes.
    """

    def __init__(
        self, content: bytes | bytearray | memoryview, path: str, transfer_syntax_uid: str | None = None
    ) -> None:
        self.path = path
        self._content = memoryview(content).cast("B").toreadonly()
        self.held = len(self._content)
        self._transfer_syntax_uid = transfer_syntax_uid

    def check(self, *, raw_transfer_syntax_uid: str | None = None, tags: Collection[int] = ()) -> InstanceFile:
        """Look at the file; see `InstanceFile.check`."""
        if not self._content:
            raise NotDicom(self.path, "empty file")
        return InstanceFile.examine(
            self.path,
            lambda offset, size: bytes(self._content[offset : offset + size]),
            (0, id(self)),
            len(self._content),
            0,
            raw_transfer_syntax_uid=self._transfer_syntax_uid or raw_transfer_syntax_uid,
            container=self,
            tags=tags,
        )

    def open(self, offset: int) -> BinaryIO:
        """Return the bytes of the file from `offset` on, as a file to be read."""
        return io.BytesIO(self._content[offset:])

    def data_set(self, file: InstanceFile, *, mapped: bool) -> memoryview:
        """Return the bytes of the data set; see `InstanceFile.data_set`."""
        start = file.data_set_offset
        end = start + file.data_set_size - len(file.front)
        content = self._content[start:end]
        return memoryview(file.front + bytes(content)) if file.front else content


class Emptied:
    """A container of a file that was in memory and is done with: its bytes are gone.

    Args:
        path: The name of the file.

    Attributes:
        held: 0.
    """

    held = 0

    def __init__(self, path: str) -> None:
        self.path = path

    def check(self, *, raw_transfer_syntax_uid: str | None = None, tags: Collection[int] = ()) -> InstanceFile:
        """Raise `FileError`."""
        raise FileError(self.path, EMPTIED)

    def open(self, offset: int) -> BinaryIO:
        """Raise `FileError`."""
        raise FileError(self.path, EMPTIED)

    def data_set(self, file: InstanceFile, *, mapped: bool) -> memoryview:
        """Raise `FileError`."""
        raise FileError(self.path, EMPTIED)


def emptied(file: InstanceFile) -> InstanceFile:
    """Return what is known of a file in memory, without its bytes."""
    return replace(file, container=Emptied(file.path))


def is_data_set(given: object) -> TypeGuard[Dataset]:
    """Return True for a pydicom data set. Before pydicom is loaded no object is one, and it is not loaded to find out."""
    pydicom = sys.modules.get("pydicom.dataset")
    return pydicom is not None and isinstance(given, pydicom.Dataset)


def is_content(given: object) -> TypeGuard[bytes | bytearray | memoryview]:
    """Return True for the bytes of a file; see `is_path`."""
    return isinstance(given, (bytes, bytearray, memoryview)) and not is_path(given)


def is_open_file(given: object) -> TypeGuard[BinaryIO]:
    """Return True for an open file.

    Raises:
        TypeError: It is open in text mode.
    """
    if isinstance(given, io.TextIOBase):
        raise TypeError(f'a DICOM file is opened in binary mode, open(path, "rb"), not as text: {given!r}')
    return callable(getattr(given, "read", None))


def is_instance(given: object) -> TypeGuard[Path | InMemory | InstanceFile]:
    """Return True for one instance, which may be given without a list."""
    return isinstance(given, (InstanceFile, *PATHS)) or is_content(given) or is_data_set(given) or is_open_file(given)


def name_of(given: InMemory, number: int | None) -> str:
    """Return the name of an instance in memory: its SOP Instance UID, or its number among those that were given.

    Args:
        given: The instance.
        number: Its number from 1; None for a single one.
    """
    what = "file in memory"
    if is_data_set(given):
        uid = given.get("SOPInstanceUID")
        if uid and isinstance(uid, str):
            return str(uid)
        what = "data set"
    elif isinstance(name := getattr(given, "name", None), (str, bytes)):
        return os.fsdecode(name)
    return what if number is None else f"{what} {number}"


def check(given: InMemory, name: str, *, lasting: bool = False, tags: Collection[int] = ()) -> InstanceFile:
    """Check an instance in memory, as `InstanceFile.check` checks a file.

    Args:
        given: A pydicom data set, which is encoded; the bytes of a Part 10 file; or an open binary file. An open file is read from
            its start if it can be moved there, and stays open. If it is a file on the disk, it is sent as the file of its name.
        name: A name for it, which errors begin with.
        lasting: True to copy bytes that the caller may change. A data set is always copied, because it is encoded.
        tags: See `InstanceFile.check`.

    Raises:
        FileError: It cannot be sent, for a reason that a file has too, or pydicom cannot encode it.
    """
    if is_data_set(given):
        content, transfer_syntax_uid = encode(given, name)
        return FileInMemory(content, name, transfer_syntax_uid).check(tags=tags)
    if is_content(given):
        return FileInMemory(_lasting(given) if lasting else given, name).check(tags=tags)
    content_or_path = _read(cast("BinaryIO", given), name)
    if isinstance(content_or_path, str):
        return InstanceFile.check(content_or_path, tags=tags)
    return FileInMemory(content_or_path, name).check(tags=tags)


def stated_syntax(data_set: Dataset) -> str:
    """Return the Transfer Syntax UID in the `file_meta` of a data set; empty if it states none."""
    return str(getattr(getattr(data_set, "file_meta", None), "TransferSyntaxUID", None) or "")


def encode(data_set: Dataset, name: str) -> tuple[bytes, str | None]:
    """Encode a pydicom data set as a file without File Meta Information, and return its bytes and its transfer syntax.

    The transfer syntax is that of its `file_meta`, else the encoding that it was read in, else Explicit VR Little Endian. It is
    None for compressed pixel data of which neither tells the transfer syntax. Elements of groups 0000 and 0002 are left out.

    Raises:
        FileError: pydicom cannot encode it.
    """
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    stated = stated_syntax(data_set)
    read_in: tuple[object, object] = data_set.original_encoding
    uid = stated or _UNCOMPRESSED.get(read_in, uids.ExplicitVRLittleEndian)
    syntax = uids.transfer_syntax(uid)
    target = DicomBytesIO()
    target.is_implicit_VR = bool(syntax and syntax.implicit_vr)
    target.is_little_endian = bool(syntax is None or syntax.little_endian)
    target.write(_PREFIX)
    try:
        write_dataset(target, _without_meta(data_set))
    except Exception as error:
        # pydicom raises whatever the value that it cannot write makes Python raise.
        words = f"pydicom cannot encode it: {type(error).__name__}: {error}"
        raise FileError(name, " ".join(words.split())) from error
    content: bytes = target.getvalue()
    if syntax is not None and syntax.deflated:
        content = _PREFIX + deflate((memoryview(content)[len(_PREFIX) :],))
    if not stated and _has_fragments(data_set):
        return content, None
    return content, uid


def _without_meta(data_set: Dataset) -> Dataset:
    strays = [tag for tag in data_set.keys() if tag.group in (0x0000, 0x0002)]  # noqa: SIM118  (iteration decodes elements)
    if not strays:
        return data_set
    from copy import deepcopy

    data_set = deepcopy(data_set)
    for tag in strays:
        del data_set[tag]
    return data_set


def _has_fragments(data_set: Dataset) -> bool:
    """Return True if the pixel data of a data set is a sequence of fragments (PS3.5 A.4)."""
    if _PIXEL_DATA not in data_set:
        return False
    element = data_set.get_item(_PIXEL_DATA)
    length: object = getattr(element, "length", None)
    return length == 0xFFFFFFFF or bool(getattr(element, "is_undefined_length", False))


def _lasting(content: bytes | bytearray | memoryview) -> bytes | memoryview:
    """Return bytes that cannot change: these, or a copy of them."""
    if isinstance(content, bytes) or (isinstance(content, memoryview) and isinstance(content.obj, bytes)):
        return content
    return bytes(content)


def _read(file: BinaryIO, name: str) -> bytes | str:
    """Return the bytes of an open file, or its path if it is a file on the disk."""
    try:
        if (path := _path(file)) is not None:
            return path
        if not hasattr(file, "seekable") or file.seekable():
            file.seek(0)
        content: Any = file.read()
    except (OSError, ValueError) as error:
        raise FileError(name, (getattr(error, "strerror", None) or str(error)).lower()) from error
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise FileError(name, f"reading it gives {type(content).__name__}, not bytes")
    return bytes(content)


def _path(file: BinaryIO) -> str | None:
    """Return the path of an open file if a regular file has that name, and it is the one that is open."""
    name = getattr(file, "name", None)
    if not isinstance(name, (str, bytes)):
        return None
    with suppress(OSError, ValueError, AttributeError):
        # Bytes that were written and not flushed are not in the file yet.
        file.flush()
        opened, named = os.fstat(file.fileno()), os.stat(name)
        if stat.S_ISREG(opened.st_mode) and os.path.samestat(opened, named):
            return os.path.abspath(os.fsdecode(name))
    return None
