"""FileSink: one instance on its way into a `FileStore`, in a temporary file while its data set arrives."""

from __future__ import annotations

import errno
import logging
import mmap
import os
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from dimse.archive.folders import UNSUPPORTED, close, give_name
from dimse.data_set.walk import peek
from dimse.media import part10
from dimse.text import one_line
from dimse.uids import TransferSyntax

LOGGER = logging.getLogger("dimse.archive")

INCOMING = ".incoming"  # inside the folder, so that it is on the same file system
PART = ".part"

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_BUFFERS = os.sysconf("SC_IOV_MAX")
_COMPARED = 1024 * 1024  # bytes at a time
_CHECKED = 16 * 1024 * 1024  # bytes between two looks at the space that is left
_FAR = 4 * 1024 * 1024  # bytes of a data set, at most, in which its values are looked for


@dataclass(frozen=True, slots=True)
class Room:
    """How much a store takes.

    Attributes:
        largest: Bytes of a data set.
        reserve: Bytes of the file system that stay free.
    """

    largest: int
    reserve: int

    def verify(self, file: int, size: int) -> int:
        """Whether a data set may go on, `size` bytes of which are in `file`; returns the size at which to ask again.

        Raises:
            OSError: It may not.
        """
        if size > self.largest:
            raise OSError(errno.EFBIG, f"the data set is larger than {self.largest:,} bytes")
        disk = os.fstatvfs(file)
        if disk.f_blocks and disk.f_bavail * disk.f_frsize < self.reserve:  # some file systems do not tell
            raise OSError(errno.ENOSPC, "no space left on the disk but its reserve")
        return min(self.largest, size + _CHECKED)


class FileSink:
    """Writes one instance to a temporary file of a `FileStore` while its data set arrives.

    Attributes:
        size: Bytes of the data set that were written.
        path: The file: temporary, then the one that was published; None once there is none.
        file: Its descriptor; -1 once it is closed.
        error: What the system said first, if it failed; the file and its disk space are given back at once.
    """

    def __init__(self, folder: str, incoming: int, mode: int, room: Room, instance: str, file_meta: bytes) -> None:
        self.size = 0
        self.error: OSError | None = None
        self.path: str | None = None
        self.file = -1
        self._incoming, self._room, self._instance = incoming, room, instance
        self._temporary: str | None = None
        self._offset, self._verified = len(file_meta), 0
        name = os.urandom(8).hex() + PART
        try:
            self.file = os.open(name, _NEW, 0o600, dir_fd=incoming)
            self._temporary, self.path = name, os.path.join(folder, INCOMING, name)
            os.fchmod(self.file, mode)
            self._verified = room.verify(self.file, 0)
            _write_all(self.file, [memoryview(file_meta)])
        except OSError as error:
            self._fail(error)

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Append the bytes of `buffers`."""
        if self.error is not None:
            return
        try:
            self.size += _write_all(self.file, list(buffers))
            if self.size > self._verified:
                self._verified = self._room.verify(self.file, self.size)
        except OSError as error:
            self._fail(error)

    def view(self) -> memoryview:
        """The encoded data set: a read-only map of the file.

        Raises:
            OSError: It could not be written.
        """
        if self.error is not None:
            raise self.error
        if not self.size:
            return memoryview(b"")
        return memoryview(mmap.mmap(self.file, self._offset + self.size, access=mmap.ACCESS_READ))[self._offset :]

    def discard(self) -> None:
        """Close the file; remove it too, unless it was published."""
        self._remove_temporary()
        if self.file >= 0:
            close(self.file)
            self.file = -1

    def _fail(self, error: OSError) -> None:
        LOGGER.error("cannot store %s: %s", one_line(self._instance, 64), reason(error))
        self.error = error
        self.discard()

    def _remove_temporary(self) -> None:
        if self._temporary is not None:
            with suppress(OSError):  # what cannot be removed now, the next start removes
                os.unlink(self._temporary, dir_fd=self._incoming)
            self._temporary = self.path = None

    # --- for the store ---

    def peek(self, transfer_syntax: TransferSyntax | None, tags: Collection[int]) -> dict[int, str]:
        """Values from the beginning of the data set, by tag."""
        end = min(self.size, _FAR)
        return peek(lambda offset, size: os.pread(self.file, size, self._offset + offset), end, transfer_syntax, tags)

    def give_name(self, folder: int, name: str, shown: object) -> bool:
        """Give the file a name in `folder`, `shown` so in the log; False if that stands for something already."""
        assert self._temporary is not None
        try:
            way = give_name(self._incoming, self._temporary, folder, name)
        except FileExistsError:
            return False
        LOGGER.debug("%s has its name by %s", shown, way)
        return True

    def replace(self, folder: int, name: str, confirm: Callable[[], None]) -> None:
        """Give the file the name that another one has in `folder`, which gets it back if `confirm` raises.

        Raises:
            OSError: What the system, or `confirm`, said: the other file has its name. (It is lost where there are no hard links.)
        """
        assert self._temporary is not None
        other: str | None = os.urandom(8).hex() + PART
        try:
            os.link(name, str(other), src_dir_fd=folder, dst_dir_fd=self._incoming, follow_symlinks=False)
        except OSError as error:
            if error.errno not in UNSUPPORTED and error.errno != errno.ENOENT:
                raise
            other = None
        try:
            os.rename(self._temporary, name, src_dir_fd=self._incoming, dst_dir_fd=folder)
            try:
                confirm()
            except OSError:
                if other is not None:
                    os.rename(other, name, src_dir_fd=self._incoming, dst_dir_fd=folder)
                raise
        finally:
            if other is not None:
                with suppress(OSError):
                    os.unlink(other, dir_fd=self._incoming)

    def published(self, path: str) -> None:
        """The file stands at `path` for good."""
        self._remove_temporary()
        self.path = path

    def same_instance(self, file: int) -> bool:
        """Whether another file holds the same data set in the same transfer syntax.

        The rest of its File Meta does not count: it says who sent the instance, and which version of which program wrote the file.
        """
        ours, theirs = _part10_head(self.file), _part10_head(file)
        if ours is None or theirs is None or ours.transfer_syntax_uid != theirs.transfer_syntax_uid:
            return False
        size = os.fstat(file).st_size - theirs.data_set_offset
        if size != self.size:
            return False
        return all(
            os.pread(self.file, _COMPARED, self._offset + position)
            == os.pread(file, _COMPARED, theirs.data_set_offset + position)
            for position in range(0, size, _COMPARED)
        )


def reason(error: OSError) -> str:
    """What the system said, in its words."""
    return error.strerror or type(error).__name__


def _part10_head(file: int) -> part10.FileMeta | None:
    """The File Meta of a file; None if it is no Part 10 file."""
    try:
        return part10.parse(os.pread(file, part10.MAXIMUM_SIZE, 0))
    except part10.NotPart10:
        return None


def _write_all(file: int, buffers: list[memoryview]) -> int:
    """Append all of `buffers`; returns the number of bytes."""
    total = 0
    while buffers:
        written = os.writev(file, buffers[:_MOST_BUFFERS])
        total += written
        done = 0
        while done < len(buffers) and written >= len(buffers[done]):
            written -= len(buffers[done])
            done += 1
        buffers = buffers[done:]
        if written:
            buffers[0] = buffers[0][written:]
    return total
