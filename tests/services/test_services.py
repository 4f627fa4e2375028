"""The table of the services: each has its own line, its field in `Handlers`, and what a server accepts for it."""

from __future__ import annotations

import pytest

import dimse
from dimse import uids
from dimse.errors import InvalidCommand
from dimse.message import status
from dimse.message.command import CEchoRQ, CFindRQ, CStoreRQ, Message, NActionRQ, NEventReportRQ
from dimse.services.handlers import SERVICES, completed, service_of
from dimse.services.storage import STORAGE
from dimse.settings import Acceptor, Limits
from dimse.support.values import fields

PUSH_MODEL = uids.StorageCommitmentPushModel


def handle(request: object) -> int:
    return 0x0000


def test_every_handler_is_of_a_service() -> None:
    named = [name for service in SERVICES for name in (service.handler, service.begin_handler) if name]
    # One handler admits the requests of several services.
    assert sorted(set(named)) == sorted(fields(dimse.Handlers))


def test_every_service_has_statuses_with_their_meanings() -> None:
    for service in SERVICES:
        assert service.statuses is status.SERVICES[service.name]
    assert dimse.Status(0xA700, service=STORAGE.name).meaning == "Refused: Out of Resources"


def service_name(message: Message) -> str:
    service = service_of(message)
    return "" if service is None else service.name


def report_of(sop_class_uid: str) -> NEventReportRQ:
    return NEventReportRQ(
        message_id=1, affected_sop_class_uid=sop_class_uid, affected_sop_instance_uid="1.2", event_type_id=1
    )


def action_on(sop_class_uid: str) -> NActionRQ:
    return NActionRQ(
        message_id=1, requested_sop_class_uid=sop_class_uid, requested_sop_instance_uid="1.2", action_type_id=1
    )


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (CEchoRQ(message_id=1, affected_sop_class_uid=uids.Verification), "verification"),
        (CEchoRQ(message_id=1, affected_sop_class_uid="1.2.3"), "verification"),
        (CStoreRQ(message_id=1, affected_sop_class_uid="1.2", affected_sop_instance_uid="1.3"), "storage"),
        (report_of(PUSH_MODEL), "storage commitment"),
        (report_of(uids.ModalityPerformedProcedureStepNotification), ""),
        (CFindRQ(message_id=1, affected_sop_class_uid=uids.ModalityWorklistInformationModelFind), "find"),
        (action_on(PUSH_MODEL), "storage commitment"),
        (action_on(uids.UnifiedProcedureStepPush), ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Message) else value,
)
def test_a_request_belongs_to_the_service_of_its_class_and_sop_class(message: Message, name: str) -> None:
    assert service_name(message) == name


def test_a_command_set_that_is_no_message_belongs_to_no_service() -> None:
    assert service_of(InvalidCommand("unknown", status=0x0211, elements={})) is None


@pytest.mark.parametrize(
    ("handlers", "contexts", "roles"),
    [
        (dimse.Handlers(), {uids.Verification}, ()),
        (dimse.Handlers(store=handle), {uids.Verification, *uids.STORAGE_SOP_CLASSES}, ()),
        (
            dimse.Handlers(commitment=handle),
            {uids.Verification, PUSH_MODEL},
            (dimse.Role(PUSH_MODEL, scu=False, scp=True),),
        ),
    ],
    ids=["none", "store", "commitment"],
)
def test_a_server_accepts_what_its_handlers_answer(
    handlers: dimse.Handlers, contexts: set[str], roles: tuple[dimse.Role, ...]
) -> None:
    acceptor = completed(Acceptor(async_ops=0), handlers, Limits(queued_requests=7))
    assert (acceptor.contexts, acceptor.roles, acceptor.async_ops) == (contexts, roles, 7)
    own = completed(Acceptor(["1.2.3"], roles=[dimse.Role("1.2.3", scp=True)]), handlers, Limits())
    assert (own.contexts, own.roles) == ({"1.2.3"}, (*roles, dimse.Role("1.2.3", scp=True)))
