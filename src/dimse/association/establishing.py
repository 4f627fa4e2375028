"""The establishment of an association, on either side: the request and its answer (PS3.8 7.1)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from dimse.association.association import BaseAssociation, Dispatcher
from dimse.association.pump import LOGGER, Buffers, Pump
from dimse.errors import AssociationRejected, ConnectError, ConnectionLost, DimseError
from dimse.logs import About, within
from dimse.settings import Acceptor, Requestor, Timeouts
from dimse.transport.base import Transport, deadline_after
from dimse.upper_layer import negotiation, pdu
from dimse.upper_layer.negotiation import Negotiated
from dimse.upper_layer.provider import UpperLayer

if TYPE_CHECKING:
    import ssl

    from dimse.settings.observer import Observer
    from dimse.settings.tls import TLS, Security

A = TypeVar("A", bound=BaseAssociation)

Deny = Callable[[negotiation.Peer], Collection[str]]
"""A function that returns the abstract syntaxes which a peer may not use."""

Open = Callable[[str, int, float], Awaitable[Transport]]
"""A driver's way to connect: host, port and seconds to a connection."""


# --- as requestor ---


async def request(
    made: type[A],
    open_transport: Open,
    address: tuple[str, int],
    requestor: Requestor,
    timeouts: Timeouts,
    dispatcher: Dispatcher | None = None,
    tls: TLS | ssl.SSLContext | None = None,
    observe: Observer | None = None,
) -> A:
    """Connect to a peer and request an association.

    Args:
        made: The class of the association.
        open_transport: The driver's way to connect.
        address: Host and port of the peer.
        requestor: The parameters of the association.
        timeouts: In seconds.
        dispatcher: The dispatcher for the peer's own requests; without one they are refused.
        tls: The configuration of TLS; None for a plain connection.
        observe: The functions that are told of it; None for none.

    Raises:
        ConnectError: No transport connection could be made; a `TLSError` if that is for TLS.
        TLSConfigurationError: `tls` cannot be used.
        AssociationRejected: The peer answered A-ASSOCIATE-RJ.
        AssociationError: The peer aborted or vanished instead of answering.
        RefusedContexts: The peer accepted none of the contexts; the association was aborted.
        UnusableMaximumLength: Its maximum length is too small to send anything in.
        OperationTimeout: It did not answer in time.
        RemoteProtocolError: The peer's bytes are not DICOM, or do not answer the request.
    """
    security = None
    if tls is not None:
        from dimse.settings.tls import of_a_requestor

        security = of_a_requestor(tls)
    about = About(address, requestor.calling_ae_title, requestor.called_ae_title)
    with within(about):
        try:
            transport, seconds = await _connect(open_transport, address, timeouts, security)
        except DimseError as error:
            if observe is not None:
                from dimse.association.observing import tell_failed

                tell_failed(observe, about, (time.monotonic() - about.began), error)
            if isinstance(error, ConnectError):
                error.host, error.port = address
            raise
        try:
            return await _request_over(transport, made, about, requestor, timeouts, dispatcher, observe, seconds)
        except ConnectError as error:
            error.host, error.port = address
            raise


async def _connect(
    open_transport: Open, address: tuple[str, int], timeouts: Timeouts, security: Security | None
) -> tuple[Transport, float]:
    """Open a connection, secured if there is a security; return it, and the seconds that it took."""
    LOGGER.info("Requesting Association")
    started = time.monotonic()
    transport = await open_transport(*address, timeouts.connect)
    if security is not None:
        await transport.secure(security, deadline_after(timeouts.connect), host=address[0])
    return transport, time.monotonic() - started


async def _request_over(
    transport: Transport,
    made: type[A],
    about: About,
    requestor: Requestor,
    timeouts: Timeouts,
    dispatcher: Dispatcher | None,
    observe: Observer | None,
    seconds: float,
) -> A:
    """Request an association over a connection, which took so many seconds."""
    upper = UpperLayer(requestor=True, maximum_length=requestor.maximum_length)
    association = made(transport, upper, timeouts, dispatcher, Buffers())
    if observe is not None:
        _watch(association, observe, about, seconds)
    connected = time.monotonic()
    proposal = negotiation.propose(requestor)
    try:
        async with association.operation():
            await _request(association, requestor, proposal)
    except ConnectionLost as error:
        if (turned_away := transport.turned_away()) is not None:
            raise turned_away from error
        raise
    association.connect_seconds = seconds
    association.negotiate_seconds = time.monotonic() - connected
    LOGGER.info("Association Accepted")
    return association


def _watch(association: BaseAssociation, observe: Observer, about: About, seconds: float = 0.0) -> None:
    """Have the events of an association told to an observer."""
    from dimse.association.observing import Observing

    pump = association.pump
    secured = pump.transport.secured
    association.watch(Observing(observe, about, pump.dump, secured=secured, seconds=seconds))


async def _request(association: BaseAssociation, requestor: Requestor, proposal: pdu.AssociateRQ) -> None:
    """Send an A-ASSOCIATE-RQ and wait for its answer."""
    pump = association.pump
    pump.upper_layer.associate_request(proposal)
    pump.upper_layer.transport_opened()
    if pump.dump:
        pump.dump.pdu(proposal, outgoing=True)
    await pump.send_owed()
    pump.receiver.when_accepted = partial(_conclude, association, requestor, proposal)
    deadline = deadline_after(pump.timeouts.acse)
    while pump.lifecycle.answer is None:
        await pump.receive(deadline, "acse")
    if isinstance(pump.lifecycle.answer, pdu.AssociateRJ):
        rejection = pump.lifecycle.answer
        raise AssociationRejected(rejection.result, rejection.source, rejection.reason)
    pump.receiver.when_accepted = None
    # The state machine lets nothing else through in Sta5.
    assert isinstance(pump.lifecycle.answer, pdu.AssociateAC)


def _conclude(
    association: BaseAssociation, requestor: Requestor, proposal: pdu.AssociateRQ, accept: pdu.AssociateAC
) -> None:
    """Take the A-ASSOCIATE-AC as soon as it arrives: a message may follow in the same bytes."""
    _log_tolerated(accept)
    negotiated = negotiation.conclude(requestor, proposal, accept)
    _log_tolerated(negotiated)
    association.agree(negotiated, is_requestor=True)


# --- as acceptor ---


async def accept(
    made: type[A],
    transport: Transport,
    upper_layer: UpperLayer,
    request: pdu.AssociateRQ,
    acceptor: Acceptor,
    timeouts: Timeouts,
    dispatcher: Dispatcher,
    buffers: Buffers,
    identified: bytes | None = None,
    observe: Observer | None = None,
    deny: Deny | None = None,
) -> A | None:
    """Answer an A-ASSOCIATE-RQ that has arrived.

    Args:
        made: The class of the association.
        transport: The connection that the request came on.
        upper_layer: The protocol machine that took it in.
        request: The A-ASSOCIATE-RQ.
        acceptor: The parameters that we accept.
        timeouts: In seconds.
        dispatcher: The dispatcher for the peer's requests.
        buffers: Memory to receive into, shared by all associations of a server.
        identified: The answer to the request's user identity, which was verified; None if it was not looked at.
        observe: The functions that are told of it; None for none.
        deny: Returns the abstract syntaxes that the peer may not use; None denies nothing.

    Returns:
        The association, or None if the request was rejected; then the connection is closed.

    Raises:
        UnusableMaximumLength: The requestor's maximum length is too small to answer in; the association was aborted.
        AssociationError: The peer vanished.
    """
    association = made(transport, upper_layer, timeouts, dispatcher, buffers)
    pump = association.pump
    if observe is not None and pump.about is not None:
        _watch(association, observe, pump.about)
    async with association.operation():
        if pump.dump:
            pump.dump.pdu(request, outgoing=False)
        _log_tolerated(request)
        pump.lifecycle.answer = request
        denied: Collection[str] = ()
        if deny is not None:
            requestor = negotiation.Peer(
                request.calling_ae_title, address=transport.peer_address, fingerprint=transport.peer_fingerprint
            )
            denied = deny(requestor)
        answer = negotiation.answer(acceptor, request, identified, denied)
        if isinstance(answer, pdu.AssociateRJ):
            await _respond(pump, answer)
            LOGGER.info("Rejecting Association")
            await pump.linger()
            pump.close()
            return None
        accepted, negotiated = answer
        LOGGER.info("Accepting Association")
        _log_tolerated(negotiated)
        association.agree(negotiated, is_requestor=False)
        await _respond(pump, accepted)
    return association


async def _respond(pump: Pump, response: pdu.AssociateAC | pdu.AssociateRJ) -> None:
    if pump.dump:
        pump.dump.pdu(response, outgoing=True)
    pump.upper_layer.associate_response(response)
    await pump.send_owed()


def _log_tolerated(said: pdu.AssociateRQ | pdu.AssociateAC | Negotiated) -> None:
    """Log each fault of the peer that was tolerated; they are few, and escaped."""
    for oddity in said.oddities:
        LOGGER.info("Tolerated: %s", oddity)
