"""Handlers: what a program does when a peer asks, one callable a request; and how a message finds its own."""

from __future__ import annotations

from dimse.association.association import Arrived, Association
from dimse.association.sinks import DiscardSink, Sink
from dimse.message.command import UNRECOGNIZED_OPERATION, CEchoRQ, CStoreRQ, NEventReportRQ, Request, respond
from dimse.services.storage import StoreBeginHandler, StoreHandler, answer_store, begin_store
from dimse.services.storage_commitment import CommitmentHandler, ReportSink, answer_report, is_report
from dimse.services.store_request import StoreRequest
from dimse.services.verification import EchoHandler, EchoRequest, answer_echo
from dimse.support.values import fields, value

__all__ = ["EchoRequest", "Handlers", "StoreRequest"]


@value
class Handlers:
    """What answers a peer's requests; each may be `def` or `async def`.

    A handler takes a typed request and returns a status, as an `int` or a `Status` (whose comment goes with it). If it raises, or
    returns something else, the peer gets a failure status, and the log of `dimse` a line: with the traceback at the level DEBUG.
    The association lives on.

    A `def` runs in a thread of the server's, not always in the same one; several run at a time, of one association one at a time.
    An `async def` runs on the event loop of `dimse.aio`, or on one that lives as long as the blocking server.

    A handler that has not returned when its server ends is left behind: the association is aborted, and the thread goes on
    unheeded. An `async def` is cancelled.

    Attributes:
        echo: C-ECHO. Without it the answer is success.
        store: C-STORE, once the data set is complete. A success that it returns is a promise: the instance is kept.
        store_begin: C-STORE, before the data set comes: returns a status to refuse it, a `Sink` for it, or None to have it spooled.
        commitment: N-EVENT-REPORT of Storage Commitment: what became of a transaction that was begun over another association.
            Without it the answer is that no such transaction is known.

    Raises:
        TypeError: One of them cannot be called.
    """

    echo: EchoHandler | None = None
    store: StoreHandler | None = None
    store_begin: StoreBeginHandler | None = None
    commitment: CommitmentHandler | None = None

    def __post_init__(self) -> None:
        # A subclass may have fields of its own, which are not handlers.
        for name in fields(Handlers):
            handler: object = getattr(self, name)
            if handler is not None and not callable(handler):
                raise TypeError(f"the handler {name} is a function, not {handler!r}: dimse.Handlers({name}=...)")

    async def begin(self, association: Association, arrived: Arrived) -> Sink:
        """A command set has come and its data set is on the way: where shall it go?"""
        if isinstance(arrived.message, CStoreRQ):
            return await begin_store(association, arrived, self.store_begin)
        return ReportSink() if is_report(arrived) else DiscardSink()

    async def answer(self, association: Association, arrived: Arrived) -> None:
        """The message is complete: run its handler and send the response."""
        match arrived.message:
            case CEchoRQ():
                await answer_echo(association, arrived, self.echo)
            case CStoreRQ():
                await answer_store(association, arrived, self.store)
            case NEventReportRQ() if is_report(arrived):
                await answer_report(association, arrived, self.commitment)
            case Request() as request:
                await association.send_response(arrived.context, respond(request, UNRECOGNIZED_OPERATION))
