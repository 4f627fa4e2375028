"""A SOP instance that was received, undecoded: its UIDs, its sender and its data set, however it came."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from functools import lru_cache
from typing import IO, TYPE_CHECKING, cast

from dimse.errors import DimseError
from dimse.media import part10
from dimse.settings import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dimse.support.sinks import ReadableSink, Sink
from dimse.support.text import one_line
from dimse.support.values import field, record
from dimse.uids import transfer_syntax

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from pydicom import Dataset


@record
class ReceivedInstance:
    """A SOP instance that was received; its data set is kept undecoded while a handler or a store works on it.

    Attributes:
        sop_class_uid: The SOP class UID, as the sender states it: data, not yet compared with the data set.
        sop_instance_uid: The SOP instance UID, likewise.
        transfer_syntax_uid: The transfer syntax of the data set.
        calling_ae_title: The AE title of the sender; empty if it has none.
        called_ae_title: The AE title that the sender called; empty if it called none.
        peer_address: Host and port of the sender's end of the connection.
        sink: The sink that holds the data set; None before one was chosen.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    calling_ae_title: str = field(default="", kw_only=True)
    called_ae_title: str = field(default="", kw_only=True)
    peer_address: tuple[str, int] = field(default=("", 0), kw_only=True)
    sink: Sink | None = field(default=None, kw_only=True)

    @property
    def size(self) -> int:
        """The bytes of the data set."""
        return self._readable.size

    @property
    def sender(self) -> str:
        """The sender as a line of a log names it: AE title and host, escaped to one line."""
        parts = one_line(self.calling_ae_title, 16), one_line(self.peer_address[0], 64)
        return " at ".join(filter(None, parts)) or "an unknown sender"

    @property
    def path(self) -> str | None:
        """The file that holds the instance, if its sink keeps it in one that has a name."""
        path: str | None = getattr(self.sink, "path", None)
        return path

    @property
    def _readable(self) -> ReadableSink:
        if not hasattr(self.sink, "view"):
            raise DimseError("the sink of this instance does not give back what it took")
        return cast(ReadableSink, self.sink)

    def view(self) -> memoryview:
        """Return the encoded data set, as it came but for leading elements of group 0002.

        Above 1 MiB it is a map, which costs no memory.
        """
        return self._readable.view()

    def file_meta(self) -> bytes:
        """Return the preamble and File Meta Information of a Part 10 file with this instance (PS3.10 7.1)."""
        encoder = _encoder(self.sop_class_uid, self.transfer_syntax_uid, self.calling_ae_title)
        return encoder.encode(self.sop_instance_uid)

    def open(self) -> IO[bytes]:
        """Open the instance as a Part 10 file, to be read."""
        return io.BufferedReader(_Joined(memoryview(self.file_meta()), self.view()))

    def dataset(self) -> Dataset:
        """Return the data set, decoded by pydicom.

        Raises:
            ValueError: It is deflated and damaged, or inflates to more than 256 MiB.
        """
        from pydicom import dcmread

        from dimse.data_set.encoding import inflate

        syntax = transfer_syntax(self.transfer_syntax_uid)
        if syntax is not None and syntax.deflated:
            # pydicom inflates without a limit.
            inflate(self.view())
        return dcmread(self.open())

    def move_to(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the instance as a Part 10 file, which has the name `path` once it is complete and synced.

        A file with the same bytes that has the name already is kept: the same instance may be sent twice.

        Args:
            path: The name of the file.
            overwrite: Replace a file with other bytes that has the name. By default it is not touched.

        Raises:
            FileExistsError: Another file has the name.
            OSError: The file cannot be written; `path` is as it was.
        """
        from dimse.support.disk import replace, sync, sync_folder

        final = os.fspath(path)
        temporary = f"{final}.{os.urandom(8).hex()}.part"
        try:
            with open(temporary, "xb") as file:
                file.write(self.file_meta())
                file.write(self.view())
                file.flush()
                sync(file.fileno())
            if overwrite:
                replace(temporary, final)
            else:
                _link(temporary, final)
                sync_folder(os.path.dirname(final) or ".")
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


@lru_cache(maxsize=64)
def _encoder(sop_class_uid: str, transfer_syntax: str, ae_title: str) -> part10.Encoder:
    """Return the encoder of the File Meta Information of such instances: an association brings many of them."""
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
    """A file of pieces of memory, or maps: nothing is copied but what is read."""

    # Readers of files ask for it.
    name = "received instance"

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
