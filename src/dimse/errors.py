"""The exceptions of dimse, in one tree.

A missing association is an exception, `AssociationError`; a DIMSE status is a value (`dimse.Status`). An error describes what
happened, names the peer or file, and is chained to its cause.
"""

from __future__ import annotations

from collections.abc import Sequence

# A-ASSOCIATE-RJ: result, source and reason by source (PS3.8 Table 9-21).
REJECTION_RESULTS = {1: "Rejected Permanent", 2: "Rejected Transient"}
REJECTION_SOURCES = {1: "Service User", 2: "Service Provider (ACSE)", 3: "Service Provider (Presentation)"}
REJECTION_REASONS = {
    1: {
        1: "No reason given",
        2: "Application context name not supported",
        3: "Calling AE title not recognised",
        7: "Called AE title not recognised",
    },
    2: {1: "No reason given", 2: "Protocol version not supported"},
    3: {1: "Temporary congestion", 2: "Local limit exceeded"},
}

# A-ABORT: source and, where the source is the service provider, the reason (PS3.8 Table 9-26).
ABORT_SOURCES = {0: "DUL service-user", 1: "Reserved", 2: "DUL service-provider"}
ABORT_REASONS = {
    0: "No reason given",
    1: "Unrecognised PDU",
    2: "Unexpected PDU",
    3: "Reserved",
    4: "Unrecognised PDU parameter",
    5: "Unexpected PDU parameter",
    6: "Invalid PDU parameter value",
}


# The first byte of a TLS record: change cipher spec, alert, handshake, application data (RFC 8446 5.1). The next is 3.
TLS_RECORDS = (0x14, 0x15, 0x16, 0x17)


def is_tls(heard: bytes) -> bool:
    """Return True if these are the first bytes of a TLS connection or of a TLS alert."""
    return len(heard) > 1 and heard[0] in TLS_RECORDS and heard[1] == 3


class DimseError(Exception):
    """The base class of all errors of dimse."""


class AssociationError(DimseError):
    """The association was not established, or it has ended.

    Every error with this meaning is a subclass: a failed connection, a rejection, an abort, a timeout, the refusal of all contexts.
    So is the error for a peer that does not speak DICOM or breaks the protocol.
    """


class ConnectError(AssociationError):
    """The transport connection to the peer failed: unknown name, refused, unreachable or timed out.

    Attributes:
        host: The peer's name or address, as given; empty if unknown.
        port: The peer's port; 0 if unknown.
        errno: The operating system's error number; None for other errors.
    """

    def __init__(self, message: str, *, host: str = "", port: int = 0) -> None:
        super().__init__(message)
        self.host, self.port = host, port

    @property
    def errno(self) -> int | None:
        """The operating system's error number; None for other errors."""
        cause = self.__cause__
        return cause.errno if isinstance(cause, OSError) else None


class TLSError(ConnectError):
    """The TLS handshake failed (PS3.15 Annex B).

    Attributes:
        lasting: True if another attempt would fail too; False after a lost connection or a timeout.
    """

    def __init__(self, message: str, *, lasting: bool = True) -> None:
        super().__init__(message)
        self.lasting = lasting


class TLSConfigurationError(DimseError):
    """A certificate, key or option for TLS cannot be used.

    Attributes:
        path: The file that is at fault; empty if no file is.
        reason: The fault, in one line.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path, self.reason = path, reason


class AssociationRejected(AssociationError):
    """The peer answered A-ASSOCIATE-RJ (PS3.8 9.3.4).

    Attributes:
        result: 1 rejected permanent, 2 rejected transient.
        source: 1 service user, 2 service provider (ACSE), 3 service provider (presentation).
        reason: The reason, whose meaning depends on the source (`REJECTION_REASONS`).
    """

    def __init__(self, result: int, source: int, reason: int) -> None:
        self.result, self.source, self.reason = result, source, reason
        super().__init__(f"Association Rejected: {self.result_text}, {self.source_text}, {self.reason_text}")

    @property
    def result_text(self) -> str:
        """The result in the Standard's words."""
        return REJECTION_RESULTS.get(self.result, f"(unknown result {self.result})")

    @property
    def source_text(self) -> str:
        """The source in the Standard's words."""
        return REJECTION_SOURCES.get(self.source, f"(unknown source {self.source})")

    @property
    def reason_text(self) -> str:
        """The reason in the Standard's words."""
        return REJECTION_REASONS.get(self.source, {}).get(self.reason, f"(unknown reason {self.reason})")


class AssociationAborted(AssociationError):
    """The association ended by A-ABORT (PS3.8 9.3.8).

    Attributes:
        source: 0 service user, 2 service provider.
        reason: The reason, if the source is the service provider (`ABORT_REASONS`).
    """

    def __init__(self, source: int = 0, reason: int = 0) -> None:
        self.source, self.reason = source, reason
        why = f": {ABORT_REASONS.get(reason, reason)}" if source == 2 else ""
        super().__init__(f"the association was aborted by the {ABORT_SOURCES.get(source, 'peer')}{why}")


class ProviderAborted(AssociationAborted):
    """The upper layer of the peer, or our own, aborted the association (A-P-ABORT)."""


class AssociationReleased(AssociationError):
    """The peer released the association, so the operation cannot be performed."""


class ConnectionLost(AssociationError):
    """The transport connection ended without release or abort."""


class NegotiationError(DimseError):
    """The negotiation does not allow the operation. If it ended the association, the error is an `AssociationError` too."""


class NoPresentationContext(NegotiationError):
    """The association has no accepted presentation context for the SOP class, transfer syntax and role."""


class UnusableMaximumLength(NegotiationError, AssociationError):
    """The peer's maximum length is too small to send anything; the association was aborted (PS3.8 D.1)."""


class IdentityNotConfirmed(NegotiationError, AssociationError):
    """The peer accepted the association without the response to the user identity that was requested (PS3.7 D.3.3.7)."""


class ProtocolError(DimseError):
    """A message or action is not allowed by the Standard in the current state."""


class LocalProtocolError(ProtocolError):
    """The calling program asked for an action that the Standard does not allow in the current state. Nothing was sent."""


class RemoteProtocolError(ProtocolError, AssociationError):
    """The peer sent something that the Standard does not allow in the current state; the association was aborted.

    Attributes:
        abort_source: The source of the A-ABORT that answers it: 0 service user, 2 service provider.
        abort_reason: The reason of that A-ABORT (`ABORT_REASONS`).
    """

    def __init__(self, message: str, *, abort_source: int = 2, abort_reason: int = 6) -> None:
        super().__init__(message)
        self.abort_source, self.abort_reason = abort_source, abort_reason


class InvalidCommand(RemoteProtocolError):
    """A command set is complete and well framed, but is not a known message.

    Attributes:
        status: The status of the response (PS3.7 Annex C): 0x0211 unrecognized operation, 0x0212 mistyped argument.
        elements: The command elements that could be read, by name (`dimse.message.elements.ELEMENTS`).
    """

    def __init__(self, message: str, *, status: int, elements: dict[str, object]) -> None:
        super().__init__(message, abort_source=0, abort_reason=0)
        self.status, self.elements = status, elements


class InvalidResponse(RemoteProtocolError):
    """The peer sent something that is not a valid response, so the outcome of the request is unknown.

    Attributes:
        awaited: The message whose response was awaited, such as "C-STORE".
        why: The fault in the response.
    """

    def __init__(self, awaited: str, why: str) -> None:
        super().__init__(f"Received an invalid {awaited} response from the peer: {why}", abort_source=0, abort_reason=0)
        self.awaited, self.why = awaited, why


class NotDicomPeer(RemoteProtocolError):
    """The peer does not speak DICOM.

    Attributes:
        heard: The peer's first bytes.
    """

    def __init__(self, heard: bytes) -> None:
        text = heard.split(b"\r")[0].split(b"\n")[0].decode("latin-1")
        what = ", but TLS: both sides have to speak it, or none" if is_tls(heard) else f" (it sent {text!a})"
        super().__init__(f"the peer does not speak DICOM{what}", abort_reason=1)
        self.heard = heard


class OperationTimeout(DimseError, TimeoutError):
    """A wait passed its deadline.

    Attributes:
        wait: The name of the timeout: "connect", "acse", "dimse", "network" or "idle" (`dimse.Timeouts`), or "commitment".
    """

    def __init__(self, wait: str, message: str = "") -> None:
        self.wait = wait
        super().__init__(message or f"{wait} timeout reached")


class AssociationTimeout(OperationTimeout, AssociationError):
    """A wait passed its deadline, and the association was aborted or not established."""


class StatusError(DimseError):
    """A status is neither success nor warning; `Status.check()` raises this.

    Attributes:
        status: The status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class FileError(DimseError):
    """A file that cannot be sent.

    Attributes:
        path: The path of the file, as given.
        reason: The fault, in one line.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


class InaccessiblePath(FileError):
    """A path that was given leads to nothing that can be read."""


class NotSent(DimseError):
    """An instance was not sent although it has no fault: there was no association for it, or the sending was stopped."""


class JournalError(DimseError):
    """The journal of a sending cannot be used."""


class DatabaseError(DimseError):
    """The database of an archive's index cannot be used, or refuses what is to be written.

    Attributes:
        is_of_database: True if the database is full, locked, gone or not an index, so that anything else would fail too.
    """

    def __init__(self, message: str, *, is_of_database: bool = True) -> None:
        super().__init__(message)
        self.is_of_database = is_of_database


class QueryTooLong(DatabaseError):
    """A query of an archive's index took longer than it may."""


class ServerFailed(DimseError):
    """A server can no longer serve: one of its threads has ended or cannot start. `__cause__` is the reason."""


class RefusedContexts(NegotiationError, AssociationError):
    """The peer accepted none of the presentation contexts; the association was aborted.

    Attributes:
        refused: Each refused context in words, with its reason.
    """

    def __init__(self, refused: Sequence[str]) -> None:
        super().__init__("No accepted presentation contexts")
        self.refused = tuple(refused)
