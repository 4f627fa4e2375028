"""The services of PS3.4, a module for each with its SCU and its SCP; and an association that has them all."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dimse.association import establishing
from dimse.association.association import BaseAssociation, Dispatcher
from dimse.association.establishing import Open
from dimse.services import verification
from dimse.settings import (
    MAXIMUM_SEND_LENGTH,
    REQUESTOR_MAXIMUM_LENGTH,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    ProposedContext,
    Requestor,
    Role,
    Timeouts,
    UserIdentity,
    arguments,
)
from dimse.settings.keywords import gathering, taking_remote
from dimse.support.later import Later
from dimse.support.values import value

if TYPE_CHECKING:
    import ssl

    from dimse.services import query, retrieve, storage, storage_commitment, storage_commitment_scp, store_many
    from dimse.settings.observer import Observer
    from dimse.settings.remote import Remote
    from dimse.settings.tls import TLS


def _later(module: str, name: str) -> Any:
    """Return a method that is a function of a module of this package, which is loaded when it is first used."""
    return Later(lambda: getattr(import_module(f"dimse.services.{module}"), name))


class Association(BaseAssociation):
    """An association with the operations of every service as methods.

    As an asynchronous context manager it is released at the end, and aborted if the block is left by an exception.
    """

    echo = verification.echo
    if TYPE_CHECKING:
        store = storage.store
        store_many = store_many.store_many
        begin_commitment = storage_commitment.begin_commitment
        request_commitment = storage_commitment.request_commitment
        report_commitment = storage_commitment_scp.report_commitment
        find = query.find
        get = retrieve.get
        move = retrieve.move
        get_instances = retrieve.get_instances
    else:
        store = _later("storage", "store")
        store_many = _later("store_many", "store_many")
        begin_commitment = _later("storage_commitment", "begin_commitment")
        request_commitment = _later("storage_commitment", "request_commitment")
        report_commitment = _later("storage_commitment_scp", "report_commitment")
        find = _later("query", "find")
        get = _later("retrieve", "get")
        move = _later("retrieve", "move")
        get_instances = _later("retrieve", "get_instances")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An operation is under way where its user has left the loop over its outcomes, and Python has not ended it yet.
        if error is None and (not self.pump.busy or self.pump.abandoned is not None):
            await self.release()
        else:
            self.abort()


@taking_remote
@gathering("requestor", Requestor)
async def associate(
    open_transport: Open,
    host: str | Remote,
    port: int | None = None,
    *,
    requestor: Requestor | None = None,
    contexts: Iterable[str | tuple[str, Iterable[str]] | ProposedContext] = (),
    calling_ae_title: str = "DIMSE",
    called_ae_title: str = "ANY-SCP",
    maximum_length: int = REQUESTOR_MAXIMUM_LENGTH,
    maximum_send_length: int = MAXIMUM_SEND_LENGTH,
    roles: Iterable[Role] = (),
    extended: Iterable[ExtendedNegotiation] = (),
    common_extended: Iterable[CommonExtendedNegotiation] = (),
    identity: UserIdentity | None = None,
    async_ops: int = 1,
    timeouts: Timeouts = Timeouts(),
    tls: TLS | ssl.SSLContext | None = None,
    handlers: Dispatcher | None = None,
    observe: Observer | None = None,
) -> Association:
    """Connect to a peer and request an association (PS3.8 7.1).

    Args:
        host: The peer's name, IPv4 or IPv6 address; or a `Remote`, which stands for host, port and the keywords of its fields. A
            keyword that is given beside it wins.
        port: Its port, 1 to 65535; left out with a `Remote`.
        requestor: The parameters of the association in one object, for programs that use them again. A keyword that is given beside
            it wins.
        contexts: The presentation contexts to propose, at most 128. Each is a SOP class (with the four uncompressed and deflated
            transfer syntaxes), a SOP class with its transfer syntaxes, or a `ProposedContext`. A SOP class or transfer syntax is
            given by its UID or by its keyword in PS3.6.
        calling_ae_title: Our AE title, 1 to 16 characters.
        called_ae_title: The AE title of the peer.
        maximum_length: The largest P-DATA-TF PDU that we receive, in bytes; 0 is unlimited.
        maximum_send_length: Our cap, in bytes, on what we send below the peer's maximum.
        roles: SCU and SCP roles to propose (PS3.7 D.3.3.4).
        extended: Service-class application information to propose (PS3.7 D.3.3.5).
        common_extended: Service classes and related general SOP classes to propose (PS3.7 D.3.3.6).
        identity: The user identity to propose (PS3.7 D.3.3.7); None proposes none.
        async_ops: Operations that may be outstanding at one time (PS3.7 D.3.3.3); 1 negotiates nothing, 0 asks for no limit.
        timeouts: The deadlines of the association, in seconds.
        tls: A `dimse.TLS`, or any context of `ssl`; None for a plain connection.
        handlers: The functions that answer the peer's own requests; without them these are refused.
        observe: The functions that are told of the connection, of the association and of its messages; None for none.

    Returns:
        The association. Leaving its `with` block releases it, or aborts it if the block is left by an exception.

    Every error that means that there is no association is an `AssociationError`.

    Raises:
        TypeError: An argument is of the wrong type; nothing was sent.
        ValueError: An argument is outside of what the Standard allows; nothing was sent.
        ConnectError: No transport connection could be made; a `TLSError` if that is for TLS.
        TLSConfigurationError: `tls` cannot be used.
        AssociationRejected: The peer answered A-ASSOCIATE-RJ.
        AssociationError: The peer aborted or vanished instead of answering.
        RefusedContexts: The peer accepted none of the contexts; the association was aborted.
        IdentityNotConfirmed: The peer accepted the association without answering the identity, though that was asked for.
        UnusableMaximumLength: The peer's maximum length is too small to send anything in.
        OperationTimeout: The peer did not answer in time.
        RemoteProtocolError: The peer's answer is not DICOM, or does not fit the request.
    """
    # `taking_remote` has taken a remote apart.
    address = arguments.host_and_port("associate", (host, port))
    # `gathering` has made it of the keywords.
    assert requestor is not None
    return await Terms(requestor, timeouts, tls, observe).request(open_transport, address, handlers)


@value
class Terms:
    """The arguments of `associate` but for the address and the handlers, checked.

    Attributes:
        requestor: The parameters of the association.
        timeouts: Its deadlines, in seconds.
        tls: A `dimse.TLS`, or any context of `ssl`; None for a plain connection.
        observe: The functions that are told of it; None for none.

    Raises:
        TypeError: One of them is of the wrong type.
        TLSConfigurationError: `tls` cannot be used.
    """

    requestor: Requestor
    timeouts: Timeouts = Timeouts()
    tls: TLS | ssl.SSLContext | None = None
    observe: Observer | None = None

    def __post_init__(self) -> None:
        arguments.instance_of("timeouts", self.timeouts, Timeouts, "timeouts=dimse.Timeouts(acse=5)")
        if self.tls is not None:
            from dimse.settings.tls import validate

            validate(self.tls)
        if self.observe is not None:
            from dimse.settings.observer import Observer

            arguments.instance_of("observe", self.observe, Observer, "observe=dimse.Observer(message=print)")

    async def request(
        self, open_transport: Open, address: tuple[str, int], handlers: Dispatcher | None = None
    ) -> Association:
        """Connect to the peer at `address` and request an association; the errors are those of `associate`."""
        return await establishing.request(
            Association, open_transport, address, self.requestor, self.timeouts, handlers, self.tls, self.observe
        )
