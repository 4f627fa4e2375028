"""FileStore: a folder of received instances, each a Part 10 file, with the guarantee behind a success status.

Success means that the bytes are in a file that was synced, under its final name, in a folder that was synced too. Until then no
name in the folder changes. No later failure deletes, truncates or replaces an acknowledged instance.

Everything is opened relative to descriptors of the folder, and symbolic links are not followed. Names come from
`dimse.archive.layout` and `dimse.archive.names` only. So a peer cannot cause writing outside the folder.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from threading import Lock
from typing import Any, Literal, get_args

from dimse import tags as dictionary
from dimse import uids
from dimse.archive.copies import Copy, Remembered
from dimse.archive.fingerprint import EXISTING, fingerprint, instance_of, same_instance
from dimse.archive.folders import INCOMING, Branch, Folders, close
from dimse.archive.layout import DEFAULT, Layout
from dimse.archive.sink import LOGGER, FileSink, Hash, LinkedSink, Room, create, reason
from dimse.archive.stored import PATIENT_ID, SERIES_INSTANCE_UID, STUDY_INSTANCE_UID, NotAcknowledged, Stored
from dimse.data_set.survey import Survey
from dimse.instances.received import ReceivedInstance
from dimse.logs import Private
from dimse.logs.notices import notice
from dimse.message.status import (
    CANNOT_UNDERSTAND,
    DATA_SET_DOES_NOT_MATCH,
    DUPLICATE_SOP_INSTANCE,
    OUT_OF_RESOURCES,
    Status,
)
from dimse.services.handlers import Handlers
from dimse.support.closing import Closing
from dimse.support.pace import Pace, Paced, brief
from dimse.support.text import one_line
from dimse.support.values import record

Durability = Literal["full", "none"]
OnDuplicate = Literal["keep-both", "reject", "replace"]

LARGEST = 32 * 1024**3
"""The default limit of a data set, in bytes."""

MOST_DUPLICATES = 1_000
"""The default number of copies of a name that a store keeps beside the first instance."""

# PS3.4 Table B.2-1: the data set does not match its SOP class.
KEPT_CUT_SHORT = 0xB007

_KEPT = Status(0x0000, service="storage")

_SOP_CLASS_UID, _SOP_INSTANCE_UID = 0x00080016, 0x00080018

# A symbolic link, a socket, or a file that was removed.
_NO_STORED_FILE = (errno.ELOOP, errno.ENXIO, errno.ENOENT)


class FileStore(Closing):
    """A folder that stores instances: `Server(address, FileStore("incoming").handlers())`.

    A folder has one store, in one process. Any number of threads may store at a time. `close` it, or use it as a context manager.

    Args:
        folder: The folder of the files; created if it does not exist.
        layout: The paths of the files, as a template of `dimse.archive.layout`; `CT.1.2.3` by default.
        durability: "full" answers success after the file has been synced. "none" leaves that to the operating system. That is
            faster, and loses acknowledged instances in a power cut.
        on_duplicate: The treatment of an instance whose name belongs to other bytes. "keep-both" stores it as `X~2.dcm`, `X~3.dcm`
            ... (`X~2` if the layout does not end in `.dcm`), "reject" answers 0111H, and "replace" replaces the other file. The
            same data set in the same transfer syntax is stored once, which is a success. If the layout gives two SOP instances one
            name, both are kept.
        max_duplicates: The most copies that "keep-both" keeps of a name beside the first instance. Beyond them the answer is 0111H.
        accept_cut_short: True to keep a data set that ends inside an element, with the warning B007H. Otherwise it is refused with
            C000H.
        mode: The permissions of the files, whatever the umask is. Users who may read them may enter the folders that are created.
        largest: The most bytes of a data set. Nothing is kept of a larger one.
        reserve: The bytes of the file system that stay free; by default 2 % of it, at most 1 GiB. Other programs, and instances
            that arrive at the same time, may still use some of it.
        stored: Called with each instance that is kept, before its success is reported, in the thread that keeps it. If it raises
            `NotAcknowledged`, the answer is A700H. Any other error is logged. The instance is kept in both cases. It may return
            a callable, which is called in the same way. Those of instances that arrive together are called after all are kept.
        tags: The elements whose values `Stored.elements` is to have, by tag: 0x00080060 is the Modality. They are looked for at the
            top level of the data set.
        required: Those of the `tags` without a value of which an instance is refused with A900H.
        digest: True to make the SHA-256 of each instance while it arrives.

    Raises:
        OSError: The folder cannot be created or written to, or another `FileStore` uses it.
        ValueError: A choice or the layout is invalid, or the owner could not read the files.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        layout: str | Layout = DEFAULT,
        durability: Durability = "full",
        on_duplicate: OnDuplicate = "keep-both",
        mode: int = 0o600,
        max_duplicates: int = MOST_DUPLICATES,
        accept_cut_short: bool = False,
        largest: int = LARGEST,
        reserve: int | None = None,
        stored: Callable[[Stored], object] | None = None,
        tags: Iterable[int] = (),
        required: Iterable[int] = (),
        digest: bool = False,
    ) -> None:
        _verify_choice("durability", durability, get_args(Durability))
        _verify_choice("on_duplicate", on_duplicate, get_args(OnDuplicate))
        if not 0o400 <= mode <= 0o777:
            raise ValueError(f"mode {mode:o}: from 400 to 777, and the owner must be able to read the files")
        if max_duplicates < 0:
            raise ValueError(f"max_duplicates {max_duplicates} is less than 0")
        self.folder = os.path.abspath(folder)
        self._layout = Layout(layout) if isinstance(layout, str) else layout
        self._durable, self._on_duplicate, self._mode, self._stored = durability == "full", on_duplicate, mode, stored
        self._required, self._makes_digest = frozenset(required), digest
        self._tags = self._layout.tags | {_SOP_CLASS_UID, _SOP_INSTANCE_UID} | self._required
        if stored is not None:
            self._tags |= {PATIENT_ID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, *tags}
        # These measure what may block: a sync; and a survey, a look at copies, the hook.
        self._syncing, self._pace = Pace(None if self._durable else 0.0), Pace(None if stored is not None else 0.0)
        self._publishing: dict[str, Lock] = {}
        self._most_duplicates, self._copies = max_duplicates, Remembered(max_duplicates)
        self._accepts_cut_short = accept_cut_short
        readers = mode & 0o444
        self._folders = Folders(self.folder, 0o700 | readers | readers >> 2, self._syncing, durable=self._durable)
        try:
            self._folders.lock_and_open_incoming()
            # These files are from a process that was killed.
            self._folders.clear_incoming()
            self._room = Room(largest, self._default_reserve() if reserve is None else reserve)
        except OSError:
            self.close()
            raise

    def _default_reserve(self) -> int:
        disk = os.fstatvfs(self._folders.root)
        return min(1024**3, disk.f_blocks * disk.f_frsize // 50)

    def close(self) -> None:
        """Close the folder. This is idempotent. Call it after the last request has been answered."""
        if self._folders.incoming >= 0:
            # Sinks of requests that were never answered may be left in it.
            with suppress(OSError):
                os.rmdir(INCOMING, dir_fd=self._folders.root)
        self._folders.close()

    def handlers(self) -> Handlers:
        """Return handlers that store instances, and answer C-ECHO.

        If the disk is slow, a server calls `store` in a thread of its own, and serves other associations meanwhile.
        """
        return Handlers(
            store_begin=self.begin, store=Paced(self.store, self._syncing, self._pace, begin=self.begin_to_store)
        )

    @brief
    def begin(self, instance: ReceivedInstance) -> FileSink:
        """Return a sink for the data set of an instance while it arrives; it is to be discarded once the sender has its answer."""
        return FileSink(
            self.folder,
            self._folders.incoming,
            self._create,
            self._mode,
            self._room,
            self._folders.begin_to_flush,
            instance.sop_instance_uid,
            instance.file_meta(),
            self._hashing(instance),
        )

    def begin_linked(self, instance: ReceivedInstance, path: str, offset: int) -> FileSink:
        """Return a sink that has an instance already: a hard link to a file, in which the data set begins at `offset`.

        Raises:
            OSError: The file cannot be linked or read.
        """
        place = self.folder, self._folders.incoming, self._room
        return LinkedSink(*place, instance.sop_instance_uid, path, offset, self._hashing(instance))

    def _hashing(self, instance: ReceivedInstance) -> Hash | None:
        return sha256(instance.transfer_syntax_uid.encode("latin-1", "replace")) if self._makes_digest else None

    def _create(self) -> tuple[int, str]:
        """Create a temporary file, and return its descriptor and its name.

        Its folder is created again if a clean-up of empty folders has removed it.

        Raises:
            OSError: It cannot be created.
        """
        try:
            return create(self._folders.incoming)
        except FileNotFoundError:
            self._folders.verify_place()
            self._folders.renew_incoming()
            return create(self._folders.incoming)

    def store(self, instance: ReceivedInstance) -> Status:
        """Keep the instance whose data set is complete in the sink that `begin` made.

        Returns:
            0000H: it is kept. A900H: the data set's UIDs are not those of the command. C000H: it ends inside an element. 0111H: it
            is a duplicate and rejected. A700H: the disk failed, has no room, or the folder is gone. B007H: it is kept, and ends
            inside an element. Unless it is kept, no file in the folder has changed; where `stored` raised `NotAcknowledged`, it is
            kept.
        """
        answer = self.begin_to_store(instance)
        while not isinstance(answer, Status):
            answer = answer()
        return answer

    def begin_to_store(self, instance: ReceivedInstance) -> Status | Callable[[], Any]:
        """Keep an instance as `store` does, up to what `stored` has returned; return the answer, or a callable that gives it."""
        sink = instance.sink
        if not isinstance(sink, FileSink):
            raise TypeError("FileStore.store takes an instance whose sink FileStore.begin made")
        if sink.error is not None:
            return _status(OUT_OF_RESOURCES, reason(sink.error))
        try:
            found = self._survey(instance, sink)
            refusal = self._refusal(instance, found)
            if refusal is not None:
                uid = one_line(instance.sop_instance_uid, 64)
                LOGGER.error("refused %s from %s: %s", uid, instance.sender, refusal.comment)
                return refusal
            path = self._layout.path(instance, found.values if found else {})
            naming = _Naming(path, self._layout.shown(instance) if self._layout.identifying else None)
            LOGGER.info("Storing DICOM file: %s", naming.shown)
            sink.complete()
            if self._durable:
                self._folders.flush(sink.file)
            self._folders.verify_place()
            with _Alone(self._publishing, naming.path), self._folders.opened(path[:-1]) as branch:
                kept = self._publish(_Publication(instance, sink, branch, naming))
        except OSError as error:
            said = one_line(instance.sop_instance_uid, 64), one_line(self.folder), reason(error)
            LOGGER.error("cannot store %s in %s: %s", *said)
            return _status(OUT_OF_RESOURCES, reason(error))
        if isinstance(kept, Status):
            return kept
        copy, duplicate = kept
        relative_path = copy.name(naming.path)
        sink.published(relative_path)
        status = _status(KEPT_CUT_SHORT, found.cut_short) if found and found.cut_short else _KEPT
        if self._stored is None:
            return status
        stored = self._describe(instance, sink, found, relative_path, duplicate)
        return self._acknowledge(partial(self._stored, stored), status, naming.shown_of(copy))

    def _survey(self, instance: ReceivedInstance, sink: FileSink) -> Survey | None:
        """Survey the data set; return None if its transfer syntax is unknown or does not show its elements."""
        syntax = uids.transfer_syntax(instance.transfer_syntax_uid)
        if syntax is None or not syntax.has_elements:
            return None
        found = self._pace.call(sink.survey, syntax, self._tags)
        for remark in found.remarks:
            LOGGER.info("%s: %s", one_line(instance.sop_instance_uid, 64), one_line(remark))
        return found

    def _refusal(self, instance: ReceivedInstance, found: Survey | None) -> Status | None:
        """Return why a data set is refused; None if it is not."""
        if found is None:
            return _status(DATA_SET_DOES_NOT_MATCH, "its elements cannot be read") if self._required else None
        if found.cut_short and not self._accepts_cut_short:
            return _status(CANNOT_UNDERSTAND, found.cut_short)
        fault = _mismatch(instance, found.values) or self._lack(found.values)
        if fault:
            return _status(DATA_SET_DOES_NOT_MATCH, fault)
        if found.cut_short:
            said = one_line(instance.sop_instance_uid, 64), instance.sender, found.cut_short
            notice("cut short", instance.peer_address[0], "%s from %s is kept though it is %s", *said)
        return None

    def _lack(self, elements: Mapping[int, str]) -> str:
        """Return which required element a data set lacks, in words; empty if it has all."""
        lacking = sorted(tag for tag in self._required if not elements.get(tag))
        return f"the data set has no {dictionary.label(lacking[0])}" if lacking else ""

    def _publish(self, publication: _Publication) -> tuple[Copy, bool] | Status:
        """Give a synced file its final name, or find that it is there already.

        Returns:
            The name under which it is kept, and whether it was before; a status if it is rejected.
        """
        if self._give_name(publication, _FIRST):
            return _FIRST, False
        if self._is_kept(publication, _FIRST):
            return _FIRST, True
        # A layout may give two instances one name, and neither must be lost.
        if self._on_duplicate == "keep-both" or self._stands_for_another(publication):
            return self._publish_copy(publication)
        publication.notice("DICOM file already exists with another data set: %s (%s)", _FIRST, self._on_duplicate)
        if self._on_duplicate == "reject":
            return _status(DUPLICATE_SOP_INSTANCE, "it is stored with another data set")
        branch = publication.branch
        publication.sink.replace(branch.folder, publication.naming.name, lambda: self._folders.sync(branch))
        return _FIRST, False

    def _stands_for_another(self, publication: _Publication) -> bool:
        """Return True if the file of that name holds an instance with another SOP Instance UID."""
        found = instance_of(publication.branch.folder, publication.naming.name)
        return found not in (None, publication.instance.sop_instance_uid)

    def _publish_copy(self, publication: _Publication) -> tuple[Copy, bool] | Status:
        """Keep an instance beside others of its name, unless it is one of them or there are too many."""
        naming, folder = publication.naming, publication.branch.folder
        copies = self._pace.call(self._copies.of, naming.path, folder, naming.name, publication.branch.place)
        ours = fingerprint(publication.sink.file)
        for copy in copies.like(ours):
            if self._is_kept(publication, copy):
                return copy, True
        while copies.last <= self._most_duplicates:
            copy = Copy(copies.last + 1)
            if self._give_name(publication, copy):
                copies.add(ours)
                publication.notice("DICOM file already exists with another data set: %s, kept as %s", _FIRST, copy)
                return copy, False
            # Another process was faster.
            theirs = copies.look_at_next(folder)
            if theirs == ours and self._is_kept(publication, copy):
                return copy, True
        # The reason is a separate one, so that lines about copies that were kept do not suppress a refusal.
        words = "DICOM file already exists with another data set: %s, and has too many copies"
        publication.notice(words, _FIRST, reason="too many copies")
        return _status(DUPLICATE_SOP_INSTANCE, f"it is stored with {1 + self._most_duplicates:,} other data sets")

    def _give_name(self, publication: _Publication, copy: Copy) -> bool:
        """Give the file its name and sync the folder; return False if the name exists."""
        naming, branch = publication.naming, publication.branch
        name, shown = (naming.name, naming.shown) if copy is _FIRST else (copy.name(naming.name), naming.shown_of(copy))
        if not publication.sink.give_name(branch.folder, name, shown):
            return False
        try:
            self._folders.sync(branch)
        except OSError:
            os.unlink(name, dir_fd=branch.folder)
            raise
        return True

    def _is_kept(self, publication: _Publication, copy: Copy) -> bool:
        """Return True if the file of that name holds this instance. It is synced, because its writer may not have waited."""
        branch = publication.branch
        try:
            file = os.open(copy.name(publication.naming.name), EXISTING, dir_fd=branch.folder)
        except OSError as error:
            if error.errno in _NO_STORED_FILE:
                return False
            raise
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode) or not same_instance(publication.sink.file, file):
                return False
            if self._durable:
                self._folders.flush(file)
            self._folders.sync(branch)
        finally:
            close(file)
        LOGGER.warning("DICOM file already exists with the same data set: %s", publication.naming.shown_of(copy))
        return True

    def _describe(
        self, instance: ReceivedInstance, sink: FileSink, found: Survey | None, relative_path: str, duplicate: bool
    ) -> Stored:
        return Stored(
            path=os.path.join(self.folder, relative_path),
            relative_path=relative_path,
            sop_class_uid=instance.sop_class_uid,
            sop_instance_uid=instance.sop_instance_uid,
            transfer_syntax_uid=instance.transfer_syntax_uid,
            size=sink.size,
            calling_ae_title=instance.calling_ae_title,
            called_ae_title=instance.called_ae_title,
            peer_address=instance.peer_address,
            duplicate=duplicate,
            received=time.time(),
            elements=found.values if found else {},
            digest=sink.digest(),
            pixel_data=found.pixel_data if found else None,
        )

    def _acknowledge(self, call: Callable[[], object], status: Status, shown: object) -> Status | Callable[[], Any]:
        """Call the `stored` hook, or what it has returned; return the status, or a callable that makes the rest of the call."""
        try:
            rest = self._pace.call(call)
        except NotAcknowledged as error:
            LOGGER.error("kept %s, but not acknowledged: %s", shown, error)
            return _status(error.status, str(error))
        except Exception as error:
            # The exception comes from a user's own code. The instance is kept, and its success must be reported.
            LOGGER.error(
                "the call after storing %s failed: %s",
                shown,
                one_line(f"{type(error).__name__}: {error}"),
                exc_info=LOGGER.isEnabledFor(logging.DEBUG),
            )
            return status
        return partial(self._acknowledge, rest, status, shown) if callable(rest) else status


_FIRST = Copy(1)


class _Naming:
    """The name of an instance in its store, and those of its copies.

    Attributes:
        name: The last component of its path.
        path: Its path, relative to the store's folder.
        shown: The path as the log shows it.

    Args:
        components: The components of its path.
        shown: The path for the log, if the path may identify a patient.
    """

    __slots__ = ("_hidden", "name", "path", "shown")

    def __init__(self, components: tuple[str, ...], shown: str | None) -> None:
        self.name, self.path, self._hidden = components[-1], "/".join(components), shown
        self.shown: object = self.path if shown is None else Private(self.path, shown)

    def shown_of(self, copy: Copy) -> object:
        """Return the path of a copy as the log shows it."""
        path = copy.name(self.path)
        return path if self._hidden is None else Private(path, copy.name(self._hidden))


@record
class _Publication:
    """An instance that is about to get its final name in an open folder."""

    instance: ReceivedInstance
    sink: FileSink
    branch: Branch
    naming: _Naming

    def notice(self, message: str, *args: Copy | str, reason: str = "duplicate") -> None:
        """Log a notice that its name belongs to other bytes."""
        said = (self.naming.shown_of(value) if isinstance(value, Copy) else value for value in args)
        notice(reason, self.instance.peer_address[0], message, *said)


class _Alone:
    """A block in which only one thread at a time publishes a name.

    So a thread that finds its instance in place knows that the other thread's sync has succeeded, and that the name stays.
    """

    __slots__ = ("_done", "_path", "_publishing")

    def __init__(self, publishing: dict[str, Lock], path: str) -> None:
        self._publishing, self._path, self._done = publishing, path, Lock()

    def __enter__(self) -> None:
        self._done.acquire()
        # `setdefault` is atomic: a thread that finds no other lock has inserted its own.
        while (other := self._publishing.setdefault(self._path, self._done)) is not self._done:
            # The other lock is free when its thread has finished.
            with other:
                pass

    def __exit__(self, *_: object) -> None:
        del self._publishing[self._path]
        self._done.release()


def _verify_choice(name: str, given: object, choices: tuple[str, ...]) -> None:
    if given not in choices:
        raise ValueError(f"{name} is one of {', '.join(map(repr, choices))}, not {given!r}")


def _status(code: int, comment: str = "") -> Status:
    return Status(code, service="storage", comment=comment)


def _mismatch(instance: ReceivedInstance, elements: Mapping[int, str]) -> str:
    """Return which UID of the data set differs from that of the sender, in words; empty if neither does."""
    for what, tag, in_command in (
        ("SOP Class UID", _SOP_CLASS_UID, instance.sop_class_uid),
        ("SOP Instance UID", _SOP_INSTANCE_UID, instance.sop_instance_uid),
    ):
        in_data_set = elements.get(tag)
        if not in_data_set:
            return f"the data set has no {what}"
        if in_data_set != in_command:
            return f"the data set has the {what} {one_line(in_data_set, 64)}"
    return ""
