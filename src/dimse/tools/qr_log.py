"""The lines of qrscp's log about the requests that it answers, whose identifiers are private."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import dimse
from dimse.data_set.identifier import Identifier
from dimse.logs import Private
from dimse.services.query import FindRequest
from dimse.services.retrieve_request import RetrieveRequest
from dimse.support.text import host_and_port, one_line, tag_name
from dimse.support.values import replace
from dimse.tools.identifier_lines import lines

HIDDEN = "[hidden]"


class RequestLog:
    """The log of requests, at the level INFO.

    Args:
        logger: The logger of the tool.
        shows_identifiers: True to log identifiers as they are; else they are shown where private data is.
    """

    def __init__(self, logger: logging.Logger, *, shows_identifiers: bool) -> None:
        self._logger, self._shows = logger, shows_identifiers

    def around(self, handlers: dimse.Handlers) -> dimse.Handlers:
        """Return handlers that log each request before they answer it; the same ones where nothing would be logged."""
        if not self._logger.isEnabledFor(logging.INFO):
            return handlers
        return replace(
            handlers,
            echo=self._logged("ECHO", handlers.echo),
            store=self._logged("STORE", handlers.store),
            find=self._logged("FIND", handlers.find),
            get=self._logged("GET", handlers.get),
            move=self._logged("MOVE", handlers.move),
        )

    def _logged(self, name: str, handler: Callable[[Any], Any] | None) -> Any:
        """Return a handler that logs its requests."""
        if handler is None:
            return None

        def answer(request: Any) -> Any:
            self._log(name, request)
            return handler(request)

        return answer

    def _log(self, name: str, request: Any) -> None:
        destination = ""
        if name == "MOVE":
            destination = f" with move destination {one_line(request.destination, 16)}"
        when = time.strftime("%Y-%m-%d %H:%M:%S")
        self._logger.info(
            "Received C-%s request from %s at %s%s", name, host_and_port(*request.peer.address), when, destination
        )
        if isinstance(request, (FindRequest, RetrieveRequest)):
            self._logger.info("%s SCP Request Identifier:", name.capitalize())
            for line in self._lines(request.identifier):
                self._logger.info("%s", line)

    def _lines(self, identifier: Identifier) -> Iterator[object]:
        """Yield a line for each attribute of an identifier, without its value where that is private."""
        if self._shows:
            yield from lines(identifier.attributes)
            return
        for tag in identifier:
            attribute = identifier.attributes[tag]
            for line in lines({tag: attribute}):
                yield Private(line, f"{tag_name(tag)} {attribute.vr} {HIDDEN}")
