"""Methods whose module is loaded when they are first used, so that a C-ECHO does not load the storage modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Later:
    """A placeholder for a method, which is looked up at its first use and then replaces the placeholder.

    Args:
        find: A function that returns the method.
    """

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: object, owner: type) -> Any:
        method = self._find()
        setattr(self._owner, self._name, method)
        # Bound here, and not looked up again: a derived class that overrides the method may be the one that asks.
        return method if instance is None else method.__get__(instance, owner)
