"""The storage SCP of movescu: it takes instances from the peer that was asked, and waits for those that come late."""

from __future__ import annotations

import argparse
import logging
import time
from contextlib import ExitStack
from threading import Condition
from types import TracebackType
from typing import Any, Self

import dimse
from dimse import uids
from dimse.archive.asked import Asked
from dimse.data_set.identifier import Identifier
from dimse.tools import file_options
from dimse.tools.options import timeouts
from dimse.tools.retrieving import Arrivals

MOST_ASSOCIATIONS = 20
# Seconds that the peer has to release its associations once everything has come.
RELEASE = 1.0


class MoveReceiver:
    """A storage SCP in this process, which listens as long as it is entered.

    It takes what `dimse.archive.asked.Asked` takes: what was asked for, from the peer that was asked.

    Args:
        options: The parsed options.
        logger: The logger of the tool.
        arrivals: Counts what is stored.

    Attributes:
        port: The port that it listens on; 0 before it does.
    """

    def __init__(self, options: argparse.Namespace, logger: logging.Logger, arrivals: Arrivals) -> None:
        self._options, self._logger, self._arrivals = options, logger, arrivals
        self._resources, self._under_way = ExitStack(), ExitStack()
        self._asked = Asked(options.calling_aet, options.store_from, take_all=options.take_all or options.ignore)
        self._came = Condition()
        self._last = 0.0
        self._server: dimse.Server | None = None
        self.port = 0

    def __enter__(self) -> Self:
        options = self._options
        storing = self._resources.enter_context(file_options.storing(options, self._stored, self._arrivals.tags))
        syntaxes = tuple(uid for uid in options.accept_only if uid in uids.TRANSFER_SYNTAXES)
        classes = {uid for uid in options.accept_only if uid not in syntaxes} or set(uids.STORAGE_SOP_CLASSES)
        self._server = self._resources.enter_context(
            dimse.Server(
                (options.store_address, options.store_port),
                self._asked.checking(self._arrivals.reactions.audited(storing)),
                ae_title=options.store_aet,
                contexts={*classes, uids.Verification},
                transfer_syntaxes=syntaxes or uids.STORABLE_TRANSFER_SYNTAXES,
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
        self._under_way.close()
        self._resources.close()

    def begin(self, message_id: int, identifier: Identifier) -> None:
        """Take what a C-MOVE asks for, and what the one before has asked for no longer."""
        self._under_way.close()
        self._under_way.enter_context(self._asked.asking(message_id, identifier.text))

    def expect(self, address: str) -> None:
        """Take instances from the address of the peer."""
        self._asked.allow([address])

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
