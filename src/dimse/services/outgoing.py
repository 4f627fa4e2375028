"""SOP instances to be stored, made ready: opened, checked, given a presentation context (PS3.4 Annex B)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dimse import uids
from dimse.association.association import Association
from dimse.data_set.encoding import deflate
from dimse.errors import FileError
from dimse.instances import MAPPED, PATHS, InstanceFile, Path
from dimse.instances.received import ReceivedInstance
from dimse.message.command import CStoreRQ
from dimse.message.status import Status
from dimse.support.values import record
from dimse.upper_layer.negotiation import PresentationContext
from dimse.upper_layer.pdata import Buffer

if TYPE_CHECKING:
    from pydicom import Dataset

# What a peer that refuses a file's own transfer syntax is offered besides; every SOP class must be offered Implicit VR Little
# Endian somewhere (PS3.5 10.1).
FALL_BACK = (uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian)

# What a pydicom data set that says no transfer syntax is written in; its numbers are Little Endian.
_WRITABLE = (*FALL_BACK, uids.DeflatedExplicitVRLittleEndian)

Transcode = Literal["never", "lossless", "always"]
Source: TypeAlias = "Path | InstanceFile | ReceivedInstance | Dataset"


@record
class Outgoing:
    """A data set ready to be sent, and what its request says.

    Attributes:
        transfer_syntax_uid: How it is stored.
        file: Where it is sent as it lies in one.
        source: What was given.
        request: Its request, once that was made.
        command_set: The request encoded, likewise.
        begun: When its request began to go out, on `time.monotonic()`.
        sent: Has all of it gone out? Then `data_set` is empty.
    """

    path: str
    context: PresentationContext
    sop_class_uid: str
    sop_instance_uid: str
    data_set: Buffer
    transfer_syntax_uid: str
    file: InstanceFile | None = None
    source: Source | None = None
    request: CStoreRQ | None = None
    command_set: bytes = b""
    begun: float = 0.0
    sent: bool = False
    _sent_size: int = 0

    @property
    def size(self) -> int:
        """Bytes of the data set."""
        return self._sent_size if self.sent else len(self.data_set)

    def let_go(self) -> None:
        """All of it has gone out. To take a large map down takes a while: while the peer works, it costs nothing."""
        self._sent_size, self.data_set, self.sent = len(self.data_set), b"", True

    def verify_stored(self, status: Status) -> None:
        """Once the peer has stored it: was it all of one file?

        Raises:
            FileError: The file has been changed since it was checked, and was not read as a whole before it was sent.
        """
        stored = status.is_success or status.is_warning
        if not stored or self.file is None or self.file.data_set_size <= MAPPED:
            return
        try:
            self.file.verify_unchanged()
        except FileError as error:
            raise FileError(self.path, f"{error.reason}: what the peer has stored may be damaged") from error


def each_of(given: Any) -> Iterable[Any]:
    """Return the sources that were given, where one may be given without a list: a path is never taken for its characters."""
    is_one = isinstance(given, (*PATHS, InstanceFile, ReceivedInstance)) or hasattr(given, "SOPInstanceUID")
    return (given,) if is_one else given


def name_of(source: object) -> str:
    """What a source is called: its path, else its SOP instance UID."""
    if isinstance(source, PATHS):
        return os.fsdecode(source)
    return str(getattr(source, "path", "") or getattr(source, "sop_instance_uid", ""))


def prepare(
    association: Association,
    source: Source,
    transcode: Transcode,
) -> Outgoing:
    """Open and check a source and choose its presentation context, before a byte is sent.

    Raises:
        TypeError: It is not a source.
        FileError: It cannot be sent, or not be converted.
        NoPresentationContext: Its SOP class was not accepted in a transfer syntax that fits.
    """
    if isinstance(source, ReceivedInstance):
        context = association.context_for(source.sop_class_uid, source.transfer_syntax_uid)
        return Outgoing(
            name_of(source),
            context,
            source.sop_class_uid,
            source.sop_instance_uid,
            source.view(),
            context.transfer_syntax,
        )
    if isinstance(source, PATHS):
        source = InstanceFile.check(os.fsdecode(source))
    if isinstance(source, InstanceFile):
        context, convert = _choose(association, source, transcode)
        data_set = _converted(source, context, lossy=transcode == "always") if convert else source.data_set()
        file = None if convert else source
        return Outgoing(
            source.path,
            context,
            source.sop_class_uid,
            source.sop_instance_uid,
            data_set,
            source.transfer_syntax_uid,
            file,
        )
    if not callable(getattr(source, "get", None)):
        raise TypeError(
            f"what is stored is a path, an InstanceFile, a ReceivedInstance or a pydicom data set, not {source!r}"
        )
    return _prepare_data_set(association, source)


def _choose(association: Association, instance: InstanceFile, transcode: Transcode) -> tuple[PresentationContext, bool]:
    """The context for a file: its own transfer syntax where accepted, else one that it can be converted to."""
    own = instance.transfer_syntax_uid
    accepted = association.accepted(instance.sop_class_uid)
    if own in accepted:
        if instance.mislabelled and transcode == "never":
            raise FileError(instance.path, "its data set would have to be re-encoded, which is not asked for")
        return accepted[own], instance.mislabelled
    if accepted and transcode != "never":
        from dimse.data_set.transcode import targets

        for target in targets(own, accepted, lossy=transcode == "always"):
            return accepted[target], True
        if targets(own, accepted, lossy=True):
            raise FileError(
                instance.path,
                f"the peer does not accept {uids.name(own)}, and what it compressed with loss is decompressed only"
                " where that is asked for (transcode: always)",
            )
    return association.context_for(instance.sop_class_uid, own), False


def _converted(instance: InstanceFile, context: PresentationContext, *, lossy: bool) -> bytes:
    """The data set of a file in the transfer syntax of a context."""
    from dimse.data_set.transcode import transcode

    data_set = instance.data_set(mapped=False)
    return transcode(data_set, instance.transfer_syntax_uid, context.transfer_syntax, path=instance.path, lossy=lossy)


def _prepare_data_set(association: Association, data_set: Dataset) -> Outgoing:
    """A pydicom data set, encoded in an accepted transfer syntax: its own if it has one, else uncompressed."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    sop_class_uid, sop_instance_uid = str(data_set.get("SOPClassUID", "")), str(data_set.get("SOPInstanceUID", ""))
    if not sop_class_uid or not sop_instance_uid:
        raise FileError("data set", "it has no SOP Class UID or no SOP Instance UID")
    own = str(getattr(getattr(data_set, "file_meta", None), "TransferSyntaxUID", ""))
    if own:
        context = association.context_for(sop_class_uid, own)
    else:
        accepted = association.accepted(sop_class_uid)
        wanted = next((uid for uid in _WRITABLE if uid in accepted), uids.ExplicitVRLittleEndian)
        context = association.context_for(sop_class_uid, wanted)
    syntax = uids.transfer_syntax(context.transfer_syntax)
    target = DicomBytesIO()
    target.is_implicit_VR = bool(syntax and syntax.implicit_vr)
    target.is_little_endian = bool(syntax is None or syntax.little_endian)
    write_dataset(target, data_set)
    encoded = target.getvalue()
    if syntax and syntax.deflated:
        encoded = deflate((encoded,))
    return Outgoing("data set", context, sop_class_uid, sop_instance_uid, encoded, own or context.transfer_syntax)
