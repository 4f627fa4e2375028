"""A C-STORE-RQ that reached us, and the instance that came with it, undecoded (PS3.4 Annex B)."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Protocol, cast

from dimse.association.sinks import Sink
from dimse.errors import DimseError
from dimse.media import part10
from dimse.settings import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dimse.support.values import record
from dimse.upper_layer.negotiation import Peer, PresentationContext

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from pydicom import Dataset


class ReadableSink(Sink, Protocol):
    """A sink that gives back what it took."""

    size: int

    def view(self) -> memoryview:
        """The data set's bytes."""


@record
class StoreRequest:
    """A C-STORE-RQ that reached us; its data set is kept undecoded while its handler runs.

    Attributes:
        context: The presentation context it came on; its transfer syntax is the data set's.
        sop_class_uid: The affected SOP class UID. What the peer says: data, not yet compared with the data set.
        sop_instance_uid: The affected SOP instance UID, likewise.
        peer: Who sends.
        message_id: Its message ID.
        called_ae_title: The AE title that the peer called.
        priority: 0 medium, 1 high, 2 low.
        move_originator: AE title and message ID of the C-MOVE that this is a sub-operation of, if it is one.
        sink: What holds the data set; None in `store_begin`.
    """

    context: PresentationContext
    sop_class_uid: str
    sop_instance_uid: str
    peer: Peer
    message_id: int
    called_ae_title: str = ""
    priority: int = 0
    move_originator: tuple[str, int] | None = None
    sink: Sink | None = None

    @property
    def size(self) -> int:
        """Bytes of the data set."""
        return self._readable.size

    @property
    def path(self) -> str | None:
        """The file that holds the instance, where its sink keeps it in one that has a name."""
        path: str | None = getattr(self.sink, "path", None)
        return path

    @property
    def _readable(self) -> ReadableSink:
        if not hasattr(self.sink, "view"):
            raise DimseError("the sink of this request does not give back what it took")
        return cast(ReadableSink, self.sink)

    def view(self) -> memoryview:
        """The encoded data set, as it came but for leading elements of group 0002; above 1 MiB a map, which costs no memory."""
        return self._readable.view()

    def file_meta(self) -> bytes:
        """The preamble and File Meta Information of a Part 10 file with this instance (PS3.10 7.1)."""
        encoder = _encoder(self.sop_class_uid, self.context.transfer_syntax, self.peer.ae_title)
        return encoder.encode(self.sop_instance_uid)

    def open(self) -> IO[bytes]:
        """The instance as a Part 10 file, to be read."""
        return io.BufferedReader(_Joined(memoryview(self.file_meta()), self.view()))

    def dataset(self) -> Dataset:
        """The data set, decoded now by pydicom."""
        from pydicom import dcmread

        return dcmread(self.open())

    def move_to(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the instance as a Part 10 file, which stands under `path` when it is complete and synced.

        A file with the same bytes that stands there already is kept: the same instance may be sent twice.

        Args:
            path: Where the file is to stand.
            overwrite: Replace a file with other bytes that stands there. By default it is not touched.

        Raises:
            FileExistsError: Another file stands there.
            OSError: It cannot be written; `path` is as it was.
        """
        final = os.fspath(path)
        temporary = f"{final}.{os.urandom(8).hex()}.part"
        try:
            with open(temporary, "xb") as file:
                file.write(self.file_meta())
                file.write(self.view())
                file.flush()
                os.fsync(file.fileno())
            if overwrite:
                os.replace(temporary, final)
            else:
                _link(temporary, final)
            _sync_folder(os.path.dirname(final) or ".")
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)


def _link(temporary: str, final: str) -> None:
    """Give a complete file its final name, unless a file with other bytes has it.

    Raises:
        FileExistsError: Another file has the name.
    """
    try:
        os.link(temporary, final)
    except FileExistsError:
        from filecmp import cmp

        if not cmp(temporary, final, shallow=False):
            raise


def _sync_folder(path: str) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@lru_cache(maxsize=64)
def _encoder(sop_class_uid: str, transfer_syntax: str, ae_title: str) -> part10.Encoder:
    """What encodes the File Meta Information of such instances: an association brings many of them."""
    return part10.Encoder(
        part10.FileMeta(
            media_storage_sop_class_uid=sop_class_uid,
            transfer_syntax_uid=transfer_syntax,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            source_application_entity_title=ae_title,
        )
    )


class _Joined(io.RawIOBase):
    """Two pieces of memory, or maps, read as one file: nothing is copied but what is read."""

    name = "received instance"  # who reads files asks for it

    def __init__(self, *pieces: memoryview) -> None:
        self._pieces = pieces
        self._size = sum(len(piece) for piece in pieces)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        start = self._position
        for piece in self._pieces:
            if start < len(piece):
                part = piece[start : start + len(target)]
                target[: len(part)] = part
                self._position += len(part)
                return len(part)
            start -= len(piece)
        return 0
