"""The audit trail (PS3.15 A.5): a record of transfers, logins and refusals for those who answer for the data.

An audit trail holds patient data.

trail = Trail(AuditFile("audit.xml"), ae_title="ARCHIVE")
with FileStore("incoming", stored=trail.stored) as store, Server(address, store.handlers(), observe=trail.observe): ...
"""

from __future__ import annotations

import os
import threading
from collections import Counter

from dimse.audit import messages
from dimse.audit.destinations import LOGGER, Destination, host_name
from dimse.audit.messages import MINOR_FAILURE, SERIOUS_FAILURE, SUCCESS, Code, Outcome, Participant, Subject
from dimse.logs.security_events import SecurityEvent
from dimse.support.text import counted, one_line
from dimse.support.values import field, record

# Studies of a transfer that are held in memory; then they are reported, and the transfer goes on.
MOST_STUDIES = 1_000

# Host and port of a peer.
Node = tuple[str, int]


@record
class _Study:
    """The instances of a study, of one patient, that are transferred between two AEs.

    Attributes:
        instances: Number of instances of each SOP class that were transferred.
        duplicates: Number of them that the receiver had already.
        failed: Number of instances of each SOP class that were not transferred.
    """

    instances: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    failed: Counter[str] = field(default_factory=Counter)


@record
class _Transfer:
    """The studies that one association or one run of a sender transfers, by Patient ID and Study Instance UID."""

    # Those of source and destination.
    ae_titles: tuple[str, str]
    studies: dict[tuple[str, str], _Study] = field(default_factory=dict)


class Trail:
    """An audit trail. It may be used from any thread, and a failure of its destination does not end an association.

    Args:
        destination: The receiver of the audit messages.
        ae_title: Our AE title.
        sends: True if we are the source of the instances, False if we are their destination.
    """

    def __init__(self, destination: Destination, ae_title: str, *, sends: bool = False) -> None:
        self._destination, self._ae_title, self._sends = destination, ae_title, sends
        self._source = host_name()
        self._lock = threading.Lock()
        self._transfers: dict[Node, _Transfer] = {}
        self._failed = False

    def close(self) -> None:
        """Report the transfers under way as cut off, and close the destination."""
        self.end_transfers("the transfer was cut off")
        self._destination.close()

    def sending(self) -> Trail:
        """Return another trail with the same destination, for instances of which we are the source; it need not be closed."""
        return Trail(self._destination, self._ae_title, sends=True)

    # --- the application ---

    def started(self) -> None:
        """Write Application Activity: Application Start."""
        self._activity(messages.APPLICATION_START, SUCCESS, "")

    def stopped(self, why: str = "") -> None:
        """Write Application Activity: Application Stop; `why` is the reason of an unwanted one."""
        self._activity(messages.APPLICATION_STOP, SERIOUS_FAILURE if why else SUCCESS, why)

    def _activity(self, event_type: Code, outcome: Outcome, why: str) -> None:
        us = self._us(requestor=False, role=messages.APPLICATION)
        self._write(messages.APPLICATION_ACTIVITY, "E", outcome, [us], event_type=event_type, why=why)

    # --- what a server observes ---

    def observe(self, event: SecurityEvent) -> None:
        """Write the audit message for a security event; this is the `observe` of a server."""
        match event.kind:
            case "accepted":
                if event.user:
                    self._authenticated(event, SUCCESS)
            case "unidentified":
                self._authenticated(event, MINOR_FAILURE)
                self.alert(event, messages.NODE_AUTHENTICATION)
            case "ended":
                self.end_transfer(event.peer, event.why)
            case "protocol" | "not authorized":
                self.alert(event, messages.USE_OF_RESTRICTED_FUNCTION)
            case _:
                self.alert(event, messages.NODE_AUTHENTICATION)

    def _authenticated(self, event: SecurityEvent, outcome: Outcome) -> None:
        host, port = event.peer
        them = Participant(event.user or f"{host}:{port}", True, _titles(event.calling_ae_title), host)
        participants = [them, self._us(requestor=False)]
        self._write(messages.USER_AUTHENTICATION, "E", outcome, participants, event_type=messages.LOGIN, why=event.why)

    def alert(self, event: SecurityEvent, event_type: Code = messages.USE_OF_RESTRICTED_FUNCTION) -> None:
        """Write Security Alert about a refusal, which has prevented harm (outcome 4)."""
        host, port = event.peer
        them = Participant(f"{host}:{port}", False, _titles(event.calling_ae_title), host)
        what = f"{event.kind}: {event.why}" if event.why else event.kind
        subject = Subject(
            f"{host}:{port}", messages.NODE_ID, messages.SYSTEM, messages.SECURITY_RESOURCE, {"Alert Description": what}
        )
        self._write(
            messages.SECURITY_ALERT, "E", MINOR_FAILURE, [self._us(requestor=True), them],
            event_type=event_type, why=what, subjects=[subject],
        )  # fmt: skip

    # --- queries ---

    def queried(
        self,
        peer: Node,
        peer_ae_title: str,
        *,
        sop_class_uid: str,
        transfer_syntax_uid: str,
        identifier: bytes,
        requestor: bool,
    ) -> None:
        """Write Query about a C-FIND (PS3.15 A.5.3.10), which does not tell what it has found.

        Args:
            peer: Host and port of the peer.
            peer_ae_title: Its AE title.
            sop_class_uid: The SOP class of the query.
            transfer_syntax_uid: The transfer syntax of the identifier.
            identifier: The encoded identifier.
            requestor: True if we asked the peer; False if it asked us.
        """
        host, port = peer
        asking, asked = messages.SOURCE, messages.DESTINATION
        us = self._us(requestor=requestor, role=asking if requestor else asked)
        role = asked if requestor else asking
        them = Participant(f"{host}:{port}", not requestor, _titles(peer_ae_title), host, role)
        subject = Subject(
            sop_class_uid, messages.SOP_CLASS_UID, messages.SYSTEM, messages.REPORT,
            {"TransferSyntax": transfer_syntax_uid}, query=identifier,
        )  # fmt: skip
        both = [us, them] if requestor else [them, us]
        self._write(messages.QUERY, "E", SUCCESS, both, subjects=[subject])

    # --- transfers ---

    def transferred(
        self,
        peer: Node,
        peer_ae_title: str,
        *,
        patient_id: str,
        study_instance_uid: str,
        sop_class_uid: str,
        duplicate: bool = False,
        failed: bool = False,
    ) -> None:
        """Count an instance that was transferred between us and a peer, or was not (`failed`); `end_transfer` reports it."""
        study = self._study(peer, peer_ae_title, patient_id, study_instance_uid)
        with self._lock:
            (study.failed if failed else study.instances)[sop_class_uid] += 1
            study.duplicates += duplicate

    def begin_transfer(self, peer: Node, peer_ae_title: str, patient_id: str, study_instance_uid: str) -> None:
        """Write Begin Transferring DICOM Instances, unless the transfer of the study has begun."""
        self._study(peer, peer_ae_title, patient_id, study_instance_uid)

    def _study(self, peer: Node, peer_ae_title: str, patient_id: str, study_instance_uid: str) -> _Study:
        full = None
        with self._lock:
            transfer = self._transfers.get(peer)
            if transfer is None or len(transfer.studies) >= MOST_STUDIES:
                full = transfer
                titles = (self._ae_title, peer_ae_title) if self._sends else (peer_ae_title, self._ae_title)
                transfer = self._transfers[peer] = _Transfer(titles)
            key = (patient_id, study_instance_uid)
            new = key not in transfer.studies
            study = transfer.studies.setdefault(key, _Study())
        if full is not None:
            self._report(peer, full, "")
        if new and study_instance_uid:
            self._write(
                messages.BEGIN_TRANSFERRING, "E", SUCCESS, self._between(peer, transfer.ae_titles),
                subjects=_subjects(key, study),
            )  # fmt: skip
        return study

    def end_transfer(self, peer: Node, why: str = "") -> None:
        """Write DICOM Instances Transferred for each study of a peer; `why` is the reason of an early end."""
        with self._lock:
            transfer = self._transfers.pop(peer, None)
        if transfer is not None:
            self._report(peer, transfer, why)

    def end_transfers(self, why: str = "") -> None:
        """Write DICOM Instances Transferred for each study of every peer; `why` is the reason of an early end."""
        for peer in list(self._transfers):
            self.end_transfer(peer, why)

    def _report(self, peer: Node, transfer: _Transfer, why: str) -> None:
        for key, study in transfer.studies.items():
            done, failed = study.instances.total(), study.failed.total()
            outcome: Outcome = SUCCESS if not failed and not why else MINOR_FAILURE if done else SERIOUS_FAILURE
            words = [f"not transferred: {failed} of {counted(done + failed, 'instance')}"] if failed else []
            self._write(
                messages.INSTANCES_TRANSFERRED,
                "R" if self._sends or (done and done == study.duplicates) else "C",
                outcome,
                self._between(peer, transfer.ae_titles),
                why="; ".join([*words, *([why] if why else [])]),
                subjects=_subjects(key, study),
            )

    def _between(self, peer: Node, ae_titles: tuple[str, str]) -> list[Participant]:
        """Return source and destination; the source is the requestor, and comes first."""
        host, port = peer
        theirs, title = (messages.DESTINATION, ae_titles[1]) if self._sends else (messages.SOURCE, ae_titles[0])
        ours = messages.SOURCE if self._sends else messages.DESTINATION
        them = Participant(f"{host}:{port}", not self._sends, _titles(title), host, theirs)
        return sorted([self._us(requestor=self._sends, role=ours), them], key=lambda one: not one.requestor)

    # --- every message ---

    def _us(self, *, requestor: bool, role: Code | None = None) -> Participant:
        return Participant(str(os.getpid()), requestor, (self._ae_title,), self._source, role)

    def _write(
        self,
        event: Code,
        action: messages.Action,
        outcome: Outcome,
        participants: list[Participant],
        *,
        event_type: Code | None = None,
        why: str = "",
        subjects: list[Subject] | None = None,
    ) -> None:
        message = messages.encode(
            event, action, outcome, participants,
            source=self._source, event_type=event_type, why=why, subjects=subjects or (),
        )  # fmt: skip
        try:
            self._destination.write(message)
        except OSError as error:
            # Logged once, and not for each of thousands of messages.
            if not self._failed:
                LOGGER.error("the audit trail has gaps: %s", one_line(error.strerror or str(error)))
            self._failed = True
        else:
            self._failed = False


def _titles(title: str) -> tuple[str, ...]:
    return (title,) if title else ()


def _subjects(key: tuple[str, str], study: _Study) -> list[Subject]:
    """Return the study, with the number of instances of each SOP class, and its patient."""
    patient_id, study_instance_uid = key
    subjects = []
    if study_instance_uid:
        subjects.append(
            Subject(
                study_instance_uid,
                messages.STUDY_INSTANCE_UID,
                messages.SYSTEM,
                messages.REPORT,
                sop_classes=study.instances,
            )
        )
    if patient_id:
        subjects.append(Subject(patient_id, messages.PATIENT_NUMBER, messages.PERSON, messages.PATIENT))
    return subjects
