"""A C-STORE-RQ that was received, with its instance (PS3.4 Annex B)."""

from __future__ import annotations

from dimse.instances.received import ReceivedInstance
from dimse.support.values import record
from dimse.upper_layer.negotiation import Peer, PresentationContext


@record
class StoreRequest(ReceivedInstance):
    """A C-STORE-RQ that was received: an instance, and what DIMSE says of it besides.

    Attributes:
        context: The presentation context that it came on.
        peer: The peer that sends it.
        message_id: Its message ID.
        priority: 0 medium, 1 high, 2 low.
        move_originator: AE title and message ID of the C-MOVE that it is a sub-operation of; None if it is not one.
        sop_class_uid: The affected SOP class UID, as the peer states it: data, not yet compared with the data set.
        sop_instance_uid: The affected SOP instance UID, likewise.
        transfer_syntax_uid: The transfer syntax of the presentation context.
        calling_ae_title: The AE title of the peer.
        called_ae_title: The AE title that the peer called.
        peer_address: Host and port of the peer's end of the connection.
        sink: The sink that holds the data set; None in `store_begin`.
    """

    context: PresentationContext
    peer: Peer
    message_id: int
    priority: int = 0
    move_originator: tuple[str, int] | None = None
