"""The associations of a sending, requested with or without a window of asynchronous operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from dimse.settings import ProposedContext, Requestor, Timeouts
from dimse.settings.keywords import gather
from dimse.support.text import host_and_port, one_line
from dimse.support.values import fields, replace
from dimse.transport.threaded import connect

if TYPE_CHECKING:
    from inspect import Parameter

    from dimse.sending.options import AssociationOptions
    from dimse.services import Association

# Result, source and reason of the rejections that a peer may send because it does not know an item (PS3.8 9.3.4). They are "no
# reason given", by the user and by the provider, and an application context that is not supported.
_UNEXPLAINED = ((1, 1, 1), (1, 2, 1), (1, 1, 2))


def options_in_full() -> Iterator[Parameter]:
    """Yield the parameters that `AssociationOptions` stands for."""
    from inspect import Parameter

    from dimse.sending.options import AssociationOptions

    defaults = {name: field.default for name, field in fields(Requestor).items()} | {"timeouts": Timeouts()}
    for name, annotation in AssociationOptions.__annotations__.items():
        # A `TypedDict` wraps the text of an annotation.
        text = getattr(annotation, "__forward_arg__", annotation)
        yield Parameter(name, Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=text)


class Associations:
    """The associations of one sending, for all of its jobs.

    Some peers close, abort or reject if an Asynchronous Operations Window (PS3.7 D.3.3.3) is proposed. Such a peer gets one
    request with the window, and the next one without it.

    Args:
        host: The name or address of the peer.
        port: The port of the peer.
        options: Arguments of `dimse.associate`; without `async_ops` no window is proposed.

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
        """Request an association, and a second time without the window if that may have made the peer fail.

        Raises:
            DimseError: The association was not established; see `dimse.associate`.
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
        """Stop proposing a window, after an association that ended before the peer had answered a request on it.

        Args:
            error: The error that ended it.

        Returns:
            False, and nothing changes, if no window was proposed or the error cannot come from that.
        """
        if self._window == 1 or not _may_be_about_the_window(error):
            return False
        self._withdraw(error)
        return True

    async def _request(self, contexts: Sequence[ProposedContext], window: int) -> Association:
        requestor = replace(self._terms.requestor, contexts=contexts, async_ops=window)
        return await replace(self._terms, requestor=requestor).request(connect, (self._host, self._port))

    def _withdraw(self, error: DimseError) -> None:
        # Another job may have been first.
        if self._window == 1:
            return
        self._window = 1
        notice(
            "asynchronous operations",
            self._host,
            "%s: %s; it may not support asynchronous operations; requesting again without them",
            host_and_port(self._host, self._port),
            one_line(str(error)),
        )


def _may_be_about_the_window(error: DimseError) -> bool:
    """Return True if a peer that does not know windows may have ended an association with this error."""
    match error:
        case AssociationRejected(result=result, source=source, reason=reason):
            return (result, source, reason) in _UNEXPLAINED
        case TLSError(__cause__=ConnectionLost(), lasting=False):
            return True
        case _:
            return isinstance(error, (AssociationAborted, AssociationReleased, ConnectionLost))
