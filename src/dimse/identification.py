"""Who asks for an association: the user identity of its request, verified by the program (PS3.7 D.3.3.7)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dimse.pump import LOGGER
from dimse.settings import LONGEST_IDENTITY, Acceptor, UserIdentity
from dimse.text import stack_of

if TYPE_CHECKING:
    from dimse.transport.base import Transport

LONGEST = 10.0
"""Seconds that the verification may take: the requestor waits for its answer."""

NOT_VERIFIED = "the user identity could not be verified"


class NotIdentified(Exception):
    """The association is to be rejected; the words say why, and hold nothing of the identity."""


async def identify(transport: Transport, acceptor: Acceptor, identity: UserIdentity | None) -> bytes | None:
    """What answers a user identity; None if there is none that had to be verified.

    Raises:
        NotIdentified: It was not accepted, or could not be verified in time.
    """
    if acceptor.identify is None or (identity is None and acceptor.allow_anonymous):
        return None
    if identity is None:
        raise NotIdentified("the request has no user identity")
    try:
        answer: object = await transport.call_within(LONGEST, acceptor.identify, identity)
    except TimeoutError as error:
        raise NotIdentified("the user identity was not verified in time") from error
    except Exception as error:
        # Whatever a user's own code raises; its words may hold the password.
        LOGGER.error("the verification of a user identity failed: %s", type(error).__name__)
        if LOGGER.isEnabledFor(logging.DEBUG):
            for line in stack_of(error):
                LOGGER.debug("%s", line)
        raise NotIdentified(NOT_VERIFIED) from error
    if answer is None:
        raise NotIdentified("the user identity was not accepted")
    if not isinstance(answer, bytes) or len(answer) > LONGEST_IDENTITY:
        LOGGER.error("the verification of a user identity returned %s instead of bytes or None", type(answer).__name__)
        raise NotIdentified(NOT_VERIFIED)
    return answer
