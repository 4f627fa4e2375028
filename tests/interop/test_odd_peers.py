"""Each odd peer has its ways, as an SCU by hand sees them; and each still serves a C-FIND, a C-GET and a C-MOVE."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dimse.testing import StorageSCP
from tests.faulty_peer import items
from tests.interop import peers
from tests.interop.evil import stock
from tests.interop.evil.raw_scu import KEYS, RawSCU
from tests.interop.evil.stock import INSTANCES, LEVEL, PATIENT_NAME, SERIES_UID, STUDY, STUDY_UID, Attribute
from tests.interop.odd_peers import ODD_PEERS, Ways, serve_odd

# These hold a helper of other tests.
pytestmark = pytest.mark.thorough

FAILURE = re.compile(r"C-\w+-RSP ([0-9A-F]{4})H")
SERIES_LEVEL: list[Attribute] = [(LEVEL, "CS", "SERIES"), (STUDY_UID, "UI", STUDY), (SERIES_UID, "UI", "")]


@contextmanager
def asked(
    peer: str | Ways, operation: str, keys: list[Attribute] = KEYS, destination: int = 0
) -> Iterator[tuple[RawSCU, str]]:
    """Ask an odd peer, and yield the SCU with the status that it ended with."""
    with serve_odd(peer, destination=destination) as scp, RawSCU(scp.port) as scu:
        assert scu.ask_for_association() == "A-ASSOCIATE-AC"
        yield scu, final(scu, operation, keys)
        scu.release()
        assert scu.line() == "A-RELEASE-RP"


def final(scu: RawSCU, operation: str, keys: list[Attribute] = KEYS) -> str:
    """Ask, and return the status that the operation ended with."""
    scu.ask(operation, keys=keys)
    while True:
        found = FAILURE.match(scu.line())
        if found and found[1] not in ("FF00", "FF01"):
            return found[1]


def matches(scu: RawSCU) -> list[dict[int, str]]:
    """Return the matches that came, as text."""
    parsed = [stock.parse(data, explicit=True) for data in scu.data_sets]
    return [{tag: value.decode("latin-1").strip(" \0") for tag, (_, value) in one.items()} for one in parsed]


@pytest.mark.parametrize("peer", ODD_PEERS)
def test_every_peer_finds_the_study(peer: str) -> None:
    with asked(peer, "find") as (scu, status):
        assert status == "0000"
        assert {match[STUDY_UID] for match in matches(scu)} == {STUDY} or ODD_PEERS[peer].limit


@pytest.mark.parametrize("peer", ODD_PEERS)
def test_every_peer_sends_three_images_within_a_c_get(peer: str) -> None:
    with asked(peer, "get") as (scu, status):
        assert (status, len(scu.stored)) == ("0000", 3)


@pytest.mark.parametrize("peer", ODD_PEERS)
def test_every_peer_moves_three_images(peer: str) -> None:
    with StorageSCP() as destination, asked(peer, "move", destination=destination.port) as (_, status):
        assert status == "0000"
        assert destination.sop_instance_uids == [instance.uid for instance in INSTANCES]


def test_orthanc_says_its_character_set_always() -> None:
    with asked("orthanc", "find") as (scu, _):
        assert matches(scu)[0][stock.CHARACTER_SET] == "ISO_IR 100"


def test_a_peer_says_its_character_set_only_if_asked() -> None:
    with asked("one_move_an_association", "find") as (scu, _):
        assert stock.CHARACTER_SET not in matches(scu)[0]
    with asked("one_move_an_association", "find", [(stock.CHARACTER_SET, "CS", ""), *KEYS]) as (scu, _):
        assert matches(scu)[0][stock.CHARACTER_SET] == "ISO_IR 100"


@pytest.mark.parametrize(("operation", "status"), [("get", "0000"), ("move", "C000")])
def test_orthanc_fails_a_move_of_an_unknown_study_and_no_get(operation: str, status: str) -> None:
    with asked("orthanc", operation, [(LEVEL, "CS", "STUDY"), (STUDY_UID, "UI", "1.2.3")]) as (scu, found):
        assert (found, scu.stored) == (status, [])


def test_dcmqrscp_leaves_out_what_it_does_not_know() -> None:
    unknown: Attribute = (0x00081030, "LO", "nonsense")
    with asked("dcmqrscp", "find", [unknown, *KEYS]) as (scu, _):
        assert [0x00081030 in match for match in matches(scu)] == [False]
    with asked("plain", "find", [unknown, *KEYS]) as (scu, _):
        assert [match[0x00081030] for match in matches(scu)] == [""]


@pytest.mark.parametrize(("peer", "count"), [("dcmqrscp", 0), ("plain", 1)])
def test_dcmqrscp_tells_case_in_names(peer: str, count: int) -> None:
    with asked(peer, "find", [(LEVEL, "CS", "STUDY"), (PATIENT_NAME, "PN", "DOE*")]) as (scu, _):
        assert len(matches(scu)) == count


@pytest.mark.parametrize(("peer", "status"), [("dcmqrscp", "C000"), ("orthanc", "0000")])
def test_series_without_a_study(peer: str, status: str) -> None:
    with asked(peer, "find", [(LEVEL, "CS", "SERIES"), (SERIES_UID, "UI", "")]) as (_, found):
        assert found == status


@pytest.mark.parametrize(("peer", "status"), [("plain", "A900"), ("needs_no_level", "0000")])
def test_a_query_without_a_level(peer: str, status: str) -> None:
    with asked(peer, "find", [(STUDY_UID, "UI", "")]) as (_, found):
        assert found == status


def test_pynetdicom_sends_a_match_for_each_instance() -> None:
    with asked("pynetdicom", "find") as (scu, _):
        assert [match[STUDY_UID] for match in matches(scu)] == [STUDY] * 3


def test_dcm4chee_has_several_titles() -> None:
    with asked("dcm4chee", "find") as (scu, _):
        assert matches(scu)[0][stock.RETRIEVE_AE_TITLE] == "DCM4CHEE\\*"


def test_conquest_returns_its_table_and_cuts_long_values() -> None:
    keys: list[Attribute] = [(stock.STUDY_DATE, "DA", ""), *KEYS]
    with asked("small_table", "find", keys) as (scu, _):
        assert stock.STUDY_DATE not in matches(scu)[0]
    with asked(Ways("Cuts.", longest_text=4), "find") as (scu, _):
        assert matches(scu)[0][PATIENT_NAME] == "Doe^"


@pytest.mark.parametrize(("peer", "roles"), [("plain", [b"\0\1"]), ("no_roles", []), ("default_roles", [b"\1\0"])])
def test_the_roles_in_the_answer(peer: str, roles: list[bytes]) -> None:
    with serve_odd(peer) as scp, RawSCU(scp.port) as scu:
        assert scu.ask_for_association() == "A-ASSOCIATE-AC"
        user = next(content for kind, content in items(scu.acceptance[68:]) if kind == 0x50)
        assert [content[-2:] for kind, content in items(user) if kind == 0x54] == roles


@pytest.mark.parametrize(("window", "answer"), [(b"\0\0\0\0", "closed"), (b"\0\1\0\1", "A-ASSOCIATE-AC")])
def test_a_window_without_limit_is_the_end(window: bytes, answer: str) -> None:
    with serve_odd("drops_unlimited_window") as scp, RawSCU(scp.port) as scu:
        assert scu.ask_for_association(window) == answer


@pytest.mark.parametrize(("peer", "status"), [("plain", "A801"), ("unreachable_is_c502", "C502")])
def test_a_destination_that_cannot_be_reached(peer: str, status: str) -> None:
    with asked(peer, "move") as (_, found):
        assert found == status


@pytest.mark.parametrize(
    ("peer", "status", "count"),
    [("plain", "A900", 0), ("move_needs_uid", "0120", 0), ("moves_all_without_uid", "0000", 3)],
)
def test_a_move_without_uids(peer: str, status: str, count: int) -> None:
    keys: list[Attribute] = [(LEVEL, "CS", "STUDY"), (0x00080050, "SH", "A1")]
    with StorageSCP() as destination, asked(peer, "move", keys, destination.port) as (_, found):
        assert (found, len(destination.instances)) == (status, count)


def test_a_second_move_on_one_association_fails() -> None:
    with (
        StorageSCP() as destination,
        asked("one_move_an_association", "move", destination=destination.port) as (scu, first),
    ):
        assert (first, final(scu, "move")) == ("0000", "C000")


def test_slow_pendings_come_before_and_after_the_images() -> None:
    with serve_odd("slow_pendings") as scp, RawSCU(scp.port) as scu:
        assert scu.ask_for_association() == "A-ASSOCIATE-AC"
        scu.ask("get")
        lines = []
        while not (line := scu.line()).startswith("C-GET-RSP 0000H"):
            lines.append(line)
        assert all(line.startswith("C-GET-RSP FF00H to 1 3/0") for line in lines[:10])
        assert all(line.startswith("C-GET-RSP FF00H to 1 0/3") for line in lines[-10:])
        assert len(scu.stored) == 3


def test_pending_responses_with_a_data_set() -> None:
    with asked("pending_data_sets", "get") as (scu, _):
        assert len(scu.data_sets) == 3


@pytest.mark.parametrize(
    ("peer", "status", "count"),
    [
        ("plain", "0000", 3),
        ("stops_in_silence", "0000", 2),
        ("stops_with_a700", "A700", 2),
        ("stops_with_b001", "B001", 2),
    ],
)
def test_a_limit_of_matches(peer: str, status: str, count: int) -> None:
    with asked(peer, "find", [(LEVEL, "CS", "IMAGE"), (STUDY_UID, "UI", STUDY)]) as (scu, found):
        assert (found, len(matches(scu))) == (status, count)


def test_a_sound_scu_is_served_without_a_fault(tmp_path: Path) -> None:
    study = ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={STUDY}"]
    port = peers.free_port()
    with serve_odd("plain", destination=port) as scp:
        address = ["127.0.0.1", str(scp.port)]
        asking = [
            [peers.dcmtk("findscu"), *study, *address],
            [peers.dcmtk("findscu"), "-xi", *study, *address],
            [peers.dcmtk("getscu"), *study, "-od", str(tmp_path), *address],
            [peers.dcmtk("movescu"), *study, "-od", str(tmp_path), "+P", str(port), "-aem", "MOVESCU", *address],
        ]
        for command in asking:
            done = peers.run(*command)
            assert done.returncode == 0, done.stderr
        assert scp.wait(10.0)
        assert (scp.store_statuses, scp.deliveries) == ([0] * 3, [["C-STORE-RSP 0000H"] * 3 + ["A-RELEASE-RP"]])
        assert scp.faults == []
    assert len(list(tmp_path.iterdir())) == 3


def test_every_peer_says_what_is_odd_about_it() -> None:
    assert all(ways.says.endswith(".") for ways in ODD_PEERS.values())
