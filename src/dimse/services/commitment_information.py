"""The data sets of Storage Commitment: of a request (PS3.4 Table J.3-1), and of a report (Table J.3-2)."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from dimse import uids
from dimse.association.sinks import SpooledSink
from dimse.data_set.encoding import EXPLICIT_VR_LITTLE_ENDIAN, inflate
from dimse.message.status import PROCESSING_FAILURE
from dimse.support.values import value

if TYPE_CHECKING:
    from dimse.data_set.elements import DataSet, Element

SERVICE = "storage commitment"
"""The key of the statuses of the service."""

TRANSACTION_UID = 0x00081195
REFERENCED_SOP_SEQUENCE, FAILED_SOP_SEQUENCE = 0x00081199, 0x00081198
REFERENCED_SOP_CLASS_UID, REFERENCED_SOP_INSTANCE_UID = 0x00081150, 0x00081155
FAILURE_REASON = 0x00081197

# In one transaction, so that the report on them stays below `MOST_BYTES`.
MOST_INSTANCES = 10_000
# Of a request or a report, as it comes and inflated.
MOST_BYTES = 4 * 1024 * 1024
LONGEST_UID = 64  # PS3.5 9.1
# Zero bytes in a row. Neither has them, and a reader that looks for padding would look again and again.
MOST_ZEROS = 64

Reference: TypeAlias = tuple[str, str]
"""The SOP class UID and the SOP instance UID of an instance."""


class InformationSink(SpooledSink):
    """A sink that keeps the data set of a request or a report, if it is not too long for one."""

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Append the bytes of `buffers`; beyond 4 MiB all are dropped."""
        super().write(buffers)
        if self.size > MOST_BYTES and self.error is None:
            self.discard()
            self.error = OSError(errno.EFBIG, f"longer than {MOST_BYTES:,} bytes")


@value
class Information:
    """The content of a request or of a report.

    Attributes:
        transaction_uid: The UID of the transaction; not empty.
        references: The items of the Referenced SOP Sequence, in their order. A UID that an item lacks is empty.
        failed: The Failure Reason by SOP instance UID, of the Failed SOP Sequence; 0110H where an item has none.
    """

    transaction_uid: str
    references: tuple[Reference, ...]
    failed: Mapping[str, int]


def decode(data: memoryview, transfer_syntax: str) -> Information:
    """Return the content of a data set, of which every part is verified.

    Raises:
        ValueError: The data set is damaged, or has no Transaction UID.
    """
    from dimse.data_set.elements import Unfit, read, text_of

    syntax = uids.transfer_syntax(transfer_syntax) or EXPLICIT_VR_LITTLE_ENDIAN
    if syntax.deflated:
        data, syntax = memoryview(inflate(data, MOST_BYTES)), EXPLICIT_VR_LITTLE_ENDIAN
    if bytes(MOST_ZEROS) in bytes(data):
        raise ValueError(f"{MOST_ZEROS} zero bytes in a row are no part of it")
    try:
        information = read(data, syntax)
    except Unfit as error:
        raise ValueError(str(error)) from error
    if not (transaction_uid := text_of(information, TRANSACTION_UID)):
        raise ValueError("it has no Transaction UID")
    # The SOP classes repeat, and each takes memory once.
    classes: dict[str, str] = {}
    references = tuple(
        (classes.setdefault(sop_class, sop_class), text_of(item, REFERENCED_SOP_INSTANCE_UID))
        for item in _items(information, REFERENCED_SOP_SEQUENCE)
        for sop_class in (text_of(item, REFERENCED_SOP_CLASS_UID),)
    )
    failed = {
        uid: _failure_reason(item)
        for item in _items(information, FAILED_SOP_SEQUENCE)
        if (uid := text_of(item, REFERENCED_SOP_INSTANCE_UID))
    }
    return Information(transaction_uid, references, failed)


def _items(data_set: DataSet, sequence: int) -> Iterator[DataSet]:
    element = data_set.get(sequence)
    yield from element.value if element and isinstance(element.value, list) else ()


def _failure_reason(item: DataSet) -> int:
    from dimse.data_set.elements import unsigned_short

    reason = unsigned_short(item, FAILURE_REASON)
    return PROCESSING_FAILURE if reason is None else reason


def encode(
    transaction_uid: str,
    references: Sequence[Reference],
    transfer_syntax: str,
    failed: Mapping[str, int] | None = None,
) -> bytes:
    """Return the data set of a request, or of a report on the references.

    Args:
        transaction_uid: The UID of the transaction.
        references: SOP class UID and SOP instance UID of each instance, 1 to 10,000.
        transfer_syntax: The transfer syntax of the presentation context.
        failed: The Failure Reason by SOP instance UID of the instances that are not committed.

    Raises:
        ValueError: There are no references or too many, or a UID is not valid.
    """
    if not 1 <= len(references) <= MOST_INSTANCES:
        raise ValueError(f"storage commitment is requested for 1 to {MOST_INSTANCES} instances, not {len(references)}")
    from dimse.data_set.elements import Element, write

    committed, refused = [], []
    for sop_class_uid, sop_instance_uid in references:
        item = _data_set(
            _uid(REFERENCED_SOP_CLASS_UID, sop_class_uid), _uid(REFERENCED_SOP_INSTANCE_UID, sop_instance_uid)
        )
        if failed and (reason := failed.get(sop_instance_uid)) is not None:
            item[FAILURE_REASON] = Element(FAILURE_REASON, "US", memoryview(reason.to_bytes(2, "little")))
            refused.append(item)
        else:
            committed.append(item)
    information = _data_set(_uid(TRANSACTION_UID, transaction_uid))
    # A report in which every instance failed has the Failed SOP Sequence alone.
    for tag, items in ((REFERENCED_SOP_SEQUENCE, committed), (FAILED_SOP_SEQUENCE, refused)):
        if items:
            information[tag] = Element(tag, "SQ", items)
    return write(information, uids.transfer_syntax(transfer_syntax) or EXPLICIT_VR_LITTLE_ENDIAN)


def _data_set(*elements: Element) -> DataSet:
    return {element.tag: element for element in elements}


def _uid(tag: int, uid: str) -> Element:
    from dimse.data_set.elements import Element

    check_uid(uid)
    return Element(tag, "UI", memoryview(uid.encode("ascii")))


def check_uid(uid: str) -> None:
    """Check that a UID can be sent.

    Raises:
        ValueError: It is empty, too long or not printable ASCII.
    """
    if not 1 <= len(uid) <= LONGEST_UID or not uid.isascii() or not uid.isprintable():
        raise ValueError(f"a UID has 1 to {LONGEST_UID} characters of ASCII: {uid!a}")
