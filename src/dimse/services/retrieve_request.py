"""The request of a C-GET or C-MOVE for a handler, and the answer of a handler of C-MOVE (PS3.4 C.4.2 and C.4.3)."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from dimse.association.association import Arrived
from dimse.data_set.identifier import Identifier
from dimse.services.features import Features
from dimse.services.information_models import InformationModel
from dimse.services.sources import Storable, Transcode
from dimse.settings import Timeouts
from dimse.support.values import field, record, value
from dimse.upper_layer.negotiation import Peer

if TYPE_CHECKING:
    import ssl

    from dimse.settings.tls import TLS


@record
class RetrieveRequest:
    """A C-GET-RQ or C-MOVE-RQ that was received.

    Attributes:
        identifier: The keys, all of them as the peer sent them.
        model: The information model.
        level: The Query/Retrieve Level, one of the model's; empty where the model has none.
        destination: The AE title that a C-MOVE names; empty in a C-GET.
        peer: The peer that asks.
        message_id: The message ID.
        priority: 0 medium, 1 high, 2 low.
        called_ae_title: The AE title that the peer called.
        features: The features that were agreed when the association was established.
        transcode: The conversion of a data set whose transfer syntax is not accepted: "never", "lossless" or "always". The handler
            may set this.
        strict_roles: The handler may set this to True, to fail instances of a C-GET whose class the peer has not negotiated its
            role for. Else they are sent all the same.
        sent: The number of instances that were stored so far.
        not_sent: The number of instances that have failed so far.
        settled: The handler may set this to a function that is called with each instance that it gave, and True if it was stored.
        ended: The handler may set this to a function that is called when no further instance is sent.
    """

    identifier: Identifier
    model: InformationModel
    level: str
    destination: str
    peer: Peer
    message_id: int
    priority: int
    called_ae_title: str
    features: Features
    _arrived: Arrived = field(repr=False)
    transcode: Transcode = "always"
    strict_roles: bool = False
    sent: int = 0
    not_sent: int = 0
    settled: Callable[[Any, bool], object] | None = field(default=None, repr=False)
    ended: Callable[[], object] | None = field(default=None, repr=False)

    @property
    def cancelled(self) -> bool:
        """True once the peer has sent a C-CANCEL for the request."""
        return self._arrived.cancelled


class Gate:
    """The gate of a destination: it admits all requests. A program that limits them gives `MoveTo` another one."""

    def enter(self) -> bool:
        """Return True if another C-MOVE may begin; each that has begun ends with `leave`."""
        return True

    def leave(self, was_away: bool) -> None:
        """Note that a C-MOVE has ended; `was_away` if no association with the destination could be made."""


OPEN_GATE = Gate()


@value
class MoveTo:
    """The answer of a handler of C-MOVE: the instances, and the address of the AE that they go to.

    Attributes:
        address: Host and port of the destination.
        instances: The instances, each as `association.store` takes it.
        called_ae_title: The AE title to call; empty is the one that the request names.
        calling_ae_title: Our AE title; empty is the one that the peer has called.
        timeouts: The deadlines of the association with the destination, in seconds.
        tls: A `dimse.TLS`, or any context of `ssl`, if the destination wants it.
        gate: Is asked before the first association with the destination is requested.
        async_ops: C-STORE requests that may be outstanding on an association with it. 1 negotiates nothing, 0 asks for no limit.
        jobs: Associations with it at a time; the instances of a series go over one of them.
        outlives: True to go on although the peer that has asked is gone.
    """

    address: tuple[str, int]
    instances: Iterable[Storable] | AsyncIterable[Storable]
    called_ae_title: str = ""
    calling_ae_title: str = ""
    timeouts: Timeouts = Timeouts()
    tls: TLS | ssl.SSLContext | None = None
    gate: Gate = OPEN_GATE
    async_ops: int = 1
    jobs: int = 1
    outlives: bool = False
