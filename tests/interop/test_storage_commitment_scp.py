"""Storage Commitment by us, asked for by a real peer: reported on the association that asked, or on one of ours."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.settings import Role
from tests.interop import ours, peers
from tests.tools.listeners import Listener, listening
from tests.tools.running import Instance, element

PUSH_MODEL = uids.StorageCommitmentPushModel
SCRIPT = str(Path(__file__).with_name("pynetdicom_commitment_scu.py"))
KNOWN, UNKNOWN = "1.2.826.0.1.3680043.10.999.1", "1.2.826.0.1.3680043.10.999.404"
ASKED = [f"{uids.CTImageStorage}={KNOWN}", f"{uids.MRImageStorage}={UNKNOWN}"]
REPORT = [2, "2.25.1", [KNOWN], {UNKNOWN: 0x0112}]


def asked_by_pynetdicom(port: int, *options: str) -> list[object]:
    """Let pynetdicom ask; return the status and the report."""
    done = peers.run(peers.pynetdicom(), SCRIPT, str(port), "2.25.1", *ASKED, *options)
    return [json.loads(line) for line in done.stdout.splitlines()]


def failures(_: dimse.CommitmentRequest) -> dict[str, int]:
    return {UNKNOWN: 0x0112}


@pytest.mark.parametrize("options", [(), ("--role",)], ids=["no role", "role"])
@pytest.mark.parametrize("face", ours.FACES)
def test_pynetdicom_gets_its_report_on_the_same_association(face: ours.Face, options: tuple[str, ...]) -> None:
    taken = threading.Event()

    def commit(request: dimse.CommitmentRequest) -> dimse.ReportLater:
        return dimse.ReportLater(failures, 0.2, reported=lambda _: taken.set())

    with ours.serving(face, dimse.Handlers(commit=commit)) as port:
        assert asked_by_pynetdicom(port, *options) == [0x0000, REPORT]
        assert taken.wait(ours.SECONDS)


@pytest.mark.parametrize("face", ours.FACES)
def test_pynetdicom_gets_its_report_on_an_association_of_ours(face: ours.Face) -> None:
    statuses: list[dimse.Status] = []
    requests: list[dimse.CommitmentRequest] = []
    theirs = peers.free_port()

    def report(request: dimse.CommitmentRequest) -> None:
        role = Role(PUSH_MODEL, scu=False, scp=True)
        with dimse.associate(
            "127.0.0.1", theirs, contexts=[PUSH_MODEL], roles=[role], timeouts=ours.TIMEOUTS
        ) as association:
            # The peer has agreed to the role.
            [context] = association.contexts
            assert context.requestor_is_scp
            statuses.append(
                association.report_commitment(request.transaction_uid, request.references, failures(request))
            )

    def commit(request: dimse.CommitmentRequest) -> int:
        requests.append(request)
        reporting.append(threading.Thread(target=report, args=(request,)))
        reporting[0].start()
        return 0x0000

    reporting: list[threading.Thread] = []
    with ours.serving(face, dimse.Handlers(commit=commit)) as port:
        assert asked_by_pynetdicom(port, "--listen", str(theirs)) == [0x0000, REPORT]
        reporting[0].join()
    assert statuses == [0x0000]
    assert requests[0].peer.ae_title == "MODALITY"


# --- storescp ---


def test_pynetdicom_gets_a_report_of_storescp(tmp_path: Path) -> None:
    theirs = peers.free_port()
    with listening(
        "storescp", "--commit", "-od", tmp_path / "in", "--report-to", f"MODALITY=127.0.0.1:{theirs}"
    ) as scp_of_ours:
        keep(scp_of_ours, tmp_path)
        assert asked_by_pynetdicom(scp_of_ours.port) == [0x0000, REPORT]
        assert asked_by_pynetdicom(scp_of_ours.port, "--listen", str(theirs)) == [0x0000, REPORT]
        assert scp_of_ours.end() == []


def test_orthanc_gets_a_report_of_storescp(tmp_path: Path, orthanc: peers.StartSCP) -> None:
    instances = [
        {"SOPClassUID": sop_class, "SOPInstanceUID": uid}
        for sop_class, uid in ((uids.CTImageStorage, KNOWN), (uids.MRImageStorage, UNKNOWN))
    ]
    scp = orthanc()
    report_to = f"ORTHANC=127.0.0.1:{scp.port}"
    with listening("storescp", "--commit", "-od", tmp_path / "in", "--report-to", report_to) as scp_of_ours:
        keep(scp_of_ours, tmp_path)
        archive = {"AET": "STORESCP", "Host": "127.0.0.1", "Port": scp_of_ours.port, "AllowStorageCommitment": True}
        http = scp.ports[1]
        peers.orthanc_rest(http, "/modalities/archive", "PUT", json.dumps(archive).encode())
        body = json.dumps({"DicomInstances": instances}).encode()
        path = json.loads(peers.orthanc_rest(http, "/modalities/archive/storage-commitment", "POST", body))["Path"]
        found: dict[str, Any] = {"Status": "Pending"}
        end = time.monotonic() + ours.SECONDS
        while found["Status"] == "Pending" and time.monotonic() < end:
            found = json.loads(peers.orthanc_rest(http, path))
            threading.Event().wait(peers.POLL_SECONDS)
        assert scp_of_ours.end() == []
    assert found["Status"] == "Failure"
    assert found["Success"] == [instances[0]]
    assert [(one["SOPInstanceUID"], one["FailureReason"]) for one in found["Failures"]] == [(UNKNOWN, 0x0112)]


def keep(scp: Listener, folder: Path) -> None:
    """Store the known instance."""
    study = element(0x0020, 0x000D, "UI", b"1.9") + element(0x0020, 0x000E, "UI", b"1.9.1")
    path = Instance(KNOWN, uids.CTImageStorage, rest=study).write(folder / "sent.dcm")
    with scp.associate(uids.CTImageStorage) as association:
        assert association.store(path) == 0x0000
