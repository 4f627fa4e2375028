"""storescu as its user sees it: what it proposes, sends, says, and how it ends. Faulty files are in test_input_files.py."""

from __future__ import annotations

import io
import itertools
import os
import re
import socket
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

import dimse
from dimse import uids
from tests import faulty_peer as scp
from tests.faulty_peer import Connection
from tests.files import read_part10
from tests.tools import running
from tests.tools.running import Instance, Receiver, element, errors, lines

EXPLICIT, IMPLICIT = uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian
BIG, DEFLATED = uids.ExplicitVRBigEndian, uids.DeflatedExplicitVRLittleEndian
RLE, JPEG = uids.RLELossless, uids.JPEGBaseline8Bit
CT, MR, SC = uids.CTImageStorage, uids.MRImageStorage, uids.SecondaryCaptureImageStorage
FALL_BACK = [EXPLICIT, IMPLICIT]
PRIVATE = "1.2.826.0.1.3680043.10.1"


def shipped(name: str) -> Path:
    """Return a file that pydicom ships."""
    return Path(str(get_testdata_file(name)))


def write(folder: Path, *instances: Instance) -> list[Path]:
    """Write these instances as files 000.dcm, 001.dcm ..."""
    return [instance.write(folder / f"{number:03}.dcm") for number, instance in enumerate(instances)]


# ---- what is proposed


@pytest.fixture
def mixed(tmp_path: Path) -> list[Path]:
    """Write CT in two transfer syntaxes, MR in one; the first syntax comes again."""
    return write(
        tmp_path,
        Instance("1.2.1", CT, EXPLICIT),
        Instance("1.2.2", MR, RLE),
        Instance("1.2.3", CT, JPEG),
        Instance("1.2.4", CT, EXPLICIT),
    )


@pytest.mark.sample("options0-*", "options7-*")
@pytest.mark.parametrize(
    ("options", "proposed"),
    [
        ([], [(CT, [EXPLICIT]), (CT, [JPEG]), (CT, FALL_BACK), (MR, [RLE]), (MR, FALL_BACK)]),
        (["-cx"], [(CT, [EXPLICIT]), (CT, [JPEG]), (MR, [RLE])]),
        (["--required-contexts"], [(CT, [EXPLICIT]), (CT, [JPEG]), (MR, [RLE])]),
        (["-xe"], [(CT, [EXPLICIT]), (MR, [EXPLICIT])]),
        (["-xb"], [(CT, [BIG]), (MR, [BIG])]),
        (["-xi"], [(CT, [IMPLICIT]), (MR, [IMPLICIT])]),
        (["-pts", "1"], [(CT, [IMPLICIT]), (MR, [IMPLICIT])]),
        (["-pts", "2"], [(CT, [IMPLICIT, EXPLICIT]), (MR, [IMPLICIT, EXPLICIT])]),
        (["-pts", "3"], [(CT, [IMPLICIT, EXPLICIT, BIG]), (MR, [IMPLICIT, EXPLICIT, BIG])]),
    ],
)
def test_what_the_files_need_is_proposed(
    mixed: list[Path], options: list[str], proposed: list[tuple[str, list[str]]]
) -> None:
    # No JPEG can be sent as one of these.
    exit_status = 0 if options in ([], ["-cx"], ["--required-contexts"]) else 3
    (request,) = running.asked("storescu", "PEER", *mixed, *options, exit_status=exit_status)
    assert request.contexts == proposed


@pytest.mark.parametrize("others", [["-xe"], ["-xb"], ["-xi"], ["-pts", "2"]])
def test_cx_excludes_the_other_proposals(others: list[str]) -> None:
    process = running.tool("storescu", "127.0.0.1", 11112, "x", "-cx", *others)
    assert process.returncode == 2
    assert "not allowed with" in process.stderr


def test_an_unknown_sop_class_and_transfer_syntax_are_proposed_as_they_are(tmp_path: Path) -> None:
    path = Instance("1.2.1", PRIVATE + ".1", PRIVATE + ".2").write(tmp_path / "private")
    (request,) = running.asked("storescu", "PEER", path)
    assert request.contexts == [(PRIVATE + ".1", [PRIVATE + ".2"]), (PRIVATE + ".1", FALL_BACK)]
    assert len(request.connection.messages) == 1


@pytest.mark.sample("options0-*", "options2-*")
@pytest.mark.parametrize(
    ("options", "priority"),
    [
        ([], 2),
        (["--priority", "low"], 2),
        (["--priority", "medium"], 0),
        (["--priority", "high"], 1),
    ],
)
def test_priorities_on_the_wire(tmp_path: Path, options: list[str], priority: int) -> None:
    paths = write(tmp_path, Instance("1.2.1"), Instance("1.2.2"))
    (request,) = running.asked("storescu", "PEER", *paths, *options)
    assert request.priorities == [priority] * 2


def test_an_unknown_priority_is_wrong_usage() -> None:
    assert running.tool("storescu", "127.0.0.1", 11112, "x", "--priority", "urgent").returncode == 2
    assert running.tool("storescu", "127.0.0.1", 11112, "x", "--transcode", "perhaps").returncode == 2


def test_repeat_sends_each_file_so_often(tmp_path: Path) -> None:
    paths = write(tmp_path, Instance("1.2.1"), Instance("1.2.2"))
    with Receiver() as receiver:
        assert receiver.storescu(*paths, "--repeat", 3).returncode == 0
    assert receiver.uids == ["1.2.1"] * 3 + ["1.2.2"] * 3
    assert [stored.message_id for stored in receiver.stored] == [1, 2, 3, 4, 5, 6]
    assert receiver.associations == 1


@pytest.mark.parametrize(("options", "last"), [([], scp.A_RELEASE_RQ), (["--abort"], scp.A_ABORT)])
def test_the_end_of_the_association(tmp_path: Path, options: list[str], last: int) -> None:
    (request,) = running.asked("storescu", "PEER", *write(tmp_path, Instance()), *options)
    assert len(request.connection.messages) == 1
    assert request.connection.pdu_types[-1] == last
    assert request.connection.abort == ((0, 0) if options else None)


# ---- what is said


@pytest.mark.parametrize(("options", "last"), [([], "Releasing Association"), (["--abort"], "Aborting Association")])
def test_what_verbose_says(tmp_path: Path, options: list[str], last: str) -> None:
    paths = write(tmp_path, Instance("1.2.1", CT), Instance("1.2.2", MR), Instance("1.2.3", SC))
    with Receiver() as receiver:
        process = receiver.storescu(*paths, "-v", *options)
    assert process.returncode == 0
    *said, total = process.stderr.splitlines()
    assert re.fullmatch(
        r"I: Stored 3 of 3 files, 3 instances, 0\.0 MB in \d+\.\d\d s \(\d+\.\d MB/s\), 0 failed", total
    )
    assert said == [
        "I: Requesting Association",
        "I: Association Accepted",
        f"I: Sending file: {paths[0]}",
        "I: Sending Store Request: MsgID 1, (CT)",
        "I: Received Store Response (Status: 0x0000 - Success)",
        f"I: Sending file: {paths[1]}",
        "I: Sending Store Request: MsgID 2, (MR)",
        "I: Received Store Response (Status: 0x0000 - Success)",
        f"I: Sending file: {paths[2]}",
        "I: Sending Store Request: MsgID 3",
        "I: Received Store Response (Status: 0x0000 - Success)",
        f"I: {last}",
    ]


def test_what_debug_says(tmp_path: Path) -> None:
    (path,) = write(tmp_path, Instance("1.2.1", CT))
    with Receiver() as receiver:
        process = receiver.storescu(path, "-d", "--priority", "high")
    assert process.returncode == 0
    *said, total = process.stderr.splitlines()
    assert total.startswith("I: Stored 1 of 1 file, ")
    assert said[:5] == [
        f"D: storescu.py v{dimse.__version__}",
        "D: ",
        "I: Requesting Association",
        "D: Request Parameters:",
        "D: ======================= OUTGOING A-ASSOCIATE-RQ PDU ========================",
    ]
    start = said.index("I: Sending Store Request: MsgID 1, (CT)") + 1
    assert said[start:] == [
        "D: ========================== OUTGOING DIMSE MESSAGE ==========================",
        "D: Message Type                  : C-STORE RQ",
        "D: Message ID                    : 1",
        "D: Affected SOP Class UID        : CT Image Storage",
        "D: Affected SOP Instance UID     : 1.2.1",
        "D: Data Set                      : Present",
        "D: Priority                      : High",
        "D: ============================ END DIMSE MESSAGE =============================",
        'D: pydicom.read_dataset() TransferSyntax="Little Endian Implicit"',
        "D: ========================== INCOMING DIMSE MESSAGE ==========================",
        "D: Message Type                  : C-STORE RSP",
        "D: Presentation Context ID       : 1",
        "D: Message ID Being Responded To : 1",
        "D: Affected SOP Class UID        : CT Image Storage",
        "D: Affected SOP Instance UID     : 1.2.1",
        "D: Status                        : 0x0000 - Success",
        "D: ============================ END DIMSE MESSAGE =============================",
        "I: Received Store Response (Status: 0x0000 - Success)",
        "I: Releasing Association",
    ]


STATUSES = [
    (0x0000, "Success", 0),
    (0xB000, "Warning", 0),
    (0xB006, "Warning", 0),
    (0xB007, "Warning", 0),
    (0xA700, "Failure", 3),
    (0xA900, "Failure", 3),
    (0xC001, "Failure", 3),
    (0x0117, "Failure", 3),
    (0xFE00, "Cancel", 3),
    (0x5555, "Unknown", 3),
]


@pytest.mark.sample("0000", "B000", "A700", "5555")
@pytest.mark.parametrize(("status", "category", "exit_status"), STATUSES, ids=[f"{entry[0]:04X}" for entry in STATUSES])
def test_a_status_and_its_category(tmp_path: Path, status: int, category: str, exit_status: int) -> None:
    (path,) = write(tmp_path, Instance())
    with Receiver(status) as receiver:
        process = receiver.storescu(path, "-v")
    assert process.returncode == exit_status
    assert f"Received Store Response (Status: 0x{status:04X} - {category})" in lines(process, "I")
    failed = [line for line in lines(process, "E") if line.startswith(f"Store failed: {path}: 0x{status:04X} - ")]
    assert len(failed) == (exit_status == 3)
    assert len(lines(process, "W")) == (category == "Warning")


def test_a_failure_names_the_file_and_the_others_go(tmp_path: Path) -> None:
    paths = write(tmp_path, *(Instance(f"1.2.{number}") for number in range(4)))
    with Receiver(lambda stored: 0xA700 if stored.sop_instance_uid in ("1.2.1", "1.2.3") else 0) as receiver:
        process = receiver.storescu(*paths)
    assert process.returncode == 3
    assert [line.partition(": 0xA700 - Failure")[0] for line in errors(process)] == [
        f"Store failed: {paths[1]}",
        f"Store failed: {paths[3]}",
    ]
    assert receiver.uids == [f"1.2.{number}" for number in range(4)]


def test_the_peers_error_comment_is_shown_on_one_line(tmp_path: Path) -> None:
    def store(request: dimse.StoreRequest) -> dimse.Status:
        return dimse.Status(0xA700, comment="disk\nE: forged")

    (path,) = write(tmp_path, Instance())
    with dimse.Server(("127.0.0.1", 0), dimse.Handlers(store=store)) as server:
        process = running.tool("storescu", *server.address, path)
    assert process.returncode == 3
    (line,) = errors(process)
    assert r"(disk\nE: forged)" in line


# ---- exit statuses


def test_no_association_outweighs_a_file_that_cannot_be_sent(tmp_path: Path) -> None:
    def rejects(connection: Connection) -> None:
        connection.read_request()
        connection.send(scp.pdu(scp.A_ASSOCIATE_RJ, bytes([0, 1, 1, 7])))
        connection.drain()

    missing = tmp_path / "missing"
    process = running.against(rejects, "storescu", "PEER", *write(tmp_path, Instance()), missing)
    assert process.returncode == 1
    first, *rejection = running.errors_of_request(process)
    assert first.startswith(f"Cannot access path: {missing}")
    assert rejection == [
        "Association Rejected",
        "Result: Rejected Permanent, Source: Service User",
        "Reason: Called AE title not recognised",
    ]


def test_nothing_to_send_is_exit_status_3_without_an_association_and_says_why(tmp_path: Path) -> None:
    # The general warning is not shown without -ll, so the line about the folder has the default level.
    (tmp_path / "empty").mkdir()
    empty = f"W: {tmp_path / 'empty'}: the folder is empty"
    process = running.tool("storescu", "127.0.0.1", 1, tmp_path / "empty")
    assert (process.returncode, process.stderr.splitlines()) == (3, [empty])
    process = running.tool("storescu", "127.0.0.1", 1, tmp_path / "empty", "-ll", "warn")
    assert process.stderr.splitlines() == [empty, "W: No suitable DICOM files found"]
    process = running.tool("storescu", "127.0.0.1", 1, tmp_path / "empty", "-q")
    assert (process.returncode, process.stderr) == (3, "")


def test_nothing_to_send_is_an_error_where_nothing_else_says_why(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    (tmp_path / "bad.dcm").write_bytes(b"not DICOM")
    for arguments in (["-"], [tmp_path / "empty.zip"], ["--skip-invalid", tmp_path / "bad.dcm"]):
        process = running.tool("storescu", "127.0.0.1", 1, *arguments)
        assert (process.returncode, process.stderr.splitlines()) == (3, ["E: No suitable DICOM files found"])


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["", "dry run"])
def test_a_tree_without_r_says_to_use_it(tmp_path: Path, dry: tuple[str, ...]) -> None:
    write(tmp_path / "study" / "series", Instance())
    (tmp_path / "study" / "index.html").write_text("hello")
    process = running.tool("storescu", "127.0.0.1", 1, tmp_path / "study", *dry)
    assert process.returncode == 3
    assert process.stderr.splitlines() == [
        "W: 1 file skipped: not DICOM",
        "W: 1 subfolder not read: use -r to send what is in subfolders",
    ]


# ---- many


def test_more_than_128_contexts_are_spread_over_associations(tmp_path: Path) -> None:
    instances = [Instance(f"1.2.{number}", f"{PRIVATE}.{number}") for number in range(150)]
    write(tmp_path, *instances)
    requests = running.asked("storescu", "PEER", tmp_path)
    assert [len(request.contexts) for request in requests] == [128, 128, 44]
    assert [len(request.connection.messages) for request in requests] == [64, 64, 22]
    own = [f"{PRIVATE}.{number}" for number in range(150)]
    proposed = [context for request in requests for context in request.contexts]
    assert proposed == [context for sop_class in own for context in ((sop_class, [EXPLICIT]), (sop_class, FALL_BACK))]


def test_more_than_128_transfer_syntaxes_of_one_sop_class(tmp_path: Path) -> None:
    instances = [Instance(f"1.2.{number}", SC, f"{PRIVATE}.{number}") for number in range(150)]
    write(tmp_path, *instances)
    with Receiver(transfer_syntaxes=[instance.transfer_syntax for instance in instances]) as receiver:
        process = receiver.storescu(tmp_path)
    assert (process.returncode, process.stderr) == (0, "")
    assert receiver.associations == 2
    assert [(stored.sop_instance_uid, stored.transfer_syntax) for stored in receiver.stored] == [
        (instance.sop_instance_uid, instance.transfer_syntax) for instance in instances
    ]


def test_an_association_of_several_that_is_rejected_names_what_was_not_sent(tmp_path: Path) -> None:
    paths = write(tmp_path, *(Instance(f"1.2.{number}", f"{PRIVATE}.{number}") for number in range(65)))
    turns = itertools.count(1)

    def rejects_the_second(connection: Connection) -> None:
        connection.read_request()
        if next(turns) == 1:
            connection.send(connection.associate_ac())
            connection.serve()
        else:
            connection.send(scp.pdu(scp.A_ASSOCIATE_RJ, bytes([0, 2, 3, 2])))

    process = running.against(rejects_the_second, "storescu", "PEER", *paths)
    assert process.returncode == 3  # there was a usable association
    *rejection, where, not_sent = errors(process)
    assert rejection == [
        "Association Rejected",
        "Result: Rejected Transient, Source: Service Provider (Presentation)",
        "Reason: Local limit exceeded",
    ]
    assert where.startswith("Peer: 127.0.0.1:")
    assert not_sent == f"Not sent: {paths[64]}"


@pytest.mark.campaign
def test_more_than_65535_requests_in_one_run(tmp_path: Path) -> None:
    """The message IDs of echoscu wrap in the same place, and are looked at in every run of the tests."""
    seen: list[int] = []

    def store(request: dimse.StoreRequest) -> int:
        seen.append(request.message_id)
        return 0

    (path,) = write(tmp_path, Instance())
    with dimse.Server(("127.0.0.1", 0), dimse.Handlers(store=store)) as server:
        process = running.tool("storescu", *server.address, path, "--repeat", 65540)
    assert (process.returncode, process.stderr) == (0, "")
    assert seen == [*range(1, 65536), *range(1, 6)]


# ---- re-encoding


def decoded(data_set: bytes, transfer_syntax: str) -> pydicom.Dataset:
    """Return a data set as pydicom reads it."""
    file = Instance(transfer_syntax=transfer_syntax).file_meta + data_set
    return pydicom.dcmread(io.BytesIO(file))


def test_a_file_goes_as_it_is_where_its_syntax_is_accepted() -> None:
    names = [
        "CT_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "image_dfl.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
    ]
    files = [read_part10(shipped(name).read_bytes(), shipped(name)) for name in names]
    with Receiver() as receiver:
        assert receiver.storescu(*(file.path for file in files)).returncode == 0
    assert [(stored.transfer_syntax, stored.data_set) for stored in receiver.stored] == [
        (file.transfer_syntax, file.data_set + bytes(len(file.data_set) % 2)) for file in files
    ]


@pytest.mark.sample("CT_small.dcm-options0")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("CT_small.dcm", []),
        ("MR_small_RLE.dcm", ["--transcode", "lossless"]),
        ("MR_small_bigendian.dcm", ["--transcode", "always"]),
        ("image_dfl.dcm", ["-pts", "1"]),
        ("CT_small.dcm", ["-xi"]),
    ],
)
def test_a_refused_syntax_is_re_encoded_where_nothing_is_lost(name: str, options: list[str]) -> None:
    with Receiver(transfer_syntaxes=[IMPLICIT]) as receiver:
        process = receiver.storescu(shipped(name), *options)
    assert (process.returncode, process.stderr) == (0, "")
    (stored,) = receiver.stored
    assert stored.transfer_syntax == IMPLICIT
    theirs, ours = decoded(stored.data_set, IMPLICIT), pydicom.dcmread(shipped(name))
    assert stored.sop_instance_uid == theirs.SOPInstanceUID == ours.SOPInstanceUID
    assert theirs.PatientID == ours.PatientID
    assert (theirs.pixel_array == ours.pixel_array).all()


def test_never_re_encodes_nothing() -> None:
    ct, mr = shipped("CT_small.dcm"), shipped("MR_small_implicit.dcm")
    with Receiver(transfer_syntaxes=[IMPLICIT]) as receiver:
        process = receiver.storescu(ct, mr, "--transcode", "never")
    assert process.returncode == 3
    assert errors(process) == [
        "No presentation context for 'CT Image Storage' has been accepted by the peer with "
        "'Explicit VR Little Endian' transfer syntax for the SCU role",
        f"Store failed: {ct}",
    ]
    assert [stored.transfer_syntax for stored in receiver.stored] == [IMPLICIT]


def test_what_was_compressed_with_loss_is_decompressed_only_if_always() -> None:
    jpeg = shipped("SC_rgb_jpeg_dcmtk.dcm")
    with Receiver(transfer_syntaxes=[EXPLICIT]) as receiver:
        process = receiver.storescu(jpeg)
        assert process.returncode == 3
        assert errors(process)[-1].startswith(f"Store failed: {jpeg}")
        assert receiver.stored == []

        assert receiver.storescu(jpeg, "--transcode", "always").returncode == 0
    (stored,) = receiver.stored
    assert stored.transfer_syntax == EXPLICIT
    sent = pydicom.dcmread(jpeg)
    assert stored.sop_instance_uid == sent.SOPInstanceUID
    assert decoded(stored.data_set, EXPLICIT).pixel_array.shape == sent.pixel_array.shape


def test_required_contexts_re_encode_nothing() -> None:
    ct, rle = shipped("CT_small.dcm"), shipped("MR_small_RLE.dcm")
    with Receiver(transfer_syntaxes=[EXPLICIT]) as receiver:
        process = receiver.storescu(ct, rle, "-cx", "--transcode", "always")
        assert process.returncode == 3
        assert errors(process)[-1] == f"Store failed: {rle}"
        assert [stored.transfer_syntax for stored in receiver.stored] == [EXPLICIT]

        process = receiver.storescu(rle, "-cx")
        assert process.returncode == 1
        assert errors(process)[0] == "No accepted presentation contexts"


def test_one_file_that_cannot_be_converted_and_the_others_go(tmp_path: Path) -> None:
    # Encapsulated, as RLE is, but the one fragment is not a frame.
    items = (b"", b"this is no RLE")
    fragments = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content for content in items)
    pixel_data = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + fragments
    pixel_data += struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    broken = Instance("1.2.1", SC, RLE, rest=pixel_data).write(tmp_path / "broken")
    with Receiver(transfer_syntaxes=[IMPLICIT]) as receiver:
        process = receiver.storescu(broken, shipped("CT_small.dcm"))
    assert process.returncode == 3
    assert errors(process)[-1].startswith(f"Store failed: {broken}: ")
    assert [stored.sop_class_uid for stored in receiver.stored] == [CT]


# ---- files met twice, and UIDs met twice


def said_of(process_lines: Sequence[str], *words: str) -> bool:
    """Return True if one line has all of these words."""
    return any(all(word in line for word in words) for line in process_lines)


def test_one_instance_in_two_files_is_sent_once(tmp_path: Path) -> None:
    one, two = write(tmp_path, Instance("1.2.1"), Instance("1.2.1"))
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path, "-ll", "warn")
    assert process.returncode == 0
    assert receiver.uids == ["1.2.1"]
    assert said_of(lines(process, "W"), "Sent once", str(one), str(two))


def test_a_port_for_the_report_that_is_taken_is_named(tmp_path: Path) -> None:
    (path,) = write(tmp_path, Instance("1.2.1"))
    with Receiver() as receiver, socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        process = receiver.storescu(path, "--verify", "--commit-port", port)
    assert process.returncode == 3
    assert receiver.uids == ["1.2.1"]
    words = f"Storage commitment was not requested: cannot listen on 0.0.0.0:{port}: Address already in use"
    assert errors(process) == [words]


def test_two_instances_with_one_uid_are_both_sent(tmp_path: Path) -> None:
    one, two, three = write(
        tmp_path,
        Instance("1.2.1", rest=element(0x0010, 0x0010, "PN", b"Doe^Jane")),
        Instance("1.2.1", rest=element(0x0010, 0x0010, "PN", b"Doe^John")),
        Instance("1.2.1", rest=element(0x0010, 0x0010, "PN", b"Doe^John")),
    )
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path, "-ll", "warn")
    assert process.returncode == 0
    assert [stored.data_set[-8:] for stored in receiver.stored] == [b"Doe^Jane", b"Doe^John"]
    both, once = lines(process, "W")
    assert said_of([both], str(one), str(two))
    assert said_of([once], str(two), str(three))


def test_a_file_is_sent_once_however_often_and_by_whatever_name_it_is_given(tmp_path: Path) -> None:
    file = Instance("1.2.1").write(tmp_path / "a" / "file")
    os.link(file, tmp_path / "a" / "hard-link")
    (tmp_path / "a" / "symbolic-link").symlink_to("file")
    (tmp_path / "b").symlink_to("a")
    with Receiver() as receiver:
        process = receiver.storescu(tmp_path / "a", file, file, tmp_path / "b", tmp_path, "-r", "-ll", "warn")
    assert (process.returncode, process.stderr) == (0, "")
    assert receiver.uids == ["1.2.1"]


# ---- folders


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Write files on three levels, with names whose order is not the order in which they are made."""
    for name, uid in {
        "c": "1.3",
        "a": "1.1",
        "B": "1.0",
        "f/2": "1.5",
        "f/1": "1.4",
        "f/g/1": "1.6",
        "e/9": "1.35",
    }.items():
        Instance(uid).write(tmp_path / "tree" / name)
    return tmp_path / "tree"


def test_a_folder_is_read_one_level_deep_and_sorted(tree: Path) -> None:
    with Receiver() as receiver:
        assert receiver.storescu(tree).returncode == 0
    assert receiver.uids == ["1.0", "1.1", "1.3"]


@pytest.mark.parametrize("option", ["-r", "--recurse"])
def test_a_folder_is_read_all_the_way(tree: Path, option: str) -> None:
    with Receiver() as receiver:
        assert receiver.storescu(option, tree).returncode == 0
    assert receiver.uids == ["1.0", "1.1", "1.3", "1.35", "1.4", "1.5", "1.6"]


def test_folders_and_files_go_in_the_order_in_which_they_are_named(tree: Path) -> None:
    with Receiver() as receiver:
        assert receiver.storescu(tree / "f", tree / "c", tree / "e", tree / "a").returncode == 0
    assert receiver.uids == ["1.4", "1.5", "1.3", "1.35", "1.1"]


def test_the_current_folder(tree: Path) -> None:
    with Receiver() as receiver:
        assert receiver.storescu(".", cwd=tree).returncode == 0
    assert receiver.uids == ["1.0", "1.1", "1.3"]


def test_a_loop_of_folders_ends(tree: Path) -> None:
    (tree / "f" / "up").symlink_to(tree)
    with Receiver() as receiver:
        process = receiver.storescu(tree, "-r", "-ll", "warn")
    assert (process.returncode, process.stderr) == (0, "")
    assert len(receiver.uids) == 7


def test_what_is_no_dicom_file_is_skipped_in_a_folder_and_counted(tree: Path) -> None:
    (tree / "note.txt").write_text("hello")
    (tree / "empty").touch()
    (tree / "DICOMDIR").write_bytes(shipped("DICOMDIR").read_bytes())
    with Receiver() as receiver:
        process = receiver.storescu(tree, "-r", "-v")
        silent = receiver.storescu(tree, "-r")
    assert (process.returncode, silent.returncode, silent.stderr) == (0, 0, "")
    said = process.stderr.splitlines()
    assert said_of(said, "W: Skipped", str(tree / "DICOMDIR"))
    for name in ("note.txt", "empty"):
        assert said_of(said, "I: Skipped", str(tree / name))
    assert "W: 2 files skipped: not DICOM" in said


@pytest.mark.parametrize("name", ["note.txt", "empty"])
def test_what_is_no_dicom_file_is_an_error_where_it_is_named(tree: Path, name: str) -> None:
    (tree / name).write_bytes({"note.txt": b"hello", "empty": b""}[name])
    with Receiver() as receiver:
        process = receiver.storescu(tree / name, tree / "c")
    assert process.returncode == 3
    (line,) = errors(process)
    assert line.startswith(f"Bad DICOM file: {tree / name}: ")
    assert receiver.uids == ["1.3"]


def test_a_folder_without_dicom_files_is_nothing_to_send(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")
    process = running.tool("storescu", "127.0.0.1", 1, tmp_path, "-ll", "warn")
    assert process.returncode == 3
    assert process.stderr.splitlines()[-1] == "W: No suitable DICOM files found"


# ---- the peer


def test_the_ae_titles_that_the_peer_receives(tmp_path: Path) -> None:
    heard: list[tuple[str, str]] = []

    def store(request: dimse.StoreRequest) -> int:
        heard.append((request.peer.ae_title, request.called_ae_title))
        return 0

    (path,) = write(tmp_path, Instance())
    with dimse.Server(("127.0.0.1", 0), dimse.Handlers(store=store)) as server:
        assert running.tool("storescu", *server.address, path, "-aet", "ME", "-aec", "YOU").returncode == 0
        assert running.tool("storescu", *server.address, path).returncode == 0
    assert heard == [("ME", "YOU"), ("STORESCU", "ANY-SCP")]


def test_associations_that_end_name_what_is_unknown_and_what_was_not_sent(tmp_path: Path) -> None:
    """After a lost association the rest goes on another one, and the peer is given up when two are lost in a row."""
    paths = write(tmp_path, *(Instance(f"1.2.{number}") for number in range(6)))
    answered = iter([True, False, False])

    def aborts(connection: Connection) -> None:
        connection.accept()
        while next(answered):
            connection.respond(connection.read_message())
        connection.read_message()
        connection.send_abort()

    process = running.against(aborts, "storescu", "PEER", *paths)
    assert process.returncode == 3
    said = errors(process)
    assert said[0] == "Association Aborted"
    assert f"Store failed: {paths[1]}: it is unknown whether the peer has it" in said
    assert f"Store failed: {paths[2]}: it is unknown whether the peer has it" in said
    assert said_of(said, "Not sent", str(paths[3]))
    assert said_of(said, "Not sent", str(paths[5]))
    assert not said_of(said, str(paths[0]))
