"""FileStore: a folder of received instances, each a Part 10 file, and the promise that goes with a success status.

Success means: the bytes are in a file that survived fsync, under its final name, in a folder that was synced too. Until then no
name in the folder changes; and what was acknowledged once is not deleted, cut short or replaced by a later failure.

Everything is opened relative to descriptors of the folder, symbolic links are not followed, and a name comes from
`dimse.archive.layout` and `dimse.archive.names` alone: whatever a peer says, nothing is written outside the folder.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from threading import Lock
from typing import Literal, get_args

from dimse import uids
from dimse.archive.folders import FOLDER, Branch, Folders, close
from dimse.archive.layout import DEFAULT, Layout
from dimse.archive.sink import INCOMING, LOGGER, PART, FileSink, Room, reason
from dimse.archive.stored import NotAcknowledged, Stored
from dimse.closing import Closing
from dimse.handlers import Handlers
from dimse.logs import Private
from dimse.message.status import Status
from dimse.services.storage import DATA_SET_DOES_NOT_MATCH, OUT_OF_RESOURCES
from dimse.services.store_request import StoreRequest
from dimse.text import one_line
from dimse.turns import Wait, aside, brief

Durability = Literal["full", "none"]
OnDuplicate = Literal["keep-both", "reject", "replace"]

LARGEST = 32 * 1024**3
"""Bytes of a data set that a store takes, unless it is told otherwise."""

DUPLICATE_SOP_INSTANCE = 0x0111  # PS3.7 C.5.7

_KEPT = Status(0x0000, service="storage")

_SOP_CLASS_UID, _SOP_INSTANCE_UID = 0x00080016, 0x00080018
_PATIENT_ID, _STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID = 0x00100020, 0x0020000D, 0x0020000E

_EXISTING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # not to wait for a FIFO's writer
_NOTHING_OF_OURS = (errno.ELOOP, errno.ENXIO, errno.ENOENT)  # a symbolic link, a socket, gone again


class FileStore(Closing):
    """A folder that takes instances: `Server(address, FileStore("incoming").handlers())`.

    One store a folder, in one process; any number of threads may store at a time. `close` it, or use it as a context manager.

    Args:
        folder: Where the files go; made if it does not exist.
        layout: Their paths in it, a template as `dimse.archive.layout` describes; `CT.1.2.3` by default.
        durability: "full" answers success when the disk has the file; "none" leaves that to the operating system, which is
            faster and loses what was acknowledged when the power fails.
        on_duplicate: What becomes of an instance whose name stands for other bytes: "keep-both" stores it as `NAME~2`,
            `NAME~3` ..., "reject" answers 0111H, "replace" puts it in the place of the other. The same data set in the same
            transfer syntax is stored once, and that is a success.
        mode: Permissions of the files, whatever the umask is. Who may read them may enter the folders that are made.
        largest: Bytes of a data set; of a larger one nothing is kept.
        reserve: Bytes of the file system that are to stay free; by default 2 % of it, 1 GiB at most. Other programs, and instances
            under way at the same time, may still use some of it.
        stored: Called with each instance that is kept, before its success is said, in the thread that keeps it. What it raises is a
            line in the log; the instance is kept all the same. After `NotAcknowledged` the answer is A700H.

    Raises:
        OSError: The folder cannot be made or written to, or another `FileStore` uses it.
        ValueError: There is no such choice or layout, or the owner could not read the files.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        layout: str | Layout = DEFAULT,
        durability: Durability = "full",
        on_duplicate: OnDuplicate = "keep-both",
        mode: int = 0o600,
        largest: int = LARGEST,
        reserve: int | None = None,
        stored: Callable[[Stored], None] | None = None,
    ) -> None:
        if durability not in get_args(Durability) or on_duplicate not in get_args(OnDuplicate):
            raise ValueError(f"durability {durability!r} or on_duplicate {on_duplicate!r} is no choice")
        if not 0o400 <= mode <= 0o777:
            raise ValueError(f"mode {mode:o}: from 400 to 777, and the owner must be able to read the files")
        self.folder = os.path.abspath(folder)
        self._layout = Layout(layout) if isinstance(layout, str) else layout
        self._durable, self._on_duplicate, self._mode, self._stored = durability == "full", on_duplicate, mode, stored
        self._tags = self._layout.tags | {_SOP_CLASS_UID, _SOP_INSTANCE_UID}
        if stored is not None:
            self._tags |= {_PATIENT_ID, _STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID}
        self._telling = Wait()
        self._publishing: dict[str, Lock] = {}
        self._incoming = -1
        readers = mode & 0o444
        self._folders = Folders(self.folder, 0o700 | readers | readers >> 2, durable=self._durable)
        try:
            self._open()
            self._room = Room(largest, self._default_reserve() if reserve is None else reserve)
        except OSError:
            self.close()
            raise

    def _open(self) -> None:
        root = self._folders.root
        try:
            fcntl.flock(root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(errno.EWOULDBLOCK, "another store uses this folder", self.folder) from error
        with suppress(FileExistsError):
            os.mkdir(INCOMING, 0o700, dir_fd=root)
        self._incoming = os.open(INCOMING, FOLDER | os.O_NOFOLLOW, dir_fd=root)
        if os.fstat(self._incoming).st_dev != os.fstat(root).st_dev:
            raise OSError(errno.EXDEV, "not on the same file system", os.path.join(self.folder, INCOMING))
        for name in os.listdir(self._incoming):
            if name.endswith(PART):  # of a process that was killed: never acknowledged
                os.unlink(name, dir_fd=self._incoming)

    def _default_reserve(self) -> int:
        disk = os.fstatvfs(self._folders.root)
        return min(1024**3, disk.f_blocks * disk.f_frsize // 50)

    def close(self) -> None:
        """Let go of the folder; harmless twice. To be called when the last request has been answered."""
        if self._incoming >= 0:
            with suppress(OSError):  # not empty: the sinks of requests that were never answered
                os.rmdir(INCOMING, dir_fd=self._folders.root)
            close(self._incoming)
        self._incoming = -1
        self._folders.close()

    def handlers(self) -> Handlers:
        """Handlers that store what comes, and answer C-ECHO."""
        return Handlers(store_begin=self.begin, store=self.store)

    @brief
    def begin(self, request: StoreRequest) -> FileSink:
        """Where the data set of a request goes while it arrives; to be discarded once the request has been answered."""
        return FileSink(
            self.folder,
            self._incoming,
            self._mode,
            self._room,
            self._folders.begin_to_flush,
            request.sop_instance_uid,
            request.file_meta(),
        )

    @brief
    def store(self, request: StoreRequest) -> Status:
        """Keep the instance whose data set is complete in the sink that `begin` made.

        Returns:
            0000H: it is kept. A900H: the data set's UIDs are not those of the command. 0111H: it is a duplicate and rejected.
            A700H: the disk failed, or has no room. Unless it is kept, no file in the folder has changed; where `stored` raised
            `NotAcknowledged`, it is kept.
        """
        sink = request.sink
        if not isinstance(sink, FileSink):
            raise TypeError("FileStore.store takes a request whose sink FileStore.begin made")
        if sink.error is not None:
            return _status(OUT_OF_RESOURCES, reason(sink.error))
        try:
            elements = sink.peek(uids.transfer_syntax(request.context.transfer_syntax), self._tags)
            fault = _mismatch(request, elements)
            if fault:
                LOGGER.error("refused %s: %s", one_line(request.sop_instance_uid, 64), fault)
                return _status(DATA_SET_DOES_NOT_MATCH, fault)
            path = self._layout.path(request, elements)
            shown = self._shown(request, path)
            relative_path = "/".join(path)
            LOGGER.info("Storing DICOM file: %s", shown(relative_path))
            if self._durable:
                self._folders.flush(sink.file)
            with _Alone(self._publishing, relative_path), self._folders.opened(path[:-1]) as branch:
                kept = self._publish(sink, branch, path[-1], shown)
        except OSError as error:
            LOGGER.error("cannot store %s: %s", one_line(request.sop_instance_uid, 64), reason(error))
            return _status(OUT_OF_RESOURCES, reason(error))
        if kept is None:
            return _status(DUPLICATE_SOP_INSTANCE, "it is stored with another data set")
        name, duplicate = kept
        if name != path[-1]:
            relative_path = "/".join((*path[:-1], name))
        sink.published(relative_path)
        if self._stored is not None:
            try:
                self._tell(request, sink, elements, relative_path, duplicate, shown(relative_path))
            except NotAcknowledged as error:
                LOGGER.error("kept %s, but not acknowledged: %s", shown(relative_path), error)
                return _status(OUT_OF_RESOURCES, str(error))
        return _KEPT

    def _shown(self, request: StoreRequest, path: tuple[str, ...]) -> Callable[[str], object]:
        """How the log shows a path or name of the instance that goes to `path`."""
        if not self._layout.identifying:
            return str
        shown = self._layout.shown(request)
        return lambda name: Private(name, shown + name[name.rindex(path[-1]) + len(path[-1]) :])

    def _publish(
        self, sink: FileSink, branch: Branch, name: str, shown: Callable[[str], object]
    ) -> tuple[str, bool] | None:
        """Give a synced file its final name, or find that it is there already.

        Returns:
            The name under which it is kept, and whether it was before; None if it is rejected.
        """
        candidate = name
        for number in count(2):
            if sink.give_name(branch.folder, candidate, shown(candidate)):
                self._sync_name(branch, candidate)
                return candidate, False
            if self._is_kept(sink, branch, candidate):
                LOGGER.warning("DICOM file already exists with the same data set: %s", shown(candidate))
                return candidate, True
            LOGGER.warning(
                "DICOM file already exists with another data set: %s (%s)", shown(candidate), self._on_duplicate
            )
            if self._on_duplicate == "reject":
                return None
            if self._on_duplicate == "replace":
                sink.replace(branch.folder, candidate, lambda: self._folders.sync(branch))
                return name, False
            candidate = f"{name}~{number}"
        raise AssertionError("there is always another number")

    def _sync_name(self, branch: Branch, name: str) -> None:
        """Sync the folder; where that fails, the name that was just given is taken back."""
        try:
            self._folders.sync(branch)
        except OSError:
            os.unlink(name, dir_fd=branch.folder)
            raise

    def _is_kept(self, sink: FileSink, branch: Branch, name: str) -> bool:
        """Whether the file of that name holds this instance, and the disk has it: whoever wrote it may not have waited."""
        try:
            file = os.open(name, _EXISTING, dir_fd=branch.folder)
        except OSError as error:
            if error.errno in _NOTHING_OF_OURS:
                return False
            raise
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode) or not sink.same_instance(file):
                return False
            if self._durable:
                self._folders.flush(file)
            self._folders.sync(branch)
            return True
        finally:
            close(file)

    def _tell(
        self,
        request: StoreRequest,
        sink: FileSink,
        elements: Mapping[int, str],
        relative_path: str,
        duplicate: bool,
        shown: object,
    ) -> None:
        """Call the `stored` hook."""
        assert self._stored is not None
        stored = Stored(
            path=os.path.join(self.folder, relative_path),
            relative_path=relative_path,
            sop_class_uid=request.sop_class_uid,
            sop_instance_uid=request.sop_instance_uid,
            study_instance_uid=elements.get(_STUDY_INSTANCE_UID, ""),
            series_instance_uid=elements.get(_SERIES_INSTANCE_UID, ""),
            patient_id=elements.get(_PATIENT_ID, ""),
            transfer_syntax_uid=request.context.transfer_syntax,
            size=sink.size,
            calling_ae_title=request.peer.ae_title,
            called_ae_title=request.called_ae_title,
            peer_address=request.peer.address,
            duplicate=duplicate,
            received=time.time(),
        )
        try:
            self._telling.call(self._stored, stored)
        except NotAcknowledged:
            raise
        except Exception as error:
            # A user's own code; the instance is kept, and its success must be said.
            LOGGER.error(
                "what follows the storing of %s failed: %s",
                shown,
                one_line(f"{type(error).__name__}: {error}"),
                exc_info=LOGGER.isEnabledFor(logging.DEBUG),
            )


class _Alone:
    """A block in which one thread at a time publishes under a name.

    So a thread that finds its instance there already knows that the other's sync has succeeded, and that the name stays.
    """

    __slots__ = ("_done", "_path", "_publishing")

    def __init__(self, publishing: dict[str, Lock], path: str) -> None:
        self._publishing, self._path, self._done = publishing, path, Lock()

    def __enter__(self) -> None:
        self._done.acquire()
        # No other thread runs within `setdefault`: who finds nobody's lock there has left its own.
        while (other := self._publishing.setdefault(self._path, self._done)) is not self._done:
            with aside(), other:  # that thread is done
                pass

    def __exit__(self, *_: object) -> None:
        del self._publishing[self._path]
        self._done.release()


def _status(code: int, comment: str = "") -> Status:
    return Status(code, service="storage", comment=comment)


def _mismatch(request: StoreRequest, elements: Mapping[int, str]) -> str:
    """Which UID of the data set is not the command's; empty if both are."""
    for what, tag, in_command in (
        ("SOP Class UID", _SOP_CLASS_UID, request.sop_class_uid),
        ("SOP Instance UID", _SOP_INSTANCE_UID, request.sop_instance_uid),
    ):
        in_data_set = elements.get(tag)
        if not in_data_set:
            return f"the data set has no {what}"
        if in_data_set != in_command:
            return f"the data set has the {what} {one_line(in_data_set, 64)}"
    return ""
