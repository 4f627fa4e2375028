"""Security events of a server, which are reported to an observer such as the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from dimse.support.values import value

Kind = Literal["accepted", "ended", "rejected", "unidentified", "turned away", "tls", "protocol", "not authorized"]


@value
class SecurityEvent:
    """A security event of a server.

    Attributes:
        kind: "accepted" or "ended": an association. "rejected" or "unidentified": a request, because of its content or of its user
            identity. "turned away" or "tls": a connection, because of its address or its TLS handshake. "protocol": the peer broke
            the protocol, or spoke another one. "not authorized": a request, because the peer has no right to it.
        peer: Host and port of the peer.
        calling_ae_title: The AE title of the peer; empty if it is not known yet.
        called_ae_title: The AE title that the peer called.
        user: The user name that the peer claims; with "accepted" it has been verified.
        why: The reason in one line; may be empty.
    """

    kind: Kind
    peer: tuple[str, int]
    calling_ae_title: str = ""
    called_ae_title: str = ""
    user: str = ""
    why: str = ""


Observe = Callable[[SecurityEvent], object]


def ignore(event: SecurityEvent) -> None:
    """Ignore an event: the default without an observer."""
