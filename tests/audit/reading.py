"""Audit messages read back, and held against the schema of PS3.15 A.5.1."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element, fromstring

# Each element: the attributes that it must have, those that it may have, and its children in their order.
CODE = ({"csd-code", "codeSystemName", "originalText"}, {"displayName"}, ())
SCHEMA: dict[str, tuple[set[str], set[str], tuple[str, ...]]] = {
    "AuditMessage": (
        set(),
        set(),
        ("EventIdentification", "ActiveParticipant", "AuditSourceIdentification", "ParticipantObjectIdentification"),
    ),
    "EventIdentification": (
        {"EventDateTime", "EventOutcomeIndicator"},
        {"EventActionCode"},
        ("EventID", "EventTypeCode", "EventOutcomeDescription"),
    ),
    "EventID": CODE,
    "EventTypeCode": CODE,
    "EventOutcomeDescription": (set(), set(), ()),
    "ActiveParticipant": (
        {"UserID", "UserIsRequestor"},
        {"AlternativeUserID", "UserName", "NetworkAccessPointID", "NetworkAccessPointTypeCode"},
        ("RoleIDCode",),
    ),
    "RoleIDCode": CODE,
    "AuditSourceIdentification": ({"AuditSourceID"}, {"AuditEnterpriseSiteID"}, ()),
    "ParticipantObjectIdentification": (
        {"ParticipantObjectID"},
        {"ParticipantObjectTypeCode", "ParticipantObjectTypeCodeRole"},
        (
            "ParticipantObjectIDTypeCode",
            "ParticipantObjectName",
            "ParticipantObjectQuery",
            "ParticipantObjectDetail",
            "ParticipantObjectDescription",
        ),
    ),
    "ParticipantObjectIDTypeCode": CODE,
    "ParticipantObjectName": (set(), set(), ()),
    "ParticipantObjectQuery": (set(), set(), ()),
    "ParticipantObjectDetail": ({"type", "value"}, set(), ()),
    "ParticipantObjectDescription": (set(), set(), ("SOPClass",)),
    "SOPClass": ({"NumberOfInstances"}, {"UID"}, ()),
}
NEEDED = {
    "AuditMessage": {"EventIdentification", "ActiveParticipant", "AuditSourceIdentification"},
    "EventIdentification": {"EventID"},
    "ParticipantObjectIdentification": {"ParticipantObjectIDTypeCode"},
}
VALUES = {
    "EventOutcomeIndicator": {"0", "4", "8", "12"},
    "EventActionCode": set("CRUDE"),
    "UserIsRequestor": {"true", "false"},
    "NetworkAccessPointTypeCode": set("12345"),
    "ParticipantObjectTypeCode": set("1234"),
    "ParticipantObjectTypeCodeRole": {str(number) for number in range(1, 27)},
}


@dataclass(frozen=True)
class Message:
    """An audit message, as a test examines it."""

    root: Element

    @property
    def event(self) -> str:
        return self._code("EventIdentification/EventID")

    @property
    def event_type(self) -> str:
        return self._code("EventIdentification/EventTypeCode")

    @property
    def outcome(self) -> int:
        return int(self._identification.attrib["EventOutcomeIndicator"])

    @property
    def action(self) -> str:
        return self._identification.attrib["EventActionCode"]

    @property
    def why(self) -> str:
        return self.root.findtext("EventIdentification/EventOutcomeDescription", "")

    @property
    def participants(self) -> list[dict[str, str]]:
        return [element.attrib for element in self.root.findall("ActiveParticipant")]

    @property
    def roles(self) -> dict[str, str]:
        """The AE titles by role: 110153 is the source, 110152 the destination."""
        return {
            element.find("RoleIDCode").attrib["csd-code"]: element.attrib.get("AlternativeUserID", "")  # type: ignore[union-attr]
            for element in self.root.findall("ActiveParticipant")
        }

    @property
    def objects(self) -> dict[str, str]:
        """The identifier of each object by its kind."""
        return {
            self._code("ParticipantObjectIDTypeCode", element): element.attrib["ParticipantObjectID"]
            for element in self.root.findall("ParticipantObjectIdentification")
        }

    @property
    def sop_classes(self) -> dict[str, int]:
        return {
            element.attrib["UID"]: int(element.attrib["NumberOfInstances"]) for element in self.root.iter("SOPClass")
        }

    @property
    def alert(self) -> str:
        return b64decode(self.root.find(".//ParticipantObjectDetail").attrib["value"]).decode()  # type: ignore[union-attr]

    @property
    def _identification(self) -> Element:
        found = self.root.find("EventIdentification")
        assert found is not None
        return found

    def _code(self, path: str, below: Element | None = None) -> str:
        found = (self.root if below is None else below).find(path)
        return "" if found is None else found.attrib["csd-code"]


def read(lines: Iterable[bytes | str]) -> list[Message]:
    """Return the messages in lines, after a check against the schema."""
    messages = []
    for line in lines:
        root = fromstring(line)
        assert root.tag == "AuditMessage"
        verify(root)
        messages.append(Message(root))
    return messages


def verify(element: Element) -> None:
    """Verify that an element, with all below it, complies with the schema."""
    needed, allowed, children = SCHEMA[element.tag]
    assert needed <= element.attrib.keys() <= needed | allowed, (element.tag, element.attrib)
    for name, value in element.attrib.items():
        assert value in VALUES.get(name, {value}), (name, value)
        if name == "EventDateTime":
            assert datetime.fromisoformat(value).tzinfo is not None
    found = [child.tag for child in element]
    if element.tag == "ParticipantObjectIdentification":
        assert len({"ParticipantObjectName", "ParticipantObjectQuery"}.intersection(found)) == 1
    assert found == sorted(found, key=children.index), found
    assert NEEDED.get(element.tag, set()) <= set(found)
    for child in element:
        verify(child)
