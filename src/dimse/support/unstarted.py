"""Iterators whose work begins when their first item is asked for, and that tell if it never is."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def _nothing() -> None:
    """Do nothing: the work holds no resources before it begins."""


class _Unstarted:
    """The part that is the same for both kinds of iterators.

    Args:
        name: The name of the function that has made the iterator.
        discard: Releases what the work holds before it begins.
    """

    _is_started = True

    def __init__(self, name: str, discard: Callable[[], object]) -> None:
        self._name, self._discard = name, discard
        self._is_started = False

    def _drop(self) -> None:
        """End the work, which has not begun."""
        if not self._is_started:
            self._is_started = True
            self._discard()

    def __del__(self) -> None:
        if not self._is_started:
            words = f"nothing was done: the result of {self._name} is an iterator, and was never iterated over"
            warnings.warn(words, ResourceWarning, stacklevel=2, source=self)
            self._drop()


class Unstarted(_Unstarted, Iterator[T]):
    """An iterator of what a generator yields. Python warns of one that is dropped before its first item was asked for.

    Args:
        name: The name of the function that has made it.
        items: The generator.
        discard: Releases what the work holds before it begins.
    """

    def __init__(self, name: str, items: Generator[T], discard: Callable[[], object] = _nothing) -> None:
        super().__init__(name, discard)
        self._items = items

    def __iter__(self) -> Iterator[T]:
        # A loop runs over the generator itself, which takes no call more for each item.
        self._is_started = True
        return self._items

    def __next__(self) -> T:
        return next(iter(self))

    def close(self) -> None:
        """End the work as leaving a loop does."""
        self._drop()
        self._items.close()


class AsyncUnstarted(_Unstarted, AsyncIterator[T]):
    """An asynchronous iterator of what an asynchronous generator yields, with the same warning.

    Args:
        name: The name of the function that has made it.
        items: The generator.
    """

    def __init__(self, name: str, items: Any) -> None:
        super().__init__(name, _nothing)
        self._items = items

    def __aiter__(self) -> AsyncIterator[T]:
        self._is_started = True
        items: AsyncIterator[T] = self._items
        return items

    async def __anext__(self) -> T:
        return await anext(aiter(self))

    async def aclose(self) -> None:
        """End the work as leaving a loop does."""
        self._drop()
        await self._items.aclose()
