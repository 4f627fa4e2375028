"""DICOM files in ZIP archives: each is read out of its archive when it is sent.

The search walks a member while inflating it, and keeps nothing. To send its data set, the member is inflated again, a large one
into a temporary file without a name. Such a file is gone with the last view of it, so that nothing is left behind by a killed
process. The name of a member is data, and never part of a path.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from struct import Struct
from typing import IO, BinaryIO, cast

from dimse.errors import FileError
from dimse.instances import CHANGED, MAPPED, InstanceFile, NotDicom
from dimse.support.text import one_line
from dimse.support.values import value

# Signatures of the first member of an archive, and of an archive without members.
_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
# Archives that are open at one time.
_MOST_OPEN = 8
_PIECE = 1024 * 1024
# It ends with the lengths of the name and the extra field, which follow it.
_local_header = Struct("<26xHH")

# Other methods have no bound on the inflated size or on memory. DEFLATE makes at most 1,032 bytes out of one.
_METHODS = {zipfile.ZIP_STORED: "Stored", zipfile.ZIP_DEFLATED: "Deflate"}

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OverflowError)
"""The errors of zipfile for damaged archives: RuntimeError for features that it lacks, ValueError for names that are not text."""


def is_archive(path: str) -> bool:
    """Return True if a regular file begins as a ZIP archive."""
    try:
        with open(path, "rb") as file:
            return file.read(4) in _SIGNATURES
    except OSError:
        return False


@contextmanager
def _faults_of(path: str) -> Iterator[None]:
    """Raise errors of the body as a `FileError` of this path."""
    try:
        yield
    except DAMAGED as error:
        raise FileError(path, f"it cannot be read as a ZIP archive: {one_line(str(error))}") from error
    except OSError as error:
        raise FileError(path, (error.strerror or str(error)).lower()) from error


@value
class Archive:
    """A ZIP archive as it was when its members were listed.

    Attributes:
        path: The path of the archive.
        identity: Its device and inode.
        size: Its size in bytes.
        mtime_ns: Its modification time, nanoseconds since 1970.
    """

    path: str
    identity: tuple[int, int]
    size: int
    mtime_ns: int


class Archives:
    """The ZIP archives of a sender, of which the last used ones are open. Threads may share it."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, zipfile.ZipFile] = OrderedDict()
        self._lock = threading.Lock()

    def members(self, path: str) -> Iterator[Member]:
        """Yield the members of an archive, sorted by name, without its folders.

        Raises:
            FileError: The archive cannot be read.
        """
        with self._lock, _faults_of(path):
            opened = self._opened(path)
            archive = _as_it_is(path, opened)
            infos = sorted(opened.infolist(), key=lambda info: info.filename)
        for info in infos:
            if not info.filename.endswith("/"):
                yield Member(self, archive, info)

    def member(self, path: str) -> Member | None:
        """Return the member that a path names, "a.zip:x/1.dcm"; None if it names none.

        Raises:
            FileError: The archive cannot be read.
        """
        for at, character in enumerate(path):
            if character == ":" and is_archive(path[:at]):
                break
        else:
            return None
        with self._lock, _faults_of(path[:at]):
            opened = self._opened(path[:at])
            info = opened.NameToInfo.get(path[at + 1 :])
            return None if info is None else Member(self, _as_it_is(path[:at], opened), info)

    def read(self, archive: Archive, info: zipfile.ZipInfo) -> IO[bytes]:
        """Return a stream that inflates a member; zipfile compares it with the CRC at its end.

        Raises:
            FileError: The archive is not the one whose members were listed.
        """
        with self._lock:
            opened = self._opened(archive.path)
            if _as_it_is(archive.path, opened) != archive:
                raise FileError(archive.path, CHANGED)
            # The stream stays readable when the archive is closed.
            return opened.open(info)

    def _opened(self, path: str) -> zipfile.ZipFile:
        if path not in self._open:
            opened = zipfile.ZipFile(path)
            try:
                _verify_apart(opened)
            except BaseException:
                opened.close()
                raise
            self._open[path] = opened
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(path)
        return self._open[path]

    def close(self) -> None:
        """Close the archives. One that is read again is opened again."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


def _as_it_is(path: str, opened: zipfile.ZipFile) -> Archive:
    status = os.fstat(cast(IO[bytes], opened.fp).fileno())
    return Archive(path, (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns)


def _verify_apart(opened: zipfile.ZipFile) -> None:
    """Raise `BadZipFile` if two members share a byte, or a member and the directory do.

    Otherwise a few bytes could be inflated any number of times: members could share a local header, or contain each other.
    """
    file = cast(IO[bytes], opened.fp).fileno()
    end, before = 0, ""
    for info in sorted(opened.infolist(), key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise zipfile.BadZipFile(f"its members {before} and {info.filename} overlap")
        header = os.pread(file, _local_header.size, info.header_offset)
        if len(header) < _local_header.size:
            raise zipfile.BadZipFile(f"it is cut short in its member {info.filename}")
        name, extra = _local_header.unpack(header)
        end, before = info.header_offset + len(header) + name + extra + info.compress_size, info.filename
    if end > opened.start_dir:
        raise zipfile.BadZipFile(f"its member {before} overlaps its directory")


class Member:
    """A member of an archive: a `dimse.instances.Container`.

    Attributes:
        path: The path of the archive, a colon, and the name of the member.
        held: 0: its archive is on the disk.
    """

    __slots__ = ("_archive", "_archives", "_info")

    held = 0

    def __init__(self, archives: Archives, archive: Archive, info: zipfile.ZipInfo) -> None:
        self._archives, self._archive, self._info = archives, archive, info

    @property
    def path(self) -> str:
        return f"{self._archive.path}:{self.name}"

    @property
    def name(self) -> str:
        """The name in the archive, unchanged."""
        return self._info.filename

    def check(self, *, raw_transfer_syntax_uid: str | None = None, tags: Collection[int] = ()) -> InstanceFile:
        """Return the file to send; see `InstanceFile.check`."""
        archive, size = self._archive, self._info.file_size
        with self._reading() as stream:
            window = _Window(stream, self._stream)
            if window.read(0, 4) in _SIGNATURES:
                raise NotDicom(self.path, "a ZIP archive in a ZIP archive")
            if not size:
                raise NotDicom(self.path, "empty file")
            file = InstanceFile.examine(
                self.path,
                window.read,
                archive.identity,
                size,
                archive.mtime_ns,
                raw_transfer_syntax_uid=raw_transfer_syntax_uid,
                container=self,
                tags=tags,
            )
            if window.drain() != size:
                raise FileError(self.path, f"not the {size:,} bytes that the ZIP archive gives as its size")
        return file

    def open(self, offset: int) -> BinaryIO:
        """Open the member as a stream that begins at `offset`."""
        with _faults_of(self.path):
            stream = self._stream()
            try:
                _skip(stream, offset)
            except BaseException:
                stream.close()
                raise
            return cast(BinaryIO, stream)

    def data_set(self, file: InstanceFile, *, mapped: bool) -> memoryview:
        """Return the bytes of a data set. A large one that may be mapped is inflated into a temporary file."""
        with self._reading() as stream:
            _skip(stream, file.data_set_offset)
            if mapped and file.data_set_size > MAPPED:
                return self._copy(file.front, stream)[: file.data_set_size]
            content = file.front + stream.read(file.data_set_size - len(file.front))
            _skip_all(stream)
            return memoryview(content)

    def _copy(self, front: bytes, stream: IO[bytes]) -> memoryview:
        """Return a map of a temporary file that holds `front` and the rest of a stream."""
        try:
            with tempfile.TemporaryFile() as copy:
                copy.write(front)
                shutil.copyfileobj(stream, copy, _PIECE)
                copy.flush()
                return memoryview(mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ))
        except OSError as error:
            why = f"{tempfile.gettempdir()}: {(error.strerror or str(error)).lower()}"
            raise FileError(self.path, f"it cannot be inflated into a temporary file in {why}") from error

    @contextmanager
    def _reading(self) -> Iterator[IO[bytes]]:
        with _faults_of(self.path), self._stream() as stream:
            yield stream

    def _stream(self) -> IO[bytes]:
        if self._info.flag_bits & 1:
            raise FileError(self.path, "encrypted")
        if self._info.compress_type not in _METHODS:
            raise FileError(
                self.path,
                f"compressed by method {self._info.compress_type}, and only {' and '.join(_METHODS.values())} are read",
            )
        return self._archives.read(self._archive, self._info)


class _Window:
    """A reader of a stream at growing offsets, which keeps only the last piece. A smaller offset opens the stream again.

    Args:
        stream: The stream.
        again: Opens the stream again, from its first byte.
    """

    def __init__(self, stream: IO[bytes], again: Callable[[], IO[bytes]]) -> None:
        self._stream, self._again, self._base, self._bytes = stream, again, 0, b""

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on, fewer only at the end."""
        if offset < self._base:
            self._stream.close()
            self._stream, self._base, self._bytes = self._again(), 0, b""
        kept = self._bytes[offset - self._base :]
        self._base += len(self._bytes) - len(kept)
        if self._base < offset:
            self._base += _skip(self._stream, offset - self._base)
        self._bytes = kept + self._stream.read(max(0, size - len(kept)))
        return self._bytes[:size]

    def drain(self) -> int:
        """Read the stream to its end, and return its length."""
        return self._base + len(self._bytes) + _skip_all(self._stream)


# zipfile compares a member with its CRC when it was read to its end, but not after a seek over a part of it.


def _skip(stream: IO[bytes], size: int) -> int:
    """Read past `size` bytes, and return how many there were."""
    left = size
    while left and (piece := stream.read(min(left, _PIECE))):
        left -= len(piece)
    return size - left


def _skip_all(stream: IO[bytes]) -> int:
    skipped = 0
    while piece := stream.read(_PIECE):
        skipped += len(piece)
    return skipped
