"""Operations in roles that were refused: they raise before a byte goes out, on every driver."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from dimse.association.association import Arrived, BaseAssociation
from dimse.errors import NoPresentationContext
from dimse.settings import Role
from tests.association.conversations import (
    CT,
    SCP,
    SUCCESS,
    accepting,
    associated,
    send_instance,
)
from tests.drivers import (
    Driver,
    Face,
    Received,
    make_instance,
    on_both_faces,
    on_each_driver,
)
from tests.faulty_peer import (
    Connection,
    FaultyPeer,
    item,
    pdu,
)

# --- roles ---


def accepting_roles(scu: int, scp: int) -> Callable[[Connection], None]:
    """Return a peer that accepts each context, and for the CT class these roles."""

    def behaviour(connection: Connection) -> None:
        connection.read_request()
        uid = CT.encode()
        selection = item(0x54, struct.pack(">H", len(uid)) + uid + bytes([scu, scp]))
        accept = connection.associate_ac()
        body = accept[6:]
        # The selection is the last item of the user information, which is the last item of all.
        start = body.rindex(item(0x52, b"1.2.826.0.1.3680043.8.498.1")) - 8 - 4
        information = body[start + 4 :] + selection
        connection.send(pdu(2, body[:start] + item(0x50, information)))
        connection.serve()

    return behaviour


@on_each_driver
@pytest.mark.parametrize(("scu", "scp"), [(0, 1), (0, 0)])
async def test_an_operation_in_a_role_that_was_refused_sends_nothing(
    driver: Driver, scu: int, scp: int, tmp_path: Any
) -> None:
    peer = FaultyPeer(accepting_roles(scu, scp))
    with peer as port:
        async with await driver.associate(port, roles=[Role(CT, scu=True, scp=True)]) as association:
            with pytest.raises(NoPresentationContext, match="for the SCU role"):
                await association.store(make_instance(tmp_path).path)
            assert bool(association.accepted(CT, role="SCP")) is bool(scp)
            assert association.accepted(CT, role=None)
            assert await association.echo() == SUCCESS
    connection = peer.connections[0]
    assert [message.command_field for message in connection.messages] == [0x0030]


@on_both_faces
@on_each_driver
async def test_without_role_selection_the_acceptor_is_not_scu(driver: Driver, face: Face) -> None:
    raised: list[NoPresentationContext] = []

    class Tries(SCP):
        async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
            try:
                await send_instance(association, 1)
            except NoPresentationContext as error:
                raised.append(error)
            await super().answer(association, arrived)

    received = Received()
    with accepting(face, Tries(0)) as server:
        async with await associated(driver, server, received.handlers) as association:
            assert await association.echo() == SUCCESS
            with pytest.raises(NoPresentationContext, match="for the SCP role"):
                association.context_for(CT, role="SCP")
    assert len(raised) == 1 and "for the SCU role" in str(raised[0])
    assert not received.data_sets
