"""Files that are given to a store, as instances that arrive are: copied, or linked where nothing has to be changed."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from dimse.archive.file_store import FileStore
from dimse.archive.sink import FileSink
from dimse.errors import FileError
from dimse.instances import CHANGED, InstanceFile
from dimse.instances.received import ReceivedInstance

_PIECE = 1024 * 1024


def instance_of(file: InstanceFile) -> ReceivedInstance:
    """Return the instance of a file, without a sink."""
    return ReceivedInstance(file.sop_class_uid, file.sop_instance_uid, file.transfer_syntax_uid)


def filled(store: FileStore, instance: ReceivedInstance, file: InstanceFile, *, links: bool) -> tuple[FileSink, bool]:
    """Return a sink of a store with the data set of a file, and True if it is a hard link to the file.

    Args:
        store: The store.
        instance: The instance of the file.
        file: The file. One that describes itself wrongly, or has more than its data set, is written anew.
        links: Link it if the file system has hard links; otherwise it is copied.

    Raises:
        FileError: The file cannot be read, or has changed.
    """
    is_plain = not file.warnings and file.data_set_offset + file.data_set_size == file.size
    if links and is_plain:
        try:
            sink = store.begin_linked(instance, file.path, file.data_set_offset)
        except OSError:
            # It is on another file system, or belongs to another user.
            pass
        else:
            return _verified(sink, file), True
    sink = store.begin(instance)
    try:
        for piece in pieces(file):
            sink.write([memoryview(piece)])
    except BaseException:
        sink.discard()
        raise
    return _verified(sink, file), False


def _verified(sink: FileSink, file: InstanceFile) -> FileSink:
    try:
        file.verify_unchanged()
    except BaseException:
        sink.discard()
        raise
    return sink


def pieces(file: InstanceFile) -> Iterator[bytes]:
    """Yield the data set of a file in pieces.

    Raises:
        FileError: The file cannot be read, or has become shorter.
    """
    left = file.data_set_size
    if file.front:
        yield file.front
        left -= len(file.front)
    with file.open() as opened:
        while left and (piece := opened.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece
    if left:
        raise FileError(file.path, CHANGED)


def digest_of(file: InstanceFile) -> bytes:
    """Return the SHA-256 over transfer syntax UID and data set of a file, as a store makes it.

    Raises:
        FileError: The file cannot be read.
    """
    made = sha256(file.transfer_syntax_uid.encode("latin-1", "replace"))
    for piece in pieces(file):
        made.update(piece)
    return made.digest()
