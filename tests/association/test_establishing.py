"""An association from its request to its release, and requests that come to nothing, on each driver."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.errors import (
    AssociationAborted,
    AssociationRejected,
    AssociationReleased,
    ConnectError,
    ConnectionLost,
    DimseError,
    NegotiationError,
    NotDicomPeer,
    RefusedContexts,
    RemoteProtocolError,
)
from dimse.message.command import CEchoRQ
from dimse.services import Association
from dimse.settings import Timeouts
from tests.association.peers import (
    serve,
    timeouts,
)
from tests.drivers import (
    LOOPBACK,
    Driver,
    on_each_driver,
    open_descriptors,
    until_it_ends,
)
from tests.faulty_peer import (
    A_ABORT,
    A_ASSOCIATE_RJ,
    A_ASSOCIATE_RQ,
    A_RELEASE_RP,
    A_RELEASE_RQ,
    MESSAGE_ID,
    P_DATA_TF,
    Connection,
    FaultyPeer,
    pdu,
)

# --- from request to release ---


@on_each_driver
async def test_an_association_is_requested_used_and_released(driver: Driver) -> None:
    peer = FaultyPeer(serve)
    with peer as port:
        async with await driver.associate(port, called_ae_title="THEM", calling_ae_title="US") as association:
            assert association.peer.ae_title == "THEM"
            assert association.peer.implementation_version_name == "FAULTY_PEER"
            assert association.peer.address == (LOOPBACK, port)
            assert [context.accepted for context in association.contexts] == [True, True]
            assert association.connect_seconds > 0 and association.negotiate_seconds > 0
            assert await association.echo() == 0
        assert not association.open
        await association.release()  # again: nothing happens
        association.abort()
        with pytest.raises(AssociationReleased):
            await association.echo()
    [connection] = peer.connections
    assert connection.pdu_types == [A_ASSOCIATE_RQ, P_DATA_TF, A_RELEASE_RQ]
    assert connection.end == "FIN"
    assert connection.called_and_calling[:32] == b"THEM            US              "
    assert not connection.faults


@on_each_driver
async def test_without_limits_of_time_it_works_too(driver: Driver) -> None:
    with FaultyPeer(serve) as port:
        async with await driver.associate(port, timeouts=Timeouts(0, 0, 0, 0, 0)) as association:
            assert await association.echo() == 0


@on_each_driver
async def test_leaving_by_an_exception_aborts(driver: Driver) -> None:
    peer = FaultyPeer(serve)
    with peer as port:
        with pytest.raises(KeyError, match="mine"):
            async with await driver.associate(port) as association:
                raise KeyError("mine")
        assert not association.open
        with pytest.raises(AssociationAborted):
            await association.echo()
    [connection] = peer.connections
    assert connection.pdu_types == [A_ASSOCIATE_RQ, A_ABORT]
    assert connection.abort == (0, 0)


@on_each_driver
async def test_message_ids_count_up_and_begin_again_after_65535(driver: Driver) -> None:
    peer = FaultyPeer(serve)
    with peer as port:
        async with await driver.associate(port) as association:
            for _ in range(3):
                await association.echo()
            association._outstanding._last_message_id = 65_533
            for _ in range(4):
                await association.echo()
    ids = [int.from_bytes(message.elements[MESSAGE_ID], "little") for message in peer.connections[0].messages]
    assert ids == [1, 2, 3, 65_534, 65_535, 1, 2]


@on_each_driver
async def test_a_message_id_that_is_outstanding_is_not_used_again(driver: Driver) -> None:
    with FaultyPeer(serve) as port:
        async with await driver.associate(port) as association:
            context = association.context_for(uids.Verification)
            outstanding = CEchoRQ(message_id=1, affected_sop_class_uid=uids.Verification)
            await association.send_request(context, outstanding)
            association._outstanding._last_message_id = 0xFFFF
            assert association.next_message_id() == 2
            assert (await association.wait_response(outstanding)).status == 0


# --- requests that come to nothing ---


def answering(data: bytes) -> Callable[[Connection], None]:
    """Return a peer that answers an association request with these bytes."""

    def behaviour(connection: Connection) -> None:
        connection.read_request()
        connection.send(data)
        until_it_ends(connection)

    return behaviour


def accepting(**arguments: Any) -> Callable[[Connection], None]:
    def behaviour(connection: Connection) -> None:
        connection.read_request()
        if "result" in arguments:
            arguments["contexts"] = connection.each(arguments.pop("result"))
        connection.send(connection.associate_ac(**arguments))
        until_it_ends(connection)

    return behaviour


def closing(connection: Connection) -> None:
    connection.read_request()
    connection.close()


NOT_REQUESTED = [
    pytest.param(
        answering(pdu(A_ASSOCIATE_RJ, bytes([0, 2, 3, 2]))),
        AssociationRejected,
        "Rejected Transient, Service Provider .Presentation., Local limit exceeded",
        None,
        id="rejected",
    ),
    pytest.param(answering(pdu(A_ABORT, bytes(4))), AssociationAborted, "by the DUL service-user", None, id="aborted"),
    pytest.param(closing, ConnectionLost, "Connection closed", None, id="closed"),
    pytest.param(
        answering(b"HTTP/1.1 400 Bad Request\r\n"),
        NotDicomPeer,
        "does not speak DICOM .it sent 'HTTP/1.1 400",
        (2, 1),
        id="HTTP",
    ),
    pytest.param(accepting(result=3), RefusedContexts, "No accepted presentation contexts", (0, 0), id="no context"),
    pytest.param(accepting(contexts=[]), RefusedContexts, "No accepted", (0, 0), id="contexts not mentioned"),
    pytest.param(
        # Superseded: the answer to a context that was not proposed is ignored, and the proposed ones may be unanswered.
        accepting(contexts=[(99, 0, uids.ImplicitVRLittleEndian)]),
        RefusedContexts,
        "No accepted presentation contexts",
        (0, 0),
        id="another context",
    ),
    pytest.param(
        # Superseded: it costs the context alone, and here there is no other one.
        accepting(contexts=[(1, 0, uids.ExplicitVRBigEndian + ".1")]),
        RefusedContexts,
        "No accepted presentation contexts",
        (0, 0),
        id="another transfer syntax",
    ),
    pytest.param(accepting(maximum_length=7), NegotiationError, "maximum length of 7 bytes", (0, 0), id="too short"),
    pytest.param(
        answering(pdu(0x02, bytes(67))), RemoteProtocolError, "length is not 68 to 262144 bytes", (2, 6), id="short AC"
    ),
    pytest.param(
        answering(pdu(A_RELEASE_RP, bytes(4))), RemoteProtocolError, "not allowed in this state", (2, 2), id="not yet"
    ),
]


@on_each_driver
@pytest.mark.parametrize(("behaviour", "error", "words", "abort"), NOT_REQUESTED)
async def test_a_request_that_is_not_accepted_says_why(
    driver: Driver,
    behaviour: Callable[[Connection], None],
    error: type[DimseError],
    words: str,
    abort: tuple[int, int] | None,
) -> None:
    # So that nothing that an earlier test has left is closed meanwhile.
    gc.collect()
    before = open_descriptors()
    peer = FaultyPeer(behaviour)
    with peer as port, pytest.raises(error, match=words):
        await driver.associate(port, timeouts=timeouts())
    assert peer.connections[0].abort == abort
    assert not peer.connections[0].faults
    assert open_descriptors() == before


@on_each_driver
async def test_a_port_without_a_listener(driver: Driver) -> None:
    with FaultyPeer(serve) as port:
        pass
    with pytest.raises(ConnectError, match="Connection refused"):
        await driver.associate(port)


@on_each_driver
async def test_an_association_that_is_dropped_is_freed_at_once(driver: Driver) -> None:
    # It does not stay until Python looks for cycles. Only its socket is closed here, which would be a warning.
    async def use(port: int) -> weakref.ref[Association]:
        association = await driver.associate(port, handlers=dimse.Handlers())
        await association.echo()
        association.pump.transport.close()
        return weakref.ref(association)

    gc.disable()
    try:
        with FaultyPeer(serve) as port:
            freed = await use(port)
            assert freed() is None
    finally:
        gc.enable()
