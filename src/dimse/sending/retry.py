"""What is worth another attempt, and when."""

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

_TRANSIENT = 2  # result of an A-ASSOCIATE-RJ (PS3.8 9.3.4)
_FACTOR = 4
_FAULTS_OF_THE_CONNECTION = (ConnectError, ConnectionLost, AssociationAborted, AssociationReleased, OperationTimeout)


@value
class Retry:
    """How often to try again, and how long to wait before.

    Attributes:
        times: Attempts after the first, for each instance, and for an association that does not come about.
        wait: Seconds before the first of them; each time four times as long, less a random part of up to a half, so that
            many senders do not come back at one moment.
        longest: Seconds at most.
    """

    times: int = 0
    wait: float = 1.0
    longest: float = 60.0

    def __post_init__(self) -> None:
        if self.times < 0 or self.wait < 0 or self.longest < 0:
            raise ValueError(f"retries and waits are not negative: {self}")

    def pause(self, failures: int, chance: float) -> float:
        """Seconds to wait after so many failures in a row; `chance` is a random number from 0 to 1."""
        return min(self.longest, self.wait * float(_FACTOR ** min(max(failures - 1, 0), 16))) * (1 - chance / 2)


def is_passing(error: DimseError) -> bool:
    """May another association do better? A fault of the connection passes; a peer that refuses or breaks the protocol stays so."""
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
    """Out of resources (A7xxH) passes; every other failure would only be repeated (PS3.4 B.2.3)."""
    return status & 0xFF00 == 0xA700
