"""The verification of the user identity in a request for an association, by the program (PS3.7 D.3.3.7)."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from dimse.association.pump import LOGGER
from dimse.settings import LONGEST_IDENTITY, Acceptor, UserIdentity
from dimse.support.text import stack_of

if TYPE_CHECKING:
    from dimse.transport.base import Transport

LONGEST_VERIFICATION = 10.0
"""Seconds that the verification may take: the requestor waits for its answer."""

MOST_VERIFIED = 1024
"""Verified identities that a server remembers."""

NOT_VERIFIED = "the user identity could not be verified"


class NotIdentified(Exception):
    """The association is to be rejected; the words say why, and hold nothing of the identity."""


class Verified:
    """The user identities that were verified lately, by digests. Their checks come first, and are made all the same.

    The key of the digests is random, and of this object alone.
    """

    def __init__(self) -> None:
        self._key = os.urandom(32)
        # The identity that was verified last stands last.
        self._digests: dict[bytes, None] = {}

    def __contains__(self, identity: UserIdentity) -> bool:
        return bool(self._digests) and self._digest(identity) in self._digests

    def add(self, identity: UserIdentity) -> None:
        """Remember an identity; beyond `MOST_VERIFIED` the one that was verified least lately is forgotten."""
        digest = self._digest(identity)
        self._digests.pop(digest, None)
        self._digests[digest] = None
        if len(self._digests) > MOST_VERIFIED:
            del self._digests[next(iter(self._digests))]

    def discard(self, identity: UserIdentity) -> None:
        """Forget an identity that is not accepted any more."""
        if self._digests:
            self._digests.pop(self._digest(identity), None)

    def _digest(self, identity: UserIdentity) -> bytes:
        from hashlib import blake2b  # loaded where identities are verified alone

        fields = identity.identity_type, len(identity.primary), len(identity.secondary)
        head = b"".join(number.to_bytes(4, "big") for number in fields)
        return blake2b(head + identity.primary + identity.secondary, key=self._key, digest_size=16).digest()


async def identify(transport: Transport, acceptor: Acceptor, identity: UserIdentity | None) -> bytes | None:
    """Return the answer to a user identity; None if no identity had to be verified.

    Raises:
        NotIdentified: It was not accepted, or could not be verified in time.
    """
    if acceptor.identify is None or (identity is None and acceptor.allow_anonymous):
        return None
    if identity is None:
        raise NotIdentified("the request has no user identity")
    try:
        answer: object = await transport.call_within(LONGEST_VERIFICATION, acceptor.identify, identity)
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
