"""The option --audit: the audit trail of a tool (PS3.15 A.5)."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import dimse
from dimse import uids
from dimse.data_set.walk import peek
from dimse.support.text import one_line
from dimse.support.values import replace
from dimse.tools.command_line import Parser
from dimse.tools.options import option, validated
from dimse.tools.wording import reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dimse.archive.stored import Stored
    from dimse.audit import Trail
    from dimse.audit.destinations import Destination
    from dimse.data_set.identifier import Identifier
    from dimse.instances import InstanceFile, KnownFile
    from dimse.services.query import FindAnswer

PATIENT_ID, STUDY_INSTANCE_UID = 0x00100020, 0x0020000D

# Bytes of a data set in which the two are searched for.
HEAD = 256 * 1024

# RFC 5426 and RFC 5425.
PORTS = {"syslog": 514, "syslog+tls": 6514}
FORMS = "a file, syslog:HOST[:PORT] (UDP) or syslog+tls:HOST[:PORT]"


def _where(text: str) -> tuple[str, str, int]:
    """Return the scheme of a destination, with its file, or its host and port.

    Raises:
        ValueError: The text does not name a destination.
    """
    scheme, _, address = text.partition(":")
    if scheme not in PORTS:
        if not text:
            raise ValueError(f"--audit is {FORMS}")
        return "file", text, 0
    found = re.fullmatch(r"(?:\[(.+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?", address, re.ASCII)
    if not found or not 1 <= int(found[3] or PORTS[scheme]) <= 65535:
        raise ValueError(f"{text!r} does not name a syslog server: {scheme}:HOST[:PORT]")
    return scheme, found[1] or found[2], int(found[3] or PORTS[scheme])


OPTION = option(
    "--audit WHERE",
    validated(_where),
    None,
    f"keep an audit trail (PS3.15 A.5), which holds patient data, in {FORMS}",
)


def settle(parser: Parser, options: argparse.Namespace, ae_title: str, *, sends: bool) -> None:
    """Set `options.trail` to the `Trail` that the options ask for, or None.

    Raises:
        SystemExit: The trail cannot be kept (exit status 2).
    """
    options.trail = None
    if options.audit is None:
        return
    from dimse.audit import Trail

    try:
        destination = _destination(options)
    except (OSError, UnicodeError) as error:
        parser.error(f"cannot keep the audit trail {one_line(options.audit[1])}: {reason(error)}")
    options.trail = Trail(destination, ae_title, sends=sends)


def _destination(options: argparse.Namespace) -> Destination:
    from dimse.audit.destinations import AuditFile, TLSSyslog, UDPSyslog

    scheme, where, port = options.audit
    if scheme == "file":
        return AuditFile(where)
    if scheme == "syslog":
        return UDPSyslog(where, port)
    # The syslog server is verified by --tls-ca or the system's roots, and shown our certificate, as a peer is.
    return TLSSyslog(where, port, ca=options.tls_ca, certificate=options.tls_cert, key=options.tls_key)


# --- a query ---


@contextmanager
def keeping(trail: Trail | None) -> Iterator[None]:
    """Keep the audit trail of a program that transfers nothing as long as the body runs."""
    if trail is None:
        yield
        return
    trail.started()
    try:
        yield
    finally:
        trail.stopped()
        trail.close()


def queried(
    trail: Trail, association: dimse.Association, sop_class_uid: str, identifier: Identifier, charset: str | None
) -> None:
    """Report a query that is about to be sent over an association."""
    from dimse.data_set.identifier import encode

    context = next(each for each in association.contexts if each.accepted and each.abstract_syntax == sop_class_uid)
    syntax = uids.transfer_syntax(context.transfer_syntax)
    if syntax is not None:
        trail.queried(
            association.peer.address, association.peer.ae_title, sop_class_uid=sop_class_uid,
            transfer_syntax_uid=syntax.uid, identifier=encode(identifier, syntax, charset), requestor=True,
        )  # fmt: skip


# --- a listener ---


def audited(handlers: dimse.Handlers, trail: Trail | None) -> dimse.Handlers:
    """Return the handlers of a store, made to report instances that it refuses; `stored` reports those that it keeps."""
    store = handlers.store
    if trail is None or store is None:
        return handlers

    def answer(request: dimse.StoreRequest) -> int:
        status = store(request)
        # The handlers are those of a FileStore, which are not coroutines.
        assert isinstance(status, int)
        peer = request.peer
        if not dimse.Status(status).is_success and not dimse.Status(status, service="storage").is_warning:
            trail.transferred(
                peer.address, peer.ae_title, patient_id="", study_instance_uid="",
                sop_class_uid=request.sop_class_uid, failed=True,
            )  # fmt: skip
        _alert_of_names(trail, request, request.sop_instance_uid)
        return status

    return replace(handlers, store=answer)


def queries_audited(handlers: dimse.Handlers, trail: Trail | None) -> dimse.Handlers:
    """Return the handlers of an archive, made to report each query before it is answered."""
    find = handlers.find
    if trail is None or find is None:
        return handlers
    from dimse.data_set.encoding import EXPLICIT_VR_LITTLE_ENDIAN
    from dimse.data_set.identifier import encode

    def answer(request: dimse.FindRequest) -> FindAnswer | Awaitable[FindAnswer]:
        identifier = encode(request.identifier, EXPLICIT_VR_LITTLE_ENDIAN)
        trail.queried(
            request.peer.address, request.peer.ae_title, sop_class_uid=request.model.find,
            transfer_syntax_uid=uids.ExplicitVRLittleEndian, identifier=identifier, requestor=False,
        )  # fmt: skip
        return find(request)

    return replace(handlers, find=answer)


def retrievals_audited(handlers: dimse.Handlers, trail: Trail | None) -> dimse.Handlers:
    """Return the handlers of an archive, made to report the instances that it sends."""
    if trail is None:
        return handlers

    def audited_one(handler: Callable[[dimse.RetrieveRequest], Any]) -> Callable[[dimse.RetrieveRequest], Any]:
        def answer(request: dimse.RetrieveRequest) -> Any:
            given = handler(request)
            # Of its own, so that requests to one destination at a time are not counted together.
            sending = trail.sending()
            node, title = request.peer.address, request.peer.ae_title
            if isinstance(given, dimse.MoveTo):
                node, title = given.address, given.called_ae_title
            request.settled = partial(_report_sent, sending, node, title)
            request.ended = partial(sending.end_transfer, node)
            return given

        return answer

    return replace(
        handlers,
        get=None if handlers.get is None else audited_one(handlers.get),
        move=None if handlers.move is None else audited_one(handlers.move),
    )


def _report_sent(trail: Trail, node: tuple[str, int], ae_title: str, file: KnownFile, stored: bool) -> None:
    """Report an instance that an archive has sent, or could not send."""
    trail.transferred(
        node, ae_title, patient_id=file.patient_id, study_instance_uid=file.study_instance_uid,
        sop_class_uid=file.sop_class_uid, failed=not stored,
    )  # fmt: skip


def _alert_of_names(trail: Trail, request: dimse.StoreRequest, uid: str) -> None:
    from dimse.archive.names import safe_component
    from dimse.logs.security_events import SecurityEvent

    if uid != safe_component(uid):
        why = f"the SOP Instance UID is not a safe file name and was replaced: {uid}"
        trail.alert(
            SecurityEvent("protocol", request.peer.address, request.peer.ae_title, request.called_ae_title, why=why)
        )


def stored(trail: Trail, instance: Stored) -> None:
    """Report an instance that was kept."""
    trail.transferred(
        instance.peer_address, instance.calling_ae_title, patient_id=instance.patient_id,
        study_instance_uid=instance.study_instance_uid, sop_class_uid=instance.sop_class_uid, duplicate=instance.duplicate,
    )  # fmt: skip


# --- a sender ---


class Sent:
    """The reports of a sender about its files.

    Args:
        trail: The audit trail.
        options: The parsed options of the tool.
    """

    def __init__(self, trail: Trail, options: argparse.Namespace) -> None:
        self._trail, self._peer, self._title = trail, (options.addr, int(options.port)), options.called_aet
        # Patient and study of each file whose outcome has not come.
        self._known: dict[int, tuple[str, str]] = {}

    def begin(self, file: InstanceFile) -> None:
        """Report that the request for a file is about to be sent."""
        patient_id, study = self._known[id(file)] = _of(file)
        self._trail.begin_transfer(self._peer, self._title, patient_id, study)

    def take(self, outcome: dimse.Outcome) -> None:
        """Report the outcome of a file."""
        known = self._known.pop(id(outcome.source), None)
        if known is None or outcome.state == "already":
            return
        patient_id, study = known
        self._trail.transferred(
            self._peer, self._title, patient_id=patient_id, study_instance_uid=study,
            sop_class_uid=outcome.sop_class_uid, failed=outcome.state not in ("stored", "warning"),
        )  # fmt: skip

    def end(self, why: str) -> None:
        """Report that the sending has ended, and why."""
        self._trail.end_transfer(self._peer, why)


def _of(file: InstanceFile) -> tuple[str, str]:
    """Return Patient ID and Study Instance UID of a file; empty where they are not found."""
    head = b""
    with suppress(dimse.FileError, OSError), file.open() as content:
        head = content.read(HEAD)
    syntax = uids.transfer_syntax(file.transfer_syntax_uid)
    found = peek(lambda offset, size: head[offset : offset + size], len(head), syntax, (PATIENT_ID, STUDY_INSTANCE_UID))
    return found.get(PATIENT_ID, ""), found.get(STUDY_INSTANCE_UID, "")
