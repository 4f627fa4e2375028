"""The call of a handler: its result becomes a status, and an exception a failure status and a line in the log."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from dimse.association.association import LOGGER, Arrived, BaseAssociation, Refusal
from dimse.message.command import Request, respond
from dimse.message.status import PROCESSING_FAILURE, Status
from dimse.support.text import one_line

R = TypeVar("R")


async def ask(association: BaseAssociation, handler: Callable[[R], Any | Awaitable[Any]], request: R) -> Any | Refusal:
    """Return what `handler` returns; a `Refusal` if it raises: the association lives on.

    A handler that calls `sys.exit` ends its association, which is a line in the log.
    """
    try:
        return await association.call(handler, request)
    except SystemExit as error:
        # It is raised again, because a signal handler of the program may have raised it while the handler ran.
        LOGGER.error("the handler of %s called sys.exit(%s): the association ends", type(request).__name__, error.code)
        raise
    except Exception as error:
        # An exception of the program must neither end the association nor reach another one.
        LOGGER.error(
            "the handler of %s failed: %s",
            type(request).__name__,
            one_line(f"{type(error).__name__}: {error}"),
            exc_info=LOGGER.isEnabledFor(logging.DEBUG),
        )
        return Refusal(PROCESSING_FAILURE, "the handler failed")


async def ask_status(association: BaseAssociation, handler: Callable[[R], int | Awaitable[int]], request: R) -> Refusal:
    """Return the status that `handler` returns, with its comment if it has one."""
    answer = await ask(association, handler, request)
    return answer if isinstance(answer, Refusal) else as_status(answer, request)


def as_status(answer: object, request: object) -> Refusal:
    """Return what a handler of `request` returned, as the status that it must be.

    True and False are refused: as numbers, False would be success and True a warning.
    """
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer <= 0xFFFF:
        return Refusal(int(answer), answer.comment if isinstance(answer, Status) else "")
    what = (
        f"0x{answer:X}" if type(answer) is int else repr(answer) if isinstance(answer, bool) else type(answer).__name__
    )
    LOGGER.error("the handler of %s returned %s instead of a status", type(request).__name__, what)
    return Refusal(PROCESSING_FAILURE, "the handler failed")


async def send_status(association: BaseAssociation, arrived: Arrived, answer: Refusal) -> None:
    """Respond to a request with a status and its comment."""
    assert isinstance(arrived.message, Request)
    response = respond(arrived.message, answer.status, error_comment=answer.comment or None)
    await association.send_response(arrived.context, response)
