"""Every file that pydicom ships, sent by real SCUs to our storescp and to a server on an event loop that keeps files.

What is kept is what the SCU put on the wire, byte for byte. To compare them, each SCU sends everything a second time, to a peer
that takes PDUs apart by hand. And that is what is in the source, but for the files named here, which the SCU encodes anew.
"""

from __future__ import annotations

import socket
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom.filereader import read_file_meta_info

from dimse import settings, uids
from dimse.archive import FileStore
from tests import faulty_peer as wire
from tests.files import Part10File, PydicomFiles, part10_files
from tests.interop import ours, peers
from tests.tools.listeners import listening

# --- What an SCU does not send, and what it changes -------------------------------------------------------------------

# Its elements are in Implicit VR, although its transfer syntax says Explicit VR.
UNREADABLE = {"SC_rgb_jpeg.dcm"}
# These have no Study and Series Instance UID.
NOT_FILED_BY_ORTHANC = {
    *("fall.dcm", "hotiron.dcm", "hotmetalblue.dcm", "pet.dcm", "pet20step.dcm"),
    *("spring.dcm", "summer.dcm", "winter.dcm"),
    *("JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm"),
    *("SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm"),
}

GZIP_TRAILER_LEFT_OUT = {"image_dfl.dcm"}
ONE_OF_TWO_SOP_INSTANCE_UIDS_LEFT_OUT = {"winter.dcm"}
PYNETDICOM_LEAVES_GROUP_LENGTHS_OUT = {
    *("693_J2KI.dcm", "chrJapMulti.dcm", "chrKoreanMulti.dcm", "ExplVR_BigEnd.dcm"),
}
# DCMTK's library, which Orthanc sends with, too.
DCMTK_CORRECTS_GROUP_LENGTHS = {"chrJapMulti.dcm", "chrKoreanMulti.dcm"}
DCMTK_LEAVES_TRAILING_PADDING_OUT = {"CT_small.dcm", "MR_small.dcm", "examples_rgb_color.dcm"}
DCMTK_EMPTIES_VALUES_OF_SPACES = {"examples_ybr_color.dcm"}
DCMTK_DEFINES_LENGTHS_OF_SEQUENCES = {
    *("fall.dcm", "hotiron.dcm", "hotmetalblue.dcm", "pet.dcm", "pet20step.dcm"),
    *("spring.dcm", "summer.dcm", "winter.dcm"),
    *("693_J2KI.dcm", "JPEG-lossy.dcm", "JPEG2000-embedded-sequence-delimiter.dcm", "SC_rgb_gdcm_KY.dcm"),
    *("2062", "2392", "2693", "3023", "3353", "6293", "6924"),
    *("examples_jpeg2k.dcm", "examples_palette.dcm", "liver_1frame.dcm", "reportsi.dcm", "waveform_ecg.dcm"),
}
CHANGED_BY_DCMTK = (
    GZIP_TRAILER_LEFT_OUT
    | ONE_OF_TWO_SOP_INSTANCE_UIDS_LEFT_OUT
    | DCMTK_CORRECTS_GROUP_LENGTHS
    | DCMTK_LEAVES_TRAILING_PADDING_OUT
    | DCMTK_EMPTIES_VALUES_OF_SPACES
    | DCMTK_DEFINES_LENGTHS_OF_SEQUENCES
)
# It proposes the uncompressed transfer syntaxes in one presentation context, Explicit VR Little Endian first.
DCMSEND_TURNS_INTO_EXPLICIT_VR_LITTLE_ENDIAN = {"ExplVR_BigEnd.dcm", "rtplan.dcm"}

# --- SCUs -------------------------------------------------------------------------------------------------------------

# storescu proposes the uncompressed transfer syntaxes, and one other if it is told which: a run each.
STORESCU_OPTIONS = {
    uids.ImplicitVRLittleEndian: "-xi",
    uids.ExplicitVRLittleEndian: "-xe",
    uids.ExplicitVRBigEndian: "-xb",
    uids.DeflatedExplicitVRLittleEndian: "-xd",
    uids.JPEGBaseline8Bit: "-xy",
    uids.JPEGExtended12Bit: "-xx",
    uids.JPEGLosslessSV1: "-xs",
    uids.JPEGLSNearLossless: "-xu",
    uids.JPEG2000Lossless: "-xv",
    uids.JPEG2000: "-xw",
}

Send = Callable[[int], None]  # sends everything to this port


@dataclass(frozen=True)
class SCU:
    """A program that sends.

    Attributes:
        readied: Gives what sends these files; of Orthanc, by the fixture that starts one.
        unsent: Names of the files that it does not send.
        changed: Names of the files that it encodes anew, and not as they were.
    """

    readied: Callable[[Sequence[Part10File], pytest.FixtureRequest], Send]
    unsent: set[str]
    changed: set[str]


def storescu(files: Sequence[Part10File], _: pytest.FixtureRequest) -> Send:
    """Return a call of DCMTK's storescu as it comes, with Nagle's algorithm on."""
    paths = defaultdict(list)
    for file in files:
        paths[STORESCU_OPTIONS[file.transfer_syntax]].append(file.path)

    def send(port: int) -> None:
        for option, some in paths.items():
            run(peers.dcmtk("storescu"), "-R", "-nh", option, "127.0.0.1", str(port), *some)

    return send


def dcmsend(files: Sequence[Part10File], _: pytest.FixtureRequest) -> Send:
    """Return a call of DCMTK's dcmsend, with Nagle's algorithm on."""
    paths = [file.path for file in files]
    return lambda port: run(peers.dcmtk("dcmsend"), "--decompress-never", "--no-halt", "127.0.0.1", str(port), *paths)


def pynetdicom(files: Sequence[Part10File], _: pytest.FixtureRequest) -> Send:
    """Return a call of pynetdicom's storescu, which proposes what the files need."""
    paths = [file.path for file in files]
    command = peers.pynetdicom(), "-m", "pynetdicom", "storescu", "-cx", *peers.PYNETDICOM_OPTIONS
    return lambda port: run(*command, "127.0.0.1", str(port), *paths)


def orthanc(files: Sequence[Part10File], request: pytest.FixtureRequest) -> Send:
    """Return a call that has an Orthanc send, which holds the files as they are."""
    start: peers.StartSCP = request.getfixturevalue("orthanc")
    scp = start()
    http_port = scp.ports[1]
    refused = peers.orthanc_upload(http_port, files)
    assert sorted(file.content for file in scp.received().values()) == sorted(
        file.content for file in files if file not in refused
    )
    return lambda port: peers.orthanc_send(http_port, port)


def run(*command: str | Path) -> None:
    """Run an SCU to its end."""
    process = peers.run(*command, nodelay=False)
    assert process.returncode == 0, process.stdout


SCUS = {
    "storescu": SCU(storescu, UNREADABLE, CHANGED_BY_DCMTK),
    "dcmsend": SCU(dcmsend, UNREADABLE, CHANGED_BY_DCMTK | DCMSEND_TURNS_INTO_EXPLICIT_VR_LITTLE_ENDIAN),
    "pynetdicom": SCU(
        pynetdicom,
        UNREADABLE,
        GZIP_TRAILER_LEFT_OUT | ONE_OF_TWO_SOP_INSTANCE_UIDS_LEFT_OUT | PYNETDICOM_LEAVES_GROUP_LENGTHS_OUT,
    ),
    "orthanc": SCU(orthanc, UNREADABLE | NOT_FILED_BY_ORTHANC, CHANGED_BY_DCMTK - NOT_FILED_BY_ORTHANC),
}

# --- What receives ----------------------------------------------------------------------------------------------------


@contextmanager
def storescp(folder: Path) -> Iterator[int]:
    """Receive with our tool."""
    with listening("storescp", "-od", folder, "--accept-unknown") as listener:
        yield listener.port
        assert listener.end() == []


@contextmanager
def concurrent_server(folder: Path) -> Iterator[int]:
    """Receive with a server on an event loop and a folder behind it."""
    with FileStore(folder) as store, ours.serving("asyncio", store.handlers()) as port:
        yield port


RECEIVERS: Mapping[str, Callable[[Path], AbstractContextManager[int]]] = {
    "storescp": storescp,
    "aio.Server": concurrent_server,
}


@dataclass
class Wire:
    """A behaviour of a `FaultyPeer` without faults: transfer syntax and data set as they came, by SOP instance UID."""

    data_sets: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def __call__(self, connection: wire.Connection) -> None:
        connection.accept()
        transfer_syntaxes = {context_id: uid for context_id, _, uid in connection.each(wire.ACCEPTED)}
        data_set = bytearray()
        while True:
            acknowledge_at_once(connection.socket)
            answered = len(connection.messages)
            pdu_type, body = connection.read_pdu()
            if pdu_type == wire.A_RELEASE_RQ:
                connection.send_release_response()
                return
            if pdu_type == wire.A_ABORT:
                return
            data_set += b"".join(fragments(body))
            for message in connection.messages[answered:]:
                uid = message.elements[wire.AFFECTED_SOP_INSTANCE_UID].rstrip(b"\0").decode("ascii")
                self.data_sets[uid] = transfer_syntaxes[message.context_id], bytes(data_set)
                data_set.clear()
                connection.respond(message)


def acknowledge_at_once(connection: socket.socket) -> None:
    """Acknowledge at once where the system can, so that an SCU with Nagle's algorithm on is not held up."""
    if hasattr(socket, "TCP_QUICKACK"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def fragments(p_data_tf: bytes) -> Iterator[bytes]:
    """Yield the fragments of a data set in a P-DATA-TF PDU."""
    while p_data_tf:
        length, _, control = struct.unpack_from(">IBB", p_data_tf)
        if not control & 1:
            yield p_data_tf[6 : 4 + length]
        p_data_tf = p_data_tf[4 + length :]


# --- The test ---------------------------------------------------------------------------------------------------------


@pytest.mark.thorough
@pytest.mark.parametrize("receiver", RECEIVERS)
@pytest.mark.parametrize("scu", SCUS)
def test_every_file_that_an_scu_sends_is_kept_as_it_came(
    scu: str, receiver: str, pydicom_files: PydicomFiles, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    files, folder, sent = pydicom_files.sendable, tmp_path / "kept", Wire()
    send = SCUS[scu].readied(files, request)
    with RECEIVERS[receiver](folder) as port:
        send(port)
    with wire.FaultyPeer(sent) as port:
        send(port)

    kept = peers.by_instance(part10_files(folder))
    assert len([path for path in folder.rglob("*") if path.is_file()]) == len(kept)
    assert len(kept) > 120
    assert sorted(kept) == sorted(sent.data_sets)
    for uid, file in kept.items():
        assert (file.transfer_syntax, file.data_set) == sent.data_sets[uid], file.path
        assert_our_file_meta(file)

    assert {file.path.name for file in files if file.sop_instance_uid not in kept} == SCUS[scu].unsent
    assert {
        file.path.name
        for file in files
        if file.sop_instance_uid in kept and ours.encoded(kept[file.sop_instance_uid]) != ours.encoded(file)
    } == SCUS[scu].changed


def assert_our_file_meta(file: Part10File) -> None:
    """Check that the File Meta Information is ours, after a preamble of zeros."""
    meta = read_file_meta_info(file.path)
    assert file.content[:132] == bytes(128) + b"DICM"
    assert meta.ImplementationClassUID == settings.IMPLEMENTATION_CLASS_UID
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (
        file.sop_class_uid,
        file.sop_instance_uid,
    )
