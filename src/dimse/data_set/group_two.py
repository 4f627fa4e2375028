"""Elements of group 0002 at the beginning of a data set, which belong in a file's File Meta Information (PS3.10 7.1).

Some programs leave such elements in a data set. Behind our File Meta Information, readers would take them for a part of it. An
element such as (0002,0010) would then relabel the file. So these elements are dropped, and nothing else of a data set ever is.
"""

from __future__ import annotations

from struct import Struct

from dimse.data_set.encoding import LONG_FORM, SHORT_FORM, is_vr
from dimse.data_set.walk import MalformedDataSet
from dimse.uids import TransferSyntax

MAXIMUM_SIZE = 65_536
"""Bytes within which the leading elements of group 0002 must end, as for a file's File Meta Information."""

_SHORT_HEADER, _LONG_HEADER = 8, 12
_LITTLE = Struct("<H"), Struct("<L")
_BIG = Struct(">H"), Struct(">L")


def can_lead(transfer_syntax: TransferSyntax | None) -> bool:
    """Return True if leading elements of group 0002 can be recognised in this transfer syntax.

    They cannot in a private or unknown one, or if the data set does not consist of elements (XML, MIME). A deflated data set is
    left as it is. Its bytes do not begin with an element, so no reader takes them for File Meta Information. To drop anything, all
    of it would have to be deflated anew.
    """
    return transfer_syntax is not None and transfer_syntax.has_elements and not transfer_syntax.deflated


def marker(transfer_syntax: TransferSyntax) -> bytes:
    """Return the two bytes at the start of a data set whose first element is one of group 0002."""
    return b"\2\0" if transfer_syntax.little_endian else b"\0\2"


def leading_size(head: bytes | memoryview, transfer_syntax: TransferSyntax | None) -> int | None:
    """Return the length of the leading elements of group 0002 of a data set, in bytes.

    Args:
        head: The first bytes of the data set; `MAXIMUM_SIZE` of them always suffice.
        transfer_syntax: The transfer syntax of the data set. An element whose VR contradicts it is read by its own VR, or as one
            without VR.

    Returns:
        0 if the first element is of another group, or if `can_lead` denies it. None if `head` ends before the first element of
        another group begins.

    Raises:
        MalformedDataSet: The elements do not end within `MAXIMUM_SIZE` bytes.
    """
    if transfer_syntax is None or transfer_syntax.deflated:
        return 0
    head = bytes(head[:MAXIMUM_SIZE])
    begins, position = marker(transfer_syntax), 0
    while head.startswith(begins, position):
        size = _size(head, position, transfer_syntax)
        if size is None:
            break
        position += size
        if position > MAXIMUM_SIZE:
            raise MalformedDataSet(f"elements of group 0002 lead it, and do not end within {MAXIMUM_SIZE:,} bytes")
    if position + len(begins) <= len(head) and not head.startswith(begins, position):
        return position
    if len(head) == MAXIMUM_SIZE:
        raise MalformedDataSet(f"elements of group 0002 lead it, and do not end within {MAXIMUM_SIZE:,} bytes")
    return None


def _size(head: bytes, position: int, transfer_syntax: TransferSyntax) -> int | None:
    """Return the length of the element at `position`, in bytes; None if its header is incomplete."""
    short, long = _numbers(transfer_syntax)
    if len(head) < position + _SHORT_HEADER:
        return None
    vr = head[position + 4 : position + 6]
    is_known = vr in SHORT_FORM or vr in LONG_FORM
    if not is_known and (transfer_syntax.implicit_vr or not is_vr(vr)):
        return _SHORT_HEADER + int(long.unpack_from(head, position + 4)[0])
    if vr in SHORT_FORM:
        return _SHORT_HEADER + int(short.unpack_from(head, position + 6)[0])
    if len(head) < position + _LONG_HEADER:
        return None
    return _LONG_HEADER + int(long.unpack_from(head, position + 8)[0])


def _numbers(transfer_syntax: TransferSyntax) -> tuple[Struct, Struct]:
    """Return the structs for numbers of 16 and of 32 bits."""
    return _LITTLE if transfer_syntax.little_endian else _BIG
