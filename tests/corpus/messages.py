"""C7 and C8: presentation data values in any order and length, and command sets with a defect."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from struct import pack

from dimse.message.assembly import MAX_EMPTY_PDVS
from dimse.message.command import CEchoRQ, CStoreRQ, encode
from dimse.upper_layer.pdata import COMMAND, LAST, MOST_PDVS_IN_A_PDU
from tests.corpus.case import UNLIMITED, Case, Outcome, only
from tests.data_set.test_walk import element, head
from tests.message.samples import CLASSES, elements_of, sample
from tests.message.test_elements import BROKEN, DEFECTS
from tests.upper_layer.test_provider import p_data

ABORTED, WAITING, TAKEN = only(Outcome.ABORTED), only(Outcome.WAITING), only(Outcome.TAKEN)
REFUSED = only(Outcome.REFUSED)

STORE_ON, OTHER = 3, 1  # the two contexts that were accepted
STORE = encode(CStoreRQ(message_id=1, affected_sop_class_uid="1.2", affected_sop_instance_uid="1.2.34"))
ECHO = encode(CEchoRQ(message_id=2, affected_sop_class_uid="1.2"))
WHOLE = head() + element(0x00100010, b"PN", b"")
EMPTY_ELEMENT = element(0x00100010, b"PN", b"")  # the smallest data set

PDV = tuple[int, int, bytes]  # context ID, message control header, value


def pdvs(context_id: int, kind: int, value: bytes, size: int = 4000) -> list[PDV]:
    """Return a command set or a data set in PDVs of `size` bytes."""
    starts = range(0, max(1, len(value)), size)
    return [(context_id, kind | (LAST if start == starts[-1] else 0), value[start : start + size]) for start in starts]


def pdus(*values: PDV) -> bytes:
    """Return a P-DATA-TF PDU for each."""
    return b"".join(p_data(value) for value in values)


def said(name: str, data: bytes, may: frozenset[Outcome], before: bytes = b"") -> Case:
    """Return the case of P-DATA in an established association."""
    return Case(name, "Sta6", data, may, before)


STORE_RQ = pdus(*pdvs(STORE_ON, COMMAND, STORE))
"""After it a data set is due."""


def values() -> Iterator[Case]:
    """Yield C7: where a data set is due, one PDV of any length, context and message control header, and many in a PDU."""
    lengths = (0, 1, 2, 3, 2 + len(EMPTY_ELEMENT), 3 + len(EMPTY_ELEMENT), 0xFFFFFFFF)
    for length, context_id, control in product(lengths, (STORE_ON, OTHER, 0, 2, 255), range(256)):
        may = ABORTED
        if length == 2 + len(EMPTY_ELEMENT) and context_id == STORE_ON and not control & COMMAND:
            may = TAKEN if control & LAST else WAITING
        pdv = pack(">LBB", length, context_id, control) + EMPTY_ELEMENT
        name = f"PDV of {length} bytes, control {control:02X}H, on context {context_id}"
        yield said(name, pack(">BxL", 4, len(pdv)) + pdv, may, STORE_RQ)
    yield from _fragments()
    yield from _numbers()


def _fragments() -> Iterator[Case]:
    """Yield a command and its data set in two PDVs each, cut at any byte, in one PDU and in one PDU for each."""
    command, data_set = pdvs(STORE_ON, COMMAND, STORE), pdvs(STORE_ON, 0, WHOLE)
    for cut in range(len(STORE) + 1):
        halves = [(STORE_ON, COMMAND, STORE[:cut]), (STORE_ON, COMMAND | LAST, STORE[cut:])]
        yield said(f"command in {cut} bytes and the rest", p_data(*halves, *data_set), TAKEN)
        halves[1] = (OTHER, *halves[1][1:])
        yield said(f"command in {cut} bytes, the rest on another context", pdus(*halves, *data_set), ABORTED)
        halves[1] = (STORE_ON, 0, STORE[cut:])
        yield said(f"data after {cut} bytes of a command", pdus(*halves), ABORTED)
    for cut in range(len(WHOLE) + 1):
        halves = [(STORE_ON, 0, WHOLE[:cut]), (STORE_ON, LAST, WHOLE[cut:])]
        yield said(f"data set in {cut} bytes and the rest", pdus(*command, *halves), TAKEN)
        halves[1] = (OTHER, *halves[1][1:])
        yield said(f"data set in {cut} bytes, the rest on another context", p_data(*command, *halves), ABORTED)
        halves[1] = (STORE_ON, COMMAND | LAST, ECHO)
        yield said(f"command after {cut} bytes of a data set", p_data(*command, *halves), ABORTED)


def _numbers() -> Iterator[Case]:
    """Yield empty PDVs and PDVs of a byte, up to the limit and one more, and PDUs that end within a PDV's header."""
    for count in (1, 2, MAX_EMPTY_PDVS - 1, MAX_EMPTY_PDVS, MAX_EMPTY_PDVS + 1, 500):
        empty = (STORE_ON, 0, b"")
        for name, data in (("in a PDU", p_data(*[empty] * count)), ("a PDU each", pdus(*[empty] * count))):
            yield said(f"{count} empty PDVs {name}", data, WAITING if count <= MAX_EMPTY_PDVS else ABORTED, STORE_RQ)
    for size in (0, 1):
        for count in (2, 64, 500, MOST_PDVS_IN_A_PDU, MOST_PDVS_IN_A_PDU + 1):
            value = (OTHER, COMMAND | LAST, ECHO) if size == 0 else (STORE_ON, 0, b"x")
            may = ABORTED if count > MOST_PDVS_IN_A_PDU else TAKEN if size == 0 else WAITING
            yield Case(f"{count} PDVs", UNLIMITED, p_data(*[value] * count), may, STORE_RQ if size else b"")
    for trailing in range(1, 6):
        pdv = p_data((STORE_ON, LAST, EMPTY_ELEMENT))[6:] + bytes(trailing)
        yield said(f"{trailing} bytes after a PDV", pack(">BxL", 4, len(pdv)) + pdv, ABORTED, STORE_RQ)
    for control in range(256):
        may = TAKEN if control & COMMAND and control & LAST else WAITING if control & COMMAND else ABORTED
        yield said(f"C-ECHO-RQ under control {control:02X}H", p_data((OTHER, control, ECHO)), may)


def commands() -> Iterator[Case]:
    """Yield C8: each of the 23 messages with each of 40 defects."""
    for message_class, (defect, (status, damage)) in product(CLASSES, DEFECTS.items()):
        command_set = damage(elements_of(sample(message_class)))
        may = ABORTED if status == BROKEN else REFUSED
        yield said(f"{message_class.name}: {defect}", pdus(*pdvs(STORE_ON, COMMAND, command_set)), may)
