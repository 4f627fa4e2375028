"""Storage Commitment as SCP: asked on each driver, answered by either face, reported on the same or on another association."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydicom import DataElement, Dataset
from pydicom.config import IGNORE

import dimse
from dimse import uids
from dimse.errors import OperationTimeout, StatusError
from dimse.message.command import NActionRQ
from dimse.services import Association
from dimse.settings import ProposedContext, Role
from tests.drivers import Driver, Face, errors, on_both_faces, on_each_driver, running
from tests.faulty_peer import Connection, FaultyPeer
from tests.services.test_storage_commitment import ASKED, SAFE, SYNTAXES, TRANSACTION, encode, references

PUSH_MODEL, INSTANCE = uids.StorageCommitmentPushModel, uids.StorageCommitmentPushModelInstance
CONTEXTS = (PUSH_MODEL, uids.Verification)


class Judge:
    """A handler that takes every request, and reports at once.

    Args:
        failed: The reasons that it reports.
        wait: Seconds before the report.

    Attributes:
        asked: The requests that came.
        reported: Those whose reports were taken.
        missed: Those whose reports were not.
    """

    def __init__(self, failed: dict[str, int] | None = None, wait: float = 0.0) -> None:
        self.asked: list[dimse.CommitmentRequest] = []
        self.reported: list[dimse.CommitmentRequest] = []
        self.missed: list[dimse.CommitmentRequest] = []
        self.settled = threading.Event()
        self._failed, self._wait = failed or {}, wait

    def commit(self, request: dimse.CommitmentRequest) -> dimse.ReportLater:
        """Take a request."""
        self.asked.append(request)
        return dimse.ReportLater(lambda _: self._failed, self._wait, self._take, self._miss)

    async def commit_later(self, request: dimse.CommitmentRequest) -> dimse.ReportLater:
        """Take a request, as a coroutine function whose judge is one too."""

        async def judge(_: dimse.CommitmentRequest) -> dict[str, int]:
            return self._failed

        self.asked.append(request)
        return dimse.ReportLater(judge, self._wait, self._take, self._miss)

    def _take(self, request: dimse.CommitmentRequest) -> None:
        self.reported.append(request)
        self.settled.set()

    def _miss(self, request: dimse.CommitmentRequest) -> None:
        self.missed.append(request)
        self.settled.set()


def scp(face: Face, handler: Any, **options: Any) -> Any:
    return running(face, dimse.Handlers(commit=handler), ae_title="ARCHIVE", contexts=CONTEXTS, **options)


# --- the report on the association of the request ---


@on_both_faces
@on_each_driver
@pytest.mark.parametrize("syntax", SYNTAXES, ids=uids.name)
@pytest.mark.parametrize("is_coroutine", [False, True], ids=["def", "async def"])
async def test_a_peer_gets_its_report(driver: Driver, face: Face, syntax: str, is_coroutine: bool) -> None:
    judge = Judge({"1.2.3.2": 0x0112})
    with scp(face, judge.commit_later if is_coroutine else judge.commit) as server:
        context = ProposedContext(PUSH_MODEL, (syntax,))
        async with await driver.associate(
            server.address[1], [context], calling_ae_title="MODALITY", called_ae_title="ARCHIVE"
        ) as association:
            commitment = await association.request_commitment(ASKED, transaction_uid=TRANSACTION)
        assert commitment.transaction_uid == TRANSACTION
        assert commitment.committed == {"1.2.3.1", "1.2.3.3"}
        assert commitment.failed == {"1.2.3.2": 0x0112}
        assert judge.settled.wait(10)
    [request] = judge.asked
    assert (request.transaction_uid, request.references) == (TRANSACTION, tuple(ASKED))
    assert (request.peer.ae_title, request.called_ae_title, request.can_report_here) == ("MODALITY", "ARCHIVE", True)
    assert (judge.reported, judge.missed) == ([request], [])


@on_each_driver
async def test_other_requests_are_answered_before_the_report_is_due(driver: Driver) -> None:
    judge = Judge(wait=0.2)
    with scp("threads", judge.commit) as server:
        taken: list[dimse.Commitment] = []

        def take(commitment: dimse.Commitment) -> int:
            taken.append(commitment)
            return 0x0000

        handlers = dimse.Handlers(commitment=take)
        async with await driver.associate(server.address[1], CONTEXTS, handlers=handlers) as association:
            begun = [await association.begin_commitment(ASKED) for _ in range(20)]
            assert await association.echo() == 0x0000
            await association.serve(10, until=lambda: len(taken) == 20)
    assert [commitment.transaction_uid for commitment in taken] == begun
    assert {commitment.committed for commitment in taken} == {SAFE}


@on_each_driver
async def test_each_reference_is_reported_once(driver: Driver) -> None:
    judge = Judge()
    with scp("threads", judge.commit) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            commitment = await association.request_commitment([*ASKED, *ASKED])
    assert judge.asked[0].references == tuple(ASKED)
    assert commitment.committed == SAFE


@on_each_driver
async def test_too_many_references_that_wait_are_refused(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dimse.services.storage_commitment_scp.MOST_WAITING", 7)
    judge = Judge(wait=60)
    with scp("threads", judge.commit) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            statuses = []
            for _ in range(3):
                try:
                    await association.begin_commitment(ASKED)
                    statuses.append(0x0000)
                except StatusError as error:
                    statuses.append(int(error.status))
            assert statuses == [0x0000, 0x0000, 0x0213]


@pytest.mark.thorough
@on_each_driver
async def test_the_most_references_are_reported(driver: Driver) -> None:
    asked = [(uids.CTImageStorage, f"1.2.826.0.1.3680043.10.999.{'7' * 30}.{number}") for number in range(10_000)]
    judge = Judge({uid: 0x0112 for _, uid in asked})
    with scp("threads", judge.commit) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            commitment = await association.request_commitment(asked)
    assert commitment.failed == {uid: 0x0112 for _, uid in asked}


# --- no report on that association ---


@on_both_faces
@on_each_driver
async def test_a_peer_that_has_released_the_association_misses_its_report(driver: Driver, face: Face) -> None:
    judge = Judge(wait=60)
    with scp(face, judge.commit) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            await association.begin_commitment(ASKED)
        assert judge.settled.wait(10)
        assert judge.missed == judge.asked
    assert judge.reported == []


@on_both_faces
@on_each_driver
async def test_a_peer_that_has_aborted_the_association_misses_its_report(driver: Driver, face: Face) -> None:
    judge = Judge(wait=60)
    with scp(face, judge.commit) as server:
        association = await driver.associate(server.address[1], CONTEXTS)
        await association.begin_commitment(ASKED)
        association.abort()
        assert judge.settled.wait(10)
        assert judge.missed == judge.asked


@on_both_faces
@on_each_driver
async def test_a_server_that_ends_misses_the_report(driver: Driver, face: Face) -> None:
    judge = Judge(wait=60)
    with scp(face, judge.commit) as server:
        association = await driver.associate(server.address[1], CONTEXTS)
        await association.begin_commitment(ASKED)
    assert judge.settled.wait(10)
    assert judge.missed == judge.asked
    association.abort()


@on_each_driver
@pytest.mark.parametrize("status", [0x0110, 0x0115, 0x0211])
async def test_a_report_that_the_peer_refuses_is_missed_and_the_association_stands(driver: Driver, status: int) -> None:
    judge = Judge()
    with scp("threads", judge.commit) as server:
        refused: list[dimse.Commitment] = []

        def refuse(commitment: dimse.Commitment) -> int:
            refused.append(commitment)
            return status

        handlers = dimse.Handlers(commitment=refuse)
        async with await driver.associate(server.address[1], CONTEXTS, handlers=handlers) as association:
            await association.begin_commitment(ASKED)
            await association.serve(10, until=lambda: bool(refused))
            assert await association.echo() == 0x0000
            assert judge.settled.wait(10)
    assert (judge.missed, judge.reported) == (judge.asked, [])


def answers_nothing(connection: Connection) -> None:
    """Ask for the commitment to one instance, and answer nothing."""
    connection.accept()
    connection.drain()


@on_both_faces
@on_each_driver
async def test_a_report_without_an_answer_is_missed(driver: Driver, face: Face) -> None:
    judge = Judge()
    with scp(face, judge.commit, timeouts=dimse.Timeouts(dimse=0.2)) as server:
        association = await driver.associate(server.address[1], CONTEXTS)
        await association.begin_commitment(ASKED)
        # The association is not served, so that the report stays unanswered.
        assert judge.settled.wait(10)
        assert (judge.missed, judge.reported) == (judge.asked, [])
        association.abort()


@on_each_driver
async def test_a_judge_that_fails_leaves_the_report_missed(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    missed = threading.Event()

    def fail(_: dimse.CommitmentRequest) -> dict[str, int]:
        raise RuntimeError("the disk is gone")

    def commit(_: dimse.CommitmentRequest) -> dimse.ReportLater:
        return dimse.ReportLater(fail, 0.0, missed=lambda _: missed.set())

    with scp("threads", commit) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            with pytest.raises(OperationTimeout):
                await association.request_commitment(ASKED, wait=0.2)
            assert missed.is_set()
            assert await association.echo() == 0x0000
    assert "the disk is gone" in "\n".join(errors(caplog))


@on_each_driver
@pytest.mark.parametrize("returned", [None, 0, ["1.2.3.1"], {"1.2.3.1": 0x10000}, {"1.2.3.1": None}], ids=repr)
async def test_a_judge_that_returns_nonsense_leaves_the_report_missed(driver: Driver, returned: Any) -> None:
    missed = threading.Event()
    answer = dimse.ReportLater(lambda _: returned, 0.0, missed=lambda _: missed.set())
    with scp("threads", lambda _: answer) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            await association.begin_commitment(ASKED)
            assert missed.wait(10)
            assert await association.echo() == 0x0000


@on_each_driver
async def test_a_peer_without_the_role_for_it_is_not_reported_to(driver: Driver) -> None:
    judge = Judge()
    with scp("threads", judge.commit, roles=[Role(PUSH_MODEL, scu=True, scp=True)]) as server:
        roles = [Role(PUSH_MODEL, scu=False, scp=True)]
        async with await driver.associate(server.address[1], CONTEXTS, roles=roles) as association:
            assert await ask(association, good()) == 0x0000
            assert judge.settled.wait(10)
    assert (judge.missed, judge.asked[0].can_report_here) == (judge.asked, False)


# --- the report on an association of ours ---


@on_both_faces
@on_each_driver
async def test_a_program_reports_over_an_association_of_its_own(driver: Driver, face: Face) -> None:
    taken: list[dimse.Commitment] = []

    def take(commitment: dimse.Commitment) -> int:
        taken.append(commitment)
        return dimse.Status(0x0001, comment="late")

    with running(face, dimse.Handlers(commitment=take)) as server:
        async with await driver.associate(
            server.address[1], [PUSH_MODEL], roles=[Role(PUSH_MODEL, scu=False, scp=True)]
        ) as association:
            failed = {"1.2.3.3": 0x0119, "9.9": 0x0110}
            assert await association.report_commitment(TRANSACTION, ASKED, failed) == 0x0001
            assert await association.report_commitment(TRANSACTION, iter(ASKED)) == 0x0001
            with pytest.raises(ValueError, match="1 to 10000 instances"):
                await association.report_commitment(TRANSACTION, [])
            with pytest.raises(ValueError, match="0 to 0xFFFF"):
                await association.report_commitment(TRANSACTION, ASKED, {"1.2.3.1": 0x10000})
    first, second = taken
    assert first.committed == {"1.2.3.1", "1.2.3.2"}
    assert first.failed == {"1.2.3.3": 0x0119}
    assert (second.committed, second.failed) == (SAFE, {})


def test_the_blocking_face_reports_too() -> None:
    taken: list[dimse.Commitment] = []

    def take(commitment: dimse.Commitment) -> int:
        taken.append(commitment)
        return 0x0000

    with running("threads", dimse.Handlers(commitment=take)) as server:
        role = Role(PUSH_MODEL, scu=False, scp=True)
        with dimse.associate(*server.address, contexts=[PUSH_MODEL], roles=[role]) as association:
            assert association.report_commitment(TRANSACTION, ASKED) == 0x0000
    assert taken[0].committed == SAFE


# --- requests that are refused ---


async def ask(association: Association, data_set: bytes | None, **changes: Any) -> int:
    """Send a request, and return the status that answers it."""
    said: dict[str, Any] = {
        "requested_sop_class_uid": PUSH_MODEL,
        "requested_sop_instance_uid": INSTANCE,
        "action_type_id": 1,
        "has_data_set": data_set is not None,
    }
    message = NActionRQ(message_id=association.next_message_id(), **said | changes)
    return (await association.exchange(association.context_for(PUSH_MODEL, role=None), message, data_set)).status


def put(data_set: Dataset, keyword: str, value: Any) -> None:
    """Put an element into a data set, whether its value is valid or not."""
    vr = "SQ" if isinstance(value, list) else "UI"
    data_set.add(DataElement(keyword, vr, value, validation_mode=IGNORE))


def good(**changes: Any) -> bytes:
    data_set = Dataset()
    data_set.TransactionUID = TRANSACTION
    data_set.ReferencedSOPSequence = references({"1.2.3.1": None})
    for keyword, value in changes.items():
        if value is None:
            delattr(data_set, keyword)
        else:
            put(data_set, keyword, value)
    return encode(data_set)


def without(keyword: str, value: str | None = None) -> bytes:
    """Return a request whose second item lacks an element, or has another value of it."""
    items = references({"1.2.3.1": None, "1.2.3.2": None})
    if value is None:
        delattr(items[1], keyword)
    else:
        put(items[1], keyword, value)
    return good(ReferencedSOPSequence=items)


BAD: dict[str, tuple[bytes | None, dict[str, Any], int, str]] = {
    "action type": (good(), {"action_type_id": 2}, 0x0123, "action type 2 is unknown"),
    "instance": (good(), {"requested_sop_instance_uid": "1.2.3"}, 0x0112, "it is about 1.2.3"),
    "nothing": (None, {}, 0x0115, "it has no data set"),
    "empty": (b"", {}, 0x0115, "it has no Transaction UID"),
    "text": (b"GET / HTTP/1.1\r\n", {}, 0x0115, "ends early"),
    "zeros": (bytes(100), {}, 0x0115, "64 zero bytes"),
    "no transaction": (good(TransactionUID=None), {}, 0x0115, "it has no Transaction UID"),
    "empty transaction": (good(TransactionUID=""), {}, 0x0115, "it has no Transaction UID"),
    "long transaction": (good(TransactionUID="1" * 65), {}, 0x0115, "1 to 64 characters"),
    "no sequence": (good(ReferencedSOPSequence=None), {}, 0x0115, "it names no instance"),
    "empty sequence": (good(ReferencedSOPSequence=[]), {}, 0x0115, "it names no instance"),
    "no class": (without("ReferencedSOPClassUID"), {}, 0x0115, "1 to 64 characters"),
    "empty class": (without("ReferencedSOPClassUID", ""), {}, 0x0115, "1 to 64 characters"),
    "no UID": (without("ReferencedSOPInstanceUID"), {}, 0x0115, "1 to 64 characters"),
    "empty UID": (without("ReferencedSOPInstanceUID", ""), {}, 0x0115, "1 to 64 characters"),
    "control character": (without("ReferencedSOPInstanceUID", "1.2\0.3"), {}, 0x0115, "1 to 64 characters"),
    "long UID": (without("ReferencedSOPInstanceUID", "1." * 33 + "1"), {}, 0x0115, "1 to 64 characters"),
    "too long": (
        good() + bytes.fromhex("0900001055540000") + b"\x00\x00\x50\x00" + b"x" * 0x500000,
        {},
        0x0213,
        "longer",
    ),
    "too many": (
        good(ReferencedSOPSequence=references({f"1.2.{number}": None for number in range(10_001)})),
        {},
        0x0213,
        "10001 instances: 10000 at most",
    ),
}


@on_both_faces
@on_each_driver
@pytest.mark.parametrize("case", BAD)
async def test_a_malformed_request_is_refused(
    driver: Driver, face: Face, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    data_set, changes, status, words = BAD[case]
    judge = Judge()
    with scp(face, judge.commit) as server:
        async with await driver.associate(
            server.address[1], [ProposedContext(PUSH_MODEL, (uids.ExplicitVRLittleEndian,)), uids.Verification]
        ) as association:
            assert await ask(association, data_set, **changes) == status
            assert await association.echo() == 0x0000
    assert judge.asked == []
    [line] = errors(caplog)
    assert line.startswith("refused a storage commitment request from 127.0.0.1:")
    assert words in line


def fails(_: dimse.CommitmentRequest) -> int:
    raise RuntimeError("mine")


HANDLERS: list[tuple[Callable[[dimse.CommitmentRequest], Any], int]] = [
    (lambda _: dimse.Status(0x0213, comment="too much is open"), 0x0213),
    (fails, 0x0110),
    (lambda _: None, 0x0110),
    (lambda _: {"1.2": 0}, 0x0110),
]


@on_both_faces
@on_each_driver
@pytest.mark.parametrize(("handler", "status"), HANDLERS)
async def test_the_handlers_status_answers_the_request(driver: Driver, face: Face, handler: Any, status: int) -> None:
    with scp(face, handler) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            with pytest.raises(StatusError) as e:
                await association.begin_commitment(ASKED)
            assert e.value.status == status
            assert await association.echo() == 0x0000


@on_each_driver
async def test_without_a_handler_the_context_is_refused(driver: Driver) -> None:
    with running("threads", dimse.Handlers(store=lambda _: 0)) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            assert [context.accepted for context in association.contexts] == [False, True]


@on_each_driver
async def test_a_server_that_takes_reports_alone_refuses_requests(driver: Driver) -> None:
    with running("threads", dimse.Handlers(commitment=lambda _: 0)) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            assert await ask(association, good()) == 0x0211


@on_each_driver
async def test_a_server_may_take_requests_and_reports(driver: Driver) -> None:
    judge, taken = Judge(), list[dimse.Commitment]()

    def take(commitment: dimse.Commitment) -> int:
        taken.append(commitment)
        return 0x0000

    with running("threads", dimse.Handlers(commit=judge.commit, commitment=take)) as server:
        roles = [Role(PUSH_MODEL, scu=True, scp=True)]
        async with await driver.associate(server.address[1], CONTEXTS, roles=roles) as association:
            assert (association.contexts[0].requestor_is_scu, association.contexts[0].requestor_is_scp) == (True, True)
            assert (await association.request_commitment(ASKED)).committed == SAFE
            assert await association.report_commitment(TRANSACTION, ASKED) == 0x0000
    assert [commitment.committed for commitment in taken] == [SAFE]


def test_a_peer_that_takes_no_part_in_the_report_is_given_up() -> None:
    """The peer accepts the association of the report, and answers nothing."""
    role = Role(PUSH_MODEL, scu=False, scp=True)
    with FaultyPeer(answers_nothing) as port:
        association = dimse.associate(
            "127.0.0.1", port, contexts=[PUSH_MODEL], roles=[role], timeouts=dimse.Timeouts(dimse=0.2)
        )
        with pytest.raises(OperationTimeout):
            association.report_commitment(TRANSACTION, ASKED)
        assert not association.open
