"""C-MOVEs of qrscp to destinations that fail: what has arrived is counted as completed, and all else as failed (PS3.4 C.4.2)."""

from __future__ import annotations

import functools
import select
import socket
import warnings
from collections.abc import Iterator

import pydicom
import pytest

import dimse
from dimse.testing import StorageSCP
from tests import files
from tests.faulty_peer import A_ASSOCIATE_RJ, Connection, pdu
from tests.files import Part10File
from tests.interop.evil import stock
from tests.interop.evil.stock import INSTANCES
from tests.interop.evil_scu.attacker import STUDY_KEYS, Attacker, encoded
from tests.interop.evil_scu.victim import Behaviour, Victim, honest, victim

SUCCESS, WARNING, FAILURE, UNKNOWN = "0000H", "B000H", "A702H", "A801H"
OUT_OF_RESOURCES = 0xA700


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """Start a qrscp with a study of three instances, and the corpus."""
    with victim(tmp_path_factory.mktemp("archive")) as one:
        one.listener.run("storescu", *(file.path for file in corpus().values()))
        yield one


@functools.cache
def corpus() -> dict[str, Part10File]:
    """Return the files that an archive takes, by their names, of each SOP Instance UID one."""
    found: dict[str, Part10File] = {}
    for file in files.pydicom_files().sendable:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data_set = pydicom.dcmread(file.path, stop_before_pixels=True)
        if data_set.get("StudyInstanceUID") and data_set.get("SeriesInstanceUID"):
            found.setdefault(file.sop_instance_uid, file)
    return {file.path.name: file for file in found.values()}


# ---- destinations that fail, with the final status and the numbers of completed and failed instances


def rejects(connection: Connection) -> None:
    connection.read_request()
    connection.send(pdu(A_ASSOCIATE_RJ, bytes([0, 1, 1, 7])))


def rejects_for_a_while(connection: Connection) -> None:
    connection.read_request()
    connection.send(pdu(A_ASSOCIATE_RJ, bytes([0, 2, 3, 2])))


def refuses_the_class(connection: Connection) -> None:
    connection.read_request()
    connection.send(connection.associate_ac(contexts=connection.each(3)))
    connection.drain()


def refuses_transfer_syntaxes(connection: Connection) -> None:
    connection.read_request()
    connection.send(connection.associate_ac(contexts=connection.each(4)))
    connection.drain()


def aborts_at_once(connection: Connection) -> None:
    connection.read_request()
    connection.send_abort()


def closes_at_once(connection: Connection) -> None:
    connection.close()


def hangs(connection: Connection) -> None:
    connection.read_request()
    connection.stall(20)


def hangs_at_the_second(connection: Connection) -> None:
    connection.accept()
    connection.respond(connection.read_message())
    connection.read_message()
    connection.stall(20)


def dies_at_each(connection: Connection) -> None:
    connection.accept()
    connection.read_message()
    connection.reset()


def dies_behind_each(connection: Connection) -> None:
    connection.accept()
    connection.respond(connection.read_message())
    connection.reset()


def answers(*statuses: int) -> Behaviour:
    """Return a destination that answers instances with these statuses."""

    def answer(connection: Connection) -> None:
        connection.accept()
        for status in statuses:
            connection.respond(connection.read_message(), status)
        connection.serve()

    return answer


def is_slow(connection: Connection) -> None:
    connection.accept()
    for _ in INSTANCES:
        message = connection.read_message()
        connection.stall(1.2)
        connection.respond(message)
    connection.serve()


def never_releases(connection: Connection) -> None:
    connection.accept()
    for _ in INSTANCES:
        connection.respond(connection.read_message())
    connection.stall(20)


# A class that is refused is no failure of the destination, which is not given up for it.
FAULTS: dict[str, tuple[Behaviour, str, int, int]] = {
    "none": (honest, SUCCESS, 3, 0),
    "rejects": (rejects, FAILURE, 0, 3),
    "rejects_for_a_while": (rejects_for_a_while, FAILURE, 0, 3),
    "refuses_the_class": (refuses_the_class, FAILURE, 0, 3),
    "refuses_transfer_syntaxes": (refuses_transfer_syntaxes, FAILURE, 0, 3),
    "aborts_at_once": (aborts_at_once, FAILURE, 0, 3),
    "closes_at_once": (closes_at_once, FAILURE, 0, 3),
    "hangs": (hangs, FAILURE, 0, 3),
    "hangs_at_the_second": (hangs_at_the_second, SUCCESS, 3, 0),
    "dies_at_each": (dies_at_each, FAILURE, 0, 3),
    "dies_behind_each": (dies_behind_each, SUCCESS, 3, 0),
    "a700_on_the_third": (answers(0, 0, OUT_OF_RESOURCES), WARNING, 2, 1),
    "a700_on_the_first": (answers(OUT_OF_RESOURCES), WARNING, 2, 1),
    "a700_on_all": (answers(*[OUT_OF_RESOURCES] * 3), FAILURE, 0, 3),
    "warnings": (answers(0xB000, 0xB006, 0xB007), WARNING, 0, 0),
    "unknown_status": (answers(0x1234), WARNING, 2, 1),
    "not_authorized": (answers(0x0124, 0x0124, 0x0124), FAILURE, 0, 3),
    "is_slow": (is_slow, SUCCESS, 3, 0),
    "never_releases": (never_releases, SUCCESS, 3, 0),
}


def last_counts(scu: Attacker, message_id: int = 1) -> tuple[str, int, int]:
    """Return the status of the final response, with its numbers of completed and failed instances."""
    while True:
        words = scu.line().split()
        assert not words[0].startswith(("closed", "A-ABORT"))
        if words[0] == "C-MOVE-RSP" and words[1] not in ("FF00H", "FF01H"):
            _, completed, failed, _ = words[4].split("/")
            return words[1], int(completed), int(failed)


@pytest.mark.timeout(60)
@pytest.mark.sample("a700_on_the_third", "dies_at_each", "never_releases")
@pytest.mark.parametrize("name", FAULTS)
def test_what_a_failing_destination_took_is_counted(name: str, archive: Victim) -> None:
    behaviour, status, completed, failed = FAULTS[name]
    with archive.attacker() as scu:
        scu.say("move", encoded(STUDY_KEYS), destination=archive.next_destination(behaviour))
        assert last_counts(scu) == (status, completed, failed)
        if failed:
            assert scu.line().startswith("data set")
            uids = [one.uid for one in INSTANCES]
            named = [uid for uid in uids if uid.encode() in scu.data_sets[-1]]
            assert len(named) == failed
    archive.is_well()


@pytest.mark.parametrize("title", ["AWAY", "ELSEWHERE"])
def test_an_unknown_destination_is_told_from_one_that_is_not_there(title: str, archive: Victim) -> None:
    destination = {"AWAY": b"HOSTILE", "ELSEWHERE": b"NOWHERE"}[title]
    with archive.attacker() as scu:
        scu.say("move", encoded(STUDY_KEYS), destination=destination)
        assert scu.answer()[0] == {"AWAY": FAILURE, "ELSEWHERE": UNKNOWN}[title]


# ---- a destination that takes Implicit VR Little Endian only

# Why a file is not converted: its Pixel Data cannot be decoded, its words have no certain order, or its class is no storage class.
NEVER = {"JPEG-lossy.dcm", "JPEG2000-embedded-sequence-delimiter.dcm", "rtdose_expb.dcm", "rtdose_expb_1frame.dcm"}


def forwarding(port: int) -> Behaviour:
    """Return a destination that hands all bytes on to a port and back."""

    def forward(connection: Connection) -> None:
        with socket.create_connection(("127.0.0.1", port)) as onward:
            ends = {connection.socket: onward, onward: connection.socket}
            while True:
                for end in select.select(list(ends), [], [], 20)[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    ends[end].sendall(data)

    return forward


def samples() -> list[str]:
    """Return the names of some files of each transfer syntax."""
    number: dict[str, int] = {}
    chosen = []
    for name, file in corpus().items():
        number[file.transfer_syntax] = number.get(file.transfer_syntax, 0) + 1
        if number[file.transfer_syntax] <= 4:
            chosen.append(name)
    return chosen


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", samples())
def test_every_transfer_syntax_is_converted_for_a_destination_of_implicit_vr(name: str, archive: Victim) -> None:
    file = corpus()[name]
    keys: list[stock.Attribute] = [(stock.SOP_INSTANCE_UID, "UI", file.sop_instance_uid), (stock.LEVEL, "CS", "IMAGE")]
    with StorageSCP(transfer_syntaxes=[dimse.uids.ImplicitVRLittleEndian]) as scp, archive.attacker() as scu:
        scu.say("move", encoded(keys), destination=archive.next_destination(forwarding(scp.port)))
        status = scu.answer()[0]
    if name in NEVER:
        assert status == FAILURE and not scp.instances
        return
    assert status == SUCCESS
    [instance] = scp.instances
    assert instance.transfer_syntax == dimse.uids.ImplicitVRLittleEndian
    assert instance.sop_instance_uid == file.sop_instance_uid
    came, was = instance.dataset(), pydicom.dcmread(file.path)
    assert came.StudyInstanceUID == was.StudyInstanceUID
    if "PixelData" in was and "Rows" in was:
        frames, samples_per_pixel = int(was.get("NumberOfFrames") or 1), int(was.get("SamplesPerPixel", 1))
        bits = was.Rows * was.Columns * frames * samples_per_pixel * was.BitsAllocated
        assert len(came.PixelData) >= bits // 8 or file.transfer_syntax.startswith("1.2.840.10008.1.2.1")
