"""Peers as they are, over real connections: each row of the table of docs/tolerance.md, to a server and to a requestor.

What it means for what is agreed is tested in tests/upper_layer/test_tolerance.py. Here an association that has a tolerated fault
works, one that has another ends as the table says, and the log tells it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.errors import AssociationAborted, DimseError, NegotiationError, NotDicomPeer, RemoteProtocolError
from dimse.settings import Timeouts
from tests.drivers import Driver, on_both_faces, on_each_driver, running, until_it_ends
from tests.faulty_peer import (
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RQ,
    COMMAND_FIELD,
    MESSAGE_ID,
    P_DATA_TF,
    Connection,
    FaultyPeer,
    pdu,
    pdv,
    us,
)
from tests.hostile_scu import COMMAND, LAST, RELEASE_RQ, HostileSCU, command, echo_command, p_data
from tests.upper_layer.bodies import AC, ACCEPTOR, CT, REQUESTOR, RQ, answered, body, proposed, with_second
from tests.upper_layer.samples import EXPLICIT, item
from tests.upper_layer.tolerance import FAULTS, Fault

LONG = 30.0  # seconds: nothing here waits that long
# Seconds: far below `LONG`, however slow the machine is.
AT_ONCE = 5.0

REQUESTS = [pytest.param(fault, id=fault.name) for fault in FAULTS if fault.pdu == RQ]
ANSWERS = [pytest.param(fault, id=fault.name) for fault in FAULTS if fault.pdu == AC]


@pytest.fixture(scope="module")
def port() -> Iterator[dict[str, int]]:
    """Return the ports of a server of each face, which accepts the same peers as the acceptor of the table."""
    options: dict[str, Any] = {
        "ae_title": ACCEPTOR.ae_title,
        "require_called": True,
        "calling_ae_titles": ACCEPTOR.calling_ae_titles,
        "contexts": ACCEPTOR.contexts,
        "transfer_syntaxes": ACCEPTOR.transfer_syntaxes,
        "async_ops": ACCEPTOR.async_ops,
    }
    with ExitStack() as stack:
        yield {
            "threads": stack.enter_context(running("threads", **options)).address[1],
            "asyncio": stack.enter_context(running("asyncio", **options)).address[1],
        }


@on_both_faces
@pytest.mark.parametrize("fault", REQUESTS)
def test_a_server_takes_or_answers_a_request_as_the_table_says(
    port: dict[str, int], face: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dimse")
    with HostileSCU(port[face]) as scu:
        scu.send(pdu(A_ASSOCIATE_RQ, fault.said))
        if not fault.like:
            assert scu.answers() == [fault.answer]
            return
        assert scu.read() == "A-ASSOCIATE-AC"
        scu.send(p_data(1, COMMAND | LAST, echo_command()))
        assert scu.read() == "C-ECHO-RSP 0000H"
        scu.send(RELEASE_RQ)
        assert scu.answers() == ["A-RELEASE-RP"]
    told = [message for message in caplog.messages if message.startswith("Tolerated: ")]
    assert bool(told) >= fault.told


def answering(accept: bytes) -> Callable[[Connection], None]:
    """Return a peer that answers an association request with these bytes, and then every request."""

    def behaviour(connection: Connection) -> None:
        connection.read_request()
        connection.send(accept)
        connection.serve()

    return behaviour


def timeouts() -> Timeouts:
    return Timeouts(connect=LONG, acse=LONG, dimse=LONG, network=LONG)


@pytest.mark.usefixtures("brief_linger")
@on_each_driver
@pytest.mark.parametrize("fault", ANSWERS)
async def test_a_requestor_takes_or_aborts_on_an_answer_as_the_table_says(
    driver: Driver, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dimse")
    peer = FaultyPeer(answering(pdu(A_ASSOCIATE_AC, fault.said)))
    with peer as port:
        if fault.like:
            async with await driver.associate(
                port, REQUESTOR.proposed_contexts, async_ops=5, timeouts=timeouts()
            ) as association:
                assert (await association.echo()).is_success
        else:
            with pytest.raises(DimseError) as raised:
                await driver.associate(port, REQUESTOR.proposed_contexts, async_ops=5, timeouts=timeouts())
            assert isinstance(raised.value, RemoteProtocolError | NegotiationError)
    [connection] = peer.connections
    assert not connection.faults
    assert connection.abort == (None if fault.like else abort_of(fault.answer))
    told = [message for message in caplog.messages if message.startswith("Tolerated: ")]
    assert bool(told) >= (fault.told and bool(fault.like))


def abort_of(answer: str) -> tuple[int, int]:
    """Source and reason of "A-ABORT 2/6"."""
    source, reason = answer.removeprefix("A-ABORT ").split("/")
    return int(source), int(reason)


# --- no data on a context that cannot be used ---


@pytest.mark.parametrize("context_id", [2, 3, 5, 9])
@on_both_faces
def test_a_message_on_a_context_that_was_refused_alone_aborts(port: dict[str, int], face: str, context_id: int) -> None:
    """Refused are an even one without a class, one of another class, one without a syntax, and one that was not proposed."""
    said = with_second(
        RQ, item(0x20, b"\2\0\0\0" + item(0x40, EXPLICIT.encode())), proposed(3, "1.2.999"), item(0x20, b"\5\0\0\0")
    )
    with HostileSCU(port[face]) as scu:
        scu.associate(pdu(A_ASSOCIATE_RQ, said))
        scu.send(p_data(context_id, COMMAND | LAST, echo_command()))
        assert scu.answers() == ["A-ABORT 0/0"]


@on_both_faces
def test_a_context_with_an_even_id_takes_messages(port: dict[str, int], face: str) -> None:
    with HostileSCU(port[face]) as scu:
        scu.associate(pdu(A_ASSOCIATE_RQ, body(RQ, contexts=proposed(254, uids.Verification, EXPLICIT) + proposed(3))))
        scu.send(p_data(254, COMMAND | LAST, echo_command()))
        assert scu.read() == "C-ECHO-RSP 0000H"
        scu.send(RELEASE_RQ)
        assert scu.answers() == ["A-RELEASE-RP"]


@on_each_driver
@pytest.mark.parametrize(
    ("context_id", "contexts_answered"),
    [
        pytest.param(99, answered(3, 0, EXPLICIT) + answered(99, 0, EXPLICIT), id="accepted and never proposed"),
        pytest.param(3, answered(3, 0, "1.2.999"), id="accepted with another transfer syntax"),
        pytest.param(3, answered(3), id="accepted without a transfer syntax"),
        pytest.param(3, b"", id="not answered"),
    ],
)
async def test_a_message_of_the_peer_on_a_context_that_cannot_be_used_aborts(
    driver: Driver, context_id: int, contexts_answered: bytes
) -> None:
    echo = command({COMMAND_FIELD: us(0x0030), MESSAGE_ID: us(7)})

    def behaviour(connection: Connection) -> None:
        connection.read_request()
        connection.send(pdu(A_ASSOCIATE_AC, with_second(AC, contexts_answered)))
        connection.send(pdu(P_DATA_TF, pdv(context_id, COMMAND | LAST, echo)))
        until_it_ends(connection)

    peer = FaultyPeer(behaviour)
    with peer as port, pytest.raises((RemoteProtocolError, AssociationAborted)):
        async with await driver.associate(port, REQUESTOR.proposed_contexts, timeouts=timeouts()) as association:
            await association.serve()
    assert peer.connections[0].abort == (0, 0)


@on_each_driver
async def test_no_message_goes_on_a_context_that_cannot_be_used(driver: Driver) -> None:
    accept = with_second(AC, answered(3, 0, "1.2.999"))
    with FaultyPeer(answering(pdu(A_ASSOCIATE_AC, accept))) as port:
        async with await driver.associate(port, REQUESTOR.proposed_contexts, timeouts=timeouts()) as association:
            with pytest.raises(dimse.NoPresentationContext):
                association.context_for(CT)
            assert (await association.echo()).is_success


# --- what is no DICOM ends the wait as soon as its bytes show it ---

NO_DICOM = {
    "a letter": (b"H", (2, 1)),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", (2, 1)),
    "SMTP": (b"220 mail ESMTP\r\n", (2, 1)),
    "two digits": (b"22", (2, 1)),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", (2, 1)),
    "a NUL": (b"\0", (2, 1)),
    "a line feed": (b"\n", (2, 1)),
    "telnet": (b"\xff\xfd\x18", (2, 1)),
    "the begin of a TLS alert": (b"\x15\x03\x03", (2, 1)),
    "five bytes of text": (b"hello", (2, 1)),
    "a rejection of another length": (b"\x03\0\0\x13", (2, 6)),
    "an answer of 16 MiB": (b"\x02\0\1", (2, 6)),
    "an answer that is too short": (b"\x02\0\0\0\0\x0a", (2, 6)),
    "an abort of another length": (b"\x07\0 ", (2, 6)),
}


@on_each_driver
@pytest.mark.parametrize("name", NO_DICOM)
async def test_a_requestor_does_not_wait_for_more_of_what_is_no_dicom(driver: Driver, name: str) -> None:
    sent, abort = NO_DICOM[name]

    def behaviour(connection: Connection) -> None:
        connection.read_request()
        connection.send(sent)
        until_it_ends(connection)

    peer = FaultyPeer(behaviour)
    begun = time.monotonic()
    with peer as port, pytest.raises(RemoteProtocolError) as raised:
        await driver.associate(port, REQUESTOR.proposed_contexts, timeouts=timeouts())
    assert time.monotonic() - begun < AT_ONCE
    assert isinstance(raised.value, NotDicomPeer) == (abort == (2, 1))
    assert peer.connections[0].abort == abort


@on_both_faces
@pytest.mark.parametrize("sent", [b"G", b"\x16", b"\0", b"\x01\0\x05", b"\x07\0\0\1"])
def test_a_server_does_not_wait_for_more_of_what_is_no_dicom(port: dict[str, int], face: str, sent: bytes) -> None:
    begun = time.monotonic()
    with HostileSCU(port[face]) as scu:
        scu.send(sent)
        assert scu.answers() == ["A-ABORT 0/0"]
    assert time.monotonic() - begun < AT_ONCE
