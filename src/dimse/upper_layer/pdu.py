"""The PDUs that make and end an association, and their items (PS3.8 9.3 and Annex D, PS3.7 Annex D.3).

P-DATA-TF, which moves everything else, is in `pdata`. UIDs, AE titles and names are text as the peer sent it, one
character a byte (Latin-1), without padding: data, never to be trusted. Which values are acceptable is for `negotiation`
to say; here is only what can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from dimse.errors import RemoteProtocolError
from dimse.uids import ApplicationContextName
from dimse.upper_layer.codec import (
    OCTETS,
    OPTIONAL_UID,
    U8,
    U16,
    U32,
    UID,
    AETitle,
    Choice,
    Cursor,
    Item,
    Prefixed,
    Repeated,
    Structure,
    Text,
    Unsigned,
    read_variable_field,
    structure,
    wire,
)

# How many of each may come. There are IDs for 128 presentation contexts; twice as many can be read, so that a peer that
# proposes too many is told so by a rejection.
MAXIMUM_CONTEXTS = 256
MAXIMUM_TRANSFER_SYNTAXES = 64
MAXIMUM_NEGOTIATIONS = 128
MAXIMUM_RELATED_GENERAL_SOP_CLASSES = 64

CONTEXT_ID = Unsigned(1, odd=True)
VERSION_NAME = Text("Implementation version name", 1, 16, tested=False)


@structure(0x20)
class PresentationContextRQ(Structure):
    """A presentation context that is proposed (PS3.8 9.3.2.2)."""

    context_id: int = wire(CONTEXT_ID, reserved=3)
    abstract_syntax: str = wire(Item(0x30, UID))
    transfer_syntaxes: tuple[str, ...] = wire(Item(0x40, UID, maximum=MAXIMUM_TRANSFER_SYNTAXES))


@structure(0x21)
class PresentationContextAC(Structure):
    """The answer to a presentation context (PS3.8 9.3.3.2).

    Attributes:
        result: 0 acceptance, 1 user rejection, 2 no reason, 3 abstract syntax not supported, 4 transfer syntaxes not
            supported.
        transfer_syntax: The one that was chosen; without significance, and possibly empty, unless accepted.
    """

    context_id: int = wire(CONTEXT_ID, reserved=1)
    result: int = wire(U8, reserved=1)
    transfer_syntax: str = wire(Item(0x40, OPTIONAL_UID, minimum=0))

    @classmethod
    def _decode_items(cls, cursor: Cursor) -> dict[str, object]:
        """One transfer syntax, or none: of a refused context even a wrong one is not tested (PS3.8 Table 9-18)."""
        try:
            return read_variable_field(cursor, cls._items)
        except RemoteProtocolError:
            cursor.rest()
            return {"transfer_syntax": ""}

    def _test(self, error: type[Exception]) -> None:
        """An accepted context has a transfer syntax."""
        if self.result == 0 and not self.transfer_syntax:
            raise error("accepted without one transfer syntax")


@structure(0x51)
class MaximumLength(Structure):
    """The longest P-DATA-TF PDU that its sender takes, in bytes after the PDU header; 0: no limit (PS3.8 D.1)."""

    length: int = wire(U32)


@structure(0x52)
class ImplementationClassUID(Structure):
    """Which implementation this is (PS3.7 D.3.3.2.1)."""

    uid: str = wire(OPTIONAL_UID)


@structure(0x53)
class AsynchronousOperationsWindow(Structure):
    """How many operations may be outstanding, invoked and performed by the requestor; 0: no limit (PS3.7 D.3.3.3)."""

    maximum_invoked: int = wire(U16)
    maximum_performed: int = wire(U16)


@structure(0x54)
class RoleSelection(Structure):
    """Whether the requestor is (1) or is not (0) SCU and SCP of a SOP class (PS3.7 D.3.3.4)."""

    sop_class_uid: str = wire(Prefixed(UID))
    scu_role: int = wire(U8)
    scp_role: int = wire(U8)


@structure(0x55)
class ImplementationVersionName(Structure):
    """Which version of the implementation this is, in up to 16 characters (PS3.7 D.3.3.2.3)."""

    name: str = wire(VERSION_NAME)


@structure(0x56)
class SOPClassExtendedNegotiation(Structure):
    """What the service class defines to be said about a SOP class (PS3.7 D.3.3.5)."""

    sop_class_uid: str = wire(Prefixed(UID))
    information: bytes = wire(OCTETS)


@structure(0x57, extensible=True)
class SOPClassCommonExtendedNegotiation(Structure):
    """Which service class a SOP class belongs to, and which general SOP classes it specializes (PS3.7 D.3.3.6).

    The reserved byte after the item type is the sub-item version here, and 0. Later versions may add fields.
    """

    sop_class_uid: str = wire(Prefixed(UID))
    service_class_uid: str = wire(Prefixed(UID))
    related_general_sop_class_uids: tuple[str, ...] = wire(
        Prefixed(Repeated(Prefixed(UID), MAXIMUM_RELATED_GENERAL_SOP_CLASSES)), default=()
    )


@structure(0x58)
class UserIdentityRQ(Structure):
    """Who uses the requestor (PS3.7 D.3.3.7.1). The secrets do not show in `repr`.

    Attributes:
        identity_type: 1 user name, 2 user name and passcode, 3 Kerberos service ticket, 4 SAML assertion, 5 JSON web
            token.
        positive_response_requested: 1 to ask for a `UserIdentityAC`, else 0.
        primary: The user name in UTF-8, ticket, assertion or token.
        secondary: The passcode in UTF-8, with type 2.
    """

    identity_type: int = wire(U8)
    positive_response_requested: int = wire(U8)
    primary: bytes = wire(Prefixed(OCTETS), secret=True)
    secondary: bytes = wire(Prefixed(OCTETS), default=b"", secret=True)


@structure(0x59)
class UserIdentityAC(Structure):
    """The user's identity is accepted (PS3.7 D.3.3.7.2).

    Attributes:
        server_response: Kerberos server ticket, SAML response or JSON web token; empty with user names.
    """

    server_response: bytes = wire(Prefixed(OCTETS), secret=True)


UserInformationItem = (
    MaximumLength
    | ImplementationClassUID
    | AsynchronousOperationsWindow
    | RoleSelection
    | ImplementationVersionName
    | SOPClassExtendedNegotiation
    | SOPClassCommonExtendedNegotiation
    | UserIdentityRQ
    | UserIdentityAC
)

# Sub-items that come once for each SOP class. Of the others there is at most one.
_NEGOTIATIONS = (RoleSelection, SOPClassExtendedNegotiation, SOPClassCommonExtendedNegotiation)

USER_INFORMATION = Choice(
    *(
        Item(kind.wire_type, kind, minimum=0, maximum=MAXIMUM_NEGOTIATIONS if kind in _NEGOTIATIONS else 1)
        for kind in get_args(UserInformationItem)
    )
)


@structure(0x01)
class AssociateRQ(Structure):
    """A-ASSOCIATE-RQ (PS3.8 9.3.2)."""

    protocol_version: int = wire(U16, reserved=2, default=1, kw_only=True)
    called_ae_title: str = wire(AETitle())
    calling_ae_title: str = wire(AETitle(), reserved=32)
    application_context: str = wire(Item(0x10, UID), default=ApplicationContextName, kw_only=True)
    presentation_contexts: tuple[PresentationContextRQ, ...] = wire(
        Item(0x20, PresentationContextRQ, maximum=MAXIMUM_CONTEXTS)
    )
    user_information: tuple[UserInformationItem, ...] = wire(Item(0x50, USER_INFORMATION))


@structure(0x02)
class AssociateAC(Structure):
    """A-ASSOCIATE-AC (PS3.8 9.3.3).

    Attributes:
        called_ae_title: The field of the A-ASSOCIATE-RQ, echoed and without significance.
        calling_ae_title: Likewise.
        presentation_contexts: The answers. A peer that gives none has accepted none.
    """

    protocol_version: int = wire(U16, reserved=2, default=1, kw_only=True)
    called_ae_title: str = wire(AETitle(echoed=True))
    calling_ae_title: str = wire(AETitle(echoed=True), reserved=32)
    application_context: str = wire(Item(0x10, UID), default=ApplicationContextName, kw_only=True)
    presentation_contexts: tuple[PresentationContextAC, ...] = wire(
        Item(0x21, PresentationContextAC, minimum=0, maximum=MAXIMUM_CONTEXTS)
    )
    user_information: tuple[UserInformationItem, ...] = wire(Item(0x50, USER_INFORMATION))


@structure(0x03, reserved=1)
class AssociateRJ(Structure):
    """A-ASSOCIATE-RJ (PS3.8 9.3.4); the numbers are in words in `dimse.errors`."""

    result: int = wire(U8)
    source: int = wire(U8)
    reason: int = wire(U8)


@structure(0x05, reserved=4)
class ReleaseRQ(Structure):
    """A-RELEASE-RQ (PS3.8 9.3.6)."""


@structure(0x06, reserved=4)
class ReleaseRP(Structure):
    """A-RELEASE-RP (PS3.8 9.3.7)."""


@structure(0x07, reserved=2)
class Abort(Structure):
    """A-ABORT (PS3.8 9.3.8).

    Attributes:
        source: 0 service user, 2 service provider.
        reason: Why, where the source is the service provider (`dimse.errors.ABORT_REASONS`).
    """

    source: int = wire(U8, default=0)
    reason: int = wire(U8, default=0)


PDU = AssociateRQ | AssociateAC | AssociateRJ | ReleaseRQ | ReleaseRP | Abort

PDU_TYPES: Mapping[int, type[PDU]] = {kind.wire_type: kind for kind in get_args(PDU)}
ITEM_TYPES: Mapping[int, type[Structure]] = {
    kind.wire_type: kind for kind in (PresentationContextRQ, PresentationContextAC, *get_args(UserInformationItem))
}


def encode(pdu: PDU) -> bytes:
    """The bytes of `pdu`, header included.

    Raises:
        LocalProtocolError: A value of it has no encoding: a number or a text is too large, an AE title is none.
        ValueError: A text has characters outside Latin-1.
    """
    body = pdu.encode()
    return bytes((pdu.wire_type, 0)) + U32.encode(len(body)) + body


def decode(pdu_type: int, body: bytes | memoryview) -> PDU:
    """The PDU of type `pdu_type` whose bytes after the header are `body`.

    Raises:
        RemoteProtocolError: There is no such type here, or `body` is not one.
    """
    kind = PDU_TYPES.get(pdu_type)
    if kind is None:
        raise RemoteProtocolError(f"PDU type {pdu_type:02X}H is not known", abort_reason=1)
    body = bytes(body)  # a copy: the traceback of an error must not keep a view of the caller's receive buffer
    return kind.decode(Cursor(body))
