"""Encoded data sets as peers send them: tolerated, or refused before they cost anything."""

from __future__ import annotations

import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse import uids
from dimse.data_set import elements, json, reader
from dimse.data_set.encoding import deflate
from dimse.data_set.identifier import Identifier, encode
from dimse.data_set.reader import Limits
from dimse.data_set.source import BeyondLimits, MalformedDataSet, NestedTooDeep
from tests import files
from tests.data_set.samples import explicit, implicit, sequence

EXPLICIT = uids.TransferSyntax(uids.ExplicitVRLittleEndian)
IMPLICIT = uids.TransferSyntax(uids.ImplicitVRLittleEndian, implicit_vr=True)
BIG = uids.TransferSyntax(uids.ExplicitVRBigEndian, little_endian=False)
DEFLATED = uids.TransferSyntax(uids.DeflatedExplicitVRLittleEndian, deflated=True)
SYNTAXES = [EXPLICIT, IMPLICIT, BIG, DEFLATED]


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (explicit(0x00100010, "PN", b"A ") + explicit(0x00100010, "PN", b"B "), "B"),
        (explicit(0x00200010, "SH", b"1 ") + explicit(0x00100010, "PN", b"B "), "B"),
        (implicit(0x00100010, b"B "), "B"),
        (explicit(0x00080000, "UL", b"\0\0\0\0") + explicit(0x00100010, "PN", b"B\0"), "B"),
        (explicit(0x00100010, "PN", b"ABC") + b"\0" * 50, "ABC"),
        (sequence(0x00081140, b"") + explicit(0x00100010, "PN", b"B "), "B"),
        (explicit(0x00081140, "SQ", b"\xfe\xff\xdd\xe0\0\0\0\0") + explicit(0x00100010, "PN", b"B "), "B"),
        (
            explicit(0x00081140, "SQ", b"\xfe\xff\0\xe0\x08\0\0\0\xfe\xff\x0d\xe0\0\0\0\0")
            + explicit(0x00100010, "PN", b"B "),
            "B",
        ),
        (explicit(0x00100010, "UN", b"B "), "B"),
        (explicit(0x00100010, "XX", b"B "), b"B "),
    ],
    ids=lambda part: part.hex()[:40] if isinstance(part, bytes) else part,
)
def test_what_peers_send_is_tolerated(raw: bytes, name: Any) -> None:
    if raw[4:6] == b"XX":
        raw = raw[:6] + b"\0\0" + struct.pack("<L", 2) + b"B "
    assert Identifier.read(raw, EXPLICIT)["PatientName"] == name


def test_elements_with_vr_are_read_where_there_should_be_none() -> None:
    assert Identifier.read(encode({"PatientName": "Doe"}, EXPLICIT), IMPLICIT)["PatientName"] == "Doe"


def test_a_sequence_in_un_is_one() -> None:
    item = implicit(0x00080100, b"A ")
    items = struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item
    found = Identifier.read(explicit(0x00081032, "UN", items), EXPLICIT)
    assert found["ProcedureCodeSequence"][0]["CodeValue"] == "A"
    big = Identifier.read(explicit(0x00081032, "UN", items, order=">"), BIG)
    assert big["ProcedureCodeSequence"][0]["CodeValue"] == "A"
    undefined = explicit(0x00091001, "UN", items + b"\xfe\xff\xdd\xe0\0\0\0\0", length=0xFFFFFFFF)
    assert Identifier.read(undefined, EXPLICIT)[0x00091001][0]["CodeValue"] == "A"
    assert Identifier.read(explicit(0x00081032, "UN", b"abcd"), EXPLICIT)["ProcedureCodeSequence"] == b"abcd"


@pytest.mark.parametrize(
    ("raw", "syntax"),
    [
        (b"\x10\0\x10\0PN", EXPLICIT),
        (explicit(0x00100010, "PN", b"Doe ", length=100), EXPLICIT),
        (explicit(0x00081140, "SQ", b"", length=100), EXPLICIT),
        (explicit(0x00081140, "SQ", b"\xfe\xff\0\xe0\x10\0\0\0"), EXPLICIT),
        (explicit(0x00081140, "SQ", b"\x10\0\x10\0\0\0\0\0"), EXPLICIT),
        (explicit(0x00081140, "SQ", b"", length=0xFFFFFFFF), EXPLICIT),
        (explicit(0x00420011, "OB", b"", length=0xFFFFFFFF), EXPLICIT),
        (b"\x10\0\x10\0UT\0\0\1", EXPLICIT),
        (b"\0\x10\0\x10\0\0\0\0", BIG),
        (b"\xfe\xff\x0d\xe0\0\0\0\0", EXPLICIT),
        (b"\xfe\xff\0\xe0\0\0\0\0", EXPLICIT),
        (b"not deflated", DEFLATED),
        (deflate([b"\x10\0"])[:2], DEFLATED),
    ],
    ids=lambda part: part.hex()[:40] if isinstance(part, bytes) else part.uid,
)
def test_what_is_not_a_data_set_is_refused(raw: bytes, syntax: uids.TransferSyntax) -> None:
    with pytest.raises(MalformedDataSet):
        Identifier.read(raw, syntax)


def test_an_identifier_is_bounded() -> None:
    with pytest.raises(BeyondLimits, match="more than 10"):
        Identifier.read(b"\0" * 11, EXPLICIT, limits=Limits(size=10))
    with pytest.raises(BeyondLimits, match="when it is inflated"):
        Identifier.read(deflate([b"\0" * 100]), DEFLATED, limits=Limits(size=99))
    with pytest.raises(BeyondLimits, match="more than 2 elements"):
        Identifier.read(implicit(0x00100010, b"") * 3, IMPLICIT, limits=Limits(elements=2))
    nested = b""
    for _ in range(66):
        nested = sequence(0x00081140, nested)
    with pytest.raises(NestedTooDeep):
        Identifier.read(nested, EXPLICIT)
    hidden = explicit(0x00081032, "UN", struct.pack("<HHL", 0xFFFE, 0xE000, 16) + implicit(0x00100010, b"") * 2)
    with pytest.raises(BeyondLimits):
        Identifier.read(hidden, EXPLICIT, limits=Limits(elements=3))


@pytest.mark.parametrize(
    "raw",
    [
        b"\0" * (4 * 1024 * 1024 - 2) + b"\1\1",
        implicit(0x00081140, (struct.pack("<HHL", 0xFFFE, 0xE000, 0)) * 500_000),
        b"".join(implicit(tag, b"") for tag in range(0x00110000, 0x00120000)),
    ],
    ids=["zeros", "items", "elements"],
)
def test_a_hostile_identifier_costs_little(raw: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MalformedDataSet):
            Identifier.read(raw, IMPLICIT)
        assert tracemalloc.get_traced_memory()[1] < max(8 * len(raw), 6 * 1024 * 1024)
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=80), st.sampled_from(SYNTAXES))
def test_any_bytes_are_read_or_refused(raw: bytes, syntax: uids.TransferSyntax) -> None:
    try:
        found = Identifier.read(raw, syntax)
    except MalformedDataSet:
        return
    found.json()
    for tag in found:
        found[tag]
        found.text(tag)


UNCOMPRESSED = [
    file
    for file in files.pydicom_files().sendable
    if (syntax := uids.transfer_syntax(file.transfer_syntax)) and syntax.has_elements and not syntax.encapsulated
]


@pytest.mark.parametrize("file", UNCOMPRESSED, ids=lambda file: file.path.name)
def test_a_file_has_the_elements_that_the_strict_reader_finds(file: files.Part10File) -> None:
    syntax = uids.transfer_syntax(file.transfer_syntax)
    assert syntax is not None
    strict = elements.read(memoryview(file.data_set), syntax)
    tolerant = reader.read(file.data_set, syntax, Limits(size=1 << 30, elements=1 << 20))
    assert json.write(tolerant) == json.write(strict)
