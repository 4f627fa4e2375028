"""Observers: functions of a program that are told of connections, associations and messages, with times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from dimse.support.values import value

if TYPE_CHECKING:
    from dimse.errors import DimseError
    from dimse.logs.security_events import SecurityEvent


@value
class ConnectionEvent:
    """A transport connection that was opened, could not be opened, or was closed.

    Attributes:
        kind: "opened", "failed" or "closed".
        association: The number of the association in this process, as in the log; all events of one have the same.
        peer: Host and port of the peer: as given for a requestor, numeric for a server.
        at: The moment, in seconds since 1970.
        seconds: With "opened" and "failed", the seconds that connecting took, with a TLS handshake; 0 on a server. With "closed",
            the seconds for which the connection was open.
        secured: True if it is over TLS.
        sent_bytes: With "closed", the bytes of PDUs that were sent.
        error: With "failed", the reason.
    """

    kind: Literal["opened", "failed", "closed"]
    association: int
    peer: tuple[str, int]
    at: float
    seconds: float = 0.0
    secured: bool = False
    sent_bytes: int = 0
    error: DimseError | None = None


@value
class AssociationEvent:
    """A step in the life of an association.

    Attributes:
        kind: "requested", then "accepted" or "rejected"; at the end "released" or "aborted". An association that is not
            established for another reason than a rejection is "aborted".
        association: The number of the association in this process, as in the log.
        peer: Host and port of the peer: as given for a requestor, numeric for a server.
        calling_ae_title: The AE title of the requestor.
        called_ae_title: The AE title that it called.
        at: The moment, in seconds since 1970.
        seconds: The seconds since "requested".
        error: With "aborted", the reason; None for an abort by the program itself.
    """

    kind: Literal["requested", "accepted", "rejected", "released", "aborted"]
    association: int
    peer: tuple[str, int]
    calling_ae_title: str
    called_ae_title: str
    at: float
    seconds: float = 0.0
    error: DimseError | None = None


@value
class MessageEvent:
    """A DIMSE message: one that is about to be sent, or one that has been received whole.

    C-CANCEL-RQ messages that are sent are left out.

    Attributes:
        kind: "sent" or "received".
        association: The number of the association in this process, as in the log.
        name: The name of the message in the Standard: "C-STORE-RQ".
        message_id: The message ID; of a response that of its request.
        context_id: The ID of the presentation context.
        sop_class_uid: The SOP Class UID in the message; empty if it has none.
        sop_instance_uid: The SOP Instance UID in the message; empty if it has none.
        status: The status of a response; None for a request.
        at: The moment, in seconds since 1970.
        seconds: For a response, the seconds since its request was about to be sent or had been received; 0 for a request.
    """

    kind: Literal["sent", "received"]
    association: int
    name: str
    message_id: int
    context_id: int
    sop_class_uid: str
    sop_instance_uid: str
    status: int | None
    at: float
    seconds: float = 0.0


@value
class Observer:
    """The functions that are told of an association. None in place of a function costs nothing.

    A function is called in the thread or on the event loop where the event happens. So it has to return soon, and must not use
    the association. An exception that it raises is a line in the log.

    Attributes:
        connection: Takes each `ConnectionEvent`.
        association: Takes each `AssociationEvent`.
        message: Takes each `MessageEvent`.
        security: Takes each `SecurityEvent` of a server; a requestor has none.

    Raises:
        TypeError: One of them is not a function.
    """

    connection: Callable[[ConnectionEvent], object] | None = None
    association: Callable[[AssociationEvent], object] | None = None
    message: Callable[[MessageEvent], object] | None = None
    security: Callable[[SecurityEvent], object] | None = None

    def __post_init__(self) -> None:
        for name in ("connection", "association", "message", "security"):
            function: object = getattr(self, name)
            if function is not None and not callable(function):
                raise TypeError(f"{name} is a function that takes an event, not {function!r}")
