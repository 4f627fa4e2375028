"""Audit messages as XML (PS3.15 A.5.1), of the kinds that we write (A.5.3)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, tostring

from dimse.support.text import one_line
from dimse.support.values import value

# Value, coding scheme and meaning.
Code = tuple[str, str, str]

# PS3.16 CID 400, 401, 402, 403 and 404.
APPLICATION_ACTIVITY: Code = ("110100", "DCM", "Application Activity")
BEGIN_TRANSFERRING: Code = ("110102", "DCM", "Begin Transferring DICOM Instances")
INSTANCES_TRANSFERRED: Code = ("110104", "DCM", "DICOM Instances Transferred")
QUERY: Code = ("110112", "DCM", "Query")
SECURITY_ALERT: Code = ("110113", "DCM", "Security Alert")
USER_AUTHENTICATION: Code = ("110114", "DCM", "User Authentication")
APPLICATION_START: Code = ("110120", "DCM", "Application Start")
APPLICATION_STOP: Code = ("110121", "DCM", "Application Stop")
LOGIN: Code = ("110122", "DCM", "Login")
NODE_AUTHENTICATION: Code = ("110126", "DCM", "Node Authentication")
USE_OF_RESTRICTED_FUNCTION: Code = ("110132", "DCM", "Use of Restricted Function")
APPLICATION: Code = ("110150", "DCM", "Application")
DESTINATION: Code = ("110152", "DCM", "Destination Role ID")
SOURCE: Code = ("110153", "DCM", "Source Role ID")
STUDY_INSTANCE_UID: Code = ("110180", "DCM", "Study Instance UID")
SOP_CLASS_UID: Code = ("110181", "DCM", "SOP Class UID")
NODE_ID: Code = ("110182", "DCM", "Node ID")
PATIENT_NUMBER: Code = ("2", "RFC-3881", "Patient Number")

SUCCESS: Literal[0] = 0
MINOR_FAILURE: Literal[4] = 4
SERIOUS_FAILURE: Literal[8] = 8
MAJOR_FAILURE: Literal[12] = 12
Outcome = Literal[0, 4, 8, 12]
Action = Literal["C", "R", "U", "D", "E"]

# ParticipantObjectTypeCode.
PERSON, SYSTEM = "1", "2"
# ParticipantObjectTypeCodeRole.
PATIENT, REPORT, SECURITY_RESOURCE = "1", "3", "13"
# NetworkAccessPointTypeCode.
MACHINE, ADDRESS = "1", "2"


@value
class Participant:
    """An ActiveParticipant: a person, a process or a node that took part.

    Attributes:
        user_id: A process ID, a user name or a host.
        requestor: True if it has initiated the event.
        ae_titles: Its AE titles.
        address: Its host, by name or IP address.
        role: Its role in the event.
    """

    user_id: str
    requestor: bool
    ae_titles: tuple[str, ...] = ()
    address: str = ""
    role: Code | None = None


@value
class Subject:
    """A ParticipantObject: the object of an event.

    Attributes:
        object_id: Its identifier.
        id_type: The kind of that identifier.
        type_code, role: `PERSON`, `PATIENT` and so on.
        details: Further values, by their names.
        sop_classes: For a study, the number of instances of each SOP class.
        query: For a query, its encoded identifier.
    """

    object_id: str
    id_type: Code
    type_code: str
    role: str
    details: Mapping[str, str] | None = None
    sop_classes: Mapping[str, int] | None = None
    query: bytes | None = None


def encode(
    event: Code,
    action: Action,
    outcome: Outcome,
    participants: Sequence[Participant],
    *,
    source: str,
    event_type: Code | None = None,
    why: str = "",
    subjects: Iterable[Subject] = (),
    when: datetime | None = None,
) -> bytes:
    """Return an AuditMessage on one line, in UTF-8.

    Args:
        event: The EventID.
        action: "C" create, "R" read, "U" update, "D" delete or "E" execute.
        outcome: 0 success; 4 minor, 8 serious, 12 major failure.
        participants: One or more participants.
        source: The AuditSourceID, which names this system.
        event_type: The EventTypeCode, if there is one.
        why: The EventOutcomeDescription.
        subjects: The objects of the event.
        when: The time of the event; by default now.
    """
    message = Element("AuditMessage")
    moment = (when or datetime.now(UTC)).isoformat(timespec="milliseconds")
    identification = _element(
        message, "EventIdentification",
        EventActionCode=action, EventDateTime=moment, EventOutcomeIndicator=str(outcome),
    )  # fmt: skip
    _coded(identification, "EventID", event)
    if event_type is not None:
        _coded(identification, "EventTypeCode", event_type)
    if why:
        SubElement(identification, "EventOutcomeDescription").text = one_line(why)
    for participant in participants:
        _add_participant(message, participant)
    _element(message, "AuditSourceIdentification", AuditSourceID=source)
    for subject in subjects:
        _add_subject(message, subject)
    encoded: bytes = tostring(message, "utf-8", xml_declaration=False)
    return encoded


def _element(parent: Element, name: str, **attributes: str) -> Element:
    """Add an element, with the characters of a peer's strings escaped that XML does not allow."""
    return SubElement(parent, name, {key: one_line(text) for key, text in attributes.items()})


def _coded(parent: Element, name: str, code: Code) -> None:
    number, system, meaning = code
    SubElement(parent, name, {"csd-code": number, "codeSystemName": system, "originalText": meaning})


def _add_participant(message: Element, participant: Participant) -> None:
    attributes = {"UserID": participant.user_id, "UserIsRequestor": str(participant.requestor).lower()}
    if participant.ae_titles:
        attributes["AlternativeUserID"] = f"AETITLES={';'.join(participant.ae_titles)}"
    if participant.address:
        attributes["NetworkAccessPointID"] = participant.address
        attributes["NetworkAccessPointTypeCode"] = ADDRESS if _is_number(participant.address) else MACHINE
    element = _element(message, "ActiveParticipant", **attributes)
    if participant.role is not None:
        _coded(element, "RoleIDCode", participant.role)


def _is_number(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _add_subject(message: Element, subject: Subject) -> None:
    element = _element(
        message, "ParticipantObjectIdentification",
        ParticipantObjectID=subject.object_id,
        ParticipantObjectTypeCode=subject.type_code,
        ParticipantObjectTypeCodeRole=subject.role,
    )  # fmt: skip
    _coded(element, "ParticipantObjectIDTypeCode", subject.id_type)
    if subject.query is None:
        # The schema wants a name, which is not known.
        SubElement(element, "ParticipantObjectName").text = ""
    else:
        SubElement(element, "ParticipantObjectQuery").text = b64encode(subject.query).decode("ascii")
    for name, text in (subject.details or {}).items():
        coded = b64encode(one_line(text).encode()).decode("ascii")
        SubElement(element, "ParticipantObjectDetail", {"type": name, "value": coded})
    if subject.sop_classes:
        description = SubElement(element, "ParticipantObjectDescription")
        for uid, number in sorted(subject.sop_classes.items()):
            _element(description, "SOPClass", UID=uid, NumberOfInstances=str(number))
