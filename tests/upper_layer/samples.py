"""PDUs to test with: their bytes by hand, from the field tables of PS3.8 9.3 and D.1, and of PS3.7 D.3.3; and any PDU."""

from __future__ import annotations

from struct import pack

from hypothesis import strategies as st

from dimse.errors import RemoteProtocolError
from dimse.upper_layer import pdu

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def item(item_type: int, content: bytes, length: int | None = None) -> bytes:
    return pack(">BxH", item_type, len(content) if length is None else length) + content


def prefixed(content: str) -> bytes:
    return pack(">H", len(content)) + content.encode()


FIXED = b"\x00\x01\x00\x00" + b"ANY-SCP         " + b"ECHOSCU         " + bytes(32)
APPLICATION_CONTEXT = b"\x10\x00\x00\x151.2.840.10008.3.1.1.1"
CONTEXT_RQ = (
    b"\x20\x00\x00\x45\x03\x00\x00\x00"
    b"\x30\x00\x00\x111.2.840.10008.1.1"
    b"\x40\x00\x00\x131.2.840.10008.1.2.1"
    b"\x40\x00\x00\x111.2.840.10008.1.2"
)
CONTEXT_AC = b"\x21\x00\x00\x19\x03\x00\x00\x00\x40\x00\x00\x111.2.840.10008.1.2"
SUB_ITEMS: dict[int, tuple[pdu.UserInformationItem, bytes]] = {
    0x51: (pdu.MaximumLength(16384), b"\x51\x00\x00\x04\x00\x00\x40\x00"),
    0x52: (pdu.ImplementationClassUID("1.2.3"), b"\x52\x00\x00\x051.2.3"),
    0x53: (pdu.AsynchronousOperationsWindow(2, 258), b"\x53\x00\x00\x04\x00\x02\x01\x02"),
    0x54: (pdu.RoleSelection("1.2.4", 0, 1), b"\x54\x00\x00\x09\x00\x051.2.4\x00\x01"),
    0x55: (pdu.ImplementationVersionName("NAME 1"), b"\x55\x00\x00\x06NAME 1"),
    0x56: (pdu.SOPClassExtendedNegotiation("1.2.5", b"\x01\x00\x02"), b"\x56\x00\x00\x0a\x00\x051.2.5\x01\x00\x02"),
    0x57: (
        pdu.SOPClassCommonExtendedNegotiation("1.2.6", "1.2.7", ("1.2.8", "1.2")),
        b"\x57\x00\x00\x1c\x00\x051.2.6\x00\x051.2.7\x00\x0c\x00\x051.2.8\x00\x031.2",
    ),
    0x58: (pdu.UserIdentityRQ(2, 1, b"me", b"secret"), b"\x58\x00\x00\x0e\x02\x01\x00\x02me\x00\x06secret"),
    0x59: (pdu.UserIdentityAC(b"yes"), b"\x59\x00\x00\x05\x00\x03yes"),
}

USER_INFORMATION = item(0x50, b"".join(data for _, data in SUB_ITEMS.values()))
MAXIMUM_LENGTH = item(0x50, SUB_ITEMS[0x51][1])
ALL_ITEMS = tuple(value for value, _ in SUB_ITEMS.values())

RQ = FIXED + APPLICATION_CONTEXT + CONTEXT_RQ + USER_INFORMATION
AC = FIXED + APPLICATION_CONTEXT + CONTEXT_AC + USER_INFORMATION
CONTEXTS_RQ = (pdu.PresentationContextRQ(3, VERIFICATION, (EXPLICIT, IMPLICIT)),)
CONTEXTS_AC = (pdu.PresentationContextAC(3, 0, IMPLICIT),)

VECTORS: list[tuple[pdu.PDU, bytes]] = [
    (pdu.AssociateRQ("ANY-SCP", "ECHOSCU", CONTEXTS_RQ, ALL_ITEMS), b"\x01\x00" + pack(">L", len(RQ)) + RQ),
    (pdu.AssociateAC("ANY-SCP", "ECHOSCU", CONTEXTS_AC, ALL_ITEMS), b"\x02\x00" + pack(">L", len(AC)) + AC),
    (pdu.AssociateRJ(result=1, source=2, reason=7), b"\x03\x00\x00\x00\x00\x04\x00\x01\x02\x07"),
    (pdu.ReleaseRQ(), b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"),
    (pdu.ReleaseRP(), b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"),
    (pdu.Abort(source=2, reason=6), b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x06"),
    (pdu.Abort(), b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00"),
]
BODIES = {data[0]: data[6:] for _, data in VECTORS}


def decode_rq(body: bytes) -> pdu.AssociateRQ:
    value = pdu.decode(0x01, body)
    assert isinstance(value, pdu.AssociateRQ)
    return value


def decode_ac(body: bytes) -> pdu.AssociateAC:
    value = pdu.decode(0x02, body)
    assert isinstance(value, pdu.AssociateAC)
    return value


def rq(contexts: bytes = CONTEXT_RQ, user_information: bytes = MAXIMUM_LENGTH) -> bytes:
    return FIXED + APPLICATION_CONTEXT + contexts + user_information


def ac(contexts: bytes) -> bytes:
    return FIXED + APPLICATION_CONTEXT + contexts + MAXIMUM_LENGTH


def context_rq(context_id: int, *sub_items: bytes) -> bytes:
    return item(0x20, bytes((context_id, 0, 0, 0)) + b"".join(sub_items))


def abstract_syntax(uid: bytes) -> bytes:
    return item(0x30, uid)


def transfer_syntax(uid: bytes) -> bytes:
    return item(0x40, uid)


def decodes_or_is_refused(pdu_type: int, body: bytes) -> pdu.PDU | None:
    """Return the PDU, or None if it is refused as a peer's bytes are; any other exception fails the test."""
    try:
        return pdu.decode(pdu_type, body)
    except RemoteProtocolError as error:
        assert error.abort_source == 2
        return None


# --- Any PDU ----------------------------------------------------------------------------------------------------------

U8, U16, U32 = (st.integers(0, 256**size - 1) for size in (1, 2, 4))
LATIN_1 = st.characters(max_codepoint=255)
UIDS = st.one_of(
    st.from_regex(r"[0-2](\.[0-9]{1,9}){1,5}", fullmatch=True), st.text(LATIN_1, min_size=1, max_size=64)
).map(
    # Padding around a UID is not part of it.
    lambda text: "1" + text[1:-1] + "1"
)
OPTIONAL_UIDS = st.one_of(st.just(""), UIDS)
AE_TITLES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1, max_size=16
)
ECHOED_TITLES = st.text(LATIN_1, max_size=16).map(lambda text: text.rstrip("\0 ").lstrip(" "))
CONTEXT_IDS = st.integers(0, 127).map(lambda n: 2 * n + 1)
OCTETS = st.binary(max_size=300)


def several(element: st.SearchStrategy[str], minimum: int, maximum: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(element, min_size=minimum, max_size=maximum).map(tuple)


SINGLE_ITEMS: list[st.SearchStrategy[pdu.UserInformationItem]] = [
    st.builds(pdu.MaximumLength, U32),
    st.builds(pdu.ImplementationClassUID, UIDS),
    st.builds(pdu.AsynchronousOperationsWindow, U16, U16),
    st.builds(pdu.ImplementationVersionName, UIDS.map(lambda text: text[-16:])),
    st.builds(pdu.UserIdentityRQ, U8, U8, OCTETS, OCTETS),
    st.builds(pdu.UserIdentityAC, OCTETS),
]
NEGOTIATIONS: list[st.SearchStrategy[pdu.UserInformationItem]] = [
    st.builds(pdu.RoleSelection, UIDS, U8, U8),
    st.builds(pdu.SOPClassExtendedNegotiation, UIDS, OCTETS),
    st.builds(pdu.SOPClassCommonExtendedNegotiation, UIDS, UIDS, several(UIDS, 0, 4)),
]
USER_INFORMATION_ITEMS = st.tuples(
    st.lists(st.one_of(NEGOTIATIONS), max_size=5), st.lists(st.one_of(SINGLE_ITEMS), max_size=6, unique_by=type)
).flatmap(lambda lists: st.permutations([*lists[0], *lists[1]]).map(tuple))
REQUESTS = st.builds(
    pdu.AssociateRQ,
    AE_TITLES,
    AE_TITLES,
    st.lists(st.builds(pdu.PresentationContextRQ, CONTEXT_IDS, UIDS, several(UIDS, 1, 5)), min_size=1, max_size=6).map(
        tuple
    ),
    USER_INFORMATION_ITEMS,
    application_context=UIDS,
    protocol_version=U16,
)
ACCEPTS = st.builds(
    pdu.AssociateAC,
    ECHOED_TITLES,
    ECHOED_TITLES,
    st.lists(
        st.one_of(
            st.builds(pdu.PresentationContextAC, CONTEXT_IDS, st.just(0), UIDS),
            st.builds(pdu.PresentationContextAC, CONTEXT_IDS, st.integers(1, 255), OPTIONAL_UIDS),
        ),
        max_size=6,
    ).map(tuple),
    USER_INFORMATION_ITEMS,
    application_context=UIDS,
    protocol_version=U16,
)
PDUS: st.SearchStrategy[pdu.PDU] = st.one_of(
    REQUESTS,
    ACCEPTS,
    st.builds(pdu.AssociateRJ, U8, U8, U8),
    st.builds(pdu.ReleaseRQ),
    st.builds(pdu.ReleaseRP),
    st.builds(pdu.Abort, U8, U8),
)
