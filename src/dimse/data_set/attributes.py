"""The values of data elements by VR (PS3.5 6.2): bytes to values and values to bytes, all values at once.

A value of a text VR is a `str`, that of a DS or IS too. A binary number is an `int` or a `float`, and an AT the tag as an `int`. An
item of an SQ is a mapping of tags to attributes again. Values of other VRs are `bytes`, Little Endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from dimse import tags
from dimse.data_set.text import ESCAPE, CharacterSets, character_sets

Attribute = NamedTuple("Attribute", [("vr", str), ("values", tuple[Any, ...])])
"""The VR and the values of a data element; no values where its value is empty."""

Attributes: TypeAlias = "Mapping[int, Attribute]"

TEXT = frozenset("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split())
NUMBERS = {"FD": "d", "FL": "f", "SL": "l", "SS": "h", "SV": "q", "UL": "L", "US": "H", "UV": "Q"}
BYTES = frozenset("OB OD OF OL OV OW UN".split())
KNOWN = TEXT | frozenset(NUMBERS) | BYTES | {"AT", "SQ"}
SINGLE = frozenset(("LT", "ST", "UR", "UT"))
"""Text VRs whose value is one, whatever backslashes are in it (PS3.5 6.4)."""
IN_CHARACTER_SETS = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
"""VRs whose text is in the character sets of the data set (PS3.5 6.1.2.2)."""
WORD = {"AT": 2, "OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2} | {
    vr: struct.calcsize("<" + c) for vr, c in NUMBERS.items()
}
"""Bytes of the words whose order changes with the byte order, by VR (PS3.5 7.3)."""

PADDING = " \0"
_DELIMITERS = {"PN": "\\^="} | dict.fromkeys(SINGLE, "")
_PIXEL_REPRESENTATION = 0x00280103


def delimiters(vr: str) -> str:
    """Return the characters behind which escape sequences have no effect in a text of this VR (PS3.5 6.1.2.5.3)."""
    return _DELIMITERS.get(vr, "\\")


def choose_vr(tag: int, vr: str, is_signed: bool = False) -> str:
    """Return the one VR to read a value by.

    Args:
        tag: The tag of the element.
        vr: Its VR as it was read, or as the dictionary has it ("US or SS"). For UN that of the dictionary counts, if it has one.
        is_signed: The data set's Pixel Representation (0028,0103) is 1.
    """
    if vr == "UN":
        vr = tags.vr(tag)
    if " " in vr:
        if vr == "US or SS":
            return "SS" if is_signed else "US"
        return "OW"
    return vr if vr in KNOWN else "UN"


def decode(vr: str, raw: bytes, little_endian: bool, sets: CharacterSets) -> tuple[Any, ...]:
    """Return the values in a value field; of numbers as many as are whole.

    Args:
        vr: Any VR but SQ.
        raw: The value field.
        little_endian: Its byte order.
        sets: The character sets of the data set.
    """
    if not raw:
        return ()
    if vr in TEXT:
        return _decode_text(vr, raw, sets)
    order = "<" if little_endian else ">"
    if vr == "AT":
        words = struct.unpack_from(f"{order}{len(raw) // 4 * 2}H", raw)
        return tuple(group << 16 | element for group, element in zip(words[::2], words[1::2], strict=True))
    if vr in NUMBERS:
        return struct.unpack_from(f"{order}{len(raw) // WORD[vr]}{NUMBERS[vr]}", raw)
    return (bytes(raw) if little_endian or vr not in WORD else swap(raw, WORD[vr]),)


def _decode_text(vr: str, raw: bytes, sets: CharacterSets) -> tuple[str, ...]:
    if raw.isascii() and ESCAPE not in raw:
        text = raw.decode("ascii").rstrip(PADDING)
        if text and "\\" not in text:
            return (text,)
    elif vr in IN_CHARACTER_SETS:
        text = sets.decode(raw, delimiters(vr).encode())
    else:
        text = raw.decode("ascii") if raw.isascii() else sets.decode(raw)
    text = text.rstrip(PADDING)
    if not text:
        return ()
    if vr in SINGLE or "\\" not in text:
        return (text,)
    return tuple(value.rstrip(PADDING) for value in text.split("\\"))


def encode(attribute: Attribute, little_endian: bool, sets: CharacterSets) -> bytes:
    """Return the value field of an attribute, padded to even length (PS3.5 6.2).

    Raises:
        ValueError: A value cannot be encoded in its VR, or not in these character sets.
    """
    vr, values = attribute
    order = "<" if little_endian else ">"
    if vr in TEXT:
        raw = sets.encode("\\".join(values), delimiters(vr))
        return raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
    if vr == "AT":
        return b"".join(struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF) for tag in values)
    if vr in NUMBERS:
        try:
            return struct.pack(f"{order}{len(values)}{NUMBERS[vr]}", *values)
        except (struct.error, OverflowError):
            raise ValueError(f"{vr} has no room for one of the numbers") from None
    raw = b"".join(values)
    if not little_endian and vr in WORD:
        raw = swap(raw, WORD[vr])
    return raw + b"\0" * (len(raw) % 2)


def swap(raw: bytes, width: int) -> bytes:
    """Return words in the other byte order; bytes behind the last whole word stay as they are."""
    whole = len(raw) // width * width
    swapped = bytearray(raw)
    for at in range(width):
        swapped[at:whole:width] = raw[width - 1 - at : whole : width]
    return bytes(swapped)


class AnyElement(Protocol):
    """A data element whose value is not decoded, of `reader` or of `elements`."""

    @property
    def tag(self) -> int:
        """The tag."""

    @property
    def vr(self) -> str:
        """The VR as it was read, or as the dictionary has it ("US or SS")."""

    @property
    def value(self) -> memoryview | Sequence[Mapping[int, AnyElement]] | tuple[memoryview, ...]:
        """The value field, the items of a sequence, or the fragments of encapsulated pixel data."""

    @property
    def little_endian(self) -> bool:
        """The byte order of the value field."""


AnyElements: TypeAlias = "Mapping[int, AnyElement]"


class Decoded(Mapping[int, Attribute]):
    """The attributes of a data set that was read, each decoded when it is first asked for.

    Attributes:
        elements: The elements as they were read.
        sets: The character sets of the data set.
    """

    __slots__ = ("_attributes", "elements", "sets")

    def __init__(self, elements: AnyElements, sets: CharacterSets | None = None) -> None:
        """Make the attributes of elements.

        Args:
            elements: The elements.
            sets: The character sets for a data set that does not name any; of an item those of what encloses it.
        """
        self.elements = elements
        self._attributes: dict[int, Attribute] = {}
        self.sets = sets_of(elements, sets)

    def __getitem__(self, tag: int) -> Attribute:
        found = self._attributes.get(tag)
        if found is None:
            found = self._attributes[tag] = self._decode(self.elements[tag])
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self.elements)

    def __len__(self) -> int:
        return len(self.elements)

    def __contains__(self, tag: object) -> bool:
        return tag in self.elements

    def _decode(self, element: AnyElement) -> Attribute:
        value = element.value
        if isinstance(value, memoryview):
            if element.vr in TEXT:
                raw = bytes(value)
                return Attribute(element.vr, _decode_text(element.vr, raw, self.sets) if raw else ())
            vr = choose_vr(element.tag, element.vr, has_signed_samples(self.elements))
            if vr == "SQ":
                # It was read as UN, and its bytes are not items.
                vr = "UN"
            little_endian = element.little_endian or element.vr == "UN"
            return Attribute(vr, decode(vr, bytes(value), little_endian, self.sets))
        if isinstance(value, tuple):
            return Attribute("OB", tuple(map(bytes, value)))
        return Attribute("SQ", tuple(Decoded(item, self.sets) for item in value))


def sets_of(elements: AnyElements, enclosing: CharacterSets | None = None) -> CharacterSets:
    """Return the character sets that a data set names; those given where it names none."""
    element = elements.get(tags.SPECIFIC_CHARACTER_SET)
    if element is not None and isinstance(element.value, memoryview):
        named = character_sets(bytes(element.value).decode("latin_1").split("\\"))
        if not named.is_default or named.unknown:
            return named
    return enclosing or CharacterSets()


def has_signed_samples(elements: AnyElements) -> bool:
    """Return whether the Pixel Representation (0028,0103) of a data set says that its samples are signed."""
    element = elements.get(_PIXEL_REPRESENTATION)
    return element is not None and isinstance(element.value, memoryview) and bytes(element.value) in (b"\1\0", b"\0\1")
