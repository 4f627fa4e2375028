"""FileStore: a folder of received instances, each a Part 10 file, and the promise that goes with a success status.

Success means: the bytes are in a file that survived fsync, under its final name, in a folder that was synced too. Until then no
name in the folder changes; and what was acknowledged once is not deleted, cut short or replaced by a later failure.

Everything is opened relative to descriptors of the folder, symbolic links are not followed, and a name comes from
`dimse.archive.names` alone: whatever a peer says, nothing is written outside the folder.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import mmap
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, count
from threading import Condition
from types import TracebackType
from typing import Literal, Self, get_args

from dimse import uids
from dimse.archive.names import instance_name
from dimse.data_set.walk import WINDOW, peek_uids
from dimse.handlers import Handlers
from dimse.media import part10
from dimse.message.status import Status
from dimse.services.storage import DATA_SET_DOES_NOT_MATCH, OUT_OF_RESOURCES, StoreRequest
from dimse.text import one_line

LOGGER = logging.getLogger("dimse.archive")

Durability = Literal["full", "none"]
OnDuplicate = Literal["keep-both", "reject", "replace"]

DUPLICATE_SOP_INSTANCE = 0x0111  # PS3.7 C.5.7

INCOMING = ".incoming"  # inside the folder, so that it is on the same file system
PART = ".part"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_EXISTING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # not to wait for a FIFO's writer
_NOTHING_OF_OURS = (errno.ELOOP, errno.ENXIO, errno.ENOENT)  # a symbolic link, a socket, gone again
_MOST_BUFFERS = os.sysconf("SC_IOV_MAX")
_COMPARED = 1024 * 1024  # bytes at a time
_FULL_FSYNC: int | None = getattr(
    fcntl, "F_FULLFSYNC", None
)  # macOS, where fsync leaves the bytes in the drive's cache


class FileSink:
    """Writes one instance to a temporary file of a `FileStore` while its data set arrives.

    Attributes:
        size: Bytes of the data set that were written.
        path: The file: temporary, then the one that was published; None once there is none.
        file: Its descriptor; -1 once it is closed.
        error: What the system said first, if it failed; the file and its disk space are given back at once.
    """

    def __init__(self, folder: str, incoming: int, mode: int, file_meta: bytes) -> None:
        self.size = 0
        self.error: OSError | None = None
        self.path: str | None = None
        self._incoming = incoming
        self._temporary: str | None = None
        self.file = -1
        self._offset = len(file_meta)
        name = os.urandom(8).hex() + PART
        try:
            self.file = os.open(name, _NEW, 0o600, dir_fd=incoming)
            self._temporary, self.path = name, os.path.join(folder, INCOMING, name)
            os.fchmod(self.file, mode)
            _write_all(self.file, [memoryview(file_meta)])
        except OSError as error:
            self._fail(error)

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Append the bytes of `buffers`."""
        if self.error is not None:
            return
        try:
            self.size += _write_all(self.file, list(buffers))
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
            os.close(self.file)
            self.file = -1

    def _fail(self, error: OSError) -> None:
        self.error = error
        self.discard()

    def _remove_temporary(self) -> None:
        if self._temporary is not None:
            with suppress(OSError):  # what cannot be removed now, the next start removes
                os.unlink(self._temporary, dir_fd=self._incoming)
            self._temporary = self.path = None

    # --- for the store ---

    def head(self) -> bytes:
        """The first bytes of the data set."""
        return os.pread(self.file, WINDOW, self._offset)

    def link(self, folder: int, name: str) -> bool:
        """Give the file a name in `folder`; False if that stands for something already."""
        assert self._temporary is not None
        try:
            os.link(self._temporary, name, src_dir_fd=self._incoming, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            return False
        return True

    def replace(self, folder: int, name: str) -> None:
        """Give the file a name in `folder`, whatever that stood for."""
        assert self._temporary is not None
        os.rename(self._temporary, name, src_dir_fd=self._incoming, dst_dir_fd=folder)

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


class FileStore:
    """A folder that takes instances: `Server(address, FileStore("incoming").handlers())`.

    One store a folder, in one process; any number of threads may store at a time. `close` it, or use it as a context manager.

    Args:
        folder: Where the files go; made if it does not exist, for its owner only.
        durability: "full" answers success when the disk has the file; "none" leaves that to the operating system, which is
            faster and loses what was acknowledged when the power fails.
        on_duplicate: What becomes of an instance whose SOP Instance UID is stored with other bytes: "keep-both" stores it as
            `NAME~2`, `NAME~3` ..., "reject" answers 0111H, "replace" puts it in the place of the other. The same data set in
            the same transfer syntax is stored once, and that is a success.
        mode: Permissions of the files, whatever the umask is.

    Raises:
        OSError: The folder cannot be made or written to, or another `FileStore` uses it.
        ValueError: There is no such choice.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        durability: Durability = "full",
        on_duplicate: OnDuplicate = "keep-both",
        mode: int = 0o600,
    ) -> None:
        if durability not in get_args(Durability) or on_duplicate not in get_args(OnDuplicate):
            raise ValueError(f"durability {durability!r} or on_duplicate {on_duplicate!r} is no choice")
        self.folder = os.path.abspath(folder)
        self._durable, self._on_duplicate, self._mode = durability == "full", on_duplicate, mode
        self._publishing: set[str] = set()
        self._published = Condition()
        self._folder = self._incoming = -1
        uids.dictionary()  # loaded now: while a request is served, there may be no descriptor left to load it with
        try:
            self._open()
        except OSError:
            self.close()
            raise

    def _open(self) -> None:
        self._make_folder(self.folder)
        self._folder = os.open(self.folder, _FOLDER)
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(errno.EWOULDBLOCK, "another store uses this folder", self.folder) from error
        with suppress(FileExistsError):
            os.mkdir(INCOMING, 0o700, dir_fd=self._folder)
        self._incoming = os.open(INCOMING, _FOLDER | os.O_NOFOLLOW, dir_fd=self._folder)
        if os.fstat(self._incoming).st_dev != os.fstat(self._folder).st_dev:
            raise OSError(errno.EXDEV, "not on the same file system", os.path.join(self.folder, INCOMING))
        for name in os.listdir(self._incoming):
            if name.endswith(PART):  # of a process that was killed: never acknowledged
                os.unlink(name, dir_fd=self._incoming)

    def _make_folder(self, folder: str) -> None:
        """Make a folder and those it is in; their names must not get lost with the power either."""
        if os.path.isdir(folder):
            return
        parent = os.path.dirname(folder)
        self._make_folder(parent)
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        descriptor = os.open(parent, _FOLDER)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the folder; harmless twice. To be called when the last request has been answered."""
        if self._incoming >= 0:
            with suppress(OSError):  # not empty: the sinks of requests that were never answered
                os.rmdir(INCOMING, dir_fd=self._folder)
            os.close(self._incoming)
        if self._folder >= 0:
            os.close(self._folder)
        self._folder = self._incoming = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def handlers(self) -> Handlers:
        """Handlers that store what comes, and answer C-ECHO."""
        return Handlers(store_begin=self.begin, store=self.store)

    def begin(self, request: StoreRequest) -> FileSink:
        """Where the data set of a request goes while it arrives."""
        return FileSink(self.folder, self._incoming, self._mode, request.file_meta())

    def store(self, request: StoreRequest) -> Status:
        """Keep the instance whose data set is complete in the sink that `begin` made.

        Returns:
            0000H: it is kept. A900H: the data set's UIDs are not those of the command. 0111H: it is a duplicate and rejected.
            A700H: the disk failed. Unless it is kept, the folder is as it was.
        """
        sink = request.sink
        if not isinstance(sink, FileSink):
            raise TypeError("FileStore.store takes a request whose sink FileStore.begin made")
        name = instance_name(request.sop_class_uid, request.sop_instance_uid)
        try:
            if sink.error is not None:
                raise sink.error
            fault = _mismatch(request, sink)
            if fault:
                LOGGER.error("refused %s: %s", name, fault)
                return _status(DATA_SET_DOES_NOT_MATCH, fault)
            LOGGER.info("Storing DICOM file: %s", name)
            self._sync(sink.file)
            with self._alone(name):
                return self._publish(sink, name)
        except OSError as error:
            why = error.strerror or type(error).__name__
            LOGGER.error("cannot store %s: %s", name, why)
            return _status(OUT_OF_RESOURCES, why)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """One thread at a time publishes under a name.

        So a thread that finds its instance there already knows that the other's sync has succeeded, and that the name stays.
        """
        with self._published:
            self._published.wait_for(lambda: name not in self._publishing)
            self._publishing.add(name)
        try:
            yield
        finally:
            with self._published:
                self._publishing.remove(name)
                self._published.notify_all()

    def _publish(self, sink: FileSink, name: str) -> Status:
        """Give a synced file its final name, or find that it is there already."""
        # A descriptor of this publication's own: the system reports a failed write-back once a descriptor, and another thread must
        # not take the report away.
        folder = os.open(".", _FOLDER, dir_fd=self._folder)
        try:
            for candidate in chain([name], (f"{name}~{number}" for number in count(2))):
                if sink.link(folder, candidate):
                    self._sync_name(folder, candidate)
                    break
                if self._is_kept(sink, folder, candidate):
                    LOGGER.warning("DICOM file already exists with the same data set: %s", candidate)
                    break
                LOGGER.warning(
                    "DICOM file already exists with another data set: %s (%s)", candidate, self._on_duplicate
                )
                if self._on_duplicate == "reject":
                    return _status(DUPLICATE_SOP_INSTANCE, "it is stored with another data set")
                if self._on_duplicate == "replace":
                    sink.replace(folder, candidate)
                    self._sync(folder)
                    break
            sink.published(os.path.join(self.folder, candidate))
            return _status(0x0000)
        finally:
            os.close(folder)

    def _sync_name(self, folder: int, name: str) -> None:
        """Sync the folder; where that fails, the name that was just given is taken back."""
        try:
            self._sync(folder)
        except OSError:
            os.unlink(name, dir_fd=folder)
            raise

    def _is_kept(self, sink: FileSink, folder: int, name: str) -> bool:
        """Whether the file of that name holds this instance, and the disk has it: whoever wrote it may not have waited."""
        try:
            file = os.open(name, _EXISTING, dir_fd=folder)
        except OSError as error:
            if error.errno in _NOTHING_OF_OURS:
                return False
            raise
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode) or not sink.same_instance(file):
                return False
            self._sync(file)
            self._sync(folder)
            return True
        finally:
            os.close(file)

    def _sync(self, descriptor: int) -> None:
        """Wait until the disk has a file or a folder. A failure is final: another fsync may succeed over what this one lost."""
        if not self._durable:
            return
        if _FULL_FSYNC is not None:
            fcntl.fcntl(descriptor, _FULL_FSYNC)
        else:
            os.fsync(descriptor)


def _status(code: int, comment: str = "") -> Status:
    return Status(code, service="storage", comment=comment)


def _mismatch(request: StoreRequest, sink: FileSink) -> str:
    """Which UID of the data set is not the command's; empty if both are."""
    found = peek_uids(sink.head(), uids.transfer_syntax(request.context.transfer_syntax))
    said = (request.sop_class_uid, request.sop_instance_uid)
    for what, in_data_set, in_command in zip(("SOP Class UID", "SOP Instance UID"), found, said, strict=True):
        if in_data_set is None:
            return f"the data set has no {what}"
        if in_data_set != in_command:
            return f"the data set has the {what} {one_line(in_data_set, 64)}"
    return ""


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
