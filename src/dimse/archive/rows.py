"""The row of the index for an instance that was just stored, made while its file is open."""

from __future__ import annotations

import hashlib

from dimse import uids
from dimse.archive.index.header import Header, read_header
from dimse.archive.index.normal import values_of, whole_number
from dimse.archive.index.reading import INSTANCE_NUMBER, frames_of
from dimse.archive.index.row import Row
from dimse.archive.sink import FileSink
from dimse.archive.stored import Stored

_PIECE = 1024 * 1024


def row_of(stored: Stored, sink: FileSink, *, digest: bool) -> Row:
    """Return the row of an instance.

    Args:
        stored: The instance.
        sink: Its sink, which has the file.
        digest: Make the SHA-256 of transfer syntax and data set.
    """
    syntax = uids.transfer_syntax(stored.transfer_syntax_uid)
    # A store takes no data set for an archive whose elements it cannot read.
    header = Header({}) if syntax is None else read_header(sink.read, sink.size, syntax, head=sink.head)
    return Row(
        stored.sop_instance_uid,
        stored.sop_class_uid,
        stored.transfer_syntax_uid,
        stored.study_instance_uid,
        stored.series_instance_uid,
        header.attributes,
        whole_number(values_of(INSTANCE_NUMBER, header.attributes.get(INSTANCE_NUMBER))),
        stored.relative_path,
        stored.size,
        _digest(stored.transfer_syntax_uid, sink) if digest else b"",
        stored.received,
        stored.calling_ae_title,
        frames_of(header),
        was_there=stored.duplicate,
    )


def _digest(transfer_syntax_uid: str, sink: FileSink) -> bytes:
    """Return the SHA-256 over transfer syntax UID and data set."""
    made = hashlib.sha256(transfer_syntax_uid.encode("ascii", "replace"))
    for offset in range(0, sink.size, _PIECE):
        made.update(sink.read(offset, min(_PIECE, sink.size - offset)))
    return made.digest()
