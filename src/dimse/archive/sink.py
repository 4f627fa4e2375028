"""FileSink: the temporary file of a `FileStore` to which an instance is written while its data set arrives."""

from __future__ import annotations

import errno
import logging
import mmap
import os
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from time import monotonic, monotonic_ns, thread_time
from typing import Protocol

from dimse.archive.folders import FOLDER, INCOMING, PART, UNSUPPORTED, close, give_name
from dimse.data_set.survey import Survey, survey
from dimse.data_set.walk import MalformedDataSet
from dimse.support.text import one_line
from dimse.uids import TransferSyntax

LOGGER = logging.getLogger("dimse.archive")

LONGEST_SURVEY = 5.0
"""Seconds of processor time for the survey of a data set's elements."""

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_BUFFERS = os.sysconf("SC_IOV_MAX")
# Bytes of a data set that are kept in memory, so that its first values need not be read from the file.
_HEAD = 8 * 1024
# Bytes that are read at a time of a file that is linked.
_PIECE = 1024 * 1024
# Bytes of a data set after which the disk begins to write them while others arrive.
_AHEAD = 4 * 1024 * 1024


class Hash(Protocol):
    """A hash, such as `hashlib.sha256()`."""

    def update(self, data: memoryview, /) -> None:
        """Take bytes."""

    def digest(self) -> bytes:
        """Return the digest of the bytes so far."""


class Room:
    """The room that a store has for further bytes; all its sinks share one.

    The free space of the disk is read when a data set begins, unless it was plentiful a moment ago. It is also read after every
    `_BYTES_BETWEEN_READINGS` bytes of all data sets.

    Args:
        largest: The most bytes of a data set.
        reserve: The bytes of the file system that stay free.
    """

    _BYTES_BETWEEN_READINGS = 16 * 1024**2
    # Hardly any program fills so many bytes beyond the reserve within so many seconds.
    _AMPLE = 1024**3
    _AMPLE_FOR = 0.1

    def __init__(self, largest: int, reserve: int) -> None:
        self._largest, self._reserve = largest, reserve
        self._ample_until = 0.0  # on `monotonic`
        # Bytes since the free space was read. Threads may miss some of each other's.
        self._written = 0

    def verify(self, file: int, size: int, more: int) -> None:
        """Verify that `more` bytes may be added to a data set, `size` bytes of which are in `file`.

        Raises:
            OSError: The data set would be too large, or the disk is full.
        """
        if size + more > self._largest:
            raise OSError(errno.EFBIG, f"the data set is larger than {self._largest:,} bytes")
        self._written += more
        if self._written > self._BYTES_BETWEEN_READINGS or (not size and monotonic() >= self._ample_until):
            self._ask(file)

    def _ask(self, file: int) -> None:
        self._ample_until = 0.0
        disk = os.fstatvfs(file)
        # Some file systems do not report their free space.
        beyond = disk.f_bavail * disk.f_frsize - self._reserve if disk.f_blocks else self._AMPLE
        if beyond < 0:
            raise OSError(errno.ENOSPC, "no space left on the disk except its reserve")
        self._written = 0
        if beyond >= self._AMPLE:
            self._ample_until = monotonic() + self._AMPLE_FOR


class FileSink:
    """A sink that writes one instance to a temporary file of a `FileStore` while its data set arrives.

    Args:
        folder: The absolute path of the store's folder.
        incoming: The descriptor of the folder for temporary files.
        create: A function that creates a file there, and returns its descriptor and its name.
        mode: The permissions of the file; None leaves them as they are.
        room: The room of the store.
        begin_to_flush: A function that gets a descriptor, an offset and a size, and lets the disk begin with these bytes.
        instance: The SOP Instance UID, for the log.
        file_meta: The beginning of the file, before the data set.
        hashing: A hash that takes the bytes of the data set; None without one.

    Attributes:
        size: The bytes of the data set that were written.
        file: The descriptor; -1 after it has been closed.
        error: The first error of the system; after it the file and its disk space are released at once.
    """

    def __init__(
        self,
        folder: str,
        incoming: int,
        create: Callable[[], tuple[int, str]],
        mode: int | None,
        room: Room,
        begin_to_flush: Callable[[int, int, int], None],
        instance: str,
        file_meta: bytes,
        hashing: Hash | None = None,
    ) -> None:
        self.size = 0
        self.error: OSError | None = None
        self.file = -1
        self._folder, self._incoming, self._room, self._instance = folder, incoming, room, instance
        self._temporary: str | None = None  # its name in `incoming`
        self._kept: str | None = None  # its path in the store
        # The number of bytes of the data set with which the disk has begun.
        self._begin_to_flush, self._begun = begin_to_flush, 0
        # It is written with the first bytes of the data set.
        self._file_meta, self._offset = file_meta, len(file_meta)
        self._head = b""  # the data set's first bytes
        self._hashing = hashing
        try:
            self.file, self._temporary = create()
            if mode is not None:
                os.fchmod(self.file, mode)
        except OSError as error:
            self._fail(error)

    @property
    def path(self) -> str | None:
        """The path of the file, temporary and then published; None if there is no file."""
        if self._kept is not None:
            return os.path.join(self._folder, self._kept)
        return os.path.join(self._folder, INCOMING, self._temporary) if self._temporary is not None else None

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Append the bytes of `buffers`."""
        size = sum(map(len, buffers))
        if self.error is not None or not size:
            return
        try:
            self._room.verify(self.file, self.size, size)
            if self.size:
                _write_all(self.file, buffers, size)
            else:
                self._head = bytes(buffers[0][:_HEAD])
                _write_all(self.file, [self._file_meta, *buffers], self._offset + size)
            self.size += size
            if (hashing := self._hashing) is not None:
                for buffer in buffers:
                    hashing.update(buffer)
            if (more := self.size - self._begun) >= _AHEAD:
                self._begin_to_flush(self.file, self._offset + self._begun, more)
                self._begun = self.size
        except OSError as error:
            self._fail(error)

    def complete(self) -> None:
        """Write the File Meta Information of a data set that has ended without any byte.

        Raises:
            OSError: It cannot be written.
        """
        if not self.size:
            self._room.verify(self.file, 0, 0)
            _write_all(self.file, [self._file_meta], self._offset)

    def view(self) -> memoryview:
        """Return the encoded data set, as a read-only map of the file.

        Raises:
            OSError: The file could not be written.
        """
        if self.error is not None:
            raise self.error
        if not self.size:
            return memoryview(b"")
        return memoryview(mmap.mmap(self.file, self._offset + self.size, access=mmap.ACCESS_READ))[self._offset :]

    def digest(self) -> bytes:
        """Return the digest of the data set; empty if it is not made."""
        return self._hashing.digest() if self._hashing is not None else b""

    def discard(self) -> None:
        """Close the file, and remove it unless it was published."""
        if self._temporary is not None:
            # Files that cannot be removed are removed at the next start.
            with suppress(OSError):
                self._remove(self._temporary)
            self._temporary = None
        if self.file >= 0:
            close(self.file)
            self.file = -1

    def _remove(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._incoming)
        except FileNotFoundError:
            # Another process of the store may have moved it to the folder that is at the store's path.
            incoming = os.open(os.path.join(self._folder, INCOMING), FOLDER | os.O_NOFOLLOW)
            try:
                os.unlink(name, dir_fd=incoming)
            finally:
                close(incoming)

    def _fail(self, error: OSError) -> None:
        LOGGER.error("cannot store %s in %s: %s", one_line(self._instance, 64), one_line(self._folder), reason(error))
        self.error = error
        self.discard()

    # --- for the store ---

    def survey(self, transfer_syntax: TransferSyntax, tags: Collection[int]) -> Survey:
        """Return the values of the data set by tag, and whether it ends inside an element.

        A data set with very many small elements is surveyed for at most `LONGEST_SURVEY` seconds.
        """
        deadline = 0.0

        def read(offset: int, size: int) -> bytes:
            # The clock takes a system call, which a data set with all headers in memory does not need.
            nonlocal deadline
            now = thread_time()
            deadline = deadline or now + LONGEST_SURVEY
            if now > deadline:
                raise MalformedDataSet(f"more elements than can be surveyed in {LONGEST_SURVEY:g} s")
            return self._read(offset, size)

        return survey(read, self.size, transfer_syntax, tags, self._head)

    def _read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes of the data set."""
        if offset + size <= len(self._head):
            return self._head[offset : offset + size]
        return os.pread(self.file, size, self._offset + offset)

    def give_name(self, folder: int, name: str, shown: object) -> bool:
        """Give the file a name in `folder`, logged as `shown`, and return True; return False if the name exists."""
        assert self._temporary is not None
        try:
            way = give_name(self._incoming, self._temporary, folder, name)
        except FileExistsError:
            return False
        LOGGER.debug("%s was named by %s", shown, way)
        return True

    def replace(self, folder: int, name: str, confirm: Callable[[], None]) -> None:
        """Give the file the name of another one in `folder`, which gets it back if `confirm` raises.

        Raises:
            OSError: The system or `confirm` failed, and the other file has its name. Without hard links it is lost.
        """
        assert self._temporary is not None
        incoming = self._incoming
        other: str | None = os.urandom(8).hex() + PART
        try:
            os.link(name, str(other), src_dir_fd=folder, dst_dir_fd=incoming, follow_symlinks=False)
        except OSError as error:
            if error.errno not in UNSUPPORTED and error.errno != errno.ENOENT:
                raise
            other = None
        try:
            os.rename(self._temporary, name, src_dir_fd=incoming, dst_dir_fd=folder)
            try:
                confirm()
            except OSError:
                if other is not None:
                    os.rename(other, name, src_dir_fd=incoming, dst_dir_fd=folder)
                raise
        finally:
            if other is not None:
                with suppress(OSError):
                    os.unlink(other, dir_fd=incoming)

    def published(self, path: str) -> None:
        """Record that the file is at `path` in the store for good. Its temporary name is removed after the success was reported."""
        self._kept = path


class LinkedSink(FileSink):
    """A sink that has a whole instance from the start: its file is a hard link to another one, whose bytes are not copied.

    Args:
        folder, incoming, room, instance, hashing: As of `FileSink`.
        path: The file that has the instance.
        offset: The offset of the data set in it. The data set ends with the file.

    Raises:
        OSError: The file cannot be linked, often because it is on another file system; or it cannot be read.
    """

    def __init__(
        self,
        folder: str,
        incoming: int,
        room: Room,
        instance: str,
        path: str,
        offset: int,
        hashing: Hash | None = None,
    ) -> None:
        made = link(incoming, path)
        super().__init__(folder, incoming, lambda: made, None, room, lambda *_: None, instance, b"", hashing)
        self._offset = offset
        try:
            self.size = os.fstat(self.file).st_size - offset
            self._head = os.pread(self.file, _HEAD, offset)
            if hashing is not None:
                for position in range(0, self.size, _PIECE):
                    hashing.update(memoryview(os.pread(self.file, _PIECE, offset + position)))
        except OSError:
            self.discard()
            raise


def link(folder: int, path: str) -> tuple[int, str]:
    """Give a file a temporary name in a folder too, and return a descriptor that reads it, and that name.

    Raises:
        OSError: It cannot be linked or read.
    """
    name = os.urandom(8).hex() + PART
    os.link(os.path.realpath(path), name, dst_dir_fd=folder)
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), name
    except OSError:
        os.unlink(name, dir_fd=folder)
        raise


def reason(error: OSError) -> str:
    """Return the system's words for an error."""
    return error.strerror or type(error).__name__


def create(folder: int) -> tuple[int, str]:
    """Create a file in a folder, and return its descriptor and its name.

    The name is the time, which takes no system call. If another process has chosen the same, the name is random.
    """
    name = f"{monotonic_ns():x}{PART}"
    try:
        return os.open(name, _NEW, 0o600, dir_fd=folder), name
    except FileExistsError:
        name = os.urandom(8).hex() + PART
        return os.open(name, _NEW, 0o600, dir_fd=folder), name


def _write_all(file: int, buffers: Sequence[bytes | memoryview], size: int) -> None:
    """Append all of `buffers`, which have `size` bytes in total."""
    while (written := os.writev(file, buffers[:_MOST_BUFFERS])) < size:
        size -= written
        done = 0
        while written >= len(buffers[done]):
            written -= len(buffers[done])
            done += 1
        buffers = [buffers[done][written:], *buffers[done + 1 :]]
