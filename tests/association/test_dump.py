"""The lines that `--debug` adds to the log: scripts look for them, word for word and column for column."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from dimse import uids
from dimse.association.dump import Dump
from dimse.message import command
from dimse.message.command import CEchoRQ, CEchoRSP, CStoreRQ, CStoreRSP, Message
from dimse.upper_layer import pdu

US = "1.2.826.0.1.1"
CT, MR = uids.CTImageStorage, uids.MRImageStorage
IMPLICIT, EXPLICIT = uids.ImplicitVRLittleEndian, uids.ExplicitVRLittleEndian

WHO: tuple[pdu.UserInformationItem, ...] = (
    pdu.MaximumLength(16382),
    pdu.ImplementationClassUID(US),
    pdu.ImplementationVersionName("DIMSE_0_1_0"),
)


@pytest.fixture
def printed(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "dimse.association")
    caplog.set_level(logging.DEBUG, "dimse.message")
    return caplog


def said(printed: pytest.LogCaptureFixture) -> str:
    """Return what was printed since the last call, a line for each record."""
    assert all(record.levelno == logging.DEBUG and "\n" not in record.getMessage() for record in printed.records)
    text = "\n".join(printed.messages)
    printed.clear()
    return text


def associate_rq(
    *items: pdu.UserInformationItem, contexts: tuple[pdu.PresentationContextRQ, ...] | None = None
) -> pdu.AssociateRQ:
    contexts = contexts or (
        pdu.PresentationContextRQ(1, uids.Verification, (EXPLICIT, IMPLICIT)),
        pdu.PresentationContextRQ(3, CT, (IMPLICIT,)),
        pdu.PresentationContextRQ(5, MR, (IMPLICIT,)),
        pdu.PresentationContextRQ(7, "1.2.3.4.5.6.7", (uids.ExplicitVRBigEndian, "1.2.3.4")),
    )
    return pdu.AssociateRQ("ANY-SCP", "STORESCU", contexts, items)


def associate_ac(*contexts: pdu.PresentationContextAC, items: tuple[pdu.UserInformationItem, ...]) -> pdu.AssociateAC:
    return pdu.AssociateAC("ANY-SCP", "STORESCU", contexts, items)


EVERYTHING = (
    *WHO,
    pdu.AsynchronousOperationsWindow(3, 4),
    pdu.RoleSelection(CT, 1, 1),
    pdu.RoleSelection(MR, 0, 1),
    pdu.SOPClassExtendedNegotiation(CT, bytes(range(20))),
    pdu.SOPClassExtendedNegotiation(MR, b"\x01\x02\xff"),
    pdu.SOPClassCommonExtendedNegotiation(CT, "1.2.840.10008.4.2", (MR, "1.2.3")),
    pdu.SOPClassCommonExtendedNegotiation(MR, "1.2.840.10008.4.2"),
    pdu.UserIdentityRQ(2, 1, b"primary", b"SECRET"),
)

# --- A-ASSOCIATE-RQ ---

OUTGOING_RQ = """\
Request Parameters:
======================= OUTGOING A-ASSOCIATE-RQ PDU ========================
Our Implementation Class UID:      1.2.826.0.1.1
Our Implementation Version Name:   DIMSE_0_1_0
Application Context Name:    1.2.840.10008.3.1.1.1
Calling Application Name:    STORESCU
Called Application Name:     ANY-SCP
Our Max PDU Receive Size:    16382
Presentation Contexts:
  Context ID:        1 (Proposed)
    Abstract Syntax: =Verification SOP Class
    Proposed SCP/SCU Role: Default
    Proposed Transfer Syntaxes:
      =Explicit VR Little Endian
      =Implicit VR Little Endian
  Context ID:        3 (Proposed)
    Abstract Syntax: =CT Image Storage
    Proposed SCP/SCU Role: SCP/SCU
    Proposed Transfer Syntax:
      =Implicit VR Little Endian
  Context ID:        5 (Proposed)
    Abstract Syntax: =MR Image Storage
    Proposed SCP/SCU Role: SCP
    Proposed Transfer Syntax:
      =Implicit VR Little Endian
  Context ID:        7 (Proposed)
    Abstract Syntax: =1.2.3.4.5.6.7
    Proposed SCP/SCU Role: Default
    Proposed Transfer Syntaxes:
      =Explicit VR Big Endian
      =1.2.3.4
Requested Extended Negotiation:
  SOP Class: =1.2.840.10008.5.1.4.1.1.2
    00  01  02  03  04  05  06  07  08  09  0a  0b  0c  0d  0e  0f
    10  11  12  13
  SOP Class: =1.2.840.10008.5.1.4.1.1.4
    01  02  ff
Requested Common Extended Negotiation:
  SOP Class: =CT Image Storage
    Service Class: =Storage Service Class
    Related General SOP Class(es):
      =MR Image Storage
      =1.2.3
  SOP Class: =MR Image Storage
    Service Class: =Storage Service Class
    Related General SOP Classes: None
Requested Asynchronous Operations Window Negotiation:
  Maximum Invoked Operations:     3
  Maximum Performed Operations:   4
Requested User Identity Negotiation:
  Authentication Mode: 2 - Username/Password
  Username: [primary]
  Password: [***]
  Positive Response Requested: Yes
========================== END A-ASSOCIATE-RQ PDU =========================="""

ONE_CONTEXT_RQ = """\
Request Parameters:
======================= OUTGOING A-ASSOCIATE-RQ PDU ========================
Our Implementation Class UID:      1.2.826.0.1.1
Our Implementation Version Name:   DIMSE_0_1_0
Application Context Name:    1.2.840.10008.3.1.1.1
Calling Application Name:    STORESCU
Called Application Name:     ANY-SCP
Our Max PDU Receive Size:    16382
Presentation Context:
  Context ID:        1 (Proposed)
    Abstract Syntax: =Verification SOP Class
    Proposed SCP/SCU Role: Default
    Proposed Transfer Syntax:
      =Implicit VR Little Endian
Requested Extended Negotiation: None
Requested Common Extended Negotiation: None
Requested Asynchronous Operations Window Negotiation: None
Requested User Identity Negotiation: None
========================== END A-ASSOCIATE-RQ PDU =========================="""

ONE_CONTEXT = (pdu.PresentationContextRQ(1, uids.Verification, (IMPLICIT,)),)


def test_an_outgoing_request_with_everything(printed: pytest.LogCaptureFixture) -> None:
    Dump().pdu(associate_rq(*EVERYTHING), outgoing=True)
    assert {record.name for record in printed.records} == {"dimse.association"}
    assert said(printed) == OUTGOING_RQ


def test_an_outgoing_request_with_nothing(printed: pytest.LogCaptureFixture) -> None:
    Dump().pdu(associate_rq(*WHO, contexts=ONE_CONTEXT), outgoing=True)
    assert said(printed) == ONE_CONTEXT_RQ


def test_an_incoming_request(printed: pytest.LogCaptureFixture) -> None:
    Dump().pdu(associate_rq(*EVERYTHING), outgoing=False)
    expected = OUTGOING_RQ.replace("OUTGOING", "INCOMING")
    expected = expected.replace("Our Implementation", "Their Implementation")
    expected = expected.replace("Our Max PDU Receive Size:    ", "Their Max PDU Receive Size:  ")
    assert said(printed) == expected


def test_an_incoming_request_that_does_not_say_what_it_is(printed: pytest.LogCaptureFixture) -> None:
    Dump().pdu(associate_rq(contexts=ONE_CONTEXT), outgoing=False)
    lines = said(printed).splitlines()
    assert lines[2:4] == [
        "Their Implementation Class UID:      unknown",
        "Their Implementation Version Name:   unknown",
    ]
    assert lines[7] == "Their Max PDU Receive Size:  unknown"


@pytest.mark.parametrize(
    ("identity", "outgoing", "expected"),
    [
        (
            pdu.UserIdentityRQ(1, 0, b"J\xc3\xb6rg\n"),
            True,
            ["  Authentication Mode: 1 - Username", "  Username: [Jörg\\n]", "  Positive Response Requested: No"],
        ),
        (
            pdu.UserIdentityRQ(1, 0, b"\xff"),
            False,
            ["  Authentication Mode: 1 - Username", "  Username: [\ufffd]", "  Positive Response Requested: None"],
        ),
        (
            pdu.UserIdentityRQ(3, 1, b"SECRET"),
            True,
            [
                "  Authentication Mode: 3 - Kerberos",
                "  Kerberos Service Ticket (not dumped) length: 6",
                "  Positive Response Requested: Yes",
            ],
        ),
        (
            pdu.UserIdentityRQ(4, 1, b"SECRET"),
            True,
            [
                "  Authentication Mode: 4 - SAML",
                "  SAML Assertion (not dumped) length: 6",
                "  Positive Response Requested: Yes",
            ],
        ),
        (
            pdu.UserIdentityRQ(5, 1, b"SECRET"),
            True,
            [
                "  Authentication Mode: 5 - JSON Web Token",
                "  JSON Web Token (not dumped) length: 6",
                "  Positive Response Requested: Yes",
            ],
        ),
        (
            pdu.UserIdentityRQ(9, 1, b"SECRET", b"SECRET"),
            True,
            ["  Authentication Mode: 9 - Unknown", "  Positive Response Requested: Yes"],
        ),
    ],
)
def test_a_user_identity_without_its_secret(
    printed: pytest.LogCaptureFixture, identity: pdu.UserIdentityRQ, outgoing: bool, expected: list[str]
) -> None:
    Dump().pdu(associate_rq(*WHO, identity), outgoing=outgoing)
    lines = said(printed).splitlines()
    start = lines.index("Requested User Identity Negotiation:")
    assert lines[start + 1 : -1] == expected
    assert "SECRET" not in "\n".join(lines)


@pytest.mark.parametrize(("scu", "scp", "role"), [(1, 0, "SCU"), (0, 1, "SCP"), (1, 1, "SCP/SCU"), (0, 0, "Default")])
def test_the_role_in_a_context(printed: pytest.LogCaptureFixture, scu: int, scp: int, role: str) -> None:
    dump = Dump()
    selection = pdu.RoleSelection(uids.Verification, scu, scp)
    dump.pdu(associate_rq(*WHO, selection, contexts=ONE_CONTEXT), outgoing=True)
    assert f"    Proposed SCP/SCU Role: {role}" in said(printed).splitlines()
    dump.pdu(associate_ac(pdu.PresentationContextAC(1, 0, IMPLICIT), items=(*WHO, selection)), outgoing=False)
    assert f"    Accepted SCP/SCU Role: {role}" in said(printed).splitlines()


# --- A-ASSOCIATE-AC ---

INCOMING_AC = """\
Accept Parameters:
======================= INCOMING A-ASSOCIATE-AC PDU ========================
Their Implementation Class UID:    1.2.826.0.1.1
Their Implementation Version Name: DIMSE_0_1_0
Application Context Name:    1.2.840.10008.3.1.1.1
Calling Application Name:    STORESCU
Called Application Name:     ANY-SCP
Their Max PDU Receive Size:  16382
Presentation Contexts:
  Context ID:        1 (Accepted)
    Abstract Syntax: =Verification SOP Class
    Accepted SCP/SCU Role: Default
    Accepted Transfer Syntax: =Explicit VR Little Endian
Accepted Extended Negotiation: None
Accepted Asynchronous Operations Window Negotiation: None
User Identity Negotiation Response: None
========================== END A-ASSOCIATE-AC PDU =========================="""

OUTGOING_AC = """\
Accept Parameters:
======================= OUTGOING A-ASSOCIATE-AC PDU ========================
Our Implementation Class UID:      1.2.826.0.1.1
Our Implementation Version Name:   DIMSE_0_1_0
Application Context Name:    1.2.840.10008.3.1.1.1
Responding Application Name: resp. AE Title
Our Max PDU Receive Size:    16382
Presentation Contexts:
  Context ID:        1 (User Rejection)
    Abstract Syntax: =Verification SOP Class
  Context ID:        3 (Accepted)
    Abstract Syntax: =CT Image Storage
    Accepted SCP/SCU Role: SCP/SCU
    Accepted Transfer Syntax: =Implicit VR Little Endian
  Context ID:        5 (Rejected - Abstract Syntax Not Supported)
    Abstract Syntax: =MR Image Storage
  Context ID:        7 (Rejected - Transfer Syntax Not Supported)
    Abstract Syntax: =1.2.3.4.5.6.7
Accepted Extended Negotiation:
  SOP Class: =1.2.840.10008.5.1.4.1.1.2
    01
Accepted Asynchronous Operations Window Negotiation:
  Maximum Invoked Operations:     1
  Maximum Performed Operations:   2
User Identity Negotiation Response: Yes
========================== END A-ASSOCIATE-AC PDU =========================="""


def test_an_incoming_acceptance_names_what_was_proposed(printed: pytest.LogCaptureFixture) -> None:
    dump = Dump()
    dump.pdu(associate_rq(*WHO), outgoing=True)
    said(printed)
    dump.pdu(associate_ac(pdu.PresentationContextAC(1, 0, EXPLICIT), items=WHO), outgoing=False)
    assert said(printed) == INCOMING_AC


def test_an_outgoing_acceptance_with_everything(printed: pytest.LogCaptureFixture) -> None:
    dump = Dump()
    dump.pdu(associate_rq(*EVERYTHING), outgoing=False)
    said(printed)
    contexts = [(1, 1), (3, 0), (5, 3), (7, 4)]
    items = (
        *WHO,
        pdu.AsynchronousOperationsWindow(1, 2),
        pdu.RoleSelection(CT, 1, 1),
        pdu.SOPClassExtendedNegotiation(CT, b"\x01"),
        pdu.UserIdentityAC(b"SECRET"),
    )
    accept = associate_ac(
        *(pdu.PresentationContextAC(number, result, IMPLICIT) for number, result in contexts), items=items
    )
    dump.pdu(accept, outgoing=True)
    assert said(printed) == OUTGOING_AC


def test_an_acceptance_of_what_was_not_proposed(printed: pytest.LogCaptureFixture) -> None:
    contexts = (
        pdu.PresentationContextAC(99, 0, IMPLICIT),
        pdu.PresentationContextAC(1, 2, ""),
        pdu.PresentationContextAC(3, 200, ""),
    )
    Dump().pdu(associate_ac(*contexts, items=()), outgoing=False)
    lines = said(printed).splitlines()
    assert lines[2] == "Their Implementation Class UID:    unknown"
    assert lines[9:16] == [
        "  Context ID:        99 (Accepted)",
        "    Abstract Syntax: =unknown",
        "    Accepted SCP/SCU Role: Default",
        "    Accepted Transfer Syntax: =Implicit VR Little Endian",
        "  Context ID:        1 (Provider Rejection)",
        "    Abstract Syntax: =unknown",
        "  Context ID:        3 (Unknown Result 200)",
    ]


# --- A-ASSOCIATE-RJ, A-ABORT, A-RELEASE ---


@pytest.mark.parametrize("direction", ["OUTGOING", "INCOMING"])
@pytest.mark.parametrize(
    ("numbers", "result", "source", "reason"),
    [
        ((1, 1, 7), "Rejected (Permanent)", "DUL service-user", "Called AE title not recognised"),
        ((1, 2, 2), "Rejected (Permanent)", "DUL service-provider (ACSE related)", "Protocol version not supported"),
        ((2, 3, 2), "Rejected (Transient)", "DUL service-provider (presentation related)", "Local limit exceeded"),
        ((9, 1, 99), "(no value available)", "DUL service-user", "(no value available)"),
        ((1, 9, 1), "Rejected (Permanent)", "(no value available)", "(no value available)"),
    ],
)
def test_a_rejection(
    printed: pytest.LogCaptureFixture,
    direction: str,
    numbers: tuple[int, int, int],
    result: str,
    source: str,
    reason: str,
) -> None:
    Dump().pdu(pdu.AssociateRJ(*numbers), outgoing=direction == "OUTGOING")
    assert said(printed) == (
        f"""\
Reject Parameters:
======================= {direction} A-ASSOCIATE-RJ PDU ========================
Result:    {result}
Source:    {source}
Reason:    {reason}
========================== END A-ASSOCIATE-RJ PDU =========================="""
    )


@pytest.mark.parametrize("direction", ["OUTGOING", "INCOMING"])
@pytest.mark.parametrize(
    ("numbers", "source", "reason"),
    [
        ((0, 0), "DUL service-user", "(no value available)"),
        ((0, 6), "DUL service-user", "(no value available)"),
        ((1, 0), "Reserved", "(no value available)"),
        ((2, 0), "DUL service-provider", "No reason given"),
        ((2, 1), "DUL service-provider", "Unrecognised PDU"),
        ((2, 2), "DUL service-provider", "Unexpected PDU"),
        ((2, 3), "DUL service-provider", "Reserved"),
        ((2, 4), "DUL service-provider", "Unrecognised PDU parameter"),
        ((2, 5), "DUL service-provider", "Unexpected PDU parameter"),
        ((2, 6), "DUL service-provider", "Invalid PDU parameter value"),
        ((2, 7), "DUL service-provider", "(no value available)"),
        ((3, 0), "(no value available)", "(no value available)"),
    ],
)
def test_an_abort(
    printed: pytest.LogCaptureFixture, direction: str, numbers: tuple[int, int], source: str, reason: str
) -> None:
    Dump().pdu(pdu.Abort(*numbers), outgoing=direction == "OUTGOING")
    assert said(printed) == (
        f"""\
Abort Parameters:
=========================== {direction} A-ABORT PDU ===========================
Abort Source: {source}
Abort Reason: {reason}
============================= END A-ABORT PDU =============================="""
    )


def test_of_a_release_nothing_is_printed(printed: pytest.LogCaptureFixture) -> None:
    for release in (pdu.ReleaseRQ(), pdu.ReleaseRP()):
        Dump().pdu(release, outgoing=True)
        Dump().pdu(release, outgoing=False)
    assert printed.records == []


# --- messages ---

C_STORE_RQ = CStoreRQ(
    message_id=7,
    affected_sop_class_uid=CT,
    affected_sop_instance_uid="1.2.3",
    priority=command.LOW,
    move_originator_application_entity_title="ARCHIVE",
    move_originator_message_id=5,
)

OUTGOING_C_STORE_RQ = """\
========================== OUTGOING DIMSE MESSAGE ==========================
Message Type                  : C-STORE RQ
Message ID                    : 7
Affected SOP Class UID        : CT Image Storage
Affected SOP Instance UID     : 1.2.3
Data Set                      : Present
Priority                      : Low
============================ END DIMSE MESSAGE ============================="""

INCOMING_C_STORE_RQ = """\
========================== INCOMING DIMSE MESSAGE ==========================
Message Type                  : C-STORE RQ
Presentation Context ID       : 3
Message ID                    : 7
Affected SOP Class UID        : CT Image Storage
Affected SOP Instance UID     : 1.2.3
Move Originator               : ARCHIVE
Data Set                      : Present
Priority                      : Low
============================ END DIMSE MESSAGE ============================="""

INCOMING_C_STORE_RSP = """\
========================== INCOMING DIMSE MESSAGE ==========================
Message Type                  : C-STORE RSP
Presentation Context ID       : 3
Message ID Being Responded To : 7
Affected SOP Class UID        : CT Image Storage
Affected SOP Instance UID     : 1.2.3
Status                        : 0x0000 - Success
============================ END DIMSE MESSAGE ============================="""

INCOMING_SHORT_C_STORE_RSP = """\
========================== INCOMING DIMSE MESSAGE ==========================
Message Type                  : C-STORE RSP
Presentation Context ID       : 3
Message ID Being Responded To : 7
Status                        : 0xA700 - Failure
============================ END DIMSE MESSAGE ============================="""

INCOMING_C_ECHO_RQ = """\
========================== INCOMING DIMSE MESSAGE ==========================
Message Type                  : C-ECHO RQ
Presentation Context ID       : 3
Message ID                    : 1
Data Set                      : None
============================ END DIMSE MESSAGE ============================="""

C_STORE_RSP = command.respond(C_STORE_RQ, 0x0000)
C_ECHO_RQ = CEchoRQ(message_id=1, affected_sop_class_uid=uids.Verification)
C_ECHO_RSP = CEchoRSP(message_id_being_responded_to=1, status=0)
C_CANCEL = command.CCancelRQ(message_id_being_responded_to=1)
C_MOVE_RQ = command.CMoveRQ(message_id=1, affected_sop_class_uid="1.2.840.10008.5.1.4.1.2.1.2", move_destination="ME")


@pytest.mark.parametrize(
    ("message", "outgoing", "expected"),
    [
        (C_STORE_RQ, True, OUTGOING_C_STORE_RQ),
        (C_STORE_RQ, False, INCOMING_C_STORE_RQ),
        (C_STORE_RSP, False, INCOMING_C_STORE_RSP),
        (CStoreRSP(message_id_being_responded_to=7, status=0xA700), False, INCOMING_SHORT_C_STORE_RSP),
        (C_ECHO_RQ, False, INCOMING_C_ECHO_RQ),
    ],
)
def test_a_message(printed: pytest.LogCaptureFixture, message: Message, outgoing: bool, expected: str) -> None:
    Dump().message(message, 3, outgoing=outgoing)
    assert {record.name for record in printed.records} == {"dimse.message"}
    assert said(printed) == expected


@pytest.mark.parametrize(
    ("message", "outgoing"),
    [
        (C_ECHO_RQ, True),
        (C_ECHO_RSP, True),
        (C_ECHO_RSP, False),
        (C_STORE_RSP, True),
        (C_CANCEL, True),
        (C_MOVE_RQ, False),
    ],
)
def test_messages_without_a_block(printed: pytest.LogCaptureFixture, message: Message, outgoing: bool) -> None:
    Dump().message(message, 3, outgoing=outgoing)
    assert printed.records == []


@pytest.mark.parametrize(
    ("priority", "word"),
    [(command.LOW, "Low"), (command.MEDIUM, "Medium"), (command.HIGH, "High"), (99, "0x0063")],
)
def test_the_priority_in_words(printed: pytest.LogCaptureFixture, priority: int, word: str) -> None:
    message = CStoreRQ(message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2", priority=priority)
    Dump().message(message, 3, outgoing=True)
    assert f"Priority                      : {word}" in said(printed).splitlines()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0x0000, "0x0000 - Success"),
        (0xB000, "0xB000 - Warning"),
        (0xA9FF, "0xA9FF - Failure"),
        (0xFE00, "0xFE00 - Cancel"),
        (0x1234, "0x1234 - Unknown"),
    ],
)
def test_the_status_with_its_category(printed: pytest.LogCaptureFixture, code: int, words: str) -> None:
    Dump().message(CStoreRSP(message_id_being_responded_to=7, status=code), 3, outgoing=False)
    assert f"Status                        : {words}" in said(printed).splitlines()


def test_a_command_set_that_has_been_received(printed: pytest.LogCaptureFixture) -> None:
    Dump().command_set()
    assert printed.record_tuples == [
        ("dimse.message", logging.DEBUG, 'pydicom.read_dataset() TransferSyntax="Little Endian Implicit"')
    ]


# --- what a peer says ---

FORGED = "1.2\r\nE: forged \x1b[31m %s %n {0}"


def test_every_record_stays_one_line_whatever_a_peer_says(printed: pytest.LogCaptureFixture) -> None:
    dump = Dump()
    items = (
        pdu.ImplementationClassUID(FORGED),
        pdu.ImplementationVersionName("\nforged"),
        pdu.RoleSelection(FORGED, 1, 1),
        pdu.SOPClassExtendedNegotiation(FORGED, b"\n"),
        pdu.SOPClassCommonExtendedNegotiation(FORGED, FORGED, (FORGED,)),
        pdu.UserIdentityRQ(2, 1, FORGED.encode(), b""),
    )
    request = pdu.AssociateRQ(
        "\nforged", "\nforged", (pdu.PresentationContextRQ(1, FORGED, (FORGED,)),), items, application_context=FORGED
    )
    dump.pdu(request, outgoing=False)
    dump.pdu(
        pdu.AssociateAC(
            "\nforged",
            "\nforged",
            (pdu.PresentationContextAC(1, 0, FORGED),),
            items[:2],
            application_context=FORGED,
        ),
        outgoing=False,
    )
    store = CStoreRQ(
        message_id=1,
        affected_sop_class_uid=FORGED,
        affected_sop_instance_uid=FORGED,
        move_originator_application_entity_title="\nforged",
    )
    dump.message(store, 1, outgoing=False)
    dump.message(command.respond(store, 0), 1, outgoing=False)
    lines = said(printed).split("\n")
    assert all(line.isprintable() for line in lines)
    assert [line for line in lines if line.startswith(("E:", "forged"))] == []
    assert "Affected SOP Instance UID     : 1.2\\r\\nE: forged \\x1b[31m %s %n {0}" in lines


def test_it_is_loaded_only_for_debugging() -> None:
    code = "import sys, dimse.association, dimse.services; sys.exit('dimse.dump' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=50).returncode == 0
