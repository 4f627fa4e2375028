"""Responses that do not answer a request of ours, on each driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dimse.errors import (
    InvalidResponse,
    RemoteProtocolError,
)
from tests.association.peers import (
    ECHO_RQ,
    ECHO_RSP,
    timeouts,
)
from tests.drivers import (
    Driver,
    make_instance,
    on_each_driver,
    until_it_ends,
)
from tests.faulty_peer import (
    A_RELEASE_RP,
    AFFECTED_SOP_CLASS_UID,
    AFFECTED_SOP_INSTANCE_UID,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    MESSAGE_ID_BEING_RESPONDED_TO,
    NO_DATA_SET,
    P_DATA_TF,
    STATUS,
    Connection,
    FaultyPeer,
    command_set,
    pdu,
    pdv,
    ui,
    us,
)

# --- invalid responses ---

LIES: list[tuple[str, dict[str, Any], str]] = [
    ("another message ID", {"changes": {MESSAGE_ID_BEING_RESPONDED_TO: us(2)}}, "answers message ID 2"),
    ("another command", {"changes": {COMMAND_FIELD: us(0x8030)}}, "it is a C-ECHO-RSP"),
    ("another context", {"context_id": 1}, "presentation context 1, not 3"),
    ("no status", {"changes": {STATUS: None}}, "no status"),
    ("no message ID", {"changes": {MESSAGE_ID_BEING_RESPONDED_TO: None}}, "no message_id_being_responded_to"),
    ("another class", {"changes": {AFFECTED_SOP_CLASS_UID: ui("1.2")}}, "affected sop class uid is '1.2'"),
    ("another instance", {"changes": {AFFECTED_SOP_INSTANCE_UID: ui("1.2")}}, "affected sop instance uid is '1.2'"),
    ("a data set", {"changes": {COMMAND_DATA_SET_TYPE: us(0)}}, "a data set where none is due"),
    ("no command that exists", {"changes": {COMMAND_FIELD: us(0x8999)}}, "unknown command field 0x8999"),
]


@on_each_driver
@pytest.mark.parametrize(("arguments", "why"), [pytest.param(*lie[1:], id=lie[0]) for lie in LIES])
async def test_what_is_no_response_is_not_taken_for_one(
    driver: Driver, arguments: dict[str, Any], why: str, tmp_path: Path
) -> None:
    def lies(connection: Connection) -> None:
        connection.accept()
        connection.respond(connection.read_message(), **arguments)
        connection.send(pdu(P_DATA_TF, pdv(3, 2, b"")) if why.startswith("a data set") else b"")
        until_it_ends(connection)

    peer = FaultyPeer(lies)
    with peer as port:
        association = await driver.associate(port, timeouts=timeouts())
        with pytest.raises(InvalidResponse, match=why) as raised:
            await association.store(make_instance(tmp_path).path)
        assert raised.value.awaited == "C-STORE"
        assert not association.open
    assert peer.connections[0].abort == (0, 0)


@on_each_driver
async def test_a_second_response_to_one_request_is_invalid(driver: Driver) -> None:
    def answers_twice(connection: Connection) -> None:
        connection.accept()
        response = connection.response(connection.read_message())
        connection.send(response + response)
        until_it_ends(connection)

    peer = FaultyPeer(answers_twice)
    with peer as port:
        association = await driver.associate(port, timeouts=timeouts())
        with pytest.raises(InvalidResponse, match=r"second response|which is not outstanding"):
            await association.echo()
            await association.echo()
    assert peer.connections[0].abort == (0, 0)


@on_each_driver
async def test_a_response_without_a_request_is_invalid(driver: Driver) -> None:
    def speaks_first(connection: Connection) -> None:
        connection.accept()
        elements = {COMMAND_FIELD: us(ECHO_RSP), MESSAGE_ID_BEING_RESPONDED_TO: us(1), STATUS: us(0)}
        command = command_set({**elements, COMMAND_DATA_SET_TYPE: us(NO_DATA_SET)})
        connection.send(pdu(P_DATA_TF, pdv(1, 3, command)))
        until_it_ends(connection)

    with FaultyPeer(speaks_first) as port, pytest.raises(InvalidResponse, match="Received an invalid DIMSE response"):
        association = await driver.associate(port, timeouts=timeouts())
        await association.serve()


@on_each_driver
@pytest.mark.parametrize(
    ("data", "words", "abort"),
    [
        pytest.param(ECHO_RQ(5), "presentation context 5, which was not accepted", (0, 0), id="unknown context"),
        pytest.param(pdu(P_DATA_TF, pdv(1, 2, b"x")), "a data set fragment", (0, 0), id="data set without command"),
        pytest.param(pdu(P_DATA_TF, pdv(1, 3, b"x" * 20)), "command", (0, 0), id="broken command set"),
        pytest.param(pdu(P_DATA_TF, pdv(1, 3, b"x", 99)), "does not fit its PDU", (2, 6), id="PDV too long"),
        pytest.param(pdu(P_DATA_TF, b"", 16_383), "16382 were announced", (2, 6), id="PDU too long"),
        pytest.param(pdu(0x99, b""), "PDU type 99H", (2, 1), id="unknown PDU"),
        pytest.param(pdu(A_RELEASE_RP, bytes(4)), "not allowed in this state", (2, 2), id="unexpected PDU"),
    ],
)
async def test_a_peer_that_breaks_the_protocol_is_aborted(
    driver: Driver, data: bytes, words: str, abort: tuple[int, int]
) -> None:
    def breaks_it(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        connection.send(data)
        until_it_ends(connection)

    peer = FaultyPeer(breaks_it)
    with peer as port:
        association = await driver.associate(port, timeouts=timeouts())
        with pytest.raises(RemoteProtocolError, match=words):
            await association.echo()
        assert not association.open
    assert peer.connections[0].abort == abort
