"""The audit trail: messages that keep to the schema, truthful outcomes, and where they go."""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

import dimse
from dimse import uids
from dimse.audit import Trail, messages
from dimse.audit.destinations import AuditFile, TLSSyslog, UDPSyslog
from dimse.logs.security_events import SecurityEvent
from dimse.support.text import one_line
from tests.audit.reading import Message, read
from tests.drivers import LOOPBACK, Face, on_both_faces, running
from tests.hostile_scu import HostileSCU

CT, MR = uids.CTImageStorage, uids.MRImageStorage
PEER = ("192.0.2.7", 50000)
HOSTILE = 'x\n<"&\x00\x1b[31m\ud800\ufffe]]>'

START, STOP, BEGIN, TRANSFERRED, ALERT, LOGIN = "110120", "110121", "110102", "110104", "110113", "110114"


class Kept:
    """A destination that keeps the messages; or says that it cannot."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.full = self.closed = False

    def write(self, message: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.lines.append(message)

    def close(self) -> None:
        self.closed = True

    @property
    def messages(self) -> list[Message]:
        return read(self.lines)


def make(*, sends: bool = False) -> tuple[Trail, Kept]:
    kept = Kept()
    return Trail(kept, "ARCHIVE", sends=sends), kept


def transfer(trail: Trail, study: str = "1.2", *, sop_class: str = CT, patient: str = "P1", **what: bool) -> None:
    trail.transferred(PEER, "MODALITY", patient_id=patient, study_instance_uid=study, sop_class_uid=sop_class, **what)


# --- the messages ---


def test_the_application_starts_and_stops() -> None:
    trail, kept = make()
    trail.started()
    trail.stopped()
    trail.stopped("cannot listen")
    assert [(message.event, message.event_type, message.outcome) for message in kept.messages] == [
        ("110100", START, 0),
        ("110100", STOP, 0),
        ("110100", STOP, 8),
    ]
    assert kept.messages[0].participants[0]["UserID"] == str(os.getpid())
    assert kept.messages[0].participants[0]["AlternativeUserID"] == "AETITLES=ARCHIVE"
    assert kept.messages[2].why == "cannot listen"


def test_a_transfer_to_us_is_announced_once_a_study_and_reported_at_its_end() -> None:
    trail, kept = make()
    for study, sop_class in (("1.2", CT), ("1.2", CT), ("1.3", MR), ("1.2", MR)):
        transfer(trail, study, sop_class=sop_class)
    assert [(message.event, message.objects["110180"]) for message in kept.messages] == [(BEGIN, "1.2"), (BEGIN, "1.3")]
    trail.observe(SecurityEvent("ended", PEER))
    first, second = kept.messages[2:]
    assert (first.event, first.action, first.outcome, first.why) == (TRANSFERRED, "C", 0, "")
    assert first.objects == {"110180": "1.2", "2": "P1"}
    assert first.sop_classes == {CT: 2, MR: 1}
    assert second.sop_classes == {MR: 1}
    assert first.roles == {"110153": "AETITLES=MODALITY", "110152": "AETITLES=ARCHIVE"}
    assert [who["UserIsRequestor"] for who in first.participants] == ["true", "false"]
    assert first.participants[0]["NetworkAccessPointID"] == "192.0.2.7"


def test_a_transfer_by_us_has_us_as_its_source() -> None:
    trail, kept = make(sends=True)
    trail.begin_transfer(PEER, "MODALITY", "P1", "1.2")
    transfer(trail)
    trail.end_transfer(PEER)
    begin, done = kept.messages
    assert (begin.event, done.event, done.action) == (BEGIN, TRANSFERRED, "R")
    assert done.roles == {"110153": "AETITLES=ARCHIVE", "110152": "AETITLES=MODALITY"}
    assert done.participants[0]["UserID"] == str(os.getpid())  # the process that requested it


@pytest.mark.parametrize(
    ("done", "failed", "ended", "outcome", "why"),
    [
        (2, 0, "", 0, ""),
        (2, 1, "", 4, "not transferred: 1 of 3 instances"),
        (0, 3, "", 8, "not transferred: 3 of 3 instances"),
        (2, 0, "Connection closed", 4, "Connection closed"),
        (0, 1, "cut", 8, "not transferred: 1 of 1 instance; cut"),
    ],
)
def test_the_outcome_is_what_came_of_it(done: int, failed: int, ended: str, outcome: int, why: str) -> None:
    trail, kept = make()
    for number in range(done + failed):
        transfer(trail, failed=number >= done)
    trail.end_transfer(PEER, ended)
    report = kept.messages[-1]
    assert (report.outcome, report.why, report.sop_classes) == (outcome, why, {CT: done} if done else {})


def test_what_the_receiver_had_already_is_read_and_not_created() -> None:
    trail, kept = make()
    transfer(trail, duplicate=True)
    trail.end_transfer(PEER)
    transfer(trail)
    transfer(trail, duplicate=True)
    trail.end_transfer(PEER)
    assert [message.action for message in kept.messages if message.event == TRANSFERRED] == ["R", "C"]


@pytest.mark.thorough
def test_a_transfer_of_very_many_studies_takes_no_more_memory_than_a_thousand() -> None:
    trail, kept = make()
    for number in range(2100):
        transfer(trail, f"1.2.{number}")
    assert max(len(each.studies) for each in trail._transfers.values()) <= 1000
    trail.close()
    reported = [message.objects["110180"] for message in kept.messages if message.event == TRANSFERRED]
    assert reported == [f"1.2.{number}" for number in range(2100)]
    assert kept.closed


@pytest.mark.parametrize(
    (("event", "events")),
    [
        (SecurityEvent("accepted", PEER, "MODALITY", "ARCHIVE"), []),
        (SecurityEvent("accepted", PEER, "MODALITY", "ARCHIVE", user="alice"), [(LOGIN, "110122", 0)]),
        (SecurityEvent("unidentified", PEER, "M", "A", user="eve"), [(LOGIN, "110122", 4), (ALERT, "110126", 4)]),
        (SecurityEvent("rejected", PEER, "M", "A", why="Calling AE title not recognised"), [(ALERT, "110126", 4)]),
        (SecurityEvent("turned away", PEER), [(ALERT, "110126", 4)]),
        (SecurityEvent("tls", PEER, why="TLS handshake failed"), [(ALERT, "110126", 4)]),
        (SecurityEvent("protocol", PEER, why="the peer does not speak DICOM"), [(ALERT, "110132", 4)]),
        (SecurityEvent("ended", PEER), []),
    ],
)
def test_security_events_become_audit_messages(event: SecurityEvent, events: list[tuple[str, str, int]]) -> None:
    trail, kept = make()
    trail.observe(event)
    assert [(message.event, message.event_type, message.outcome) for message in kept.messages] == events
    for message in kept.messages:
        if message.event == LOGIN:
            assert message.participants[0]["UserID"] == event.user
        else:
            assert message.alert == (f"{event.kind}: {event.why}" if event.why else event.kind)


def test_whatever_a_peer_says_a_message_is_a_line_of_xml() -> None:
    trail, kept = make()
    trail.observe(SecurityEvent("unidentified", PEER, HOSTILE, HOSTILE, user=HOSTILE, why=HOSTILE))
    trail.transferred(PEER, HOSTILE, patient_id=HOSTILE, study_instance_uid=HOSTILE, sop_class_uid=HOSTILE)
    trail.end_transfer(PEER, HOSTILE)
    assert len(kept.messages) == 4
    assert not any(b"\n" in line or b"\x1b" in line for line in kept.lines)
    assert kept.messages[-1].objects["2"] == one_line(HOSTILE)


def test_a_trail_that_cannot_be_written_is_a_line_in_the_log_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    trail, kept = make()
    kept.full = True
    for _ in range(3):
        trail.started()
    assert caplog.messages == ["the audit trail has gaps: No space left on device"]
    kept.full = False
    trail.started()
    assert len(kept.lines) == 1


# --- what a server observes ---


@pytest.mark.usefixtures("brief_delays")
@on_both_faces
def test_a_server_tells_what_happens(face: Face) -> None:
    happened: list[SecurityEvent] = []

    def identify(who: dimse.UserIdentity) -> bytes | None:
        return b"" if who.user == "alice" else None

    with running(face, observe=happened.append, identify=identify, require_called=True, ae_title="ARCHIVE") as server:
        port = server.address[1]

        def ask(user: str, called: str = "ARCHIVE") -> None:
            with dimse.associate(
                LOOPBACK,
                port,
                contexts=[dimse.Verification],
                called_ae_title=called,
                identity=dimse.UserIdentity(1, user.encode()),
            ) as association:
                association.echo()

        ask("alice")
        for user, called in (("eve", "ARCHIVE"), ("alice", "OTHER")):
            with pytest.raises(dimse.AssociationRejected):
                ask(user, called)
        with HostileSCU(port) as scu:
            scu.send(b"GET / HTTP/1.1\r\n\r\n")
            scu.answers()
    seen = [(one.kind, one.user, one.called_ae_title) for one in happened]
    assert seen[:2] == [("accepted", "alice", "ARCHIVE"), ("ended", "", "ARCHIVE")]
    # Each association tells in its own time.
    assert sorted(seen[2:]) == [("protocol", "", ""), ("rejected", "", "OTHER"), ("unidentified", "eve", "ARCHIVE")]
    why = {one.kind: one.why for one in happened}
    assert why["rejected"] == "Called AE title not recognised"
    assert "does not speak DICOM" in why["protocol"]
    assert all(one.peer[0] == LOOPBACK and one.peer[1] for one in happened)


@on_both_faces
def test_a_failing_observer_does_no_harm(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    def observe(event: SecurityEvent) -> None:
        raise RuntimeError("no paper")

    with (
        running(face, observe=observe) as server,
        dimse.associate(LOOPBACK, server.address[1], contexts=[dimse.Verification]) as association,
    ):
        assert association.echo().is_success
    assert "what observes the server failed: RuntimeError: no paper" in caplog.messages


# --- where they go ---


def test_a_file_is_its_owners_and_has_a_message_a_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.xml"
    before = os.umask(0)
    try:
        for _ in range(2):
            trail = Trail(AuditFile(path), "ARCHIVE")
            trail.started()
            trail.stopped()
            trail.close()
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [message.event_type for message in read(path.read_bytes().splitlines())] == [START, STOP] * 2


def test_a_file_that_is_rotated_goes_on_in_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "audit.xml"
    trail = Trail(AuditFile(path), "ARCHIVE")
    trail.started()
    path.rename(tmp_path / "old")
    trail.stopped()
    trail.close()
    assert [len(read((tmp_path / name).read_bytes().splitlines())) for name in ("old", "audit.xml")] == [1, 1]


SYSLOG = re.compile(
    rb"<85>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S+) dimse (\d+) DICOM\+RFC3881 - \xef\xbb\xbf(<AuditMessage.*)",
    re.S,
)


def from_syslog(datagram: bytes) -> Message:
    """Return the message in a datagram of RFC 5424's form."""
    found = SYSLOG.fullmatch(datagram)
    assert found, datagram
    (message,) = read([found[4]])
    return message


def test_syslog_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((LOOPBACK, 0))
        server.settimeout(20)
        trail = Trail(UDPSyslog(LOOPBACK, server.getsockname()[1]), "ARCHIVE")
        trail.started()
        assert from_syslog(server.recv(65536)).event_type == START
        trail.close()


class Syslog:
    """A syslog server over TLS, while entered; `cut` is after how many messages it ends the first connection."""

    def __init__(self, context: ssl.SSLContext, cut: int = 0) -> None:
        self.messages: list[Message] = []
        self._context, self._cut = context, cut
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.settimeout(20)
        self._thread = threading.Thread(target=self._serve)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Syslog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while self._take_connection():
            pass

    def _take_connection(self) -> bool:
        """Take a connection; return True if it was cut, and another one is to come."""
        plain, _ = self._listener.accept()
        plain.settimeout(20)
        with self._context.wrap_socket(plain, server_side=True) as connection, connection.makefile("rb") as stream:
            while length := b"".join(iter(lambda: stream.read(1), b" ")) if stream.peek(1) else b"":
                self.messages.append(from_syslog(stream.read(int(length))))
                if len(self.messages) == self._cut:
                    self._cut = 0
                    return True
        return False


@contextmanager
def tls_syslog(tmp_path: Path, cut: int = 0) -> Iterator[tuple[Syslog, str]]:
    """Run a server, and yield it and the file of the CA of its certificate."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(LOOPBACK).configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Syslog(context, cut) as server:
        yield server, str(tmp_path / "ca.pem")


def test_syslog_over_tls(tmp_path: Path) -> None:
    with tls_syslog(tmp_path) as (server, ca):
        trail = Trail(TLSSyslog(LOOPBACK, server.port, ca=ca), "ARCHIVE")
        trail.started()
        for number in range(20):
            transfer(trail, f"1.{number}")
        trail.stopped()
        trail.close()
    assert [message.event for message in server.messages] == ["110100", *[BEGIN] * 20, "110100", *[TRANSFERRED] * 20]


@pytest.mark.thorough
def test_a_syslog_server_that_went_away_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dimse.audit.destinations.RETRY_INTERVAL", 0.05)
    with tls_syslog(tmp_path, cut=1) as (server, ca):
        trail = Trail(TLSSyslog(LOOPBACK, server.port, ca=ca), "ARCHIVE")
        trail.started()
        while len(server.messages) < 1:
            os.sched_yield()
        while not any("does not reach" in message for message in caplog.messages):
            # What was written into the dead connection is lost; no error shows it.
            trail.started()
        trail.stopped()
        trail.close()
    assert server.messages[-1].event_type == STOP


@pytest.mark.thorough
def test_an_untrusted_syslog_server_gets_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dimse.audit.destinations.DRAIN_SECONDS", 0.3)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert(LOOPBACK).configure_cert(context)
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        refused = threading.Event()

        def serve() -> None:
            plain, _ = listener.accept()
            with plain, pytest.raises((ssl.SSLError, OSError)):
                context.wrap_socket(plain, server_side=True).recv(1)
            refused.set()

        thread = threading.Thread(target=serve)
        thread.start()
        trail = Trail(TLSSyslog(LOOPBACK, port, ca=str(tmp_path / "other.pem")), "ARCHIVE")
        trail.started()
        refused.wait(20)
        trail.close()
        thread.join()
    assert any("the audit trail does not reach" in message for message in caplog.messages)
    assert "audit messages that were not sent: 1" in caplog.messages


def test_codes_are_those_of_the_standard() -> None:
    assert messages.SECURITY_ALERT == ("110113", "DCM", "Security Alert")
    assert messages.INSTANCES_TRANSFERRED[2] == "DICOM Instances Transferred"
