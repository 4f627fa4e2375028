"""The messages that the peers of these tests send, and the time that a test allows."""

from __future__ import annotations

from functools import partial

from dimse import uids
from dimse.services import Association
from dimse.settings import Timeouts
from tests.faulty_peer import (
    AFFECTED_SOP_CLASS_UID,
    AFFECTED_SOP_INSTANCE_UID,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    MESSAGE_ID,
    NO_DATA_SET,
    P_DATA_TF,
    Connection,
    command_set,
    pdu,
    pdv,
    ui,
    us,
)

# Seconds. Nothing here waits for LONG; SOON is a deadline that is to pass, and AT_ONCE far below LONG on every machine.
LONG, SOON, AT_ONCE = 30.0, 0.15, 5.0

STORE_RSP, ECHO_RSP = 0x8001, 0x8030


def timeouts(**changes: float) -> Timeouts:
    return Timeouts(**{"connect": LONG, "acse": LONG, "dimse": LONG, "network": LONG, **changes})


def serve(connection: Connection) -> None:
    connection.accept()
    connection.serve()


def request(command_field: int, context_id: int = 1, message_id: int = 7, data_set: bool = False, **uid: str) -> bytes:
    """Return the P-DATA-TF with a request of the peer."""
    elements = {
        AFFECTED_SOP_CLASS_UID: ui(uid.get("sop_class", uids.Verification)),
        COMMAND_FIELD: us(command_field),
        MESSAGE_ID: us(message_id),
        COMMAND_DATA_SET_TYPE: us(1 if data_set else NO_DATA_SET),
    }
    if "sop_instance" in uid:
        elements |= {AFFECTED_SOP_INSTANCE_UID: ui(uid["sop_instance"]), 0x0700: us(0)}
    return pdu(P_DATA_TF, pdv(context_id, 3, command_set(elements)))


STORE_RQ = partial(request, 0x0001, 3, data_set=True, sop_class=uids.CTImageStorage, sop_instance="1.2.3")
ECHO_RQ = partial(request, 0x0030)


def wait_until_sent(association: Association) -> None:
    """Wait until our side knows that the last byte is gone: it cannot abort before."""
    while association.pump.lifecycle.torn:
        pass
