"""Handlers: the functions of a program that answer the requests of peers; and the table of the services that call them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dimse.association.association import Arrived, BaseAssociation
from dimse.association.sinks import DiscardSink, Sink
from dimse.errors import InvalidCommand
from dimse.message.command import Message, Request, respond
from dimse.message.status import UNRECOGNIZED_OPERATION
from dimse.services.commitment_services import STORAGE_COMMITMENT, STORAGE_COMMITMENT_SCP
from dimse.services.query_retrieve import FIND, GET, MOVE
from dimse.services.service import Service
from dimse.services.storage import STORAGE, StoreBeginHandler, StoreHandler
from dimse.services.store_request import StoreRequest
from dimse.services.verification import VERIFICATION, EchoHandler, EchoRequest
from dimse.settings import Acceptor, Limits, Role
from dimse.support.values import fields, replace, value

if TYPE_CHECKING:
    from dimse.services.operation_request import AdmitHandler
    from dimse.services.query import FindHandler
    from dimse.services.retrieve_scp import GetHandler, MoveHandler
    from dimse.services.storage_commitment import CommitmentHandler
    from dimse.services.storage_commitment_scp import CommitHandler

__all__ = ["EchoRequest", "Handlers", "StoreRequest"]

SERVICES = (VERIFICATION, STORAGE, STORAGE_COMMITMENT, STORAGE_COMMITMENT_SCP, FIND, GET, MOVE)
"""The services that are answered. Each has a field in `Handlers`."""

# By request, the services that have it; and the one that has all of them, which needs no call to be found.
_SERVICES_OF: dict[type, tuple[Service, ...]] = {
    request: tuple(service for service in SERVICES if request in service.requests)
    for service in SERVICES
    for request in service.requests
}
_ONLY_SERVICE_OF = {request: found[0] for request, found in _SERVICES_OF.items() if not found[0].sop_classes}


def service_of(message: Message | InvalidCommand) -> Service | None:
    """Return the service that a message is a request of; None if it is not one that is answered."""
    return next((service for service in _SERVICES_OF.get(type(message), ()) if service.has(message)), None)


@value
class Handlers:
    """The functions that answer the requests of peers; each may be `def` or `async def`.

    A handler takes a typed request and returns a status, as an `int` or a `Status`, whose comment goes with it. If it raises or
    returns something else, the peer gets a failure status, and the association lives on. The log has a line about it, with the
    traceback at the level DEBUG.

    A `def` runs in a thread of the server's, not always in the same one. Several run at a time, of one association one at a time.
    An `async def` runs on the event loop of `dimse.aio`, or on one that lives as long as the blocking server.

    A handler that has not returned when its server ends is left behind: the association is aborted, and the result of the handler
    is dropped. An `async def` is cancelled.

    Attributes:
        echo: Answers C-ECHO. Without it the answer is success.
        store: Answers C-STORE, once the data set is complete. A success that it returns is a promise: the instance is kept.
        store_begin: Begins C-STORE, before the data set comes. It returns a status to refuse the instance, a `Sink` for the data
            set, or None to have it spooled.
        commitment: Answers N-EVENT-REPORT of Storage Commitment, about a transaction that was begun over another association.
            Without it the answer is that no such transaction is known.
        find: Answers C-FIND: a function, often a generator, that returns the matches one after the other. Each is an identifier as
            `Association.find` takes it. A status instead of a match ends them; without one the status is success.
        get: Answers C-GET: returns the instances that the keys match, each as `association.store` takes it, or a status. It may be
            a generator. Paths are best, since the instances are counted before the first one is sent.
        move: Answers C-MOVE: returns a `MoveTo` with the instances and the address of their destination, or a status: 0xA801 if the
            destination is unknown.
        admit: Begins C-FIND, C-GET and C-MOVE, before the identifier comes: it returns a status to refuse the request, or 0.
        commit: Answers N-ACTION of Storage Commitment: returns a `ReportLater`, which reports on the association of the request, or
            a status. After a success the program reports by itself, with `Association.report_commitment`.

    Raises:
        TypeError: One of them cannot be called.
    """

    echo: EchoHandler | None = None
    store: StoreHandler | None = None
    store_begin: StoreBeginHandler | None = None
    commitment: CommitmentHandler | None = None
    find: FindHandler | None = None
    get: GetHandler | None = None
    move: MoveHandler | None = None
    commit: CommitHandler | None = None
    admit: AdmitHandler | None = None

    def __post_init__(self) -> None:
        # A subclass may have fields of its own, which are not handlers.
        for name in fields(Handlers):
            handler: object = getattr(self, name)
            if handler is not None and not callable(handler):
                raise TypeError(f"the handler {name} is a function, not {handler!r}: dimse.Handlers({name}=...)")

    async def begin(self, association: BaseAssociation, arrived: Arrived) -> Sink:
        """Return the sink for the data set of a message that is about to come."""
        service = _ONLY_SERVICE_OF.get(type(arrived.message)) or service_of(arrived.message)
        if service is None or service.begin is None:
            return DiscardSink()
        handler = getattr(self, service.begin_handler) if service.begin_handler else None
        return await service.begin(association, arrived, handler)

    async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
        """Answer a message that is complete: run its handler and send the response."""
        service = _ONLY_SERVICE_OF.get(type(arrived.message)) or service_of(arrived.message)
        if service is not None:
            await service.answer(association, arrived, getattr(self, service.handler))
        elif isinstance(arrived.message, Request):
            await association.send_response(arrived.context, respond(arrived.message, UNRECOGNIZED_OPERATION))


def completed(acceptor: Acceptor, handlers: Handlers, limits: Limits) -> Acceptor:
    """Return the parameters of a server's associations, completed by its handlers and its limits.

    Unless `acceptor` says otherwise, the abstract syntaxes are those of the services that have a handler or need none.
    """
    answered = [
        service for service in SERVICES if not service.needs_handler or getattr(handlers, service.handler, None)
    ]
    contexts = acceptor.contexts
    if contexts is None:
        contexts = frozenset(uid for service in answered for uid in service.abstract_syntaxes())
    roles = (*_united(role for service in answered for role in service.roles()), *acceptor.roles)
    async_ops = min(acceptor.async_ops or limits.queued_requests, limits.queued_requests)
    return replace(acceptor, contexts=contexts, roles=roles, async_ops=async_ops)


def _united(roles: Iterable[Role]) -> Iterable[Role]:
    """Return one item for each SOP class, with the roles that any of its services needs."""
    united: dict[str, Role] = {}
    for role in roles:
        known = united.get(role.sop_class_uid, role)
        united[role.sop_class_uid] = Role(role.sop_class_uid, scu=known.scu or role.scu, scp=known.scp or role.scp)
    return united.values()
