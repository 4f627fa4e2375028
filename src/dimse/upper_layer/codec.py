"""Field codecs: how one field of a PDU or an item stands on the wire (PS3.8 9.3).

A codec has two methods: `encode(value)` gives bytes, and `decode(cursor)` takes them from a `Cursor`, which ends where the
structure around it says that it ends. Numbers are big endian.

What a peer sent wrong is a `RemoteProtocolError`; a value that has no encoding is a `LocalProtocolError` (characters
outside Latin-1: a `UnicodeEncodeError`, which is a `ValueError`). Some faults of a peer are tolerated: `Cursor.oddities` collects
them.
"""

from __future__ import annotations

from typing import Any, Protocol

from dimse.errors import LocalProtocolError, RemoteProtocolError
from dimse.support.text import one_line

MOST_ODDITIES = 16  # that are put into words for one PDU
LONGEST_ODDITY = 200  # characters


class LimitPassed(RemoteProtocolError):
    """A PDU asks for more memory or time than one may: it is refused as a whole, whatever its items tolerate."""


class Oddities:
    """The faults of a peer that are tolerated, each in one line: the first `MOST_ODDITIES`, and a count of the others."""

    __slots__ = ("_more", "_words")

    def __init__(self) -> None:
        self._words: dict[str, None] = {}
        self._more = 0

    def add(self, words: str) -> None:
        """Add a fault. Words that have been added before are not added again."""
        words = one_line(words, LONGEST_ODDITY)
        if words in self._words:
            return
        if len(self._words) < MOST_ODDITIES:
            self._words[words] = None
        else:
            self._more += 1

    def lines(self) -> tuple[str, ...]:
        """Return the faults, a line each."""
        return (*self._words, f"and {self._more} more") if self._more else tuple(self._words)


class Cursor:
    """What is still to be read of a PDU, an item or a field; nothing is ever read past its end.

    Attributes:
        remaining: Bytes that are left.
        oddities: The faults that were tolerated, of the whole PDU.
    """

    __slots__ = ("_data", "oddities", "remaining")

    def __init__(self, data: bytes | memoryview, oddities: Oddities | None = None) -> None:
        self._data = memoryview(data)
        self.remaining = len(self._data)
        self.oddities = Oddities() if oddities is None else oddities

    def take(self, length: int) -> memoryview:
        """The next `length` bytes.

        Raises:
            RemoteProtocolError: There are fewer.
        """
        if length > self.remaining:
            raise RemoteProtocolError(f"{length} bytes are due and {self.remaining} are there")
        start = len(self._data) - self.remaining
        self.remaining -= length
        return self._data[start : start + length]

    def part(self, length: int) -> Cursor:
        """Take the next `length` bytes as a cursor of their own.

        Raises:
            RemoteProtocolError: There are fewer.
        """
        return Cursor(self.take(length), self.oddities)

    def rest(self) -> memoryview:
        """All that is left."""
        return self.take(self.remaining)

    def end(self) -> None:
        """Raise `RemoteProtocolError` if anything is left."""
        if self.remaining:
            raise RemoteProtocolError(f"{self.remaining} bytes too many")


class Codec(Protocol):
    """How one kind of value stands on the wire."""

    def encode(self, value: Any, /) -> bytes:
        """The bytes of `value`."""

    def decode(self, cursor: Cursor, /) -> Any:
        """The value whose bytes come next."""


class Unsigned:
    """An unsigned integer of `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size

    def encode(self, value: int, /) -> bytes:
        if not 0 <= value < 256**self.size:
            raise LocalProtocolError(f"{value} is no unsigned integer of {self.size} bytes")
        return value.to_bytes(self.size, "big")

    def decode(self, cursor: Cursor, /) -> int:
        return int.from_bytes(cursor.take(self.size), "big")


class ContextID:
    """A presentation context ID, 1 to 255 (PS3.8 9.3.2.2): odd where we propose it, and any that a peer proposes."""

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
    """Bytes that have no meaning here, to the end of the item or field."""

    def encode(self, value: bytes, /) -> bytes:
        return value

    def decode(self, cursor: Cursor, /) -> bytes:
        return bytes(cursor.rest())


class Text:
    """Characters to the end of the item or field, `minimum` to `maximum` of them.

    Spaces and NULs around them are dropped: the Standard knows no padding here (PS3.8 Annex F), peers do.

    Args:
        name: What it is, for the errors.
        minimum: The fewest characters.
        maximum: The most characters.
        tested: Whether the limits hold for a peer too.
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
    """16 bytes, of which leading and trailing spaces are not significant (PS3.8 Table 9-11).

    A title that we use is tested. One that a peer uses is data; so is one that we only echo, in the reserved fields of
    an A-ASSOCIATE-AC.
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
        absent: Its value where a peer left it out.
        name: Its name, for what is said of that.
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
