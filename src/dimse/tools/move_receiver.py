"""The storage SCP of movescu: it takes instances from the peer that was asked, and waits for those that come late."""

from __future__ import annotations

import argparse
import logging
import time
from contextlib import ExitStack
from ipaddress import ip_address, ip_network
from threading import Condition
from types import TracebackType
from typing import Any, Self

import dimse
from dimse import uids
from dimse.support.pace import brief, is_brief
from dimse.support.text import one_line
from dimse.support.values import replace
from dimse.tools import file_options
from dimse.tools.options import timeouts
from dimse.tools.retrieving import Arrivals

NOT_AUTHORIZED = 0x0124  # PS3.7 C.5.8
MOST_ASSOCIATIONS = 20
# Seconds that the peer has to release its associations once everything has come.
RELEASE = 1.0


class MoveReceiver:
    """A storage SCP in this process, which listens as long as it is entered.

    Instances are taken from the address of the peer that was asked, from this machine, and from the networks that the user allows.
    Others are refused. The Move Originator is not looked at: many peers do not send it, and some send their own.

    Args:
        options: The parsed options.
        logger: The logger of the tool.
        arrivals: Counts what is stored.

    Attributes:
        port: The port that it listens on; 0 before it does.
    """

    def __init__(self, options: argparse.Namespace, logger: logging.Logger, arrivals: Arrivals) -> None:
        self._options, self._logger, self._arrivals = options, logger, arrivals
        self._resources = ExitStack()
        self._allowed: list[Any] = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
        self._allowed += [ip_network(network) for network in options.store_from]
        self._came = Condition()
        self._last = 0.0
        self._has_warned = False
        self._server: dimse.Server | None = None
        self.port = 0

    def __enter__(self) -> Self:
        options = self._options
        storing = self._resources.enter_context(file_options.storing(options, self._stored, self._arrivals.tags))
        handlers = self._arrivals.reactions.audited(storing)
        begin = handlers.store_begin
        assert begin is not None

        def check(request: dimse.StoreRequest) -> Any:
            return begin(request) if self._is_allowed(request) else dimse.Status(NOT_AUTHORIZED, service="storage")

        self._server = self._resources.enter_context(
            dimse.Server(
                (options.store_address, options.store_port),
                replace(handlers, store_begin=brief(check) if is_brief(begin) else check),
                ae_title=options.store_aet,
                contexts={*uids.STORAGE_SOP_CLASSES, uids.Verification},
                transfer_syntaxes=uids.STORABLE_TRANSFER_SYNTAXES,
                timeouts=timeouts(options),
                limits=dimse.Limits(associations=MOST_ASSOCIATIONS),
            )
        )
        self.port = self._server.address[1]
        self._logger.info("Receiving on port %d as %s", self.port, options.store_aet)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None and error is None:
            end = time.monotonic() + RELEASE
            while self._server.associations and time.monotonic() < end:
                time.sleep(0.005)
            self._server.shutdown(RELEASE)
        self._resources.close()

    def expect(self, address: str) -> None:
        """Take instances from the address of the peer."""
        self._allowed.append(ip_network(address.partition("%")[0]))

    def _is_allowed(self, request: dimse.StoreRequest) -> bool:
        address = ip_address(request.peer_address[0].partition("%")[0])
        # An IPv4 address that came to a socket of IPv6.
        address = getattr(address, "ipv4_mapped", None) or address
        if any(address in network for network in self._allowed):
            return True
        if not self._has_warned:
            self._has_warned = True
            self._logger.warning(
                "refused an instance from %s, which was not asked: --store-from allows it", one_line(str(address))
            )
        return False

    def _stored(self, stored: Any) -> None:
        with self._came:
            self._arrivals.stored(stored)
            self._last = time.monotonic()
            self._came.notify_all()

    def await_rest(self, promised: int) -> None:
        """Wait until so many instances of the retrieval have come, or none comes for the time that the user gives them."""
        if self._options.ignore:
            return
        begun = time.monotonic()
        with self._came:
            while self._arrivals.count < promised:
                left = max(begun, self._last) + self._options.settle - time.monotonic()
                if left <= 0:
                    return
                self._came.wait(left)
