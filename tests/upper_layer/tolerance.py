"""Faults of an A-ASSOCIATE-RQ or -AC, field by field: those that are tolerated, how they are read, and those that are refused.

`FAULTS` is the table. `python -m tests.upper_layer.tolerance` prints it, and docs/tolerance.md shows it. `test_tolerance.py` tests
each row. `tests/corpus` has its bytes among its cases, and `tests/test_tolerance.py` sends them to a server and to a requestor.

A fault that is tolerated reads like other bytes, `like`, that have no fault, and is told in a line. One that is not is answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from struct import pack

from tests.upper_layer.bodies import (
    AC,
    BEFORE,
    BEHIND,
    BIG,
    CLASS_UID,
    COMMON,
    CT,
    EXTENDED,
    FIRST,
    FIXED,
    IDENTITY,
    LENGTH,
    RESPONSE,
    RQ,
    SECOND,
    VERSION,
    WINDOW,
    answered,
    body,
    fixed,
    only,
    proposed,
    role,
    with_second,
)
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

# --- the table ---


@dataclass(frozen=True)
class Fault:
    """A fault of a peer.

    Attributes:
        pdu: The PDU that has it: "RQ" or "AC".
        part: The fixed field or item that has it.
        what: The fault in words.
        reads: The reading of the fault, if it is tolerated.
        said: The body of the PDU.
        like: A body with the same meaning and no fault; empty if the fault is not tolerated.
        answer: The answer to a fault that is not tolerated.
        told: True if it is logged when it is tolerated. Faults that the Standard allows, or forbids to test, are not logged.
    """

    pdu: str
    part: str
    what: str
    said: bytes = field(repr=False)
    reads: str = ""
    like: bytes = field(default=b"", repr=False)
    answer: str = ""
    told: bool = True

    @property
    def name(self) -> str:
        """The name of the row."""
        return f"{self.pdu}: {self.part}: {self.what}"


ABORT = {RQ: "A-ABORT 0/0", AC: "A-ABORT 2/6"}
BY_USER = "A-ABORT 0/0"


def tolerated(
    pdus: str,
    part: str,
    what: str,
    reads: str,
    said: dict[str, bytes],
    like: dict[str, bytes] | None = None,
    told: bool = True,
) -> Iterator[Fault]:
    for pdu in pdus.split():
        yield Fault(pdu, part, what, said[pdu], reads, (like or {}).get(pdu) or body(pdu), told=told)


def strict(pdus: str, part: str, what: str, said: dict[str, bytes], answer: str = "") -> Iterator[Fault]:
    for pdu in pdus.split():
        yield Fault(pdu, part, what, said[pdu], answer=answer or ABORT[pdu])


def both(make: object, *arguments: bytes) -> dict[str, bytes]:
    """Return the same arguments for each PDU."""
    assert callable(make)
    return {pdu: make(pdu, *arguments) for pdu in (RQ, AC)}


def sub(*sub_items: bytes) -> dict[str, bytes]:
    """Return bodies with these sub-items besides the others."""
    return both(body, *sub_items)


# A context with an unsupported abstract syntax, or without a supported transfer syntax, is refused alone.
NO_SUCH_CLASS = with_second(RQ, proposed(3, "1.2.999"))
NO_SUCH_SYNTAX = with_second(RQ, proposed(3, CT, BIG))
UNANSWERED = with_second(AC)
ONE = b"\3\0\0\0"


def _fixed_fields() -> Iterator[Fault]:
    name = "protocol version"
    yield from strict(RQ, name, "bit 0 clear", {RQ: body(RQ, start=fixed(version=2))}, "A-ASSOCIATE-RJ 1/2/2")
    yield from tolerated(AC, name, "any", "not tested", {AC: body(AC, start=fixed(version=2))}, told=False)
    name = "AE titles"
    padded = fixed(called=b"  CALLED\0\0", calling=b" CALLING\0")
    yield from tolerated(
        RQ, name, "leading blanks, trailing blanks or NULs", "dropped", {RQ: body(RQ, start=padded)}, told=False
    )
    yield from tolerated(
        AC, name, "any bytes", "not tested", {AC: body(AC, start=fixed(called=b"\xff\0\n", calling=b""))}, told=False
    )
    for what, calling in (("calling: empty", b""), ("calling: NULs", bytes(16))):
        yield from strict(RQ, name, what, {RQ: body(RQ, start=fixed(calling=calling))}, "A-ASSOCIATE-RJ 1/1/3")
    yield from strict(
        RQ,
        name,
        "calling: not an allowed one",
        {RQ: body(RQ, start=fixed(calling=b"calling"))},
        "A-ASSOCIATE-RJ 1/1/3",
    )
    yield from strict(
        RQ,
        name,
        "called: not the required one",
        {RQ: body(RQ, start=fixed(called=b"CALLED2"))},
        "A-ASSOCIATE-RJ 1/1/7",
    )
    reserved = {pdu: body(pdu, start=fixed(reserved=b"\xff" * 32)) for pdu in (RQ, AC)}
    yield from tolerated("RQ AC", "reserved bytes", "any", "not tested", reserved, told=False)


def _application_context() -> Iterator[Fault]:
    name = "Application Context (10H)"
    other = item(0x10, b"1.2.3")
    twice = {pdu: body(pdu, application=2 * APPLICATION_CONTEXT) for pdu in (RQ, AC)}
    yield from tolerated("RQ AC", name, "twice with the same content", "once", twice)
    padded = item(0x10, APPLICATION_CONTEXT[4:] + b" \0")
    yield from tolerated(
        "RQ AC", name, "padded", "without the padding", {p: body(p, application=padded) for p in (RQ, AC)}
    )
    wrong = {
        "missing": b"",
        "empty or longer than 64": item(0x10, b""),
        "twice with different content": APPLICATION_CONTEXT + other,
        "another UID": other,
    }
    for what, application in wrong.items():
        said = {pdu: body(pdu, application=application) for pdu in (RQ, AC)}
        yield from strict(RQ, name, what, said, "A-ASSOCIATE-RJ 1/1/2" if what == "another UID" else "")
        yield from tolerated(AC, name, what, "without significance", said)


def _proposed_contexts() -> Iterator[Fault]:
    name = "Presentation Context (20H)"
    short = {RQ: with_second(RQ, SECOND[RQ], item(0x20, b"\5\0"))}
    yield from tolerated(RQ, name, "shorter than its ID and reserved bytes", "ignored", short)
    yield from tolerated(RQ, name, "ID 0", "ignored", {RQ: with_second(RQ, SECOND[RQ], proposed(0))})
    even = {RQ: with_second(RQ, SECOND[RQ], proposed(6))}
    yield from tolerated(RQ, name, "an even ID", "answered like an odd one", even, even)
    twice = {RQ: with_second(RQ, SECOND[RQ], SECOND[RQ])}
    yield from tolerated(RQ, name, "twice with the same content", "once", twice)
    lie = {RQ: with_second(RQ, item(0x20, ONE + item(0x30, CT.encode(), 99)))}
    yield from tolerated(RQ, name, "an item in it exceeds its end", "refused alone", lie, {RQ: NO_SUCH_CLASS})
    other = {RQ: with_second(RQ, SECOND[RQ], proposed(3, CT, IMPLICIT))}
    yield from strict(RQ, name, "one ID twice with different content", other, "A-ASSOCIATE-RJ 1/2/1")
    many = b"".join(proposed(1 + n % 255) for n in range(129))
    yield from strict(RQ, name, "more than 128", {RQ: body(RQ, contexts=many)}, "A-ASSOCIATE-RJ 1/2/1")
    yield from strict(RQ, name, "more than 256", {RQ: body(RQ, contexts=many * 2)})
    yield from strict(RQ, name, "no context with a valid ID", {RQ: body(RQ, contexts=proposed(0))})
    yield from strict(RQ, name, "missing", {RQ: body(RQ, contexts=b"")})


def _in_proposed_contexts() -> Iterator[Fault]:
    name = "Abstract Syntax (30H)"
    syntax = transfer_syntax(EXPLICIT.encode())
    good, other = abstract_syntax(CT.encode()), abstract_syntax(VERIFICATION.encode())
    for what, items in (
        ("missing", b""),
        ("empty or longer than 64", abstract_syntax(b"")),
        ("twice with different content", good + other),
    ):
        said = {RQ: with_second(RQ, context_rq(3, items, syntax))}
        yield from tolerated(RQ, name, what, "the context is refused alone", said, {RQ: NO_SUCH_CLASS})
    yield from tolerated(
        RQ, name, "twice with the same content", "once", {RQ: with_second(RQ, context_rq(3, good, good, syntax))}
    )
    padded = {RQ: with_second(RQ, context_rq(3, abstract_syntax(b" " + CT.encode() + b"\0\0"), syntax))}
    yield from tolerated(RQ, name, "padded", "without the padding", padded)

    name = "Transfer Syntax (40H)"
    for what, items in (("missing", b""), ("none readable", transfer_syntax(b"1" * 65))):
        said = {RQ: with_second(RQ, context_rq(3, good, items))}
        yield from tolerated(RQ, name, what, "the context is refused alone", said, {RQ: NO_SUCH_SYNTAX})
    for what, unreadable in (("empty", b""), ("longer than 64", b"1" * 65)):
        said = {RQ: with_second(RQ, context_rq(3, good, transfer_syntax(unreadable), syntax))}
        yield from tolerated(RQ, name, f"{what} beside others", "the others count", said)
    twice = {RQ: with_second(RQ, context_rq(3, good, syntax, syntax))}
    yield from tolerated(RQ, name, "twice with the same content", "once", twice, told=False)
    yield from tolerated(
        RQ,
        name,
        "padded",
        "without the padding",
        {RQ: with_second(RQ, context_rq(3, good, transfer_syntax(EXPLICIT.encode() + b" \0 ")))},
    )
    yield from strict(RQ, name, "more than 64", {RQ: with_second(RQ, context_rq(3, good, syntax * 65))})


def _answered_contexts() -> Iterator[Fault]:
    name = "Presentation Context (21H)"
    unanswered, refused = {AC: UNANSWERED}, {AC: with_second(AC, answered(3, 2))}
    yield from tolerated(AC, name, "missing", "the context is refused", unanswered, refused, told=False)
    short = {AC: with_second(AC, item(0x21, b"\3\0"))}
    yield from tolerated(AC, name, "shorter than its ID and result", "missing", short, unanswered)
    yield from tolerated(AC, name, "ID 0", "ignored", {AC: with_second(AC, SECOND[AC], answered(0, 0, EXPLICIT))})
    for what, result in (("refused and never proposed", 3), ("accepted and never proposed", 0)):
        said = {AC: with_second(AC, SECOND[AC], answered(99, result, EXPLICIT))}
        yield from tolerated(AC, name, what, "ignored; data on it aborts" if result == 0 else "ignored", said)
    yield from tolerated(AC, name, "twice with the same content", "once", {AC: with_second(AC, SECOND[AC], SECOND[AC])})
    yield from tolerated(
        AC,
        name,
        "a result above 4",
        "the context is refused",
        {AC: with_second(AC, answered(3, 77, EXPLICIT))},
        {AC: with_second(AC, answered(3, 77))},
        told=False,
    )
    other = {AC: with_second(AC, SECOND[AC], answered(3, 0, IMPLICIT))}
    yield from strict(AC, name, "one ID twice with different content", other, BY_USER)
    yield from strict(AC, name, "more than 256", {AC: with_second(AC, SECOND[AC] * 256)})

    name = "Transfer Syntax (40H) of an accepted context"
    unusable = {AC: with_second(AC, answered(3, 0, "1.2.999"))}
    cases = {
        "missing": answered(3),
        "empty or longer than 64": answered(3, 0, ""),
        "twice with different content": answered(3, 0, EXPLICIT, IMPLICIT),
        "exceeds its context": item(0x21, ONE + item(0x40, EXPLICIT.encode(), 99)),
        "not proposed": answered(3, 0, BIG),
    }
    for what, context in cases.items():
        said = {AC: with_second(AC, context)}
        yield from tolerated(AC, name, what, "the context is not used", said, unusable)
    twice = {AC: with_second(AC, answered(3, 0, EXPLICIT, EXPLICIT))}
    yield from tolerated(AC, name, "twice with the same content", "once", twice, told=False)
    yield from tolerated(
        AC, name, "padded", "without the padding", {AC: with_second(AC, answered(3, 0, EXPLICIT + "\0"))}
    )
    name = "Transfer Syntax (40H) of a refused context"
    refused = {AC: with_second(AC, answered(3, 4, EXPLICIT))}
    for what, syntaxes in (
        ("missing", ()),
        ("empty", ("",)),
        ("not proposed", ("unknown",)),
        ("twice with different content", (EXPLICIT, IMPLICIT)),
    ):
        said = {AC: with_second(AC, answered(3, 4, *syntaxes))}
        yield from tolerated(AC, name, what, "not tested", said, refused, told=False)


def _user_information() -> Iterator[Fault]:
    name = "User Information (50H)"
    bare = {pdu: only(pdu, item(0x51, pack(">L", 16384))) for pdu in (RQ, AC)}
    missing = {pdu: body(pdu, information=b"") for pdu in (RQ, AC)}
    yield from tolerated("RQ AC", name, "missing or empty", "each item has its default", missing, bare)
    whole = item(0x50, BEFORE + BEHIND)
    yield from tolerated(
        "RQ AC", name, "twice with the same content", "once", {p: body(p, information=2 * whole) for p in (RQ, AC)}
    )
    apart = {pdu: body(pdu, information=item(0x50, BEFORE) + item(0x50, BEHIND)) for pdu in (RQ, AC)}
    yield from tolerated("RQ AC", name, "twice with different content", "one with the items of both", apart)
    lie = {pdu: body(pdu, information=item(0x50, BEFORE + item(0x55, b"NAME", 5))) for pdu in (RQ, AC)}
    yield from strict("RQ AC", name, "an item in it exceeds its end", lie)
    yield from strict("RQ AC", name, "more than 4", {p: body(p, information=5 * whole) for p in (RQ, AC)})
    flood = {pdu: only(pdu, item(0x99, b"") * 1025) for pdu in (RQ, AC)}
    yield from strict("RQ AC", name, "more than 1,024 items in it", flood)

    name = "Maximum Length (51H)"
    default = {pdu: only(pdu, item(0x51, pack(">L", 16384))) for pdu in (RQ, AC)}
    yield from tolerated("RQ AC", name, "missing", "16,384", both(only), default)
    yield from tolerated("RQ AC", name, "not of 4 bytes", "16,384", both(only, item(0x51, b"\0\1")), default)
    several = both(only, item(0x51, pack(">L", 0)), item(0x51, pack(">L", 9000)), item(0x51, pack(">L", 9001)))
    yield from tolerated("RQ AC", name, "more than once", "the smallest that is not 0", several, both(only, LENGTH))
    yield from strict("RQ AC", name, "1 to 7", both(only, item(0x51, pack(">L", 7))), BY_USER)

    for kind, name, good, wrong in (
        (0x52, "Implementation Class UID (52H)", CLASS_UID, b""),
        (0x55, "Implementation Version Name (55H)", VERSION, None),
    ):
        first = both(only, LENGTH, good)
        yield from tolerated(
            "RQ AC", name, "more than once", "the first", both(only, LENGTH, good, item(kind, b"9.9")), first
        )
        yield from tolerated(
            "RQ AC",
            name,
            "padded",
            "without the padding",
            both(only, LENGTH, good[:3] + bytes((good[3] + 1,)) + good[4:] + b"\0"),
            first,
        )
        if wrong is not None:
            said = both(only, LENGTH, item(kind, wrong))
            yield from tolerated("RQ AC", name, "empty or longer than 64", "missing", said, both(only, LENGTH))
        yield from tolerated(
            "RQ AC",
            name,
            "missing",
            "unknown",
            both(only, LENGTH),
            told=False,
            like=both(only, LENGTH, item(0x55, b"")),
        )
    long = both(only, LENGTH, item(0x55, b"X" * 40))
    yield from tolerated(
        "RQ AC", "Implementation Version Name (55H)", "empty or longer than 16", "kept as it is", long, long, told=False
    )


def _negotiations() -> Iterator[Fault]:
    name = "Asynchronous Operations Window (53H)"
    yield from tolerated("RQ AC", name, "missing", "1 and 1", sub(), sub(item(0x53, b"\0\1\0\1")), told=False)
    yield from tolerated("RQ AC", name, "not of 4 bytes", "missing", sub(item(0x53, b"\0\4\0")))
    wider, unlimited = item(0x53, b"\0\4\0\1"), item(0x53, b"\0\0\0\1")
    yield from tolerated("RQ AC", name, "more than once", "the smaller", sub(wider, WINDOW, unlimited), sub(WINDOW))

    name = "SCP/SCU Role Selection (54H)"
    yield from tolerated("RQ AC", name, "missing", "SCU only", sub(), sub(role(1, 0)), told=False)
    yield from tolerated("RQ AC", name, "unreadable", "missing", sub(item(0x54, prefixed(CT) + b"\1")))
    yield from tolerated(
        "RQ AC", name, "a wrong length in it", "missing", sub(item(0x54, b"\0\x99" + CT.encode() + b"\1\1"))
    )
    yield from tolerated(
        "RQ AC", name, "more than once for a SOP class", "the narrower", sub(role(1, 1), role(1, 0)), sub(role(1, 0))
    )
    yield from tolerated("RQ AC", name, "another value than 0 and 1", "0", sub(role(1, 255)), sub(role(1, 0)))
    yield from tolerated("RQ AC", name, "of another SOP class", "without effect", sub(role(1, 1, "1.2.9")), told=False)

    name = "SOP Class Extended Negotiation (56H)"
    yield from tolerated("RQ AC", name, "missing", "none", sub(), told=False)
    yield from tolerated("RQ AC", name, "unreadable", "missing", sub(item(0x56, b"\0")))
    again = item(0x56, prefixed(CT) + b"\2")
    yield from tolerated(
        "RQ AC", name, "more than once for a SOP class", "the first", sub(EXTENDED, again), sub(EXTENDED)
    )

    name = "SOP Class Common Extended Negotiation (57H)"
    yield from tolerated("RQ AC", name, "missing or more than once", "without effect", sub(COMMON, COMMON), told=False)
    yield from tolerated("RQ AC", name, "unreadable", "missing", sub(item(0x57, prefixed(CT))))
    yield from tolerated(
        "RQ AC",
        name,
        "without its last list",
        "an empty list",
        sub(COMMON[:3] + bytes((COMMON[3] - 2,)) + COMMON[4:-2]),
    )


def _identities() -> Iterator[Fault]:
    name = "User Identity (58H)"
    yield from tolerated(RQ, name, "missing", "anonymous", sub(), told=False)
    yield from tolerated(
        RQ, name, "twice with the same content", "once", sub(IDENTITY, IDENTITY), sub(IDENTITY), told=False
    )
    for what, identities in (
        ("empty", (item(0x58, b""),)),
        ("an empty primary field", (item(0x58, b"\1\0\0\0\0\0"),)),
        ("unreadable", (item(0x58, b"\1\0\0\4user"),)),
        ("a wrong length in it", (item(0x58, b"\1\0\0\x99user\0\0"),)),
        ("longer than its fields", (item(0x58, IDENTITY[4:] + b"\0"),)),
        ("twice with different content", (IDENTITY, item(0x58, b"\1\1" + IDENTITY[6:]))),
        ("twice, once unreadable", (item(0x58, b""), IDENTITY)),
    ):
        yield from strict(RQ, name, what, sub(*identities), "A-ASSOCIATE-RJ 1/1/1")
    apart = body(RQ, information=item(0x50, BEFORE + IDENTITY) + item(0x50, BEHIND + item(0x58, b"\1\0\0\1x\0\0")))
    yield from strict(
        RQ, name, "twice with different content in two User Informations", {RQ: apart}, "A-ASSOCIATE-RJ 1/1/1"
    )
    yield from tolerated(AC, name, "any", "ignored", sub(IDENTITY), told=False)

    name = "User Identity response (59H)"
    yield from tolerated(RQ, name, "any", "ignored", sub(RESPONSE), told=False)
    yield from tolerated(AC, name, "missing", "not confirmed", sub(), told=False)
    yield from tolerated(AC, name, "empty or unreadable", "missing", sub(item(0x59, b"\0\4ok")))
    yield from tolerated(
        AC, name, "twice with the same content", "once", sub(RESPONSE, RESPONSE), sub(RESPONSE), told=False
    )
    other = sub(RESPONSE, item(0x59, b"\0\2no"))
    yield from tolerated(AC, name, "twice with different content", "missing", other)


def _repetitions(so_far: Iterable[Fault]) -> Iterator[Fault]:
    for kind in range(0x51, 0x5A):
        name = next(fault.part for fault in so_far if f"({kind:02X}H)" in fault.part)
        yield from strict("RQ AC", name, "more than 128 times", both(only, item(kind, b"") * 129))


def _items() -> Iterator[Fault]:
    name = "items"
    stranger = item(0x99, b"whatever")
    for where, said in (
        ("in the PDU", {pdu: body(pdu, application=APPLICATION_CONTEXT + stranger) for pdu in (RQ, AC)}),
        (
            "in a context",
            {
                RQ: with_second(RQ, context_rq(3, SECOND[RQ][8:], stranger)),
                AC: with_second(AC, item(0x21, SECOND[AC][4:] + stranger)),
            },
        ),
        ("in the user information", sub(stranger)),
    ):
        yield from tolerated("RQ AC", name, f"of an unknown type {where}", "ignored", said)
    order = {
        pdu: FIXED + item(0x50, BEHIND + BEFORE) + SECOND[pdu] + FIRST[pdu] + APPLICATION_CONTEXT for pdu in (RQ, AC)
    }
    yield from tolerated("RQ AC", name, "in another order", "as in the Standard's order", order, told=False)
    lie = {pdu: body(pdu)[:-10] + item(0x55, b"NAME 1", 7) for pdu in (RQ, AC)}
    yield from strict("RQ AC", name, "one exceeds the end of the PDU", lie)
    yield from strict("RQ AC", name, "bytes behind the last", {pdu: body(pdu) + b"\0" for pdu in (RQ, AC)})
    flood = {pdu: body(pdu) + item(0x99, b"") * 1025 for pdu in (RQ, AC)}
    yield from strict("RQ AC", name, "more than 1,024 in one field", flood)


_INFORMATION = (*_user_information(), *_negotiations(), *_identities())

FAULTS: tuple[Fault, ...] = (
    *_fixed_fields(),
    *_items(),
    *_application_context(),
    *_proposed_contexts(),
    *_in_proposed_contexts(),
    *_answered_contexts(),
    *_INFORMATION,
    *_repetitions(_INFORMATION),
)


# --- the table in words ---


def rows() -> Iterator[str]:
    """Yield the lines of the table in docs/tolerance.md."""
    yield "| field | in | tolerated: how it reads | not tolerated: the answer |"
    yield "|---|---|---|---|"
    fields = dict.fromkeys(fault.part for fault in FAULTS)
    for name in fields:
        faults = [fault for fault in FAULTS if fault.part == name]
        by_pdu = {pdu: _cells([fault for fault in faults if fault.pdu == pdu]) for pdu in (RQ, AC)}
        if by_pdu[RQ] == by_pdu[AC]:
            by_pdu = {"RQ, AC": by_pdu[RQ]}
        for pdu, cells in by_pdu.items():
            if any(cells):
                yield f"| {name} | {pdu} | {cells[0]} | {cells[1]} |"


def _cells(faults: list[Fault]) -> tuple[str, str]:
    taken = [(fault.what, fault.reads) for fault in faults if fault.like]
    refused = [(fault.what, _in_words(fault.answer)) for fault in faults if not fault.like]
    return _joined(taken), _joined(refused)


def _joined(pairs: list[tuple[str, str]]) -> str:
    """Return all that is wrong, with what comes of it said once."""
    by_result: dict[str, dict[str, None]] = {}
    for what, result in pairs:
        by_result.setdefault(result, {})[what] = None
    return "; ".join(f"{', '.join(whats)}: {result}" for result, whats in by_result.items())


def _in_words(answer: str) -> str:
    return "A-ABORT" if answer.startswith("A-ABORT") else answer.removeprefix("A-ASSOCIATE-")


if __name__ == "__main__":
    print(*rows(), sep="\n")
