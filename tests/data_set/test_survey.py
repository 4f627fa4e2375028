"""The survey of a received data set: it finds values wherever they stand, and tells a data set that is cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse import uids
from dimse.data_set.survey import MOST_STRAY, Survey, survey
from dimse.data_set.walk import WINDOW
from dimse.media import part10
from dimse.uids import TransferSyntax
from tests.data_set.test_walk import (
    BIG,
    CT,
    CUT_SHORT,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    SHIPPED,
    UNDEFINED,
    closed,
    deflate,
    element,
    head,
    item,
    nested,
    small,
)

SOP_CLASS_UID, SOP_INSTANCE_UID, PATIENT_ID = 0x00080016, 0x00080018, 0x00100020
WANTED = (SOP_CLASS_UID, SOP_INSTANCE_UID, PATIENT_ID)
UIDS_FOUND = {SOP_CLASS_UID: CT, SOP_INSTANCE_UID: "1.2.34"}
SYNTAXES = [IMPLICIT, EXPLICIT, BIG, JPEG]


def surveyed(data: bytes, syntax: TransferSyntax = EXPLICIT, at_hand: int = 0) -> Survey:
    """Survey a data set of which the first bytes are at hand."""

    def read(offset: int, size: int) -> bytes:
        assert offset >= 0 and size <= WINDOW
        return data[offset : offset + size]

    return survey(read, len(data), syntax, WANTED, data[:at_hand])


# --- values, wherever they are ---


@pytest.mark.parametrize("syntax", [*SYNTAXES, DEFLATED])
@pytest.mark.parametrize("at_hand", [0, 10, 8192])
def test_uids_are_found_behind_any_other_element(syntax: TransferSyntax, at_hand: int) -> None:
    plain = EXPLICIT if syntax is DEFLATED else syntax
    sequence = closed(
        item(head(plain).replace(b"34", b"35"), plain, UNDEFINED) + item(b"", plain, number=0xE00D), plain
    )
    first = {
        "nothing": b"",
        "group 0009": element(0x00090010, b"LO", b"A ", plain),
        "group 0010": element(0x00100010, b"PN", b"A ", plain),
        "group 7FE0": element(0x7FE00010, b"OW", bytes(20), plain),
        "60 KB": element(0x00291010, b"OB", bytes(60_000), plain),
        "a sequence that has UIDs": element(0x00081115, b"SQ", sequence, plain, UNDEFINED),
    }
    for name, before in first.items():
        data = before + head(plain) + element(0x00080005, b"CS", b"X ", plain)
        found = surveyed(deflate(data) if syntax is DEFLATED else data, syntax, at_hand)
        assert (found.values, found.cut_short) == (UIDS_FOUND, ""), name


def test_uids_are_found_behind_much_else_and_what_is_stepped_over_is_not_read() -> None:
    data = element(0x00291010, b"OB", bytes(100_000_000)) + head()
    asked = 0

    def read(offset: int, size: int) -> bytes:
        nonlocal asked
        asked += size
        return data[offset : offset + size]

    assert survey(read, len(data), EXPLICIT, WANTED).values == UIDS_FOUND
    assert asked < 3 * WINDOW


def test_of_a_deflated_data_set_so_much_is_inflated_and_no_more() -> None:
    near, far = (element(0x00291010, b"OB", bytes(size)) for size in (WINDOW - 1_000, WINDOW))
    assert surveyed(deflate(near + head()), DEFLATED).values == UIDS_FOUND
    assert surveyed(deflate(far + head()), DEFLATED) == Survey({})
    assert surveyed(b"\xff" * 100, DEFLATED) == Survey({})


def test_the_first_of_two_values_counts() -> None:
    other = element(SOP_INSTANCE_UID, b"UI", b"1.2.35")
    assert surveyed(head() + other).values == UIDS_FOUND


# --- it ends inside an element ---


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("at_hand", [0, 20, 8192])
def test_a_cut_anywhere_but_between_two_elements_is_told(syntax: TransferSyntax, at_hand: int) -> None:
    whole, ends = small(syntax)
    assert surveyed(whole, syntax, at_hand).cut_short == ""
    for size in range(len(whole)):
        last = max(end for end in ends if end <= size)
        found = surveyed(whole[:size], syntax, at_hand)
        assert bool(found.cut_short) is any(whole[last:size]), size
        assert not found.cut_short or found.cut_short.startswith("cut short: ")


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (element(0x7FE00010, b"OW", bytes(10), length=16), "(7FE0,0010) at offset 48 is of 16 bytes, and 10 are there"),
        (element(0x7FE00010, b"OB", item(b"x" * 8, length=9), length=UNDEFINED), "a fragment of (7FE0,0010)"),
        (
            element(0x7FE00010, b"OB", item(b"x" * 8), length=UNDEFINED),
            "(7FE0,0010) is of undefined length and not closed",
        ),
        (
            element(0x00081115, b"SQ", item(head()), length=UNDEFINED),
            "(0008,1115) is of undefined length and not closed",
        ),
        (
            element(0x00081115, b"SQ", item(head(), length=UNDEFINED), length=UNDEFINED),
            "an Item of (0008,1115) is of un",
        ),
        (element(0x00081115, b"SQ", item(head(), length=99), length=UNDEFINED), "an Item of (0008,1115) at offset 60"),
        (b"\xff" * 1000, "(FFFF,FFFF) at offset 48 is not an element"),
        (b"ab", "no element at offset 48, and 2 bytes"),
        (bytes(100_000) + b"x", "no element at offset 48, and 100,001 bytes"),
        (element(0x00020010, b"UI", b"1.2 ", length=40), "(0002,0010) at offset 48 is of 40 bytes, and 4 are there"),
    ],
)
def test_where_it_ends_is_said_in_one_line(rest: bytes, said: str) -> None:
    assert said in surveyed(head() + rest).cut_short


@pytest.mark.parametrize("name", sorted(CUT_SHORT))
def test_real_files_that_were_cut_short_are_told(name: str) -> None:
    (path,) = (path for path in SHIPPED if path.name == name)
    found, _ = surveyed_file(path)
    assert found.cut_short.startswith("cut short: (")


# --- what is tolerated ---


@pytest.mark.parametrize("path", [path for path in SHIPPED if path.name not in CUT_SHORT], ids=lambda path: path.name)
def test_no_real_file_is_cut_short(path: Path) -> None:
    found, meta = surveyed_file(path)
    assert found.cut_short == ""
    if meta.media_storage_sop_instance_uid and SOP_INSTANCE_UID in found.values:
        assert found.values[SOP_INSTANCE_UID]


def surveyed_file(path: Path) -> tuple[Survey, part10.FileMeta]:
    """Survey the data set of a file."""
    content = path.read_bytes()
    meta = part10.parse(content)
    assert meta is not None
    syntax = uids.transfer_syntax(meta.transfer_syntax_uid or "") or EXPLICIT
    return surveyed(content[meta.data_set_offset :], syntax), meta


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_does_not_belong_there_is_stepped_over_and_remarked(syntax: TransferSyntax) -> None:
    for stray in (
        element(0x00020013, b"SH", b"A 1 ", syntax),
        element(0x00020001, b"OB", b"\0\1", syntax),
        element(0x00000000, b"UL", b"\4\0\0\0", syntax),
        element(0x00000110, b"US", b"\1\0", syntax),
        item(b"", syntax, number=0xE0DD),
        item(b"", syntax, number=0xE00D),
        item(b"", syntax),
    ):
        found = surveyed(element(0x00080005, b"CS", b"X ", syntax) + stray + head(syntax), syntax)
        assert (found.values, found.cut_short) == (UIDS_FOUND, "")
        (remark,) = found.remarks
        assert remark.endswith("does not belong in a data set")


def test_of_what_does_not_belong_there_only_so_much_is_stepped_over() -> None:
    stray = element(0x00020013, b"SH", b"") * MOST_STRAY
    assert surveyed(stray + head()).values == UIDS_FOUND
    found = surveyed(stray + item(b"") + head())
    assert (found.values, found.cut_short) == ({}, "")
    assert found.remarks[-1].endswith("the rest is not looked at")


@pytest.mark.parametrize("size", [1, 7, 8, 11, 12, 5_000, WINDOW, 300_000])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_zero_bytes_behind_the_last_element_are_padding(size: int, syntax: TransferSyntax) -> None:
    found = surveyed(head(syntax) + bytes(size), syntax)
    assert (found.values, found.cut_short) == (UIDS_FOUND, "")
    assert found.remarks == (f"{size:,} zero bytes follow the data set",)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_in_a_sequence_of_defined_length_does_not_matter(syntax: TransferSyntax) -> None:
    for content in (
        b"x" * 20,
        item(head(syntax), syntax, 99),
        item(b"", syntax, UNDEFINED),
        nested(1000, False, syntax),
    ):
        found = surveyed(element(0x00081115, b"SQ", content, syntax) + head(syntax), syntax)
        assert (found.values, found.cut_short) == (UIDS_FOUND, "")
        inner = closed(item(content, syntax), syntax)
        found = surveyed(element(0x00081115, b"SQ", inner, syntax, UNDEFINED) + head(syntax), syntax)
        assert (found.values, found.cut_short) == (UIDS_FOUND, "")


def test_where_it_cannot_go_on_the_rest_is_not_looked_at() -> None:
    found = surveyed(head() + nested(65, True) + element(PATIENT_ID, b"LO", b"P1"))
    assert (found.values, found.cut_short) == (UIDS_FOUND, "")
    assert "more than 64 deep; the rest is not looked at" in found.remarks[0]


@given(st.binary(max_size=200), st.sampled_from([*SYNTAXES, DEFLATED]), st.integers(0, 200))
def test_no_bytes_make_it_fail(data: bytes, syntax: TransferSyntax, at_hand: int) -> None:
    found = surveyed(data, syntax, at_hand)
    assert found.cut_short.isprintable()
    assert surveyed(data, syntax) == found


# --- the short way for data sets without faults ---


def by_the_walk(data: bytes, syntax: TransferSyntax) -> Survey:
    """Survey a data set of which nothing is at hand, which only the walk can do."""
    return surveyed(data, syntax)


@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.just("plain"), st.integers(0, 40), st.sampled_from(["LO", "UI", "OB", "SQ", "UN", "??", "ZZ"])
            ),
            st.tuples(st.just("uid"), st.integers(0, 1), st.sampled_from(["1.2.3 ", "1.2.840.10008.5.1.4.1.1.2\0"])),
            st.tuples(st.just("bytes"), st.binary(max_size=14), st.just("")),
        ),
        max_size=8,
    ),
    st.sampled_from([EXPLICIT, IMPLICIT]),
    st.integers(0, 3),
)
def test_both_ways_find_the_same(pieces: list[tuple[str, Any, str]], syntax: TransferSyntax, lost: int) -> None:
    data = b""
    for kind, what, more in pieces:
        match kind:
            case "plain":
                data += element(0x00080060 + 0x10000 * what, more.encode(), b"x" * (what & ~1), syntax)
            case "uid":
                data += element((SOP_CLASS_UID, SOP_INSTANCE_UID)[what], b"UI", more.encode(), syntax)
            case _:
                data += what
    data = data[: len(data) - lost]
    assert surveyed(data, syntax, at_hand=len(data)) == by_the_walk(data, syntax)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_both_ways_find_the_same_in_real_files(path: Path) -> None:
    data = path.read_bytes()
    meta = part10.parse(data)
    syntax = uids.transfer_syntax(meta.transfer_syntax_uid or "") if meta is not None else None
    # Among them are files without File Meta Information, which no peer sends so.
    if meta is None or syntax is None:
        return
    data_set = data[meta.data_set_offset :]
    for end in (len(data_set), len(data_set) - 1, len(data_set) // 2):
        assert surveyed(data_set[:end], syntax, at_hand=end) == by_the_walk(data_set[:end], syntax)
