"""The blocking face: the public names of `dimse`, which loads this module on first use.

with dimse.associate("127.0.0.1", 11112, contexts=[dimse.Verification]) as association:
    association.echo()
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial, update_wrapper
from importlib import import_module
from types import FunctionType, TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, cast

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
from dimse.settings import (
    Acceptor,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    Limits,
    ProposedContext,
    Requestor,
    Role,
    Timeouts,
    UserIdentity,
)
from dimse.support.later import Later
from dimse.transport.threaded import connect, iterate, run
from dimse.uids import Verification
from dimse.upper_layer.negotiation import Peer, PresentationContext
from dimse.version import __version__

__all__ = [
    "TLS",
    "Acceptor",
    "Association",
    "AssociationAborted",
    "AssociationError",
    "AssociationEvent",
    "AssociationRejected",
    "AssociationReleased",
    "AssociationTimeout",
    "Commitment",
    "CommitmentRequest",
    "CommonExtendedNegotiation",
    "ConnectError",
    "ConnectionEvent",
    "ConnectionLost",
    "DimseError",
    "EchoRequest",
    "ExtendedNegotiation",
    "Features",
    "FileError",
    "FindRequest",
    "Forwarder",
    "Handlers",
    "IdentityNotConfirmed",
    "InaccessiblePath",
    "InvalidResponse",
    "JournalError",
    "Limits",
    "LocalProtocolError",
    "Match",
    "MessageEvent",
    "MoveTo",
    "NegotiationError",
    "NoPresentationContext",
    "NotDicomPeer",
    "NotSent",
    "Observer",
    "OperationRequest",
    "OperationTimeout",
    "Outcome",
    "Peer",
    "Port",
    "PresentationContext",
    "Progress",
    "ProposedContext",
    "ProtocolError",
    "ProviderAborted",
    "RefusedContexts",
    "Remote",
    "RemoteProtocolError",
    "ReportLater",
    "Requestor",
    "RetrieveRequest",
    "Retrieved",
    "Role",
    "SecurityEvent",
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
    "contexts_for_get",
    "retrieve",
    "send",
]

if TYPE_CHECKING:
    from dimse.logs.security_events import SecurityEvent
    from dimse.retrieving import retrieve
    from dimse.sending import send
    from dimse.sending.forwarder import Forwarder
    from dimse.services.associating import Associate
    from dimse.services.features import Features
    from dimse.services.handlers import EchoRequest, Handlers, StoreRequest
    from dimse.services.operation_request import OperationRequest
    from dimse.services.outcome import Outcome
    from dimse.services.query import Finding, FindRequest, Match
    from dimse.services.responses import Responses
    from dimse.services.retrieve import Progress, Retrieved, Retrieving, RetrievingInstances
    from dimse.services.retrieve_contexts import contexts_for_get
    from dimse.services.retrieve_scp import MoveTo, RetrieveRequest
    from dimse.services.storage import contexts_for
    from dimse.services.storage_commitment import Commitment
    from dimse.services.storage_commitment_scp import CommitmentRequest, ReportLater
    from dimse.serving.ports import Port
    from dimse.serving.server import Server
    from dimse.settings.observer import AssociationEvent, ConnectionEvent, MessageEvent, Observer
    from dimse.settings.remote import Remote
    from dimse.settings.tls import TLS
    from dimse.transport.tls import TLSSession

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., object])


_LATER = {
    "contexts_for_get": "dimse.services.retrieve_contexts",
    "Retrieved": "dimse.services.retrieve",
    "Progress": "dimse.services.retrieve",
    "RetrieveRequest": "dimse.services.retrieve_scp",
    "MoveTo": "dimse.services.retrieve_scp",
    "Commitment": "dimse.services.storage_commitment",
    "CommitmentRequest": "dimse.services.storage_commitment_scp",
    "ReportLater": "dimse.services.storage_commitment_scp",
    "EchoRequest": "dimse.services.handlers",
    "Features": "dimse.services.features",
    "FindRequest": "dimse.services.query",
    "Forwarder": "dimse.sending.forwarder",
    "Handlers": "dimse.services.handlers",
    "Match": "dimse.services.query",
    "AssociationEvent": "dimse.settings.observer",
    "ConnectionEvent": "dimse.settings.observer",
    "MessageEvent": "dimse.settings.observer",
    "Observer": "dimse.settings.observer",
    "Remote": "dimse.settings.remote",
    "SecurityEvent": "dimse.logs.security_events",
    "OperationRequest": "dimse.services.operation_request",
    "Outcome": "dimse.services.outcome",
    "Port": "dimse.serving.ports",
    "Server": "dimse.serving.server",
    "StoreRequest": "dimse.services.handlers",
    "TLS": "dimse.settings.tls",
    "TLSSession": "dimse.transport.tls",
    "contexts_for": "dimse.services.storage",
    "retrieve": "dimse.retrieving",
    "send": "dimse.sending",
}


def __getattr__(name: str) -> object:
    """Return a name of `_LATER`, loaded on first use, so that a C-ECHO does not wait for it."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _blocking(
    find: Callable[[], Callable[Concatenate[services.Association, P], Coroutine[Any, Any, R]]],
) -> Callable[Concatenate[Association, P], R]:
    """Return the blocking method that runs the method which `find` returns to its end."""

    def made() -> Callable[Concatenate[Association, P], R]:
        method = find()

        def call(self: Association, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return run(method(self._association, *args, **kwargs))

        return _documented(call, method, method)

    return cast("Callable[Concatenate[Association, P], R]", Later(made))


def _iterating(
    find: Callable[[], Callable[Concatenate[services.Association, P], AsyncIterator[R]]],
) -> Callable[Concatenate[Association, P], Iterator[R]]:
    """Return the blocking method that yields the items of the method which `find` returns."""

    def made() -> Callable[Concatenate[Association, P], Iterator[R]]:
        method = find()

        def call(self: Association, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
            return iterate(method(self._association, *args, **kwargs))

        return _documented(call, method, _returning("Iterator[Outcome]", method))

    return cast("Callable[Concatenate[Association, P], Iterator[R]]", Later(made))


def _documented(call: F, method: Callable[..., object], shown: Callable[..., object]) -> F:
    """Give `call` the name and docstring of `method`, and to `inspect` the signature of `shown`."""
    call.__name__, call.__doc__ = method.__name__, method.__doc__
    update_wrapper(call, shown, assigned=(), updated=())
    return call


def _returning(annotation: str, method: Callable[..., object]) -> FunctionType:
    """Return a function with the signature of `method`, except that it returns what `annotation` says."""
    assert isinstance(method, FunctionType)
    shown = FunctionType(method.__code__, method.__globals__, method.__name__, method.__defaults__)
    shown.__kwdefaults__ = method.__kwdefaults__
    shown.__annotations__ = method.__annotations__ | {"return": annotation}
    return shown


Item = TypeVar("Item")


class Items(Iterator[Item]):
    """An operation with many responses under way: an iterator of their contents, and a context manager.

    A loop may be left early. Then `close`, the end of the `with` block, or the deletion of the iterator sends C-CANCEL and drops
    the responses to come.
    """

    def __init__(self, responses: Responses[Item]) -> None:
        self._responses = responses
        self._items = iterate(responses)

    def __next__(self) -> Item:
        return next(self._items)

    def cancel(self) -> None:
        """Send C-CANCEL; the iterator goes on to the final response, which has to come within the DIMSE timeout."""
        run(self._responses.cancel())

    def cancel_soon(self) -> None:
        """Have the thread that iterates send C-CANCEL, within half a second; from any thread and a signal handler."""
        self._responses.cancel_soon()

    def close(self) -> None:
        """End the operation: if it is under way, send C-CANCEL and drop the responses up to the final one."""
        run(self._responses.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Matches(Items["Match"]):
    """A C-FIND under way: an iterator of its matches, and a context manager."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding)
        self._finding = finding

    @property
    def status(self) -> Status | None:
        """The status of the final response; None before it has come."""
        return self._finding.status

    @property
    def offending_elements(self) -> tuple[int, ...]:
        """The tags of the keys that the peer has refused, where it names them."""
        return self._finding.offending_elements

    @property
    def features(self) -> Features:
        """The features of the query that the peer has accepted."""
        return self._finding.features


class Retrieval(Items["Progress"]):
    """A C-GET or C-MOVE under way: an iterator of its progress, and a context manager."""

    def __init__(self, retrieving: Retrieving) -> None:
        super().__init__(retrieving)
        self._retrieving = retrieving

    @property
    def message_id(self) -> int:
        """The message ID of the request, which the C-STOREs of a C-MOVE name (`StoreRequest.move_originator`)."""
        return self._retrieving.request.message_id

    @property
    def result(self) -> Retrieved | None:
        """The end of the retrieval; None before it has come."""
        return self._retrieving.result

    @property
    def features(self) -> Features:
        """The features of the retrieval that the peer has agreed to."""
        return self._retrieving.features


class Instances(Items["StoreRequest"]):
    """A C-GET under way: an iterator of the instances that it brings, and a context manager."""

    def __init__(self, retrieving: RetrievingInstances) -> None:
        super().__init__(retrieving)
        self._retrieving = retrieving

    @property
    def result(self) -> Retrieved | None:
        """The end of the retrieval; None before it has come."""
        return self._retrieving.result


Made = TypeVar("Made")


def _made_of(
    kind: Callable[[Made], R], find: Callable[[], Callable[Concatenate[services.Association, P], Made]]
) -> Callable[Concatenate[Association, P], R]:
    """Return the blocking method that makes a `kind` of the result of the method which `find` returns."""

    def made() -> Callable[Concatenate[Association, P], R]:
        method = find()

        def call(self: Association, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return kind(method(self._association, *args, **kwargs))

        return _documented(call, method, _returning(cast(Any, kind).__name__, method))

    return cast("Callable[Concatenate[Association, P], R]", Later(made))


class Association:
    """An association for the calling thread; `associate` makes it.

    Leaving its `with` block releases the association, or aborts it if an exception leaves the block.
    """

    def __init__(self, association: services.Association) -> None:
        self._association = association

    echo = _blocking(lambda: services.Association.echo)
    store = _blocking(lambda: services.Association.store)
    store_many = _iterating(lambda: services.Association.store_many)
    begin_commitment = _blocking(lambda: services.Association.begin_commitment)
    request_commitment = _blocking(lambda: services.Association.request_commitment)
    report_commitment = _blocking(lambda: services.Association.report_commitment)
    find = _made_of(Matches, lambda: services.Association.find)
    get = _made_of(Retrieval, lambda: services.Association.get)
    move = _made_of(Retrieval, lambda: services.Association.move)
    get_instances = _made_of(Instances, lambda: services.Association.get_instances)
    cancel = _blocking(lambda: services.Association.cancel)
    serve = _blocking(lambda: services.Association.serve)
    release = _blocking(lambda: services.Association.release)

    def __repr__(self) -> str:
        return f"<dimse.Association {self._association.description}>"

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
    make: Callable[Concatenate[Open, P], Coroutine[Any, Any, services.Association]],
) -> Callable[P, Association]:
    """Make a function that requests an association and returns it, for the calling thread."""

    def associate(*args: P.args, **kwargs: P.kwargs) -> Association:
        return Association(run(make(connect, *args, **kwargs)))

    return _documented(associate, make, partial(make, connect))


# A type checker is shown its two forms.
associate = cast("Associate[Association]", _in_this_thread(services.associate))
