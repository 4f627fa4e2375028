"""The DICOM Upper Layer protocol machine: states, events, actions and Table 9-10, as PS3.8 9.2 prints them."""

from __future__ import annotations

from dimse.support.values import value

# PS3.8 Tables 9-1 to 9-5
STATES = {
    "Sta1": "Idle",
    "Sta2": "Transport connection open (awaiting A-ASSOCIATE-RQ PDU)",
    "Sta3": "Awaiting local A-ASSOCIATE response primitive",
    "Sta4": "Awaiting transport connection opening to complete",
    "Sta5": "Awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ PDU",
    "Sta6": "Association established and ready for data transfer",
    "Sta7": "Awaiting A-RELEASE-RP PDU",
    "Sta8": "Awaiting local A-RELEASE response primitive",
    "Sta9": "Release collision requestor side; awaiting A-RELEASE response primitive",
    "Sta10": "Release collision acceptor side; awaiting A-RELEASE-RP PDU",
    "Sta11": "Release collision requestor side; awaiting A-RELEASE-RP PDU",
    "Sta12": "Release collision acceptor side; awaiting A-RELEASE response primitive",
    "Sta13": "Awaiting transport connection close indication",
}

# PS3.8 Table 9-10, in the Standard's own order. A full stop is a combination that the Standard leaves undefined.
_TABLE_9_10 = """
       Sta1  Sta2  Sta3  Sta4  Sta5  Sta6  Sta7  Sta8  Sta9  Sta10 Sta11 Sta12 Sta13
Evt1   AE-1  .     .     .     .     .     .     .     .     .     .     .     .     A-ASSOCIATE request (local user)
Evt2   .     .     .     AE-2  .     .     .     .     .     .     .     .     .     Transport connection confirmation
Evt3   .     AA-1  AA-8  .     AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6  A-ASSOCIATE-AC PDU received
Evt4   .     AA-1  AA-8  .     AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6  A-ASSOCIATE-RJ PDU received
Evt5   AE-5  .     .     .     .     .     .     .     .     .     .     .     .     Transport connection indication
Evt6   .     AE-6  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7  A-ASSOCIATE-RQ PDU received
Evt7   .     .     AE-7  .     .     .     .     .     .     .     .     .     .     A-ASSOCIATE response, accept (local user)
Evt8   .     .     AE-8  .     .     .     .     .     .     .     .     .     .     A-ASSOCIATE response, reject (local user)
Evt9   .     .     .     .     .     DT-1  .     AR-7  .     .     .     .     .     P-DATA request (local user)
Evt10  .     AA-1  AA-8  .     AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6  P-DATA-TF PDU received
Evt11  .     .     .     .     .     AR-1  .     .     .     .     .     .     .     A-RELEASE request (local user)
Evt12  .     AA-1  AA-8  .     AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6  A-RELEASE-RQ PDU received
Evt13  .     AA-1  AA-8  .     AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6  A-RELEASE-RP PDU received
Evt14  .     .     .     .     .     .     .     AR-4  AR-9  .     .     AR-4  .     A-RELEASE response (local user)
Evt15  .     .     AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  .     A-ABORT request (local user)
Evt16  .     AA-2  AA-3  .     AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2  A-ABORT PDU received
Evt17  .     AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5  Transport connection closed
Evt18  .     AA-2  .     .     .     .     .     .     .     .     .     .     AA-2  ARTIM timer expired
Evt19  .     AA-1  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7  Unrecognized or invalid PDU received
"""


@value
class Action:
    """An action of the state machine (PS3.8 Tables 9-6 to 9-9).

    Attributes:
        next_state: The state after it. For AE-6 and AR-8 it depends on more than the table, and the provider decides.
        sends: The PDU that is sent, by name: the primitive's own, or one that the action makes.
        indicates: The primitive that is issued to the user: the received PDU itself, or the end of the association.
        artim: "start", "stop" or "" for the association request/reject/release timer.
        closes: True to close the transport connection after everything owed has been sent.
    """

    next_state: str
    sends: str = ""
    indicates: str = ""
    artim: str = ""
    closes: bool = False


ACTIONS = {
    # association establishment
    "AE-1": Action("Sta4"),
    "AE-2": Action("Sta5", sends="primitive"),
    "AE-3": Action("Sta6", indicates="pdu"),
    "AE-4": Action("Sta1", indicates="pdu", closes=True),
    "AE-5": Action("Sta2", artim="start"),
    "AE-6": Action("Sta3", indicates="pdu", artim="stop"),
    "AE-7": Action("Sta6", sends="primitive"),
    "AE-8": Action("Sta13", sends="primitive", artim="start"),
    # data transfer
    "DT-1": Action("Sta6", sends="primitive"),
    "DT-2": Action("Sta6", indicates="pdu"),
    # association release
    "AR-1": Action("Sta7", sends="primitive"),
    "AR-2": Action("Sta8", indicates="pdu"),
    "AR-3": Action("Sta1", indicates="pdu", closes=True),
    "AR-4": Action("Sta13", sends="primitive", artim="start"),
    "AR-5": Action("Sta1", artim="stop"),
    "AR-6": Action("Sta7", indicates="pdu"),
    "AR-7": Action("Sta8", sends="primitive"),
    "AR-8": Action("Sta9", indicates="pdu"),  # Sta10 for the acceptor
    "AR-9": Action("Sta11", sends="primitive"),
    "AR-10": Action("Sta12", indicates="pdu"),
    # association abort
    "AA-1": Action("Sta13", sends="abort", artim="start"),
    "AA-2": Action("Sta1", artim="stop", closes=True),
    "AA-3": Action("Sta1", indicates="pdu", closes=True),
    "AA-4": Action("Sta1", indicates="provider abort"),
    "AA-5": Action("Sta1", artim="stop"),
    "AA-6": Action("Sta13"),
    "AA-7": Action("Sta13", sends="abort"),
    "AA-8": Action("Sta13", sends="provider abort", indicates="provider abort", artim="start"),
}


def _read(table: str) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    head, *rows = table.strip().splitlines()
    states = head.split()
    transitions, events = {}, {}
    for row in rows:
        event, *cells = row.split(maxsplit=len(states) + 1)
        events[event] = cells.pop()
        transitions.update({(event, state): cell for state, cell in zip(states, cells, strict=True) if cell != "."})
    return transitions, events


# The action for each (event, state) of the 123 defined cells, and the name of each event.
TRANSITIONS, EVENTS = _read(_TABLE_9_10)
