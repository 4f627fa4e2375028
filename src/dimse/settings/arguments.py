"""Checks of the arguments that users pass. A wrong one is a `TypeError` or `ValueError` at the call, with an example."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TypeVar

from dimse import uids

T = TypeVar("T")


def instance_of(name: str, value: object, kind: type, example: str) -> None:
    """Check that an argument is an instance of a class.

    Raises:
        TypeError: It is not; the message ends with `example`.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} is a dimse.{kind.__name__}, not {value!r}: {example}")


def whole_number(name: str, value: object, least: int, most: int | None = None) -> None:
    """Check that an argument is a whole number in a range.

    Raises:
        TypeError: It is not a whole number.
        ValueError: It is less than `least` or more than `most`.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is a whole number, not {value!r}")
    if value < least or (most is not None and value > most):
        raise ValueError(f"{name} is {least} {'or more' if most is None else f'to {most}'}, not {value}")


def priority(value: object) -> None:
    """Check an argument `priority` (PS3.7 E.1-1): 0 medium, 1 high, 2 low.

    Raises:
        TypeError: It is not a whole number.
        ValueError: It is another number.
    """
    whole_number("priority", value, 0, 2)


def many(name: str, values: Iterable[T], example: str) -> tuple[T, ...]:
    """Return the items of an argument that takes a list.

    Raises:
        TypeError: It is a single text or path, or is not iterable.
    """
    if isinstance(values, (str, bytes, os.PathLike)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} takes a list, not {values!r}: {example}")
    return tuple(values)


def host_and_port(name: str, value: object, least: int = 1) -> tuple[str, int]:
    """Return an address as a host and a port.

    Args:
        name: The name of the argument.
        value: The value of the argument.
        least: The lowest port that is allowed.

    Raises:
        TypeError: It is not a pair of a text and a whole number.
        ValueError: The host is empty, or the port is not `least` to 65535.
    """
    match value:
        case (str(host), int(port)) if not isinstance(port, bool):
            if (not host and least) or "\0" in host:
                raise ValueError(f"{name} needs the name or the address of a host, not {host!r}")
            if not least <= port <= 0xFFFF:
                raise ValueError(f"{name} needs a port from {least} to 65535, not {port}")
            return host, port
        case _:
            raise TypeError(f'{name} takes a host and a port, ("127.0.0.1", 11112), not {value!r}')


def uid(name: str, given: str, find: Callable[[str], str] = uids.find) -> str:
    """Return a UID that is given by itself or by its keyword in PS3.6, such as `CTImageStorage`.

    Args:
        name: The name of the argument.
        given: The value of the argument.
        find: Returns the UID for a UID or keyword.

    Raises:
        TypeError: It is not a text.
        ValueError: It is neither a UID nor a keyword of the Standard.
    """
    if not isinstance(given, str):
        raise TypeError(f"{name} takes UIDs or keywords as text, not {given!r}")
    try:
        return find(given)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
