"""The responses to a C-GET or C-MOVE while its sub-operations run: when they come, and what their counts are."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.instances import KnownFile
from dimse.services import move_delivery, sub_operations
from dimse.services.retrieve import Progress, Retrieved
from dimse.services.retrieve_contexts import contexts_for_get
from dimse.services.retrieve_request import Gate, MoveTo
from dimse.services.sub_operations import SubOperations
from dimse.testing import StorageSCP
from tests.drivers import Instance, make_instance, serving

KEYS = {"StudyInstanceUID": "1.2.3"}
MOVE_UID = "1.2.840.10008.5.1.4.1.2.2.2"
CONTEXTS, ROLES = contexts_for_get("study", [uids.CTImageStorage])


@pytest.fixture
def instances(tmp_path: Path) -> list[Instance]:
    (tmp_path / "source").mkdir()
    return [make_instance(tmp_path / "source", number, 500) for number in (1, 2, 3)]


def move(port: int, **options: Any) -> tuple[list[Progress], Retrieved]:
    """Retrieve by C-MOVE, and return the progress and the end."""
    with dimse.associate("127.0.0.1", port, contexts=[MOVE_UID]) as association:
        moving = association.move(KEYS, "STORE", **options)
        try:
            progress = list(moving)
        except dimse.StatusError:
            progress = []
        assert moving.result is not None
        return progress, moving.result


def moving(instances: list[Instance], port: int, **more: Any) -> dimse.Handlers:
    paths = [instance.path for instance in instances]
    return dimse.Handlers(move=lambda request: MoveTo(("127.0.0.1", port), paths, **more))


def test_a_slow_destination_is_told_of_by_pending_responses(
    instances: list[Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A requestor whose timer is shorter than what one instance takes does not give up."""
    monkeypatch.setattr(sub_operations, "MOST_BETWEEN", 0.05)
    told_twice = threading.Event()
    handlers = dimse.Handlers(store=lambda request: 0 if told_twice.wait(10) else 0xA700)
    with (
        dimse.Server(("127.0.0.1", 0), handlers) as destination,
        serving(handlers=moving(instances[:1], destination.address[1])) as port,
        dimse.associate("127.0.0.1", port, contexts=[MOVE_UID]) as association,
    ):
        progress: list[dimse.Progress] = []
        for each in association.move(KEYS, "STORE"):
            progress.append(each)
            if len(progress) == 2:
                told_twice.set()
    assert {(one.completed, one.remaining) for one in progress[:2]} == {(0, 1)}
    assert (progress[-1].status, progress[-1].completed) == (0, 1)


def test_a_destination_that_comes_back_within_a_second_gets_everything(
    instances: list[Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(move_delivery, "BEFORE_RETRY", 0.1)
    taken: list[str] = []

    class Rejecting:
        """A destination with room for no association at first."""

        def __init__(self) -> None:
            self.requests = 0

        def __call__(self, event: dimse.SecurityEvent) -> None:
            self.requests += event.kind == "rejected"

    rejecting = Rejecting()

    def store(request: dimse.StoreRequest) -> int:
        taken.append(request.sop_instance_uid)
        return 0

    handlers = dimse.Handlers(store=store)
    with dimse.Server(
        ("127.0.0.1", 0), handlers, limits=dimse.Limits(associations=1), observe=rejecting
    ) as destination:
        blocking = dimse.associate(*destination.address, contexts=[dimse.Verification])

        def pause(*_: object) -> None:
            blocking.release()

        with serving(handlers=moving(instances, destination.address[1])) as port:
            monkeypatch.setattr(move_delivery._Delivery, "_log", staticmethod(pause))
            _, end = move(port)
    assert rejecting.requests == 1
    assert (end.status, end.completed) == (0, 3)
    assert taken == [instance.sop_instance_uid for instance in instances]


def test_a_destination_that_is_away_fails_everything_and_is_named(
    instances: list[Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(move_delivery, "BEFORE_RETRY", 0.01)
    left: list[bool] = []

    class Noting(Gate):
        def leave(self, was_away: bool) -> None:
            left.append(was_away)

    with serving(handlers=moving(instances, 1, gate=Noting(), called_ae_title="AWAY")) as port:
        _, end = move(port)
    assert end.status is not None
    assert (int(end.status), end.completed, end.failed) == (0xA702, 0, 3)
    assert end.status.comment.startswith("destination AWAY: ")
    assert set(end.failed_uids) == {instance.sop_instance_uid for instance in instances}
    assert left == [True]


def test_an_instance_that_kills_two_associations_fails_and_the_others_go(instances: list[Instance]) -> None:
    fatal = instances[1].sop_instance_uid
    came: list[str] = []

    def begin(request: dimse.StoreRequest) -> None:
        came.append(request.sop_instance_uid)
        if request.sop_instance_uid == fatal:
            raise SystemExit(1)

    handlers = dimse.Handlers(store_begin=begin, store=lambda request: 0)
    with (
        dimse.Server(("127.0.0.1", 0), handlers) as destination,
        serving(handlers=moving(instances, destination.address[1])) as port,
    ):
        _, end = move(port)
    assert came == [instances[0].sop_instance_uid, fatal, fatal, instances[2].sop_instance_uid]
    assert end.status is not None
    assert (int(end.status), end.completed, end.failed, end.failed_uids) == (0xB000, 2, 1, (fatal,))


def test_a_request_waits_until_its_destination_has_a_place(instances: list[Instance]) -> None:
    class Closed(Gate):
        """A gate that opens when it is asked for the third time."""

        asked = 0

        def enter(self) -> bool:
            self.asked += 1
            return self.asked == 3

    gate = Closed()
    with StorageSCP() as destination, serving(handlers=moving(instances, destination.port, gate=gate)) as port:
        progress, end = move(port)
    assert (gate.asked, end.status, end.completed) == (3, 0, 3)
    assert progress[0].completed == 1


def test_counts_saturate_and_the_list_of_failures_fits_its_element() -> None:
    operations = SubOperations(None, None, 70_000, 66_000)  # type: ignore[arg-type]
    counts = operations._counts(number_of_remaining_suboperations=operations.remaining)
    assert counts["number_of_remaining_suboperations"] == counts["number_of_completed_suboperations"] == 0xFFFF
    operations.failed_uids = dict.fromkeys(f"1.2.3.{'9' * 58}{number:06}"[:64] for number in range(2000))
    operations.failed_uids |= dict.fromkeys(f"1.2.840.{number:056}" for number in range(2000))
    listed = operations._listed()
    assert 1000 < len(listed) < 2000
    assert len("\\".join(listed)) <= 0xFFFE


@pytest.mark.parametrize("outlives", [False, True])
def test_a_move_ends_with_its_requestor_unless_it_is_to_be_finished(tmp_path: Path, outlives: bool) -> None:
    instances = [make_instance(tmp_path, number, 500) for number in range(1, 21)]
    first, gone, ended = threading.Event(), threading.Event(), threading.Event()
    came: list[str] = []

    def store(request: dimse.StoreRequest) -> int:
        came.append(request.sop_instance_uid)
        first.set()
        return 0 if gone.wait(10) else 0xA700

    class Noting(Gate):
        def leave(self, was_away: bool) -> None:
            ended.set()

    with (
        dimse.Server(("127.0.0.1", 0), dimse.Handlers(store=store)) as destination,
        serving(handlers=moving(instances, destination.address[1], outlives=outlives, gate=Noting())) as port,
    ):
        association = dimse.associate("127.0.0.1", port, contexts=[MOVE_UID])
        asking = threading.Thread(target=lambda: suppressed(association.move(KEYS, "STORE")))
        asking.start()
        assert first.wait(10)
        association.abort()
        asking.join(10)
        gone.set()
        assert ended.wait(10)
    assert (len(came) == len(instances)) == outlives


def suppressed(operation: Iterable[Progress]) -> None:
    """Take a retrieval to its end, whatever that is."""
    with suppress(dimse.DimseError):
        list(operation)


def test_an_instance_without_its_role_is_sent_all_the_same_unless_that_is_strict(instances: list[Instance]) -> None:
    def handlers(strict: bool) -> dimse.Handlers:
        def get(request: dimse.RetrieveRequest) -> list[Path]:
            request.strict_roles = strict
            return [instance.path for instance in instances]

        return dimse.Handlers(get=get)

    for strict, status in ((False, 0x0000), (True, 0xA702)):
        store = dimse.Handlers(store=lambda request: 0)
        with (
            serving(handlers=handlers(strict)) as port,
            dimse.associate("127.0.0.1", port, contexts=CONTEXTS, handlers=store) as association,
        ):
            getting = association.get(KEYS)
            with suppress(dimse.StatusError):
                list(getting)
            assert getting.result is not None and getting.result.status == status


def test_a_request_that_is_not_admitted_has_its_identifier_unread() -> None:
    asked: list[dimse.OperationRequest] = []

    def admit(request: dimse.OperationRequest) -> int:
        asked.append(request)
        return 0x0124

    handlers = dimse.Handlers(find=never, get=never, move=never, admit=admit)
    models = [f"StudyRootQueryRetrieveInformationModel{name}" for name in ("Find", "Get", "Move")]
    with serving(handlers=handlers) as port, dimse.associate("127.0.0.1", port, contexts=models) as association:
        keys = {"PatientID": ""}
        statuses = [
            _status(association.find(keys, level="STUDY")),
            _status(association.get(keys, level="STUDY")),
            _status(association.move(keys, "STORE", level="STUDY")),
        ]
    assert statuses == [0x0124] * 3
    assert [(one.service, one.destination) for one in asked] == [("find", ""), ("get", ""), ("move", "STORE")]


def _status(operation: Any) -> int:
    """Return the final status of an operation."""
    try:
        *_, end = operation
    except dimse.StatusError as error:
        return int(error.status)
    return int(end.status)


def never(request: object) -> int:
    raise AssertionError("it was not admitted")


# --- jobs


def known_files(folder: Path, series: int, images: int) -> list[KnownFile]:
    """Write instances, and return their files as an index knows them."""
    found = []
    for number in range(series * images):
        instance = make_instance(folder, number + 1, 500)
        uids_of = (uids.CTImageStorage, instance.sop_instance_uid, uids.ExplicitVRLittleEndian)
        found.append(KnownFile(str(instance.path), *uids_of, series_instance_uid=f"1.2.{number // images}"))
    return found


def series_of(files: list[KnownFile]) -> dict[str, str]:
    return {file.sop_instance_uid: file.series_instance_uid for file in files}


def moving_in_jobs(files: list[KnownFile], port: int, jobs: int) -> dimse.Handlers:
    return dimse.Handlers(move=lambda request: MoveTo(("127.0.0.1", port), files, jobs=jobs))


@pytest.mark.parametrize("face", ["blocking", "aio"])
def test_a_move_uses_several_associations_and_keeps_a_series_together(tmp_path: Path, face: Any) -> None:
    files = known_files(tmp_path, series=5, images=4)
    three = threading.Barrier(3)
    came: list[str] = []
    peers: dict[str, tuple[str, int]] = {}

    def store(request: dimse.StoreRequest) -> int:
        if request.peer.address not in peers.values():
            # The first of each association waits for that of the two others.
            three.wait(10)
        peers[request.sop_instance_uid] = request.peer.address
        came.append(request.sop_instance_uid)
        return 0

    with (
        dimse.Server(("127.0.0.1", 0), dimse.Handlers(store=store)) as destination,
        serving(face, handlers=moving_in_jobs(files, destination.address[1], 3)) as port,
    ):
        _, end = move(port)
    assert (end.status, end.completed, end.failed) == (0, 20, 0)
    places = {(series_of(files)[uid], address) for uid, address in peers.items()}
    assert len(places) == 5 and len({address for _, address in places}) == 3
    for series in set(series_of(files).values()):
        in_order = [file.sop_instance_uid for file in files if file.series_instance_uid == series]
        assert [uid for uid in came if series_of(files)[uid] == series] == in_order


def test_what_fails_in_jobs_is_counted_once(tmp_path: Path) -> None:
    files = known_files(tmp_path, series=4, images=3)
    bad = {files[4].sop_instance_uid, files[9].sop_instance_uid}
    Path(files[0].path).unlink()
    handlers = dimse.Handlers(store=lambda request: 0xC000 if request.sop_instance_uid in bad else 0)
    with (
        dimse.Server(("127.0.0.1", 0), handlers) as destination,
        serving(handlers=moving_in_jobs(files, destination.address[1], 4)) as port,
    ):
        _, end = move(port)
    assert end.status == 0xB000 and (end.completed, end.failed) == (9, 3)
    assert set(end.failed_uids) == bad | {files[0].sop_instance_uid}


def test_a_destination_that_is_away_fails_every_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(move_delivery, "BEFORE_RETRY", 0.01)
    with serving(handlers=moving_in_jobs(known_files(tmp_path, series=3, images=2), 1, 3)) as port:
        _, end = move(port)
    assert end.status is not None and end.status == 0xA702 and end.failed == 6
    assert end.status.comment.startswith("destination STORE: ")


def test_jobs_end_with_a_cancellation_and_with_the_association_of_their_request(tmp_path: Path) -> None:
    files = known_files(tmp_path, series=4, images=50)
    came: list[str] = []
    cancelled = threading.Event()

    def store(request: dimse.StoreRequest) -> int:
        came.append(request.sop_instance_uid)
        if len(came) >= 4:
            cancelled.wait(10)
        return 0

    with (
        dimse.Server(("127.0.0.1", 0), dimse.Handlers(store=store)) as destination,
        serving(handlers=moving_in_jobs(files, destination.address[1], 4)) as port,
        dimse.associate("127.0.0.1", port, contexts=[MOVE_UID]) as association,
    ):
        progress = association.move(KEYS, "STORE")
        next(iter(progress))
        association.cancel()
        cancelled.set()
        with suppress(dimse.StatusError):
            list(progress)
        assert progress.result is not None and progress.result.status == 0xFE00
        assert progress.result.completed == len(came) < len(files)
