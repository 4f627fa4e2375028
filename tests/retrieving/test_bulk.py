"""The retrieval of many studies, from an SCP in this process that keeps, loses, refuses and breaks off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import dimse
from dimse import retrieving, uids
from dimse.archive.stored import Stored
from dimse.retrieving import BulkRetrieval, Destination, Retry, StudyResult, retrieve
from dimse.services.retrieve_scp import MoveTo, RetrieveRequest
from dimse.testing import QueryRetrieveSCP, query_retrieve
from tests.interop.peers import free_port

SERIES, IMAGES = 2, 5
AT_ONCE = Retry(3, wait=0)


def instance(study: int, series: int, number: int) -> dict[str, str]:
    return {
        "SOPClassUID": uids.CTImageStorage if series == 1 else uids.MRImageStorage,
        "SOPInstanceUID": f"1.2.{study}.{series}.{number}",
        "StudyInstanceUID": f"1.2.{study}",
        "SeriesInstanceUID": f"1.2.{study}.{series}",
        "PatientID": "P1",
        "Modality": "CT",
    }


def study(number: int) -> list[dict[str, str]]:
    return [instance(number, series, image) for series in range(1, SERIES + 1) for image in range(1, IMAGES + 1)]


ARCHIVE = [each for number in (1, 2, 3) for each in study(number)]
STUDIES = ["1.2.1", "1.2.2", "1.2.3"]


class Imperfect(QueryRetrieveSCP):
    """An SCP whose answers to C-GETs are changed by a function, which is given the number of the request, from 1."""

    def __init__(self, change: Any, **options: Any) -> None:
        super().__init__(ARCHIVE, **options)
        self.change = change

    def get(self, request: RetrieveRequest) -> Any:
        found = super().get(request)
        return self.change(len(self.retrievals), found)


def all_of(
    scp: QueryRetrieveSCP, folder: Path, studies: Any = tuple(STUDIES), **options: Any
) -> dict[str, StudyResult]:
    found = list(retrieve(studies, ("127.0.0.1", scp.port), folder, **options))
    assert len({result.study_instance_uid for result in found}) == len(found)
    return {result.study_instance_uid: result for result in found}


def names(folder: Path) -> set[str]:
    return {path.name[3:] for path in folder.iterdir()}


def expected_names(*numbers: int) -> set[str]:
    return {each["SOPInstanceUID"] for number in numbers for each in study(number)}


@pytest.fixture
def scp() -> Iterator[QueryRetrieveSCP]:
    with QueryRetrieveSCP(ARCHIVE) as scp:
        yield scp


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "in"


@pytest.mark.parametrize("jobs", [1, 3])
def test_studies_are_complete(scp: QueryRetrieveSCP, folder: Path, jobs: int) -> None:
    found = all_of(scp, folder, jobs=jobs)
    assert {(result.state, result.method, result.expected, result.stored) for result in found.values()} == {
        ("complete", "get", 10, 10)
    }
    assert names(folder) == expected_names(1, 2, 3)


@pytest.mark.parametrize("jobs", [1, 3])
def test_studies_come_by_c_move(scp: QueryRetrieveSCP, folder: Path, jobs: int) -> None:
    port = free_port()
    scp.destinations["ME"] = ("127.0.0.1", port)
    found = all_of(scp, folder, jobs=jobs, method="move", destination=Destination("ME", ("127.0.0.1", port)))
    assert [result.method for result in found.values()] == ["move"] * 3
    assert all(result.state == "complete" for result in found.values())
    assert names(folder) == expected_names(1, 2, 3)


def test_a_study_that_the_peer_does_not_know_is_failed(scp: QueryRetrieveSCP, folder: Path) -> None:
    found = all_of(scp, folder, ["1.2.1", "9.9"], retry=AT_ONCE)
    assert found["1.2.1"].is_complete
    assert (found["9.9"].state, str(found["9.9"].error)) == ("failed", "the peer lists no instance of it")


def test_a_journal_is_taken_up_at_the_instance_that_is_missing(
    scp: QueryRetrieveSCP, folder: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.db"
    all_of(scp, folder, journal=journal)
    asked = len(scp.retrievals), len(scp.requests)
    again = all_of(scp, folder, journal=journal)
    assert {result.state for result in again.values()} == {"already"}
    assert (len(scp.retrievals), len(scp.requests)) == asked
    (folder / "MR.1.2.2.2.4").unlink()
    again = all_of(scp, folder, journal=journal)
    assert again["1.2.2"].state == "complete"
    assert again["1.2.2"].stored == 10
    request = scp.retrievals[-1]
    assert len(scp.retrievals) == asked[0] + 1
    assert (request.level, request.identifier.text("SOPInstanceUID")) == ("IMAGE", "1.2.2.2.4")
    assert names(folder) == expected_names(1, 2, 3)


def test_an_instance_that_the_peer_leaves_out_makes_a_study_partial(folder: Path) -> None:
    with Imperfect(lambda number, found: found[1:]) as scp:
        found = all_of(scp, folder)
    for result in found.values():
        assert (result.state, result.stored, result.expected) == ("partial", 9, 10)
        assert result.missing == (f"{result.study_instance_uid}.1.1",)
        assert "1 of its instances did not come" in str(result.error)


def test_what_is_missing_is_asked_for_again(folder: Path) -> None:
    with Imperfect(lambda number, found: found[3:] if number == 1 else found) as scp:
        found = all_of(scp, folder, ["1.2.1"], retry=AT_ONCE)
    assert (found["1.2.1"].state, found["1.2.1"].attempts) == ("complete", 2)
    again = scp.retrievals[1].identifier
    assert again.text("SOPInstanceUID") == "1.2.1.1.1\\1.2.1.1.2\\1.2.1.1.3"


def test_a_series_that_is_missing_is_asked_for_as_a_whole(folder: Path) -> None:
    with Imperfect(lambda number, found: found[IMAGES:] if number == 1 else found) as scp:
        found = all_of(scp, folder, ["1.2.1"], retry=AT_ONCE)
    assert found["1.2.1"].state == "complete"
    assert (scp.retrievals[1].level, scp.retrievals[1].identifier.text("SeriesInstanceUID")) == ("SERIES", "1.2.1.1")


def test_a_failure_status_that_may_pass_is_tried_again(folder: Path) -> None:
    with Imperfect(lambda number, found: 0xA702 if number < 3 else found) as scp:
        found = all_of(scp, folder, ["1.2.1"], retry=AT_ONCE)
    assert (found["1.2.1"].state, found["1.2.1"].attempts) == ("complete", 3)


def test_a_failure_status_that_stays_is_not_tried_again(folder: Path) -> None:
    with Imperfect(lambda number, found: 0xA900) as scp:
        found = all_of(scp, folder, ["1.2.1"], retry=AT_ONCE)
        assert len(scp.retrievals) == 1
    assert found["1.2.1"].state == "failed"
    assert "0xA900" in str(found["1.2.1"].error)


def test_c_move_takes_the_place_of_a_c_get_that_brings_nothing(folder: Path) -> None:
    port = free_port()
    with Imperfect(lambda number, found: 0xC000, destinations={"ME": ("127.0.0.1", port)}) as scp:
        found = all_of(scp, folder, destination=Destination("ME", ("127.0.0.1", port)))
    assert [result.method for result in found.values()] == ["move"] * 3
    assert all(result.is_complete for result in found.values())
    # What has worked is used for the other studies too.
    assert len(scp.retrievals) == 4


class Breaker:
    """A hook that has the SCP abort all associations when the fourth instance has been stored."""

    def __init__(self, scp: QueryRetrieveSCP) -> None:
        self.scp, self.stored = scp, 0

    def __call__(self, stored: Stored) -> None:
        self.stored += 1
        if self.stored == 4:
            for association in list(self.scp._server._associations):
                association.abort()


def test_an_association_that_ends_is_requested_again(scp: QueryRetrieveSCP, folder: Path) -> None:
    found = all_of(scp, folder, ["1.2.1"], retry=AT_ONCE, stored=Breaker(scp))
    assert (found["1.2.1"].state, found["1.2.1"].attempts) == ("complete", 2)
    # The first series is one instance short, and the second one has not come at all.
    assert [request.level for request in scp.retrievals] == ["STUDY", "SERIES", "IMAGE"]
    assert names(folder) == expected_names(1)


def test_without_a_retry_it_is_partial(scp: QueryRetrieveSCP, folder: Path) -> None:
    found = all_of(scp, folder, ["1.2.1"], stored=Breaker(scp))
    assert (found["1.2.1"].state, found["1.2.1"].stored, len(found["1.2.1"].missing)) == ("partial", 4, 6)
    assert isinstance(found["1.2.1"].error, dimse.AssociationError)


def test_a_study_that_grows_is_listed_again(folder: Path) -> None:
    class Grows(QueryRetrieveSCP):
        def get(self, request: RetrieveRequest) -> Any:
            if not self.retrievals:
                more = [instance(1, 3, number) for number in (1, 2)]
                self._given += more
                self.entities += [query_retrieve._attributes_of(each) for each in more]
            return super().get(request)

    with Grows(study(1)) as scp:
        found = all_of(scp, folder, ["1.2.1"])
    assert (found["1.2.1"].state, found["1.2.1"].expected, found["1.2.1"].stored) == ("complete", 12, 12)


def test_counts_are_believed_where_the_user_asks_for_it(scp: QueryRetrieveSCP, folder: Path) -> None:
    found = all_of(scp, folder, expect="count")
    assert {(result.state, result.expected, result.stored) for result in found.values()} == {("complete", None, 10)}
    assert scp.requests == []


def test_instances_of_another_study_are_counted(folder: Path) -> None:
    class SendsMore(QueryRetrieveSCP):
        def move(self, request: RetrieveRequest) -> Any:
            self.retrievals.append(request)
            more = [query_retrieve._storable(each, query_retrieve._attributes_of(each)) for each in study(9)]
            return MoveTo(self.destinations["ME"], [*cast(list[Any], self.matching_instances(request)), *more])

    port = free_port()
    destination = Destination("ME", ("127.0.0.1", port))
    with (
        SendsMore(ARCHIVE, destinations={"ME": ("127.0.0.1", port)}) as scp,
        BulkRetrieval(["1.2.1"], ("127.0.0.1", scp.port), folder, method="move", destination=destination) as retrieval,
    ):
        (result,) = retrieval.results()
        assert result.is_complete
    assert retrieval.arrivals.strays == 10


def test_a_peer_that_does_not_answer_is_given_up(folder: Path) -> None:
    studies = iter([f"1.2.{number}" for number in range(1000)])
    port = free_port()
    with BulkRetrieval(studies, ("127.0.0.1", port), folder) as retrieval:
        results = list(retrieval.results())
    assert [result.state for result in results] == ["failed"] * 5
    assert isinstance(retrieval.failure, dimse.ConnectError)
    assert next(studies) == "1.2.5"


def test_the_list_is_taken_as_it_is_needed(scp: QueryRetrieveSCP, folder: Path) -> None:
    taken = []

    def studies() -> Iterator[str]:
        for number in range(1_000_000):
            taken.append(number)
            yield "1.2.1" if number % 2 else "1.2.2"

    with BulkRetrieval(studies(), ("127.0.0.1", scp.port), folder) as retrieval:
        results = retrieval.results()
        next(results)
        assert len(taken) < 200
    assert not any(thread.name == "dimse-retrieve" for thread in threading.enumerate())


def test_jobs_wait_where_the_peer_takes_one_association(folder: Path) -> None:
    with QueryRetrieveSCP(ARCHIVE, limits=dimse.Limits(associations=1)) as scp:
        found = all_of(scp, folder, jobs=3)
    assert {result.state for result in found.values()} == {"complete"}


def test_a_retrieval_that_is_aborted_ends(folder: Path) -> None:
    is_asked, may_go_on = threading.Event(), threading.Event()

    def wait(number: int, found: Any) -> Any:
        is_asked.set()
        may_go_on.wait(20)
        return found

    with (
        Imperfect(wait) as scp,
        BulkRetrieval(STUDIES, ("127.0.0.1", scp.port), folder) as retrieval,
    ):
        ending = threading.Thread(target=lambda: (is_asked.wait(20), retrieval.abort()))
        ending.start()
        results = list(retrieval.results())
        ending.join()
        may_go_on.set()
    assert [result.state for result in results] == ["failed"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"jobs": 0}, "at least one job"),
        ({"method": "push"}, "method is one of"),
        ({"expect": "luck"}, "expect is one of"),
        ({"method": "move"}, "needs a destination"),
        ({"model": "none"}, "none"),
        ({"called_ae_title": "x" * 17}, "called_ae_title|AE title"),
    ],
)
def test_a_wrong_argument_is_told_at_the_call(folder: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        retrieve(["1.2.3"], ("127.0.0.1", 104), folder, **options)
    assert not folder.exists()


async def _collected(port: int, folder: Path) -> list[StudyResult]:
    return [result async for result in dimse.aio.retrieve(STUDIES, ("127.0.0.1", port), folder, jobs=2)]


def test_the_asyncio_face_yields_the_same_results(scp: QueryRetrieveSCP, folder: Path) -> None:
    found = asyncio.run(_collected(scp.port, folder))
    assert {(result.state, result.stored) for result in found} == {("complete", 10)}
    assert len(found) == 3


def test_a_loop_on_asyncio_may_be_left_early(scp: QueryRetrieveSCP, folder: Path) -> None:
    async def first() -> StudyResult | None:
        results = dimse.aio.retrieve(STUDIES, ("127.0.0.1", scp.port), folder)
        async for result in results:
            await cast(Any, results).aclose()
            return result
        return None

    result = asyncio.run(first())
    assert result is not None and result.is_complete
    assert not any(thread.name == "dimse-retrieve" for thread in threading.enumerate())


# --- lists and peers that do what they should not ---


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_study_that_is_named_more_than_once_is_retrieved_by_one_job_at_a_time(
    scp: QueryRetrieveSCP, folder: Path, jobs: int, tmp_path: Path
) -> None:
    peer = ("127.0.0.1", scp.port)
    found = list(retrieve(["1.2.1"] * 6, peer, folder, jobs=jobs, journal=tmp_path / "journal.db"))
    assert [result.state for result in found] == ["complete"] + ["already"] * 5
    assert len(scp.retrievals) == 1
    assert names(folder) == expected_names(1)


@pytest.mark.parametrize("expect", ["find", "count"])
@pytest.mark.parametrize("given", ["", " ", "*", "1.2.*", "1.2.1\\1.2.2", "1.2.1\n", "é", "1" * 65])
def test_what_would_match_other_studies_is_not_asked_for(
    scp: QueryRetrieveSCP, folder: Path, given: str, expect: Any
) -> None:
    found = all_of(scp, folder, [given, "1.2.3"], expect=expect)
    assert found[given].state == "failed"
    assert "is not a UID" in str(found[given].error)
    assert found["1.2.3"].is_complete
    assert names(folder) == expected_names(3)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_result_does_not_wait_for_the_rest_of_the_list(scp: QueryRetrieveSCP, folder: Path, jobs: int) -> None:
    goes_on = threading.Event()

    def studies() -> Iterator[str]:
        yield "1.2.1"
        assert goes_on.wait(10)
        yield "1.2.2"

    with BulkRetrieval(studies(), ("127.0.0.1", scp.port), folder, jobs=jobs) as retrieval:
        results = retrieval.results()
        assert next(results).is_complete
        goes_on.set()
        assert next(results).is_complete


def test_an_abort_does_not_wait_for_the_rest_of_the_list(
    scp: QueryRetrieveSCP, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieving, "LEAVING", 0.2)
    ends, waited = threading.Event(), []

    def studies() -> Iterator[str]:
        yield "1.2.1"
        waited.append(ends.wait(10))

    with BulkRetrieval(studies(), ("127.0.0.1", scp.port), folder) as retrieval:
        results = retrieval.results()
        assert next(results).is_complete
        retrieval.abort()
        assert list(results) == []
        assert waited == []
        ends.set()


def test_results_that_are_taken_slowly_end_after_an_abort(
    scp: QueryRetrieveSCP, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieving, "MOST_RESULTS", 1)
    with BulkRetrieval(["1.2.1", "1.2.2", "1.2.3"], ("127.0.0.1", scp.port), folder) as retrieval:
        results = retrieval.results()
        next(results)
        retrieval.abort()
        # The job drops what it has to tell, its end among it, because nothing is taken.
        for thread in retrieval._threads:
            thread.join(20)
        assert len(list(results)) <= 1


def test_a_file_of_one_peer_does_not_stand_for_that_of_another(folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    more = [*study(1), instance(1, 3, 1), instance(1, 3, 2)]
    with QueryRetrieveSCP(study(1)) as one, QueryRetrieveSCP(more) as other:
        for scp in (one, other):
            assert all_of(scp, folder, ["1.2.1"], journal=journal)["1.2.1"].state == "complete"
        for name in ("CT.1.2.1.1.1", "CT.1.2.1.1.2"):
            (folder / name).unlink()
        assert all_of(one, folder, ["1.2.1"], journal=journal)["1.2.1"].state == "complete"
    assert expected_names(1) <= names(folder)


def test_what_an_earlier_run_brought_does_not_stand_for_what_the_peer_counts(folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    with QueryRetrieveSCP([instance(1, 3, 1)]) as scp:
        assert all_of(scp, folder, ["1.2.1"], journal=journal)["1.2.1"].is_complete

    # One instance comes twice in the place of another.
    class SendsTwice(QueryRetrieveSCP):
        def move(self, request: RetrieveRequest) -> Any:
            found = cast(list[Any], self.matching_instances(request))
            return MoveTo(self.destinations["ME"], [*found[1:], found[-1]])

    port = free_port()
    to_me = Destination("ME", ("127.0.0.1", port))
    with SendsTwice(ARCHIVE, destinations={"ME": ("127.0.0.1", port)}) as scp:
        options: Any = {"expect": "count", "method": "move", "destination": to_me, "settle": 0.1}
        found = all_of(scp, folder, ["1.2.1"], journal=journal, **options)
    assert (found["1.2.1"].state, found["1.2.1"].stored) == ("partial", 10)


def test_instances_whose_data_set_names_another_study_are_found_in_the_journal(folder: Path, tmp_path: Path) -> None:
    class Renames(QueryRetrieveSCP):
        def get(self, request: RetrieveRequest) -> Any:
            found = cast(list[Any], super().get(request))
            for each in found:
                each.StudyInstanceUID = "9.9"
            return found

    journal = tmp_path / "journal.db"
    with Renames(ARCHIVE) as scp:
        states = [all_of(scp, folder, ["1.2.1"], journal=journal)["1.2.1"].state for _ in range(2)]
    assert states == ["complete", "already"]


@pytest.mark.parametrize("method", ["get", "move"])
def test_only_some_classes_are_wanted(scp: QueryRetrieveSCP, folder: Path, tmp_path: Path, method: Any) -> None:
    port = free_port()
    scp.destinations["ME"] = ("127.0.0.1", port)
    options: dict[str, Any] = {
        "method": method,
        "journal": tmp_path / "journal.db",
        "destination": Destination("ME", ("127.0.0.1", port)),
    }
    found = all_of(scp, folder, ["1.2.1"], sop_classes=[uids.CTImageStorage], **options)["1.2.1"]
    assert (found.state, found.expected, found.stored) == ("complete", IMAGES, IMAGES)
    assert names(folder) == {f"1.2.1.1.{number}" for number in range(1, IMAGES + 1)}
    assert [request.level for request in scp.retrievals] == ["SERIES"]
    # The rest of the study is still to come.
    found = all_of(scp, folder, ["1.2.1"], **options)["1.2.1"]
    assert (found.state, found.stored) == ("complete", 2 * IMAGES)
    assert names(folder) == expected_names(1)
    none = all_of(scp, folder, ["1.2.2"], sop_classes=[uids.UltrasoundImageStorage], **options)["1.2.2"]
    assert str(none.error) == "the peer lists no instance of it that is wanted"


@pytest.mark.thorough
def test_a_study_of_very_many_sop_classes_comes_over_several_associations(folder: Path) -> None:
    every = [
        instance(1, 1, number) | {"SOPClassUID": uid} for number, uid in enumerate(sorted(uids.STORAGE_SOP_CLASSES), 1)
    ]
    with QueryRetrieveSCP(every) as scp:
        found = all_of(scp, folder, ["1.2.1"])["1.2.1"]
    assert (found.state, found.stored) == ("complete", len(every))
    assert len(list(folder.iterdir())) == len(every)
    assert len(scp.retrievals) > 1
