"""Structures: an annotated class is a PDU or an item, with its fields in the order of the wire (PS3.8 9.3).

    @structure(0x54)
    class RoleSelection(Structure):
        sop_class_uid: str = wire(Prefixed(UID))
        scu_role: int = wire(U8)
        scp_role: int = wire(U8)

This declares a value, its encoder and its decoder. A structure class is the codec of its own instances, so structures nest.
Reserved bytes are sent as zero and not tested (PS3.8 9.3.1).

A declaration may tolerate faults of an item: `Item` says how a faulty item reads. An item without such a declaration refuses the
structure around it. A wrong length refuses the whole PDU, and so does exceeding a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from dimse.errors import LocalProtocolError, RemoteProtocolError
from dimse.support.values import MISSING, Field, Value, field, fields, value
from dimse.upper_layer.codec import U16, Codec, Cursor, LimitPassed, Oddities

# The most items of one variable field, including skipped ones. There is room for every sensible user information sub-item, and a
# bound on the work that a peer can cause.
MAXIMUM_ITEMS = 1024

# Times that an item may come where one is due, all of them tolerated.
MAXIMUM_REPETITIONS = 128


class _Mark:
    """A marker for the reading of an item that is not a value."""


REFUSED = _Mark()
"""The structure around the item is refused."""
DROPPED = _Mark()
"""The item is ignored, as if it were missing."""
FIRST = _Mark()
"""The first of several items counts."""
JOINED = _Mark()
"""Several items count as one with the contents of all."""


class Item:
    """The items of one type in a variable field: one value if there is at most one, otherwise a tuple.

    If at most one item is allowed, repetitions with the same content count once.

    Args:
        item_type: The first byte of the item.
        content: The codec of the bytes after the item's length.
        name: The name of the item in the log. Without a name, nothing is logged about the item.
        minimum: The least number of items.
        maximum: The greatest number of items.
        missing: The value of the field without any item, or `REFUSED`.
        unreadable: The value of an item with faulty content, or `DROPPED`, or `REFUSED`.
        contradictory: The value of the field if one item is allowed and several differ, or `FIRST`, `JOINED` or `REFUSED`.
        limit: The greatest number of items that is tolerated; if 0, `maximum` or `MAXIMUM_REPETITIONS`.
    """

    def __init__(
        self,
        item_type: int,
        content: Codec,
        name: str = "",
        *,
        minimum: int = 1,
        maximum: int = 1,
        missing: Any = REFUSED,
        unreadable: Any = REFUSED,
        contradictory: Any = REFUSED,
        limit: int = 0,
    ) -> None:
        self.item_type, self.content, self.minimum, self.maximum = item_type, content, minimum, maximum
        self.name = name and f"{name} ({item_type:02X}H)"
        self.missing, self.unreadable, self.contradictory = missing, unreadable, contradictory
        self.limit = limit or (maximum if maximum > 1 else MAXIMUM_REPETITIONS)

    def encode(self, value: Any, /) -> bytes:
        """Return the items of a field with this value."""
        values = (value,) if self.maximum == 1 else value
        self.test(len(values))
        return b"".join(map(self.encode_one, values))

    def encode_one(self, value: Any) -> bytes:
        """Return one item: type, a reserved byte, length, content (PS3.8 9.3.2)."""
        content = self.content.encode(value)
        return bytes((self.item_type, 0)) + U16.encode(len(content)) + content

    def test(self, count: int) -> None:
        """Raise `LocalProtocolError` if this number of items is not allowed."""
        if not self.minimum <= count <= self.maximum:
            raise LocalProtocolError(
                f"{count} items of type {self.item_type:02X}H, not {self.minimum} to {self.maximum}"
            )

    def decode_one(self, content: Cursor) -> Any:
        """Return the value of one item, or `DROPPED`."""
        try:
            value = self.content.decode(content)
            content.end()
        except LimitPassed:
            raise
        except RemoteProtocolError as error:
            if self.unreadable is REFUSED:
                raise
            ignored = "; it is ignored" if self.unreadable is DROPPED else ""
            self._add_oddity(content.oddities, f"cannot be read: {error}{ignored}")
            return self.unreadable
        return value

    def gather(self, values: list[Any], oddities: Oddities) -> Any:
        """Return the value of the field whose items have `values`."""
        if len(values) < max(self.minimum, self.maximum == 1):
            if self.missing is REFUSED:
                raise RemoteProtocolError(f"{len(values)} items of type {self.item_type:02X}H, not {self.minimum}")
            self._add_oddity(oddities, "is missing")
            return self.missing
        if self.maximum > 1:
            return tuple(values)
        if len(values) > 1:
            self._add_oddity(oddities, f"comes {len(values)} times")
            if any(other != values[0] for other in values):
                return self._settle(values)
        return values[0]

    def _settle(self, values: list[Any]) -> Any:
        """Return the value of the field whose items contradict each other."""
        if self.contradictory is REFUSED:
            raise RemoteProtocolError(f"{len(values)} items of type {self.item_type:02X}H that contradict each other")
        if self.contradictory is FIRST:
            return values[0]
        return sum(values, ()) if self.contradictory is JOINED else self.contradictory

    def _add_oddity(self, oddities: Oddities, fault: str) -> None:
        if self.name:
            oddities.add(f"{self.name} {fault}")


def read_items(cursor: Cursor, items: Mapping[int, Item]) -> Iterator[tuple[int, Any]]:
    """Yield the type and value of each of `items`, in any order, until the cursor ends.

    Items of other types are skipped, since a receiver ignores unrecognized items (PS3.8 9.3.1, D.2).

    Raises:
        RemoteProtocolError: An item is malformed and not tolerated, or exceeds the end of its enclosing field.
        LimitPassed: There are too many items.
    """
    counts = dict.fromkeys(items, 0)
    seen = 0
    while cursor.remaining:
        seen += 1
        if seen > MAXIMUM_ITEMS:
            raise LimitPassed(f"more than {MAXIMUM_ITEMS} items")
        item_type, _ = cursor.take(2)
        content = cursor.part(U16.decode(cursor))
        item = items.get(item_type)
        if item is None:
            cursor.oddities.add(f"an item of type {item_type:02X}H does not belong here: it is ignored")
            continue
        counts[item_type] += 1
        if counts[item_type] > item.limit:
            raise LimitPassed(f"more than {item.limit} items of type {item_type:02X}H")
        value = item.decode_one(content)
        if value is not DROPPED:
            yield item_type, value


def read_variable_field(cursor: Cursor, items: Mapping[str, Item]) -> dict[str, Any]:
    """Return the values of the fields `items`, by name, from all bytes that are left."""
    found: dict[int, list[Any]] = {item.item_type: [] for item in items.values()}
    for item_type, content in read_items(cursor, {item.item_type: item for item in items.values()}):
        found[item_type].append(content)
    return {name: item.gather(found[item.item_type], cursor.oddities) for name, item in items.items()}


class Choice:
    """A variable field whose items are structures of several types: a tuple of them, in their order."""

    def __init__(self, *items: Item) -> None:
        self.items = {item.item_type: item for item in items}

    def encode(self, values: tuple[Structure, ...], /) -> bytes:
        types = [value.wire_type for value in values]
        if not self.items.keys() >= set(types):
            raise LocalProtocolError("an item that does not belong here")
        for item_type, item in self.items.items():
            item.test(types.count(item_type))
        return b"".join(self.items[value.wire_type].encode_one(value) for value in values)

    def decode(self, cursor: Cursor, /) -> tuple[Any, ...]:
        return tuple(value for _, value in read_items(cursor, self.items))


class Wire(Field):
    """The declaration of a structure's field; see `wire`."""

    __slots__ = ("codec", "reserved")

    def __init__(self, codec: Codec | Item, reserved: int, default: Any, kw_only: bool, secret: bool) -> None:
        Field.__init__(self, default, None, not secret, kw_only)
        self.codec, self.reserved = codec, reserved


def wire(
    codec: Codec | Item, *, reserved: int = 0, default: Any = MISSING, kw_only: bool = False, secret: bool = False
) -> Any:
    """Declare a field of a structure.

    Args:
        codec: The encoding of the field. Items come after all other fields.
        reserved: The number of reserved bytes that follow it.
        default: The value of a field that is not given.
        kw_only: True to accept the value by name only. The order of arguments need not be the order of the wire.
        secret: True to keep the value out of `repr`.
    """
    return Wire(codec, reserved, default, kw_only, secret)


class Structure(Value):
    """The base class of all structures: values that have an encoding.

    Attributes:
        wire_type: The PDU type or item type.
    """

    __slots__ = ()

    wire_type: ClassVar[int]
    _reserved: ClassVar[int]
    _extensible: ClassVar[bool]
    _forgiving: ClassVar[bool]
    # The fields that are not items, and the number of reserved bytes after each.
    _plain: ClassVar[Mapping[str, tuple[Codec, int]]]
    _items: ClassVar[Mapping[str, Item]]

    def encode(self) -> bytes:
        """Return the bytes after the length field.

        Raises:
            LocalProtocolError: A value has no encoding.
        """
        try:
            parts = [bytes(self._reserved)]
            for name, (codec, reserved) in self._plain.items():
                parts += codec.encode(getattr(self, name)), bytes(reserved)
            parts += [item.encode(getattr(self, name)) for name, item in self._items.items()]
            self._test()
        except LocalProtocolError as error:
            raise LocalProtocolError(f"{type(self).__name__}: {error}") from error
        return b"".join(parts)

    @classmethod
    def decode(cls, cursor: Cursor, /) -> Self:
        """Return the structure whose bytes after the length field are all of `cursor`.

        Raises:
            RemoteProtocolError: The bytes are not such a structure.
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
        except RemoteProtocolError as error:
            raise type(error)(f"{cls.__name__}: {error}") from error
        if "oddities" in cls._fields:
            values["oddities"] = cursor.oddities.lines()
        return cls(**values)

    @classmethod
    def _decode_items(cls, cursor: Cursor) -> dict[str, Any]:
        """Return the values of the fields that are items, by name."""
        try:
            return read_variable_field(cursor, cls._items)
        except LimitPassed:
            raise
        except RemoteProtocolError as error:
            if not cls._forgiving:
                raise
            cursor.rest()
            cursor.oddities.add(f"{cls.__name__}: what is in it cannot be read: {error}")
            return {name: item.missing for name, item in cls._items.items()}

    def _test(self) -> None:
        """Raise `LocalProtocolError` if the values contradict each other."""

    def _values(self) -> tuple[Any, ...]:
        """Return the encoded values. Structures are equal if these are, whatever was tolerated in one of them."""
        return tuple(getattr(self, name) for name in (*self._plain, *self._items))


S = TypeVar("S", bound=Structure)


@dataclass_transform(frozen_default=True, field_specifiers=(wire, field))
def structure(
    wire_type: int, *, reserved: int = 0, extensible: bool = False, forgiving: bool = False
) -> Callable[[type[S]], type[S]]:
    """Make a class with fields declared by `wire` a structure.

    A field `oddities` that is not declared by `wire` receives the faults that were tolerated while the structure was read.

    Args:
        wire_type: The PDU type or item type.
        reserved: The number of reserved bytes before the first field.
        extensible: True to ignore bytes behind the last field, which a later version of the Standard may add.
        forgiving: True to treat items that cannot be separated as missing, instead of refusing the structure.
    """

    def make(cls: type[S]) -> type[S]:
        made = value(cls)
        made.wire_type, made._reserved, made._extensible, made._forgiving = wire_type, reserved, extensible, forgiving
        declared = {name: one for name, one in fields(made).items() if isinstance(one, Wire)}
        made._items = {name: one.codec for name, one in declared.items() if isinstance(one.codec, Item)}
        made._plain = {
            name: (one.codec, one.reserved) for name, one in declared.items() if not isinstance(one.codec, Item)
        }
        return made

    return make
