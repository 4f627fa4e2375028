"""An archive answers C-STORE when the instance is in the index, and C-FIND, C-GET and C-MOVE within the rights of each peer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

import dimse
from dimse import tags, uids
from dimse.archive.archive import Archive, Limits
from dimse.archive.index import Index
from dimse.archive.index.recovery import Recovered
from dimse.archive.index.row import Added, Row
from dimse.archive.peers import RIGHTS, KnownPeer, Peers, Right
from dimse.errors import DatabaseError
from dimse.logs.security_events import SecurityEvent
from dimse.testing import StorageSCP

FIND, GET, MOVE = (f"StudyRootQueryRetrieveInformationModel{name}" for name in ("Find", "Get", "Move"))
EVERYONE = KnownPeer("", allow=RIGHTS)


def instance(number: int = 1, **values: Any) -> Dataset:
    """Return a small CT image: of study 1.2.1, series 1.2.1.1, unless the values say otherwise."""
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(uids.ExplicitVRLittleEndian)
    data_set.SOPClassUID, data_set.SOPInstanceUID = uids.CTImageStorage, f"1.2.1.1.{number}"
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = "1.2.1", "1.2.1.1"
    data_set.PatientID, data_set.PatientName, data_set.Modality = "P1", "DOE^JOHN", "CT"
    data_set.InstanceNumber = number
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    return data_set


@contextmanager
def served(folder: Path, **options: Any) -> Iterator[tuple[Archive, int]]:
    """Serve an archive on 127.0.0.1, and give it and its port."""
    with (
        Archive(folder / "instances", ae_title="ARCHIVE", **options) as archive,
        dimse.Server(("127.0.0.1", 0), archive.handlers(), ae_title="ARCHIVE") as server,
    ):
        yield archive, server.address[1]


def associate(port: int, *contexts: Any, ae_title: str = "VIEWER", **options: Any) -> dimse.Association:
    wanted = contexts or (dimse.Verification, uids.CTImageStorage, FIND, MOVE)
    return dimse.associate("127.0.0.1", port, contexts=wanted, calling_ae_title=ae_title, **options)


def store(port: int, *data_sets: Dataset) -> list[int]:
    with associate(port) as association:
        return [int(association.store(data_set)) for data_set in data_sets]


def find(port: int, keys: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """Return the matches of a query, as keywords and values."""
    with associate(port) as association:
        return [
            {element.keyword: element.value for element in match.dataset()}
            for match in association.find(keys, **options)
        ]


# --- C-STORE


def test_a_stored_instance_is_found_by_the_next_query(tmp_path: Path) -> None:
    with served(tmp_path) as (_, port):
        assert store(port, instance(1), instance(2)) == [0, 0]
        (found,) = find(port, {"PatientID": "P1", "StudyInstanceUID": "", "Modality": ""})
    assert found == {
        "QueryRetrieveLevel": "STUDY",
        "RetrieveAETitle": "ARCHIVE",
        "Modality": "CT",
        "PatientID": "P1",
        "StudyInstanceUID": "1.2.1",
    }
    assert len(list((tmp_path / "instances/1.2.1/1.2.1.1").iterdir())) == 2


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID"])
@pytest.mark.parametrize("value", ["", None])
def test_an_instance_that_could_not_be_found_is_refused(tmp_path: Path, keyword: str, value: str | None) -> None:
    data_set = instance()
    delattr(data_set, keyword)
    if value is not None:
        setattr(data_set, keyword, value)
    with served(tmp_path) as (archive, port):
        assert store(port, data_set, instance(2)) == [0xA900, 0x0000]
        assert archive.index.counts()["instances"] == 1


@pytest.mark.parametrize("failure", [DatabaseError("the disk is full"), RuntimeError("no room for JOHN DOE")])
def test_an_instance_without_a_row_is_not_acknowledged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    failures = [failure]
    add = Index.add

    def failing(index: Index, rows: Sequence[Row]) -> list[Added]:
        if failures:
            raise failures.pop()
        return add(index, rows)

    monkeypatch.setattr(Index, "add", failing)
    with served(tmp_path) as (archive, port):
        assert store(port, instance(1)) == [0xA700]
        assert archive.index.counts()["instances"] == 0
        assert store(port, instance(1)) == [0x0000]
        assert archive.index.counts()["instances"] == 1
    assert "1.2.1.1.1" in caplog.text
    assert "JOHN" not in caplog.text


def test_queries_wait_for_the_recovery_of_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that a killed process has left may lack instances, which are not to be missed in silence."""
    begun, go_on = threading.Event(), threading.Event()
    recover = Index.recover

    def slow(index: Index, **options: Any) -> Recovered:
        begun.set()
        assert go_on.wait(10)
        return recover(index, **options)

    with served(tmp_path) as (_, port):
        store(port, instance(1))
    monkeypatch.setattr(Index, "start", lambda index: False)
    monkeypatch.setattr(Index, "recover", slow)
    with served(tmp_path) as (archive, port), associate(port) as association:
        assert begun.wait(10)
        assert _final_find_status(association, {"StudyInstanceUID": "1.2.1"}) == 0xA700
        assert int(association.store(instance(2))) == 0
        recovering = archive._recovering
        assert recovering is not None
        go_on.set()
        recovering.join(10)
        assert _final_find_status(association, {"StudyInstanceUID": "1.2.1"}) == 0


@pytest.mark.parametrize(("treatment", "status"), [("keep-both", 0), ("reject", 0x0111), ("replace", 0)])
def test_another_data_set_with_a_known_uid_is_treated_as_configured(
    tmp_path: Path, treatment: str, status: int
) -> None:
    with served(tmp_path, on_duplicate=treatment) as (_, port):
        assert store(port, instance(1), instance(1, PatientComments="OTHER")) == [0, status]
        found = find(port, {"SOPInstanceUID": "", "PatientComments": ""}, level="IMAGE")
        assert get(port, {"StudyInstanceUID": "1.2.1"}) == (0, ["1.2.1.1.1"])
    assert len(found) == 1


def test_the_index_is_a_file_beside_the_folder_and_outlives_the_archive(tmp_path: Path) -> None:
    with served(tmp_path) as (_, port):
        store(port, instance(1))
    assert (tmp_path / "instances.sqlite").exists()
    with served(tmp_path) as (_, port):
        assert len(find(port, {"StudyInstanceUID": ""})) == 1


# --- C-FIND


def test_a_response_has_the_keys_that_were_asked_and_nothing_else(tmp_path: Path) -> None:
    keys = {
        "StudyInstanceUID": "1.2.1",
        "StudyDate": "",
        "InstanceAvailability": "",
        "RetrieveURL": "",
        "PatientID": None,
    }
    with served(tmp_path) as (_, port):
        store(port, instance(1, StudyDate="20240131"))
        (found,) = find(port, keys, level="STUDY")
    assert found == {
        "StudyDate": "20240131",
        "QueryRetrieveLevel": "STUDY",
        "RetrieveAETitle": "ARCHIVE",
        "InstanceAvailability": "ONLINE",
        "RetrieveURL": "",
        "PatientID": "P1",
        "StudyInstanceUID": "1.2.1",
    }


def test_a_key_that_is_not_supported_is_told_by_the_status(tmp_path: Path) -> None:
    with served(tmp_path) as (_, port):
        store(port, instance(1))
        with associate(port) as association:
            (plain,) = association.find({"PatientID": "P1"}, level="STUDY")
            (without,) = association.find(
                {"PatientID": "P1", "BodyPartExamined": "HEAD", "00091001": ""}, level="STUDY"
            )
    assert (plain.status, without.status) == (0xFF00, 0xFF01)
    assert without.identifier.text("BodyPartExamined") == ""
    assert 0x00091001 not in without.identifier


def test_modality_at_the_study_level_is_that_of_any_series(tmp_path: Path) -> None:
    with served(tmp_path) as (_, port):
        store(port, instance(1), instance(2, StudyInstanceUID="1.2.2", SeriesInstanceUID="1.2.2.1", Modality="MR"))
        assert [one["StudyInstanceUID"] for one in find(port, {"Modality": "MR", "StudyInstanceUID": ""})] == ["1.2.2"]


def test_the_items_of_a_sequence_are_those_that_match(tmp_path: Path) -> None:
    def item(identifier: str, description: str) -> Dataset:
        requested = Dataset()
        requested.RequestedProcedureID, requested.RequestedProcedureDescription = identifier, description
        return requested

    keys = {"RequestAttributesSequence": [{"RequestedProcedureID": "R2"}], "SeriesInstanceUID": ""}
    with served(tmp_path) as (_, port):
        store(port, instance(1, RequestAttributesSequence=[item("R1", "HEAD"), item("R2", "NECK")]))
        (found,) = find(port, keys, level="SERIES")
    (found_item,) = found["RequestAttributesSequence"]
    assert {element.keyword: element.value for element in found_item} == {"RequestedProcedureID": "R2"}


# Keys, the level, and the key that the refusal is about.
UNFIT: list[tuple[dict[str, Any], str, str]] = [
    ({}, "STUDY", "QueryRetrieveLevel"),
    ({"SpecificCharacterSet": "ISO_IR 100"}, "STUDY", "QueryRetrieveLevel"),
    ({"SeriesInstanceUID": ""}, "STUDY", "SeriesInstanceUID"),
    ({"SOPInstanceUID": "1.2"}, "SERIES", "SOPInstanceUID"),
    ({"StudyDate": ["20240101", "20240102"]}, "STUDY", "StudyDate"),
]


@pytest.mark.parametrize(("keys", "level", "offending"), UNFIT)
def test_an_identifier_that_does_not_fit_is_refused_with_the_key(
    tmp_path: Path, keys: dict[str, Any], level: str, offending: str
) -> None:
    with served(tmp_path) as (_, port), associate(port) as association:
        finding = association.find(keys, level=level)
        with pytest.raises(dimse.StatusError) as caught:
            list(finding)
    assert int(caught.value.status) == 0xA900
    assert finding.offending_elements == (tags.find(offending),)


def test_strict_hierarchy_wants_the_unique_keys_above(tmp_path: Path) -> None:
    with served(tmp_path, limits=Limits(strict_hierarchy=True)) as (_, port):
        store(port, instance(1))
        with associate(port) as association:
            with pytest.raises(dimse.StatusError, match="StudyInstanceUID needs one value"):
                list(association.find({"SeriesInstanceUID": ""}, level="SERIES"))
            assert (
                len(list(association.find({"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": ""}, level="SERIES"))) == 1
            )


@pytest.mark.parametrize(("limit", "own", "most"), [(2, None, 2), (2, 1, 1), (1, 0, 3), (0, None, 3), (3, None, 3)])
def test_a_result_beyond_the_limit_is_cut_and_told(tmp_path: Path, limit: int, own: int | None, most: int) -> None:
    peer = KnownPeer("VIEWER", "127.0.0.1", 104, max_matches=own)
    with served(tmp_path, limits=Limits(matches=limit), peers=Peers([peer])) as (_, port):
        store(port, *(instance(number) for number in (1, 2, 3)))
        with associate(port) as association:
            found: list[dimse.Match] = []
            finding = association.find({"SOPInstanceUID": ""}, level="IMAGE")
            if most < 3:
                with pytest.raises(dimse.StatusError, match=f"more than {most} matches"):
                    found += finding
            found += finding
        assert finding.status == (0xA700 if most < 3 else 0x0000)


def test_the_character_set_of_a_peer_overrides_that_of_the_request(tmp_path: Path) -> None:
    peer = KnownPeer("VIEWER", "127.0.0.1", 104, charset="ISO_IR 100")
    with served(tmp_path, peers=Peers([peer], EVERYONE)) as (_, port):
        store(port, instance(1, SpecificCharacterSet="ISO_IR 192", PatientName="MÜLLER^Яна"))
        with associate(port) as association:
            (match,) = association.find({"PatientName": "", "StudyInstanceUID": ""}, level="STUDY")
        assert match.identifier.text("PatientName") == "MÜLLER^???"
        with associate(port, ae_title="OTHER") as association:
            (match,) = association.find({"PatientName": "", "StudyInstanceUID": ""}, level="STUDY")
        assert match.identifier.text("PatientName") == "MÜLLER^Яна"


# --- C-GET and C-MOVE


def get(port: int, keys: dict[str, Any], level: str = "", ae_title: str = "VIEWER") -> tuple[int, list[str]]:
    """Retrieve by C-GET, and return the final status and the SOP Instance UIDs that came."""
    came: list[str] = []
    contexts, roles = dimse.contexts_for_get("study", [uids.CTImageStorage])

    def keep(request: dimse.StoreRequest) -> int:
        came.append(request.sop_instance_uid)
        return 0x0000

    with associate(port, *contexts, roles=roles, ae_title=ae_title) as association:
        return _final_status(association.get(keys, level=level or None, store=keep)), came


def move(port: int, keys: dict[str, Any], destination: str, level: str = "", ae_title: str = "VIEWER") -> int:
    """Retrieve by C-MOVE, and return the final status."""
    with associate(port, ae_title=ae_title) as association:
        return _final_status(association.move(keys, destination, level=level or None))


def _final_status(retrieving: Iterable[dimse.Progress]) -> int:
    status = -1
    with suppress(dimse.StatusError):
        for progress in retrieving:
            status = -1 if progress.status is None else int(progress.status)
    return status


def test_a_study_is_retrieved_whole(tmp_path: Path) -> None:
    with served(tmp_path) as (_, port):
        store(port, instance(1), instance(2), instance(3, StudyInstanceUID="1.2.2"))
        assert get(port, {"StudyInstanceUID": "1.2.1"}) == (0, ["1.2.1.1.1", "1.2.1.1.2"])
        assert get(port, {"SOPInstanceUID": ["1.2.1.1.3", "1.2.1.1.1"]}, "IMAGE")[1] == ["1.2.1.1.1", "1.2.1.1.3"]
        assert get(port, {"StudyInstanceUID": "1.2.9"}) == (0, [])


@pytest.mark.parametrize(
    ("keys", "level"),
    [
        ({"PatientName": "DOE"}, "STUDY"),
        ({"StudyInstanceUID": ""}, "STUDY"),
        ({"StudyInstanceUID": ["1.2.1", "1.2.2"], "SeriesInstanceUID": "1.2.1.1"}, "SERIES"),
    ],
)
def test_a_retrieval_without_its_unique_key_is_never_one_of_everything(
    tmp_path: Path, keys: dict[str, Any], level: str
) -> None:
    with served(tmp_path) as (_, port):
        store(port, instance(1))
        assert get(port, keys, level) == (0xA900, [])


def test_a_retrieval_of_too_much_is_refused(tmp_path: Path) -> None:
    with served(tmp_path, limits=Limits(retrieved=2)) as (_, port):
        store(port, *map(instance, (1, 2)))
        assert get(port, {"StudyInstanceUID": "1.2.1"})[0] == 0
        store(port, instance(3))
        assert get(port, {"StudyInstanceUID": "1.2.1"}) == (0xA701, [])


def test_a_file_that_is_gone_is_one_failed_sub_operation(tmp_path: Path) -> None:
    with served(tmp_path) as (_, port):
        store(port, *map(instance, (1, 2)))
        (tmp_path / "instances/1.2.1/1.2.1.1/1.2.1.1.1.dcm").unlink()
        assert get(port, {"StudyInstanceUID": "1.2.1"}) == (0xB000, ["1.2.1.1.2"])


def test_instances_go_to_the_destination_that_is_configured(tmp_path: Path) -> None:
    with StorageSCP(ae_title="OTHER") as scp:
        peers = Peers([KnownPeer("OTHER", "127.0.0.1", scp.port)], EVERYONE)
        with served(tmp_path, peers=peers) as (_, port):
            store(port, instance(1))
            assert move(port, {"StudyInstanceUID": "1.2.1"}, "OTHER") == 0
        (sent,) = scp.wait(1)
    assert (sent.sop_instance_uid, sent.calling_ae_title, sent.called_ae_title) == ("1.2.1.1.1", "ARCHIVE", "OTHER")


def test_an_unknown_destination_is_told_before_anything_is_matched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with served(tmp_path) as (_, port):
        assert move(port, {"StudyInstanceUID": ""}, "NOWHERE", "STUDY") == 0xA801
    assert "Unknown Move Destination: NOWHERE" in caplog.text


# By the value of `Limits.moves_to` and the destinations of the peer: the status of each C-MOVE.
DESTINATIONS = [
    ("any", None, "OTHER", 0x0000),
    ("any", frozenset({"OTHER"}), "OTHER", 0x0000),
    ("any", frozenset({"VIEWER"}), "OTHER", 0x0124),
    ("self", None, "OTHER", 0x0124),
    ("self", None, "VIEWER", 0x0000),
    ("host", None, "OTHER", 0x0000),
    ("host", None, "FAR", 0x0124),
]


@pytest.mark.parametrize(("moves_to", "allowed", "destination", "status"), DESTINATIONS)
def test_a_peer_moves_only_where_it_may(
    tmp_path: Path, moves_to: str, allowed: frozenset[str] | None, destination: str, status: int
) -> None:
    events: list[SecurityEvent] = []
    with StorageSCP() as scp:
        known = [
            KnownPeer("VIEWER", "127.0.0.1", scp.port, move_to=allowed),
            KnownPeer("OTHER", "127.0.0.1", scp.port),
            KnownPeer("FAR", "192.0.2.1", 104),
        ]
        with served(tmp_path, peers=Peers(known), limits=Limits(moves_to=moves_to), observe=events.append) as (
            _,
            port,
        ):
            store(port, instance(1))
            assert move(port, {"StudyInstanceUID": "1.2.1"}, destination) == status
    assert [event.kind for event in events] == ["not authorized"] * (status != 0)


# --- rights


@pytest.mark.parametrize("right", ["echo", "store", "find", "get", "move"])
def test_a_peer_without_a_right_is_refused_and_told_of(
    tmp_path: Path, right: Right, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[SecurityEvent] = []
    peers = Peers([KnownPeer("VIEWER", "127.0.0.1", 1, allow=RIGHTS - {right})], EVERYONE)
    keys = {"StudyInstanceUID": "1.2.1"}
    with caplog.at_level(logging.WARNING), served(tmp_path, peers=peers, observe=events.append) as (_, port):
        with associate(port) as association:
            statuses = {"echo": int(association.echo()), "store": int(association.store(instance(1)))}
            statuses["find"] = _final_find_status(association, keys)
        statuses["get"], _ = get(port, keys)
        statuses["move"] = move(port, keys, "NOWHERE")
    allowed = {"echo": 0, "store": 0, "find": 0, "get": 0, "move": 0xA801}
    assert statuses == allowed | {right: 0x0124}
    assert f"refused a request of VIEWER at 127.0.0.1: C-{right.upper()} is not allowed to it" in caplog.text
    assert [(event.kind, event.calling_ae_title) for event in events] == [("not authorized", "VIEWER")]


def _final_find_status(association: dimse.Association, keys: dict[str, Any]) -> int:
    finding = association.find(keys)
    with suppress(dimse.StatusError):
        list(finding)
    return -1 if finding.status is None else int(finding.status)


def test_the_peers_may_be_replaced_while_it_serves(tmp_path: Path) -> None:
    with served(tmp_path) as (archive, port), associate(port) as association:
        assert association.echo() == 0
        archive.peers = Peers([KnownPeer("VIEWER", "127.0.0.1", 1, allow=frozenset())])
        assert association.echo() == 0x0124
