"""The operations on one association, which take turns."""

from __future__ import annotations

from collections.abc import Awaitable
from types import TracebackType
from typing import Self, TypeVar

from dimse.association.pump import Pump
from dimse.association.receiver import Above
from dimse.errors import AssociationAborted, LocalProtocolError
from dimse.logs import ABOUT
from dimse.transport.base import Turns

T = TypeVar("T")

ANOTHER_IS_UNDER_WAY = "another operation is under way on this association"
NOTHING_TO_NEST_IN = "no operation is under way that this one could be nested in"


class Operation:
    """The context manager of one operation on an association. An exception that leaves it ends the association.

    An association has one operation at a time. Only a nested operation runs within another one, as part of the answer to a request
    of the peer. On an event loop operations wait for their turns, first come, first served. An operation raises an error instead of
    waiting behind `serve`, or within another operation that would have to wait for it.

    Args:
        pump: The pump of the association.
        above: The layer above it.
        owner: The association. The layer above refers to it for as long as the operation lasts.
        nested: True for a nested operation.
        serves: True for an operation that serves the peer.
    """

    def __init__(self, pump: Pump, above: Above, owner: object, nested: bool, serves: bool) -> None:
        self._pump, self._above, self._owner, self._nested, self._serves = pump, above, owner, nested, serves
        self._is_preparing = False

    async def __aenter__(self) -> Self:
        pump, turns = self._pump, self._pump.transport.turns
        if pump.busy and not self._nested and pump.abandoned is not None:
            await pump.end_abandoned()
        if pump.busy and not self._nested and turns is not None and not pump.serving:
            await self._wait(turns)
        elif pump.busy is not self._nested:
            raise LocalProtocolError(NOTHING_TO_NEST_IN if self._nested else ANOTHER_IS_UNDER_WAY)
        pump.busy = True
        if turns is not None and not self._nested:
            turns.begin()
        if self._serves:
            pump.serving = True
            if turns is not None:
                # Other operations would wait until the peer releases the association.
                turns.refuse(ANOTHER_IS_UNDER_WAY)
        self._above.owner = self._owner
        self._before = ABOUT.get()
        ABOUT.set(pump.about)
        return self

    async def _wait(self, turns: Turns) -> None:
        """Wait for the turn of this operation."""
        try:
            await turns.wait()
        except BaseException:
            if turns.lapsed:
                turns.lapsed = False
                self._hand_on()
            raise

    def _hand_on(self) -> None:
        """Give the turn to the next operation, or leave the association free."""
        pump, turns = self._pump, self._pump.transport.turns
        pump.busy = turns is not None and turns.hand_on()
        if not pump.busy and pump.lifecycle.abort_wanted and pump.lifecycle.ended is None:
            # `abort` has left the end to the operation whose turn was next.
            pump.lifecycle.end(AssociationAborted())
            pump.close()

    def leave_context(self) -> None:
        """Stop attributing the caller's log lines to this association, because the caller has left the operation."""
        if ABOUT.get() is self._pump.about:
            ABOUT.set(self._before)

    async def prepare(self, preparation: Awaitable[T]) -> T:
        """Await a preparation of the operation. If it fails or is cancelled, nothing was sent and the association stands."""
        self._is_preparing = True
        prepared = await preparation
        self._is_preparing = False
        return prepared

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pump = self._pump
        try:
            if error is not None and not (self._is_preparing and pump.open):
                await pump.give_up(error)
        finally:
            if not self._nested:
                self._above.owner = None
                pump.serving = False
                if pump.transport.turns is None:
                    pump.busy = False
                else:
                    self._hand_on()
            ABOUT.set(self._before)
