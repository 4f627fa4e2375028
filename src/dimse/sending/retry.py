"""Retries: the failures that are worth another attempt, and the waits before it."""

from __future__ import annotations

from dimse.errors import (
    AssociationAborted,
    AssociationRejected,
    AssociationReleased,
    ConnectError,
    ConnectionLost,
    DimseError,
    OperationTimeout,
    StatusError,
    TLSError,
)
from dimse.support.values import value

# Result of an A-ASSOCIATE-RJ (PS3.8 9.3.4).
_TRANSIENT = 2
_FACTOR = 4
_FAULTS_OF_THE_CONNECTION = (ConnectError, ConnectionLost, AssociationAborted, AssociationReleased, OperationTimeout)


@value
class Retry:
    """The number of retries, and the waits before them.

    Attributes:
        times: Attempts after the first, for each instance, and for an association that is not established.
        wait: Seconds before the first retry; each further wait is four times as long. A random part of up to a half is taken
            off, so that many senders do not retry at the same moment.
        longest: Seconds of the longest wait.
    """

    times: int = 0
    wait: float = 1.0
    longest: float = 60.0

    def __post_init__(self) -> None:
        if self.times < 0 or self.wait < 0 or self.longest < 0:
            raise ValueError(f"retries and waits are not negative: {self}")

    def pause(self, failures: int, chance: float) -> float:
        """Return the seconds to wait after so many failures in a row; `chance` is a random number from 0 to 1."""
        return min(self.longest, self.wait * float(_FACTOR ** min(max(failures - 1, 0), 16))) * (1 - chance / 2)


def is_passing(error: DimseError) -> bool:
    """Return True if another association may succeed: after a fault of the connection, not after a refusal or a protocol error."""
    match error:
        case AssociationRejected(result=result):
            return result == _TRANSIENT
        case TLSError(lasting=lasting):
            return not lasting
        case StatusError(status=status):
            return is_passing_status(status)
        case _:
            return isinstance(error, _FAULTS_OF_THE_CONNECTION)


def is_passing_status(status: int) -> bool:
    """Return True for Out of Resources (A7xxH); a peer would repeat every other failure (PS3.4 B.2.3)."""
    return status & 0xFF00 == 0xA700
