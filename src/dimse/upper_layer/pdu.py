"""The PDUs that establish and end an association, and their items (PS3.8 9.3 and Annex D, PS3.7 Annex D.3).

P-DATA-TF is in `pdata`. UIDs, AE titles and names are text as the peer sent it, one character a byte (Latin-1), without padding.
They are data and never trusted. This module defines what can be read; `negotiation` decides which values are acceptable.

The declarations also say which faults of a peer are tolerated, item by item. docs/tolerance.md has the rule and the whole table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from dimse.errors import LocalProtocolError, RemoteProtocolError
from dimse.support.values import field
from dimse.uids import ApplicationContextName
from dimse.upper_layer.codec import (
    OCTETS,
    OPTIONAL_UID,
    U8,
    U16,
    U32,
    UID,
    AETitle,
    ContextID,
    Cursor,
    Prefixed,
    Repeated,
    Text,
    Trailing,
)
from dimse.upper_layer.structure import DROPPED, FIRST, JOINED, Choice, Item, Structure, structure, wire

# The greatest number of each. There are IDs for 128 presentation contexts. Twice as many can be read, so that a peer that proposes
# too many gets a rejection instead of an abort.
MAXIMUM_CONTEXTS = 256
MAXIMUM_TRANSFER_SYNTAXES = 64
MAXIMUM_NEGOTIATIONS = 128
MAXIMUM_RELATED_GENERAL_SOP_CLASSES = 64
MAXIMUM_USER_INFORMATIONS = 4  # one is allowed; several are joined

VERSION_NAME = Text("Implementation version name", 1, 16, tested=False)


@structure(0x20, forgiving=True)
class PresentationContextRQ(Structure):
    """A presentation context that is proposed (PS3.8 9.3.2.2).

    Attributes:
        context_id: From 1 to 255; odd, unless a peer proposes it.
        abstract_syntax: The SOP class; empty if the peer's cannot be read.
        transfer_syntaxes: At least one, unless none of the peer's can be read.
    """

    context_id: int = wire(ContextID(proposed=True), reserved=3)
    abstract_syntax: str = wire(Item(0x30, UID, "Abstract Syntax", missing="", unreadable="", contradictory=""))
    transfer_syntaxes: tuple[str, ...] = wire(
        Item(0x40, UID, "Transfer Syntax", maximum=MAXIMUM_TRANSFER_SYNTAXES, missing=(), unreadable=DROPPED)
    )


@structure(0x21, forgiving=True)
class PresentationContextAC(Structure):
    """The answer to a presentation context (PS3.8 9.3.3.2).

    Attributes:
        context_id: The ID of the proposed context.
        result: 0 acceptance, 1 user rejection, 2 no reason, 3 abstract syntax not supported, 4 transfer syntaxes not
            supported.
        transfer_syntax: The chosen transfer syntax. If the context was refused, it is without significance and may be empty. It is
            empty too if a peer accepted a context without a readable one.
    """

    context_id: int = wire(ContextID(proposed=False), reserved=1)
    result: int = wire(U8, reserved=1)
    # It has no name, so nothing is logged. For a refused context it is not tested (PS3.8 Table 9-18), and for an accepted one
    # `negotiation` logs its faults.
    transfer_syntax: str = wire(Item(0x40, OPTIONAL_UID, minimum=0, missing="", unreadable="", contradictory=""))

    def _test(self) -> None:
        """Test that an accepted context has a transfer syntax."""
        if self.result == 0 and not self.transfer_syntax:
            raise LocalProtocolError("accepted without one transfer syntax")


@structure(0x51)
class MaximumLength(Structure):
    """The longest P-DATA-TF PDU that its sender accepts, in bytes after the PDU header; 0: no limit (PS3.8 D.1)."""

    length: int = wire(U32)


@structure(0x52)
class ImplementationClassUID(Structure):
    """The UID of the implementation (PS3.7 D.3.3.2.1)."""

    uid: str = wire(UID)


@structure(0x53)
class AsynchronousOperationsWindow(Structure):
    """The most operations that may be outstanding, invoked and performed by the requestor; 0: no limit (PS3.7 D.3.3.3)."""

    maximum_invoked: int = wire(U16)
    maximum_performed: int = wire(U16)


@structure(0x54)
class RoleSelection(Structure):
    """The roles of the requestor for a SOP class: 1 if it is SCU or SCP, otherwise 0 (PS3.7 D.3.3.4)."""

    sop_class_uid: str = wire(Prefixed(UID))
    scu_role: int = wire(U8)
    scp_role: int = wire(U8)


@structure(0x55)
class ImplementationVersionName(Structure):
    """The version of the implementation, in up to 16 characters (PS3.7 D.3.3.2.3)."""

    name: str = wire(VERSION_NAME)


@structure(0x56)
class SOPClassExtendedNegotiation(Structure):
    """The application information for a SOP class, which its service class defines (PS3.7 D.3.3.5)."""

    sop_class_uid: str = wire(Prefixed(UID))
    information: bytes = wire(OCTETS)


@structure(0x57, extensible=True)
class SOPClassCommonExtendedNegotiation(Structure):
    """The service class of a SOP class, and the general SOP classes that it specializes (PS3.7 D.3.3.6).

    The reserved byte after the item type is the sub-item version here, and 0. Later versions may add fields.
    """

    sop_class_uid: str = wire(Prefixed(UID))
    service_class_uid: str = wire(Prefixed(UID))
    related_general_sop_class_uids: tuple[str, ...] = wire(
        Trailing(
            Prefixed(Repeated(Prefixed(UID), MAXIMUM_RELATED_GENERAL_SOP_CLASSES)),
            (),
            "the last list of a SOP Class Common Extended Negotiation (57H)",
        ),
        default=(),
    )


@structure(0x58)
class UserIdentityRQ(Structure):
    """The identity of the requestor's user (PS3.7 D.3.3.7.1). `repr` hides the secrets.

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
    """The acceptance of the user's identity (PS3.7 D.3.3.7.2).

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

UNREADABLE_IDENTITY = UserIdentityRQ(0, 0, b"")
"""An unreadable user identity. It has no content, but is present, so that the requestor does not count as anonymous."""


def _sub_item(kind: type[UserInformationItem], name: str, *, often: bool = False, unreadable: object = DROPPED) -> Item:
    """Declare a sub-item of the user information, which comes once at most, or with `often` once for each SOP class.

    All items that arrive are kept, even if one is allowed: `negotiation` decides which of them counts.
    """
    most = MAXIMUM_NEGOTIATIONS if often else 1
    return Item(kind.wire_type, kind, name, minimum=0, maximum=most, unreadable=unreadable)


USER_INFORMATION = Choice(
    _sub_item(MaximumLength, "Maximum Length"),
    _sub_item(ImplementationClassUID, "Implementation Class UID"),
    _sub_item(AsynchronousOperationsWindow, "Asynchronous Operations Window"),
    _sub_item(RoleSelection, "SCP/SCU Role Selection", often=True),
    _sub_item(ImplementationVersionName, "Implementation Version Name"),
    _sub_item(SOPClassExtendedNegotiation, "SOP Class Extended Negotiation", often=True),
    _sub_item(SOPClassCommonExtendedNegotiation, "SOP Class Common Extended Negotiation", often=True),
    _sub_item(UserIdentityRQ, "User Identity", unreadable=UNREADABLE_IDENTITY),
    _sub_item(UserIdentityAC, "User Identity response"),
)


def _user_information() -> Item:
    return Item(
        0x50,
        USER_INFORMATION,
        "User Information",
        missing=(),
        contradictory=JOINED,
        limit=MAXIMUM_USER_INFORMATIONS,
    )


@structure(0x01)
class AssociateRQ(Structure):
    """An A-ASSOCIATE-RQ PDU (PS3.8 9.3.2).

    Attributes:
        oddities: The faults of the peer that were tolerated, a line each.
    """

    protocol_version: int = wire(U16, reserved=2, default=1, kw_only=True)
    called_ae_title: str = wire(AETitle())
    calling_ae_title: str = wire(AETitle(), reserved=32)
    application_context: str = wire(
        Item(0x10, UID, "Application Context"), default=ApplicationContextName, kw_only=True
    )
    presentation_contexts: tuple[PresentationContextRQ, ...] = wire(
        Item(0x20, PresentationContextRQ, "Presentation Context", maximum=MAXIMUM_CONTEXTS, unreadable=DROPPED)
    )
    user_information: tuple[UserInformationItem, ...] = wire(_user_information())
    oddities: tuple[str, ...] = field(default=(), repr=False, kw_only=True)


@structure(0x02)
class AssociateAC(Structure):
    """An A-ASSOCIATE-AC PDU (PS3.8 9.3.3).

    Attributes:
        called_ae_title: The field of the A-ASSOCIATE-RQ, echoed and without significance.
        calling_ae_title: Likewise.
        application_context: Without significance; empty if the peer's cannot be read.
        presentation_contexts: The answers. A peer that gives none has accepted none.
        oddities: The faults of the peer that were tolerated, a line each.
    """

    protocol_version: int = wire(U16, reserved=2, default=1, kw_only=True)
    called_ae_title: str = wire(AETitle(echoed=True))
    calling_ae_title: str = wire(AETitle(echoed=True), reserved=32)
    application_context: str = wire(
        Item(0x10, UID, "Application Context", missing="", unreadable="", contradictory=FIRST),
        default=ApplicationContextName,
        kw_only=True,
    )
    presentation_contexts: tuple[PresentationContextAC, ...] = wire(
        Item(
            0x21,
            PresentationContextAC,
            "Presentation Context",
            minimum=0,
            maximum=MAXIMUM_CONTEXTS,
            unreadable=DROPPED,
        )
    )
    user_information: tuple[UserInformationItem, ...] = wire(_user_information())
    oddities: tuple[str, ...] = field(default=(), repr=False, kw_only=True)


@structure(0x03, reserved=1)
class AssociateRJ(Structure):
    """An A-ASSOCIATE-RJ PDU (PS3.8 9.3.4); `dimse.errors` has the numbers in words."""

    result: int = wire(U8)
    source: int = wire(U8)
    reason: int = wire(U8)


@structure(0x05, reserved=4)
class ReleaseRQ(Structure):
    """An A-RELEASE-RQ PDU (PS3.8 9.3.6)."""


@structure(0x06, reserved=4)
class ReleaseRP(Structure):
    """An A-RELEASE-RP PDU (PS3.8 9.3.7)."""


@structure(0x07, reserved=2)
class Abort(Structure):
    """An A-ABORT PDU (PS3.8 9.3.8).

    Attributes:
        source: 0 service user, 2 service provider.
        reason: The reason, if the source is the service provider (`dimse.errors.ABORT_REASONS`).
    """

    source: int = wire(U8, default=0)
    reason: int = wire(U8, default=0)


PDU = AssociateRQ | AssociateAC | AssociateRJ | ReleaseRQ | ReleaseRP | Abort

PDU_TYPES: Mapping[int, type[PDU]] = {kind.wire_type: kind for kind in get_args(PDU)}
ITEM_TYPES: Mapping[int, type[Structure]] = {
    kind.wire_type: kind for kind in (PresentationContextRQ, PresentationContextAC, *get_args(UserInformationItem))
}


def encode(pdu: PDU) -> bytes:
    """Return the bytes of `pdu`, including its header.

    Raises:
        LocalProtocolError: A value has no encoding: a number or a text is too large, or an AE title is invalid.
        ValueError: A text has characters outside Latin-1.
    """
    body = pdu.encode()
    return bytes((pdu.wire_type, 0)) + U32.encode(len(body)) + body


def decode(pdu_type: int, body: bytes | memoryview) -> PDU:
    """Return the PDU of type `pdu_type` whose bytes after the header are `body`.

    Raises:
        RemoteProtocolError: The type is unknown, or `body` does not encode such a PDU.
    """
    kind = PDU_TYPES.get(pdu_type)
    if kind is None:
        raise RemoteProtocolError(f"PDU type {pdu_type:02X}H is not known", abort_reason=1)
    # A copy: the traceback of an error must not keep a view of the caller's receive buffer.
    body = bytes(body)
    return kind.decode(Cursor(body))
