"""The PDUs that make and end an association, and their items (PS3.8 9.3 and Annex D, PS3.7 Annex D.3).

P-DATA-TF, which moves everything else, is in `pdata`. UIDs, AE titles and names are text as the peer sent it, one
character a byte (Latin-1), without padding: data, never to be trusted. Which values are acceptable is for `negotiation`
to say; here is only what can be read.

The declarations say too what is tolerated of a peer, item by item. The rule and the whole table are in docs/tolerance.md.
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

# How many of each may come. There are IDs for 128 presentation contexts; twice as many can be read, so that a peer that
# proposes too many is told so by a rejection.
MAXIMUM_CONTEXTS = 256
MAXIMUM_TRANSFER_SYNTAXES = 64
MAXIMUM_NEGOTIATIONS = 128
MAXIMUM_RELATED_GENERAL_SOP_CLASSES = 64
MAXIMUM_USER_INFORMATIONS = 4  # one is due; several are read as one

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
        context_id: That of the proposed context.
        result: 0 acceptance, 1 user rejection, 2 no reason, 3 abstract syntax not supported, 4 transfer syntaxes not
            supported.
        transfer_syntax: The one that was chosen. It is without significance, and possibly empty, unless the context was
            accepted; empty too where a peer accepted a context without one that can be read.
    """

    context_id: int = wire(ContextID(proposed=False), reserved=1)
    result: int = wire(U8, reserved=1)
    # It has no name: of a refused context it is not tested (PS3.8 Table 9-18), and of an accepted one `negotiation` tells.
    transfer_syntax: str = wire(Item(0x40, OPTIONAL_UID, minimum=0, missing="", unreadable="", contradictory=""))

    def _test(self) -> None:
        """An accepted context has a transfer syntax."""
        if self.result == 0 and not self.transfer_syntax:
            raise LocalProtocolError("accepted without one transfer syntax")


@structure(0x51)
class MaximumLength(Structure):
    """The longest P-DATA-TF PDU that its sender takes, in bytes after the PDU header; 0: no limit (PS3.8 D.1)."""

    length: int = wire(U32)


@structure(0x52)
class ImplementationClassUID(Structure):
    """Which implementation this is (PS3.7 D.3.3.2.1)."""

    uid: str = wire(UID)


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
        Trailing(
            Prefixed(Repeated(Prefixed(UID), MAXIMUM_RELATED_GENERAL_SOP_CLASSES)),
            (),
            "the last list of a SOP Class Common Extended Negotiation (57H)",
        ),
        default=(),
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

UNREADABLE_IDENTITY = UserIdentityRQ(0, 0, b"")
"""The reading of a user identity that cannot be read: it says nothing, and still it is there, so that nobody takes it for none."""


def _sub_item(kind: type[UserInformationItem], name: str, *, often: bool = False, unreadable: object = DROPPED) -> Item:
    """Declare a sub-item of the user information; `often`: it comes once for each SOP class, else once at most.

    All that came are kept, whether or not there may be several: `negotiation` says which of them counts.
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
    """A-ASSOCIATE-RQ (PS3.8 9.3.2).

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
    """A-ASSOCIATE-AC (PS3.8 9.3.3).

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
