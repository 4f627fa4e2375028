"""An operation with many responses as an asynchronous iterator, which may be left early (PS3.7 9.1.2 to 9.1.4)."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Generic, Self, TypeVar
from weakref import ref

from dimse.association.association import MESSAGES, BaseAssociation
from dimse.association.outstanding import Answer
from dimse.association.sinks import MemorySink
from dimse.errors import AssociationTimeout, DimseError
from dimse.message.command import Request
from dimse.upper_layer.negotiation import PresentationContext

T = TypeVar("T")


def _none() -> None:
    """Return None: nothing is under way."""


def _never() -> bool:
    """Return False: nothing but a response is waited for."""
    return False


# Bytes a second that the data set of a response has to come at, once the DIMSE timeout is over.
LEAST_RATE = 8192


class TimedSink(MemorySink):
    """A sink for the data set of a response, which has to arrive in time: a byte now and then is not enough.

    Args:
        seconds: The time that it has, besides that of its bytes at `LEAST_RATE`; 0 is unlimited.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds, self._begun = seconds, time.monotonic()

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Append the bytes of `buffers`, unless they are too late or too many."""
        super().write(buffers)
        late = time.monotonic() - self._begun - self.size / LEAST_RATE
        if self._seconds and late > self._seconds and self.error is None:
            self.error = OSError(errno.ETIMEDOUT, f"not complete after {self._seconds:g} s")


class Responses(Generic[T]):
    """An operation under way: an asynchronous iterator of what its pending responses say, and an asynchronous context manager.

    A loop may be left early. Then `aclose`, or the end of the `async with` block, sends C-CANCEL and drops the responses up to the
    final one. Without either, the next operation on the association does so first.

    Args:
        association: The association.
        context: The presentation context of the request.
        request: The request.
        data: Its identifier, encoded.

    Attributes:
        is_cancelled: True once a C-CANCEL has gone out.
    """

    _is_under_way = False
    # Seconds in which no byte comes; None is the DIMSE timeout.
    _timeout: float | None = None
    # The end of the whole operation, on `time.monotonic()`.
    _end: float | None = None

    def __init__(
        self,
        association: BaseAssociation,
        context: PresentationContext,
        request: Request,
        data: bytes,
    ) -> None:
        self.is_cancelled = False
        self.association, self.context, self.request = association, context, request
        self._data = data
        self._is_sent = self._is_over = self._wants_cancel = False
        self._deadline: float | None = None
        self._answered_at = 0.0
        self._operation = association.operation()

    def log_request(self) -> None:
        """Log that the request goes out."""

    def take(self, answer: Answer) -> T | None:
        """Return what a pending response says; None for the final one."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise the error of a final response that is not a success."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._is_over:
            raise StopAsyncIteration
        if not self._is_under_way:
            await self._operation.__aenter__()
            self._is_under_way = True
            self.association.running = ref(self)
        try:
            said = await self._next()
        except BaseException as error:
            await self._leave(error)
            raise
        if said is not None:
            return said
        await self._leave(None)
        self.check()
        raise StopAsyncIteration

    async def _next(self) -> T | None:
        """Send the request if that was not done, and return what the next response says; None for the final one."""
        answer = await self._answer()
        assert answer is not None
        said = self.take(answer)
        if said is not None and self._deadline is not None and time.monotonic() > self._deadline:
            raise AssociationTimeout(
                "dimse", "DIMSE timeout reached while waiting for the final response after a C-CANCEL"
            )
        return said

    async def _answer(self, until: Callable[[], bool] = _never) -> Answer | None:
        """Send the request if that was not done, and return the next response; None if `until` says so before."""
        if not self._is_sent:
            await self._send()
        else:
            # While the caller looked at the last one, nothing was received.
            self.association.pump.progress.put_off(self._answered_at)
        answer = None
        while answer is None:
            if self._wants_cancel:
                await self.cancel()
            ends = [end for end in (self._end, self._deadline) if end is not None]
            answer = await self.association.next_response(
                self.request,
                timeout=self._timeout,
                end=min(ends, default=None),
                until=lambda: self._is_to_cancel() or until(),
            )
            if until():
                break
        self._answered_at = time.monotonic()
        return answer

    async def _send(self) -> None:
        """Send the request. From here on it can be cancelled."""
        self.log_request()
        sink = partial(TimedSink, self.association.timeouts.dimse)
        await self.association.send_request(self.context, self.request, self._data, sink=sink)
        self._data = b""
        self._is_sent = True
        self.association.pump.transport.interruptible = True

    def _is_to_cancel(self) -> bool:
        """Return True if a C-CANCEL is wanted that has not gone out."""
        return self._wants_cancel and not self.is_cancelled

    async def _leave(self, error: BaseException | None) -> None:
        """End the operation; an error aborts the association."""
        self._is_under_way, self._is_over = False, True
        self.association.running = _none
        transport = self.association.pump.transport
        transport.interruptible = transport.interrupted = False
        await self._operation.__aexit__(type(error) if error is not None else None, error, None)

    async def cancel(self) -> None:
        """Send C-CANCEL. The iterator goes on to the final response, which has to come within the DIMSE timeout.

        Raises:
            DimseError: As `BaseAssociation.send_request` does.
        """
        if not self._is_sent or self._is_over or self.is_cancelled:
            return
        self.is_cancelled = True
        if self.association.timeouts.dimse:
            self._deadline = time.monotonic() + self.association.timeouts.dimse
        MESSAGES.info("Sending C-CANCEL request")
        await self.association.cancel(self.request)

    def cancel_soon(self) -> None:
        """Have the task or thread that iterates send C-CANCEL, within half a second; from any thread and a signal handler.

        The iterator goes on to the final response, as after `cancel`. Where an event loop runs, `cancel` is at once.
        """
        self._wants_cancel = True
        self.association.pump.transport.interrupted = True

    async def aclose(self) -> None:
        """End the operation: if it is under way, send C-CANCEL and drop the responses up to the final one.

        If the final one does not come, the association is aborted.
        """
        if self._is_under_way:
            with suppress(DimseError):
                await self._drain()
        self._is_over = True

    async def _drain(self) -> None:
        try:
            await self.cancel()
            while await self._next() is not None:
                pass
        except BaseException as error:
            await self._leave(error)
            raise
        await self._leave(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # Nothing is sent from here, because Python may call this at any place.
        if self._is_under_way:
            self._operation.leave_context()
            self.association.pump.abandon(self.aclose)
