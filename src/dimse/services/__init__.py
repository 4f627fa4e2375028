"""The services of PS3.4, one module each, its SCU and SCP halves in the same room; and an association that has them all."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dimse.association import establishing
from dimse.association.association import Association, Dispatcher
from dimse.association.establishing import Open
from dimse.services import storage, storage_commitment, verification
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

if TYPE_CHECKING:
    import ssl

    from dimse.settings.tls import TLS


class AsyncAssociation(Association):
    """An association with the operations of every service as methods.

    As an asynchronous context manager it is released at the end, and aborted if the block is left by an exception.
    """

    echo = verification.echo
    store = storage.store
    store_many = storage.store_many
    begin_commitment = storage_commitment.begin_commitment
    request_commitment = storage_commitment.request_commitment

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An operation is under way where its user has left the loop over its outcomes, and Python has not ended it yet.
        if error is None and not self.pump.busy:
            await self.release()
        else:
            self.abort()


async def associate(
    open_transport: Open,
    host: str,
    port: int,
    *,
    contexts: Iterable[str | tuple[str, Iterable[str]] | ProposedContext],
    calling_ae_title: str = "DIMSE",
    called_ae_title: str = "ANY-SCP",
    timeouts: Timeouts = Timeouts(),  # noqa: B008  (frozen)
    maximum_length: int = REQUESTOR_MAXIMUM_LENGTH,
    maximum_send_length: int = MAXIMUM_SEND_LENGTH,
    tls: TLS | ssl.SSLContext | None = None,
    roles: Iterable[Role] = (),
    extended: Iterable[ExtendedNegotiation] = (),
    common_extended: Iterable[CommonExtendedNegotiation] = (),
    identity: UserIdentity | None = None,
    async_ops: int = 1,
    handlers: Dispatcher | None = None,
) -> AsyncAssociation:
    """Connect to a peer and request an association (PS3.8 7.1).

    Args:
        host: The peer's name, IPv4 or IPv6 address.
        port: Its port, 1 to 65535.
        contexts: The presentation contexts to propose, at most 128. Each is a SOP class (with the four uncompressed and deflated
            transfer syntaxes), a SOP class with its transfer syntaxes, or a `ProposedContext`. A SOP class or transfer syntax is
            given by its UID or by its keyword in PS3.6.
        calling_ae_title: Our AE title, 1 to 16 characters.
        called_ae_title: The peer's.
        timeouts: In seconds.
        maximum_length: The largest P-DATA-TF PDU that we receive, in bytes; 0 is unlimited.
        maximum_send_length: Our cap, in bytes, on what we send below the peer's maximum.
        tls: How to speak TLS, a `dimse.TLS` or any context of `ssl`; None for a plain connection.
        roles: SCU and SCP roles to propose.
        extended: Service-class application information to propose.
        common_extended: Service classes and related general SOP classes to propose.
        identity: Who asks.
        async_ops: Operations that may be outstanding at one time; 1 negotiates nothing, 0 asks for no limit.
        handlers: What answers the peer's own requests; without it they are refused.

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
        RefusedContexts: It accepted none of the contexts; the association was aborted.
        IdentityNotConfirmed: It accepted the association, and did not answer the identity though that was asked for.
        UnusableMaximumLength: Its maximum length is too small to send anything in.
        OperationTimeout: It did not answer in time.
        RemoteProtocolError: What it said is no DICOM, or no answer to what was asked.
    """
    address = arguments.host_and_port("associate", (host, port))
    requestor = requestor_of(
        contexts,
        timeouts=timeouts,
        tls=tls,
        calling_ae_title=calling_ae_title,
        called_ae_title=called_ae_title,
        maximum_length=maximum_length,
        maximum_send_length=maximum_send_length,
        roles=roles,
        extended=extended,
        common_extended=common_extended,
        identity=identity,
        async_ops=async_ops,
    )
    return await establishing.request(AsyncAssociation, open_transport, address, requestor, timeouts, handlers, tls)


def requestor_of(
    contexts: Iterable[str | tuple[str, Iterable[str]] | ProposedContext],
    *,
    timeouts: Timeouts = Timeouts(),  # noqa: B008  (frozen)
    tls: TLS | ssl.SSLContext | None = None,
    roles: Iterable[Role] = (),
    extended: Iterable[ExtendedNegotiation] = (),
    common_extended: Iterable[CommonExtendedNegotiation] = (),
    identity: UserIdentity | None = None,
    **others: Any,
) -> Requestor:
    """Check the arguments of `associate` but for the address, and return what an association is requested with.

    Raises:
        TypeError, ValueError: As `associate`.
    """
    arguments.instance_of("timeouts", timeouts, Timeouts, "timeouts=dimse.Timeouts(acse=5)")
    if identity is not None:
        arguments.instance_of("identity", identity, UserIdentity, 'identity=dimse.UserIdentity(1, b"user")')
    if tls is not None:
        from dimse.settings.tls import validate

        validate(tls)
    roles = arguments.many("roles", roles, "roles=[dimse.Role(...)]")
    for role in roles:
        arguments.instance_of("each of roles", role, Role, "roles=[dimse.Role(...)]")
    return Requestor(
        contexts=tuple(
            proposed(context) for context in arguments.many("contexts", contexts, "contexts=[dimse.Verification]")
        ),
        roles=roles,
        extended=tuple(extended),
        common_extended=tuple(common_extended),
        identity=identity,
        **others,
    )


def proposed(context: str | tuple[str, Iterable[str]] | ProposedContext) -> ProposedContext:
    """Return the presentation context that one of the short forms of `associate` stands for.

    Raises:
        TypeError: It is none of these forms.
        ValueError: A UID or keyword in it is not known, or it has no transfer syntax.
    """
    match context:
        case ProposedContext():
            return context
        case str():
            return ProposedContext(arguments.uid("contexts", context))
        case (str(abstract_syntax), transfer_syntaxes):
            syntaxes = arguments.many(
                "the transfer syntaxes of a context", transfer_syntaxes, "(CTImageStorage, [ExplicitVRLittleEndian])"
            )
            return ProposedContext(
                arguments.uid("contexts", abstract_syntax),
                tuple(arguments.uid("contexts", syntax) for syntax in syntaxes),
            )
        case _:
            raise TypeError(
                "a context is a SOP class, a SOP class with its transfer syntaxes, or a dimse.ProposedContext, not"
                f" {context!r}"
            )
