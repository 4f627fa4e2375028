"""Field codecs: an annotated class is a wire structure.

A structure of PS3.8 section 9.3 is declared once, its fields in the order of the wire:

    @structure(0x54)
    class RoleSelection(Structure):
        sop_class_uid: str = wire(Prefixed(UID))
        scu_role: int = wire(U8)
        scp_role: int = wire(U8)

That is a value, its encoder and its decoder. A codec has two methods: `encode(value)` gives bytes, and
`decode(cursor)` takes them from a `Cursor`, which ends where the structure around it says that it ends. A structure
class is the codec of its own instances, so structures nest. Numbers are big endian; reserved bytes are sent as zero
and not tested (PS3.8 9.3.1).

What a peer sent wrong is a `RemoteProtocolError`; a value that has no encoding is a `LocalProtocolError` (characters
outside Latin-1: a `UnicodeEncodeError`, which is a `ValueError`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Protocol, Self, TypeVar, dataclass_transform

from dimse.errors import LocalProtocolError, RemoteProtocolError
from dimse.values import MISSING, Field, Value, fields, value

# The items of one variable field that are looked at, those that are skipped included: room for every user-information
# sub-item that makes sense, and an end to the work that a peer can ask for.
MAXIMUM_ITEMS = 1024


class Cursor:
    """What is still to be read of a PDU, an item or a field; nothing is ever read past its end.

    Attributes:
        remaining: Bytes that are left.
    """

    __slots__ = ("_data", "remaining")

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self.remaining = len(self._data)

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
    """An unsigned integer of `size` bytes; odd, if so declared."""

    def __init__(self, size: int, *, odd: bool = False) -> None:
        self.size, self.odd = size, odd

    def encode(self, value: int, /) -> bytes:
        if not 0 <= value < 256**self.size or (self.odd and value % 2 == 0):
            raise LocalProtocolError(f"{value} is no {'odd' if self.odd else 'unsigned'} integer of {self.size} bytes")
        return value.to_bytes(self.size, "big")

    def decode(self, cursor: Cursor, /) -> int:
        value = int.from_bytes(cursor.take(self.size), "big")
        if self.odd and value % 2 == 0:
            raise RemoteProtocolError(f"{value} is not odd")
        return value


class Octets:
    """Bytes that have no meaning here, to the end of the item or field."""

    def encode(self, value: bytes, /) -> bytes:
        return value

    def decode(self, cursor: Cursor, /) -> bytes:
        return bytes(cursor.rest())


class Text:
    """Characters to the end of the item or field, `minimum` to `maximum` of them.

    Spaces and NULs at the end are dropped: the Standard knows no padding here (PS3.8 Annex F), peers do.

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
        value = str(cursor.rest(), "latin-1").rstrip("\0 ")
        if self.tested:
            self._test(value, RemoteProtocolError)
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
        content = Cursor(cursor.take(U16.decode(cursor)))
        value = self.content.decode(content)
        content.end()
        return value


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
                raise RemoteProtocolError(f"more than {self.maximum} values in one field")
            values.append(self.element.decode(cursor))
        return tuple(values)


U8, U16, U32 = Unsigned(1), Unsigned(2), Unsigned(4)
OCTETS = Octets()
UID = Text("UID", 1, 64)
OPTIONAL_UID = Text("UID", 0, 64)


class Item:
    """The items of one type in a variable field: one value if there may be one at most, else a tuple.

    Args:
        item_type: The first byte of the item.
        content: The codec of what follows the item's length.
        minimum: How many there are at least. A single item that need not be there is read as an empty one.
        maximum: How many there are at most.
    """

    def __init__(self, item_type: int, content: Codec, *, minimum: int = 1, maximum: int = 1) -> None:
        self.item_type, self.content, self.minimum, self.maximum = item_type, content, minimum, maximum

    def encode(self, value: Any, /) -> bytes:
        """The items of a field whose value is `value`."""
        values = (value,) if self.maximum == 1 else value
        self.test(len(values), LocalProtocolError)
        return b"".join(map(self.encode_one, values))

    def encode_one(self, value: Any) -> bytes:
        """One item: type, a reserved byte, length, content (PS3.8 9.3.2)."""
        content = self.content.encode(value)
        return bytes((self.item_type, 0)) + U16.encode(len(content)) + content

    def gather(self, values: list[Any]) -> Any:
        """The value of the field whose items have `values`."""
        if self.maximum > 1:
            return tuple(values)
        return values[0] if values else self.content.decode(Cursor(b""))

    def test(self, count: int, error: type[Exception]) -> None:
        """Raise `error` if there may not be `count` of them."""
        if not self.minimum <= count <= self.maximum:
            raise error(f"{count} items of type {self.item_type:02X}H, not {self.minimum} to {self.maximum}")


def read_items(cursor: Cursor, items: Mapping[int, Item]) -> Iterator[tuple[int, Any]]:
    """The type and value of each of `items` that comes, in any order, until the cursor ends.

    Items of other types are skipped: a receiver ignores what it does not recognize (PS3.8 9.3.1, D.2).

    Raises:
        RemoteProtocolError: An item is malformed, or there are too few or too many of them.
    """
    counts = dict.fromkeys(items, 0)
    seen = 0
    while cursor.remaining:
        seen += 1
        if seen > MAXIMUM_ITEMS:
            raise RemoteProtocolError(f"more than {MAXIMUM_ITEMS} items")
        item_type, _ = cursor.take(2)
        content = Cursor(cursor.take(U16.decode(cursor)))
        item = items.get(item_type)
        if item is None:
            continue
        counts[item_type] += 1
        if counts[item_type] > item.maximum:
            break  # what has been counted so far is refused below
        yield item_type, item.content.decode(content)
        content.end()
    for item_type, item in items.items():
        item.test(counts[item_type], RemoteProtocolError)


def read_variable_field(cursor: Cursor, items: Mapping[str, Item]) -> dict[str, Any]:
    """The values of the fields whose names and items are `items`, from all that is left."""
    found: dict[int, list[Any]] = {item.item_type: [] for item in items.values()}
    for item_type, content in read_items(cursor, {item.item_type: item for item in items.values()}):
        found[item_type].append(content)
    return {name: item.gather(found[item.item_type]) for name, item in items.items()}


class Choice:
    """A variable field with structures of several types as its items: a tuple of them, in their order."""

    def __init__(self, *items: Item) -> None:
        self.items = {item.item_type: item for item in items}

    def encode(self, values: tuple[Structure, ...], /) -> bytes:
        types = [value.wire_type for value in values]
        if not self.items.keys() >= set(types):
            raise LocalProtocolError("an item that does not belong here")
        for item_type, item in self.items.items():
            item.test(types.count(item_type), LocalProtocolError)
        return b"".join(self.items[value.wire_type].encode_one(value) for value in values)

    def decode(self, cursor: Cursor, /) -> tuple[Any, ...]:
        return tuple(value for _, value in read_items(cursor, self.items))


class Wire(Field):
    """What is declared of a structure's field; see `wire`."""

    __slots__ = ("codec", "reserved")

    def __init__(self, codec: Codec | Item, reserved: int, default: Any, kw_only: bool, secret: bool) -> None:
        Field.__init__(self, default, None, not secret, kw_only)
        self.codec, self.reserved = codec, reserved


def wire(
    codec: Codec | Item, *, reserved: int = 0, default: Any = MISSING, kw_only: bool = False, secret: bool = False
) -> Any:
    """The field of a structure.

    Args:
        codec: How it stands on the wire. Items come after all other fields.
        reserved: How many reserved bytes follow it.
        default: Its value where none is given.
        kw_only: Whether it is given by name only: the arguments need not have the order of the wire.
        secret: Whether it is kept out of `repr`.
    """
    return Wire(codec, reserved, default, kw_only, secret)


class Structure(Value):
    """The base of what `structure` makes: values, and their bytes.

    Attributes:
        wire_type: The PDU type or item type.
    """

    __slots__ = ()

    wire_type: ClassVar[int]
    _reserved: ClassVar[int]
    _extensible: ClassVar[bool]
    _plain: ClassVar[Mapping[str, tuple[Codec, int]]]  # the fields that are no items, and the reserved bytes after each
    _items: ClassVar[Mapping[str, Item]]

    def encode(self) -> bytes:
        """The bytes after the length field.

        Raises:
            LocalProtocolError: A value has no encoding.
        """
        try:
            parts = [bytes(self._reserved)]
            for name, (codec, reserved) in self._plain.items():
                parts += codec.encode(getattr(self, name)), bytes(reserved)
            parts += [item.encode(getattr(self, name)) for name, item in self._items.items()]
            self._test(LocalProtocolError)
        except LocalProtocolError as error:
            raise LocalProtocolError(f"{type(self).__name__}: {error}") from error
        return b"".join(parts)

    @classmethod
    def decode(cls, cursor: Cursor, /) -> Self:
        """The structure whose bytes after the length field are in `cursor`, to its end.

        Raises:
            RemoteProtocolError: They are not one.
        """
        try:
            cursor.take(cls._reserved)
            values: dict[str, Any] = {}
            for name, (codec, reserved) in cls._plain.items():
                values[name] = codec.decode(cursor)
                cursor.take(reserved)
            if cls._items:
                values |= cls._decode_items(cursor)
            if cls._extensible:
                cursor.rest()
            cursor.end()
            decoded = cls(**values)
            decoded._test(RemoteProtocolError)
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"{cls.__name__}: {error}") from error
        return decoded

    @classmethod
    def _decode_items(cls, cursor: Cursor) -> dict[str, Any]:
        """The fields that are items, by name."""
        return read_variable_field(cursor, cls._items)

    def _test(self, error: type[Exception]) -> None:
        """Raise `error` if the values do not go together."""


S = TypeVar("S", bound=Structure)


@dataclass_transform(frozen_default=True, field_specifiers=(wire,))
def structure(wire_type: int, *, reserved: int = 0, extensible: bool = False) -> Callable[[type[S]], type[S]]:
    """Make a class whose annotated fields are given by `wire` a structure.

    Args:
        wire_type: The PDU type or item type.
        reserved: How many reserved bytes precede the first field.
        extensible: Whether more may follow that a later version of the Standard adds; it is ignored.
    """

    def make(cls: type[S]) -> type[S]:
        made = value(cls)
        made.wire_type, made._reserved, made._extensible = wire_type, reserved, extensible
        declared = {name: field for name, field in fields(made).items() if isinstance(field, Wire)}
        made._items = {name: field.codec for name, field in declared.items() if isinstance(field.codec, Item)}
        made._plain = {
            name: (field.codec, field.reserved) for name, field in declared.items() if not isinstance(field.codec, Item)
        }
        return made

    return make
