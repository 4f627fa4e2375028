"""Field codecs: the encoding of each field of a PDU or an item (PS3.8 9.3).

A codec has two methods. `encode(value)` returns bytes, and `decode(cursor)` takes them from a `Cursor`, which ends where the
enclosing structure ends. Numbers are big endian.

A fault of the peer is a `RemoteProtocolError`. A value without an encoding is a `LocalProtocolError`; for characters outside
Latin-1 it is a `UnicodeEncodeError`, which is a `ValueError`. Faults of a peer that are tolerated are collected in
`Cursor.oddities`.
"""

from __future__ import annotations

from typing import Any, Protocol

from dimse.errors import LocalProtocolError, RemoteProtocolError
from dimse.support.text import one_line

# Faults that are described for one PDU; others are counted.
MOST_ODDITIES = 16
LONGEST_ODDITY = 200  # characters


class LimitPassed(RemoteProtocolError):
    """A PDU exceeds a limit on memory or time. It is refused as a whole, whatever its items tolerate."""


class Oddities:
    """The tolerated faults of a peer, one line each: the first `MOST_ODDITIES`, and a count of the others."""

    __slots__ = ("_more", "_words")

    def __init__(self) -> None:
        self._words: dict[str, None] = {}
        self._more = 0

    def add(self, words: str) -> None:
        """Add a fault, unless the same words have been added before."""
        words = one_line(words, LONGEST_ODDITY)
        if words in self._words:
            return
        if len(self._words) < MOST_ODDITIES:
            self._words[words] = None
        else:
            self._more += 1

    def lines(self) -> tuple[str, ...]:
        """Return the faults, one line each."""
        return (*self._words, f"and {self._more} more") if self._more else tuple(self._words)


class Cursor:
    """The unread bytes of a PDU, an item or a field. Nothing is ever read past their end.

    Attributes:
        remaining: The number of bytes left.
        oddities: The faults that were tolerated in the whole PDU.
    """

    __slots__ = ("_data", "oddities", "remaining")

    def __init__(self, data: bytes | memoryview, oddities: Oddities | None = None) -> None:
        self._data = memoryview(data)
        self.remaining = len(self._data)
        self.oddities = Oddities() if oddities is None else oddities

    def take(self, length: int) -> memoryview:
        """Return the next `length` bytes.

        Raises:
            RemoteProtocolError: Fewer bytes are left.
        """
        if length > self.remaining:
            raise RemoteProtocolError(f"{length} bytes are due and {self.remaining} are there")
        start = len(self._data) - self.remaining
        self.remaining -= length
        return self._data[start : start + length]

    def part(self, length: int) -> Cursor:
        """Return the next `length` bytes as a cursor of their own.

        Raises:
            RemoteProtocolError: Fewer bytes are left.
        """
        return Cursor(self.take(length), self.oddities)

    def rest(self) -> memoryview:
        """Return all bytes that are left."""
        return self.take(self.remaining)

    def end(self) -> None:
        """Raise `RemoteProtocolError` if anything is left."""
        if self.remaining:
            raise RemoteProtocolError(f"{self.remaining} bytes too many")


class Codec(Protocol):
    """The encoding of one kind of value."""

    def encode(self, value: Any, /) -> bytes:
        """Return the bytes of `value`."""

    def decode(self, cursor: Cursor, /) -> Any:
        """Return the value whose bytes come next."""


class Unsigned:
    """An unsigned integer of `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size

    def encode(self, value: int, /) -> bytes:
        if not 0 <= value < 256**self.size:
            raise LocalProtocolError(f"{value} is not an unsigned integer of {self.size} bytes")
        return value.to_bytes(self.size, "big")

    def decode(self, cursor: Cursor, /) -> int:
        return int.from_bytes(cursor.take(self.size), "big")


class ContextID:
    """A presentation context ID, 1 to 255 (PS3.8 9.3.2.2). Our own are odd; a peer may propose any."""

    def __init__(self, *, proposed: bool) -> None:
        self.proposed = proposed

    def encode(self, value: int, /) -> bytes:
        if not 1 <= value <= 255 or (self.proposed and value % 2 == 0):
            raise LocalProtocolError(f"{value} is not a presentation context ID")
        return bytes((value,))

    def decode(self, cursor: Cursor, /) -> int:
        value = U8.decode(cursor)
        if value == 0:
            raise RemoteProtocolError("its ID is 0")
        if self.proposed and value % 2 == 0:
            cursor.oddities.add(f"Presentation Context {value} has an even ID: it is answered as any other")
        return value


class Octets:
    """A codec for bytes without further structure, to the end of the item or field."""

    def encode(self, value: bytes, /) -> bytes:
        return value

    def decode(self, cursor: Cursor, /) -> bytes:
        return bytes(cursor.rest())


class Text:
    """A codec for characters to the end of the item or field.

    Spaces and NULs around them are dropped. The Standard has no padding here (PS3.8 Annex F), but peers send it.

    Args:
        name: The name of the field, for error messages.
        minimum: The fewest characters.
        maximum: The most characters.
        tested: True if the limits apply to a peer too.
    """

    def __init__(self, name: str, minimum: int, maximum: int, *, tested: bool = True) -> None:
        self.name, self.minimum, self.maximum, self.tested = name, minimum, maximum, tested

    def encode(self, value: str, /) -> bytes:
        self._test(value, LocalProtocolError)
        return value.encode("latin-1")

    def decode(self, cursor: Cursor, /) -> str:
        padded = str(cursor.rest(), "latin-1")
        value = padded.strip("\0 ")
        if self.tested:
            self._test(value, RemoteProtocolError)
        if value != padded:
            cursor.oddities.add(f"{self.name} with padding around it: it is dropped")
        return value

    def _test(self, value: str, error: type[Exception]) -> None:
        if not self.minimum <= len(value) <= self.maximum:
            raise error(f"{self.name} of {len(value)} characters, not {self.minimum} to {self.maximum}")


class AETitle:
    """A codec for AE titles: 16 bytes, without the leading and trailing spaces (PS3.8 Table 9-11).

    Our own titles are tested. A peer's title is data, and so is a title that is only echoed, in the reserved fields of an
    A-ASSOCIATE-AC.
    """

    def __init__(self, *, echoed: bool = False) -> None:
        self.echoed = echoed

    def encode(self, value: str, /) -> bytes:
        if len(value) > 16:
            raise LocalProtocolError(f"AE title {value!r} has more than 16 characters")
        if not (self.echoed or (value.strip(" ") and value.isascii() and value.isprintable() and "\\" not in value)):
            raise LocalProtocolError(f"AE title {value!r} is blank, or has a backslash, control or non-ASCII character")
        return value.encode("latin-1").ljust(16)

    def decode(self, cursor: Cursor, /) -> str:
        return str(cursor.take(16), "latin-1").rstrip("\0 ").lstrip(" ")


class Prefixed:
    """A field that follows its own length of two bytes."""

    def __init__(self, content: Codec) -> None:
        self.content = content

    def encode(self, value: Any, /) -> bytes:
        content = self.content.encode(value)
        return U16.encode(len(content)) + content

    def decode(self, cursor: Cursor, /) -> Any:
        content = cursor.part(U16.decode(cursor))
        value = self.content.decode(content)
        content.end()
        return value


class Trailing:
    """The last field of a structure, which a peer may leave out.

    Args:
        content: The codec of the field.
        absent: The value of the field if a peer left it out.
        name: The name of the field, for the log.
    """

    def __init__(self, content: Codec, absent: Any, name: str) -> None:
        self.content, self.absent, self.name = content, absent, name

    def encode(self, value: Any, /) -> bytes:
        return self.content.encode(value)

    def decode(self, cursor: Cursor, /) -> Any:
        if cursor.remaining:
            return self.content.decode(cursor)
        cursor.oddities.add(f"{self.name} is left out: it is taken as empty")
        return self.absent


class Repeated:
    """A tuple of at most `maximum` values of one kind, to the end of the field."""

    def __init__(self, element: Codec, maximum: int) -> None:
        self.element, self.maximum = element, maximum

    def encode(self, values: tuple[Any, ...], /) -> bytes:
        if len(values) > self.maximum:
            raise LocalProtocolError(f"more than {self.maximum} values in one field")
        return b"".join(map(self.element.encode, values))

    def decode(self, cursor: Cursor, /) -> tuple[Any, ...]:
        values: list[Any] = []
        while cursor.remaining:
            if len(values) == self.maximum:
                raise LimitPassed(f"more than {self.maximum} values in one field")
            values.append(self.element.decode(cursor))
        return tuple(values)


U8, U16, U32 = Unsigned(1), Unsigned(2), Unsigned(4)
OCTETS = Octets()
UID = Text("UID", 1, 64)
OPTIONAL_UID = Text("UID", 0, 64)
