"""DICOM files in ZIP archives: each is read out of its archive when it is its turn.

A member is walked while it is inflated, and nothing of it is kept. When its data set is to be sent it is inflated again, a large
one into a temporary file without a name, which is gone with the last view of it: on disk are only the data sets under way, and
nothing is left behind whatever happens. The name of a member is data, and becomes part of no path.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from struct import Struct
from typing import IO, BinaryIO, cast

from dimse.errors import FileError
from dimse.instances import CHANGED, MAPPED, InstanceFile, NotDicom
from dimse.support.text import one_line
from dimse.support.values import value

_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")  # of an archive's first member, and of an archive without any
_MOST_OPEN = 8  # archives
_PIECE = 1024 * 1024
_local_header = Struct("<26xHH")  # and how long the name and the extra field are that follow

# Other methods inflate without bounds, or take memory as the archive demands: DEFLATE gives 1,032 bytes a byte at most.
_METHODS = {zipfile.ZIP_STORED: "Stored", zipfile.ZIP_DEFLATED: "Deflate"}

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OverflowError)
"""What zipfile raises for damaged archives: RuntimeError for what it cannot do, and ValueError for names that are no text."""


def is_archive(path: str) -> bool:
    """Whether a regular file begins as a ZIP archive."""
    try:
        with open(path, "rb") as file:
            return file.read(4) in _SIGNATURES
    except OSError:
        return False


@contextmanager
def _faults_of(path: str) -> Iterator[None]:
    """Raise what cannot be read as a `FileError` of this path."""
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
        path: Its path.
        identity: Its device and inode.
        size: Its bytes.
        mtime_ns: When it was last changed, nanoseconds since 1970.
    """

    path: str
    identity: tuple[int, int]
    size: int
    mtime_ns: int


class Archives:
    """The ZIP archives of a sender, of which those that were read last are open. Threads may share it."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, zipfile.ZipFile] = OrderedDict()
        self._lock = threading.Lock()

    def members(self, path: str) -> Iterator[Member]:
        """The members of an archive, sorted by name; folders are none.

        Raises:
            FileError: It cannot be read.
        """
        with self._lock, _faults_of(path):
            opened = self._opened(path)
            archive = _as_it_is(path, opened)
            _verify_apart(opened)
            infos = sorted(opened.infolist(), key=lambda info: info.filename)
        for info in infos:
            if not info.filename.endswith("/"):
                yield Member(self, archive, info)

    def read(self, archive: Archive, info: zipfile.ZipInfo) -> IO[bytes]:
        """The bytes of a member, inflated as they are read; zipfile compares them with its CRC at the end.

        Raises:
            FileError: The archive is not the one whose members were listed.
        """
        with self._lock:
            opened = self._opened(archive.path)
            if _as_it_is(archive.path, opened) != archive:
                raise FileError(archive.path, CHANGED)
            return opened.open(info)  # it can be read to its end, though the archive is closed meanwhile

    def _opened(self, path: str) -> zipfile.ZipFile:
        if path not in self._open:
            self._open[path] = zipfile.ZipFile(path)
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(path)
        return self._open[path]

    def close(self) -> None:
        """Close the archives: those that are read again are opened again."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


def _as_it_is(path: str, opened: zipfile.ZipFile) -> Archive:
    status = os.fstat(cast(IO[bytes], opened.fp).fileno())
    return Archive(path, (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns)


def _verify_apart(opened: zipfile.ZipFile) -> None:
    """Raise `BadZipFile` if any two members have a byte in common, or one has a byte of the directory.

    Otherwise few bytes could be inflated any number of times: members may have one local header, or a stored one may hold others.
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
        path: What it is called by: the path of the archive, a colon, its name.
    """

    __slots__ = ("_archive", "_archives", "_info")

    def __init__(self, archives: Archives, archive: Archive, info: zipfile.ZipInfo) -> None:
        self._archives, self._archive, self._info = archives, archive, info

    @property
    def path(self) -> str:
        return f"{self._archive.path}:{self.name}"

    @property
    def name(self) -> str:
        """Its name in the archive, as it stands there."""
        return self._info.filename

    def check(self, *, raw_transfer_syntax_uid: str | None = None) -> InstanceFile:
        """As `InstanceFile.check`."""
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
            )
            if window.drain() != size:
                raise FileError(self.path, f"not the {size:,} bytes that the ZIP archive says it is of")
        return file

    def open(self, offset: int) -> BinaryIO:
        """The bytes of the member, from `offset` on."""
        with _faults_of(self.path):
            stream = self._stream()
            try:
                _skip(stream, offset)
            except BaseException:
                stream.close()
                raise
            return cast(BinaryIO, stream)

    def data_set(self, file: InstanceFile, *, mapped: bool) -> memoryview:
        """The bytes of a data set: a large one that may be mapped is inflated into a temporary file."""
        with self._reading() as stream:
            _skip(stream, file.data_set_offset)
            if mapped and file.data_set_size > MAPPED:
                return self._copy(file.front, stream)[: file.data_set_size]
            content = file.front + stream.read(file.data_set_size - len(file.front))
            _skip_all(stream)
            return memoryview(content)

    def _copy(self, front: bytes, stream: IO[bytes]) -> memoryview:
        """A map of a private copy of what is left of a stream, behind what is to stand in front of it."""
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
    """Reads a stream at offsets that grow, and keeps no more of it than that takes; for another it begins anew.

    Args:
        stream: The stream.
        again: Opens it again, from its first byte.
    """

    def __init__(self, stream: IO[bytes], again: Callable[[], IO[bytes]]) -> None:
        self._stream, self._again, self._base, self._bytes = stream, again, 0, b""

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset` on; fewer only where there are no more."""
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
        """Read the stream to its end; how long it is."""
        return self._base + len(self._bytes) + _skip_all(self._stream)


# zipfile compares a member with its CRC once it has been read to its end. It would not if a seek passed over a part of it.


def _skip(stream: IO[bytes], size: int) -> int:
    """Read past `size` bytes; how many there were."""
    left = size
    while left and (piece := stream.read(min(left, _PIECE))):
        left -= len(piece)
    return size - left


def _skip_all(stream: IO[bytes]) -> int:
    skipped = 0
    while piece := stream.read(_PIECE):
        skipped += len(piece)
    return skipped
