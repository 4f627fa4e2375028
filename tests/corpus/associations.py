"""C1 to C6: PDU headers, PDUs that are cut, and what an A-ASSOCIATE-RQ and -AC may hold."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from struct import pack

from dimse.upper_layer.pdata import COMMAND
from dimse.upper_layer.structure import MAXIMUM_ITEMS
from fuzz.pdu_stream import MAXIMUM_LENGTH
from tests.corpus.case import ANSWERED, Case, Outcome, only
from tests.corpus.messages import STORE, STORE_ON, pdvs
from tests.data_set.test_walk import EXPLICIT, small
from tests.upper_layer.samples import (
    AC,
    APPLICATION_CONTEXT,
    CONTEXT_AC,
    FIXED,
    RQ,
    SUB_ITEMS,
    USER_INFORMATION,
    abstract_syntax,
    ac,
    context_rq,
    item,
    prefixed,
    rq,
    transfer_syntax,
)
from tests.upper_layer.test_pdu_hostile import framing_lengths, length_fields
from tests.upper_layer.test_provider import AWAITED, CUT, LENGTHS, p_data, reason_to_abort
from tests.upper_layer.tolerance import FAULTS

ABORTED, REJECTED, TAKEN = only(Outcome.ABORTED), only(Outcome.REJECTED), only(Outcome.TAKEN)
WAITING = only(Outcome.WAITING)

REQUEST, ACCEPT = "Sta2", "Sta5"  # where one arrives
PDU_TYPE = {REQUEST: 1, ACCEPT: 2}
WHOLES = {REQUEST: RQ, ACCEPT: AC}


def associate_pdu(state: str, body: bytes) -> bytes:
    """Return an A-ASSOCIATE-RQ, or the -AC, that arrives in this state."""
    return pack(">BxL", PDU_TYPE[state], len(body)) + body


def associate(name: str, body: bytes, may: frozenset[Outcome] = ANSWERED, state: str = REQUEST) -> Case:
    """Return the case of an A-ASSOCIATE-RQ, or of the -AC that answers ours."""
    return Case(name, state, associate_pdu(state, body), may)


def headers() -> Iterator[Case]:
    """Yield C1: every PDU type with lengths around the limits, where a request, an answer, data or a release is awaited."""
    for state, pdu_type, length in product(AWAITED, range(256), LENGTHS):
        refused = reason_to_abort(state, pdu_type, length) or (pdu_type == 4 and length > MAXIMUM_LENGTH)
        name = f"PDU type {pdu_type:02X}H of {length} bytes in {state}"
        yield Case(name, state, pack(">BxL", pdu_type, length), ABORTED if refused else WAITING)


def cuts() -> Iterator[Case]:
    """Yield C2: each PDU, and a C-STORE-RQ with its data set, cut before every byte, so that none of it is indicated."""
    message = p_data(*pdvs(STORE_ON, COMMAND, STORE, 50)) + p_data(*pdvs(STORE_ON, 0, small(EXPLICIT)[0], 40))
    wholes = {name: whole for name, whole in CUT.items() if "P-DATA" not in name}
    wholes |= {
        f"A-ASSOCIATE with every sub-item in {state}": (state, associate_pdu(state, body))
        for state, body in WHOLES.items()
    }
    wholes |= {f"C-STORE-RQ in {state}": (state, message) for state in ("Sta6", "Sta7")}
    for name, (state, whole) in wholes.items():
        for end in range(len(whole)):
            yield Case(f"{name} cut at byte {end}", state, whole[:end], WAITING)


def lengths() -> Iterator[Case]:
    """Yield C3: each length field of a whole A-ASSOCIATE-RQ and -AC with a dozen other values."""
    for state, body in WHOLES.items():
        for offset in length_fields(body):
            true = int.from_bytes(body[offset : offset + 2])
            others = {
                0,
                1,
                2,
                3,
                true - 1,
                true + 1,
                true + 2,
                true + 4,
                2 * true,
                0x100,
                0x7FFF,
                0x8000,
                0xFFFE,
                0xFFFF,
            }
            for length in sorted(others - {true}):
                changed = body[:offset] + pack(">H", length) + body[offset + 2 :]
                framing = offset in set(framing_lengths(body))
                may = ABORTED if length > len(body) and framing else ANSWERED
                yield associate(f"length {length} for {true} at {offset} in {state}", changed, may, state)


def strangers() -> Iterator[Case]:
    """Yield C4: an item of every type among the items of the PDU, of a presentation context, and of the user information."""
    context = abstract_syntax(b"1.2") + transfer_syntax(b"1.3")
    answered = CONTEXT_AC[4:]
    for item_type in range(256):
        stranger = item(item_type, b"\x01\x02\x03\x04")
        information = item(0x50, USER_INFORMATION[4:] + stranger)
        for state, level, known, body in (
            (REQUEST, "PDU", {0x10, 0x20, 0x50}, FIXED + stranger + RQ[68:]),
            (REQUEST, "context", {0x30, 0x40}, rq(context_rq(3, context, stranger))),
            (REQUEST, "user information", set(SUB_ITEMS), rq(user_information=information)),
            (ACCEPT, "PDU", {0x10, 0x21, 0x50}, FIXED + stranger + AC[68:]),
            (ACCEPT, "context", {0x40}, ac(item(0x21, answered + stranger))),
            (ACCEPT, "user information", set(SUB_ITEMS), FIXED + APPLICATION_CONTEXT + CONTEXT_AC + information),
        ):
            may = ANSWERED if item_type in known else None
            # The answer that has only what is asked for does not confirm the user identity.
            may = may or (REJECTED if (state, level) == (ACCEPT, "context") else TAKEN)
            yield associate(f"item {item_type:02X}H in the {level} in {state}", body, may, state)

    for count in (MAXIMUM_ITEMS - 1, MAXIMUM_ITEMS, MAXIMUM_ITEMS + 1, 15_000):
        flood = item(0x99, b"") * count
        for level, body, others in (
            ("PDU", RQ + flood, 3),
            ("context", rq(context_rq(3, context, flood)), 2),
            ("user information", rq(user_information=item(0x50, flood)), 0),
        ):
            may = TAKEN if count + others <= MAXIMUM_ITEMS else ABORTED
            yield associate(f"{count} unknown items in the {level}", body, may)


def contexts() -> Iterator[Case]:
    """Yield C5: presentation contexts with other IDs, numbers, contents and UIDs."""
    abstract, transfer = abstract_syntax(b"1.2"), transfer_syntax(b"1.3")
    one = abstract + transfer
    for context_id in range(256):
        yield associate(f"context ID {context_id}", rq(context_rq(context_id, one)), TAKEN if context_id else ABORTED)
    for count in (0, 1, 2, 127, 128, 129, 200, 255, 256, 257, 1000):
        ids = [(2 * number + 1) % 256 for number in range(count)]
        may = ABORTED if count in (0, 257, 1000) else TAKEN if count <= 128 else REJECTED
        yield associate(f"{count} contexts", rq(b"".join(context_rq(context_id, one) for context_id in ids)), may)
    yield associate("an ID twice in the same content", rq(context_rq(1, one) * 2), TAKEN)
    yield associate("an ID twice", rq(context_rq(1, one) + context_rq(1, one, transfer)), REJECTED)
    for abstracts, transfers in product((0, 1, 2), (0, 1, 2, 64, 65, 1000)):
        # An unusable context is refused alone.
        may = TAKEN if transfers <= 64 else ABORTED
        name = f"{abstracts} abstract and {transfers} transfer syntaxes"
        yield associate(name, rq(context_rq(1, abstract * abstracts + transfer * transfers)), may)
    for length, padding in product((0, 1, 2, 63, 64, 65, 66, 255, 60000), (b"", b"\0", b" ", b"\0\0 ")):
        uid = b"1" * length + padding
        for name, pair in (("abstract", (uid, b"1.3")), ("transfer", (b"1.2", uid))):
            context = context_rq(1, abstract_syntax(pair[0]), transfer_syntax(pair[1]))
            yield associate(f"{name} syntax of {length} characters and {padding!r}", rq(context), TAKEN)
    for text in (b"1.2.x", b"../../x", b"1..2", b".", b"1.2\n3", b"%s%n", b"\xff\xfe", b"1.\x002", b"\x1b[2J", b"{0}"):
        yield associate(f"{text!r} for UIDs", rq(context_rq(1, abstract_syntax(text), transfer_syntax(text))), TAKEN)


def sub_items() -> Iterator[Case]:
    """Yield C6: each user information sub-item with wrong lengths, once, twice and a thousand times; user identities.

    A sub-item that is repeated or unreadable does not cost the association, except for a user identity.
    """
    for item_type, (_, whole) in SUB_ITEMS.items():
        content = whole[4:]
        for length, times in product((0, 1, len(content) - 1, len(content) + 1, 65535), (1, 2, 1000)):
            name = f"{times} sub-items {item_type:02X}H of {length} bytes"
            # It says this length and has the content that it had; and it has as much as it says.
            for carried in (content, content[:length].ljust(length, b"\0")):
                unread = REJECTED if item_type == 0x58 else TAKEN
                may = ANSWERED if carried is content else ABORTED if times > 128 else unread
                if times * (4 + len(carried)) <= 65535:
                    information = item(0x50, item(item_type, carried, length) * times)
                    yield associate(name, rq(user_information=information), may)
    for identity_type, respond in product((*range(7), 255), (0, 1, 255)):
        identity = item(0x58, bytes((identity_type, respond)) + prefixed("user") + prefixed("word"))
        yield associate(f"user identity {identity_type}/{respond}", rq(user_information=item(0x50, identity)), TAKEN)
    for first, second in product((0, 3, 5, 255, 65535), repeat=2):
        content = b"\2\1" + pack(">H", first) + b"user" + pack(">H", second) + b"word"
        identity = item(0x50, item(0x58, content))
        yield associate(f"user identity of {first} and {second} bytes", rq(user_information=identity), REJECTED)


def tolerated() -> Iterator[Case]:
    """Yield C13: the table of docs/tolerance.md, field by field.

    The answers here are those of another acceptor and requestor, which accept every AE title and require an identity.
    """
    for fault in FAULTS:
        state = REQUEST if fault.pdu == "RQ" else ACCEPT
        may = ANSWERED
        if fault.like:
            may = TAKEN if state == REQUEST else ANSWERED
        elif fault.answer in ("A-ABORT 0/0", "A-ABORT 2/6") and "1 to 7" not in fault.what:
            may = ABORTED
        elif not fault.what.startswith(("calling: not", "called: not")):
            may = REJECTED
        yield associate(fault.name, fault.said, may, state)
