"""The number of attempts, and the waits between them. `dimse.meanings` says which errors are worth another one."""

from __future__ import annotations

from dimse.support.values import value

_FACTOR = 4


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
        for name, kind in (("times", int), ("wait", (int, float)), ("longest", (int, float))):
            number: object = getattr(self, name)
            if not isinstance(number, kind) or isinstance(number, bool):
                raise TypeError(f"{name} of a retry is a number, not {number!r}")
        # The comparisons are false for "not a number" too.
        if not (self.times >= 0 and self.wait >= 0 and self.longest >= 0):
            raise ValueError(f"retries and waits are not negative: {self}")

    def pause(self, failures: int, chance: float) -> float:
        """Return the seconds to wait after so many failures in a row; `chance` is a random number from 0 to 1."""
        return min(self.longest, self.wait * float(_FACTOR ** min(max(failures - 1, 0), 16))) * (1 - chance / 2)
