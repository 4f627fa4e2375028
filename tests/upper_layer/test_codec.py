"""The field codecs: what they write, what they read, and that nothing is read past its end."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from dimse.errors import LocalProtocolError, RemoteProtocolError
from dimse.support.values import FrozenInstanceError, fields, replace
from dimse.upper_layer.codec import (
    OCTETS,
    OPTIONAL_UID,
    U8,
    U16,
    U32,
    UID,
    AETitle,
    Codec,
    ContextID,
    Cursor,
    LimitPassed,
    Prefixed,
    Repeated,
    Text,
    Trailing,
)
from dimse.upper_layer.structure import (
    DROPPED,
    FIRST,
    JOINED,
    MAXIMUM_ITEMS,
    MAXIMUM_REPETITIONS,
    Choice,
    Item,
    Structure,
    structure,
    wire,
)

OURS, THEIRS = ContextID(proposed=True), ContextID(proposed=False)
NAME = Text("name", 1, 4, tested=False)


@structure(0x71, reserved=1)
class Point(Structure):
    """A structure of fixed fields."""

    x: int = wire(U8, reserved=2)
    label: str = wire(Prefixed(UID), default="none", kw_only=True)
    y: int = wire(U16)
    key: bytes = wire(Prefixed(OCTETS), default=b"", secret=True)


@structure(0x72)
class Line(Structure):
    """A structure of items."""

    points: tuple[Point, ...] = wire(Item(0x71, Point, minimum=2, maximum=3))
    name: str = wire(Item(0x10, OPTIONAL_UID, minimum=0, missing=""), default="")
    colour: str = wire(Item(0x11, UID), default="black")


@structure(0x73, extensible=True)
class Open(Structure):
    """A structure that later versions may extend."""

    x: int = wire(U8)


POINT = b"\x00\x01\x00\x00\x00\x04none\x00\x02\x00\x00"
POINT_ITEM = b"\x71\x00\x00\x0e" + POINT
LINE = POINT_ITEM + POINT_ITEM + b"\x10\x00\x00\x01L" + b"\x11\x00\x00\x05black"


class TestCursor:
    def test_bytes_are_taken_in_order_until_none_is_left(self) -> None:
        cursor = Cursor(memoryview(b"abcdef"))
        assert (bytes(cursor.take(1)), bytes(cursor.take(0)), bytes(cursor.take(2))) == (b"a", b"", b"bc")
        assert cursor.remaining == 3
        assert bytes(cursor.rest()) == b"def"
        assert cursor.remaining == 0
        cursor.end()

    def test_one_byte_more_than_there_is_cannot_be_taken(self) -> None:
        cursor = Cursor(b"abc")
        cursor.take(1)
        with pytest.raises(RemoteProtocolError, match="3 bytes are due and 2 are there"):
            cursor.take(3)
        assert bytes(cursor.take(2)) == b"bc"

    def test_what_is_left_over_is_an_error(self) -> None:
        with pytest.raises(RemoteProtocolError, match="3 bytes too many"):
            Cursor(b"abc").end()


@pytest.mark.parametrize(
    ("codec", "value", "data"),
    [
        (U8, 0, b"\x00"),
        (U8, 255, b"\xff"),
        (U16, 0x0102, b"\x01\x02"),
        (U32, 0xFFFFFFFF, b"\xff\xff\xff\xff"),
        (OURS, 1, b"\x01"),
        (OURS, 255, b"\xff"),
        (THEIRS, 2, b"\x02"),
        (OCTETS, b"", b""),
        (OCTETS, b"\x00 \x00", b"\x00 \x00"),
        (UID, "1", b"1"),
        (UID, "9" * 64, b"9" * 64),
        (UID, "\xe9/..\n", b"\xe9/..\n"),
        (OPTIONAL_UID, "", b""),
        (NAME, "V\xff", b"V\xff"),
        (AETitle(), "A", b"A               "),
        (AETitle(), "AN AE TITLE OF16", b"AN AE TITLE OF16"),
        (AETitle(echoed=True), "", b" " * 16),
        (AETitle(echoed=True), "a\\b\n\xff", b"a\\b\n\xff           "),
        (Prefixed(UID), "1.2", b"\x00\x031.2"),
        (Prefixed(OCTETS), bytes(65535), b"\xff\xff" + bytes(65535)),
        (Repeated(U16, 2), (1, 2), b"\x00\x01\x00\x02"),
        (Repeated(U16, 2), (), b""),
        (Point, Point(1, 2), POINT),
        (Line, Line((Point(1, 2), Point(1, 2)), "L"), LINE),
        (Choice(Item(0x73, Open, minimum=0)), (Open(7),), b"\x73\x00\x00\x01\x07"),
        (Choice(Item(0x73, Open, minimum=0)), (), b""),
    ],
)
def test_a_value_and_its_bytes(codec: Codec, value: Any, data: bytes) -> None:
    assert codec.encode(value) == data
    cursor = Cursor(data)
    assert codec.decode(cursor) == value
    assert cursor.remaining == 0


@pytest.mark.parametrize(
    ("codec", "data", "value"),
    [
        (UID, b"1.2\0", "1.2"),
        (UID, b"1.2 \0 \0", "1.2"),
        (UID, b" 1.2", "1.2"),
        (OURS, b"\xfe", 254),
        (Trailing(U8, 7, "it"), b"", 7),
        (Trailing(U8, 7, "it"), b"\1", 1),
        (UID, b"9" * 64 + bytes(65471), "9" * 64),
        (OPTIONAL_UID, b"\0", ""),
        (NAME, b"", ""),
        (NAME, b"longer than we may say", "longer than we may say"),
        (AETitle(), b"   STORE SCP    ", "STORE SCP"),
        (AETitle(), b"STORESCP" + bytes(8), "STORESCP"),
        (AETitle(), b"../secret\xff\\$(x) ", "../secret\xff\\$(x)"),
        (AETitle(), b" " * 16, ""),
        (AETitle(), bytes(16), ""),
        (Point, b"\xff\x01\xff\xff" + POINT[4:], Point(1, 2)),
        (Line, b"\x11\xff\x00\x05black\x99\x00\x00\x02xx" + POINT_ITEM * 2, Line((Point(1, 2), Point(1, 2)))),
        (Open, b"\x07more", Open(7)),
    ],
)
def test_bytes_that_mean_a_value_which_we_would_write_otherwise(codec: Codec, data: bytes, value: Any) -> None:
    cursor = Cursor(data)
    assert codec.decode(cursor) == value
    assert cursor.remaining == 0


@pytest.mark.parametrize(
    ("codec", "value", "message"),
    [
        (U8, 256, "256 is not an unsigned integer of 1 bytes"),
        (U16, -1, "-1 is not an unsigned integer of 2 bytes"),
        (U16, 65536, "65536 is no"),
        (U32, 2**32, "4294967296 is no"),
        (OURS, 0, "0 is not a presentation context ID"),
        (OURS, 2, "2 is not a"),
        (OURS, 257, "257 is not a"),
        (THEIRS, 0, "0 is not a"),
        (THEIRS, 256, "256 is not a"),
        (UID, "", "UID of 0 characters, not 1 to 64"),
        (UID, "9" * 65, "UID of 65 characters"),
        (OPTIONAL_UID, "9" * 65, "not 0 to 64"),
        (NAME, "", "name of 0 characters"),
        (NAME, "12345", "name of 5 characters, not 1 to 4"),
        (AETitle(), "", "is blank"),
        (AETitle(), "   ", "is blank"),
        (AETitle(), "A\\B", "backslash"),
        (AETitle(), "A\n", "control"),
        (AETitle(), "A\x7f", "control"),
        (AETitle(), "\xc4", "non-ASCII"),
        (AETitle(), "A" * 17, "more than 16"),
        (AETitle(echoed=True), "A" * 17, "more than 16"),
        (Prefixed(OCTETS), bytes(65536), "65536 is not an unsigned integer of 2 bytes"),
        (Repeated(U8, 2), (1, 2, 3), "more than 2 values"),
        (Point, Point(1, 65536), "Point: 65536 is no"),
        (Line, Line((Point(1, 2),)), "Line: 1 items of type 71H, not 2 to 3"),
        (Line, Line((Point(1, 2),) * 4), "4 items of type 71H"),
        (Line, Line((Point(1, 2), Point(256, 2))), "Line: Point: 256 is no"),
        (Item(0x10, OCTETS), bytes(65536), "65536 is no"),
        (Choice(Item(0x73, Open)), (), "0 items of type 73H"),
        (Choice(Item(0x73, Open)), (Open(1), Open(2)), "2 items of type 73H"),
        (Choice(Item(0x73, Open)), (Open(1), Point(1, 2)), "does not belong here"),
    ],
)
def test_a_value_without_an_encoding_is_a_local_error(codec: Codec, value: Any, message: str) -> None:
    with pytest.raises(LocalProtocolError, match=message):
        codec.encode(value)


def test_text_outside_latin_1_is_a_value_error() -> None:
    for codec in (UID, AETitle(echoed=True)):
        with pytest.raises(ValueError, match="latin-1"):
            codec.encode("\u65e5")


@pytest.mark.parametrize(
    ("codec", "data", "message"),
    [
        (U8, b"", "1 bytes are due and 0 are there"),
        (U32, b"\x00\x00\x00", "4 bytes are due and 3"),
        (OURS, b"\x00", "its ID is 0"),
        (THEIRS, b"\x00", "its ID is 0"),
        (UID, b"", "UID of 0 characters"),
        (UID, b"\0 ", "UID of 0 characters"),
        (UID, b"9" * 65, "UID of 65 characters"),
        (OPTIONAL_UID, b"9" * 65, "UID of 65 characters"),
        (AETitle(), b"A" * 15, "16 bytes are due"),
        (Prefixed(UID), b"\x00", "2 bytes are due"),
        (Prefixed(UID), b"\x00\x041.2", "4 bytes are due and 3"),
        (Prefixed(U8), b"\x00\x02\x01\x01", "1 bytes too many"),
        (Prefixed(U16), b"\x00\x01\x01\x01", "2 bytes are due and 1"),
        (Repeated(U8, 2), b"\x01\x02\x03", "more than 2 values"),
        (Repeated(U16, 2), b"\x01\x02\x03", "2 bytes are due and 1"),
        (Point, POINT[:-1], "Point: 2 bytes are due and 1"),
        (Point, POINT + b"\0", "Point: 1 bytes too many"),
        (Point, b"", "Point: 1 bytes are due"),
        (Point, b"\x00\x01\x00", "Point: 2 bytes are due"),
        (Line, LINE + b"\x99", "Line: 2 bytes are due"),
        (Line, LINE + b"\x99\x00\x00", "Line: 2 bytes are due"),
        (Line, LINE + b"\x99\x00\x00\x01", "Line: 1 bytes are due"),
        (Line, LINE + b"\x71\x00\x00\x0f" + POINT + b"\0", "Line: Point: 1 bytes too many"),
        (Line, LINE + POINT_ITEM * 2, "more than 3 items of type 71H"),
        (Line, LINE + b"\x10\x00\x00\x01L" * 128, "more than 128 items of type 10H"),
        (Line, LINE + b"\x11\x00\x00\x05white", "2 items of type 11H that contradict each other"),
        (Line, LINE + b"\x10\x00\x00\x01M", "2 items of type 10H that contradict each other"),
        (Line, LINE[:-9], "0 items of type 11H, not 1"),
        (Line, LINE[len(POINT_ITEM) :], "1 items of type 71H, not 2"),
        (Choice(Item(0x73, U8)), b"\x73\x00\x00\x02\x01\x02", "1 bytes too many"),
        (Open, b"", "Open: 1 bytes are due"),
    ],
)
def test_bytes_without_a_meaning_are_a_remote_error(codec: Codec, data: bytes, message: str) -> None:
    with pytest.raises(RemoteProtocolError, match=message) as caught:
        codec.decode(Cursor(data))
    assert (caught.value.abort_source, caught.value.abort_reason) == (2, 6)


def test_no_more_items_are_looked_at_than_the_limit() -> None:
    unknown = b"\x99\x00\x00\x00"
    choice = Choice(Item(0x73, Open, minimum=0))
    assert choice.decode(Cursor(unknown * MAXIMUM_ITEMS)) == ()
    with pytest.raises(RemoteProtocolError, match="more than 1024 items"):
        choice.decode(Cursor(unknown * (MAXIMUM_ITEMS + 1)))


@structure(0x74, forgiving=True)
class Tolerant(Structure):
    """A structure whose items are tolerated, each in another way."""

    first: str = wire(Item(0x10, UID, "First", missing="none", unreadable="bad", contradictory=FIRST))
    several: tuple[str, ...] = wire(Item(0x11, UID, "Several", maximum=3, missing=(), unreadable=DROPPED))
    joined: tuple[int, ...] = wire(Item(0x12, Repeated(U8, 2), "Joined", missing=(), contradictory=JOINED, limit=2))
    quiet: str = wire(Item(0x13, OPTIONAL_UID, missing="", unreadable="", contradictory="contradicted"))


def nested(*items: tuple[int, bytes]) -> bytes:
    return b"".join(bytes((item_type, 0, 0, len(content))) + content for item_type, content in items)


@pytest.mark.parametrize(
    ("data", "value", "told"),
    [
        (
            b"",
            Tolerant("none", (), (), ""),
            ["First (10H) is missing", "Several (11H) is missing", "Joined (12H) is missing"],
        ),
        (
            nested((0x10, b"1"), (0x10, b"2"), (0x11, b"3"), (0x12, b"\4"), (0x13, b"5")),
            Tolerant("1", ("3",), (4,), "5"),
            ["First (10H) comes 2 times"],
        ),
        (
            nested((0x10, b"1"), (0x11, b""), (0x11, b"3"), (0x12, b"\4\5"), (0x12, b"\6")),
            Tolerant("1", ("3",), (4, 5, 6), ""),
            [
                "Several (11H) cannot be read: UID of 0 characters, not 1 to 64; it is ignored",
                "Joined (12H) comes 2 times",
            ],
        ),
        (
            nested((0x10, b""), (0x11, b"3"), (0x12, b"\4"), (0x12, b"\4"), (0x13, b"5"), (0x13, b"6"), (0x7F, b"")),
            Tolerant("bad", ("3",), (4,), "contradicted"),
            [
                "First (10H) cannot be read: UID of 0 characters, not 1 to 64",
                "an item of type 7FH does not belong here: it is ignored",
                "Joined (12H) comes 2 times",
            ],
        ),
        (
            nested((0x10, b"1"), (0x11, b"3")) + b"\x12\0\0\5",
            Tolerant("none", (), (), ""),
            ["Tolerant: what is in it cannot be read: 5 bytes are due and 0 are there"],
        ),
    ],
)
def test_items_that_are_tolerated(data: bytes, value: Tolerant, told: list[str]) -> None:
    cursor = Cursor(data)
    assert Tolerant.decode(cursor) == value
    assert cursor.remaining == 0
    assert sorted(cursor.oddities.lines()) == sorted(told)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (nested(*[(0x11, b"1")] * 4), "more than 3 items of type 11H"),
        (nested(*[(0x12, b"1")] * 3), "more than 2 items of type 12H"),
        (nested((0x12, b"\1\2\3")), "more than 2 values"),
        (nested(*[(0x10, b"1")] * (MAXIMUM_REPETITIONS + 1)), "more than 128 items of type 10H"),
        (nested(*[(0x7F, b"")] * (MAXIMUM_ITEMS + 1)), "more than 1024 items"),
    ],
)
def test_a_limit_is_never_tolerated(data: bytes, message: str) -> None:
    with pytest.raises(LimitPassed, match=f"^Tolerant: {message}"):
        Tolerant.decode(Cursor(data))


class TestStructure:
    def test_it_is_a_value(self) -> None:
        point = Point(1, 2, b"k", label="p")
        assert list(fields(Point)) == ["x", "label", "y", "key"]
        assert replace(point, y=3) == Point(1, 3, b"k", label="p")
        assert not hasattr(point, "__dict__")
        assert Point.wire_type == 0x71
        match point:
            case Point(x, y, key):
                assert (x, y, key) == (1, 2, b"k")

    def test_its_values_do_not_change(self) -> None:
        point = Point(1, 2)
        with pytest.raises(FrozenInstanceError, match="'y'"):
            setattr(point, "y", 3)  # noqa: B010  (a type checker refuses the assignment itself)
        with pytest.raises(FrozenInstanceError, match="'x'"):
            del point.x
        with pytest.raises(AttributeError):
            setattr(point, "z", 3)  # noqa: B010
        assert (point.x, point.y) == (1, 2)

    def test_equal_values_of_one_class_are_equal(self) -> None:
        assert Point(1, 2) == Point(1, y=2, label="none")
        assert hash(Point(1, 2)) == hash(Point(1, 2))
        assert len({Point(1, 2), Point(1, 2), Point(1, 3), Point(1, 2, b"k")}) == 3
        assert Point(1, 2) != Point(1, 3)
        assert Open(1) != Point(1, 2)
        assert Open(1) != 1

    def test_secrets_do_not_show(self) -> None:
        assert repr(Point(1, 2, b"hidden")) == "Point(x=1, label='none', y=2)"

    def test_it_can_be_copied_and_pickled(self) -> None:
        line = Line((Point(1, 2), Point(3, 4)), "L")
        assert copy.deepcopy(line) == copy.copy(line) == pickle.loads(pickle.dumps(line)) == line

    @pytest.mark.parametrize(
        ("positional", "named", "message"),
        [
            ((), {}, "missing 2 required positional arguments: 'x' and 'y'"),
            ((1,), {}, "missing 1 required positional argument: 'y'"),
            ((), {"y": 2}, "missing 1 required positional argument: 'x'"),
            ((1, 2, b"", "p"), {}, "takes from 3 to 4 positional arguments but 5 were given"),
            ((1, 2), {"x": 1}, "got multiple values for argument 'x'"),
            ((1, 2), {"z": 1}, "got an unexpected keyword argument 'z'"),
        ],
    )
    def test_wrong_arguments_are_a_type_error(
        self, positional: tuple[Any, ...], named: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(TypeError, match=rf"^Point\.__init__\(\) {message}$"):
            Point(*positional, **named)
