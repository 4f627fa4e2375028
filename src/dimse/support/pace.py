"""The recent duration of calls, which decides where the next one is made.

Handing a call to another thread costs two changes of threads. That pays off for a call that blocks for longer than they take.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

LONG_CALL = 0.0002
"""The least number of seconds for which a call is worth two changes of threads."""
MOST_PACES = 64
"""The most functions whose paces are known; a server has a few handlers."""


class Pace:
    """The moving average of the duration of some calls.

    Args:
        seconds: The average before the first call; None if it is unknown, which counts as long.
    """

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds

    @property
    def is_long(self) -> bool:
        """True if the next call is expected to take long."""
        return self.is_longer(LONG_CALL)

    def is_longer(self, seconds: float) -> bool:
        """Return True if the next call is expected to take this number of seconds, or longer."""
        return self._seconds is None or self._seconds >= seconds

    def call(self, function: Callable[..., T], *args: object) -> T:
        """Call a function, return its result, and record how long it took."""
        started = time.monotonic()
        try:
            return function(*args)
        finally:
            seconds, before = time.monotonic() - started, self._seconds
            self._seconds = seconds if before is None else before + (seconds - before) / 8


class Paces:
    """The pace of each of some functions.

    A function is known by itself, not by its `id`, which another function may have later.
    """

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[Callable[..., object], Pace] = {}

    def of(self, function: Callable[..., object]) -> Pace:
        """Return the pace of a function; a new one each time if the function cannot be a key."""
        try:
            pace = self._of.get(function)
        except TypeError:
            return Pace()
        if pace is None:
            if len(self._of) >= MOST_PACES:
                self._of.clear()
            pace = self._of[function] = Pace()
        return pace


class Paced:
    """A handler that knows if it will block.

    Args:
        function: The function to call.
        paces: The paces of the calls in it that may block.
        begin: Makes the first part of the call. It returns the answer, or a callable that makes the rest and returns the answer.
            Calls of several associations are begun before the rest of each, so that they can share what the rest costs.
    """

    __slots__ = ("_function", "_paces", "begin")

    def __init__(self, function: Callable[[Any], Any], *paces: Pace, begin: Callable[[Any], Any] | None = None) -> None:
        self._function, self._paces, self.begin = function, paces, begin

    def __call__(self, request: Any) -> Any:
        return self._function(request)

    @property
    def is_brief(self) -> bool:
        """True if the next call is expected not to block."""
        for pace in self._paces:  # noqa: SIM110  (a generator takes three times as long, for each instance)
            if pace.is_long:
                return False
        return True


def brief(handler: F) -> F:
    """Mark a handler that never blocks for long. The event loop calls it itself, in the thread of all associations."""
    handler.is_brief = True  # type: ignore[attr-defined]
    return handler


def is_brief(handler: Callable[..., Any]) -> bool:
    """Return True if a handler is marked as one that does not block."""
    return getattr(handler, "is_brief", False)
