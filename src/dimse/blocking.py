"""The blocking face: the public names of `dimse`, which loads this module on first use.

with dimse.associate("127.0.0.1", 11112, contexts=[dimse.Verification]) as association:
    association.echo()
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from dimse import services
from dimse.association.establishing import Open
from dimse.errors import (
    AssociationAborted,
    AssociationError,
    AssociationRejected,
    AssociationReleased,
    AssociationTimeout,
    ConnectError,
    ConnectionLost,
    DimseError,
    FileError,
    IdentityNotConfirmed,
    InaccessiblePath,
    InvalidResponse,
    JournalError,
    LocalProtocolError,
    NegotiationError,
    NoPresentationContext,
    NotDicomPeer,
    NotSent,
    OperationTimeout,
    ProtocolError,
    ProviderAborted,
    RefusedContexts,
    RemoteProtocolError,
    ServerFailed,
    StatusError,
    TLSConfigurationError,
    TLSError,
    UnusableMaximumLength,
)
from dimse.message.status import Status
from dimse.services import AsyncAssociation
from dimse.services.handlers import EchoRequest, Handlers, StoreRequest
from dimse.services.storage import Outcome, contexts_for
from dimse.services.storage_commitment import Commitment
from dimse.settings import (
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    Limits,
    ProposedContext,
    Role,
    Timeouts,
    UserIdentity,
)
from dimse.transport.threaded import connect, iterate, run
from dimse.uids import Verification
from dimse.upper_layer.negotiation import Peer, PresentationContext
from dimse.version import __version__

__all__ = [
    "TLS",
    "Association",
    "AssociationAborted",
    "AssociationError",
    "AssociationRejected",
    "AssociationReleased",
    "AssociationTimeout",
    "Commitment",
    "CommonExtendedNegotiation",
    "ConnectError",
    "ConnectionLost",
    "DimseError",
    "EchoRequest",
    "ExtendedNegotiation",
    "FileError",
    "Forwarder",
    "Handlers",
    "IdentityNotConfirmed",
    "InaccessiblePath",
    "InvalidResponse",
    "JournalError",
    "Limits",
    "LocalProtocolError",
    "NegotiationError",
    "NoPresentationContext",
    "NotDicomPeer",
    "NotSent",
    "OperationTimeout",
    "Outcome",
    "Peer",
    "PresentationContext",
    "ProposedContext",
    "ProtocolError",
    "ProviderAborted",
    "RefusedContexts",
    "RemoteProtocolError",
    "Role",
    "Server",
    "ServerFailed",
    "Status",
    "StatusError",
    "StoreRequest",
    "TLSConfigurationError",
    "TLSError",
    "TLSSession",
    "Timeouts",
    "UnusableMaximumLength",
    "UserIdentity",
    "Verification",
    "__version__",
    "associate",
    "contexts_for",
    "send",
]

if TYPE_CHECKING:
    from dimse.sending import send
    from dimse.sending.forwarder import Forwarder
    from dimse.serving.server import Server
    from dimse.settings.tls import TLS
    from dimse.transport.tls import TLSSession

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., object])


_LATER = {
    "Forwarder": "dimse.sending.forwarder",
    "Server": "dimse.serving.server",
    "TLS": "dimse.settings.tls",
    "TLSSession": "dimse.transport.tls",
    "send": "dimse.sending",
}


def __getattr__(name: str) -> object:
    """Return a name of `_LATER`, loaded on first use, so that a C-ECHO does not wait for it."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _blocking(
    method: Callable[Concatenate[AsyncAssociation, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Association, P], R]:
    """Return the blocking method that runs `method` to its end."""

    def call(self: Association, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return run(method(self._association, *args, **kwargs))

    return _documented(call, method)


def _iterating(
    method: Callable[Concatenate[AsyncAssociation, P], AsyncIterator[R]],
) -> Callable[Concatenate[Association, P], Iterator[R]]:
    """Return the blocking method that yields the items of `method`."""

    def call(self: Association, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        return iterate(method(self._association, *args, **kwargs))

    return _documented(call, method)


def _documented(call: F, method: Callable[..., object]) -> F:
    call.__name__, call.__doc__ = method.__name__, method.__doc__
    return call


class Association:
    """An association for the calling thread; `associate` makes it.

    Leaving its `with` block releases the association, or aborts it if an exception leaves the block.
    """

    def __init__(self, association: AsyncAssociation) -> None:
        self._association = association

    echo = _blocking(AsyncAssociation.echo)
    store = _blocking(AsyncAssociation.store)
    store_many = _iterating(AsyncAssociation.store_many)
    begin_commitment = _blocking(AsyncAssociation.begin_commitment)
    request_commitment = _blocking(AsyncAssociation.request_commitment)
    serve = _blocking(AsyncAssociation.serve)
    release = _blocking(AsyncAssociation.release)

    def abort(self) -> None:
        """Abort the association (PS3.8 7.3). Any thread may call this, and more than once."""
        self._association.abort()

    @property
    def contexts(self) -> tuple[PresentationContext, ...]:
        """Every proposed presentation context with its result."""
        return self._association.contexts

    @property
    def peer(self) -> Peer:
        """The peer's AE title, address and implementation, as it gives them."""
        return self._association.peer

    @property
    def tls(self) -> TLSSession | None:
        """The TLS version, cipher and certificate of the peer; None on a plain connection."""
        return self._association.tls

    @property
    def identity_response(self) -> bytes | None:
        """The peer's response to our user identity: a ticket, assertion or token, or empty for a user name; None without one."""
        return self._association.identity_response

    @property
    def open(self) -> bool:
        """True while the association is established, as far as this side knows."""
        return self._association.open

    @property
    def connect_seconds(self) -> float:
        """Seconds that opening the transport connection took."""
        return self._association.connect_seconds

    @property
    def negotiate_seconds(self) -> float:
        """Seconds that the peer took to answer the association request."""
        return self._association.negotiate_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(self._association.__aexit__(kind, error, trace))


def _in_this_thread(
    make: Callable[Concatenate[Open, P], Coroutine[Any, Any, AsyncAssociation]],
) -> Callable[P, Association]:
    def associate(*args: P.args, **kwargs: P.kwargs) -> Association:
        return Association(run(make(connect, *args, **kwargs)))

    return _documented(associate, make)


associate = _in_this_thread(services.associate)
