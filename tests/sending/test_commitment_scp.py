"""The Storage Commitment SCP of an archive: reports on the association of the request, on one of ours, and after a restart."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

import dimse
from dimse import uids
from dimse.archive.index import Index
from dimse.archive.index.commitments import Commitments
from dimse.errors import OperationTimeout
from dimse.sending.commitment_scp import CommitmentSCP
from dimse.services.commitment_information import Reference
from tests.faulty_peer import Connection, FaultyPeer

PUSH_MODEL = uids.StorageCommitmentPushModel
NOW = 1_700_000_000.0
ASKED = [(uids.CTImageStorage, f"1.2.3.{number}") for number in (1, 2, 3)]
SAFE = frozenset(uid for _, uid in ASKED)


class Requestor:
    """A requestor of storage commitment, with a server that takes reports.

    Args:
        answer: Returns the status that answers a report.

    Attributes:
        reports: The reports that came.
    """

    def __init__(self, answer: Callable[[dimse.Commitment], int] = lambda _: 0x0000) -> None:
        self.reports: list[dimse.Commitment] = []
        self.arrived = threading.Event()
        self._answer = answer
        self.handlers = dimse.Handlers(commitment=self._take)

    def _take(self, commitment: dimse.Commitment) -> int:
        self.reports.append(commitment)
        self.arrived.set()
        return self._answer(commitment)

    @contextmanager
    def listening(self) -> Iterator[dimse.Remote]:
        """Listen for reports, and give the way here."""
        with dimse.Server(("127.0.0.1", 0), self.handlers, ae_title="MODALITY", require_called=True) as server:
            yield dimse.Remote(*server.address, timeouts=dimse.Timeouts(dimse=0.3, acse=5))

    def ask(self, server: dimse.Server, uid: str = "2.25.1") -> None:
        """Ask for commitment, and release the association at once."""
        with self.associate(server) as association:
            association.begin_commitment(ASKED, transaction_uid=uid)

    def associate(self, server: dimse.Server) -> dimse.Association:
        """Request an association."""
        return dimse.associate(
            *server.address,
            contexts=[PUSH_MODEL],
            calling_ae_title="MODALITY",
            called_ae_title="ARCHIVE",
            handlers=self.handlers,
        )


class Archive:
    """An archive that has some instances, with a Storage Commitment SCP.

    Args:
        path: Its database.

    Attributes:
        failed: The reasons for the instances that it does not have.
        remotes: The peers that it knows.
        scp: The Storage Commitment SCP.
    """

    def __init__(self, path: Path, wait: float = 60.0) -> None:
        self.failed: dict[str, int] = {}
        self.remotes: dict[str, dimse.Remote] = {}
        self.index = Index(path, path.parent)
        self.scp = CommitmentSCP(
            Commitments(self.index.database), self._judge, self.remotes.get, wait=wait, clock=lambda: NOW
        )

    def _judge(self, references: Sequence[Reference]) -> dict[str, int]:
        return {uid: reason for _, uid in references if (reason := self.failed.get(uid))}

    def next_at(self) -> float | None:
        """Return the seconds from the request to the next attempt; None if no transaction is open."""
        next_at = Commitments(self.index.database).next_at()
        return None if next_at is None else next_at - NOW

    @contextmanager
    def serving(self) -> Iterator[dimse.Server]:
        """Serve, and close the database at the end."""
        with dimse.Server(("127.0.0.1", 0), dimse.Handlers(commit=self.scp.commit), ae_title="ARCHIVE") as server:
            try:
                yield server
            finally:
                until(lambda: not server.associations)
        self.close()

    def close(self) -> None:
        self.scp.close()
        self.index.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.005)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


# --- on the association of the request ---


def test_a_report_goes_out_on_the_association_that_stands(path: Path) -> None:
    archive, requestor = Archive(path, wait=0.0), Requestor()
    archive.failed = {"1.2.3.2": 0x0112}
    with archive.serving() as server:
        with requestor.associate(server) as association:
            commitment = association.request_commitment(ASKED)
            assert commitment.committed == {"1.2.3.1", "1.2.3.3"}
            assert commitment.failed == {"1.2.3.2": 0x0112}
        until(lambda: archive.next_at() is None)


def test_the_judgement_is_made_when_the_report_is_due(path: Path) -> None:
    archive, requestor = Archive(path, wait=0.3), Requestor()
    archive.failed = {"1.2.3.2": 0x0112}
    with archive.serving() as server, requestor.associate(server) as association:
        association.begin_commitment(ASKED)
        archive.failed.clear()
        association.serve(10, until=requestor.arrived.is_set)
    assert requestor.reports[0].committed == SAFE


def test_a_transaction_that_is_open_is_not_asked_for_again(path: Path) -> None:
    archive, requestor = Archive(path, wait=0.2), Requestor()
    with archive.serving() as server, requestor.associate(server) as association:
        association.begin_commitment(ASKED, transaction_uid="2.25.1")
        association.begin_commitment(ASKED[:2], transaction_uid="2.25.1")
        association.serve(10, until=lambda: len(requestor.reports) == 2)
    first, second = requestor.reports
    assert (first.committed, first.failed) == (SAFE, {})
    assert (second.committed, second.failed) == (frozenset(), {"1.2.3.1": 0x0131, "1.2.3.2": 0x0131})
    assert second.failed["1.2.3.1"].meaning == "Duplicate transaction UID"


# --- on an association of ours ---


def test_a_released_association_is_followed_by_one_of_ours(path: Path) -> None:
    archive, requestor = Archive(path), Requestor()
    archive.failed = {"1.2.3.2": 0x0119}
    with archive.serving() as server, requestor.listening() as archive.remotes["MODALITY"]:
        requestor.ask(server)
        until(lambda: not server.associations)
        archive.scp.deliver(NOW)
        [report] = requestor.reports
        assert report.transaction_uid == "2.25.1"
        assert report.committed == {"1.2.3.1", "1.2.3.3"}
        assert report.failed == {"1.2.3.2": 0x0119}
        assert report.peer.ae_title == "ARCHIVE"
        assert archive.next_at() is None
        archive.scp.deliver(NOW + 3600)
    assert len(requestor.reports) == 1


def test_several_reports_go_over_one_association(path: Path) -> None:
    archive, requestor = Archive(path), Requestor()
    with archive.serving() as server, requestor.listening() as archive.remotes["MODALITY"]:
        for number in range(5):
            requestor.ask(server, f"2.25.{number}")
        until(lambda: not server.associations)
        archive.scp.deliver(NOW)
    assert [report.transaction_uid for report in requestor.reports] == [f"2.25.{number}" for number in range(5)]
    assert len({report.peer.address for report in requestor.reports}) == 1


def test_the_thread_delivers_by_itself(path: Path) -> None:
    archive, requestor = Archive(path), Requestor()
    with archive.serving() as server, archive.scp, requestor.listening() as archive.remotes["MODALITY"]:
        requestor.ask(server)
        assert requestor.arrived.wait(10)
        until(lambda: archive.next_at() is None)


def closed_port() -> int:
    """Return a port that refuses connections."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port: int = closed.getsockname()[1]
        return port


@pytest.mark.parametrize("is_known", [False, True], ids=["unknown", "away"])
def test_a_peer_that_is_away_is_tried_again_after_growing_times(
    path: Path, is_known: bool, caplog: pytest.LogCaptureFixture
) -> None:
    archive, requestor = Archive(path), Requestor()
    if is_known:
        archive.remotes["MODALITY"] = dimse.Remote("127.0.0.1", closed_port())
    with archive.serving() as server:
        requestor.ask(server)
        until(lambda: not server.associations)
        seconds = []
        now = NOW
        while archive.next_at() is not None:
            archive.scp.deliver(now)
            if next_at := archive.next_at():
                seconds.append(NOW + next_at - now)
                now = NOW + next_at
        assert seconds[:5] == [10, 60, 600, 3600, 3600]
        assert 86400 - 3600 <= now - NOW <= 86400
    why = "Connection refused" if is_known else "no address is known of MODALITY"
    lines = [record.getMessage() for record in caplog.records if record.name == "dimse.notices"]
    assert lines[0].startswith("MODALITY has not taken the report on storage commitment 2.25.1: ")
    assert why in lines[0]
    assert lines[0].endswith("; the next attempt is in 10 seconds")
    assert lines[-1].endswith("; it is given up")


def test_a_peer_that_is_back_gets_its_report_from_the_next_process(path: Path) -> None:
    archive, requestor = Archive(path), Requestor()
    with archive.serving() as server:
        requestor.ask(server)
        until(lambda: not server.associations)
        archive.scp.deliver(NOW)
        assert archive.next_at() == 10
    later = Archive(path)
    with requestor.listening() as later.remotes["MODALITY"]:
        later.scp.deliver(NOW + 9)
        assert requestor.reports == []
        later.scp.deliver(NOW + 10)
    assert requestor.reports[0].committed == SAFE
    assert later.next_at() is None
    later.close()


def test_a_process_that_was_killed_leaves_its_reports_to_the_next_one(path: Path) -> None:
    archive, requestor = Archive(path), Requestor()
    with archive.serving() as server:
        association = requestor.associate(server)
        association.begin_commitment(ASKED)
        # The process knows of no end of the association, as if it had been killed here.
        later = Archive(path)
        with requestor.listening() as later.remotes["MODALITY"]:
            later.scp.deliver(NOW + 60)
            assert requestor.reports == []
            later.scp.deliver(NOW + 70)
        assert requestor.reports[0].committed == SAFE
        association.abort()
        later.close()


@pytest.mark.parametrize("status", [0x0110, 0x0115, 0x0211])
def test_a_report_that_is_refused_is_sent_again(path: Path, status: int, caplog: pytest.LogCaptureFixture) -> None:
    statuses = iter([status, 0x0000])
    archive, requestor = Archive(path), Requestor(lambda _: next(statuses))
    with archive.serving() as server, requestor.listening() as archive.remotes["MODALITY"]:
        requestor.ask(server)
        until(lambda: not server.associations)
        archive.scp.deliver(NOW)
        assert archive.next_at() == 10
        archive.scp.deliver(NOW + 10)
        assert archive.next_at() is None
    assert [report.committed for report in requestor.reports] == [SAFE, SAFE]
    assert f"0x{status:04X}" in caplog.text


def answers_nothing(connection: Connection) -> None:
    connection.accept()
    connection.drain()


def aborts(connection: Connection) -> None:
    connection.accept()
    connection.read_message()
    connection.send_abort()


def hangs_up(connection: Connection) -> None:
    connection.accept()
    connection.read_message()
    connection.close()


def rejects(connection: Connection) -> None:
    connection.read_pdu()
    connection.close()


@pytest.mark.parametrize("behaviour", [answers_nothing, aborts, hangs_up, rejects])
def test_a_report_without_an_answer_is_sent_again(path: Path, behaviour: Callable[[Connection], None]) -> None:
    archive, requestor = Archive(path), Requestor()
    with archive.serving() as server:
        requestor.ask(server)
        until(lambda: not server.associations)
        with FaultyPeer(behaviour) as port:
            timeouts = dimse.Timeouts(dimse=0.3, acse=0.3)
            archive.remotes["MODALITY"] = dimse.Remote("127.0.0.1", port, timeouts=timeouts)
            archive.scp.deliver(NOW)
        assert archive.next_at() == 10
        with requestor.listening() as archive.remotes["MODALITY"]:
            archive.scp.deliver(NOW + 10)
    assert requestor.reports[0].committed == SAFE


def test_a_peer_that_answers_no_report_here_gets_it_over_an_association_of_ours(path: Path) -> None:
    archive, requestor = Archive(path, wait=0.0), Requestor()
    handlers = dimse.Handlers(commit=archive.scp.commit)
    with dimse.Server(("127.0.0.1", 0), handlers, timeouts=dimse.Timeouts(dimse=0.2)) as server:
        association = requestor.associate(server)
        association.begin_commitment(ASKED)
        until(lambda: not server.associations)
        with requestor.listening() as archive.remotes["MODALITY"]:
            archive.scp.deliver(NOW)
        assert requestor.reports[0].committed == SAFE
        association.abort()
    archive.close()


# --- what is refused ---


def test_a_peer_that_cannot_be_reported_to_is_refused_at_once(path: Path) -> None:
    archive = Archive(path)
    request = dimse.CommitmentRequest(
        transaction_uid="2.25.1",
        references=tuple(ASKED),
        peer=dimse.Peer("STRANGER"),
        message_id=1,
        called_ae_title="ARCHIVE",
        can_report_here=False,
    )
    assert archive.scp.commit(request) == 0x0110
    assert archive.next_at() is None
    archive.close()


def test_too_many_references_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dimse.archive.index.commitments.MOST_REFERENCES", 5)
    archive, requestor = Archive(path), Requestor()
    with archive.serving() as server:
        requestor.ask(server)
        with requestor.associate(server) as association:
            with pytest.raises(dimse.StatusError) as e:
                association.begin_commitment(ASKED)
            assert e.value.status == 0x0213


def test_a_database_that_is_gone_refuses_the_request_and_not_the_association(path: Path) -> None:
    archive, requestor = Archive(path), Requestor()
    with archive.serving() as server, requestor.associate(server) as association:
        archive.index.database.write(lambda writer: writer.text("DROP TABLE commitment"))
        with pytest.raises(dimse.StatusError) as e:
            association.begin_commitment(ASKED)
        assert e.value.status == 0x0110
        assert association.open


def test_a_judge_that_fails_leaves_the_transaction_open(path: Path) -> None:
    archive, requestor = Archive(path, wait=0.0), Requestor()
    archive.failed = None  # type: ignore[assignment]
    with archive.serving() as server, requestor.associate(server) as association:
        with pytest.raises(OperationTimeout):
            association.request_commitment(ASKED, wait=0.3)
        archive.failed = {}
        with requestor.listening() as archive.remotes["MODALITY"]:
            archive.scp.deliver(NOW)
    assert requestor.reports[0].committed == SAFE
