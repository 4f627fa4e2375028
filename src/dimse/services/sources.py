"""SOP instances to be stored: files, received instances, bytes and data sets, opened as the peer accepts them (PS3.4 Annex B).

A caller gives a `Storable`; `source_of` makes a `Source` of it, which opens as an `Outgoing`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from dimse import uids
from dimse.data_set.encoding import deflate
from dimse.errors import FileError
from dimse.instances import MAPPED, PATHS, InstanceFile, Path
from dimse.instances.received import ReceivedInstance
from dimse.message.status import Status
from dimse.support.values import record
from dimse.upper_layer.negotiation import PresentationContext
from dimse.upper_layer.pdata import Buffer

if TYPE_CHECKING:
    from pydicom import Dataset

# The transfer syntaxes that a peer which refuses a file's own one is offered besides. Every SOP class must be offered Implicit VR
# Little Endian somewhere (PS3.5 10.1).
FALL_BACK = (uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian)

# The transfer syntaxes for a pydicom data set that states none; its numbers are Little Endian.
_WRITABLE = (*FALL_BACK, uids.DeflatedExplicitVRLittleEndian)

_IN_MEMORY = (memoryview, bytearray)

Transcode = Literal["never", "lossless", "always"]
Storable: TypeAlias = "Path | InstanceFile | ReceivedInstance | memoryview | bytearray | Dataset"


@record
class Outgoing:
    """A data set ready to be sent.

    Attributes:
        source: The source that it was opened from.
        context: The presentation context to send it on.
        data_set: Its bytes, in the transfer syntax of the context; None once all of them have gone out.
        size: The number of its bytes.
        file: The file, where the data set is sent as it lies in one.
    """

    source: Source
    context: PresentationContext
    data_set: Buffer | None
    size: int
    file: InstanceFile | None = None

    def verify_stored(self, status: Status) -> None:
        """Verify that the data set which the peer has stored was all of one file.

        Raises:
            FileError: The file has been changed since it was checked, and was not read as a whole before it was sent.
        """
        if self.file is None or self.size <= MAPPED or not (status.is_success or status.is_warning):
            return
        try:
            self.file.verify_unchanged()
        except FileError as error:
            raise FileError(self.source.name, f"{error.reason}: what the peer has stored may be damaged") from error


class Accepting(Protocol):
    """The interface of what knows the contexts that an instance may be sent on: a `BaseAssociation` is one."""

    def accepted(self, abstract_syntax: str) -> Mapping[str, PresentationContext]:
        """Return the accepted contexts of a SOP class by transfer syntax."""

    def context_for(self, abstract_syntax: str, transfer_syntax: str | None = None) -> PresentationContext:
        """Return an accepted context for a SOP class, and for a transfer syntax if one is given.

        Raises:
            NoPresentationContext: No such context was accepted.
        """


class Source(Protocol):
    """A SOP instance to be stored, not yet opened.

    Attributes:
        given: The object that the caller gave.
        name: Its name in the log and in outcomes: a path, or its SOP Instance UID.
        sop_class_uid: Its SOP Class UID; empty if it is not known before the source is opened, as are the next two.
        sop_instance_uid: Its SOP Instance UID.
        transfer_syntax_uid: The transfer syntax that it is stored in.
        size: Bytes of its data set as it is stored; 0 if that is not known.
        is_lasting: True if it may be opened before its turn, as files may: the caller does not change it meanwhile.
    """

    given: Any
    name: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size: int
    is_lasting: bool

    def open_for(self, association: Accepting, transcode: Transcode) -> Outgoing:
        """Open and check the source, and choose its presentation context, before a byte is sent.

        Raises:
            FileError: It cannot be sent, or not be converted.
            NoPresentationContext: Its SOP class was not accepted in a transfer syntax that fits.
        """


def source_of(given: Storable) -> Source:
    """Return the source for an object that a caller gave.

    Raises:
        TypeError: The object is not one that can be stored.
    """
    if isinstance(given, (InstanceFile, *PATHS)):
        return FileSource(given)
    if isinstance(given, ReceivedInstance):
        return ReceivedSource(given)
    if isinstance(given, _IN_MEMORY):
        return BytesSource(given)
    if callable(getattr(given, "get", None)):
        return DataSetSource(given)
    raise TypeError(
        "what is stored is a path, an InstanceFile, a StoreRequest or another ReceivedInstance, a memoryview of a file or a"
        f" pydicom data set, not {given!r}"
    )


def each_of(given: Any) -> Iterable[Any]:
    """Return the objects that were given, where one may be given without a list: a path is never taken for its characters."""
    is_one = isinstance(given, (InstanceFile, *PATHS, ReceivedInstance, *_IN_MEMORY)) or hasattr(
        given, "SOPInstanceUID"
    )
    return (given,) if is_one else given


class FileSource:
    """A Part 10 file: it is sent as it lies on the disk, or re-encoded or decompressed where the peer refuses its transfer syntax.

    Args:
        given: The path of a file, or one that was checked.
    """

    __slots__ = (
        *("_file", "given", "is_lasting", "name", "size", "sop_class_uid", "sop_instance_uid", "transfer_syntax_uid"),
    )

    def __init__(self, given: Path | InstanceFile) -> None:
        self.given: Any = given
        self.is_lasting = True
        if isinstance(given, InstanceFile):
            self._take(given)
            return
        self._file: InstanceFile | None = None
        self.name = os.fsdecode(given)
        self.sop_class_uid = self.sop_instance_uid = self.transfer_syntax_uid = ""
        self.size = 0

    def _take(self, file: InstanceFile) -> None:
        self._file, self.name, self.size = file, file.path, file.data_set_size
        self.sop_class_uid, self.sop_instance_uid = file.sop_class_uid, file.sop_instance_uid
        self.transfer_syntax_uid = file.transfer_syntax_uid

    def _check(self) -> InstanceFile:
        """Look at the file.

        Raises:
            FileError: It cannot be sent.
        """
        return InstanceFile.check(self.name)

    def open_for(self, association: Accepting, transcode: Transcode) -> Outgoing:
        """Open the file; see `Source.open_for`."""
        file = self._file
        if file is None:
            file = self._check()
            self._take(file)
        context, converts = _choose(association, file, transcode)
        if not converts:
            data_set = file.data_set()
            return Outgoing(self, context, data_set, len(data_set), file)
        converted = _converted(file, context, lossy=transcode == "always")
        return Outgoing(self, context, converted, len(converted))


class BytesSource(FileSource):
    """A Part 10 file in memory.

    Args:
        given: Its bytes. A copy of them is made where they have to be re-encoded, and else none.
    """

    __slots__ = ()

    def __init__(self, given: memoryview | bytearray) -> None:
        self.given = given
        # The caller may write into the memory.
        self.is_lasting = False
        self._file = None
        self.name = "file in memory"
        self.sop_class_uid = self.sop_instance_uid = self.transfer_syntax_uid = ""
        self.size = 0

    def _check(self) -> InstanceFile:
        from dimse.instances.memory import FileInMemory

        return FileInMemory(self.given, self.name).check()


class ReceivedSource:
    """A received instance, which is sent on as it came.

    Args:
        given: The instance; its sink holds its data set.
    """

    def __init__(self, given: ReceivedInstance) -> None:
        self.given: Any = given
        self.is_lasting = False
        self.name = given.path or given.sop_instance_uid
        self.sop_class_uid, self.sop_instance_uid = given.sop_class_uid, given.sop_instance_uid
        self.transfer_syntax_uid = given.transfer_syntax_uid
        self.size = given.size

    def open_for(self, association: Accepting, transcode: Transcode) -> Outgoing:
        """Open the instance; see `Source.open_for`. Its transfer syntax is not changed, whatever `transcode` allows."""
        context = association.context_for(self.sop_class_uid, self.transfer_syntax_uid)
        return Outgoing(self, context, self.given.view(), self.size)


class DataSetSource:
    """A pydicom data set: it is encoded in its own transfer syntax if it states one, else in an uncompressed one.

    Args:
        given: The data set.
    """

    def __init__(self, given: Dataset) -> None:
        self.given: Any = given
        self.is_lasting = False
        self.name = "data set"
        self.sop_class_uid, self.sop_instance_uid = (
            str(given.get(keyword, "")) for keyword in ("SOPClassUID", "SOPInstanceUID")
        )
        self.transfer_syntax_uid = str(getattr(getattr(given, "file_meta", None), "TransferSyntaxUID", ""))
        self.size = 0

    def open_for(self, association: Accepting, transcode: Transcode) -> Outgoing:
        """Encode the data set; see `Source.open_for`. Its transfer syntax is not changed, whatever `transcode` allows."""
        if not self.sop_class_uid or not self.sop_instance_uid:
            raise FileError(self.name, "it has no SOP Class UID or no SOP Instance UID")
        wanted = self.transfer_syntax_uid
        if not wanted:
            accepted = association.accepted(self.sop_class_uid)
            wanted = next((uid for uid in _WRITABLE if uid in accepted), uids.ExplicitVRLittleEndian)
        context = association.context_for(self.sop_class_uid, wanted)
        encoded = _encoded(self.given, wanted)
        self.transfer_syntax_uid, self.size = wanted, len(encoded)
        return Outgoing(self, context, encoded, len(encoded))


def _choose(association: Accepting, file: InstanceFile, transcode: Transcode) -> tuple[PresentationContext, bool]:
    """Choose the context for a file: its own transfer syntax where it is accepted, else one that it can be converted to.

    Returns:
        The context, and True if the data set has to be converted for it.
    """
    own = file.transfer_syntax_uid
    accepted = association.accepted(file.sop_class_uid)
    if own in accepted:
        if file.mislabelled and transcode == "never":
            raise FileError(file.path, "its data set would have to be re-encoded, which is not asked for")
        return accepted[own], file.mislabelled
    if accepted and transcode != "never":
        from dimse.data_set.transcode import targets

        for target in targets(own, accepted, lossy=transcode == "always"):
            return accepted[target], True
        if targets(own, accepted, lossy=True):
            raise FileError(
                file.path,
                f"the peer does not accept {uids.name(own)}, and what it compressed with loss is decompressed only"
                " where that is asked for (transcode: always)",
            )
    return association.context_for(file.sop_class_uid, own), False


def _converted(file: InstanceFile, context: PresentationContext, *, lossy: bool) -> bytes:
    """Return the data set of a file in the transfer syntax of a context."""
    from dimse.data_set.transcode import transcode

    data_set = file.data_set(mapped=False)
    return transcode(data_set, file.transfer_syntax_uid, context.transfer_syntax, path=file.path, lossy=lossy)


def _encoded(data_set: Dataset, transfer_syntax: str) -> bytes:
    """Return a pydicom data set encoded in a transfer syntax."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    syntax = uids.transfer_syntax(transfer_syntax)
    target = DicomBytesIO()
    target.is_implicit_VR = bool(syntax and syntax.implicit_vr)
    target.is_little_endian = bool(syntax is None or syntax.little_endian)
    write_dataset(target, data_set)
    encoded = target.getvalue()
    return deflate((encoded,)) if syntax and syntax.deflated else encoded
