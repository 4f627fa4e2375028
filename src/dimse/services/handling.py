"""How a user's handler is run: what it returns becomes a status, what it raises a failure status and a log line."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from dimse.association import LOGGER, Association, Refusal
from dimse.message.status import Status
from dimse.text import one_line

R = TypeVar("R")

PROCESSING_FAILURE = 0x0110  # PS3.7 C.5.19


async def ask(association: Association, handler: Callable[[R], Any | Awaitable[Any]], request: R) -> Any | Refusal:
    """What `handler` returns; a `Refusal` if it raises: the association lives on."""
    try:
        return await association.call(handler, request)
    except Exception as error:
        # Whatever a user's own code raises must not end the association, nor reach another one.
        LOGGER.error(
            "the handler of %s failed: %s",
            type(request).__name__,
            one_line(f"{type(error).__name__}: {error}"),
            exc_info=LOGGER.isEnabledFor(logging.DEBUG),
        )
        return Refusal(PROCESSING_FAILURE, "the handler failed")


async def ask_status(association: Association, handler: Callable[[R], int | Awaitable[int]], request: R) -> Refusal:
    """The status that `handler` returns, with its comment if it has one."""
    answer = await ask(association, handler, request)
    if isinstance(answer, Refusal):
        return answer
    if not isinstance(answer, int):
        LOGGER.error("the handler of %s returned %r instead of a status", type(request).__name__, type(answer).__name__)
        return Refusal(PROCESSING_FAILURE, "the handler failed")
    return Refusal(int(answer), answer.comment if isinstance(answer, Status) else "")
