"""Sources made ready one after another for C-STORE requests; on an event loop that is done in a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Iterable, Sequence
from typing import TypeAlias

from dimse.association.association import BaseAssociation
from dimse.errors import FileError, NoPresentationContext
from dimse.instances import MAPPED
from dimse.services.outcome import Outcome
from dimse.services.sources import Outgoing, Storable, Transcode, numbered, source_of

AHEAD = 65_536
"""Bytes of a data set that the system takes at once, so that nothing waits for it."""

# Sources that a thread makes ready together on an event loop, and the bytes of memory from which on it adds no other.
MOST_AT_ONCE = 16
HELD = 262_144

Prepared = Outgoing | Outcome
Numbered: TypeAlias = "tuple[int | None, Storable]"


class Preparing:
    """The sources of `store_many`, opened, checked and converted one after another.

    On an event loop that is done in a thread. To change threads takes longer than to read a small file. So several files of a list
    or tuple are made ready together, and the next ones while these are sent.
    """

    def __init__(
        self, association: BaseAssociation, sources: Storable | Iterable[Storable], transcode: Transcode
    ) -> None:
        self._association, self._transcode = association, transcode
        self._sources = iter(numbered(sources))
        self._at_once = MOST_AT_ONCE if isinstance(sources, (list, tuple)) else 1
        self._given: deque[Numbered] = deque()
        self._ready: deque[Prepared] = deque()
        self._preparing: Awaitable[tuple[list[Prepared], Exception | None]] | None = None

    async def next(self) -> Prepared | None:
        """Return the next source made ready, or the outcome of one that cannot be sent; None at the end."""
        if not self._association.calls_in_threads:
            for number, given in self._sources:
                return _prepare_one(self._association, number, given, self._transcode)
            return None
        if not self._ready:
            await self._prepare()
        if not self._ready:
            return None
        following = self._ready.popleft()
        if len(self._ready) < self._at_once // 2 and isinstance(following, Outgoing) and _held(following) <= AHEAD:
            self._begin()
        return following

    def _begin(self) -> None:
        """Have a thread make the next sources ready, unless one does."""
        if self._preparing is not None:
            return
        while len(self._given) < self._at_once:
            for given in self._sources:
                self._given.append(given)
                break
            else:
                break
        if self._given:
            together = tuple(self._given)
            self._preparing = self._association.begin_call(_prepare_some, self._association, together, self._transcode)

    async def _prepare(self) -> None:
        self._begin()
        if self._preparing is None:
            return
        preparing, self._preparing = self._preparing, None
        prepared, error = await preparing
        if error is not None:
            raise error
        for _ in prepared:
            self._given.popleft()
        self._ready.extend(prepared)


def _held(outgoing: Outgoing) -> int:
    """Return the bytes of memory that the data set takes: a map of a file takes none."""
    return 0 if outgoing.file is not None and outgoing.size > MAPPED else outgoing.size


def _prepare_some(
    association: BaseAssociation, sources: Sequence[Numbered], transcode: Transcode
) -> tuple[list[Prepared], Exception | None]:
    """Make sources ready until they take `HELD` bytes of memory; return them, or the exception that the first one raised."""
    prepared: list[Prepared] = []
    held = 0
    for number, given in sources:
        try:
            if prepared and (held >= HELD or not source_of(given).is_lasting):
                break
            one = _prepare_one(association, number, given, transcode)
        except Exception as error:
            # It is raised when its turn comes.
            return prepared, None if prepared else error
        prepared.append(one)
        held += _held(one) if isinstance(one, Outgoing) else 0
    return prepared, None


def _prepare_one(association: BaseAssociation, number: int | None, given: Storable, transcode: Transcode) -> Prepared:
    source = source_of(given, number)
    try:
        return source.open_for(association, transcode)
    except (FileError, NoPresentationContext) as error:
        return Outcome(
            source.name,
            None,
            error,
            source.sop_instance_uid,
            source.sop_class_uid,
            source.transfer_syntax_uid,
            size=source.size,
            source=given,
        )
