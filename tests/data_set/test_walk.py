"""A whole data set passes, one that was cut short does not, and no bytes do any harm."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.misc import is_dicom

from dimse import uids
from dimse.data_set.walk import (
    MAXIMUM_NESTING,
    WINDOW,
    EncodingFaults,
    MalformedDataSet,
    NestedTooDeep,
    Outline,
    peek,
    values_within,
    walk,
)
from dimse.media import part10
from dimse.uids import TransferSyntax

SHIPPED = sorted(
    path for path in (Path(pydicom.__file__).parent / "data").rglob("*") if path.is_file() and is_dicom(path)
)
CUT_SHORT = {"MR_truncated.dcm", "rtplan_truncated.dcm"}
WITHOUT_SOP_UIDS = {
    "chrSQEncoding.dcm",
    "chrSQEncoding1.dcm",
    "UN_sequence.dcm",
    "empty_charset_LEI.dcm",
    "meta_missing_tsyntax.dcm",
    "nested_priv_SQ.dcm",
    "no_meta_group_length.dcm",
    "priv_SQ.dcm",
}
UNDEFINED = 0xFFFFFFFF
CT = "1.2.840.10008.5.1.4.1.1.2"
# What a store wants to know of an instance: SOP Class and SOP Instance UID, modality, patient, study, series.
TAGS = frozenset((0x00080016, 0x00080018, 0x00080060, 0x00100010, 0x00100020, 0x0020000D, 0x0020000E, 0x00200013))


def syntax(uid: str) -> TransferSyntax:
    found = uids.transfer_syntax(uid)
    assert found is not None
    return found


IMPLICIT = syntax(uids.ImplicitVRLittleEndian)
EXPLICIT = syntax(uids.ExplicitVRLittleEndian)
BIG = syntax(uids.ExplicitVRBigEndian)
DEFLATED = syntax(uids.DeflatedExplicitVRLittleEndian)
JPEG = syntax(uids.JPEGBaseline8Bit)


def element(tag: int, vr: bytes, value: bytes, transfer_syntax: TransferSyntax = EXPLICIT, length: int = -1) -> bytes:
    """Encode one element, with `length` in place of its true length if it is given."""
    order = "<" if transfer_syntax.little_endian else ">"
    size = len(value) if length < 0 else length
    header = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if transfer_syntax.implicit_vr:
        return header + struct.pack(order + "L", size) + value
    if vr in b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split():
        return header + vr + struct.pack(order + "HL", 0, size) + value
    return header + vr + struct.pack(order + "H", size) + value


def item(value: bytes, transfer_syntax: TransferSyntax = EXPLICIT, length: int = -1, number: int = 0xE000) -> bytes:
    order = "<" if transfer_syntax.little_endian else ">"
    return struct.pack(order + "HHL", 0xFFFE, number, len(value) if length < 0 else length) + value


def closed(value: bytes, transfer_syntax: TransferSyntax = EXPLICIT, number: int = 0xE0DD) -> bytes:
    return value + item(b"", transfer_syntax, number=number)


def nested(depth: int, undefined: bool, transfer_syntax: TransferSyntax = EXPLICIT) -> bytes:
    """Nest `depth` sequences of one Item each, from the inside out and without recursion."""
    if undefined:
        opening = element(0x00081140, b"SQ", b"", transfer_syntax, UNDEFINED) + item(b"", transfer_syntax, UNDEFINED)
        closing = item(b"", transfer_syntax, number=0xE00D) + item(b"", transfer_syntax, number=0xE0DD)
        return opening * depth + closing * depth
    openings, size = [], 0
    for _ in range(depth):
        opening = element(0x00081140, b"SQ", b"", transfer_syntax, size + 8) + item(b"", transfer_syntax, size)
        openings.append(opening)
        size += len(opening)
    return b"".join(reversed(openings))


def head(transfer_syntax: TransferSyntax = EXPLICIT) -> bytes:
    return element(0x00080016, b"UI", CT.encode() + b"\0", transfer_syntax) + element(
        0x00080018, b"UI", b"1.2.34", transfer_syntax
    )


def small(transfer_syntax: TransferSyntax) -> tuple[bytes, set[int]]:
    """Return a data set with every kind of element, and the offsets where one of its elements ends."""
    inner = element(0x00081150, b"UI", b"1.2\0", transfer_syntax)
    sequence = item(inner, transfer_syntax) + item(
        closed(inner, transfer_syntax, 0xE00D), transfer_syntax, length=UNDEFINED
    )
    elements = [
        head(transfer_syntax)[: len(head(transfer_syntax)) - 14],
        element(0x00080018, b"UI", b"1.2.34", transfer_syntax),
        element(0x00081110, b"SQ", sequence, transfer_syntax),
        element(0x00081140, b"SQ", closed(sequence, transfer_syntax), transfer_syntax, UNDEFINED),
        element(
            0x00091001, b"UN", closed(item(element(0x00100010, b"PN", b"A^B ", IMPLICIT))), transfer_syntax, UNDEFINED
        )
        if transfer_syntax.little_endian
        else element(0x00091001, b"LO", b"AB", transfer_syntax),
        element(0x00100010, b"PN", b"", transfer_syntax),
        element(0x7FE00010, b"OB", closed(item(b"") + item(b"\xff\xd8\xff\xd9")), transfer_syntax, UNDEFINED)
        if transfer_syntax.encapsulated
        else element(0x7FE00010, b"OW", bytes(20), transfer_syntax),
        element(0xFFFCFFFC, b"OB", b"\0\0", transfer_syntax),
    ]
    ends, offset = {0}, 0
    for one in elements:
        offset += len(one)
        ends.add(offset)
    return b"".join(elements), ends


def outline(data: bytes, transfer_syntax: TransferSyntax | None = EXPLICIT, start: int = 0) -> Outline:
    return walk(lambda offset, size: data[offset : offset + size], start, len(data), transfer_syntax)


def look(data: bytes, transfer_syntax: TransferSyntax | None = EXPLICIT) -> dict[int, str]:
    return peek(lambda offset, size: data[offset : offset + size], len(data), transfer_syntax, TAGS)


def seen(data: bytes, transfer_syntax: TransferSyntax | None = EXPLICIT) -> tuple[str | None, str | None]:
    """Return SOP Class UID and SOP Instance UID as far as the first bytes show them."""
    found = peek(lambda offset, size: data[offset : offset + size], len(data), transfer_syntax)
    return found.get(0x00080016) or None, found.get(0x00080018) or None


def deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


# Real files


def checked(path: Path) -> tuple[Outline, bytes, TransferSyntax | None]:
    content = path.read_bytes()
    meta = part10.parse(content)
    assert meta is not None
    transfer_syntax = uids.transfer_syntax(meta.transfer_syntax_uid or "")
    return outline(content, transfer_syntax, meta.data_set_offset), content[meta.data_set_offset :], transfer_syntax


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("path", [path for path in SHIPPED if path.name not in CUT_SHORT], ids=lambda path: path.name)
def test_whole_files_pass_and_show_their_uids(path: Path) -> None:
    found, data_set, transfer_syntax = checked(path)
    oracle = pydicom.dcmread(path, specific_tags=["SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"])
    assert found.sop_class_uid == oracle.get("SOPClassUID")
    assert found.sop_instance_uid == oracle.get("SOPInstanceUID")
    assert found.series_instance_uid == (oracle.get("SeriesInstanceUID") or None)
    assert found.end == path.stat().st_size
    assert (found.sop_class_uid is None) == (path.name in WITHOUT_SOP_UIDS or path.name.startswith("DICOMDIR"))
    assert seen(data_set[:WINDOW], transfer_syntax) == (found.sop_class_uid, found.sop_instance_uid)


@pytest.mark.parametrize("name", sorted(CUT_SHORT))
def test_files_that_were_cut_short_are_refused(name: str) -> None:
    (path,) = (path for path in SHIPPED if path.name == name)
    with pytest.raises(MalformedDataSet, match=r"^cut short: \([0-9A-F]{4},[0-9A-F]{4}\) at offset 1,\d{3} is of "):
        checked(path)


def test_warnings_about_real_files_are_few() -> None:
    warned = {path.name: checked(path)[0].warnings for path in SHIPPED if path.name not in CUT_SHORT}
    assert {name: warnings for name, warnings in warned.items() if warnings} == {
        "DICOMDIR-nooffset": (
            "within (0004,1220): cut short: an Item of (0004,1220) at offset 10,860 is of 248 bytes, and 224 are there",
        ),
    }


# Cut short


@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT, BIG, JPEG], ids=lambda one: uids.name(one.uid))
def test_a_cut_anywhere_but_between_two_elements_is_seen(transfer_syntax: TransferSyntax) -> None:
    data, ends = small(transfer_syntax)
    assert outline(data, transfer_syntax) == Outline(CT, "1.2.34", len(data))
    for size in range(len(data)):
        if size in ends:
            assert outline(data[:size], transfer_syntax).end == size
        elif any(not any(data[end:size]) and size - end > 0 for end in ends if end < size):
            assert outline(data[:size], transfer_syntax).warnings  # zero bytes alone are padding
        else:
            with pytest.raises(MalformedDataSet):
                outline(data[:size], transfer_syntax)


def test_a_cut_of_a_deflated_data_set_is_seen_wherever_it_is() -> None:
    data, ends = small(EXPLICIT)
    deflated = deflate(data)
    assert outline(deflated, DEFLATED) == Outline(CT, "1.2.34", len(deflated))
    for size in range(len(deflated)):
        with pytest.raises(MalformedDataSet, match="deflated data set"):
            outline(deflated[:size], DEFLATED)
    for size in set(range(len(data))) - ends:
        with pytest.raises(MalformedDataSet, match="cut short"):
            outline(deflate(data[:size]), DEFLATED)


@pytest.mark.parametrize("follows", [b"\0", b"", b"N\xd0XE\x1a\x02\x04\x00"], ids=["pad", "nothing", "gzip's trailer"])
def test_what_follows_a_deflated_stream_does_not_matter(follows: bytes) -> None:
    deflated = deflate(head()) + follows
    assert outline(deflated, DEFLATED) == Outline(CT, "1.2.34", len(deflated))


def test_bytes_that_do_not_inflate_are_refused() -> None:
    with pytest.raises(MalformedDataSet, match="does not inflate"):
        outline(b"\xff" * 100, DEFLATED)


def test_a_file_that_becomes_shorter_meanwhile_is_cut_short() -> None:
    data = head() + element(0x00091001, b"LO", b"AB")
    with pytest.raises(MalformedDataSet, match="cut short"):
        walk(lambda offset, size: data[offset : offset + size], 0, len(data) + 100, EXPLICIT)


# Faults


ENTRY = element(0x00081150, b"UI", b"1.2\0")
SEQUENCE = 0x00081140


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            element(SEQUENCE, b"SQ", item(ENTRY), length=UNDEFINED),
            r"\(0008,1140\) is of undefined length and not closed",
        ),
        (
            element(SEQUENCE, b"SQ", item(ENTRY, length=UNDEFINED), length=UNDEFINED),
            r"an Item of \(0008,1140\) is of und",
        ),
        (
            element(0x7FE00010, b"OB", item(b"\xff\xd8"), length=UNDEFINED),
            r"\(7FE0,0010\) is of undefined length and not",
        ),
        (
            element(0x7FE00010, b"OB", item(b"", length=UNDEFINED), length=UNDEFINED),
            "a fragment of .* 4,294,967,295 bytes",
        ),
        (
            element(0x7FE00010, b"OB", item(b"", length=5), length=UNDEFINED),
            "a fragment of .* is of 5 bytes, and 0 are",
        ),
        (
            element(0x7FE00010, b"OB", ENTRY, length=UNDEFINED),
            r"\(0008,1150\) .* where an Item of \(7FE0,0010\) is due",
        ),
        (element(SEQUENCE, b"SQ", ENTRY, length=UNDEFINED), r"\(0008,1150\) .* where an Item of \(0008,1140\) is due"),
        (element(SEQUENCE, b"SQ", item(b"", number=0xE00D), length=UNDEFINED), r"\(FFFE,E00D\) .* is due"),
        (element(SEQUENCE, b"SQ", item(b"", number=0x1234), length=UNDEFINED), r"\(FFFE,1234\) .* is due"),
        (
            element(SEQUENCE, b"SQ", item(ENTRY, length=99), length=UNDEFINED),
            "an Item of .* is of 99 bytes, and 12 are",
        ),
        (element(SEQUENCE, b"SQ", item(closed(ENTRY), length=UNDEFINED), length=UNDEFINED), r"\(FFFE,E0DD\) at offset"),
        (element(SEQUENCE, b"SQ", b"\xfe\xff\x00", length=UNDEFINED), "within an Item's header"),
        (element(SEQUENCE, b"SQ", ENTRY, length=13), r"\(0008,1140\) .* is of 13 bytes, and 12 are there"),
        (element(0x00091001, b"UT", b"text", length=UNDEFINED), "is of undefined length, which UT may not be"),
        (element(0x00091001, b"OB", b"")[:10], "the header of an element at offset .* is not complete"),
        (item(b""), r"\(FFFE,E000\) at offset \d+ is not an element of a data set"),
        (item(b"", number=0xE00D) + ENTRY, r"\(FFFE,E00D\) at offset \d+ is not an element of a data set"),
        (element(0x00020010, b"UI", b"1.2\0"), r"\(0002,0010\) at offset \d+ is not an element of a data set"),
        (element(0x00000100, b"US", b"\1\0"), r"\(0000,0100\) at offset \d+ is not an element of a data set"),
        (bytes(WINDOW + 1) + b"\1", "no element at offset"),
        (bytes(7) + b"\1", "no element at offset"),
        (b"junk", "no element at offset"),
    ],
)
def test_a_fault_is_named_with_its_place(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedDataSet, match=reason) as raised:
        outline(head() + data)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("size", [2_000, 70_000])
def test_a_uid_without_end_is_refused(size: int) -> None:
    with pytest.raises(MalformedDataSet, match="too long"):
        outline(element(0x00080018, b"UI", b"1" * size, IMPLICIT), IMPLICIT)


# Tolerance


@pytest.mark.parametrize(
    "data",
    [
        element(0x00091001, b"XX", b"AB"),
        element(0x00091001, b"XX", b""),
        struct.pack("<HH2sHL", 9, 0x1001, b"XX", 0, 4) + b"ABCD",
        struct.pack("<HH2sHL", 9, 0x1001, b"XX", 0, UNDEFINED) + closed(item(ENTRY)),
        element(0x00091001, b"??", b"AB"),
        element(0x00091001, b"LO", b"odd"),
        element(0x00081140, b"SQ", closed(item(ENTRY))),
        element(0x00081140, b"SQ", item(closed(ENTRY, number=0xE00D))),
        element(0x00081140, b"SQ", item(b"")),
        element(0x00081140, b"SQ", b""),
        element(
            0x00081140,
            b"SQ",
            item(ENTRY + item(b"", length=4, number=0xE00D), length=UNDEFINED) + item(b"", length=4, number=0xE0DD),
            length=UNDEFINED,
        ),
        element(0x00091001, b"UN", item(b"no elements at all")),
        element(0x00091001, b"UN", item(element(0x00100010, b"PN", b"A^B ", IMPLICIT))),
        element(0x00091001, b"UN", item(b"", length=1_000) + b"more"),
        element(0x00080005, b"CS", b"ISO_IR 100"),
    ],
)
def test_oddities_of_real_programs_pass(data: bytes) -> None:
    whole = head() + data
    assert outline(whole) == Outline(CT, "1.2.34", len(whole))
    whole += element(0xFFFCFFFC, b"OB", b"\0\0")
    assert outline(whole) == Outline(CT, "1.2.34", len(whole))


def test_an_element_without_vr_among_others_with_one_passes_and_is_told() -> None:
    whole = head() + element(0x00091001, b"", b"AB", IMPLICIT)
    assert outline(whole) == Outline(CT, "1.2.34", len(whole), faults=EncodingFaults(mixed=True))


def test_of_an_element_that_comes_twice_the_first_counts_for_sender_and_receiver() -> None:
    data = head() + element(0x00080018, b"UI", b"9.9\0") + element(0x00100020, b"LO", b"4711")
    found = outline(data)
    assert (found.sop_class_uid, found.sop_instance_uid) == seen(data) == seen(head())


@pytest.mark.parametrize("zeros", [1, 2, 8, 12, 100, WINDOW, WINDOW + 1, 2_400_000])
def test_zero_bytes_at_the_end_are_no_part_of_the_data_set(zeros: int) -> None:
    found = outline(head() + bytes(zeros))
    assert found == Outline(CT, "1.2.34", len(head()), (f"{zeros:,} zero bytes follow the data set",))


def test_a_sequence_of_defined_length_that_does_not_add_up_is_passed_with_one_warning() -> None:
    broken = element(SEQUENCE, b"SQ", item(ENTRY, length=99)) + element(0x00081199, b"SQ", item(b"", length=99))
    found = outline(head() + broken)
    assert found.end == len(head() + broken)
    assert found.warnings == (
        f"within (0008,1140): cut short: an Item of (0008,1140) at offset {len(head()) + 12} is of 99 bytes, and 12 are there",
    )


@pytest.mark.parametrize("encoded", [IMPLICIT, EXPLICIT, BIG], ids=lambda one: uids.name(one.uid))
@pytest.mark.parametrize("said", [IMPLICIT, EXPLICIT, BIG, DEFLATED, JPEG], ids=lambda one: uids.name(one.uid))
def test_a_data_set_that_is_not_in_its_transfer_syntax_shows_what_it_is_in(
    encoded: TransferSyntax, said: TransferSyntax
) -> None:
    # The walk warns of it no more: what is to be done about it the sender decides, and says. Pixel data that is not compressed in
    # a compressed transfer syntax was nothing faults, until a peer was seen to abort over it.
    data, _ = small(encoded)
    alike = (encoded.implicit_vr, encoded.little_endian) == (said.implicit_vr, said.little_endian)
    faults = None if alike and not (said.deflated or said.encapsulated) else EncodingFaults(encoded.uid)
    assert outline(data, said) == Outline(CT, "1.2.34", len(data), faults=faults)


@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT])
def test_a_data_set_in_an_unknown_transfer_syntax_shows_how_it_is_encoded(transfer_syntax: TransferSyntax) -> None:
    data, _ = small(transfer_syntax)
    assert outline(data, None) == Outline(CT, "1.2.34", len(data))


def test_an_empty_data_set_has_no_uids() -> None:
    assert outline(b"") == Outline(None, None, 0)
    assert outline(element(0x00080018, b"UI", b"")) == Outline(None, None, 8)


def result(data: bytes, transfer_syntax: TransferSyntax | None, at_hand: int = 0) -> Outline | str:
    """Walk with the first `at_hand` bytes given; return its result or the words of its error."""

    def read(offset: int, size: int) -> bytes:
        assert offset + size > at_hand or transfer_syntax is DEFLATED
        return data[offset : offset + size]

    try:
        return walk(read, 0, len(data), transfer_syntax, data[:at_hand])
    except MalformedDataSet as error:
        return str(error)


@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT, BIG, JPEG], ids=lambda one: uids.name(one.uid))
def test_how_much_is_at_hand_makes_no_difference(transfer_syntax: TransferSyntax) -> None:
    data, _ = small(transfer_syntax)
    for content, as_syntax in (
        (data, transfer_syntax),
        (data, None),
        (data[:-3], transfer_syntax),
        (data + bytes(11), transfer_syntax),
        (deflate(data), DEFLATED),
    ):
        expected = result(content, as_syntax)
        assert [result(content, as_syntax, size) for size in range(len(content) + 1)] == [expected] * (len(content) + 1)


# Limits


@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT, BIG], ids=lambda one: uids.name(one.uid))
@pytest.mark.parametrize("undefined", [True, False], ids=["undefined length", "defined length"])
@pytest.mark.parametrize("depth", [63, 64, 65, 1_100, 100_000])
def test_sequences_are_nested_64_deep_and_no_deeper(
    depth: int, undefined: bool, transfer_syntax: TransferSyntax
) -> None:
    data = head(transfer_syntax) + nested(depth, undefined, transfer_syntax)
    if depth <= MAXIMUM_NESTING:
        assert outline(data, transfer_syntax).end == len(data)
    else:
        with pytest.raises(NestedTooDeep, match="nested more than 64 deep"):
            outline(data, transfer_syntax)
    assert seen(data, transfer_syntax) == (CT, "1.2.34")


def test_sequences_without_vr_among_elements_with_one_are_counted_too() -> None:
    with pytest.raises(NestedTooDeep):
        outline(head() + nested(65, False, IMPLICIT))


def test_pixel_data_is_not_read() -> None:
    data = head() + element(0x7FE00010, b"OW", bytes(10_000_000)) + element(0xFFFCFFFC, b"OB", b"\0\0")
    asked = []

    def read(offset: int, size: int) -> bytes:
        asked.append(size)
        return data[offset : offset + size]

    assert walk(read, 0, len(data), EXPLICIT).end == len(data)
    assert sum(asked) <= 2 * 8_192


def test_windows_are_bounded_however_many_elements_there_are() -> None:
    data = head() + b"".join(element(0x00091000 + index, b"LO", b"AB" * 20) for index in range(0xF00)) * 2
    asked = []

    def read(offset: int, size: int) -> bytes:
        asked.append(size)
        return data[offset : offset + size]

    assert walk(read, 0, len(data), EXPLICIT).end == len(data)
    assert max(asked) <= WINDOW
    assert sum(asked) <= len(data) + 12 * len(asked) + 8_192


def peak_memory(run: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.thorough
def test_a_deflated_bomb_takes_a_few_windows_of_memory() -> None:
    size = 256 * 1024 * 1024
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [deflater.compress(head() + element(0x7FE00010, b"OW", b"", length=size))]
    parts += [deflater.compress(bytes(1024 * 1024)) for _ in range(256)]
    bomb = b"".join([*parts, deflater.flush()])
    assert peak_memory(lambda: outline(bomb, DEFLATED)) < 1024 * 1024
    assert peak_memory(lambda: seen(bomb, DEFLATED)) < 1024 * 1024
    assert seen(bomb, DEFLATED) == (CT, "1.2.34")


# A look at the first bytes


@pytest.mark.parametrize(
    "transfer_syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED, JPEG], ids=lambda one: uids.name(one.uid)
)
def test_the_uids_are_seen_as_soon_as_they_are_there(transfer_syntax: TransferSyntax) -> None:
    data, _ = small(EXPLICIT if transfer_syntax.deflated else transfer_syntax)
    at_hand = deflate(data) if transfer_syntax.deflated else data
    needed = len(head(transfer_syntax))
    for size in range(len(at_hand) + 1):
        found = seen(at_hand[:size], transfer_syntax)
        assert found[0] in (None, CT)
        assert found[1] in (None, "1.2.34")
        if not transfer_syntax.deflated:
            assert (found == (CT, "1.2.34")) is (size >= needed)
    assert found == (CT, "1.2.34")


# Values within a sequence


def listed(data: bytes, transfer_syntax: TransferSyntax = EXPLICIT) -> tuple[list[str], str | None]:
    def read(offset: int, size: int) -> bytes:
        return data[offset : offset + size]

    return values_within(read, 0, len(data), transfer_syntax, 0x00081140, 0x00080018)


@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT, BIG], ids=lambda one: uids.name(one.uid))
@pytest.mark.parametrize("undefined", [False, True], ids=["", "undefined length"])
def test_values_within_a_sequence_are_found_and_none_elsewhere(
    transfer_syntax: TransferSyntax, undefined: bool
) -> None:
    def sequence(tag: int, *items: bytes) -> bytes:
        if not undefined:
            return element(tag, b"SQ", b"".join(item(one, transfer_syntax) for one in items), transfer_syntax)
        content = b"".join(
            item(closed(one, transfer_syntax, 0xE00D), transfer_syntax, length=UNDEFINED) for one in items
        )
        return element(tag, b"SQ", closed(content, transfer_syntax), transfer_syntax, UNDEFINED)

    def uid(value: bytes) -> bytes:
        return element(0x00080018, b"UI", value, transfer_syntax)

    other = sequence(0x00081110, uid(b"9.9\0"))
    data = uid(b"9.9\0") + other + sequence(0x00081140, uid(b"1\0"), b"", uid(b""), uid(b"2\0") + other) + other
    assert listed(data, transfer_syntax) == (["1", "", "2"], None)


def test_the_rest_of_a_sequence_that_does_not_add_up_is_told() -> None:
    uid = item(element(0x00080018, b"UI", b"1\0"))
    long = item(element(0x00080018, b"UI", b"1" * 2000))
    for faulty, words in (
        (long, "is too long: 2,000 bytes"),
        (item(b"", length=50), "is of 50 bytes, and 0 are there"),
    ):
        found, rest = listed(element(0x00081140, b"SQ", uid + faulty))
        assert found == ["1"]
        assert rest is not None
        assert rest.startswith("within (0008,1140): ")
        assert rest.endswith(words)


def test_a_sequence_that_is_cut_short_is_refused() -> None:
    data = element(0x00081140, b"SQ", item(element(0x00080018, b"UI", b"1\0")))
    with pytest.raises(MalformedDataSet, match="cut short"):
        listed(data[:-1])


def test_a_look_goes_no_further_than_the_uids() -> None:
    assert seen(head() + element(0x00100010, b"PN", b"A") + b"junk" * 10, EXPLICIT) == (CT, "1.2.34")
    assert seen(element(0x00100010, b"PN", b"A") + head(), EXPLICIT) == (None, None)
    assert seen(b"\xff" * 50, DEFLATED) == (None, None)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_a_look_shows_the_values_that_pydicom_reads() -> None:
    compared = 0
    for path in SHIPPED:
        if path.name not in CUT_SHORT and path.name != "DICOMDIR":
            _, data_set, transfer_syntax = checked(path)
            found = look(data_set, transfer_syntax)
            read = [
                element for element in pydicom.dcmread(path) if element.tag in TAGS and element.VR in ("UI", "CS", "LO")
            ]
            assert {int(element.tag): found[element.tag] for element in read} == {
                int(element.tag): str(element.value or "") for element in read
            }, path
            compared += len(read)
    assert compared > 400


@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT, BIG, JPEG], ids=lambda one: uids.name(one.uid))
def test_a_look_passes_over_sequences_and_what_is_too_long(transfer_syntax: TransferSyntax) -> None:
    other = element(0x00100020, b"LO", b"OTHER ", transfer_syntax) + element(
        0x0020000D, b"UI", b"9.9\0", transfer_syntax
    )
    data = (
        head(transfer_syntax)
        + element(0x00081110, b"SQ", item(other, transfer_syntax), transfer_syntax)
        + element(0x00081140, b"SQ", closed(item(other, transfer_syntax), transfer_syntax), transfer_syntax, UNDEFINED)
        + element(0x00100010, b"PN", b"", transfer_syntax)
        + element(0x00100020, b"LO", b"x" * 2_000, transfer_syntax)
        + element(0x0020000D, b"UI", b"1.2.3\0", transfer_syntax)
        + element(0x00280010, b"US", b"\0\2", transfer_syntax)
    )
    found = {0x00080016: CT, 0x00080018: "1.2.34", 0x00100010: "", 0x0020000D: "1.2.3"}
    assert look(data, transfer_syntax) == found
    for size in range(len(data)):
        assert look(data[:size], transfer_syntax).items() <= found.items()


# Any bytes


@given(st.binary(max_size=400), st.sampled_from([None, IMPLICIT, EXPLICIT, BIG, DEFLATED, JPEG]))
def test_any_bytes_are_walked_or_refused(data: bytes, transfer_syntax: TransferSyntax | None) -> None:
    try:
        assert outline(data, transfer_syntax).end <= len(data)
    except MalformedDataSet as error:
        assert "\n" not in str(error)
    look(data, transfer_syntax)


@given(st.data(), st.sampled_from([IMPLICIT, EXPLICIT, BIG, JPEG]))
def test_a_changed_data_set_is_walked_or_refused(data: st.DataObject, transfer_syntax: TransferSyntax) -> None:
    changed = bytearray(small(transfer_syntax)[0])
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(
            st.sampled_from([0, 1, 0x7F, 0xFF, 0xFE, 0xE0])
        )
    for content, as_syntax in ((bytes(changed), transfer_syntax), (deflate(bytes(changed)), DEFLATED)):
        expected = result(content, as_syntax)
        assert result(content, as_syntax, len(content)) == expected
        assert result(content, as_syntax, data.draw(st.integers(0, len(content)))) == expected
