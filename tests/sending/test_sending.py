"""Files sent through the library, on both faces: what becomes of each, whatever happens on the way."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

import dimse
from dimse import aio, uids
from dimse.instances import InstanceFile
from dimse.sending import AssociationFault, Retry, Sending
from dimse.sending import feed as feeding
from dimse.services.outcome import Outcome
from dimse.testing import SentInstance, StorageSCP, faulty_peer
from tests.chaos.proxy import Proxy
from tests.drivers import LOOPBACK, make_instance
from tests.tools.running import Instance, element

AT_ONCE = Retry(3, wait=0)

Send = Callable[..., list[Outcome]]


def send_blocking(*args: Any, **options: Any) -> list[Outcome]:
    return list(dimse.send(*args, **options))


def send_on_a_loop(*args: Any, **options: Any) -> list[Outcome]:
    async def collect() -> list[Outcome]:
        return [outcome async for outcome in aio.send(*args, **options)]

    return asyncio.run(collect())


on_both_faces = pytest.mark.parametrize("send", [send_blocking, send_on_a_loop], ids=["blocking", "asyncio"])
with_one_and_several_jobs = pytest.mark.parametrize("jobs", [1, 3])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Fill a folder with 20 instances."""
    for number in range(1, 21):
        make_instance(tmp_path, number, 2000)
    return tmp_path


def peer(scp: StorageSCP | int) -> tuple[str, int]:
    return LOOPBACK, scp if isinstance(scp, int) else scp.port


def states(outcomes: list[Outcome]) -> list[str]:
    return [outcome.state for outcome in outcomes]


def uids_of(outcomes: list[Outcome], state: str) -> set[str]:
    return {outcome.sop_instance_uid for outcome in outcomes if outcome.state == state}


@on_both_faces
@with_one_and_several_jobs
def test_everything_arrives_once(folder: Path, send: Send, jobs: int) -> None:
    with StorageSCP() as scp:
        outcomes = send([folder], peer(scp), jobs=jobs, any_order=True, called_ae_title="ARCHIVE")
    assert states(outcomes) == ["stored"] * 20
    assert sorted(scp.sop_instance_uids) == sorted(outcome.sop_instance_uid for outcome in outcomes)
    assert {instance.called_ae_title for instance in scp.instances} == {"ARCHIVE"}
    assert {outcome.attempts for outcome in outcomes} == {1}


@on_both_faces
def test_the_parameters_of_associations_may_be_one_object_and_the_files_decide_the_contexts(
    folder: Path, send: Send
) -> None:
    requestor = dimse.Requestor(["Verification"], calling_ae_title="MODALITY", called_ae_title="ARCHIVE")
    with StorageSCP(status=0) as scp:
        outcomes = send([folder], peer(scp), requestor=requestor, called_ae_title="BACKUP")
    assert states(outcomes) == ["stored"] * 20
    assert {(one.calling_ae_title, one.called_ae_title) for one in scp.instances} == {("MODALITY", "BACKUP")}


@on_both_faces
@pytest.mark.parametrize("kind", [str, os.fsencode, Path], ids=["str", "bytes", "Path"])
def test_one_path_is_one_path_and_never_its_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, send: Send, kind: Callable[[str], Any]
) -> None:
    # "a.dcm" was read as "a", ".", "d", "c" and "m": the folder "." was sent, and not the file.
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a.dcm", "other.dcm", "a", "m")):
        Instance(f"1.2.{number}").write(tmp_path / name)
    with StorageSCP() as scp:
        outcomes = send(kind("a.dcm"), peer(scp))
    assert [(outcome.path, outcome.state) for outcome in outcomes] == [("a.dcm", "stored")]
    assert scp.sop_instance_uids == ["1.2.0"]


@on_both_faces
def test_folders_are_read_all_the_way_down_unless_told_otherwise(tmp_path: Path, send: Send) -> None:
    for number, name in enumerate(("study/1", "study/series/2", "study/series/more/3")):
        Instance(f"1.2.{number}").write(tmp_path / name)
    with StorageSCP() as scp:
        assert len(send(str(tmp_path / "study"), peer(scp))) == 3
        assert len(send([tmp_path / "study"], peer(scp), recurse=False)) == 1


def test_what_cannot_be_a_path_is_said_at_the_call() -> None:
    with pytest.raises(TypeError):
        Sending(5, (LOOPBACK, 104))  # type: ignore[arg-type]  # the mistake


def test_operations_of_an_association_take_one_path_too(tmp_path: Path) -> None:
    path = Instance("1.2.3").write(tmp_path / "a.dcm")
    for one in (str(path), os.fsencode(path), path):
        contexts = dimse.contexts_for(one)
        assert contexts == dimse.contexts_for([one])
        with StorageSCP() as scp, dimse.associate(*peer(scp), contexts=contexts) as association:
            assert association.store(one).is_success
            (outcome,) = association.store_many(one)
            assert (outcome.path, outcome.state) == (str(path), "stored")
            (outcome,) = association.store_many([one])
            assert outcome.state == "stored"
            (outcome,) = association.store_many(InstanceFile.check(str(path)))
            assert outcome.state == "stored"


@on_both_faces
def test_what_cannot_be_sent_is_an_outcome_and_the_rest_goes(folder: Path, send: Send) -> None:
    (folder / "cut.dcm").write_bytes((folder / "1.dcm").read_bytes()[:-5])
    with StorageSCP() as scp:
        outcomes = send([folder, folder / "missing"], peer(scp))
    assert len(scp.instances) == 20
    (cut,) = (outcome for outcome in outcomes if outcome.path.endswith("cut.dcm"))
    assert isinstance(cut.error, dimse.FileError)
    assert outcomes[-1].state == "invalid" or outcomes[0].state == "invalid"
    assert any(isinstance(outcome.error, dimse.InaccessiblePath) for outcome in outcomes)


@on_both_faces
@with_one_and_several_jobs
def test_without_a_peer_every_file_is_unsent_and_says_why(folder: Path, send: Send, jobs: int) -> None:
    with StorageSCP() as scp:
        nobody = peer(scp)
    outcomes = send([folder], nobody, jobs=jobs)
    assert states(outcomes) == ["unsent"] * 20
    assert all(isinstance(outcome.error and outcome.error.__cause__, dimse.ConnectError) for outcome in outcomes)


@with_one_and_several_jobs
def test_a_cut_connection_is_made_again_and_nothing_is_lost(folder: Path, jobs: int) -> None:
    with StorageSCP() as scp, Proxy(scp.port, cut_after=iter([9, 7, 12, 5]), seed=1) as port:
        outcomes = send_blocking([folder], peer(port), jobs=jobs, any_order=True, retry=Retry(5, wait=0))
    assert states(outcomes) == ["stored"] * 20
    assert set(scp.sop_instance_uids) == uids_of(outcomes, "stored")
    assert max(outcome.attempts for outcome in outcomes) >= 2


def test_without_retry_a_peer_that_closes_twice_in_a_row_is_given_up(folder: Path) -> None:
    """The rest used to be left after the first time: one file that a peer dies of is not to cost the others."""
    with faulty_peer("closes", after=4) as port:
        outcomes = send_blocking([folder], peer(port))
    assert states(outcomes) == ["stored"] * 4 + ["unknown"] * 2 + ["unsent"] * 14


def test_of_several_jobs_one_that_is_lost_leaves_its_work_to_the_others(folder: Path) -> None:
    with StorageSCP() as scp, Proxy(scp.port, cut_after=iter([8]), seed=5) as port:
        outcomes = send_blocking([folder], peer(port), jobs=2, any_order=True)
    assert states(outcomes).count("stored") >= 19
    assert uids_of(outcomes, "unsent") == set()
    assert uids_of(outcomes, "stored") <= set(scp.sop_instance_uids)


def test_out_of_resources_is_tried_again_on_another_association(folder: Path) -> None:
    statuses = iter([0, 0xA700, 0xA701, 0, 0])
    with StorageSCP(statuses) as scp, Sending([folder], peer(scp), retry=AT_ONCE) as sending:
        events = list(sending.events())
    faults = [event for event in events if isinstance(event, AssociationFault)]
    assert {fault.stage for fault in faults} == {"transfer"}
    assert all(isinstance(fault.error, dimse.StatusError) and fault.again == 0 for fault in faults)
    outcomes = [event for event in events if isinstance(event, Outcome)]
    assert states(outcomes) == ["stored"] * 20
    assert sum(outcome.attempts for outcome in outcomes) == len(scp.instances) == 22


@pytest.mark.parametrize("status", [0x0122, 0xA900, 0xC000])
def test_no_other_failure_is_tried_again(folder: Path, status: int) -> None:
    with StorageSCP(status) as scp:
        outcomes = send_blocking([folder], peer(scp), retry=AT_ONCE)
    assert states(outcomes) == ["refused"] * 20
    assert len(scp.instances) == 20


def test_out_of_resources_for_good_is_tried_as_often_as_asked(folder: Path) -> None:
    def full(instance: SentInstance) -> int:
        return 0xA700 if instance.sop_instance_uid.endswith(".3") else 0

    with StorageSCP(full) as scp:
        outcomes = send_blocking([folder], peer(scp), retry=AT_ONCE)
    assert states(outcomes).count("stored") == 19
    (refused,) = (outcome for outcome in outcomes if outcome.state == "refused")
    assert refused.attempts == 4
    assert scp.sop_instance_uids.count(refused.sop_instance_uid) == 4


@pytest.mark.parametrize("window", [1, 4])
def test_an_instance_that_kills_every_association_does_not_keep_the_others(folder: Path, window: int) -> None:
    class Deadly(StorageSCP):
        def _store(self, request: dimse.StoreRequest) -> int:
            status = super()._store(request)
            if request.sop_instance_uid.endswith(".3"):
                for association in list(self._server._associations):
                    association.abort()
            return status

    with Deadly(async_ops=window) as scp:
        outcomes = send_blocking([folder], peer(scp), retry=AT_ONCE)
    assert states(outcomes).count("stored") == 19
    (unknown,) = (outcome for outcome in outcomes if outcome.state == "unknown")
    assert (unknown.sop_instance_uid[-2:], unknown.attempts) == (".3", 4)


def test_a_peer_that_fails_at_everything_is_given_up(folder: Path) -> None:
    with faulty_peer("aborts") as port, Sending([folder], peer(port), retry=Retry(2, wait=0)) as sending:
        events = list(sending.events())
    outcomes = [event for event in events if isinstance(event, Outcome)]
    assert states(outcomes) == ["unknown"] * 2 + ["unsent"] * 18
    assert [outcome.attempts for outcome in outcomes[:3]] == [3, 3, 0]
    assert [event.again is None for event in events if isinstance(event, AssociationFault)] == [False] * 5 + [True]


@pytest.mark.parametrize(("jobs", "requests"), [(1, 3), (2, 6)])
def test_a_peer_that_is_full_is_asked_again_as_often_as_wanted(folder: Path, jobs: int, requests: int) -> None:
    with faulty_peer("rejects") as port, Proxy(port) as near, Sending(
        [folder], peer(near), jobs=jobs, any_order=True, retry=Retry(2, wait=0)
    ) as sending:  # fmt: skip
        events = list(sending.events())
    faults = [event for event in events if isinstance(event, AssociationFault)]
    assert len(faults) == requests
    assert all(isinstance(fault.error, dimse.AssociationRejected) for fault in faults)
    assert not sending.associated


def test_a_peer_that_does_not_know_us_is_asked_once(folder: Path) -> None:
    with StorageSCP(require_called=True, ae_title="ARCHIVE") as scp, Sending(
        [folder], peer(scp), retry=AT_ONCE, called_ae_title="OTHER"
    ) as sending:  # fmt: skip
        events = list(sending.events())
    (fault,) = (event for event in events if isinstance(event, AssociationFault))
    assert isinstance(fault.error, dimse.AssociationRejected)
    assert fault.again is None


# ---- order


def series_folder(folder: Path) -> dict[str, list[str]]:
    """Six series of ten instances, whose files are mixed; the instances of each, in order."""
    order: dict[str, list[str]] = {}
    for number in range(60):
        series, uid = f"1.9.{number % 6}", f"1.8.{number:03}"
        Instance(uid, rest=element(0x0020, 0x000E, "UI", series.encode())).write(folder / f"{number:03}.dcm")
        order.setdefault(series, []).append(uid)
    return order


def test_a_series_stays_on_one_association_in_order(tmp_path: Path) -> None:
    order = series_folder(tmp_path)
    came: dict[tuple[str, int], list[str]] = {}

    def store(request: dimse.StoreRequest) -> int:
        came.setdefault(request.peer.address, []).append(request.sop_instance_uid)
        return 0

    with dimse.Server((LOOPBACK, 0), dimse.Handlers(store=store), accept_unknown=True) as server:
        outcomes = send_blocking([tmp_path], server.address, jobs=3)
    assert states(outcomes) == ["stored"] * 60
    for series in order.values():
        (sent,) = (uids for uids in came.values() if series[0] in uids)
        assert [uid for uid in sent if uid in series] == series


# ---- journal


@on_both_faces
@with_one_and_several_jobs
def test_a_second_run_sends_what_the_first_has_no_acknowledgement_of(folder: Path, send: Send, jobs: int) -> None:
    journal = folder / "journal"
    statuses = {f".{number}": 0xC000 for number in (3, 7)}
    with StorageSCP(lambda one: statuses.get(one.sop_instance_uid[-2:], 0)) as scp:
        first = send(sorted(folder.glob("*.dcm")), peer(scp), journal=journal, jobs=jobs, any_order=True)
        assert states(first).count("refused") == 2
        statuses.clear()
        second = send(sorted(folder.glob("*.dcm")), peer(scp), journal=journal, jobs=jobs, any_order=True)
        third = send(sorted(folder.glob("*.dcm")), peer(scp), journal=journal, jobs=jobs, any_order=True)
    assert sorted(states(second)) == ["already"] * 18 + ["stored"] * 2
    assert states(third) == ["already"] * 20
    assert len(scp.instances) == 22


def test_another_peer_has_a_journal_of_its_own(folder: Path) -> None:
    for title in ("ONE", "TWO"):
        with StorageSCP() as scp:
            outcomes = send_blocking(
                sorted(folder.glob("*.dcm")), peer(scp), journal=folder / "j", called_ae_title=title
            )
        assert states(outcomes) == ["stored"] * 20


def test_a_journal_that_cannot_be_used_is_an_error_before_anything_is_sent(folder: Path) -> None:
    with StorageSCP() as scp, pytest.raises(dimse.JournalError, match=r"1\.dcm"):
        send_blocking([folder], peer(scp), journal=folder / "1.dcm")
    assert scp.instances == []


# ---- contexts that are found out about late


def test_a_later_file_that_needs_another_context_opens_another_association(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "GATHERING", 0)
    Instance("1.2.9", uids.MRImageStorage).write(folder / "9.later.dcm")
    with StorageSCP() as scp, Proxy(scp.port) as port:
        outcomes = send_blocking([folder], peer(port))
    assert states(outcomes) == ["stored"] * 21


def test_a_later_file_is_not_re_encoded_where_the_fall_back_would_take_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "GATHERED", 1)
    files = [get_testdata_file(name, download=False) for name in ("MR_small.dcm", "MR_small_implicit.dcm")]
    with StorageSCP() as scp:
        outcomes = send_blocking(files, peer(scp))
    assert states(outcomes) == ["stored"] * 2
    assert [outcome.context and outcome.context.transfer_syntax for outcome in outcomes] == [
        uids.ExplicitVRLittleEndian,
        uids.ImplicitVRLittleEndian,
    ]


# ---- called off


def test_aborting_from_another_thread_accounts_for_everything(folder: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def store(request: dimse.StoreRequest) -> int:
        if request.message_id == 5:
            begun.set()
            go_on.wait()
        return 0

    with dimse.Server((LOOPBACK, 0), dimse.Handlers(store=store)) as server, Sending(
        [folder], server.address, retry=AT_ONCE
    ) as sending:  # fmt: skip

        def stop() -> None:
            begun.wait()
            assert sending.abort()
            go_on.set()

        thread = threading.Thread(target=stop)
        thread.start()
        outcomes = [event for event in sending.events() if isinstance(event, Outcome)]
        thread.join()
    assert states(outcomes) == ["stored"] * 4 + ["unknown"] + ["unsent"] * 15


@with_one_and_several_jobs
def test_leaving_the_loop_ends_the_associations(folder: Path, jobs: int) -> None:
    before = threading.active_count()
    with StorageSCP() as scp:
        threads = threading.active_count()
        outcomes: Iterator[Outcome] = dimse.send([folder], peer(scp), jobs=jobs, any_order=True)
        assert next(outcomes).state == "stored"
        outcomes.close()  # type: ignore[attr-defined]  # a generator's
        assert len(scp.instances) < 20 or jobs > 1
    assert threading.active_count() <= before + (threads - before)


def test_a_cancelled_task_ends_the_associations(folder: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def store(request: dimse.StoreRequest) -> int:
        if request.message_id == 5:
            begun.set()
            go_on.wait(20)
        return 0

    async def run(address: tuple[str, int]) -> int:
        came = 0
        four_came = asyncio.Event()

        async def collect() -> None:
            nonlocal came
            async for outcome in aio.send([folder], address):
                came += outcome.state == "stored"
                if came == 4:
                    four_came.set()

        task = asyncio.create_task(collect())
        await asyncio.to_thread(begun.wait)
        # These outcomes arrive while the fifth instance is under way.
        await four_came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        return came

    with dimse.Server((LOOPBACK, 0), dimse.Handlers(store=store)) as server:
        assert asyncio.run(run(server.address)) == 4


# ---- what is found slowly, and jobs that wait


def test_what_is_found_is_sent_though_the_rest_is_not_here_yet(folder: Path) -> None:
    files = sorted(folder.glob("*.dcm"))
    with StorageSCP() as scp:

        def slowly() -> Iterator[Path | None]:
            for number, path in enumerate(files[:3]):
                while len(scp.instances) < number:
                    yield None  # nothing for the moment
                yield path

        outcomes = send_blocking(slowly(), peer(scp))
    assert states(outcomes) == ["stored"] * 3


def test_a_job_that_waits_for_another_attempt_leaves_its_work_to_the_others(folder: Path) -> None:
    long = Retry(3, wait=1000, longest=1000)
    with StorageSCP() as scp, Proxy(scp.port, cut_after=iter([7]), seed=2) as port:
        outcomes = send_blocking([folder], peer(port), jobs=2, retry=long)
    assert states(outcomes) == ["stored"] * 20


# ---- wrong arguments


@pytest.mark.parametrize(
    ("wrong", "why"),
    [({"jobs": 0}, "at least one job"), ({"repeat": 0}, "at least once"), ({"repeat": 2, "journal": "j"}, "journal")],
)
def test_arguments_that_make_no_sense_are_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        send_blocking(["x"], (LOOPBACK, 1), **wrong)
