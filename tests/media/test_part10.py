"""The head of a file is read as pydicom reads it, and what we write pydicom reads."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pydicom
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.misc import is_dicom

from dimse.media import part10
from dimse.media.part10 import FileMeta, NotPart10
from dimse.support.values import fields

SHIPPED = sorted(
    path for path in (Path(pydicom.__file__).parent / "data").rglob("*") if path.is_file() and is_dicom(path)
)
META = FileMeta(
    media_storage_sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    media_storage_sop_instance_uid="1.2.3.45",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    implementation_class_uid="1.2.3.4.5",
    implementation_version_name="DIMSE_1",
    source_application_entity_title="SOURCE",
    sending_application_entity_title="SENDING",
    receiving_application_entity_title="RECEIVER",
)
DATA_SET = struct.pack("<HH2sH", 0x0008, 0x0016, b"UI", 4) + b"1.2\0"


def element(number: int, vr: bytes, value: bytes, group: int = 0x0002) -> bytes:
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def head(*elements: bytes) -> bytes:
    return bytes(128) + b"DICM" + b"".join(elements) + DATA_SET


SYNTAX = element(0x0010, b"UI", b"1.2.840.10008.1.2\0")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_files_are_read_as_pydicom_reads_them(path: Path) -> None:
    content = path.read_bytes()
    ours = part10.parse(content[: part10.MAXIMUM_SIZE])
    theirs = pydicom.filereader.read_file_meta_info(path)
    assert ours is not None
    assert ours.media_storage_sop_class_uid == (theirs.get("MediaStorageSOPClassUID") or None)
    assert ours.media_storage_sop_instance_uid == (theirs.get("MediaStorageSOPInstanceUID") or None)
    assert ours.transfer_syntax_uid == theirs.get("TransferSyntaxUID")
    assert ours.implementation_class_uid == theirs.get("ImplementationClassUID")
    assert ours.implementation_version_name == (theirs.get("ImplementationVersionName") or None)
    with path.open("rb") as file:
        pydicom.filereader.read_preamble(file, force=False)
        pydicom.filereader._read_file_meta_info(file)
        assert ours.data_set_offset == file.tell()


def test_pydicom_reads_what_is_encoded() -> None:
    encoded = part10.encode(META)
    data_set = pydicom.dcmread(io.BytesIO(encoded + DATA_SET))
    assert data_set.preamble == bytes(128)
    assert data_set.SOPClassUID == "1.2"
    read = data_set.file_meta
    assert read.FileMetaInformationVersion == b"\0\1"
    assert read.FileMetaInformationGroupLength == len(encoded) - (128 + 4 + 12)
    assert read.MediaStorageSOPClassUID == META.media_storage_sop_class_uid
    assert read.MediaStorageSOPInstanceUID == META.media_storage_sop_instance_uid
    assert read.TransferSyntaxUID == META.transfer_syntax_uid
    assert read.ImplementationClassUID == META.implementation_class_uid
    assert read.ImplementationVersionName == "DIMSE_1"
    assert read.SourceApplicationEntityTitle == "SOURCE"
    assert read.SendingApplicationEntityTitle == "SENDING"
    assert read.ReceivingApplicationEntityTitle == "RECEIVER"


uid = st.from_regex(r"[0-9.]{1,64}", fullmatch=True)
title = st.none() | st.from_regex(r"[!-~]([ -~]{0,14}[!-~])?", fullmatch=True)


@given(st.builds(FileMeta, uid, uid, uid, uid, title, title, title, title))
def test_what_is_encoded_is_parsed_again(meta: FileMeta) -> None:
    encoded = part10.encode(meta)
    assert len(encoded) % 2 == 0
    parsed = part10.parse(encoded + DATA_SET)
    assert parsed is not None
    assert parsed.data_set_offset == len(encoded)
    assert part10.encode(parsed) == encoded


@pytest.mark.parametrize(
    "missing",
    [
        "media_storage_sop_class_uid",
        "media_storage_sop_instance_uid",
        "transfer_syntax_uid",
        "implementation_class_uid",
    ],
)
def test_no_file_is_written_without_a_required_uid(missing: str) -> None:
    values = {name: "1.2" for name in fields(FileMeta) if name not in (missing, "data_set_offset")}
    with pytest.raises(ValueError, match=missing):
        part10.encode(FileMeta(**values))  # type: ignore[arg-type]  # no data_set_offset among them


def test_a_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"70,000 bytes does not fit .*\(0002,0003\)"):
        part10.encode(FileMeta("1.2", "1" * 70_000, "1.2", "1.2"))


@pytest.mark.parametrize(
    "elements",
    [
        pytest.param((SYNTAX,), id="no group length"),
        pytest.param((element(0, b"UL", b"\0\0\0\0"), SYNTAX), id="group length too small"),
        pytest.param((element(0, b"UL", b"\xff\xff\0\0"), SYNTAX), id="group length too large"),
        pytest.param((struct.pack("<HH2sHL", 2, 1, b"OB", 0, 2) + b"\0\1", SYNTAX), id="version"),
        pytest.param((SYNTAX, struct.pack("<HH2sHL", 2, 0x102, b"OB", 0, 40_000) + bytes(40_000)), id="private"),
        pytest.param((SYNTAX, element(0x0016, b"AE", b"")), id="empty"),
        pytest.param((element(0x0099, b"LO", b"odd"), SYNTAX), id="unknown element of odd length"),
    ],
)
def test_file_meta_is_read_whatever_its_group_length_says(elements: tuple[bytes, ...]) -> None:
    meta = part10.parse(head(*elements))
    expected = FileMeta(transfer_syntax_uid="1.2.840.10008.1.2", data_set_offset=132 + sum(map(len, elements)))
    assert meta == expected


FORMS: dict[str, Callable[[int, bytes, bytes], bytes]] = {
    "implicit": lambda number, vr, value: struct.pack("<HHL", 2, number, len(value)) + value,
    "big endian": lambda number, vr, value: (
        struct.pack(">HH2sHL", 2, number, vr, 0, len(value)) + value
        if vr == b"OB"
        else struct.pack(">HH2sH", 2, number, vr, len(value)) + value
    ),
    "implicit big endian": lambda number, vr, value: struct.pack(">HHL", 2, number, len(value)) + value,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("start", [bytes(128) + b"DICM", b"DICM", b""], ids=["preamble", "prefix", "neither"])
def test_file_meta_in_another_encoding_is_read(form: str, start: bytes) -> None:
    encode = FORMS[form]
    elements = encode(1, b"OB", b"\0\1") + encode(3, b"UI", b"1.2.3\0") + encode(0x10, b"UI", b"1.2\0")
    content = start + encode(0, b"UL", len(elements).to_bytes(4, "little" if form == "implicit" else "big")) + elements
    if "implicit" in form and not start:
        # Any file may begin with such numbers.
        assert part10.start_of(content) is None
        return
    assert part10.start_of(content) == len(start)
    meta = part10.parse(content + DATA_SET)
    assert meta == FileMeta(
        media_storage_sop_instance_uid="1.2.3", transfer_syntax_uid="1.2", data_set_offset=len(content)
    )
    for size in range(len(content) + 8):
        if size >= 132 or start != bytes(128) + b"DICM":
            with suppress(NotPart10):
                assert part10.parse((content + DATA_SET)[:size]) is None


def test_of_elements_behind_the_file_meta_the_first_counts_and_they_are_told() -> None:
    group = SYNTAX + element(0x0003, b"UI", b"1.2\0")
    length = element(0, b"UL", struct.pack("<L", len(group)))
    stray = element(0x0010, b"UI", b"9.9\0") + element(0x0012, b"UI", b"1.2\0")
    assert part10.parse(head(length, group, stray)) == FileMeta(
        media_storage_sop_instance_uid="1.2",
        transfer_syntax_uid="1.2.840.10008.1.2",
        implementation_class_uid="1.2",
        data_set_offset=132 + len(length + group + stray),
        overlong=True,
    )


def test_stray_elements_in_implicit_vr_belong_to_the_data_set() -> None:
    meta = part10.parse(head(SYNTAX, struct.pack("<HHL", 2, 0x10, 4) + b"9.9\0"))
    assert meta == FileMeta(transfer_syntax_uid="1.2.840.10008.1.2", data_set_offset=132 + len(SYNTAX))


def test_missing_elements_are_none() -> None:
    meta = part10.parse(head(element(0x0012, b"UI", b"1.2\0")))
    assert meta is not None
    assert meta.transfer_syntax_uid is None
    assert meta.media_storage_sop_instance_uid is None


def test_a_deflated_data_set_may_begin_like_a_group_number() -> None:
    meta = part10.parse(bytes(128) + b"DICM" + SYNTAX + b"\x02\0" + b"\x93" * 20)
    assert meta is not None
    assert meta.data_set_offset == 132 + len(SYNTAX)


def test_what_ends_before_the_data_set_needs_more_bytes() -> None:
    whole = part10.encode(META) + DATA_SET
    needed = len(whole) - len(DATA_SET) + 8
    for size in range(len(whole)):
        parsed = part10.parse(memoryview(whole)[:size])
        assert (parsed is None) is (size < needed)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x89PNG" + bytes(200), "no DICM prefix after 128 bytes of preamble"),
        (bytes(128) + b"DX", "no DICM prefix"),
        (bytes(128) + b"DICM" + DATA_SET, "no File Meta Information after the DICM prefix"),
        (head(struct.pack("<HH2sHL", 2, 1, b"OB", 0, 0xFFFFFFFF)), r"\(0002,0001\) of 4,294,967,295 bytes"),
        (head(element(0x0100, b"UI", bytes(60_000)) * 2), r"\(0002,0100\) of 60,000 bytes"),
        (head(element(0x0100, b"UI", b"1.2\0") * 6_000), "does not end within 65,536 bytes"),
    ],
    ids=["no preamble", "half a prefix", "no meta", "huge element", "many bytes", "many elements"],
)
def test_what_is_no_dicom_file_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(NotPart10, match=f"^not DICOM: .*{reason}"):
        part10.parse(content)


@given(st.binary(max_size=300))
@example(b"")
@example(b"\x02\0\x01\0OB\0\0")
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    for content in (data, bytes(128) + b"DICM" + data):
        try:
            meta = part10.parse(content)
        except NotPart10:
            continue
        assert meta is None or meta.data_set_offset <= len(content)


def test_the_shipped_files_are_there() -> None:
    assert len(SHIPPED) > 150
    assert all(os.access(path, os.R_OK) for path in SHIPPED)
