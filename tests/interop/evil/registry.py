"""The table of an evil SCP's behaviours by name. Each is a function of a conversation and the request that it meets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.interop.evil.conversation import Conversation, Request

FIND, GET, MOVE = "find", "get", "move"
ANY = (FIND, GET, MOVE)

Act = Callable[[Conversation, Request], None]
Accept = Callable[[Conversation], None]


@dataclass(frozen=True)
class Behaviour:
    """A way to misbehave.

    Attributes:
        name: Its name in the table.
        says: What it does, in a line.
        operations: The operations that it is meant for: of "find", "get" and "move".
        act: What it does once such a request has come. What comes after it is answered as usual.
        accept: What it does with the A-ASSOCIATE-RQ.
    """

    name: str
    says: str
    operations: tuple[str, ...]
    act: Act
    accept: Accept


BEHAVIOURS: dict[str, Behaviour] = {}


def behaviour(*operations: str, accept: Accept = Conversation.accept_honestly) -> Callable[[Act], Act]:
    """Enter the decorated function into the table, under its name and with the first line of its docstring."""

    def enter(act: Act) -> Act:
        name = act.__name__
        assert name not in BEHAVIOURS, name
        says = (act.__doc__ or "").partition("\n")[0]
        BEHAVIOURS[name] = Behaviour(name, says, operations, act, accept)
        return act

    return enter
