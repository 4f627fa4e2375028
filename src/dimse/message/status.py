"""Statuses (PS3.7 Annex C): a number, its category, and its meaning in the service that sent it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Self

from dimse.errors import StatusError

SUCCESS, WARNING, FAILURE, CANCEL, PENDING = "Success", "Warning", "Failure", "Cancel", "Pending"
UNKNOWN = "Unknown"

# Codes of failures (PS3.7 Annex C).
PROCESSING_FAILURE = 0x0110
DUPLICATE_SOP_INSTANCE = 0x0111
NO_SUCH_SOP_INSTANCE = 0x0112
NO_SUCH_EVENT_TYPE = 0x0113
INVALID_ARGUMENT_VALUE = 0x0115
CLASS_INSTANCE_CONFLICT = 0x0119
SOP_CLASS_NOT_SUPPORTED = 0x0122
NO_SUCH_ACTION = 0x0123
NOT_AUTHORIZED = 0x0124
UNRECOGNIZED_OPERATION = 0x0211
MISTYPED_ARGUMENT = 0x0212
RESOURCE_LIMITATION = 0x0213
# A Failure Reason of PS3.3 C.14.1.1.
DUPLICATE_TRANSACTION_UID = 0x0131
# PS3.4 Tables B.2-1, C.4-1, C.4-2 and C.4-3. One code has another name in each service.
OUT_OF_RESOURCES = 0xA700
UNABLE_TO_COUNT_MATCHES = 0xA701
UNABLE_TO_PERFORM_SUB_OPERATIONS = 0xA702
MOVE_DESTINATION_UNKNOWN = 0xA801
DATA_SET_DOES_NOT_MATCH = IDENTIFIER_DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
UNABLE_TO_PROCESS = 0xC001

# Codes as the Standard prints them ("x" is any digit), category, meaning. The first row that fits a code counts.
Table = tuple[tuple[str, str, str], ...]

# PS3.7 C.4 and C.5, then the classes of codes at the head of Annex C.
GENERAL: Table = (
    ("0000", SUCCESS, "Success"),
    ("0105", FAILURE, "No such attribute"),
    ("0106", FAILURE, "Invalid attribute value"),
    ("0107", WARNING, "Attribute list error"),
    ("0110", FAILURE, "Processing failure"),
    ("0111", FAILURE, "Duplicate SOP instance"),
    ("0112", FAILURE, "No such SOP instance"),
    ("0113", FAILURE, "No such event type"),
    ("0114", FAILURE, "No such argument"),
    ("0115", FAILURE, "Invalid argument value"),
    ("0116", WARNING, "Attribute value out of range"),
    ("0117", FAILURE, "Invalid SOP instance"),
    ("0118", FAILURE, "No such SOP class"),
    ("0119", FAILURE, "Class-instance conflict"),
    ("0120", FAILURE, "Missing attribute"),
    ("0121", FAILURE, "Missing attribute value"),
    ("0122", FAILURE, "Refused: SOP class not supported"),
    ("0123", FAILURE, "No such action"),
    ("0124", FAILURE, "Refused: Not authorized"),
    ("0210", FAILURE, "Duplicate invocation"),
    ("0211", FAILURE, "Unrecognized operation"),
    ("0212", FAILURE, "Mistyped argument"),
    ("0213", FAILURE, "Resource limitation"),
    ("FE00", CANCEL, "Terminated by a cancel request"),
    ("FF00", PENDING, "Continuing"),
    ("FF01", PENDING, "Continuing, with a warning"),
    ("0001", WARNING, "Warning"),
    ("Bxxx", WARNING, "Warning of the service class"),
    ("01xx", FAILURE, "Failure"),
    ("02xx", FAILURE, "Failure"),
    ("Axxx", FAILURE, "Failure of the service class"),
    ("Cxxx", FAILURE, "Failure of the service class"),
)

# PS3.4 Table B.2-1
STORAGE: Table = (
    ("A7xx", FAILURE, "Refused: Out of Resources"),
    ("A9xx", FAILURE, "Error: Data Set does not match SOP Class"),
    ("Cxxx", FAILURE, "Error: Cannot understand"),
    ("B000", WARNING, "Coercion of Data Elements"),
    ("B006", WARNING, "Elements Discarded"),
    ("B007", WARNING, "Data Set does not match SOP Class"),
)

# PS3.4 K.4.1.1.4
MODALITY_WORKLIST: Table = (
    ("A700", FAILURE, "Refused: Out of Resources"),
    ("A900", FAILURE, "Error: Data Set does not match SOP Class"),
    ("Cxxx", FAILURE, "Failed: Unable to process"),
    ("FE00", CANCEL, "Matching terminated by a cancel request"),
    ("FF00", PENDING, "Matches are continuing"),
    ("FF01", PENDING, "Matches are continuing, optional keys were not supported"),
)

# PS3.4 Table C.4-1, with the additions of a Repository Query
FIND: Table = (
    *MODALITY_WORKLIST,
    ("A710", FAILURE, "Invalid Prior Record Key"),
    ("B001", WARNING, "Matching reached response limit"),
)

# PS3.4 Table C.4-3, and Table Y.4-2 for the frames of an instance
GET: Table = (
    ("A701", FAILURE, "Refused: Out of Resources - Unable to calculate number of matches"),
    ("A702", FAILURE, "Refused: Out of Resources - Unable to perform sub-operations"),
    ("A900", FAILURE, "Error: Data Set does not match SOP Class"),
    ("AA00", FAILURE, "None of the frames requested were found in the SOP Instance"),
    ("AA01", FAILURE, "Unable to create new object for this SOP class"),
    ("AA02", FAILURE, "Unable to extract frames"),
    ("AA03", FAILURE, "Time-based request received for a non-time-based original SOP Instance"),
    ("AA04", FAILURE, "Invalid request"),
    ("Cxxx", FAILURE, "Failed: Unable to process"),
    ("B000", WARNING, "Sub-operations complete, one or more failures or warnings"),
    ("FE00", CANCEL, "Sub-operations terminated by a cancel request"),
    ("FF00", PENDING, "Sub-operations are continuing"),
)

# PS3.4 Table C.4-2: the statuses of C-GET, and one more
MOVE: Table = (("A801", FAILURE, "Refused: Move Destination unknown"), *GET)

# Failure Reasons (0008,1197) of PS3.3 C.14.1.1 that PS3.7 lacks or words otherwise. Other reasons and statuses are those of PS3.7.
STORAGE_COMMITMENT: Table = (
    ("0112", FAILURE, "No such object instance"),
    ("0122", FAILURE, "Referenced SOP class not supported"),
    ("0131", FAILURE, "Duplicate transaction UID"),
)

# PS3.4 F.7.2 and F.8.2
MODALITY_PERFORMED_PROCEDURE_STEP: Table = (
    ("0110", FAILURE, "Performed Procedure Step Object may no longer be updated, or another processing failure"),
    ("0001", WARNING, "Requested optional Attributes are not supported"),
)

SERVICES: Mapping[str, Table] = {
    "general": (),
    "verification": (),  # only PS3.7 (PS3.4 Annex A)
    "storage commitment": STORAGE_COMMITMENT,
    "storage": STORAGE,
    "find": FIND,
    "get": GET,
    "move": MOVE,
    "modality worklist": MODALITY_WORKLIST,
    "modality performed procedure step": MODALITY_PERFORMED_PROCEDURE_STEP,
}
"""The statuses of each service, which take precedence over `GENERAL`."""


class Status(int):
    """A DIMSE status: an `int` with a category and a meaning.

    Attributes:
        service: The service that sent it, a key of `SERVICES`.
        comment: The peer's Error Comment (0000,0902) as received, or "".

    Raises:
        ValueError: The code does not fit 16 bits, or the service is unknown.
    """

    service: str
    comment: str = ""

    def __new__(cls, code: int, *, service: str = "general", comment: str | None = None) -> Self:
        if not 0 <= code <= 0xFFFF:
            raise ValueError(f"{code} is not a status of 16 bits")
        if service not in SERVICES:
            raise ValueError(f"{service!r} is not one of {', '.join(SERVICES)}")
        self = int.__new__(cls, code)
        self.service = service
        if comment:
            self.comment = comment
        return self

    @property
    def category(self) -> str:
        """The category: "Success", "Warning", "Failure", "Cancel", "Pending" or "Unknown"."""
        return _row(int(self), self.service)[0] if self else SUCCESS

    @property
    def meaning(self) -> str:
        """The meaning of the code, in the words of its service's table."""
        return _row(int(self), self.service)[1]

    @property
    def is_success(self) -> bool:
        """True if the status is success, 0000H."""
        return self == 0

    @property
    def is_warning(self) -> bool:
        """True if the operation was performed with a warning."""
        return self.category == WARNING

    @property
    def is_failure(self) -> bool:
        """True if the operation failed. An unknown status has no category: use `check` to test for success."""
        return self.category == FAILURE

    @property
    def is_cancel(self) -> bool:
        """True if the operation ended because it was cancelled."""
        return self.category == CANCEL

    @property
    def is_pending(self) -> bool:
        """True if more responses follow."""
        return self.category == PENDING

    def check(self) -> Self:
        """Return this status if it is success or warning.

        Raises:
            StatusError: It is neither.
        """
        if self.category in (SUCCESS, WARNING):
            return self
        raise StatusError(self, ": ".join(part for part in (str(self), self.meaning, self.comment) if part))

    def __str__(self) -> str:
        return f"0x{int(self):04X} - {self.category}"

    def __repr__(self) -> str:
        return f"Status(0x{int(self):04X}, service={self.service!r}, comment={self.comment!r})"


# Pending statuses and warnings come by the thousand.
@lru_cache(maxsize=64)
def _row(code: int, service: str) -> tuple[str, str]:
    """Return category and meaning of a code."""
    digits = f"{code:04X}"
    for codes, category, meaning in (*SERVICES[service], *GENERAL):
        if all(code in ("x", digit) for code, digit in zip(codes, digits, strict=True)):
            return category, meaning
    return UNKNOWN, "Unknown status"
