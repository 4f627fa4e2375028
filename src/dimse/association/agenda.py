"""The agenda of an association: work of ours that is due later, between two messages of the peer."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from dimse.support.values import value


@value
class Task:
    """A piece of work that is due later.

    Attributes:
        due: On `time.monotonic()`.
        act: Does the work, within the operation that serves the peer.
        missed: Called instead if the association ends before; it must not block.
        size: A measure of the memory that it holds, in the unit of the service that has added it.
    """

    due: float
    act: Callable[[], Awaitable[None]]
    missed: Callable[[], object]
    size: int = 0


class Agenda:
    """The work that an association is to do later; one that ends before tells so.

    Attributes:
        tasks: In the order in which they are due.
    """

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    @property
    def size(self) -> int:
        """The sizes of all tasks together."""
        return sum(task.size for task in self.tasks)

    def add(
        self, seconds: float, act: Callable[[], Awaitable[None]], missed: Callable[[], object], size: int = 0
    ) -> None:
        """Add work that is due in some seconds, as `Task` describes it."""
        self.tasks.append(Task(time.monotonic() + seconds, act, missed, size))
        self.tasks.sort(key=lambda task: task.due)

    async def do_due(self) -> bool:
        """Do the next piece of work if it is due; return True if it was."""
        if not self.tasks or self.tasks[0].due > time.monotonic():
            return False
        await self.tasks.pop(0).act()
        return True

    def drop(self) -> None:
        """Call `missed` of all that is left: the association ends."""
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            task.missed()
