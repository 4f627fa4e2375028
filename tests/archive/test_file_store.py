"""A success status means that the instance is kept; nothing that a peer says harms what is kept already."""

from __future__ import annotations

import errno
import io
import logging
import os
import shutil
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from threading import Barrier

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dimse
from dimse import uids
from dimse.archive import FileStore, Stored
from dimse.archive.file_store import OnDuplicate
from dimse.archive.names import safe_component
from dimse.association.sinks import SpooledSink
from dimse.data_set.encoding import deflate
from dimse.instances.received import ReceivedInstance
from dimse.message.status import Status
from dimse.services.store_request import StoreRequest
from tests import files
from tests.archive.storing import (
    ATTACKS,
    CANNOT_UNDERSTAND,
    CT,
    DOES_NOT_MATCH,
    DUPLICATE,
    KEPT,
    OUT_OF_RESOURCES,
    PATIENT_ID,
    SERIES_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    data_set,
    element,
    keep,
    names,
    store_request,
    stored_data_set,
    take,
    tree,
)
from tests.data_set.test_walk import EXPLICIT, IMPLICIT
from tests.data_set.test_walk import element as long_element

# --- what is kept ---


def test_an_instance_becomes_a_part_10_file(store: FileStore, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dimse.archive")
    assert keep(store) == KEPT
    assert names(folder) == ["CT.1.2.3"]
    content = (folder / "CT.1.2.3").read_bytes()
    assert content[:132] == bytes(128) + b"DICM"
    read = pydicom.dcmread(io.BytesIO(content))
    assert read.PatientName == "Doe^John"
    assert read.file_meta.MediaStorageSOPClassUID == CT
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert read.file_meta.TransferSyntaxUID == uids.ExplicitVRLittleEndian
    assert read.file_meta.SourceApplicationEntityTitle == "MODALITY"
    assert caplog.messages == ["Storing DICOM file: CT.1.2.3"]


def test_every_data_set_is_kept_byte_for_byte(
    store: FileStore, folder: Path, pydicom_files: files.PydicomFiles
) -> None:
    for file in pydicom_files.sendable:
        request = store_request(file.sop_instance_uid, file.sop_class_uid, file.transfer_syntax)
        cuts = [0, 1, 2, len(file.data_set) // 2, len(file.data_set)]
        pieces = [file.data_set[start:end] for start, end in pairwise(cuts)]
        assert take(store, request, *pieces) == KEPT, file.path
        assert request.path is not None
        assert stored_data_set(Path(request.path)) == file.data_set
    assert len(names(folder)) == len(pydicom_files.sendable)


def test_a_server_keeps_what_it_is_sent(
    store: FileStore, folder: Path, pydicom_files: files.PydicomFiles, caplog: pytest.LogCaptureFixture
) -> None:
    file = next(file for file in pydicom_files.sendable if file.path.name == "CT_small.dcm")
    with dimse.Server(("127.0.0.1", 0), store.handlers()) as server:
        contexts = dimse.contexts_for([file.path])
        with dimse.associate(*server.address, contexts=contexts, calling_ae_title="MODALITY") as association:
            assert [association.store(file.path) for _ in range(2)] == [KEPT, KEPT]
            there = os.listdir(folder)  # as soon as success is said
            assert sorted(there) == [".incoming", f"CT.{file.sop_instance_uid}"]
    assert names(folder) == [f"CT.{file.sop_instance_uid}"]
    stored = files.read_part10((folder / f"CT.{file.sop_instance_uid}").read_bytes(), file.path)
    assert stored.data_set == file.data_set
    assert stored.transfer_syntax == file.transfer_syntax
    assert caplog.messages == [f"DICOM file already exists with the same data set: CT.{file.sop_instance_uid}"]


def test_any_number_of_fragments_is_written_at_once(store: FileStore, folder: Path) -> None:
    request = store_request()
    sent = data_set(content=b"x" * 20_000)
    request.sink = store.begin(request)
    request.sink.write([memoryview(sent)[index : index + 1] for index in range(len(sent))] + [memoryview(b"")])
    assert request.size == len(sent)
    assert request.view() == sent
    assert store.store(request) == KEPT
    assert request.path == str(folder / "CT.1.2.3")
    # It may still go on from here, to a router's next hop.
    assert request.view() == sent
    request.sink.discard()
    assert stored_data_set(folder / "CT.1.2.3") == sent


@pytest.mark.parametrize("first", [0, 1, 100, 8_000, 20_000])
def test_values_are_found_wherever_the_data_set_was_cut(folder: Path, first: int) -> None:
    """Those at its very beginning, those that the first bytes to arrive end within, and those far behind."""
    uid = "1." + "9" * 61
    comment = element(0x00104000, b"LT", b"x" * 9_000)
    tail = element(0x0020000D, b"UI", b"1.2.10")
    sent = data_set(uid, others={PATIENT_ID: "PAT1"}) + comment + tail
    with FileStore(folder, layout="{PatientID}/{StudyInstanceUID}/{SOPInstanceUID}") as store:
        assert take(store, store_request(uid), sent[:first], sent[first:]) == KEPT
    assert stored_data_set(folder / "PAT1" / "1.2.10" / uid) == sent


def test_two_at_the_same_moment_get_names_of_their_own(
    store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock of another process may return this.
    monkeypatch.setattr("dimse.archive.sink.monotonic_ns", lambda: 1)
    requests = [store_request(f"1.2.{number}") for number in range(3)]
    for request in requests:
        request.sink = store.begin(request)
    assert len(set(os.listdir(folder / ".incoming"))) == 3
    for request in requests:
        assert request.sink is not None
        request.sink.write([memoryview(data_set(request.sop_instance_uid))])
        assert store.store(request) == KEPT
        request.sink.discard()
    assert [stored_data_set(folder / name) for name in names(folder)] == [data_set(f"1.2.{n}") for n in range(3)]


def test_files_and_folders_are_the_owners_alone(store: FileStore, folder: Path) -> None:
    keep(store)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "CT.1.2.3").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("mode", "folders"),
    [(0o600, 0o700), (0o400, 0o700), (0o640, 0o750), (0o644, 0o755), (0o604, 0o705), (0o666, 0o755)],
)
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_permissions_of_files_can_be_chosen_and_folders_follow(
    folder: Path, mode: int, folders: int, umask: int
) -> None:
    before = os.umask(umask)
    try:
        with FileStore(folder / "below", mode=mode, layout="a/{PatientID}/{SOPInstanceUID}") as store:
            assert [keep(store), keep(store)] == [KEPT, KEPT]
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    finally:
        os.umask(before)
    assert modes.pop(folder / "below" / ".incoming") == 0o700
    assert modes.pop(folder / "below/a/unknown/1.2.3") == mode
    assert list(modes.values()) == [folders] * 4


def test_a_group_that_folders_inherit_is_kept(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o2755)
    with FileStore(folder, mode=0o640, layout="{PatientID}/{SOPInstanceUID}") as store:
        keep(store)
    assert stat.S_IMODE((folder / "unknown").stat().st_mode) == 0o2750


def test_folders_are_made_as_deep_as_need_be(tmp_path: Path) -> None:
    with FileStore(tmp_path / "a" / "b" / "c") as store:
        assert keep(store) == KEPT
    assert tree(tmp_path).keys() == {"a", "a/b", "a/b/c", "a/b/c/CT.1.2.3"}


# --- duplicates ---


@pytest.mark.parametrize("policy", ["keep-both", "reject", "replace"])
@pytest.mark.parametrize("ae_title", ["MODALITY", "ROUTER"])
def test_the_same_data_set_again_is_a_success_and_stored_once(
    folder: Path, policy: OnDuplicate, ae_title: str, caplog: pytest.LogCaptureFixture
) -> None:
    with FileStore(folder, on_duplicate=policy) as store:
        assert keep(store) == KEPT
        before = tree(folder)
        assert take(store, store_request(ae_title=ae_title), data_set()) == KEPT
        assert tree(folder) == before
    assert caplog.messages == ["DICOM file already exists with the same data set: CT.1.2.3"]


@pytest.mark.parametrize(
    ("policy", "statuses", "kept"),
    [
        ("keep-both", [KEPT, KEPT, KEPT], {"CT.1.2.3": b"1", "CT.1.2.3~2": b"4444", "CT.1.2.3~3": b"3"}),
        ("reject", [KEPT, DUPLICATE, DUPLICATE], {"CT.1.2.3": b"1"}),
        ("replace", [KEPT, KEPT, KEPT], {"CT.1.2.3": b"3"}),
    ],
)
def test_other_bytes_under_the_same_uid(
    folder: Path,
    policy: OnDuplicate,
    statuses: list[int],
    kept: dict[str, bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with FileStore(folder, on_duplicate=policy) as store:
        assert [keep(store, content=content) for content in (b"1", b"4444", b"3")] == statuses
        assert names(folder) == sorted(kept)
        for name, content in kept.items():
            assert stored_data_set(folder / name) == data_set(content=content)
    assert all(message.startswith("DICOM file already exists with another data set: ") for message in caplog.messages)


STUDY_ID = 0x00200010


@pytest.mark.parametrize("policy", ["keep-both", "reject", "replace"])
def test_two_instances_that_a_layout_gives_one_name_are_both_kept(folder: Path, policy: OnDuplicate) -> None:
    # The first was acknowledged, and the second is not another version of it.
    with FileStore(folder, layout="{StudyID}.{SOPInstanceUID}", on_duplicate=policy) as store:
        assert keep(store, "2.3", others={STUDY_ID: "1.9"}) == KEPT
        assert keep(store, "9.2.3", others={STUDY_ID: "1"}) == KEPT
        assert keep(store, "9.2.3", others={STUDY_ID: "1"}) == KEPT
    assert names(folder) == ["1.9.2.3", "1.9.2.3~2"]
    assert stored_data_set(folder / "1.9.2.3") == data_set("2.3", others={STUDY_ID: "1.9"})
    assert stored_data_set(folder / "1.9.2.3~2") == data_set("9.2.3", others={STUDY_ID: "1"})


def test_each_of_several_kept_data_sets_is_found_again(store: FileStore, folder: Path) -> None:
    for _ in range(2):
        for content in (b"1", b"2", b"3"):
            assert keep(store, content=content) == KEPT
    assert names(folder) == ["CT.1.2.3", "CT.1.2.3~2", "CT.1.2.3~3"]


def test_the_same_bytes_in_another_transfer_syntax_are_another_file(store: FileStore, folder: Path) -> None:
    assert keep(store) == KEPT
    assert take(store, store_request(syntax=uids.JPEG2000Lossless), data_set()) == KEPT
    assert names(folder) == ["CT.1.2.3", "CT.1.2.3~2"]


def test_a_hundred_stores_of_one_instance_at_a_time_make_one_file(store: FileStore, folder: Path) -> None:
    start = Barrier(100)

    def send(_: int) -> int:
        start.wait()
        return keep(store)

    with ThreadPoolExecutor(100) as pool:
        assert list(pool.map(send, range(100))) == [KEPT] * 100
    assert names(folder) == ["CT.1.2.3"]


def test_parallel_stores_of_other_bytes_are_all_kept(store: FileStore, folder: Path) -> None:
    contents = [f"{number}".encode() for number in range(30)]
    with ThreadPoolExecutor(30) as pool:
        assert list(pool.map(lambda content: keep(store, content=content), contents)) == [KEPT] * 30
    assert len(names(folder)) == 30
    assert {stored_data_set(folder / name) for name in names(folder)} == {
        data_set(content=content) for content in contents
    }


def test_many_threads_make_a_folder_at_a_time(folder: Path) -> None:
    start = Barrier(8)

    def send(store: FileStore, number: int, patient: str) -> int:
        start.wait()
        return keep(store, f"1.2.{number}", others={PATIENT_ID: patient})

    with FileStore(folder, layout="{PatientID}/{SOPInstanceUID}") as store, ThreadPoolExecutor(8) as pool:
        for patient in range(50):
            sent = [pool.submit(send, store, number, f"{patient}") for number in range(8)]
            assert [status.result() for status in sent] == [KEPT] * 8
    assert len(names(folder)) == 400


def test_what_is_no_instance_is_never_taken_for_one(store: FileStore, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (folder / "CT.1.2.1").symlink_to(secret)
    (folder / "CT.1.2.2").mkdir()
    os.mkfifo(folder / "CT.1.2.3")
    (folder / "CT.1.2.4").write_bytes(b"not DICOM")
    (folder / "CT.1.2.5").write_bytes(b"")
    (folder / "CT.1.2.6").symlink_to(tmp_path / "nowhere")
    for number in range(1, 7):
        assert keep(store, f"1.2.{number}") == KEPT
        assert stored_data_set(folder / f"CT.1.2.{number}~2") == data_set(f"1.2.{number}")
    assert secret.read_bytes() == b"secret"
    assert not (tmp_path / "nowhere").exists()


def test_replacing_a_symbolic_link_leaves_its_target_alone(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    with FileStore(folder, on_duplicate="replace") as store:
        (folder / "CT.1.2.3").symlink_to(secret)
        assert keep(store) == KEPT
    assert not (folder / "CT.1.2.3").is_symlink()
    assert secret.read_bytes() == b"secret"


# --- what a peer says ---


@pytest.mark.parametrize(
    ("request_", "sent", "comment"),
    [
        (store_request("1.2.3"), data_set("1.2.4"), "the data set has the SOP Instance UID 1.2.4"),
        (store_request(), data_set(sop_class="1.2.840.1"), "the data set has the SOP Class UID 1.2.840.1"),
        (store_request(), element(0x00080016, b"UI", CT.encode()), "the data set has no SOP Instance UID"),
        (store_request(), element(0x00080018, b"UI", b"1.2.3"), "the data set has no SOP Class UID"),
        (store_request(), b"", "the data set has no SOP Class UID"),
        (store_request(syntax=uids.DeflatedExplicitVRLittleEndian), b"x" * 99, "the data set has no SOP Class UID"),
    ],
)
def test_a_data_set_that_is_not_the_commands_is_refused(
    store: FileStore, folder: Path, request_: StoreRequest, sent: bytes, comment: str
) -> None:
    status = take(store, request_, sent)
    assert status == DOES_NOT_MATCH
    assert status.comment == comment
    assert names(folder) == []


@pytest.mark.parametrize("syntax", [uids.ImplicitVRLittleEndian, uids.ExplicitVRLittleEndian, uids.JPEG2000])
def test_uids_are_found_wherever_they_stand(store: FileStore, folder: Path, syntax: str) -> None:
    order = {uids.ImplicitVRLittleEndian: IMPLICIT}.get(syntax, EXPLICIT)
    sent = (
        long_element(0x00291010, b"OB", bytes(5_000_000), order)
        + long_element(0x00080018, b"UN", b"1.2.3\0", order)
        + long_element(0x00080016, b"UN", CT.encode() + b"\0", order)
    )
    assert take(store, store_request(syntax=syntax), sent[:30], sent[30:]) == KEPT
    assert stored_data_set(folder / "CT.1.2.3") == sent


# The first is no data set at all, and its first bytes are a length beyond its end. It is not refused for its missing UIDs.
@pytest.mark.parametrize(
    ("sent", "comment"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "cut short: (4547,2054) at offset 0 is of 1,414,012,975 bytes, and 10 are there"),
        (data_set()[:-1], "cut short: (0010,0010) at offset 48 is of 8 bytes, and 7 are there"),
        (data_set() + b"\xff" * 20, "cut short: (FFFF,FFFF) at offset 64 is not an element"),
    ],
)
def test_a_data_set_that_ends_inside_an_element_is_refused(
    store: FileStore, folder: Path, sent: bytes, comment: str, caplog: pytest.LogCaptureFixture
) -> None:
    status = take(store, store_request(), sent)
    assert (status, status.comment) == (CANNOT_UNDERSTAND, comment)
    assert names(folder) == []
    assert caplog.messages == [f"refused 1.2.3 from MODALITY at 192.0.2.1: {comment}"]


def test_a_data_set_that_is_cut_short_can_be_kept_with_a_warning(folder: Path) -> None:
    told: list[Stored] = []
    sent = data_set()[:-1]
    with FileStore(folder, accept_cut_short=True, stored=told.append) as store:
        statuses = [take(store, store_request(), sent) for _ in range(2)]
        assert take(store, store_request("1.2.4"), data_set("1.2.4")[:20]) == DOES_NOT_MATCH
        assert keep(store, "1.2.5") == KEPT
    assert statuses == [0xB007] * 2
    assert statuses[0].is_warning
    assert statuses[0].comment == "cut short: (0010,0010) at offset 48 is of 8 bytes, and 7 are there"
    assert stored_data_set(folder / "CT.1.2.3") == sent
    assert [(stored.sop_instance_uid, stored.duplicate) for stored in told] == [
        ("1.2.3", False),
        ("1.2.3", True),
        ("1.2.5", False),
    ]


@pytest.mark.parametrize("syntax", ["1.2.840.113619.5.2", "1.2.840.10008.1.2.999", uids.XMLEncoding])
def test_where_the_transfer_syntax_cannot_be_read_the_command_counts(folder: Path, syntax: str) -> None:
    told: list[Stored] = []
    layout = "{PatientID}/{Modality prefix}/{SOPInstanceUID}.dcm"
    with FileStore(folder, layout=layout, stored=told.append) as store:
        for sent in (b"<xml/>", b"", data_set("1.2.4", others={PATIENT_ID: "P1"})):
            assert take(store, store_request(syntax=syntax), sent) == KEPT
    assert names(folder) == [f"unknown/CT/1.2.3{number}.dcm" for number in ("", "~2", "~3")]
    assert stored_data_set(folder / "unknown/CT/1.2.3.dcm") == b"<xml/>"
    # A file without its File Meta would name neither the instance nor the transfer syntax.
    assert stored_data_set(folder / "unknown/CT/1.2.3~2.dcm") == b""
    assert [(stored.sop_instance_uid, stored.patient_id) for stored in told] == [("1.2.3", "")] * 3


def test_a_deflated_data_set_is_not_checked_for_its_end(store: FileStore, folder: Path) -> None:
    cut = deflate([data_set() + bytes(100_000)])[:-20]
    assert take(store, store_request(syntax=uids.DeflatedExplicitVRLittleEndian), cut) == KEPT
    assert stored_data_set(folder / "CT.1.2.3") == cut


def test_a_data_set_of_very_many_elements_is_looked_at_for_so_long_and_kept(
    store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dimse.archive")
    monkeypatch.setattr("dimse.archive.sink.LONGEST_SURVEY", 0.01)
    sent = data_set() + element(0x00111010, b"LO", b"") * 500_000
    assert take(store, store_request(), sent) == KEPT
    assert stored_data_set(folder / "CT.1.2.3") == sent
    assert caplog.messages[0] == ("1.2.3: more elements than can be surveyed in 0.01 s; the rest is not looked at")


def test_what_is_tolerated_is_said(store: FileStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dimse.archive")
    assert take(store, store_request(), data_set() + bytes(70_000)) == KEPT
    assert caplog.messages[0] == "1.2.3: 70,000 zero bytes follow the data set"


# A whole UID in each of them, and what a peer says in every place of it.
LAYOUTS = [
    "{Modality prefix}.{SOPInstanceUID}",
    "{PatientID}/{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm",
    "{CallingAETitle}/{CalledAETitle}-{PatientName}/a.{AccessionNumber}{Modality}/{SOPInstanceUID}",
]
TEXTS = [0x00100020, 0x0020000D, 0x0020000E]


def attack(
    tmp_path: Path, value: str, layout: str = LAYOUTS[0], on_duplicate: OnDuplicate = "keep-both", uid: str = ""
) -> Status:
    """Store an instance that has `value` everywhere; fail if anything outside the store's folder has changed."""
    folder = tmp_path / "above" / "store"
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "above").mkdir(exist_ok=True)
    before = {path: content for path, content in tree(tmp_path).items() if not path.startswith("above/store")}
    instance = uid or value
    said = store_request(instance, ae_title=value, called=value)
    said_again = store_request(instance, ae_title=value, called=value)
    encoded = value.encode("latin-1")
    sent = data_set(instance, content=encoded, others=dict.fromkeys(TEXTS, value))
    with FileStore(folder, durability="none", layout=layout, on_duplicate=on_duplicate) as store:
        status = take(store, said, sent)
        again = take(store, said_again, sent + element(0x00280010, b"US", b"\0\2"))
        kept = names(folder)
        if status == KEPT:
            assert again == (DUPLICATE if on_duplicate == "reject" else KEPT)
            assert len(kept) == (2 if on_duplicate == "keep-both" else 1)
            assert {path.split("~")[0].count("/") for path in kept} == {layout.count("/")}
            assert all(part.isascii() and part[0] not in ".-" for path in kept for part in path.split("/"))
        else:
            assert kept == []
    after = {path: content for path, content in tree(tmp_path).items() if not path.startswith("above/store")}
    assert after == before
    assert not Path("/abs/x").exists()
    shutil.rmtree(tmp_path / "above")
    return status


@pytest.mark.thorough
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("on_duplicate", ["keep-both", "reject", "replace"])
def test_no_value_in_any_place_leads_out_of_the_folder(
    tmp_path: Path, layout: str, on_duplicate: OnDuplicate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for value in ATTACKS:
        # A UID of more than 1,024 bytes is not read from a data set.
        assert attack(tmp_path, value, layout, on_duplicate) == (KEPT if len(value) <= 1024 else DOES_NOT_MATCH), value
        assert attack(tmp_path, value, layout, on_duplicate, uid="1.2.3") == KEPT, value
    for value in ("", " ", "\0"):
        assert attack(tmp_path, value, layout, on_duplicate, uid="1.2.3") == KEPT, value
    assert all(message.isprintable() for message in caplog.messages)


@pytest.mark.parametrize("uid", ATTACKS, ids=ascii)
def test_an_instance_with_such_a_uid_is_kept_under_a_name_of_ours(store: FileStore, folder: Path, uid: str) -> None:
    kept = len(uid) <= 1024
    assert keep(store, uid) == (KEPT if kept else DOES_NOT_MATCH)
    assert names(folder) == ([f"CT.{safe_component(uid)}"] if kept else [])


@given(
    value=st.text(st.characters(max_codepoint=255), min_size=1, max_size=70).filter(
        lambda value: value.strip("\0 ") == value
    ),
    layout=st.sampled_from(LAYOUTS),
)
def test_nor_does_any_other_text(tmp_path_factory: pytest.TempPathFactory, value: str, layout: str) -> None:
    assert attack(tmp_path_factory.mktemp("attack"), value, layout) == KEPT


def test_an_incoming_folder_that_leads_elsewhere_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.mkdir()
    (folder / ".incoming").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"\.incoming"):
        FileStore(folder)
    assert list((tmp_path / "elsewhere").iterdir()) == []


# --- how much it takes ---


def test_a_data_set_that_is_too_large_is_not_kept(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with FileStore(folder, largest=len(data_set())) as store:
        assert keep(store) == KEPT
        request = store_request("1.2.4")
        request.sink = sink = store.begin(request)
        for _ in range(3):  # it is drained
            sink.write([memoryview(data_set("1.2.4")), memoryview(b"x")])
        status = store.store(request)
        assert names(folder) == ["CT.1.2.3"]
    assert status == OUT_OF_RESOURCES
    assert status.comment == f"the data set is larger than {len(data_set())} bytes"
    assert caplog.messages == [f"cannot store 1.2.4 in {folder}: {status.comment}"]


def test_the_reserve_of_the_disk_is_not_used(folder: Path) -> None:
    folder.mkdir()
    disk = os.statvfs(folder)
    with FileStore(folder, reserve=disk.f_blocks * disk.f_frsize) as store:
        status = keep(store)
        assert names(folder) == []
    assert status == OUT_OF_RESOURCES
    assert status.comment == "no space left on the disk except its reserve"


def test_the_reserve_is_looked_at_again_while_a_data_set_grows(folder: Path) -> None:
    folder.mkdir()
    disk = os.statvfs(folder)
    with FileStore(folder, reserve=disk.f_bavail * disk.f_frsize - 20 * 1024 * 1024) as store:
        request = store_request()
        request.sink = sink = store.begin(request)
        piece, written = memoryview(bytes(1024 * 1024)), 0
        while sink.error is None and written < 200:
            sink.write([piece])
            written += 1
        assert sink.error is not None and sink.error.errno == errno.ENOSPC
        assert names(folder) == []
        assert store.store(request) == OUT_OF_RESOURCES


def test_the_reserve_is_looked_at_for_all_that_arrive_together(folder: Path) -> None:
    """Two hundred data sets of 1 MiB at a time use no more of it than one: 16 MiB pass between two readings."""
    folder.mkdir()
    disk = os.statvfs(folder)
    beyond = 20 * 1024 * 1024
    with FileStore(folder, reserve=disk.f_bavail * disk.f_frsize - beyond) as store:
        sinks = [store.begin(store_request(f"1.2.{number}")) for number in range(200)]
        for sink in sinks:
            sink.write([memoryview(b"x")])
        piece = memoryview(bytes(1024 * 1024))
        for sink in sinks:
            sink.write([piece])
        taken = sum(sink.size for sink in sinks if sink.error is None)
        for sink in sinks:
            sink.discard()
    assert taken < beyond + 32 * 1024 * 1024


# --- what is told ---


def test_what_is_kept_is_told_before_its_success(folder: Path) -> None:
    told: list[Stored] = []
    others = {PATIENT_ID: "PAT/1", STUDY_INSTANCE_UID: "1.2.10", SERIES_INSTANCE_UID: "1.2.11"}
    start = time.time()
    with FileStore(folder, stored=told.append) as store:
        assert [keep(store, others=others), keep(store, others=others), keep(store)] == [KEPT] * 3
    first, again, other = told
    assert start <= first.received <= again.received <= other.received <= time.time()
    assert first == Stored(
        path=str(folder / "CT.1.2.3"),
        relative_path="CT.1.2.3",
        sop_class_uid=CT,
        sop_instance_uid="1.2.3",
        transfer_syntax_uid=uids.ExplicitVRLittleEndian,
        size=len(data_set(others=others)),
        calling_ae_title="MODALITY",
        called_ae_title="ARCHIVE",
        peer_address=("192.0.2.1", 50000),
        duplicate=False,
        received=first.received,
        elements=others | {0x00080016: CT, 0x00080018: "1.2.3"},
    )
    assert (first.study_instance_uid, first.series_instance_uid, first.patient_id) == ("1.2.10", "1.2.11", "PAT/1")
    assert (again.relative_path, again.duplicate) == ("CT.1.2.3", True)
    assert (other.relative_path, other.path, other.duplicate) == ("CT.1.2.3~2", str(folder / "CT.1.2.3~2"), False)
    assert (other.study_instance_uid, other.series_instance_uid, other.patient_id) == ("", "", "")


def test_a_caller_is_told_of_the_elements_that_it_asks_for(folder: Path) -> None:
    told: list[Stored] = []
    others = {PATIENT_ID: "PAT1", 0x00180015: "HEAD", 0x00181030: "ROUTINE"}
    with FileStore(folder, stored=told.append, tags=[0x00180015, 0x00200010]) as store:
        assert keep(store, others=others) == KEPT
    assert told[0].elements == {0x00080016: CT, 0x00080018: "1.2.3", PATIENT_ID: "PAT1", 0x00180015: "HEAD"}


def test_an_instance_that_did_not_come_by_dimse_is_kept_too(folder: Path) -> None:
    told: list[Stored] = []
    instance = ReceivedInstance(CT, "1.2.3", uids.ExplicitVRLittleEndian, calling_ae_title="uploader")
    with FileStore(folder, layout="{CallingAETitle}/{CalledAETitle}/{SOPInstanceUID}", stored=told.append) as store:
        assert take(store, instance, data_set()) == KEPT
    assert names(folder) == ["uploader/unknown/1.2.3"]
    assert stored_data_set(folder / "uploader/unknown/1.2.3") == data_set()
    assert (told[0].calling_ae_title, told[0].called_ae_title, told[0].peer_address) == ("uploader", "", ("", 0))


def test_the_file_is_there_when_it_is_told(folder: Path) -> None:
    seen: list[bytes] = []
    with FileStore(
        folder,
        layout="{PatientID}/{SOPInstanceUID}.dcm",
        stored=lambda stored: seen.append(stored_data_set(folder / stored.relative_path)),
    ) as store:
        assert keep(store) == KEPT
    assert seen == [data_set()]


def test_what_is_not_kept_is_not_told(folder: Path) -> None:
    told: list[Stored] = []
    with FileStore(folder, stored=told.append, on_duplicate="reject") as store:
        assert keep(store) == KEPT
        assert keep(store, content=b"other") == DUPLICATE
        assert take(store, store_request("1.2.4"), data_set("1.2.5")) == DOES_NOT_MATCH
    assert keep(store, "1.2.6") == OUT_OF_RESOURCES  # closed
    assert len(told) == 1


def test_a_stored_callable_cannot_undo_the_success(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail(stored: Stored) -> None:
        raise RuntimeError(f"no\nroom for {stored.sop_instance_uid}")

    with FileStore(folder, stored=fail) as store:
        assert keep(store) == KEPT
        assert names(folder) == ["CT.1.2.3"]
    assert caplog.messages == [r"the call after storing CT.1.2.3 failed: RuntimeError: no\nroom for 1.2.3"]


# --- one store a folder, from its start to its end ---


def test_a_folder_is_one_stores_alone(store: FileStore, folder: Path) -> None:
    with pytest.raises(BlockingIOError, match="another storescp or FileStore uses this folder") as raised:
        FileStore(folder)
    assert raised.value.filename == str(folder)
    assert keep(store) == KEPT  # undisturbed
    store.close()
    FileStore(folder).close()


def test_what_a_killed_process_left_is_cleared_and_nothing_else(folder: Path) -> None:
    (folder / ".incoming").mkdir(parents=True)
    (folder / ".incoming" / "0123456789abcdef.part").write_bytes(b"cut short")
    (folder / ".incoming" / "mine").write_bytes(b"not ours")
    (folder / "CT.1.2.3.part").write_bytes(b"not ours either")
    with FileStore(folder) as store:
        assert os.listdir(folder / ".incoming") == ["mine"]
        assert keep(store) == KEPT
    assert tree(folder).keys() == {".incoming", ".incoming/mine", "CT.1.2.3", "CT.1.2.3.part"}


def test_closing_removes_the_incoming_folder_and_may_be_repeated(folder: Path) -> None:
    store = FileStore(folder)
    keep(store)
    store.close()
    store.close()
    assert tree(folder).keys() == {"CT.1.2.3"}


def test_a_closed_store_keeps_nothing(folder: Path) -> None:
    store = FileStore(folder)
    store.close()
    assert keep(store) == OUT_OF_RESOURCES
    assert tree(folder) == {}


def test_an_association_that_ends_within_a_data_set_leaves_nothing(store: FileStore, folder: Path) -> None:
    sink = store.begin(store_request())
    sink.write([memoryview(data_set())])
    written = sink.path
    assert written and Path(written).parent == folder / ".incoming"
    sink.discard()
    sink.discard()
    assert sink.path is None
    assert names(folder) == []


@pytest.mark.parametrize(
    ("prepare", "number"),
    [(lambda path: path.write_bytes(b""), errno.ENOTDIR), (lambda path: path.symlink_to("nowhere"), errno.ENOENT)],
    ids=["a file", "a dangling link"],
)
def test_what_is_no_folder_is_refused(folder: Path, prepare: Callable[[Path], object], number: int) -> None:
    prepare(folder)
    with pytest.raises(OSError) as raised:
        FileStore(folder)
    assert raised.value.errno == number


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        ({"durability": "some"}, "durability is one of 'full', 'none', not 'some'"),
        ({"on_duplicate": "overwrite"}, "on_duplicate is one of 'keep-both', 'reject', 'replace', not 'overwrite'"),
        ({"mode": 0o077}, "mode 77"),
        ({"mode": 0o1000}, "mode 1000"),
        ({"max_duplicates": -1}, "max_duplicates -1"),
        ({"layout": "{PatientsName}/{SOPInstanceUID}"}, "PatientsName"),
    ],
)
def test_an_invalid_choice_is_refused(folder: Path, choice: dict[str, str | int], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        FileStore(folder, **choice)  # type: ignore[arg-type]  # that is what is tested
    assert not folder.exists()


def test_a_request_that_another_sink_took_is_a_mistake(store: FileStore) -> None:
    request = store_request()
    request.sink = SpooledSink()
    with pytest.raises(TypeError, match=r"FileStore\.begin"):
        store.store(request)


def test_the_view_of_what_could_not_be_written_raises(folder: Path) -> None:
    store = FileStore(folder)
    store.close()
    request = store_request()
    request.sink = store.begin(request)
    request.sink.write([memoryview(b"dropped")])
    with pytest.raises(OSError):
        request.view()


def test_an_empty_data_set_has_an_empty_view(store: FileStore) -> None:
    request = store_request()
    request.sink = store.begin(request)
    assert bytes(request.view()) == b""
    request.sink.discard()


def test_no_descriptor_is_left_open(folder: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    for content in (b"1", b"1", b"2"):
        with FileStore(folder, on_duplicate="reject") as store, suppress(BlockingIOError):
            keep(store, content=content)
            FileStore(folder)
    assert len(os.listdir("/dev/fd")) == before
