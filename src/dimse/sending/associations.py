"""The associations of a sending, requested with a window of asynchronous operations or without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dimse import services, uids
from dimse.errors import (
    AssociationAborted,
    AssociationRejected,
    AssociationReleased,
    ConnectionLost,
    DimseError,
    TLSError,
)
from dimse.logs.notices import notice
from dimse.settings import ProposedContext, Requestor
from dimse.settings.keywords import gather
from dimse.support.text import host_and_port, one_line
from dimse.support.values import replace
from dimse.transport.threaded import connect

if TYPE_CHECKING:
    from dimse.sending.options import AssociationOptions
    from dimse.services import Association

# Result, source and reason of the rejections that a peer may give for an item that it does not know (PS3.8 9.3.4): no reason given,
# by the user and by the provider, and an application context that is not supported.
_UNEXPLAINED = ((1, 1, 1), (1, 2, 1), (1, 1, 2))


class Associations:
    """Requests the associations of one sending, for all of its jobs.

    There are peers that close, abort or reject where an Asynchronous Operations Window (PS3.7 D.3.3.3) is proposed. To such a peer
    it is proposed once, and the next request goes without it.

    Args:
        host: The peer's name or address.
        port: Its port.
        options: As of `dimse.associate`; without `async_ops` no window is proposed.

    Raises:
        TypeError, ValueError: One of the options is wrong.
    """

    def __init__(self, host: str, port: int, options: AssociationOptions) -> None:
        self._host, self._port = host, port
        # The contexts stand for those that the files will need.
        rest: dict[str, Any] = {**options, "contexts": (uids.Verification,)}
        requestor = gather("requestor", Requestor, rest)
        self._terms = services.Terms(requestor, **rest)
        self._window = requestor.async_ops

    @property
    def called_ae_title(self) -> str:
        """The AE title of the peer, as it is called."""
        return self._terms.requestor.called_ae_title

    async def request(self, contexts: Sequence[ProposedContext]) -> Association:
        """Request an association with these contexts; a second time without a window where the peer may have failed at that.

        Raises:
            DimseError: As `dimse.associate`.
        """
        window = self._window
        try:
            return await self._request(contexts, window)
        except DimseError as error:
            if window == 1 or not _may_be_about_the_window(error):
                raise
            self._withdraw(error)
        return await self._request(contexts, 1)

    def withdraw_window(self, error: DimseError) -> bool:
        """Propose no window any more, after an association that ended before the peer had answered any request on it.

        Args:
            error: How it ended.

        Returns:
            False if none was proposed, or if the error cannot come of it: then nothing changes.
        """
        if self._window == 1 or not _may_be_about_the_window(error):
            return False
        self._withdraw(error)
        return True

    async def _request(self, contexts: Sequence[ProposedContext], window: int) -> Association:
        requestor = replace(self._terms.requestor, contexts=contexts, async_ops=window)
        return await replace(self._terms, requestor=requestor).request(connect, (self._host, self._port))

    def _withdraw(self, error: DimseError) -> None:
        if self._window == 1:  # another job was first
            return
        self._window = 1
        notice(
            "asynchronous operations",
            self._host,
            "%s: %s; it may not take the asynchronous operations that were proposed, and is asked again without them",
            host_and_port(self._host, self._port),
            one_line(str(error)),
        )


def _may_be_about_the_window(error: DimseError) -> bool:
    """Return whether a peer that does not know of windows may have ended an association so."""
    match error:
        case AssociationRejected(result=result, source=source, reason=reason):
            return (result, source, reason) in _UNEXPLAINED
        case TLSError(__cause__=ConnectionLost(), lasting=False):
            return True
        case _:
            return isinstance(error, (AssociationAborted, AssociationReleased, ConnectionLost))
