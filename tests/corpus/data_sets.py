"""C9: data sets that are cut, deep, badly deflated, in another transfer syntax than said, or otherwise wrong."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import product

from dimse import uids
from dimse.data_set.encoding import LONG_FORM, SHORT_FORM, UNDEFINED_LENGTH
from dimse.data_set.walk import MAXIMUM_NESTING
from dimse.uids import TransferSyntax
from tests.corpus.case import Case, Outcome, only
from tests.corpus.messages import STORE_ON, STORE_RQ, pdus, pdvs
from tests.data_set.test_walk import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    closed,
    deflate,
    element,
    head,
    item,
    nested,
    small,
)

TAKEN, MALFORMED = only(Outcome.TAKEN), only(Outcome.MALFORMED)
EITHER = TAKEN | MALFORMED

BOMB = 8 * 1024 * 1024  # bytes, of 8 KiB deflated
SEQUENCE, PRIVATE, PIXEL_DATA = 0x00081140, 0x00091001, 0x7FE00010


def stored(name: str, data_set: bytes, may: frozenset[Outcome], transfer_syntax: TransferSyntax = EXPLICIT) -> Case:
    """Return the case of a C-STORE-RQ and this data set."""
    said = f"{name} ({uids.name(transfer_syntax.uid)})"
    return Case(said, "Sta6", pdus(*pdvs(STORE_ON, 0, data_set)), may, STORE_RQ, transfer_syntax)


def data_sets() -> Iterator[Case]:
    """Yield C9: data sets that arrive completely as messages, and are incomplete themselves."""
    yield from _cut()
    yield from _nested()
    yield from _lengths()
    yield from _deflated()
    yield from _out_of_place()
    yield from _other_syntax()


def _cut() -> Iterator[Case]:
    """Cut before every byte: between two elements it is a data set, and so it is if what follows is zero bytes."""
    for syntax in (IMPLICIT, EXPLICIT, BIG, JPEG):
        whole, ends = small(syntax)
        for size in range(len(whole)):
            last = max(end for end in ends if end <= size)
            yield stored(f"cut at byte {size}", whole[:size], MALFORMED if any(whole[last:size]) else TAKEN, syntax)
    whole, ends = small(EXPLICIT)
    deflated = deflate(whole)
    for size in range(len(deflated)):
        yield stored(f"deflated and cut at byte {size}", deflated[:size], MALFORMED, DEFLATED)
    for size in set(range(len(whole))) - ends:
        last = max(end for end in ends if end <= size)
        may = MALFORMED if any(whole[last:size]) else TAKEN
        yield stored(f"cut at byte {size} and deflated", deflate(whole[:size]), may, DEFLATED)


def _nested() -> Iterator[Case]:
    for depth, undefined, syntax in product((1, 63, 64, 65, 1000, 100_000), (True, False), (IMPLICIT, EXPLICIT, BIG)):
        kind = "undefined" if undefined else "defined"
        data_set = head(syntax) + nested(depth, undefined, syntax)
        yield stored(
            f"{depth} sequences of {kind} length", data_set, TAKEN if depth <= MAXIMUM_NESTING else MALFORMED, syntax
        )


def _lengths() -> Iterator[Case]:
    """Yield values longer than the remaining bytes, and undefined lengths without an end."""
    for syntax, vr in product((IMPLICIT, EXPLICIT, BIG), sorted(LONG_FORM | SHORT_FORM)):
        longest = (0xFFFFFFFE, 0xFFFFFFFD, 0x7FFFFFFF, 20)
        if vr in SHORT_FORM and not syntax.implicit_vr:
            longest = (0xFFFF, 0xFFFE, 0x7FFF, 20)
        for length in longest:
            value = element(PRIVATE, vr, b"0123456789", syntax, length)
            yield stored(f"{vr.decode()} of {length} bytes", head(syntax) + value, MALFORMED, syntax)
    for syntax, vr in product((IMPLICIT, EXPLICIT, BIG), sorted(LONG_FORM)):
        entry = item(head(syntax), syntax)
        for name, value in (
            ("no delimiter", entry),
            ("an Item without one", item(head(syntax), syntax, UNDEFINED_LENGTH)),
            ("an element for an Item", head(syntax)),
            ("an Item that is too long", item(head(syntax), syntax, 1000)),
            ("nothing", b""),
        ):
            data_set = head(syntax) + element(SEQUENCE, vr, value, syntax, UNDEFINED_LENGTH)
            yield stored(f"{vr.decode()} of undefined length and {name}", data_set, MALFORMED, syntax)
    for syntax, length in product((IMPLICIT, EXPLICIT, BIG), (1, 3, 7, 1000, 0xFFFFFFFE)):
        pixels = element(PIXEL_DATA, b"OB", item(b"\xff\xd8", syntax, length), syntax, UNDEFINED_LENGTH)
        yield stored(f"a fragment of {length} bytes", head(syntax) + pixels, MALFORMED, syntax)


def _deflated() -> Iterator[Case]:
    for octet in range(256):
        yield stored(f"{octet:02X}H for a deflated stream", bytes((octet,)) * 64, EITHER, DEFLATED)
    deflated = deflate(small(EXPLICIT)[0])
    for place in range(len(deflated)):
        damaged = bytearray(deflated)
        damaged[place] ^= 0x55
        yield stored(f"deflated, byte {place} wrong", bytes(damaged), EITHER, DEFLATED)
    pixels = head() + element(PIXEL_DATA, b"OW", b"", length=BOMB)
    yield stored("a bomb that is what it says", deflate(pixels + bytes(BOMB)), TAKEN, DEFLATED)
    yield stored("a bomb that is shorter", deflate(pixels + bytes(BOMB - 1)), MALFORMED, DEFLATED)
    # Zero bytes behind a data set are padding, however many there are.
    yield stored("a bomb of zero bytes", deflate(head() + bytes(BOMB)), TAKEN, DEFLATED)
    yield stored("a bomb of sequences", deflate(head() + nested(100_000, True)), MALFORMED, DEFLATED)


def _out_of_place() -> Iterator[Case]:
    """Yield elements twice, in any order, of other groups, under other VRs, and superfluous delimiters."""
    for syntax in (IMPLICIT, EXPLICIT, BIG):
        name = element(0x00100010, b"PN", b"A^B ", syntax)
        yield stored("an element twice", head(syntax) + name * 2, TAKEN, syntax)
        yield stored("UIDs twice", head(syntax) * 2, TAKEN, syntax)
        yield stored("elements out of order", name + head(syntax), TAKEN, syntax)
        for number in (0x0002, 0x0003, 0x0010, 0x0100, 0x0800):
            for group in (0x0000, 0x0002):
                other = element(group << 16 | number, b"UI", b"1.2\0", syntax)
                # Programs write them there; those of group 0002 are dropped.
                yield stored(f"({group:04X},{number:04X}) at the start", other + head(syntax), TAKEN, syntax)
                yield stored(f"({group:04X},{number:04X}) at the end", head(syntax) + other, MALFORMED, syntax)
        for number in (0xE000, 0xE00D, 0xE0DD, 0x0000, 0xFFFF):
            # A delimiter at the end, of nothing, loses nothing.
            may = MALFORMED if number == 0xE000 else TAKEN
            yield stored(f"(FFFE,{number:04X})", head(syntax) + item(b"", syntax, number=number), may, syntax)
        for size in (1, 64, 65, 1000, 2000):
            uid = element(0x00080018, b"UI", b"1" * size, syntax)
            yield stored(f"a UID of {size} bytes", uid, MALFORMED if size > 1024 else TAKEN, syntax)
    for vr in sorted(LONG_FORM | SHORT_FORM | {b"XX", b"??", b"\0\0", b"ui", b"  ", b"\xff\xff"}):
        for tag in (0x00080016, 0x00100010, PRIVATE, SEQUENCE, PIXEL_DATA):
            header = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
            yield stored(f"VR {vr!r}", head() + header + b"\4\0ABCD", EITHER)
            yield stored(f"VR {vr!r} in the long form", head() + header + b"\0\0\4\0\0\0ABCD", EITHER)
    for vr in sorted(LONG_FORM | SHORT_FORM):
        within = element(SEQUENCE, b"SQ", item(element(PRIVATE, vr, b"AB", length=99)))
        yield stored(f"{vr.decode()} that goes beyond its Item", head() + within, EITHER)
        unclosed = element(
            SEQUENCE, b"SQ", closed(item(element(PRIVATE, vr, b"AB", length=99))), length=UNDEFINED_LENGTH
        )
        yield stored(f"{vr.decode()} that goes beyond its Item, undefined length", head() + unclosed, MALFORMED)


def _other_syntax() -> Iterator[Case]:
    """Yield data sets in one transfer syntax on a context of another."""
    syntaxes = (IMPLICIT, EXPLICIT, BIG, JPEG, DEFLATED)
    for encoded, negotiated in product(syntaxes, repeat=2):
        whole = deflate(small(EXPLICIT)[0]) if encoded is DEFLATED else small(encoded)[0]
        may = TAKEN if encoded is negotiated else EITHER
        yield stored(f"a data set in {uids.name(encoded.uid)}", whole, may, negotiated)
