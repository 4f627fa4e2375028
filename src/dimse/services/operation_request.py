"""A C-FIND, C-GET or C-MOVE that is about to come, as the handler that admits it sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from dimse.support.values import value
from dimse.upper_layer.negotiation import Peer


@value
class OperationRequest:
    """A C-FIND-RQ, C-GET-RQ or C-MOVE-RQ whose identifier has not come yet.

    Attributes:
        service: "find", "get" or "move".
        peer: The peer that asks.
        called_ae_title: The AE title that the peer called.
        destination: The AE title that a C-MOVE names; else empty.
    """

    service: Literal["find", "get", "move"]
    peer: Peer
    called_ae_title: str
    destination: str = ""


AdmitHandler = Callable[[OperationRequest], int | Awaitable[int]]
