"""The meaning of each error, in one table: for the instance under way, for another attempt, and for the user.

An error has the meaning of its class, or of the next of its bases that has a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from dimse import errors
from dimse.support.text import one_line
from dimse.support.values import replace, value

FaultState = Literal["unknown", "unsent", "invalid"]
Stage = Literal["request", "transfer", "release"]
Words = Callable[[Any], list[str]]

# Refused contexts that are named one by one.
MOST_REFUSALS = 6

_TRANSIENT = 2  # result of an A-ASSOCIATE-RJ (PS3.8 9.3.4)


def _plain(error: errors.DimseError) -> list[str]:
    return [one_line(str(error))]


@value
class Meaning:
    """The meaning of an error.

    Attributes:
        state: The state of an instance whose request it ended, as in `Outcome.state`.
        passes: True if another association may do better; or a function that returns that for an error.
        request: A function that returns the lines about an association which was not established for this error.
        ended: A function that returns the lines about an established association which this error ended.
        is_silent: True if the peer has told no reason at all.
    """

    state: FaultState = "unknown"
    passes: bool | Callable[[Any], bool] = False
    request: Words = _plain
    ended: Words = _plain
    is_silent: bool = False


def _request_failed(error: errors.DimseError) -> list[str]:
    return [f"Association request failed: {one_line(str(error))}"]


def _rejected(error: errors.AssociationRejected) -> list[str]:
    result = f"Result: {error.result_text}, Source: {error.source_text}"
    return ["Association Rejected", result, f"Reason: {error.reason_text}"]


def _refused(error: errors.RefusedContexts) -> list[str]:
    more = len(error.refused) - MOST_REFUSALS
    rest = [f"... and {more} more"] if more > 0 else []
    return [one_line(str(error)), *map(one_line, error.refused[:MOST_REFUSALS]), *rest]


def _lost(error: errors.ConnectionLost) -> list[str]:
    words = getattr(error.__cause__, "strerror", None)
    return [one_line(str(error)), *([words] if isinstance(words, str) else [])]


def is_passing_status(status: int) -> bool:
    """Return True if another attempt may do better: after Out of Resources (A7xxH), and no other failure (PS3.4 B.2.3)."""
    return status & 0xFF00 == 0xA700


_BROKEN = Meaning(
    request=lambda error: ["Received an invalid A-ASSOCIATE response from the peer", one_line(str(error))],
    ended=lambda error: ["Association Aborted", f"The peer broke the protocol: {one_line(str(error))}"],
)
_NO_TRANSPORT = Meaning(
    passes=True,
    request=lambda error: [
        "Association request failed: unable to connect to remote",
        f"TCP Initialisation Error: {one_line(str(error))}",
    ],
)

MEANINGS: Mapping[type[errors.DimseError], Meaning] = {
    errors.DimseError: Meaning(),
    errors.ConnectError: _NO_TRANSPORT,
    errors.TLSError: Meaning(passes=lambda error: not error.lasting, request=_request_failed),
    errors.AssociationRejected: Meaning(passes=lambda error: error.result == _TRANSIENT, request=_rejected),
    errors.AssociationAborted: Meaning(
        passes=True,
        request=lambda error: ["Association Aborted"],
        ended=lambda error: ["Association Aborted", one_line(str(error))],
    ),
    errors.AssociationReleased: Meaning(passes=True),
    errors.ConnectionLost: Meaning(
        passes=True,
        request=lambda error: ["Peer closed the connection without an answer"],
        ended=_lost,
        is_silent=True,
    ),
    errors.OperationTimeout: Meaning(passes=True),
    errors.StatusError: Meaning(passes=lambda error: is_passing_status(error.status)),
    errors.RefusedContexts: Meaning(request=_refused),
    errors.RemoteProtocolError: _BROKEN,
    errors.InvalidResponse: replace(
        _BROKEN,
        ended=lambda error: [
            f"Received an invalid {error.awaited} response from the peer",
            one_line(error.why),
        ],
    ),
    errors.NotDicomPeer: replace(_BROKEN, request=_request_failed),
    errors.NoPresentationContext: Meaning(state="unsent"),
    errors.NotSent: Meaning(state="unsent"),
    errors.FileError: Meaning(state="invalid"),
}


def meaning_of(error: errors.DimseError) -> Meaning:
    """Return the meaning of an error."""
    return next(MEANINGS[kind] for kind in type(error).__mro__ if kind in MEANINGS)


def is_passing(error: errors.DimseError) -> bool:
    """Return True if another association may do better.

    Errors of the connection pass. A peer that refuses or breaks the protocol would do so again.
    """
    passes = meaning_of(error).passes
    return passes(error) if callable(passes) else passes
