"""PDUs and DIMSE messages as lines of text, one log record each: what `--debug` adds to the log.

The lines are an interface: scripts look for them, so their words and columns do not change. P-DATA-TF and A-RELEASE PDUs
are never printed, nor are passwords, tickets, assertions and tokens. Imported only for a log that shows these lines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from dimse import uids
from dimse.errors import ABORT_REASONS, ABORT_SOURCES, REJECTION_REASONS
from dimse.message.command import HIGH, LOW, MEDIUM, CEchoRQ, CStoreRQ, CStoreRSP, Message, Request, Response
from dimse.message.status import Status
from dimse.support.text import one_line
from dimse.upper_layer import pdu
from dimse.upper_layer.negotiation import CONTEXT_RESULTS
from dimse.upper_layer.user_information import find, find_all

PDUS = logging.getLogger("dimse.association")
MESSAGES = logging.getLogger("dimse.message")

# Columns of the lines around a block.
WIDTH = 76
BYTES_A_LINE = 16

UNKNOWN = "unknown"
NO_VALUE = "(no value available)"

REJECTION_RESULTS = {1: "Rejected (Permanent)", 2: "Rejected (Transient)"}
REJECTION_SOURCES = {
    1: "DUL service-user",
    2: "DUL service-provider (ACSE related)",
    3: "DUL service-provider (presentation related)",
}
IDENTITY_TYPES = {1: "Username", 2: "Username/Password", 3: "Kerberos", 4: "SAML", 5: "JSON Web Token"}
NOT_DUMPED = {3: "Kerberos Service Ticket", 4: "SAML Assertion", 5: "JSON Web Token"}
PRIORITIES = {LOW: "Low", MEDIUM: "Medium", HIGH: "High"}

Lines = Iterator[str]
Items = tuple[pdu.UserInformationItem, ...]


class Dump:
    """A printer of what one association sends and receives.

    It remembers the A-ASSOCIATE-RQ that it printed, because an A-ASSOCIATE-AC does not name the abstract syntaxes that it answers.
    """

    def __init__(self) -> None:
        self._abstract_syntaxes: dict[int, str] = {}  # by presentation context ID

    def pdu(self, sent_or_received: pdu.PDU, *, outgoing: bool) -> None:
        """Print a PDU; of A-RELEASE nothing is printed."""
        direction = "OUTGOING" if outgoing else "INCOMING"
        match sent_or_received:
            case pdu.AssociateRQ() as request:
                self._abstract_syntaxes = {
                    context.context_id: context.abstract_syntax for context in request.presentation_contexts
                }
                block = _block(f"{direction} A-ASSOCIATE-RQ PDU", _associate_rq(request, outgoing))
                _log(PDUS, "Request Parameters:", *block)
            case pdu.AssociateAC() as accept:
                lines = _associate_ac(accept, self._abstract_syntaxes, outgoing)
                _log(PDUS, "Accept Parameters:", *_block(f"{direction} A-ASSOCIATE-AC PDU", lines))
            case pdu.AssociateRJ() as reject:
                _log(PDUS, "Reject Parameters:", *_block(f"{direction} A-ASSOCIATE-RJ PDU", _associate_rj(reject)))
            case pdu.Abort() as abort:
                _log(PDUS, "Abort Parameters:", *_block(f"{direction} A-ABORT PDU", _abort(abort)))

    def command_set(self) -> None:
        """Print that a command set has been received, which may not be a message."""
        _log(MESSAGES, 'pydicom.read_dataset() TransferSyntax="Little Endian Implicit"')

    def message(self, message: Message, context_id: int, *, outgoing: bool) -> None:
        """Print a message, of the kinds that have a block (`BLOCKS`)."""
        lines = BLOCKS.get((type(message), outgoing))
        if lines is not None:
            direction = "OUTGOING" if outgoing else "INCOMING"
            head = _head(message, context_id, outgoing)
            _log(MESSAGES, *_block(f"{direction} DIMSE MESSAGE", (*head, *lines(message, outgoing))))


def _log(logger: logging.Logger, *lines: str) -> None:
    for line in lines:
        logger.debug("%s", line)


def _block(title: str, lines: Iterable[str]) -> Lines:
    yield f"{f' {title} ':=^{WIDTH}}"
    yield from lines
    yield f"{f' END {title.split(maxsplit=1)[1]} ':=^{WIDTH}}"


def _name(uid: str) -> str:
    return one_line(uids.name(uid))


# --- PDUs ---


def _associate_rq(request: pdu.AssociateRQ, outgoing: bool) -> Lines:
    items = request.user_information
    yield from _implementation(items, outgoing, 35 if outgoing else 37)
    yield from _application(request)
    yield _maximum_length(items, outgoing)
    yield "Presentation Context:" if len(request.presentation_contexts) == 1 else "Presentation Contexts:"
    roles = {role.sop_class_uid: role for role in find_all(items, pdu.RoleSelection)}
    for context in request.presentation_contexts:
        yield f"  Context ID:        {context.context_id} (Proposed)"
        yield f"    Abstract Syntax: ={_name(context.abstract_syntax)}"
        yield f"    Proposed SCP/SCU Role: {_role(roles.get(context.abstract_syntax))}"
        yield f"    Proposed Transfer Syntax{'' if len(context.transfer_syntaxes) == 1 else 'es'}:"
        for uid in context.transfer_syntaxes:
            yield f"      ={_name(uid)}"
    yield from _section("Requested Extended Negotiation", _extended(items))
    yield from _section("Requested Common Extended Negotiation", _common_extended(items))
    yield from _section("Requested Asynchronous Operations Window Negotiation", _window(items))
    yield from _section("Requested User Identity Negotiation", _user_identity(items, outgoing))


def _associate_ac(accept: pdu.AssociateAC, abstract_syntaxes: Mapping[int, str], outgoing: bool) -> Lines:
    items = accept.user_information
    yield from _implementation(items, outgoing, 35)
    if outgoing:
        yield f"Application Context Name:    {one_line(accept.application_context)}"
        yield "Responding Application Name: resp. AE Title"
    else:
        yield from _application(accept)
    yield _maximum_length(items, outgoing)
    yield "Presentation Contexts:"
    roles = {role.sop_class_uid: role for role in find_all(items, pdu.RoleSelection)}
    for context in accept.presentation_contexts:
        abstract_syntax = abstract_syntaxes.get(context.context_id, UNKNOWN)
        yield f"  Context ID:        {context.context_id} ({_context_result(context.result)})"
        yield f"    Abstract Syntax: ={_name(abstract_syntax)}"
        if context.result == 0:
            yield f"    Accepted SCP/SCU Role: {_role(roles.get(abstract_syntax))}"
            yield f"    Accepted Transfer Syntax: ={_name(context.transfer_syntax)}"
    yield from _section("Accepted Extended Negotiation", _extended(items))
    yield from _section("Accepted Asynchronous Operations Window Negotiation", _window(items))
    yield f"User Identity Negotiation Response: {'Yes' if find(items, pdu.UserIdentityAC) else 'None'}"


def _associate_rj(reject: pdu.AssociateRJ) -> Lines:
    yield f"Result:    {REJECTION_RESULTS.get(reject.result, NO_VALUE)}"
    yield f"Source:    {REJECTION_SOURCES.get(reject.source, NO_VALUE)}"
    yield f"Reason:    {REJECTION_REASONS.get(reject.source, {}).get(reject.reason, NO_VALUE)}"


def _abort(abort: pdu.Abort) -> Lines:
    # Otherwise the reason is without significance (PS3.8 Table 9-26).
    by_provider = abort.source == 2
    yield f"Abort Source: {ABORT_SOURCES.get(abort.source, NO_VALUE)}"
    yield f"Abort Reason: {ABORT_REASONS.get(abort.reason, NO_VALUE) if by_provider else NO_VALUE}"


def _implementation(items: Items, outgoing: bool, width: int) -> Lines:
    class_uid, version = find(items, pdu.ImplementationClassUID), find(items, pdu.ImplementationVersionName)
    whose = "Our" if outgoing else "Their"
    yield f"{f'{whose} Implementation Class UID:':{width}}{one_line(class_uid.uid if class_uid else '') or UNKNOWN}"
    yield f"{f'{whose} Implementation Version Name:':{width}}{one_line(version.name if version else '') or UNKNOWN}"


def _application(associate: pdu.AssociateRQ | pdu.AssociateAC) -> Lines:
    yield f"Application Context Name:    {one_line(associate.application_context)}"
    yield f"Calling Application Name:    {one_line(associate.calling_ae_title)}"
    yield f"Called Application Name:     {one_line(associate.called_ae_title)}"


def _maximum_length(items: Items, outgoing: bool) -> str:
    maximum = find(items, pdu.MaximumLength)
    whose = "Our" if outgoing else "Their"
    return f"{f'{whose} Max PDU Receive Size:':29}{maximum.length if maximum else UNKNOWN}"


def _role(selection: pdu.RoleSelection | None) -> str:
    if selection is None:
        return "Default"
    roles = (("SCP", selection.scp_role), ("SCU", selection.scu_role))
    return "/".join(role for role, has in roles if has) or "Default"


def _context_result(result: int) -> str:
    return CONTEXT_RESULTS[result] if result < len(CONTEXT_RESULTS) else f"Unknown Result {result}"


def _section(title: str, lines: Iterable[str]) -> Lines:
    """Return the lines under their title, or one line with "None" if there are no lines."""
    content = list(lines)
    yield f"{title}:" if content else f"{title}: None"
    yield from content


def _extended(items: Items) -> Lines:
    for item in find_all(items, pdu.SOPClassExtendedNegotiation):
        yield f"  SOP Class: ={one_line(item.sop_class_uid)}"
        for start in range(0, len(item.information), BYTES_A_LINE):
            yield "    " + "  ".join(f"{byte:02x}" for byte in item.information[start : start + BYTES_A_LINE])


def _common_extended(items: Items) -> Lines:
    for item in find_all(items, pdu.SOPClassCommonExtendedNegotiation):
        yield f"  SOP Class: ={_name(item.sop_class_uid)}"
        yield f"    Service Class: ={_name(item.service_class_uid)}"
        if item.related_general_sop_class_uids:
            yield "    Related General SOP Class(es):"
            for uid in item.related_general_sop_class_uids:
                yield f"      ={_name(uid)}"
        else:
            yield "    Related General SOP Classes: None"


def _window(items: Items) -> Lines:
    window = find(items, pdu.AsynchronousOperationsWindow)
    if window:
        yield f"  Maximum Invoked Operations:     {window.maximum_invoked}"
        yield f"  Maximum Performed Operations:   {window.maximum_performed}"


def _user_identity(items: Items, outgoing: bool) -> Lines:
    identity = find(items, pdu.UserIdentityRQ)
    if identity is None:
        return
    kind = identity.identity_type
    yield f"  Authentication Mode: {kind} - {IDENTITY_TYPES.get(kind, 'Unknown')}"
    if kind in (1, 2):
        yield f"  Username: [{one_line(identity.primary.decode('utf-8', 'replace'))}]"
    if kind == 2:
        yield "  Password: [***]"
    if kind in NOT_DUMPED:
        yield f"  {NOT_DUMPED[kind]} (not dumped) length: {len(identity.primary)}"
    yield f"  Positive Response Requested: {'Yes' if identity.positive_response_requested else 'No' if outgoing else 'None'}"


# --- messages ---


def _field(label: str, value: object) -> str:
    return f"{label:30}: {value}"


def _head(message: Message, context_id: int, outgoing: bool) -> Lines:
    yield _field("Message Type", " ".join(message.name.rsplit("-", 1)))
    if not outgoing:
        yield _field("Presentation Context ID", context_id)
    if isinstance(message, Request):
        yield _field("Message ID", message.message_id)
    if isinstance(message, Response):
        yield _field("Message ID Being Responded To", message.message_id_being_responded_to)


def _c_store_rq(message: CStoreRQ, outgoing: bool) -> Lines:
    yield _field("Affected SOP Class UID", _name(message.affected_sop_class_uid))
    yield _field("Affected SOP Instance UID", one_line(message.affected_sop_instance_uid))
    originator = message.move_originator_application_entity_title
    if originator and not outgoing:
        yield _field("Move Originator", one_line(originator))
    yield _field("Data Set", "Present")
    yield _field("Priority", PRIORITIES.get(message.priority, f"0x{message.priority:04X}"))


def _c_store_rsp(message: CStoreRSP, outgoing: bool) -> Lines:
    if message.affected_sop_class_uid:
        yield _field("Affected SOP Class UID", _name(message.affected_sop_class_uid))
    if message.affected_sop_instance_uid:
        yield _field("Affected SOP Instance UID", one_line(message.affected_sop_instance_uid))
    yield _field("Status", Status(message.status, service="storage"))


def _c_echo_rq(message: CEchoRQ, outgoing: bool) -> Lines:
    yield _field("Data Set", "None")


BLOCKS: Mapping[tuple[type[Message], bool], Callable[..., Lines]] = {
    (CStoreRQ, True): _c_store_rq,
    (CStoreRQ, False): _c_store_rq,
    (CStoreRSP, False): _c_store_rsp,
    (CEchoRQ, False): _c_echo_rq,
}
"""The kinds of message that have a block, and the directions. Of every other message nothing is printed."""
