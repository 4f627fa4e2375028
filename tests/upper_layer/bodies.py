"""Bodies of an A-ASSOCIATE-RQ and -AC, by hand, of which one part at a time is other than it should be."""

from __future__ import annotations

from struct import pack

from dimse.settings import Acceptor, ProposedContext, Requestor, Role, UserIdentity
from dimse.upper_layer.negotiation import propose
from tests.upper_layer.samples import (
    APPLICATION_CONTEXT,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    abstract_syntax,
    context_rq,
    item,
    prefixed,
    transfer_syntax,
)

RQ, AC = "RQ", "AC"
CT = "1.2.840.10008.5.1.4.1.1.2"
BIG = "1.2.840.10008.1.2.2"

REQUESTOR = Requestor(
    (ProposedContext(VERIFICATION, (IMPLICIT,)), ProposedContext(CT, (EXPLICIT, IMPLICIT))),
    calling_ae_title="CALLING",
    called_ae_title="CALLED",
    roles=(Role(CT, scu=True, scp=True),),
    identity=UserIdentity(1, b"user"),
    async_ops=5,
)
ACCEPTOR = Acceptor(
    (VERIFICATION, CT),
    ae_title="CALLED",
    require_called=True,
    calling_ae_titles=("CALLING",),
    transfer_syntaxes=(EXPLICIT, IMPLICIT),
    roles=(Role(CT, scu=True, scp=True),),
    async_ops=5,
)
REQUEST = propose(REQUESTOR)

# --- bodies ---

FIXED = b"\x00\x01\x00\x00" + b"CALLED          " + b"CALLING         " + bytes(32)


def fixed(
    version: int = 1, called: bytes = b"CALLED", calling: bytes = b"CALLING", reserved: bytes = bytes(32)
) -> bytes:
    """Return the fixed fields of an A-ASSOCIATE-RQ or -AC."""
    return pack(">HH", version, 0) + called.ljust(16) + calling.ljust(16) + reserved


def proposed(context_id: int, abstract: str = CT, *syntaxes: str) -> bytes:
    """Return a presentation context that is proposed."""
    return context_rq(
        context_id,
        abstract_syntax(abstract.encode()),
        *(transfer_syntax(uid.encode()) for uid in syntaxes or (EXPLICIT,)),
    )


def answered(context_id: int, result: int = 0, *syntaxes: str) -> bytes:
    """Return the answer to a presentation context."""
    return item(0x21, bytes((context_id, 0, result, 0)) + b"".join(transfer_syntax(uid.encode()) for uid in syntaxes))


LENGTH = item(0x51, pack(">L", 9000))
CLASS_UID, VERSION = item(0x52, b"1.2.3"), item(0x55, b"NAME 1")
WINDOW = item(0x53, pack(">HH", 3, 1))
EXTENDED = item(0x56, prefixed(CT) + b"\1")
COMMON = item(0x57, prefixed(CT) + prefixed("1.2.4") + b"\0\0")
IDENTITY = item(0x58, b"\1\0" + pack(">H", 4) + b"user" + b"\0\0")
RESPONSE = item(0x59, pack(">H", 2) + b"ok")


def role(scu: int, scp: int, uid: str = CT) -> bytes:
    """Return an SCP/SCU role selection."""
    return item(0x54, prefixed(uid) + bytes((scu, scp)))


BEFORE, BEHIND = LENGTH + CLASS_UID, VERSION
FIRST = {RQ: proposed(1, VERIFICATION, IMPLICIT), AC: answered(1, 0, IMPLICIT)}
SECOND = {RQ: proposed(3), AC: answered(3, 0, EXPLICIT)}


def body(
    pdu: str,
    *sub_items: bytes,
    start: bytes = FIXED,
    application: bytes = APPLICATION_CONTEXT,
    contexts: bytes | None = None,
    information: bytes | None = None,
) -> bytes:
    """Return the body of an A-ASSOCIATE-RQ or -AC; `sub_items` are added to its user information."""
    if information is None:
        information = item(0x50, BEFORE + b"".join(sub_items) + BEHIND)
    return start + application + (FIRST[pdu] + SECOND[pdu] if contexts is None else contexts) + information


def with_second(pdu: str, *contexts: bytes) -> bytes:
    """Return a body with other contexts in place of the second one."""
    return body(pdu, contexts=FIRST[pdu] + b"".join(contexts))


def only(pdu: str, *sub_items: bytes) -> bytes:
    """Return a body with these sub-items as its whole user information."""
    return body(pdu, information=item(0x50, b"".join(sub_items)))
