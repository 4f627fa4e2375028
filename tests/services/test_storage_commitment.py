"""Storage Commitment as SCU: asked for on both drivers, and reported on the same association or to a server of either face."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

import dimse
from dimse import aio, uids
from dimse.association.association import Arrived, BaseAssociation
from dimse.association.sinks import Sink, SpooledSink
from dimse.errors import (
    AssociationAborted,
    AssociationReleased,
    NoPresentationContext,
    OperationTimeout,
    StatusError,
)
from dimse.message.command import CEchoRQ, CStoreRQ, NActionRQ, NEventReportRQ, respond
from dimse.settings import ProposedContext, Role
from tests.drivers import CT_IN_EXPLICIT_VR, Driver, Face, errors, on_both_faces, on_each_driver, running
from tests.faulty_peer import A_RELEASE_RQ, Connection, FaultyPeer

PUSH_MODEL, INSTANCE = uids.StorageCommitmentPushModel, uids.StorageCommitmentPushModelInstance
CONTEXTS = (PUSH_MODEL, uids.Verification)
AS_SCP = [Role(PUSH_MODEL, scu=False, scp=True)]

ASKED = [(uids.CTImageStorage, f"1.2.3.{number}") for number in (1, 2, 3)]
TRANSACTION = "1.2.840.99"
SAFE = frozenset(uid for _, uid in ASKED)
SYNTAXES = [
    uids.ImplicitVRLittleEndian,
    uids.ExplicitVRLittleEndian,
    uids.DeflatedExplicitVRLittleEndian,
    uids.ExplicitVRBigEndian,
]

# The event type, and the data set, in Explicit VR Little Endian by default.
Report = tuple[int, bytes]


# --- an SCP, whose data sets pydicom reads and writes ---


def encode(data_set: Dataset, syntax: str = uids.ExplicitVRLittleEndian) -> bytes:
    target = DicomBytesIO()
    target.is_implicit_VR = syntax == uids.ImplicitVRLittleEndian
    target.is_little_endian = syntax != uids.ExplicitVRBigEndian
    write_dataset(target, data_set)
    if syntax != uids.DeflatedExplicitVRLittleEndian:
        return target.getvalue()
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(target.getvalue()) + compressor.flush()


def decode(data: bytes, syntax: str) -> Dataset:
    if syntax == uids.DeflatedExplicitVRLittleEndian:
        data = zlib.decompress(data, -zlib.MAX_WBITS)
    implicit, little = syntax == uids.ImplicitVRLittleEndian, syntax != uids.ExplicitVRBigEndian
    return read_dataset(BytesIO(data), implicit, little)


def references(of: Mapping[str, int | None]) -> list[Dataset]:
    """Return the items of a sequence; with a Failure Reason in those that have one."""
    items = []
    for uid, reason in of.items():
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = uids.CTImageStorage, uid
        if reason is not None:
            item.FailureReason = reason
        items.append(item)
    return items


def report(
    committed: Sequence[str] = (),
    failed: Mapping[str, int | None] | None = None,
    transaction_uid: str = TRANSACTION,
    syntax: str = uids.ExplicitVRLittleEndian,
) -> Report:
    data_set = Dataset()
    data_set.TransactionUID = transaction_uid
    data_set.ReferencedSOPSequence = references(dict.fromkeys(committed))
    if failed:
        data_set.FailedSOPSequence = references(failed)
    return 2 if failed else 1, encode(data_set, syntax)


async def send(association: BaseAssociation, event_type: int, data_set: bytes | None, **changes: Any) -> int:
    """Send a report, within an operation; the status that answers it."""
    message = event_report(association, event_type, data_set, **changes)
    context = association.context_for(PUSH_MODEL, role=None)
    await association.send_request(context, message, data_set)
    return (await association.wait_response(message)).status


def event_report(
    association: BaseAssociation, event_type: int, data_set: bytes | None, **changes: Any
) -> NEventReportRQ:
    said: dict[str, Any] = {
        "affected_sop_class_uid": PUSH_MODEL,
        "affected_sop_instance_uid": INSTANCE,
        "event_type_id": event_type,
    }
    said |= {"message_id": association.next_message_id(), "has_data_set": data_set is not None}
    return NEventReportRQ(**said | changes)


class SCP:
    """A dispatcher that takes N-ACTION requests.

    Args:
        before: A report that it sends before it answers one.
        after: Reports that it sends afterwards, and what else it asks.
        on_echo: A report that it sends before it answers a C-ECHO-RQ.
        status: What it answers.

    Attributes:
        requests: Their data sets.
        statuses: What its own requests were answered with.
    """

    store = commitment = None

    def __init__(
        self,
        before: Report | None = None,
        after: Sequence[Report | Callable[[BaseAssociation], Awaitable[int]]] = (),
        on_echo: Report | None = None,
        status: int = 0x0000,
    ) -> None:
        self.requests: list[Dataset] = []
        self.statuses: list[int] = []
        self._before, self._after, self._on_echo, self._status = before, after, on_echo, status

    async def begin(self, association: BaseAssociation, arrived: Arrived) -> Sink:
        return SpooledSink()

    async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
        message = arrived.message
        if isinstance(message, CEchoRQ):
            if self._on_echo:
                self.statuses.append(await send(association, *self._on_echo))
            await association.send_response(arrived.context, respond(message, 0x0000))
            return
        assert isinstance(message, NActionRQ) and isinstance(arrived.sink, SpooledSink)
        assert (message.requested_sop_class_uid, message.requested_sop_instance_uid) == (PUSH_MODEL, INSTANCE)
        assert message.action_type_id == 1
        syntax = arrived.context.transfer_syntax
        self.requests.append(decode(bytes(arrived.sink.view()), syntax))
        if self._before:
            self.statuses.append(await send(association, *self._before))
        await association.send_response(arrived.context, respond(message, self._status, error_comment="so it is"))
        for event in self._after:
            self.statuses.append(await event(association) if callable(event) else await send(association, *event))


def scp(face: Face, dispatcher: SCP) -> Any:
    handlers: Any = dispatcher
    return running(face, handlers, contexts=(*CONTEXTS, uids.CTImageStorage), ae_title="ARCHIVE")


async def echo_back(association: BaseAssociation) -> int:
    request = CEchoRQ(message_id=association.next_message_id(), affected_sop_class_uid=uids.Verification)
    await association.send_request(association.context_for(uids.Verification, role=None), request)
    return (await association.wait_response(request)).status


async def store_back(association: BaseAssociation) -> int:
    request = CStoreRQ(
        message_id=association.next_message_id(),
        affected_sop_class_uid=uids.CTImageStorage,
        affected_sop_instance_uid="1.2",
    )
    await association.send_request(association.context_for(uids.CTImageStorage, role=None), request, bytes(10))
    return (await association.wait_response(request)).status


# --- the report on the association that asked ---


@on_both_faces
@on_each_driver
@pytest.mark.parametrize("syntax", SYNTAXES, ids=uids.name)
async def test_a_peer_commits_to_what_it_was_asked(driver: Driver, face: Face, syntax: str) -> None:
    peer = SCP(after=[report(sorted(SAFE), syntax=syntax)])
    with scp(face, peer) as server:
        async with await driver.associate(
            server.address[1], [ProposedContext(PUSH_MODEL, (syntax,))], called_ae_title="ARCHIVE"
        ) as association:
            commitment = await association.request_commitment(iter(ASKED), transaction_uid=TRANSACTION)
            assert (commitment.transaction_uid, commitment.committed, commitment.failed) == (TRANSACTION, SAFE, {})
            assert commitment.peer == association.peer and commitment.peer.ae_title == "ARCHIVE"
    [asked] = peer.requests
    assert asked.TransactionUID == TRANSACTION
    assert [
        (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in asked.ReferencedSOPSequence
    ] == ASKED
    assert peer.statuses == [0x0000]


REASONS = {
    0x0110: "Processing failure",
    0x0112: "No such object instance",
    0x0213: "Resource limitation",
    0x0122: "Referenced SOP class not supported",
    0x0119: "Class-instance conflict",
    0x0131: "Duplicate transaction UID",
    0xBEEF: "Warning of the service class",
    None: "Processing failure",
}


@on_each_driver
@pytest.mark.parametrize("reason", REASONS)
async def test_what_failed_says_why(driver: Driver, reason: int | None) -> None:
    # The third is in both sequences: it failed.
    peer = SCP(after=[report(["1.2.3.1", "1.2.3.3"], {"1.2.3.2": reason, "1.2.3.3": reason})])
    with scp("threads", peer) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            commitment = await association.request_commitment(ASKED, transaction_uid=TRANSACTION)
    code = 0x0110 if reason is None else reason
    assert commitment.committed == {"1.2.3.1"}
    assert commitment.failed == {"1.2.3.2": code, "1.2.3.3": code}
    assert {failure.meaning for failure in commitment.failed.values()} == {REASONS[reason]}


@on_each_driver
async def test_only_what_was_asked_about_and_reported_is_committed(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    peer = SCP(after=[report(["1.2.3.1", "9.9.9", ""], {"8.8": 0x0112})])
    with scp("threads", peer) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            commitment = await association.request_commitment(ASKED, transaction_uid=TRANSACTION)
    assert commitment.committed == {"1.2.3.1"}
    assert commitment.failed == {}
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "storage commitment report: 2 not asked about, such as 8.8",
        "storage commitment report: 2 missing, and so not committed, such as 1.2.3.2",
    ]


@on_each_driver
async def test_a_report_may_come_before_the_response(driver: Driver) -> None:
    peer = SCP(before=report(sorted(SAFE)))
    with scp("threads", peer) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            commitment = await association.request_commitment(ASKED, transaction_uid=TRANSACTION)
    assert commitment.committed == SAFE
    assert peer.statuses == [0x0000]


OF_OTHERS = report(["5.5"], transaction_uid="5.5.5")
MEANWHILE: list[Report | Callable[[BaseAssociation], Awaitable[int]]] = [
    OF_OTHERS,
    (1, b"nonsense"),
    echo_back,
    store_back,
]


@on_each_driver
async def test_meanwhile_the_handlers_of_the_association_answer_the_rest(driver: Driver) -> None:
    taken: list[Any] = []

    def take(request: Any) -> int:
        taken.append(request)
        return 0xC001

    peer = SCP(after=[*MEANWHILE, report(sorted(SAFE))])
    handlers = dimse.Handlers(echo=take, store=take, commitment=take)
    contexts = (*CONTEXTS, CT_IN_EXPLICIT_VR)
    with scp("threads", peer) as server:
        async with await driver.associate(server.address[1], contexts, handlers=handlers) as association:
            commitment = await association.request_commitment(ASKED, transaction_uid=TRANSACTION)
    assert commitment.committed == SAFE
    assert peer.statuses == [0xC001, 0x0110, 0xC001, 0xC001, 0x0000]
    assert [type(request) for request in taken] == [dimse.Commitment, dimse.EchoRequest, dimse.StoreRequest]
    assert (taken[0].transaction_uid, taken[0].committed) == ("5.5.5", {"5.5"})


@on_each_driver
@pytest.mark.parametrize(
    ("handlers", "answers"),
    [(None, [0x0115, 0x0110, 0x0211, 0x0211, 0x0000]), (dimse.Handlers(), [0x0115, 0x0110, 0x0000, 0x0110, 0x0000])],
)
async def test_unknown_requests_are_refused_meanwhile(
    driver: Driver, handlers: dimse.Handlers | None, answers: list[int]
) -> None:
    peer = SCP(after=[*MEANWHILE, report(sorted(SAFE))])
    contexts = (*CONTEXTS, CT_IN_EXPLICIT_VR)
    with scp("threads", peer) as server:
        async with await driver.associate(server.address[1], contexts, handlers=handlers) as association:
            commitment = await association.request_commitment(ASKED, transaction_uid=TRANSACTION)
    assert commitment.committed == SAFE
    assert peer.statuses == answers


async def twice(association: BaseAssociation) -> int:
    """Send two reports in one go, the second of which has other contents."""
    context = association.context_for(PUSH_MODEL, role=None)
    answered = 0
    requests = []
    for committed in (sorted(SAFE), ["1.2.3.1"]):
        event_type, data_set = report(committed)
        requests.append(event_report(association, event_type, data_set))
        await association.send_request(context, requests[-1], data_set)
    for request in requests:
        answered |= (await association.wait_response(request)).status
    return answered


@on_each_driver
async def test_a_second_report_changes_nothing(driver: Driver) -> None:
    peer = SCP(after=[report(sorted(SAFE))], on_echo=report(["1.2.3.1"]))
    with scp("threads", peer) as server:
        async with await driver.associate(server.address[1], CONTEXTS, handlers=dimse.Handlers()) as association:
            commitment = await association.request_commitment(ASKED, transaction_uid=TRANSACTION)
            assert commitment.committed == SAFE
            assert await association.echo() == 0x0000
    assert peer.statuses == [0x0000, 0x0115]


@on_each_driver
async def test_two_reports_at_once_are_both_answered(driver: Driver) -> None:
    peer = SCP(after=[twice])
    with scp("threads", peer) as server:
        async with await driver.associate(server.address[1], CONTEXTS, handlers=dimse.Handlers()) as association:
            commitment = await association.request_commitment(ASKED, transaction_uid=TRANSACTION)
            assert commitment.committed == SAFE
            assert await association.echo() == 0x0000


@pytest.mark.thorough
@on_each_driver
async def test_a_large_report_is_taken(driver: Driver) -> None:
    asked = [(uids.CTImageStorage, f"1.2.826.0.1.3680043.10.999.{'7' * 30}.{number}") for number in range(10_000)]
    peer = SCP(after=[report([uid for _, uid in asked])])
    with scp("threads", peer) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            commitment = await association.request_commitment(asked, transaction_uid=TRANSACTION)
    assert commitment.committed == {uid for _, uid in asked}


# --- no report ---


@on_each_driver
async def test_a_peer_that_does_not_take_the_request_is_an_error_and_the_association_stands(driver: Driver) -> None:
    with scp("threads", SCP(status=0x0122)) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            with pytest.raises(
                StatusError, match=r"^0x0122 - Failure: Referenced SOP class not supported: so it is$"
            ) as e:
                await association.request_commitment(ASKED)
            assert e.value.status == 0x0122
            assert await association.echo() == 0x0000


@on_each_driver
async def test_a_warning_is_no_refusal(driver: Driver) -> None:
    with scp("threads", SCP(status=0x0001)) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            assert await association.begin_commitment(ASKED, transaction_uid="1.2") == "1.2"


@on_each_driver
async def test_without_a_report_in_time_the_association_stands_and_a_late_one_goes_to_its_handlers(
    driver: Driver,
) -> None:
    taken: list[dimse.Commitment] = []

    def take(commitment: dimse.Commitment) -> int:
        taken.append(commitment)
        return 0x0000

    peer = SCP(on_echo=report(sorted(SAFE)))
    with scp("threads", peer) as server:
        handlers = dimse.Handlers(commitment=take)
        async with await driver.associate(server.address[1], CONTEXTS, handlers=handlers) as association:
            with pytest.raises(
                OperationTimeout, match=rf"^no report on storage commitment transaction {TRANSACTION} came"
            ) as e:
                await association.request_commitment(ASKED, wait=0.05, transaction_uid=TRANSACTION)
            assert e.value.wait == "commitment"
            assert await association.echo() == 0x0000
    assert peer.statuses == [0x0000]
    assert [(late.transaction_uid, late.committed) for late in taken] == [(TRANSACTION, SAFE)]


def releases(connection: Connection) -> None:
    connection.send_release_request()
    connection.read_pdu()
    connection.close()


def takes_it_and(then: Callable[[Connection], None]) -> Callable[[Connection], None]:
    def behaviour(connection: Connection) -> None:
        connection.accept()
        connection.respond(connection.read_message())
        then(connection)
        connection.drain()

    return behaviour


@on_each_driver
@pytest.mark.parametrize(
    ("then", "error"),
    [
        (releases, AssociationReleased),
        (Connection.send_abort, AssociationAborted),
        (Connection.half_close, dimse.ConnectionLost),
        (lambda connection: connection.send(b"no PDU at all"), dimse.RemoteProtocolError),
    ],
)
async def test_an_association_that_ends_without_a_report_is_an_error(
    driver: Driver, then: Callable[[Connection], None], error: type[dimse.DimseError]
) -> None:
    peer = FaultyPeer(takes_it_and(then))
    with peer as port:
        association = await driver.associate(port, [PUSH_MODEL])
        with pytest.raises(error):
            await association.request_commitment(ASKED)
        assert not association.open
    assert A_RELEASE_RQ not in peer.connections[0].pdu_types


WRONG: list[tuple[list[tuple[str, str]], str]] = [
    ([], "1 to 10000 instances, not 0"),
    ([ASKED[0]] * 10_001, "1 to 10000 instances, not 10001"),
    ([("1.2", "1" * 65)], "1 to 64 characters"),
    ([("1.2", "")], "1 to 64 characters"),
    ([("\u00e4", "1.2")], "ASCII"),
]


@on_each_driver
@pytest.mark.parametrize(("instances", "words"), WRONG)
async def test_what_cannot_be_asked_is_not_sent(driver: Driver, instances: list[tuple[str, str]], words: str) -> None:
    peer = SCP()
    with scp("threads", peer) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            with pytest.raises(ValueError, match=words):
                await association.request_commitment(instances)
            with pytest.raises(ValueError, match=words):
                await association.begin_commitment(instances)
            assert await association.echo() == 0x0000
    assert peer.requests == []


@on_each_driver
async def test_without_its_context_nothing_is_sent(driver: Driver) -> None:
    with running("threads") as server:
        async with await driver.associate(server.address[1]) as association:
            with pytest.raises(NoPresentationContext, match="Storage Commitment Push Model"):
                await association.request_commitment(ASKED)
            assert association.open


@on_each_driver
async def test_each_transaction_has_a_uid_of_its_own(driver: Driver) -> None:
    peer = SCP()
    with scp("threads", peer) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association:
            begun = [await association.begin_commitment(ASKED) for _ in range(3)]
    assert [request.TransactionUID for request in peer.requests] == begun
    assert len(set(begun)) == 3
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in begun)


# --- the report on an association of the peer's ---


@on_both_faces
@on_each_driver
@pytest.mark.parametrize("roles", [AS_SCP, [], [Role(PUSH_MODEL, scu=True, scp=True)]])
async def test_a_server_takes_a_report(driver: Driver, face: Face, roles: list[Role]) -> None:
    taken: list[dimse.Commitment] = []

    def take(commitment: dimse.Commitment) -> int:
        taken.append(commitment)
        return 0x0000

    with running(face, dimse.Handlers(commitment=take)) as server:
        async with await driver.associate(
            server.address[1], [PUSH_MODEL], calling_ae_title="ARCHIVE", roles=roles
        ) as association:
            [context] = association.contexts
            # With role selection the peer is SCP and nothing else; without, it sends all the same.
            assert (context.requestor_is_scu, context.requestor_is_scp) == (not roles, bool(roles))
            async with association.operation():
                assert await send(association, *report(["1.2.3.1"], {"1.2.3.2": 0x0112})) == 0x0000
    [commitment] = taken
    assert commitment.transaction_uid == TRANSACTION
    assert commitment.committed == {"1.2.3.1"}
    assert commitment.failed == {"1.2.3.2": 0x0112}
    assert commitment.peer.ae_title == "ARCHIVE"


async def refuses(commitment: dimse.Commitment) -> int:
    return dimse.Status(0x0115, comment=f"{commitment.transaction_uid} is unknown")


def fails(_: dimse.Commitment) -> int:
    raise RuntimeError("mine")


@on_both_faces
@on_each_driver
@pytest.mark.parametrize(("handler", "status"), [(refuses, 0x0115), (fails, 0x0110)])
async def test_the_handlers_status_answers_the_report(driver: Driver, face: Face, handler: Any, status: int) -> None:
    with running(face, dimse.Handlers(commitment=handler)) as server:
        async with await driver.associate(server.address[1], CONTEXTS, roles=AS_SCP) as association:
            async with association.operation():
                assert await send(association, *report(["1.2.3.1"])) == status
            assert await association.echo() == 0x0000


@on_each_driver
async def test_without_a_handler_the_context_is_not_accepted(driver: Driver) -> None:
    with running("threads", dimse.Handlers(store=lambda _: 0)) as server:
        async with await driver.associate(server.address[1], CONTEXTS, roles=AS_SCP) as association:
            assert [context.accepted for context in association.contexts] == [False, True]


@on_each_driver
async def test_a_report_that_no_handler_expects_is_refused(driver: Driver) -> None:
    with running("threads", contexts=CONTEXTS) as server:
        async with await driver.associate(server.address[1], CONTEXTS) as association, association.operation():
            assert await send(association, *report(["1.2.3.1"])) == 0x0115


def nested(depth: int) -> bytes:
    """Return nested sequences."""
    return bytes.fromhex("08009911 53510000FFFFFFFF FEFF00E0FFFFFFFF") * depth


def without_transaction() -> bytes:
    data_set = Dataset()
    data_set.ReferencedSOPSequence = references({"1.2.3": None})
    return encode(data_set)


GOOD = report(["1.2.3.1"])[1]
BAD: dict[str, tuple[int, bytes | None, dict[str, Any], int, str]] = {
    "event type": (3, GOOD, {}, 0x0113, "event type 3 is unknown"),
    "instance": (1, GOOD, {"affected_sop_instance_uid": "1.2.3"}, 0x0112, "it is about 1.2.3"),
    "nothing": (1, None, {}, 0x0110, "it has no data set"),
    "empty": (1, b"", {}, 0x0110, "it has no Transaction UID"),
    "text": (1, b"GET / HTTP/1.1\r\n", {}, 0x0110, "ends early"),
    "cut short": (1, GOOD[:-3], {}, 0x0110, "ends early"),
    "no transaction": (1, without_transaction(), {}, 0x0110, "it has no Transaction UID"),
    "nested": (1, nested(10_000), {}, 0x0110, "nested more than 64 deep"),
    "zeros": (1, bytes(4_000_000) + b"\1", {}, 0x0110, "zero bytes in a row"),
    "long": (1, GOOD + bytes(5 << 20), {}, 0x0213, "longer than 4,194,304 bytes"),
}


@on_both_faces
@on_each_driver
@pytest.mark.parametrize("what", BAD)
async def test_an_invalid_report_is_a_status_and_a_line_in_the_log(
    driver: Driver, face: Face, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    event_type, data_set, changes, status, words = BAD[what]
    taken: list[dimse.Commitment] = []

    def take(commitment: dimse.Commitment) -> int:
        taken.append(commitment)
        return 0x0000

    with running(face, dimse.Handlers(commitment=take)) as server:
        contexts = (ProposedContext(PUSH_MODEL, (uids.ExplicitVRLittleEndian,)), uids.Verification)
        async with await driver.associate(server.address[1], contexts) as association:
            async with association.operation():
                assert await send(association, event_type, data_set, **changes) == status
            assert await association.echo() == 0x0000
    [line] = errors(caplog)
    assert line.startswith("refused a storage commitment report from 127.0.0.1:") and words in line
    assert taken == []


BOMB = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
BOMB_DATA = BOMB.compress(bytes(64 << 20)) + BOMB.flush()


@on_each_driver
@pytest.mark.parametrize(
    ("data_set", "words"),
    [(BOMB_DATA, "more than 4,194,304 bytes when it is inflated"), (b"\xff" * 20, "invalid block type")],
)
async def test_a_deflated_report_is_bounded_too(
    driver: Driver, data_set: bytes, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running("threads", dimse.Handlers(commitment=lambda _: 0)) as server:
        contexts = [ProposedContext(PUSH_MODEL, (uids.DeflatedExplicitVRLittleEndian,))]
        async with await driver.associate(server.address[1], contexts) as association, association.operation():
            assert await send(association, 1, data_set) == 0x0110
    [line] = errors(caplog)
    assert words in line


def test_both_faces_have_the_operations() -> None:
    for name in ("begin_commitment", "request_commitment"):
        blocking, asynchronous = getattr(dimse.Association, name), getattr(aio.Association, name)
        assert blocking.__name__ == asynchronous.__name__ == name
        assert blocking.__doc__ == asynchronous.__doc__


def test_the_blocking_face() -> None:
    with (
        scp("threads", SCP(after=[report(sorted(SAFE))])) as server,
        dimse.associate(*server.address, contexts=[PUSH_MODEL]) as association,
    ):
        commitment: dimse.Commitment = association.request_commitment(ASKED, transaction_uid=TRANSACTION)
        assert commitment.committed == SAFE
