"""What befalls a server that bears on who may do what: told to whoever observes it, an audit trail for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from dimse.support.values import value

Kind = Literal["accepted", "ended", "rejected", "unidentified", "turned away", "tls", "protocol"]


@value
class Happening:
    """One of the things that happened.

    Attributes:
        kind: "accepted": an association stands; "ended": it does so no more. "rejected": a request was, for what it asked;
            "unidentified": for its user identity. "turned away": a connection, for where it comes from; "tls": for its handshake.
            "protocol": the peer broke the protocol, or spoke none.
        peer: Host and port.
        calling_ae_title: What the peer calls itself; empty where it has not said so.
        called_ae_title: Whom it calls.
        user: Who it says it is; with "accepted", who that is.
        why: In one line; empty where there is nothing to say.
    """

    kind: Kind
    peer: tuple[str, int]
    calling_ae_title: str = ""
    called_ae_title: str = ""
    user: str = ""
    why: str = ""


Observe = Callable[[Happening], None]


def ignore(happening: Happening) -> None:
    """Nobody observes."""
