"""The declaration of a service: one line in the module of each (PS3.4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any

from dimse.association.association import Arrived, BaseAssociation
from dimse.errors import InvalidCommand
from dimse.message.command import Message, Request
from dimse.message.status import SERVICES, Table
from dimse.settings import Role
from dimse.support.sinks import Sink
from dimse.support.values import value

Begin = Callable[[BaseAssociation, Arrived, Any], Coroutine[Any, Any, Sink]]
Answer = Callable[[BaseAssociation, Arrived, Any], Coroutine[Any, Any, None]]


@value
class Service:
    """A service whose requests a server answers.

    Attributes:
        name: Its name; the key of its statuses in `dimse.message.status.SERVICES`.
        requests: The classes of its requests.
        answer: A function that answers a request which is complete, given the handler of the program or None.
        handler: The field of `Handlers` with that handler.
        begin: A function that returns the sink for the data set of a request; None drops the data set.
        begin_handler: The field of `Handlers` with the handler that `begin` is given; empty if it is given None.
        sop_classes: The SOP classes whose requests are its own, for requests that several services have; empty is every one.
        abstract_syntaxes: A function that returns the abstract syntaxes which a server accepts by default for the service.
        roles: A function that returns the roles that a requestor may have for it.
        needs_handler: False if it is accepted and answered without a handler too.
    """

    name: str
    requests: tuple[type[Request], ...]
    answer: Answer
    handler: str
    begin: Begin | None = None
    begin_handler: str = ""
    sop_classes: tuple[str, ...] = ()
    abstract_syntaxes: Callable[[], Collection[str]] = tuple
    roles: Callable[[], Iterable[Role]] = tuple
    needs_handler: bool = True

    @property
    def statuses(self) -> Table:
        """The statuses of the service with their meanings (PS3.4), before those of PS3.7."""
        return SERVICES[self.name]

    def has(self, message: Message | InvalidCommand) -> bool:
        """Return whether a message is a request of the service."""
        return isinstance(message, self.requests) and (
            not self.sop_classes or _sop_class_of(message) in self.sop_classes
        )


def _sop_class_of(message: Message | InvalidCommand) -> object:
    affected: object = getattr(message, "affected_sop_class_uid", None)
    return affected or getattr(message, "requested_sop_class_uid", None)
