"""The sink between the network and the sink of a received data set: it drops leading elements of group 0002."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dimse import uids
from dimse.association.association import LOGGER
from dimse.association.sinks import Sink
from dimse.data_set.group_two import can_lead, leading_size, marker
from dimse.data_set.walk import MalformedDataSet
from dimse.logs.notices import notice
from dimse.services.store_request import StoreRequest
from dimse.support.text import one_line
from dimse.uids import TransferSyntax


def dropping_group_two(sink: Sink, request: StoreRequest) -> Sink:
    """Return a sink that drops leading elements of group 0002 and hands everything else on to the sink of a request.

    Such elements would re-label a file, which begins with File Meta Information of ours. It is the sink of the request itself
    where the transfer syntax does not show such elements.
    """
    syntax = uids.transfer_syntax(request.context.transfer_syntax)
    return LeadingGroupTwo(sink, syntax, request) if syntax is not None and can_lead(syntax) else sink


class LeadingGroupTwo:
    """A sink that drops the leading elements of group 0002 of a data set, and hands the rest on to another sink.

    At most `group_two.MAXIMUM_SIZE` bytes are held back, and no byte of a data set that begins with another group.

    Attributes:
        write: Takes the next bytes, as in any sink.
        discard: The method of the other sink.
    """

    def __init__(self, sink: Sink, transfer_syntax: TransferSyntax, request: StoreRequest) -> None:
        self.write: Callable[[Sequence[memoryview]], None] = self._begin
        self.discard = sink.discard
        self._fault = ""
        self._sink, self._syntax, self._request = sink, transfer_syntax, request
        self._marker, self._held = marker(transfer_syntax), b""

    @property
    def error(self) -> OSError | None:
        """The first error of the disk; None if the disk has not failed."""
        return self._sink.error

    @error.setter
    def error(self, error: OSError | None) -> None:
        self._sink.error = error

    def _begin(self, buffers: Sequence[memoryview]) -> None:
        """Take the first bytes, until another group begins."""
        if not self._held and len(buffers[0]) >= len(self._marker) and buffers[0][: len(self._marker)] != self._marker:
            self.write = self._sink.write
            self._sink.write(buffers)
            return
        self._held = b"".join((self._held, *buffers))
        try:
            size = leading_size(self._held, self._syntax)
        except MalformedDataSet as error:
            self._fault, self._held, self.write = str(error), b"", _drop
            return
        if size is None:
            return
        if size:
            self._tell(size)
        rest, self._held, self.write = memoryview(self._held)[size:], b"", self._sink.write
        self._sink.write([rest])

    def _tell(self, size: int) -> None:
        notice(
            "group 0002",
            self._request.peer.address[0],
            "%s from %s: %d bytes of elements of group 0002 led its data set and were dropped",
            one_line(self._request.sop_instance_uid, 64),
            self._request.sender,
            size,
        )

    def end(self) -> str:
        """Return why the data set, which is complete, is refused, in one line; an empty text if it is not."""
        if self._held:
            self._fault = "cut short: it ends before any element that is not of group 0002"
        if self._fault:
            uid = one_line(self._request.sop_instance_uid, 64)
            LOGGER.error("refused %s from %s: %s", uid, self._request.sender, self._fault)
        return self._fault


def _drop(buffers: Sequence[memoryview]) -> None:
    """Drop bytes of a data set that is refused."""
