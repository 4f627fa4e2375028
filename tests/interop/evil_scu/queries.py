"""Attacks by the identifiers of queries and retrievals: values, keys, structure and size (PS3.4 C.2.2 and C.4)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import partial

from tests.interop.evil import stock
from tests.interop.evil.stock import LEVEL, PATIENT_ID, PATIENT_NAME, STUDY, STUDY_DATE, STUDY_UID, Attribute, element
from tests.interop.evil_scu.attacker import ENDED, EVERYTHING, STUDY_KEYS, Attacker, encoded
from tests.interop.evil_scu.registry import attack, enter
from tests.interop.evil_scu.victim import OTHERS, Victim

REFUSED = "A900H"
UNREADABLE = "C000H"
MISTYPED = "0212H"
# A destination that was away too often is left alone for a while, and is looked at before the identifier.
PAUSED: dict[str, tuple[str, ...]] = {"find": (), "get": (), "move": ("A702H",)}
NOT_UNDERSTOOD = (REFUSED, UNREADABLE, MISTYPED)
DEFLATED = "1.2.840.10008.1.2.1.99"
MIB = 1 << 20

ACCESSION, DESCRIPTION, REFERRING, STUDY_ID, STUDY_TIME = 0x00080050, 0x00081030, 0x00080090, 0x00200010, 0x00080030
CHARACTER_SET, OTHER_IDS, PROCEDURES, COMMENTS = 0x00080005, 0x00101002, 0x00081032, 0x00104000

# A key of each kind, in the order of tags.
KEYS: tuple[tuple[int, str], ...] = (
    (STUDY_DATE, "DA"), (STUDY_TIME, "TM"), (ACCESSION, "SH"), (stock.MODALITIES, "CS"), (stock.SOP_CLASSES, "UI"),
    (REFERRING, "PN"), (DESCRIPTION, "LO"), (PATIENT_NAME, "PN"), (PATIENT_ID, "LO"), (0x00100021, "LO"),
    (0x00100030, "DA"), (0x00100040, "CS"), (COMMENTS, "LT"), (STUDY_UID, "UI"), (STUDY_ID, "SH"),
    (stock.SERIES_COUNT, "IS"),
)  # fmt: skip

# Values that are SQL, patterns of a database, or of no character set; nothing of the stock has any of them.
HOSTILE_VALUES: dict[str, bytes] = {
    "sql_or": b"' OR '1'='1",
    "sql_drop": b"'; DROP TABLE study; --",
    "sql_union": b"x') UNION SELECT sql FROM sqlite_master --",
    "sql_double_quotes": b'" OR ""="',
    "sql_comment": b"/* */ OR 1=1 --",
    "like_percent": b"%",
    "like_underscores": b"________",
    "like_escaped": b"\\%\\_",
    "glob_class": b"[a-zA-Z0-9]*",
    "glob_not": b"[!x]?[^x]",
    "nul_within": b"P\x001",
    "regular_expression": b"(.*)+$",
    "format_string": b"%s%n%(name)s{0.__class__}",
    "not_utf_8": b"\xff\xfe\xc0\x80\xed\xa0\x80",
    "escape_sequences": b"\x1b$B\x1b(J\x1b",
    "digits_without_end": b"9" * 20_000,
    "exponent": b"1e999999999",
    "path": b"../../etc/passwd",
}


def _value(value: bytes, victim: Victim) -> None:
    """Verify that a hostile value in each key finds nothing, in any key of the level."""
    with victim.attacker() as scu:
        for number, (tag, vr) in enumerate(KEYS, 1):
            status, pending = scu.ask_and_read("find", _sorted((LEVEL, "CS", "STUDY"), (tag, vr, value)), number)
            assert pending == 0, (hex(tag), pending)
            assert status in ("0000H", *NOT_UNDERSTOOD), (hex(tag), status)
        for operation in ("get", "move"):
            keys = _sorted((LEVEL, "CS", "STUDY"), (STUDY_UID, "UI", value))
            assert scu.ask_and_read(operation, keys)[0] in ("0000H", *NOT_UNDERSTOOD, *PAUSED[operation])
        assert not scu.stored


for name, value in HOSTILE_VALUES.items():
    enter(f"value_{name}", partial(_value, value))


def _sorted(*keys: Attribute) -> list[Attribute]:
    return sorted(keys, key=lambda key: key[0])


def _find(victim: Victim, keys: Sequence[Attribute], *expected: tuple[str, int]) -> None:
    with victim.attacker() as scu:
        found = scu.ask_and_read("find", keys)
        assert found in expected, found


def _everything(victim: Victim) -> int:
    """Return the number of studies."""
    with victim.attacker() as scu:
        status, pending = scu.ask_and_read("find", EVERYTHING)
    assert status == "0000H" and pending > OTHERS
    return pending


def _find_raw(victim: Victim, identifier: bytes | None, *expected: str) -> None:
    """Send bytes as the identifier of each operation: each is answered with one of the statuses, and nothing is found."""
    for operation in ("find", "get", "move"):
        with victim.attacker() as scu:
            scu.say(operation, identifier)
            status, pending = scu.answer()
            assert pending == 0 and not scu.stored, operation
            assert status in (*expected, *PAUSED[operation]), (operation, status)
            if not status.startswith(ENDED):
                assert scu.ask_and_read("find", STUDY_KEYS, 2) == ("0000H", 1)


# ---- wildcards and lists


@attack
def hundreds_of_wildcards(victim: Victim) -> None:
    """Verify that a pattern of 400 asterisks with letters between is refused."""
    _find(victim, _sorted((LEVEL, "CS", "STUDY"), (PATIENT_NAME, "PN", "*a" * 400 + "*")), (REFUSED, 0))


@attack
def as_many_wildcards_as_may_be(victim: Victim) -> None:
    """Verify that a pattern of as many asterisks as are taken ends, in every key that has wildcards."""
    for tag, vr in KEYS:
        if vr in ("PN", "LO", "SH", "LT"):
            _find(victim, _sorted((LEVEL, "CS", "STUDY"), (tag, vr, "*o" * 30 + "*" + "?" * 600)), ("0000H", 0))


@attack
def asterisks_alone(victim: Victim) -> None:
    """Verify that ten thousand asterisks are one: everything is found, in time."""
    _find(victim, _sorted((LEVEL, "CS", "STUDY"), (PATIENT_NAME, "PN", "*" * 10_000)), ("0000H", _everything(victim)))


@attack
def ten_thousand_uids(victim: Victim) -> None:
    """Verify that a list of 10,000 UIDs in fragments finds the one study that there is, for each operation."""
    uids = "\\".join([STUDY, *(f"1.2.3.{number}" for number in range(9_999))])
    for operation, expected in (("find", 1), ("get", 3)):
        with victim.attacker(transfer_syntax=stock.IMPLICIT) as scu:
            keys = _sorted((LEVEL, "CS", "STUDY"), (STUDY_UID, "UI", uids))
            scu.say(operation, stock.encode(keys, explicit=False))
            status, pending = scu.answer()
            assert status == "0000H" and (pending == expected or len(scu.stored) == expected), (status, pending)


@attack
def ten_thousand_and_one_uids(victim: Victim) -> None:
    """Verify that one UID more is refused to a query."""
    uids = "\\".join(f"1.2.3.{number}" for number in range(10_001))
    with victim.attacker(transfer_syntax=stock.IMPLICIT) as scu:
        scu.say("find", stock.encode(_sorted((LEVEL, "CS", "STUDY"), (STUDY_UID, "UI", uids)), explicit=False))
        assert scu.answer() == (REFUSED, 0)


@attack
def hundreds_of_thousands_of_uids(victim: Victim) -> None:
    """Verify that a list of all the UIDs that 4 MiB hold ends in an answer to a retrieval too."""
    uids = "1.2.3\\" * (4 * MIB // 6 - 100)
    for operation in ("find", "get", "move"):
        with victim.attacker(transfer_syntax=stock.IMPLICIT) as scu:
            scu.say(operation, stock.encode(_sorted((LEVEL, "CS", "STUDY"), (STUDY_UID, "UI", uids)), explicit=False))
            status, pending = scu.answer()
            assert status in ("0000H", REFUSED, "A700H", *PAUSED[operation]) and not pending, (operation, status)


@attack
def distinct_uids_by_the_hundred_thousand(victim: Victim) -> None:
    """Verify that a list of 300,000 different UIDs ends in an answer to a retrieval."""
    uids = "\\".join(f"1.2.{number}" for number in range(300_000))
    for operation in ("get", "move"):
        with victim.attacker(transfer_syntax=stock.IMPLICIT) as scu:
            scu.say(operation, stock.encode(_sorted((LEVEL, "CS", "STUDY"), (STUDY_UID, "UI", uids)), explicit=False))
            status, pending = scu.answer()
            assert status in ("0000H", REFUSED, "A700H", *PAUSED[operation]) and not pending, (operation, status)


@attack
def thousands_of_values_in_each_key(victim: Victim) -> None:
    """Verify that thousands of values in a text are an answer, whatever it is."""
    for tag, vr in KEYS:
        value = "\\".join(["7"] * 5_000)
        with victim.attacker() as scu:
            status, pending = scu.ask_and_read("find", _sorted((LEVEL, "CS", "STUDY"), (tag, vr, value)))
            assert status in ("0000H", REFUSED) and pending == 0, (hex(tag), status, pending)


# ---- sequences


def _nested(depth: int, *, ended: bool = True) -> bytes:
    """Return a sequence within a sequence and so on, of undefined lengths."""
    begin = struct.pack("<HH2sHI", 0x0040, 0x0275, b"SQ", 0, stock.UNDEFINED) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, stock.UNDEFINED
    )
    end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return begin * depth + (end * depth if ended else b"")


def _deep(depth: int, ended: bool, victim: Victim) -> None:
    """Verify that an identifier with sequences nested deeply is refused."""
    identifier = encoded(_sorted((LEVEL, "CS", "STUDY"), (STUDY_UID, "UI", ""))) + _nested(depth, ended=ended)
    _find_raw(victim, identifier, *NOT_UNDERSTOOD)


for depth in (9, 64, 65, 1_000, 100_000):
    enter(f"sequences_{depth}_deep", partial(_deep, depth, True))
enter("sequences_without_an_end", partial(_deep, 64, False))


@attack
def ten_thousand_items(victim: Victim) -> None:
    """Verify that a sequence of ten thousand items is no key."""
    value = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 10_000
    raw = encoded([(LEVEL, "CS", "STUDY")]) + element(PROCEDURES, "SQ", value, explicit=True)
    with victim.attacker() as scu:
        scu.say("find", raw)
        status, pending = scu.answer()
        assert status == REFUSED and not pending, (status, pending)


# ---- size


def _four_mib(extra: int, victim: Victim) -> None:
    """Verify that an identifier of 4 MiB, or a little more, is an answer, and the association lives."""
    head = encoded([(LEVEL, "CS", "STUDY"), (STUDY_UID, "UI", STUDY)])
    rest = 4 * MIB - len(head) - 12 + extra
    _find_raw(victim, head + element(0x00204000, "UT", b"x" * rest, explicit=True), *NOT_UNDERSTOOD, "A700H")


enter("identifier_of_4_mib", partial(_four_mib, 0))
enter("identifier_of_more_than_4_mib", partial(_four_mib, 2))


@attack
def identifiers_of_4_mib_by_many(victim: Victim) -> None:
    """Verify that twenty identifiers of 4 MiB of small keys, which end after a pause, cost bounded memory."""
    keys = b"".join(
        element(0x00091000 + number % 0xF0, "UN", b"", explicit=True) for number in range(4 * MIB // 12 - 20)
    )
    attackers = [victim.attacker() for _ in range(20)]
    for scu in attackers:
        request = scu.request_of("find", keys)
        scu.send(request[:-20_000])
    for scu in attackers:
        scu.send(scu.request_of("find", keys)[-20_000:])
    for scu in attackers:
        status, pending = scu.answer()
        assert pending == 0
        assert status in (*NOT_UNDERSTOOD, "A700H") or status.startswith(ENDED), status
        scu.socket.close()


@attack
def hundreds_of_keys(victim: Victim) -> None:
    """Verify that more keys than 256 are refused."""
    keys = [(LEVEL, "CS", "STUDY")] + [(0x00186000 + 2 * number, "US", b"\1\0") for number in range(300)]
    _find(victim, keys, (REFUSED, 0))


@attack
def value_of_more_than_64_kib(victim: Victim) -> None:
    """Verify that a value of more than 64 KiB is refused."""
    raw = encoded([(LEVEL, "CS", "STUDY")]) + element(0x00080119, "UC", b"x" * (64 * 1024 + 2), explicit=True)
    _find_raw(victim, raw, REFUSED)


@attack
def pixel_data_as_a_key(victim: Victim) -> None:
    """Verify that values of bulk VRs are no keys."""
    raw = encoded([(LEVEL, "CS", "STUDY"), (STUDY_UID, "UI", "")]) + element(
        0x7FE00010, "OW", bytes(MIB), explicit=True
    )
    _find_raw(victim, raw, REFUSED)


@attack
def deflated_bomb(victim: Victim) -> None:
    """Verify that an identifier that inflates to a gibibyte is refused before it does."""
    packer = zlib.compressobj(9, wbits=-15)
    head = encoded([(LEVEL, "CS", "STUDY")]) + struct.pack("<HH2sHI", 0x0020, 0x4000, b"UT", 0, 1 << 30)
    bomb = packer.compress(head) + b"".join(packer.compress(bytes(MIB)) for _ in range(256)) + packer.flush()
    for operation in ("find", "get", "move"):
        with victim.attacker(transfer_syntax=DEFLATED) as scu:
            scu.say(operation, bomb + b"\0" * (len(bomb) % 2))
            status, pending = scu.answer()
            assert status in (*NOT_UNDERSTOOD, "A700H", *PAUSED[operation]) and not pending, status


# ---- structure


BROKEN: dict[str, bytes] = {
    "of_nothing": b"",
    "of_one_byte": b"\x08",
    "of_zeros": bytes(1_000),
    "of_ones": b"\xff" * 1_000,
    "with_a_length_beyond_its_end": encoded([(LEVEL, "CS", "STUDY")])
    + struct.pack("<HH2sH", 0x0020, 0x000D, b"UI", 64)
    + b"1.2",
    "with_a_length_of_4_gib": encoded([(LEVEL, "CS", "STUDY")]) + element(0x00204000, "UT", b"", 0xFFFFFFFE, explicit=True),
    "with_a_level_alone": encoded([(LEVEL, "CS", "STUDY")]),
    "without_a_level": encoded([(STUDY_UID, "UI", STUDY)]),
    "with_a_level_of_nonsense": encoded([(LEVEL, "CS", "'; --"), (STUDY_UID, "UI", STUDY)]),
    "with_two_levels": encoded([(LEVEL, "CS", "STUDY\\SERIES"), (STUDY_UID, "UI", STUDY)]),
    "with_a_level_of_60_kib": encoded([(LEVEL, "CS", "STUDY" * 12_000), (STUDY_UID, "UI", STUDY)]),
    "of_a_command_set": struct.pack("<HHII", 0, 0, 4, 0) * 10,
    "of_item_delimiters": struct.pack("<HHI", 0xFFFE, 0xE00D, 0) * 1_000,
}  # fmt: skip


def _broken(identifier: bytes, victim: Victim) -> None:
    """Verify that a broken identifier is refused, and the association lives."""
    _find_raw(victim, identifier, *NOT_UNDERSTOOD)


for name, raw_identifier in BROKEN.items():
    enter(f"identifier_{name}", partial(_broken, raw_identifier))


@attack
def keys_out_of_order_and_twice(victim: Victim) -> None:
    """Verify that of a key that comes again the last one counts, whatever the order."""
    keys: list[Attribute] = [
        (STUDY_UID, "UI", "1.2.3"),
        (LEVEL, "CS", "IMAGE"),
        (STUDY_UID, "UI", STUDY),
        (LEVEL, "CS", "STUDY"),
    ]
    _find(victim, keys, ("0000H", 1), (REFUSED, 0))


@attack
def key_of_a_lower_level(victim: Victim) -> None:
    """Verify that the unique key of a level below is refused to a query."""
    _find(victim, [(LEVEL, "CS", "STUDY"), (stock.SOP_INSTANCE_UID, "UI", "1.2.3")][::-1], (REFUSED, 0))


@attack
def character_sets_of_nonsense(victim: Victim) -> None:
    """Verify that unknown character sets with 8-bit keys are refused or find nothing; long lists of them too."""
    for charset in (
        "NONSENSE",
        "ISO_IR 9999999",
        "\\" * 5_000,
        "\\ISO 2022 IR 87" * 1_000,
        "utf-7",
        "idna",
        "zip_codec",
        "rot13",
    ):
        for name in (b"\xff\x1b$B\xe4", "Müller".encode(), b"\x1b(I\xc4"):
            keys: list[Attribute] = [(CHARACTER_SET, "CS", charset), (LEVEL, "CS", "STUDY"), (PATIENT_NAME, "PN", name)]
            _find(victim, keys, ("0000H", 0), (REFUSED, 0))


@attack
def dates_and_times_of_nonsense(victim: Victim) -> None:
    """Verify that dates and times that are not valid match nothing, or everything where they are open ranges."""
    number = _everything(victim)
    for value in (
        "00000000",
        "99999999",
        "20240230",
        "20250101-20240101",
        "--",
        "-" * 1_000,
        "2024-",
        "0-0",
        "9" * 60 + "-",
    ):
        for tag, vr in ((STUDY_DATE, "DA"), (STUDY_TIME, "TM")):
            with victim.attacker() as scu:
                status, pending = scu.ask_and_read("find", _sorted((LEVEL, "CS", "STUDY"), (tag, vr, value)))
                assert status in ("0000H", REFUSED) and pending in (0, number), (value, status, pending)


@attack
def features_of_noise(victim: Victim) -> None:
    """Verify that extended negotiation of noise asks for every feature: hostile values are still only values."""
    for features in (b"\xff" * 7, b"\1" * 7, b"\1" * 5_000, b""):
        with Attacker(victim.port) as scu:
            assert scu.greet(features=features) == "A-ASSOCIATE-AC"
            for number, text in enumerate(('""', "' OR 1", "a^b^c " * 3_000, "\\".join("abc" * 3), "x" * 30_000), 1):
                keys = _sorted((LEVEL, "CS", "STUDY"), (PATIENT_NAME, "PN", text), (PATIENT_ID, "LO", text))
                status, pending = scu.ask_and_read("find", keys, number)
                assert status in ("0000H", REFUSED) and pending == 0, (text[:20], status, pending)


@attack
def private_keys_by_the_hundred(victim: Victim) -> None:
    """Verify that private keys, with creators and without, are not supported, and change nothing."""
    keys: list[Attribute] = [(LEVEL, "CS", "STUDY")]
    keys += [(0x00090010 + number, "LO", "'; DROP") for number in range(60)]
    keys += [(0x00091000 + number, "LO", "*") for number in range(120)]
    keys.append((STUDY_UID, "UI", STUDY))
    _find(victim, keys, ("0000H", 1))


@attack
def queries_for_everything_by_many(victim: Victim) -> None:
    """Verify that sixty associations that ask for everything at one time, again and again, all get it."""
    number = _everything(victim)
    attackers = [victim.attacker(seconds=60) for _ in range(60)]
    for scu in attackers:
        scu.say("find", encoded(EVERYTHING))
    for scu in attackers:
        assert scu.answer() == ("0000H", number)
        scu.socket.close()


@attack
def universal_retrievals(victim: Victim) -> None:
    """Verify that an empty key, a wildcard or a missing one never means everything to a retrieval."""
    for operation in ("get", "move"):
        for value in ("", "*", "?" * 20, "\\", "\\\\\\", "\0" * 10, " "):
            with victim.attacker() as scu:
                status, _ = scu.ask_and_read(operation, _sorted((LEVEL, "CS", "STUDY"), (STUDY_UID, "UI", value)))
                assert status in ("0000H", REFUSED, *PAUSED[operation]) and not scu.stored, (value, status)
