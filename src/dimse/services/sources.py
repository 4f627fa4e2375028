"""SOP instances to be stored: files, received instances, bytes and data sets, opened as the peer accepts them (PS3.4 Annex B).

A caller gives a `Storable`; `source_of` makes a `Source` of it, which opens as an `Outgoing`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, TypeAlias, get_args

from dimse import uids
from dimse.errors import FileError
from dimse.instances import MAPPED, PATHS, InstanceFile, KnownFile, Path, is_path
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

Transcode = Literal["never", "lossless", "always"]
Storable: TypeAlias = "Path | InstanceFile | KnownFile | ReceivedInstance | memoryview | bytearray | BinaryIO | Dataset"


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

    def check(self) -> InstanceFile | None:
        """Learn the UIDs of the source; return its file, if it is one or is sent as one.

        Raises:
            FileError: It cannot be sent.
        """

    def open_for(self, association: Accepting, transcode: Transcode) -> Outgoing:
        """Open and check the source, and choose its presentation context, before a byte is sent.

        Raises:
            FileError: It cannot be sent, or not be converted.
            NoPresentationContext: Its SOP class was not accepted in a transfer syntax that fits.
        """


def check_transcode(transcode: object) -> None:
    """Check an argument `transcode`.

    Raises:
        ValueError: It is not one of `Transcode`.
    """
    if transcode not in (choices := get_args(Transcode)):
        raise ValueError(f"transcode is one of {', '.join(choices)}, not {transcode!r}")


def source_of(given: Storable, number: int | None = None) -> Source:
    """Return the source for an object that a caller gave.

    Args:
        given: The object.
        number: Its number among several, from 1, for the name of one that has none.

    Raises:
        TypeError: The object is not one that can be stored.
    """
    if isinstance(given, (InstanceFile, KnownFile)) or is_path(given):
        return FileSource(given)
    if isinstance(given, ReceivedInstance):
        return ReceivedSource(given)
    from dimse.instances import memory

    if memory.is_data_set(given):
        return DataSetSource(given, number)
    if memory.is_content(given) or memory.is_open_file(given):
        return MemorySource(given, number)
    raise TypeError(
        "what is stored is a path, an InstanceFile, a StoreRequest or another ReceivedInstance, the bytes of a Part 10 file, an"
        f" open binary file or a pydicom data set, not {given!r}"
    )


def numbered(given: Any) -> Iterable[tuple[int | None, Any]]:
    """Return the objects that were given with their numbers; one may be given without a list, and has none."""
    if isinstance(given, (InstanceFile, KnownFile, *PATHS, ReceivedInstance)):
        return ((None, given),)
    from dimse.instances.memory import is_instance

    return ((None, given),) if is_instance(given) else enumerate(given, 1)


class FileSource:
    """A Part 10 file: it is sent as it lies on the disk, or re-encoded or decompressed where the peer refuses its transfer syntax.

    Args:
        given: The path of a file, or one that was checked, or one that is known and is checked when it is opened.
    """

    __slots__ = (
        *("_file", "given", "is_lasting", "name", "size", "sop_class_uid", "sop_instance_uid", "transfer_syntax_uid"),
    )

    def __init__(self, given: Path | InstanceFile | KnownFile) -> None:
        self.given: Any = given
        self.is_lasting = True
        if isinstance(given, InstanceFile):
            self._take(given)
            return
        self._file: InstanceFile | None = None
        if isinstance(given, KnownFile):
            self.name, self.size = given.path, given.size
            self.sop_class_uid, self.sop_instance_uid = given.sop_class_uid, given.sop_instance_uid
            self.transfer_syntax_uid = given.transfer_syntax_uid
            return
        self.name = os.fsdecode(given)
        self.sop_class_uid = self.sop_instance_uid = self.transfer_syntax_uid = ""
        self.size = 0

    def _take(self, file: InstanceFile) -> None:
        self._file, self.name, self.size = file, file.path, file.data_set_size
        self.sop_class_uid, self.sop_instance_uid = file.sop_class_uid, file.sop_instance_uid
        self.transfer_syntax_uid = file.transfer_syntax_uid

    def _examine(self) -> InstanceFile:
        """Look at the file.

        Raises:
            FileError: It cannot be sent.
        """
        return InstanceFile.check(self.name)

    def check(self) -> InstanceFile:
        """Learn the UIDs of the file, and return it; see `Source.check`."""
        if self._file is None:
            self._take(self._examine())
        assert self._file is not None
        return self._file

    def open_for(self, association: Accepting, transcode: Transcode) -> Outgoing:
        """Open the file; see `Source.open_for`."""
        file = self._file
        if file is None:
            file = self._examine()
            self._take(file)
        context, converts = _choose(association, file, transcode)
        if not converts:
            data_set = file.data_set()
            return Outgoing(self, context, data_set, len(data_set), file)
        converted = _converted(file, context, lossy=transcode == "always")
        return Outgoing(self, context, converted, len(converted))


class MemorySource(FileSource):
    """An instance in memory: the bytes of a Part 10 file, or an open file. It is sent as a file is.

    Args:
        given: The instance. Bytes are copied where they have to be re-encoded, and else not.
        number: Its number among several; see `memory.name_of`.
    """

    __slots__ = ()

    def __init__(self, given: Any, number: int | None = None) -> None:
        from dimse.instances.memory import name_of

        self.given = given
        # The caller may write into the memory.
        self.is_lasting = False
        self._file = None
        self.name = name_of(given, number)
        self.sop_class_uid = self.sop_instance_uid = self.transfer_syntax_uid = ""
        self.size = 0

    def _examine(self) -> InstanceFile:
        from dimse.instances.memory import check

        return check(self.given, self.name)


class DataSetSource(MemorySource):
    """A pydicom data set: it is encoded by pydicom, and sent as a file with these bytes is.

    One that states no transfer syntax is sent in an uncompressed one that the peer accepts, whatever `transcode` allows.

    Args:
        given: The data set.
        number: Its number among several; see `memory.name_of`.
    """

    __slots__ = ()

    def __init__(self, given: Dataset, number: int | None = None) -> None:
        super().__init__(given, number)
        self.sop_class_uid, self.sop_instance_uid = (
            str(given.get(keyword) or "") for keyword in ("SOPClassUID", "SOPInstanceUID")
        )

    def open_for(self, association: Accepting, transcode: Transcode) -> Outgoing:
        """Encode the data set; see `Source.open_for`."""
        from dimse.instances.memory import stated_syntax

        if transcode == "never" and not stated_syntax(self.given):
            transcode = "lossless"
        return super().open_for(association, transcode)


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

    def check(self) -> None:
        """Do nothing: the sender has stated the UIDs."""

    def open_for(self, association: Accepting, transcode: Transcode) -> Outgoing:
        """Open the instance; see `Source.open_for`. Its transfer syntax is not changed, whatever `transcode` allows."""
        context = association.context_for(self.sop_class_uid, self.transfer_syntax_uid)
        return Outgoing(self, context, self.given.view(), self.size)


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
