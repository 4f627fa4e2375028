"""SOP instances in files to send. Each is verified as complete, and known by its UIDs, before any byte of it is sent.

`InstanceFile.check(path)` opens a file, reads its head, walks over its elements, and closes it. It returns a small record without a
descriptor, of which a sender may hold 100,000. Later `instance.data_set()` returns the bytes: few are read, many are mapped. It
does so only if the file is still the one that was checked.
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Collection, Mapping
from typing import BinaryIO, Protocol, TypeAlias, TypeGuard

from dimse import uids
from dimse.data_set import walk
from dimse.errors import FileError
from dimse.media import part10
from dimse.support.values import field, replace, value
from dimse.uids import TransferSyntax

HEAD = 16_384
"""Bytes of a file that are read first: its File Meta Information, and often all elements before the pixel data."""
MAPPED = 65_536
"""A data set of more bytes is mapped, not read."""

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MAXIMUM_UID = 64  # PS3.5 9.1


Path: TypeAlias = "str | bytes | os.PathLike[str] | os.PathLike[bytes]"
PATHS = (str, bytes, os.PathLike)
"""The types of one path."""


def is_path(given: object) -> TypeGuard[Path]:
    """Return True for a path. `bytes` with a zero byte are the content of a file: every Part 10 file has one, and no path."""
    return isinstance(given, PATHS) and not (isinstance(given, bytes) and b"\0" in given)


class NotDicom(FileError):
    """The file does not begin as a DICOM file. In a folder it is skipped, unless its name or the user claims that it is one."""


class IsDicomdir(FileError):
    """The file is the directory of a DICOM file-set (PS3.10 section 8), which is not a SOP instance to store."""


class Container(Protocol):
    """A container of a file that is not itself in the file system: a member of an archive, or a file in memory.

    Attributes:
        held: Bytes of memory that it holds for as long as it lives; 0 for a file or archive on the disk.
    """

    held: int

    @property
    def path(self) -> str:
        """The display name of the file."""

    def check(self, *, raw_transfer_syntax_uid: str | None = None, tags: Collection[int] = ()) -> InstanceFile:
        """Check the file, as `InstanceFile.check` does."""

    def open(self, offset: int) -> BinaryIO:
        """Return the bytes of the file from `offset` on. Raises as `InstanceFile.open`."""

    def data_set(self, file: InstanceFile, *, mapped: bool) -> memoryview:
        """Return the data set, as `InstanceFile.data_set` does. A map is of a private copy, which goes with its last view."""


@value
class KnownFile:
    """A file with a SOP instance whose UIDs are known, as an index has them, before it is opened and checked.

    Attributes:
        path: Its path.
        sop_class_uid: The SOP Class UID.
        sop_instance_uid: The SOP Instance UID.
        transfer_syntax_uid: The transfer syntax of its data set.
        size: Bytes of its data set.
        study_instance_uid: The Study Instance UID; empty if it is not known, as are the next two.
        series_instance_uid: The Series Instance UID.
        patient_id: The Patient ID under which the index has the study.
    """

    path: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size: int = 0
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    patient_id: str = field(default="", repr=False)


@value
class InstanceFile:
    """A file with one complete SOP instance, as it was when it was checked.

    Attributes:
        path: The path as given; bytes that are not text are kept as surrogates (`os.fsdecode`). For a member of an archive, only a
            display name.
        sop_class_uid: (0008,0016) of the data set, which counts whatever the File Meta Information says.
        sop_instance_uid: (0008,0018) of the data set.
        transfer_syntax_uid: The encoding of the data set as it was found, even if the File Meta Information contradicts it.
        data_set_offset: The offset of the data set in the file, behind the elements that are left out.
        data_set_size: The bytes of the data set without padding, including `front`.
        identity: Device and inode of the file, or of its archive. A file found under two names has one identity.
        size: The bytes of the file.
        mtime_ns: The time of the last change of the file, or of its archive, in nanoseconds since 1970.
        warnings: Faults that do not prevent sending, one line each.
        series_instance_uid: (0020,000E) of the data set; empty if it has none.
        container: The container of the file, if `path` is only a display name.
        front: The first bytes of the data set, if elements of group 0002 behind them in the file are left out.
        mislabelled: True if no transfer syntax fits the data set. Elements of it have no VR, and it has compressed pixel data, is
            deflated, or has other elements with a VR. It has to be re-encoded in its own transfer syntax.
        elements: Tag and value of each element that `check` was asked for, as far as the data set has them. The values are text
            without padding, as Latin-1 whatever their character set.
        study_instance_uid: (0020,000D) of the data set; empty if it has none.
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
    elements: tuple[tuple[int, str], ...] = field(default=(), repr=False)
    study_instance_uid: str = ""

    @classmethod
    def check(
        cls, path: str, *, raw_transfer_syntax_uid: str | None = None, tags: Collection[int] = ()
    ) -> InstanceFile:
        """Check a file to send, and close it again.

        Args:
            path: The file; symbolic links are followed.
            raw_transfer_syntax_uid: The transfer syntax of files that do not name theirs, or are not in the DICOM file format
                (PS3.10 section 7).
            tags: Tags of elements of the data set whose values `elements` is to have. Values of more than 1,024 bytes are left out.

        Raises:
            NotDicom: The file is empty, or not a DICOM file.
            IsDicomdir: The file is a DICOMDIR.
            FileError: The file cannot be read, is not a regular file or is truncated. Or its transfer syntax is unknown, or its
                data set lacks the SOP Class UID or the SOP Instance UID.
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
                    tags=tags,
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
        tags: Collection[int] = (),
    ) -> InstanceFile:
        """Check a file that `read` reads. Exceptions of `read` pass through.

        Args:
            read: A function that returns bytes of the file, as for `dimse.data_set.walk.walk`.
            path, identity, size, mtime_ns, container: See the attributes.
            raw_transfer_syntax_uid, tags: See `check`.
        """
        head = read(0, HEAD)
        meta = _file_meta(path, read, head, raw_transfer_syntax_uid)
        try:
            outline = _outline(path, read, head, size, meta, tags)
            sop_class_uid = _required(path, "SOP Class UID (0008,0016)", outline.sop_class_uid)
            # Proposed to a peer, it may make the peer abort, and other files share the association.
            if not uids.is_uid(sop_class_uid):
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
            elements=_elements(outline.values or {}, tags) if tags else (),
            study_instance_uid=outline.study_instance_uid or "",
        )
        uids_agree = meta.media_storage_sop_class_uid in (
            sop_class_uid,
            None,
        ) and meta.media_storage_sop_instance_uid in (sop_instance_uid, None)
        if uids_agree and outline.faults is None and meta.transfer_syntax_uid is not None and not meta.overlong:
            return instance
        return _corrected(instance, meta, outline, read)

    def data_set(self, *, mapped: bool = True) -> memoryview:
        """Return the bytes of the data set, read-only.

        More than `MAPPED` bytes are a map of the file, which lives as long as its last view; it is never closed explicitly. If a
        mapped file is truncated meanwhile, `sendmsg` reports EFAULT. So pass the views to `sendmsg`, and read no byte in Python,
        which a signal would end.

        Args:
            mapped: True to allow a map. Otherwise all of it is read into memory, where it can be examined.

        Raises:
            FileError: The file can no longer be read, or has changed since it was checked.
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
                # The bytes that were read count only if the file is still the one that was checked.
                finally:
                    self._verify(_status(self.path, descriptor))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if len(content) < self.data_set_size:
            raise FileError(self.path, CHANGED)
        return memoryview(content)

    def open(self) -> BinaryIO:
        """Return the bytes of the file from its data set on, behind `front`. The caller reads them in pieces and closes the file.

        Raises:
            FileError: The file can no longer be read, or has changed since it was checked.
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
            # `front` is written into a private copy of the first pages. The other pages stay those of the file.
            mapped = mmap.mmap(descriptor, self.size, access=mmap.ACCESS_COPY if self.front else mmap.ACCESS_READ)
        except ValueError as error:  # it was truncated just now
            raise FileError(self.path, CHANGED) from error
        if hasattr(mmap, "MADV_SEQUENTIAL"):
            mapped.madvise(mmap.MADV_SEQUENTIAL)
        start = self.data_set_offset - len(self.front)
        if self.front:
            mapped[start : self.data_set_offset] = self.front
        return memoryview(mapped).toreadonly()[start : start + self.data_set_size]

    def _verify(self, status: os.stat_result) -> None:
        """Raise `FileError` if `status` differs from that of the file that was checked."""
        now = (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns
        if now != (self.identity, self.size, self.mtime_ns):
            raise FileError(self.path, CHANGED)

    def verify_unchanged(self) -> None:
        """Verify that the file has not changed. This is useful after all of it has been sent from a map.

        A member of an archive is sent from a private copy, which does not change.

        Raises:
            FileError: The file has changed, or is gone.
        """
        if self.container is not None:
            return
        try:
            self._verify(os.stat(self.path))
        except OSError as error:
            raise _unreadable(self.path, error) from error


LEFT_OUT = "elements of group 0002 stand in the data set, and are left out"
"""A warning: the bytes that are sent differ from the data set in the file."""
CHANGED = "changed while being read"
"""The reason for refusing a file that has changed since it was checked."""
_DICOMDIR = "a DICOMDIR, which is no SOP instance"


def _open(path: str) -> tuple[int, os.stat_result]:
    """Open a regular file. Refuse any other at once, because opening a FIFO could wait."""
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
    """Return the File Meta Information of a file, or a substitute with the user's transfer syntax if it is missing."""
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
        # The data set may begin right behind the prefix; if it does not, the walk notices.
        return part10.FileMeta(transfer_syntax_uid=raw_transfer_syntax_uid, data_set_offset=start)
    if meta is None:
        if part10.start_of(head) is None:
            raise NotDicom(path, "not DICOM: shorter than preamble and prefix")
        raise FileError(path, "cut short: the file ends with its File Meta Information")
    if meta.media_storage_sop_class_uid == uids.MediaStorageDirectoryStorage:
        raise IsDicomdir(path, _DICOMDIR)
    said = meta.transfer_syntax_uid
    # A text that is not a UID counts as missing. If it were proposed, the other files could lose their association.
    if said is None or not uids.is_uid(said):
        return replace(meta, transfer_syntax_uid=raw_transfer_syntax_uid)
    return meta


def _outline(
    path: str, read: walk.Read, head: bytes, size: int, meta: part10.FileMeta, tags: Collection[int]
) -> walk.Outline:
    """Walk over the data set of a file, as an uncompressed one if its transfer syntax is unknown."""
    syntax = uids.transfer_syntax(meta.transfer_syntax_uid) if meta.transfer_syntax_uid else _UNCOMPRESSED
    try:
        outline = walk.walk(read, meta.data_set_offset, size, syntax, head, tags)
    except walk.MalformedDataSet as error:
        unsaid = "" if meta.transfer_syntax_uid else "no Transfer Syntax UID in its File Meta Information, and "
        raise FileError(path, f"{unsaid}{error}") from error
    if outline.sop_class_uid == uids.MediaStorageDirectoryStorage:
        raise IsDicomdir(path, _DICOMDIR)
    return outline


_UNCOMPRESSED = TransferSyntax(uids.ExplicitVRLittleEndian)


def _corrected(instance: InstanceFile, meta: part10.FileMeta, outline: walk.Outline, read: walk.Read) -> InstanceFile:
    """Return an instance as it has to be sent if its file describes it wrongly; its warnings describe the faults."""
    warnings, faults = outline.warnings, outline.faults or walk.EncodingFaults()
    for name, theirs, ours in (
        ("SOP Class UID", meta.media_storage_sop_class_uid, instance.sop_class_uid),
        ("SOP Instance UID", meta.media_storage_sop_instance_uid, instance.sop_instance_uid),
    ):
        if theirs != ours and theirs is not None:
            what = f"{name} is {theirs} in the File Meta Information and {ours} in the data set, which counts"
            warnings += (what,)
    said = meta.transfer_syntax_uid
    if said is None:
        instance = replace(instance, transfer_syntax_uid=faults.encoding or uids.ExplicitVRLittleEndian)
        warnings += (f"no Transfer Syntax UID: the data set is in {uids.name(instance.transfer_syntax_uid)}",)
    elif faults.encoding is not None:
        what = (
            f"the data set is in {uids.name(faults.encoding)}, and its transfer syntax is said to be {uids.name(said)}"
        )
        if faults.compressed:
            instance = replace(instance, mislabelled=True)
            warnings += (f"{what}: it is re-encoded",)
        else:
            instance = replace(instance, transfer_syntax_uid=faults.encoding)
            warnings += (f"{what}: it is sent as what it is",)
    if faults.mixed and uids.transfer_syntax(instance.transfer_syntax_uid) is not None:
        instance = replace(instance, mislabelled=True)
        warnings += ("some elements of the data set have a VR and others have none: it is re-encoded",)
    if faults.left_out or meta.overlong:
        warnings += (LEFT_OUT,)
    if faults.left_out:
        begin, end = meta.data_set_offset, faults.left_out[-1][1]
        content, front, kept_from = read(begin, end - begin), b"", begin
        for start, stop in faults.left_out:
            front, kept_from = front + content[kept_from - begin : start - begin], stop
        size = len(front) + outline.end - end
        instance = replace(instance, data_set_offset=end, data_set_size=size, front=front)
    return replace(instance, warnings=warnings)


def _elements(values: Mapping[int, str], tags: Collection[int]) -> tuple[tuple[int, str], ...]:
    return tuple([(tag, values[tag]) for tag in tags if tag in values])


def _required(path: str, what: str, uid: str | None) -> str:
    if uid is None:
        raise FileError(path, f"no {what} in its data set")
    if len(uid) > _MAXIMUM_UID:
        raise FileError(path, f"the {what} in its data set is of {len(uid)} characters, and at most 64 are allowed")
    return uid


def _unreadable(path: str, error: OSError) -> FileError:
    return FileError(path, (error.strerror or str(error)).lower())
