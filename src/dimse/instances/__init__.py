"""SOP instances in files, to be sent: found whole and known by their UIDs before any byte of them goes out.

`InstanceFile.check(path)` opens a file, looks at its head and walks over its elements, closes it, and gives a small
record without a descriptor, of which a sender may hold 100,000. When its turn comes, `instance.data_set()` gives the
bytes: read if they are few, mapped if they are many, and only if the file is still the one that was checked.
"""

from __future__ import annotations

import mmap
import os
import stat
from typing import BinaryIO, Protocol, TypeAlias

from dimse import uids
from dimse.data_set import walk
from dimse.errors import FileError
from dimse.media import part10
from dimse.support.values import replace, value
from dimse.uids import TransferSyntax

HEAD = 16_384
"""Bytes of a file that are read first: its File Meta Information, and often all elements before the pixel data."""
MAPPED = 65_536
"""Bytes of a data set from which on it is mapped, not read."""

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MAXIMUM_UID = 64  # PS3.5 9.1


Path: TypeAlias = "str | bytes | os.PathLike[str] | os.PathLike[bytes]"
PATHS = (str, bytes, os.PathLike)
"""The types of one path."""


class NotDicom(FileError):
    """The file does not begin as a DICOM file. In a folder it is skipped, unless its name or the user says that it is one."""


class IsDicomdir(FileError):
    """The file is the directory of a DICOM file-set (PS3.10 section 8), which is no SOP instance to be stored."""


class Container(Protocol):
    """What holds a file that is none of its own in the file system: a member of an archive."""

    @property
    def path(self) -> str:
        """What the file is called by."""

    def check(self, *, raw_transfer_syntax_uid: str | None = None) -> InstanceFile:
        """As `InstanceFile.check`."""

    def open(self, offset: int) -> BinaryIO:
        """The bytes of the file from `offset` on. Raises as `InstanceFile.open`."""

    def data_set(self, file: InstanceFile, *, mapped: bool) -> memoryview:
        """As `InstanceFile.data_set`; a map is of a private copy, which goes with the last view of it."""


@value
class InstanceFile:
    """A file that holds one whole SOP instance, as it was when it was checked.

    Attributes:
        path: Its path, as given; bytes that are no text are kept by surrogates (`os.fsdecode`). Of a member of an archive,
            only a name to call it by.
        sop_class_uid: (0008,0016) of the data set: it counts, whatever the File Meta Information says.
        sop_instance_uid: (0008,0018) of the data set.
        transfer_syntax_uid: How the data set is encoded: as it is found to be, where its File Meta Information says otherwise.
        data_set_offset: Where the data set begins in the file, behind what is left out of it.
        data_set_size: Its bytes, without padding after it; `front` included.
        identity: Device and inode of the file: a file met twice under two names has one identity. Of a member of an archive,
            that of the archive.
        size: Bytes of the file.
        mtime_ns: When the file was last changed, nanoseconds since 1970. Of a member of an archive, the archive.
        warnings: What is amiss and no reason not to send it, a line each.
        series_instance_uid: (0020,000E) of the data set; empty if it has none.
        container: What holds the file, where `path` is only what it is called by.
        front: First bytes of the data set, where elements of group 0002 that stand behind them in the file are left out.
        mislabelled: No transfer syntax is like the data set, for elements of it have no VR though it has compressed pixel data, is
            deflated, or has other elements with one. It has to be re-encoded in its own transfer syntax to be sent.
    """

    path: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set_offset: int
    data_set_size: int
    identity: tuple[int, int]
    size: int
    mtime_ns: int
    warnings: tuple[str, ...] = ()
    series_instance_uid: str = ""
    container: Container | None = None
    front: bytes = b""
    mislabelled: bool = False

    @classmethod
    def check(cls, path: str, *, raw_transfer_syntax_uid: str | None = None) -> InstanceFile:
        """Look at a file to send. The descriptor is closed again.

        Args:
            path: The file; symbolic links are followed.
            raw_transfer_syntax_uid: A file that does not say its transfer syntax, or is not in the DICOM file format (PS3.10
                section 7) at all, is taken as a data set in this one.

        Raises:
            NotDicom: It is empty, or no DICOM file.
            IsDicomdir: It is a DICOMDIR.
            FileError: It cannot be read, is no regular file or is cut short; its transfer syntax is neither said nor to be seen;
                its data set lacks the SOP Class UID or the SOP Instance UID.
        """
        try:
            descriptor, status = _open(path)
            try:
                return cls.examine(
                    path,
                    lambda offset, size: os.pread(descriptor, size, offset),
                    (status.st_dev, status.st_ino),
                    status.st_size,
                    status.st_mtime_ns,
                    raw_transfer_syntax_uid=raw_transfer_syntax_uid,
                )
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _unreadable(path, error) from error

    @classmethod
    def examine(
        cls,
        path: str,
        read: walk.Read,
        identity: tuple[int, int],
        size: int,
        mtime_ns: int,
        *,
        raw_transfer_syntax_uid: str | None = None,
        container: Container | None = None,
    ) -> InstanceFile:
        """As `check`, of a file that is read by `read`: what it raises passes through.

        Args:
            read: Gives the bytes of the file, as for `dimse.data_set.walk.walk`.
            path, identity, size, mtime_ns, container: As the attributes.
            raw_transfer_syntax_uid: As for `check`.
        """
        head = read(0, HEAD)
        meta = _file_meta(path, read, head, raw_transfer_syntax_uid)
        try:
            outline = _outline(path, read, head, size, meta)
            sop_class_uid = _required(path, "SOP Class UID (0008,0016)", outline.sop_class_uid)
            if not uids.is_uid(sop_class_uid):  # a peer may abort over its proposal, which the other files share
                raise FileError(path, f"the SOP Class UID (0008,0016) in its data set is not a UID: {sop_class_uid!a}")
            sop_instance_uid = _required(path, "SOP Instance UID (0008,0018)", outline.sop_instance_uid)
        except FileError as error:
            if part10.start_of(head) is None and not isinstance(error, IsDicomdir):
                raise NotDicom(path, f"not DICOM: {error.reason}") from error
            raise
        instance = cls(
            path,
            sop_class_uid,
            sop_instance_uid,
            meta.transfer_syntax_uid or uids.ExplicitVRLittleEndian,
            meta.data_set_offset,
            outline.end - meta.data_set_offset,
            identity,
            size,
            mtime_ns,
            outline.warnings,
            outline.series_instance_uid or "",
            container,
        )
        uids_agree = meta.media_storage_sop_class_uid in (
            sop_class_uid,
            None,
        ) and meta.media_storage_sop_instance_uid in (sop_instance_uid, None)
        if uids_agree and outline.amiss is None and meta.transfer_syntax_uid is not None and not meta.overlong:
            return instance
        return _amiss(instance, meta, outline, read)

    def data_set(self, *, mapped: bool = True) -> memoryview:
        """The bytes of the data set, read-only.

        More than `MAPPED` bytes are a map of the file, which lives as long as a view of it does; it is never closed
        by hand. Of a mapped file that somebody cuts short meanwhile, `sendmsg` reports EFAULT: hand the views to it,
        and read no byte in Python, which a signal would end.

        Args:
            mapped: Whether it may be a map; if not, all of it is read into memory, and may be looked at.

        Raises:
            FileError: The file cannot be read any more, or is not the one that was checked.
        """
        if self.container is not None:
            return self.container.data_set(self, mapped=mapped)
        try:
            descriptor = os.open(self.path, _READ)
            try:
                if mapped and self.data_set_size > MAPPED:
                    self._verify(_status(self.path, descriptor))
                    return self._map(descriptor)
                try:
                    content = self._read(descriptor)
                finally:  # what has been read counts if the file is still the one that was checked
                    self._verify(_status(self.path, descriptor))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if len(content) < self.data_set_size:
            raise FileError(self.path, CHANGED)
        return memoryview(content)

    def open(self) -> BinaryIO:
        """The bytes of the file from its data set on, behind `front`, to be read in pieces and closed.

        Raises:
            FileError: The file cannot be read any more, or is not the one that was checked.
        """
        if self.container is not None:
            return self.container.open(self.data_set_offset)
        try:
            descriptor, status = _open(self.path)
            file = os.fdopen(descriptor, "rb")
            try:
                self._verify(status)
                file.seek(self.data_set_offset)
            except BaseException:
                file.close()
                raise
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return file

    def _read(self, descriptor: int) -> bytes:
        content = self.front
        offset = self.data_set_offset - len(content)
        while left := self.data_set_size - len(content):
            more = os.pread(descriptor, left, offset + len(content))  # 2 GiB at most
            if not more:
                break
            content += more
        return content

    def _map(self, descriptor: int) -> memoryview:
        try:
            # What stands in front is written into a private copy of the first pages; the others stay those of the file.
            mapped = mmap.mmap(descriptor, self.size, access=mmap.ACCESS_COPY if self.front else mmap.ACCESS_READ)
        except ValueError as error:  # the file is shorter than it was when its size was taken just now
            raise FileError(self.path, CHANGED) from error
        if hasattr(mmap, "MADV_SEQUENTIAL"):
            mapped.madvise(mmap.MADV_SEQUENTIAL)
        start = self.data_set_offset - len(self.front)
        if self.front:
            mapped[start : self.data_set_offset] = self.front
        return memoryview(mapped).toreadonly()[start : start + self.data_set_size]

    def _verify(self, status: os.stat_result) -> None:
        """Raise `FileError` if `status` is not that of the file that was checked."""
        now = (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns
        if now != (self.identity, self.size, self.mtime_ns):
            raise FileError(self.path, CHANGED)

    def verify_unchanged(self) -> None:
        """Check that the file is still what it was: worth asking when all of it has been sent from a map.

        What was sent out of an archive was a private copy, which nobody changes.

        Raises:
            FileError: It is not, or it is gone.
        """
        if self.container is not None:
            return
        try:
            self._verify(os.stat(self.path))
        except OSError as error:
            raise _unreadable(self.path, error) from error


LEFT_OUT = "elements of group 0002 stand in the data set, and are left out"
"""A warning: what is sent is not the data set byte for byte."""
CHANGED = "changed while being read"
"""Why a file is refused that is not the one that was checked."""
_DICOMDIR = "a DICOMDIR, which is no SOP instance"


def _open(path: str) -> tuple[int, os.stat_result]:
    """Open a regular file; anything else is refused without waiting for it, as opening a FIFO otherwise does."""
    descriptor = os.open(path, _READ)
    try:
        return descriptor, _status(path, descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def _status(path: str, descriptor: int) -> os.stat_result:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise FileError(path, "not a regular file")
    if not status.st_size:
        raise NotDicom(path, "empty file")
    return status


def _file_meta(path: str, read: walk.Read, head: bytes, raw_transfer_syntax_uid: str | None) -> part10.FileMeta:
    """Return what the File Meta Information of a file says, or what the user says where it is missing."""
    try:
        if raw_transfer_syntax_uid is not None and part10.start_of(head) is None:
            return part10.FileMeta(transfer_syntax_uid=raw_transfer_syntax_uid)
        meta = part10.parse(head)
        if meta is None and len(head) == HEAD:
            meta = part10.parse(read(0, part10.MAXIMUM_SIZE))
    except part10.NotPart10 as error:
        start = part10.start_of(head)
        if start is None:
            raise NotDicom(path, str(error)) from error
        # Behind the prefix the data set may begin at once; if it does not, that is seen in the walk.
        return part10.FileMeta(transfer_syntax_uid=raw_transfer_syntax_uid, data_set_offset=start)
    if meta is None:
        if part10.start_of(head) is None:
            raise NotDicom(path, "not DICOM: shorter than preamble and prefix")
        raise FileError(path, "cut short: the file ends with its File Meta Information")
    if meta.media_storage_sop_class_uid == uids.MediaStorageDirectoryStorage:
        raise IsDicomdir(path, _DICOMDIR)
    said = meta.transfer_syntax_uid
    # What is no UID says nothing; and proposed to a peer, it would cost the other files their association.
    if said is None or not uids.is_uid(said):
        return replace(meta, transfer_syntax_uid=raw_transfer_syntax_uid)
    return meta


def _outline(path: str, read: walk.Read, head: bytes, size: int, meta: part10.FileMeta) -> walk.Outline:
    """Walk over the data set of a file; where its transfer syntax is not said, as an uncompressed one."""
    syntax = uids.transfer_syntax(meta.transfer_syntax_uid) if meta.transfer_syntax_uid else _UNCOMPRESSED
    try:
        outline = walk.walk(read, meta.data_set_offset, size, syntax, head)
    except walk.MalformedDataSet as error:
        unsaid = "" if meta.transfer_syntax_uid else "no Transfer Syntax UID in its File Meta Information, and "
        raise FileError(path, f"{unsaid}{error}") from error
    if outline.sop_class_uid == uids.MediaStorageDirectoryStorage:
        raise IsDicomdir(path, _DICOMDIR)
    return outline


_UNCOMPRESSED = TransferSyntax(uids.ExplicitVRLittleEndian)


def _amiss(instance: InstanceFile, meta: part10.FileMeta, outline: walk.Outline, read: walk.Read) -> InstanceFile:
    """Return an instance as it is to be sent, whose file says of it what is not so; its warnings say what."""
    warnings, amiss = outline.warnings, outline.amiss or walk.Amiss()
    for name, theirs, ours in (
        ("SOP Class UID", meta.media_storage_sop_class_uid, instance.sop_class_uid),
        ("SOP Instance UID", meta.media_storage_sop_instance_uid, instance.sop_instance_uid),
    ):
        if theirs != ours and theirs is not None:
            what = f"{name} is {theirs} in the File Meta Information and {ours} in the data set, which counts"
            warnings += (what,)
    said = meta.transfer_syntax_uid
    if said is None:
        instance = replace(instance, transfer_syntax_uid=amiss.encoding or uids.ExplicitVRLittleEndian)
        warnings += (f"no Transfer Syntax UID: the data set is in {uids.name(instance.transfer_syntax_uid)}",)
    elif amiss.encoding is not None:
        what = (
            f"the data set is in {uids.name(amiss.encoding)}, and its transfer syntax is said to be {uids.name(said)}"
        )
        if amiss.compressed:
            instance = replace(instance, mislabelled=True)
            warnings += (f"{what}: it is re-encoded",)
        else:
            instance = replace(instance, transfer_syntax_uid=amiss.encoding)
            warnings += (f"{what}: it is sent as what it is",)
    if amiss.mixed and uids.transfer_syntax(instance.transfer_syntax_uid) is not None:
        instance = replace(instance, mislabelled=True)
        warnings += ("some elements of the data set have a VR and others have none: it is re-encoded",)
    if amiss.left_out or meta.overlong:
        warnings += (LEFT_OUT,)
    if amiss.left_out:
        begin, end = meta.data_set_offset, amiss.left_out[-1][1]
        content, front, kept_from = read(begin, end - begin), b"", begin
        for start, stop in amiss.left_out:
            front, kept_from = front + content[kept_from - begin : start - begin], stop
        size = len(front) + outline.end - end
        instance = replace(instance, data_set_offset=end, data_set_size=size, front=front)
    return replace(instance, warnings=warnings)


def _required(path: str, what: str, uid: str | None) -> str:
    if uid is None:
        raise FileError(path, f"no {what} in its data set")
    if len(uid) > _MAXIMUM_UID:
        raise FileError(path, f"the {what} in its data set is of {len(uid)} characters, and at most 64 are allowed")
    return uid


def _unreadable(path: str, error: OSError) -> FileError:
    return FileError(path, (error.strerror or str(error)).lower())
