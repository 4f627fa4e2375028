"""Storage Commitment by real peers, from both faces: reported on the association that asked, or on one of the peer's."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable

import pytest

import dimse
from dimse import aio, uids
from dimse.instances import InstanceFile
from tests.files import PydicomFiles
from tests.interop import ours, peers

NO_SUCH_OBJECT_INSTANCE = 0x0112
NEVER_SENT = "1.2.826.0.1.3680043.10.999.404"


@pytest.fixture(scope="module")
def files(pydicom_files: PydicomFiles) -> list[str]:
    """Return the paths of a CT and an MR image."""
    names = ("CT_small.dcm", "MR_small.dcm")
    return [str(file.path) for file in pydicom_files.sendable if file.path.name in names]


def contexts(files: list[str]) -> list[dimse.ProposedContext]:
    """Return the contexts that the images need, and Storage Commitment."""
    return [*dimse.contexts_for(files), dimse.ProposedContext(uids.StorageCommitmentPushModel)]


def asked(files: list[str]) -> list[tuple[str, str]]:
    """Return the images, and one that no peer has."""
    instances = [InstanceFile.check(path) for path in files]
    known = [(instance.sop_class_uid, instance.sop_instance_uid) for instance in instances]
    return [*known, (uids.CTImageStorage, NEVER_SENT)]


def assert_true(commitment: dimse.Commitment, files: list[str]) -> None:
    """Check the report on each instance: the stored ones are committed, and the other does not exist."""
    *stored, _ = (uid for _, uid in asked(files))
    assert commitment.committed == set(stored)
    assert commitment.failed == {NEVER_SENT: NO_SUCH_OBJECT_INSTANCE}
    assert commitment.failed[NEVER_SENT].meaning == "No such object instance"


def request(face: ours.Face, port: int, files: list[str]) -> dimse.Commitment:
    """Send the files, and ask for commitment on the same association, where it is reported."""
    if face == "blocking":
        with dimse.associate("127.0.0.1", port, contexts=contexts(files), timeouts=ours.TIMEOUTS) as association:
            assert [outcome.status for outcome in association.store_many(files)] == [0] * len(files)
            return association.request_commitment(asked(files), wait=ours.SECONDS)

    async def ask() -> dimse.Commitment:
        async with aio.associate("127.0.0.1", port, contexts=contexts(files), timeouts=ours.TIMEOUTS) as association:
            assert [outcome.status async for outcome in association.store_many(files)] == [0] * len(files)
            return await association.request_commitment(asked(files), wait=ours.SECONDS)

    return asyncio.run(ask())


def begin(face: ours.Face, port: int, files: list[str], calling_ae_title: str) -> str:
    """Send the files, ask for commitment, and leave; the transaction UID."""
    if face == "blocking":
        with dimse.associate(
            "127.0.0.1", port, contexts=contexts(files), timeouts=ours.TIMEOUTS, calling_ae_title=calling_ae_title
        ) as association:
            assert [outcome.status for outcome in association.store_many(files)] == [0] * len(files)
            return association.begin_commitment(asked(files))

    async def ask() -> str:
        async with aio.associate(
            "127.0.0.1", port, contexts=contexts(files), timeouts=ours.TIMEOUTS, calling_ae_title=calling_ae_title
        ) as association:
            assert [outcome.status async for outcome in association.store_many(files)] == [0] * len(files)
            return await association.begin_commitment(asked(files))

    return asyncio.run(ask())


@pytest.mark.parametrize("face", ours.FACES)
def test_pynetdicom_reports_on_the_same_association(
    face: ours.Face, files: list[str], pynetdicom_commitment_scp: peers.StartSCP
) -> None:
    scp = pynetdicom_commitment_scp()
    assert_true(request(face, scp.port, files), files)
    assert_true(request(face, scp.port, files), files)
    assert "report answered 0x0000" in scp.output


def by_pynetdicom_with_its_role(request: pytest.FixtureRequest, port: int) -> peers.StorageSCP:
    """Start pynetdicom, proposing the SCP role."""
    start: peers.StartSCP = request.getfixturevalue("pynetdicom_commitment_scp")
    return start("--report-to", str(port), "--role")


def by_pynetdicom_without_a_role(request: pytest.FixtureRequest, port: int) -> peers.StorageSCP:
    """Start pynetdicom, proposing no role; it reports all the same."""
    start: peers.StartSCP = request.getfixturevalue("pynetdicom_commitment_scp")
    return start("--report-to", str(port))


def by_orthanc(request: pytest.FixtureRequest, port: int) -> peers.StorageSCP:
    """Orthanc, which reports to the modality that called it, if it knows it."""
    start: peers.StartSCP = request.getfixturevalue("orthanc")
    sender = {"AET": "SENDER", "Host": "127.0.0.1", "Port": port, "AllowStorageCommitment": True}
    return start(DicomModalities={"sender": sender})


@pytest.mark.sample("*-by_orthanc", "blocking-by_pynetdicom_with_its_role")
@pytest.mark.parametrize("peer", [by_pynetdicom_with_its_role, by_pynetdicom_without_a_role, by_orthanc])
@pytest.mark.parametrize("face", ours.FACES)
def test_a_server_of_ours_takes_the_report(
    face: ours.Face,
    peer: Callable[[pytest.FixtureRequest, int], peers.StorageSCP],
    files: list[str],
    request: pytest.FixtureRequest,
) -> None:
    reports: queue.SimpleQueue[dimse.Commitment] = queue.SimpleQueue()

    def take(commitment: dimse.Commitment) -> int:
        reports.put(commitment)
        return 0x0000

    with ours.serving(face, dimse.Handlers(commitment=take)) as port:
        scp = peer(request, port)
        transaction_uid = begin(face, scp.port, files, "SENDER")
        commitment = reports.get(timeout=ours.SECONDS)
        assert commitment.transaction_uid == transaction_uid
        assert_true(commitment, files)


def test_a_report_that_comes_elsewhere_leaves_the_association_that_waits_for_it_alone(
    files: list[str], request: pytest.FixtureRequest
) -> None:
    reports: queue.SimpleQueue[dimse.Commitment] = queue.SimpleQueue()

    def take(commitment: dimse.Commitment) -> int:
        reports.put(commitment)
        return 0x0000

    with (
        ours.serving("blocking", dimse.Handlers(commitment=take)) as port,
        dimse.associate(
            "127.0.0.1",
            by_orthanc(request, port).port,
            contexts=contexts(files),
            timeouts=ours.TIMEOUTS,
            calling_ae_title="SENDER",
        ) as association,
    ):
        assert association.store(files[0]) == 0x0000
        with pytest.raises(dimse.OperationTimeout, match=r"no report on storage commitment transaction 1\.2\.3 "):
            association.request_commitment(asked(files), wait=0.2, transaction_uid="1.2.3")
        assert association.store(files[1]) == 0x0000
        assert reports.get(timeout=ours.SECONDS).transaction_uid == "1.2.3"


def test_a_peer_that_aborts_instead_of_answering_is_an_error(files: list[str], orthanc: peers.StartSCP) -> None:
    port = orthanc().port  # it knows no modality at all
    association = dimse.associate("127.0.0.1", port, contexts=contexts(files), timeouts=ours.TIMEOUTS)
    with pytest.raises(dimse.AssociationAborted):
        association.request_commitment(asked(files))
