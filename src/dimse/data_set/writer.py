"""Writing of attributes as an encoded data set (PS3.5 section 7): identifiers, and other data sets without pixel data."""

from __future__ import annotations

import struct
from functools import lru_cache

from dimse import tags
from dimse.data_set.attributes import Attribute, Attributes, encode
from dimse.data_set.encoding import SHORT_FORM, deflate
from dimse.data_set.text import CharacterSets
from dimse.uids import TransferSyntax

_ITEM = 0xFFFEE000


def write(attributes: Attributes, syntax: TransferSyntax, sets: CharacterSets) -> bytes:
    """Return an encoded data set, with elements in order of their tags and sequences of defined length.

    Args:
        attributes: What to encode. Specific Character Set is written as it stands here.
        syntax: The transfer syntax, one that does not compress pixel data.
        sets: The character sets to encode text in.

    Raises:
        ValueError: A value cannot be encoded; the message names the attribute.
    """
    if syntax.deflated:
        return deflate([_Writer(syntax, sets).data_set(attributes)])
    return _Writer(syntax, sets).data_set(attributes)


class _Writer:
    """A writer of data sets in one transfer syntax and in the same character sets."""

    def __init__(self, syntax: TransferSyntax, sets: CharacterSets) -> None:
        self.implicit, self.little, self.sets = syntax.implicit_vr, syntax.little_endian, sets
        self.order = "<" if self.little else ">"

    def data_set(self, attributes: Attributes) -> bytes:
        """Return the elements of a data set or of an item."""
        out = []
        for tag in sorted(attributes):
            attribute = attributes[tag]
            value = self.value(tag, attribute)
            out += [self.header(tag, attribute.vr, len(value)), value]
        return b"".join(out)

    def value(self, tag: int, attribute: Attribute) -> bytes:
        """Return the value field of an element."""
        if attribute.vr == "SQ":
            items = [self.data_set(item) for item in attribute.values]
            return b"".join(struct.pack(f"{self.order}HHL", *(0xFFFE, 0xE000, len(item))) + item for item in items)
        try:
            return encode(attribute, self.little, self.sets)
        except UnicodeEncodeError as error:
            sets = "\\".join(self.sets.terms) or "ASCII"
            raise ValueError(f"{tags.label(tag)} has characters that are not in {sets}") from error
        except ValueError as error:
            raise ValueError(f"{tags.label(tag)}: {error}") from error

    def header(self, tag: int, vr: str, length: int) -> bytes:
        """Return the header of an element."""
        start, width = _start(self.order, tag, "" if self.implicit else vr)
        if width == 2 and length > 0xFFFE:
            raise ValueError(f"{tags.label(tag)} is longer than an element of VR {vr} can be: {length:,} bytes")
        return start + length.to_bytes(width, "little" if self.little else "big")


@lru_cache(4096)
def _start(order: str, tag: int, vr: str) -> tuple[bytes, int]:
    """Return the header of an element up to its length, and the width of the length; Implicit VR has no `vr`."""
    group, number = tag >> 16, tag & 0xFFFF
    if not vr:
        return struct.pack(f"{order}HH", group, number), 4
    letters = vr.encode("ascii")
    if letters not in SHORT_FORM:
        return struct.pack(f"{order}HH2s2x", group, number, letters), 4
    return struct.pack(f"{order}HH2s", group, number, letters), 2
