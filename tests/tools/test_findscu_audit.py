"""findscu --audit: each query is in the audit trail, with what was asked."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

from dimse.data_set.encoding import EXPLICIT_VR_LITTLE_ENDIAN
from dimse.data_set.identifier import Identifier
from dimse.testing import QueryRetrieveSCP
from dimse.uids import transfer_syntax
from tests.tools import running


def messages(trail: Path) -> list[Element]:
    return [fromstring(line) for line in trail.read_text().splitlines()]


def event(message: Element) -> str | None:
    found = message.find("EventIdentification/EventID")
    assert found is not None
    return found.get("originalText")


def test_each_query_is_recorded(tmp_path: Path) -> None:
    trail = tmp_path / "audit.xml"
    with QueryRetrieveSCP([{"StudyInstanceUID": "1.2", "PatientID": "Ä1"}]) as scp:
        done = running.tool(
            "findscu", "-S", "127.0.0.1", scp.port, "--patient-id", "Ä1", "-r", "StudyInstanceUID", "--repeat", 2,
            "--audit", trail, "--count",
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "2\n")
    start, first, second, stop = messages(trail)
    assert [event(each) for each in (start, first, second, stop)] == [
        "Application Activity", "Query", "Query", "Application Activity",
    ]  # fmt: skip
    subject = first.find("ParticipantObjectIdentification")
    assert subject is not None
    assert subject.get("ParticipantObjectID") == "1.2.840.10008.5.1.4.1.2.2.1"
    assert [child.tag for child in subject] == [
        "ParticipantObjectIDTypeCode", "ParticipantObjectQuery", "ParticipantObjectDetail",
    ]  # fmt: skip
    _, query, detail = subject
    assert detail.get("type") == "TransferSyntax"
    syntax = transfer_syntax(b64decode(detail.get("value", "")).decode()) or EXPLICIT_VR_LITTLE_ENDIAN
    identifier = Identifier.read(b64decode(query.text or ""), syntax)
    assert (identifier["PatientID"], identifier["QueryRetrieveLevel"]) == ("Ä1", "STUDY")
    us, peer = first.findall("ActiveParticipant")
    assert (us.get("UserIsRequestor"), us.get("AlternativeUserID")) == ("true", "AETITLES=FINDSCU")
    assert peer.get("NetworkAccessPointID") == "127.0.0.1"


def test_a_trail_that_cannot_be_kept_is_wrong_usage(tmp_path: Path) -> None:
    done = running.tool("findscu", "127.0.0.1", 1, "--patient-id", "1", "--audit", tmp_path / "no" / "audit.xml")
    assert done.returncode == 2
    assert "cannot keep the audit trail" in " ".join(done.stderr.split())
