"""Attacks by the instances that are stored, and by requests for their storage commitment."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable, Iterable
from functools import partial

from tests.interop.evil import stock
from tests.interop.evil.stock import (
    CT_IMAGE_STORAGE,
    INSTANCE_NUMBER,
    INSTANCES,
    PATIENT_ID,
    PATIENT_NAME,
    PIXEL_DATA,
    SERIES_UID,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    STUDY_UID,
    Attribute,
    element,
)
from tests.interop.evil_scu.attacker import ENDED, EVERYTHING, Attacker, encoded
from tests.interop.evil_scu.registry import attack, enter
from tests.interop.evil_scu.victim import Victim

ROOT = "1.2.826.0.1.3680043.10.999.66"
REFERENCED, TRANSACTION, REFERENCED_CLASS, REFERENCED_INSTANCE = 0x00081199, 0x00081195, 0x00081150, 0x00081155
DEFLATED = "1.2.840.10008.1.2.1.99"
NUMBERS = iter(range(1, 1_000_000))

# Elements whose values the index has, with the VR of each, in the order of tags.
INDEXED: tuple[tuple[int, str], ...] = (
    (0x00080005, "CS"), (0x00080020, "DA"), (0x00080021, "DA"), (0x00080030, "TM"), (0x00080031, "TM"), (0x00080050, "SH"),
    (0x00080060, "CS"), (0x00080070, "LO"), (0x00080080, "LO"), (0x00080090, "PN"), (0x00080201, "SH"), (0x00081010, "SH"),
    (0x00081030, "LO"), (0x0008103E, "LO"), (0x00081040, "LO"), (0x00081050, "PN"), (0x00081070, "PN"), (0x00081080, "LO"),
    (0x00100010, "PN"), (0x00100020, "LO"), (0x00100021, "LO"), (0x00100030, "DA"), (0x00100032, "TM"), (0x00100040, "CS"),
    (0x00101010, "AS"), (0x00101020, "DS"), (0x00101030, "DS"), (0x00102160, "SH"), (0x00104000, "LT"), (0x00180015, "CS"),
    (0x00181030, "LO"), (0x00200010, "SH"), (0x00200011, "IS"), (0x00200013, "IS"), (0x00200060, "CS"), (0x00280008, "IS"),
    (0x00280010, "US"), (0x00280011, "US"), (0x00280100, "US"), (0x00400244, "DA"), (0x00400245, "TM"), (0x00400253, "SH"),
)  # fmt: skip


def _instance(changes: Iterable[Attribute] = (), pixels: bytes = b"px" * 20) -> tuple[bytes, bytes]:
    """Return the SOP Instance UID and the data set of a new instance."""
    number = next(NUMBERS)
    uid = f"{ROOT}.{number}"
    all_of_them: tuple[Attribute, ...] = (
        (SOP_CLASS_UID, "UI", CT_IMAGE_STORAGE),
        (SOP_INSTANCE_UID, "UI", uid),
        (PATIENT_NAME, "PN", "Evil"),
        (PATIENT_ID, "LO", f"E{number}"),
        (STUDY_UID, "UI", f"{ROOT}.{number}.1"),
        (SERIES_UID, "UI", f"{ROOT}.{number}.2"),
        (INSTANCE_NUMBER, "IS", "1"),
        (PIXEL_DATA, "OW", pixels),
        *changes,
    )
    attributes = {one[0]: one for one in all_of_them}
    return uid.encode(), encoded([attributes[tag] for tag in sorted(attributes)])


def _store(victim: Victim, uid: bytes, data_set: bytes, *, plain: bool = True) -> str:
    """Store a data set on an association of its own, note it if it is acknowledged, and return the answer."""
    with victim.attacker() as scu:
        status = scu.store_and_read(data_set, uid)
    if status == "0000H" and plain:
        victim.keep(uid, data_set)
    assert status != "0110H", status
    return status


# ---- values


def _garbage(value: bytes, victim: Victim) -> None:
    """Verify that a value of garbage in each indexed element is refused, or stored and found; so is one in all of them."""
    for tag, vr in INDEXED:
        uid, data_set = _instance([(tag, vr, value)])
        _store(victim, uid, data_set)
    uid, data_set = _instance([(tag, vr, value) for tag, vr in INDEXED])
    _store(victim, uid, data_set)
    # A query for every attribute of these studies meets the same garbage in responses.
    with victim.attacker() as scu:
        keys: dict[int, Attribute] = {tag: (tag, vr, "") for tag, vr in INDEXED if vr != "US"}
        keys |= {
            stock.LEVEL: (stock.LEVEL, "CS", "IMAGE"),
            STUDY_UID: (STUDY_UID, "UI", ""),
            PATIENT_ID: (PATIENT_ID, "LO", ""),
        }
        keys |= {SOP_INSTANCE_UID: (SOP_INSTANCE_UID, "UI", uid)}
        del keys[0x00080005]
        assert scu.ask_and_read("find", [keys[tag] for tag in sorted(keys)]) == ("0000H", 1)


GARBAGE: dict[str, bytes] = {
    "of_8_bits": bytes(range(128, 256)),
    "of_control_characters": bytes(range(1, 32)) * 2,
    "of_nul": b"\0A\0B\0\0",
    "of_escapes": b"\x1b$B\x1b(J\x1b$)C\xff\x1b",
    "of_sql": b"'; DROP TABLE instance; --",
    "of_backslashes": b"\\" * 1_000,
    "of_surrogates": b"\xed\xa0\x80\xed\xbf\xbf",
    "of_60_kb": b"Z" * 60_000,
    "of_huge_digits": b"9" * 400,
    "of_exponents": b"-1e99999999",
    "of_carets": b"^=" * 2_000,
    "of_quotes": b'""',
}

for name, value in GARBAGE.items():
    enter(f"store_garbage_{name}", partial(_garbage, value))


@attack
def store_garbage_in_character_sets(victim: Victim) -> None:
    """Verify that names in character sets that do not exist, or that they are not in, are stored and found."""
    for charset in ("NONSENSE", "ISO_IR 192\\GBK", "ISO 2022 IR 87", "GB18030", "\\" * 50, "ISO 2022 IR 149\\rot13"):
        for name in (b"\xff\xfe", b"\x1b$B\x30\x1b", "Ä=山田=やまだ".encode(), b"\x84\x31\xa4"):
            uid, data_set = _instance([(0x00080005, "CS", charset), (PATIENT_NAME, "PN", name)])
            assert _store(victim, uid, data_set) == "0000H"


@attack
def store_deep_sequences(victim: Victim) -> None:
    """Verify that indexed sequences nested deeply, or of thousands of items, are stored and found, or refused."""
    for depth in (9, 64):
        begin = struct.pack("<HH2sHIHHI", 0x0040, 0x0275, b"SQ", 0, stock.UNDEFINED, 0xFFFE, 0xE000, stock.UNDEFINED)
        end = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
        uid, data_set = _instance()
        at = data_set.index(struct.pack("<HH", 0x7FE0, 0x0010))
        _store(victim, uid, data_set[:at] + begin * depth + end * depth + data_set[at:])
    many = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 5_000
    for tag in (0x00081032, 0x00101002, 0x00400275):
        uid, data_set = _instance([(tag, "SQ", many)])
        _store(victim, uid, data_set)


# ---- UIDs


BAD_UIDS: tuple[bytes, ...] = (
    b"../../../../tmp/evil", b"/etc/passwd", b"..", b".", b"a/../../b", b"..\\..\\evil", b"1.2.3\0/../../x", b"\0", b"",
    b"1.2.\n3", b"\x1b[2J", b"\xff\xfe", b"CON", b"-rf", b"~root", b"$(id)", b"1" * 200, b"9" * 60_000, b"1.2.3 ", b".incoming",
)  # fmt: skip


@attack
def store_traversal_uids_of_instances(victim: Victim) -> None:
    """Verify that SOP Instance UIDs that are paths are refused, or become harmless names."""
    for bad in BAD_UIDS:
        _, data_set = _instance([(SOP_INSTANCE_UID, "UI", bad)])
        _store(victim, bad, data_set, plain=False)


@attack
def store_traversal_uids_of_studies(victim: Victim) -> None:
    """Verify that study and Series Instance UIDs that are paths are refused, or become harmless names, and the instance is
    found.
    """
    for bad in BAD_UIDS:
        for changes in (
            [(STUDY_UID, "UI", bad)],
            [(SERIES_UID, "UI", bad)],
            [(STUDY_UID, "UI", bad), (SERIES_UID, "UI", bad)],
        ):
            uid, data_set = _instance(changes)
            _store(victim, uid, data_set)


@attack
def store_under_another_uid(victim: Victim) -> None:
    """Verify that a command of one UID with a data set of another one, or of another class, takes no other instance's place."""
    served = INSTANCES[0].uid.encode()
    for uid, changes in ((served, []), (b"1.2.3.4", []), (served, [(SOP_CLASS_UID, "UI", stock.MR_IMAGE_STORAGE)])):
        _, data_set = _instance(changes)
        _store(victim, uid, data_set, plain=False)


@attack
def store_into_another_study(victim: Victim) -> None:
    """Verify that the UID of a served instance with another study, patient and pixels is kept beside it."""
    served = INSTANCES[0].uid.encode()
    _, data_set = _instance([(SOP_INSTANCE_UID, "UI", served)], pixels=b"other " * 10)
    with victim.attacker() as scu:
        assert scu.store_and_read(data_set, served) == "0000H"


@attack
def store_without_uids(victim: Victim) -> None:
    """Verify that a data set without a Study or Series Instance UID is refused: no query would find it."""
    for changes in (
        [(STUDY_UID, "UI", "")],
        [(SERIES_UID, "UI", "")],
        [(STUDY_UID, "UI", "\0\0")],
        [(STUDY_UID, "UI", "  ")],
    ):
        uid, data_set = _instance(changes)
        assert _store(victim, uid, data_set) == "A900H"


# ---- several at one time


def _at_once(number: int, work: Callable[[int], None]) -> None:
    failures: list[BaseException] = []

    def guarded(one: int) -> None:
        try:
            work(one)
        except BaseException as error:  # raised again later
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    if failures:
        raise failures[0]


@attack
def the_same_uid_from_two_peers(victim: Victim) -> None:
    """Verify that two peers that store one UID with other bytes at one time, 30 times: one is served, and both are kept."""
    for _ in range(30):
        uid, _ = _instance()
        variants = [_instance([(SOP_INSTANCE_UID, "UI", uid)], pixels=b"%d" % one * 50)[1] for one in range(2)]
        _at_once(2, lambda one, uid=uid, variants=variants: _store_one(victim, uid, variants[one]))  # type: ignore[misc]


@attack
def the_same_uid_from_many_peers(victim: Victim) -> None:
    """Verify that sixteen peers store one UID with other bytes in one study at one time, and the same bytes twice."""
    uid, _ = _instance()
    variants = [_instance([(SOP_INSTANCE_UID, "UI", uid)], pixels=b"%02d" % (one // 2) * 50)[1] for one in range(16)]
    _at_once(16, lambda one: _store_one(victim, uid, variants[one]))


def _store_one(victim: Victim, uid: bytes, data_set: bytes) -> None:
    assert _store(victim, uid, data_set) == "0000H"


@attack
def one_new_study_from_many_peers(victim: Victim) -> None:
    """Verify that twenty peers store the first instances of one study at one time: one patient, one study, twenty instances."""
    study = f"{ROOT}.{next(NUMBERS)}.9"
    patient = f"M{next(NUMBERS)}"
    same: list[Attribute] = [(STUDY_UID, "UI", study), (SERIES_UID, "UI", study + ".1"), (PATIENT_ID, "LO", patient)]
    made = [_instance(same) for _ in range(20)]
    _at_once(20, lambda one: _store_one(victim, *made[one]))
    with victim.attacker() as scu:
        keys: list[Attribute] = [
            (stock.LEVEL, "CS", "STUDY"), (PATIENT_ID, "LO", patient), (STUDY_UID, "UI", ""), (stock.INSTANCE_COUNT, "IS", "")
        ]  # fmt: skip
        assert scu.ask_and_read("find", keys) == ("0000H", 1)
        assert struct.pack("<HH2sH", 0x0020, 0x1208, b"IS", 2) + b"20" in scu.data_sets[0]


@attack
def stores_aborted_at_each_point(victim: Victim) -> None:
    """Verify that an association that is reset after each part of a C-STORE leaves nothing of it, or all."""
    uid, data_set = _instance()
    with victim.attacker() as scu:
        request = scu.store_of(data_set, uid)
    for at in range(1, len(request), 7):
        scu = victim.attacker()
        scu.send(request[:at])
        scu.reset()
    assert _store(victim, uid, data_set) == "0000H"


@attack
def stores_without_waiting(victim: Victim) -> None:
    """Verify that a hundred C-STOREs in one go are answered, or the association ends; what was acknowledged is there."""
    made = [_instance() for _ in range(100)]
    with victim.attacker() as scu:
        scu.send(b"".join(scu.store_of(data_set, uid, number) for number, (uid, data_set) in enumerate(made, 1)))
        for uid, data_set in made:
            status = scu.answer()[0]
            if status.startswith(ENDED):
                break
            assert status == "0000H"
            victim.keep(uid, data_set)


@attack
def stores_cut_short(victim: Victim) -> None:
    """Verify that a data set that ends inside an element is refused."""
    for cut in (1, 8, 40):
        uid, data_set = _instance()
        with victim.attacker() as scu:
            assert scu.store_and_read(data_set[:-cut] + b"\0" * (cut % 2), uid) != "0000H" or cut == 1


@attack
def store_a_deflated_bomb(victim: Victim) -> None:
    """Verify that a data set that inflates to 256 MiB before its UIDs is refused, or stored, within the memory."""
    packer = zlib.compressobj(9, wbits=-15)
    uid, data_set = _instance()
    at = data_set.index(struct.pack("<HH", 0x0010, 0x0010))
    filler = struct.pack("<HH2sHI", 0x0009, 0x1001, b"UN", 0, 256 << 20)
    bomb = packer.compress(data_set[:at] + filler)
    bomb += (
        b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.compress(data_set[at:]) + packer.flush()
    )
    with victim.attacker(transfer_syntax=DEFLATED) as scu:
        assert scu.store_and_read(bomb + b"\0" * (len(bomb) % 2), uid) not in ("0110H", "closed")


# ---- storage commitment


def _request(references: bytes, transaction: str = "") -> bytes:
    uid = transaction or f"{ROOT}.{next(NUMBERS)}.7"
    head = encoded([(TRANSACTION, "UI", uid)] if transaction != "-" else [])
    return head + element(REFERENCED, "SQ", references, explicit=True)


def _reference(uid: bytes, sop_class: str = CT_IMAGE_STORAGE) -> bytes:
    inner = encoded([(REFERENCED_CLASS, "UI", sop_class), (REFERENCED_INSTANCE, "UI", uid)])
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner


def _commit(victim: Victim, data_set: bytes, *expected: str) -> None:
    with victim.attacker() as scu:
        scu.send(scu.commitment_of(data_set))
        line = scu.answer()[0]
        assert line in expected, line


@attack
def commitment_for_10_001_instances(victim: Victim) -> None:
    """Verify that a request for more instances than 10,000 is refused with 0213H."""
    _commit(victim, _request(b"".join(_reference(b"1.2.3.%d" % number) for number in range(10_001))), "0213H")


@attack
def commitment_for_10_000_instances(victim: Victim) -> None:
    """Verify that five requests for 10,000 instances that are not there are accepted, and reported on."""
    references = b"".join(_reference(b"1.2.3.%d" % number) for number in range(10_000))
    for _ in range(5):
        _commit(victim, _request(references), "0000H", "0213H")


@attack
def commitment_for_strange_instances(victim: Victim) -> None:
    """Verify that references to paths, to nothing, to another class and to one instance many times do no harm."""
    one = INSTANCES[0].uid.encode()
    for references in (
        b"".join(map(_reference, BAD_UIDS[:12])), _reference(one) * 500, _reference(one, "1.2.3"), b"",
        _reference(b"' OR 1=1 --"), struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 10,
    ):  # fmt: skip
        _commit(victim, _request(references), "0000H", "0115H", "0110H", "0212H", "0120H", "0121H")


@attack
def commitment_requests_of_nonsense(victim: Victim) -> None:
    """Verify that broken requests are refused, and the association lives."""
    good = _reference(INSTANCES[0].uid.encode())
    for data_set in (b"\xff" * 100, bytes(200), b"", _request(good, "-"), _request(good, "9" * 5_000)):
        with victim.attacker() as scu:
            scu.send(scu.commitment_of(data_set or b"\0\0"))
            status = scu.answer()[0]
            assert status != "0000H", data_set[:40]
            if not status.startswith(ENDED):
                scu.send(scu.echo_of(2))
                assert scu.answer()[0] == "0000H"


@attack
def commitment_of_one_transaction_again_and_again(victim: Victim) -> None:
    """Verify that a transaction UID that comes fifty times from several associations is answered each time."""
    data_set = _request(_reference(INSTANCES[0].uid.encode()), f"{ROOT}.{next(NUMBERS)}.7")
    for _ in range(50):
        with victim.attacker() as scu:
            scu.send(scu.commitment_of(data_set))
            assert not scu.answer()[0].startswith(ENDED)


@attack
def queries_while_others_store(victim: Victim) -> None:
    """Verify that eight peers store 40 instances each while eight others ask for everything."""

    def work(one: int) -> None:
        with victim.attacker(seconds=60) as scu:
            for number in range(1, 41 if one < 8 else 6):
                if one < 8:
                    uid, data_set = _instance()
                    assert scu.store_and_read(data_set, uid, number) == "0000H"
                    victim.keep(uid, data_set)
                else:
                    assert _finds_everything(scu, number)

    _at_once(16, work)


def _finds_everything(scu: Attacker, number: int) -> bool:
    status, pending = scu.ask_and_read("find", EVERYTHING, number)
    return status == "0000H" and pending > 400
