"""Data sets in the DICOM JSON Model (PS3.18 Annex F), written from elements that were read, and read as attributes.

`write` takes the elements of `reader` or of `elements`, and decodes one at a time. A number of VR DS or IS keeps its digits both
ways, if JSON allows them.
"""

from __future__ import annotations

import json
import math
from binascii import Error as InvalidBase64
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Mapping
from json.encoder import encode_basestring
from typing import Any, NamedTuple, TypeAlias

from dimse import tags
from dimse.data_set.attributes import (
    BYTES,
    KNOWN,
    NUMBERS,
    TEXT,
    WORD,
    AnyElement,
    AnyElements,
    Attribute,
    Attributes,
    choose_vr,
    decode,
    has_signed_samples,
    sets_of,
    swap,
)
from dimse.data_set.decimals import decimal_string, json_number
from dimse.data_set.reader import Limits
from dimse.data_set.text import CharacterSets

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")  # of a person name (PS3.18 F.2.2)
_NOT_FINITE = {"NaN": math.nan, "inf": math.inf, "-inf": -math.inf, "Infinity": math.inf, "-Infinity": -math.inf}

BulkLocation: TypeAlias = "tuple[int, ...]"
"""The tag of an element; before it those of the sequences around it, each with the number of an item, from 1 on."""

BulkElement = NamedTuple("BulkElement", [("location", BulkLocation), ("vr", str), ("length", int)])
"""A value that may be left out of the text: where it is, its VR, and its length in bytes."""

BulkURI: TypeAlias = "Callable[[BulkElement], str | None]"
"""Returns the URI under which a value can be had, or None for one that is to be in the text."""
FetchBulk: TypeAlias = "Callable[[str, int, str], bytes]"
"""Returns the bytes, Little Endian, at a URI, which is given with tag and VR."""


class MalformedJSON(ValueError):
    """A text is not a data set in the DICOM JSON Model. The message says where, and never quotes a value."""


# --- Writing ---------------------------------------------------------------------------------------------------------


def write(elements: AnyElements, bulk_uri: BulkURI | None = None, sets: CharacterSets | None = None) -> str:
    """Return a data set as an object of the DICOM JSON Model, without group lengths and without group 0002.

    Args:
        elements: The elements as they were read.
        bulk_uri: Says which values are left out of the text; None to have all of them in it. It is asked about the values that
            are neither text nor sequences.
        sets: The character sets of a data set that does not name any.
    """
    writer = _Writer(bulk_uri)
    writer.data_set(elements, sets, ())
    return "".join(writer.out)


def write_all(data_sets: Iterable[AnyElements], bulk_uri: BulkURI | None = None) -> str:
    """Return data sets as an array of the DICOM JSON Model."""
    return f"[{','.join(write(elements, bulk_uri) for elements in data_sets)}]"


class _Writer:
    """A list of the pieces of a text, and what adds to it."""

    def __init__(self, bulk_uri: BulkURI | None) -> None:
        self.bulk_uri = bulk_uri
        self.out: list[str] = []

    def data_set(self, elements: AnyElements, enclosing: CharacterSets | None, location: BulkLocation) -> None:
        """Write the object of a data set or of an item."""
        sets, is_signed = sets_of(elements, enclosing), has_signed_samples(elements)
        separator = "{"
        for tag in sorted(elements):
            if tag & 0xFFFF == 0 or tag >> 16 in (0x0000, 0x0002):
                continue
            self.out.append(f'{separator}"{tag:08X}":{{"vr":"')
            self.element(elements[tag], sets, is_signed, location)
            self.out.append("}")
            separator = ","
        self.out.append("{}" if separator == "{" else "}")

    def element(self, element: AnyElement, sets: CharacterSets, is_signed: bool, location: BulkLocation) -> None:
        """Write the VR of an element, and what follows it."""
        value, location = element.value, (*location, element.tag)
        if isinstance(value, memoryview):
            vr = choose_vr(element.tag, element.vr, is_signed)
            # A sequence that was read as UN has bytes that are not items.
            vr = "UN" if vr == "SQ" else vr
            self.out.append(f'{vr}"')
            if len(value) and (vr in TEXT or not self.is_elsewhere(BulkElement(location, vr, len(value)))):
                self.plain(vr, element, bytes(value), sets)
        elif isinstance(value, tuple):
            self.out.append('OB"')
            if not self.is_elsewhere(BulkElement(location, "OB", sum(map(len, value)) + 8 * len(value) + 8)):
                self.binary(_joined(value))
        else:
            self.out.append('SQ"')
            for number, item in enumerate(value, 1):
                self.out.append(',"Value":[' if number == 1 else ",")
                self.data_set(item, sets, (*location, number))
            self.out.append("]" if value else "")

    def is_elsewhere(self, element: BulkElement) -> bool:
        """Write the URI that a value has, and return True; return False if it has none."""
        uri = self.bulk_uri and self.bulk_uri(element)
        if uri:
            self.out.append(f',"BulkDataURI":{encode_basestring(uri)}')
        return bool(uri)

    def plain(self, vr: str, element: AnyElement, raw: bytes, sets: CharacterSets) -> None:
        """Write a value field that is not empty."""
        little_endian = element.little_endian or element.vr == "UN"
        if vr in BYTES:
            self.binary(raw if little_endian or vr not in WORD else swap(raw, WORD[vr]))
            return
        form = _FORMS.get(vr) or (encode_basestring if vr in TEXT else str)
        values = decode(vr, raw, little_endian, sets)
        if values:
            written = ",".join("null" if value == "" else form(value) for value in values)
            self.out.append(f',"Value":[{written}]')

    def binary(self, data: bytes) -> None:
        """Write bytes."""
        self.out.append(f',"InlineBinary":"{b2a_base64(data, newline=False).decode("ascii")}"')


def _joined(fragments: tuple[memoryview, ...]) -> bytes:
    """Return encapsulated pixel data as its value field has it: an item for each fragment (PS3.5 A.4)."""
    out = [b"\xfe\xff\x00\xe0" + len(fragment).to_bytes(4, "little") + bytes(fragment) for fragment in fragments]
    return b"".join(out) + b"\xfe\xff\xdd\xe0\0\0\0\0"


def _tag_form(tag: int) -> str:
    return f'"{tag:08X}"'


def _float_form(number: float) -> str:
    if math.isfinite(number):
        return repr(number)
    return '"NaN"' if math.isnan(number) else '"inf"' if number > 0 else '"-inf"'


def _name_form(name: str) -> str:
    groups = zip(_GROUPS, name.split("="), strict=False)
    members = (f'"{group}":{encode_basestring(text)}' for group, text in groups if text)
    return f"{{{','.join(members)}}}"


def _number_form(text: str) -> str:
    number = json_number(text.strip(" "))
    return encode_basestring(text) if number is None else number


def _integer_form(text: str) -> str:
    number = json_number(text.strip(" "))
    return encode_basestring(text) if number is None or not number.lstrip("-").isdigit() else number


_FORMS: Mapping[str, Callable[[Any], str]] = {
    "AT": _tag_form,
    "DS": _number_form,
    "FD": _float_form,
    "FL": _float_form,
    "IS": _integer_form,
    "PN": _name_form,
}


# --- Reading ---------------------------------------------------------------------------------------------------------


class _Number(str):
    """A number with a point or an exponent, as the text of the JSON has it."""

    __slots__ = ()


def read(
    text: str | bytes | Mapping[str, Any], limits: Limits | None = None, fetch: FetchBulk | None = None
) -> Attributes:
    """Return the attributes of a data set in the DICOM JSON Model.

    Args:
        text: The text of an object, in UTF-8 if it is bytes, or what a parser of JSON made of it.
        limits: Limits on the text; `size` is in characters.
        fetch: Gets bulk data by its URI; without it there may be none.

    Raises:
        MalformedJSON: The text is not a data set, or is beyond the limits.
    """
    limits = limits or Limits()
    given = text if isinstance(text, Mapping) else _parse(text, limits)
    return _Reader(limits, fetch).data_set(given, "", 0)


def read_all(text: str | bytes, limits: Limits | None = None, fetch: FetchBulk | None = None) -> list[Attributes]:
    """Return the attributes of each data set of an array of the DICOM JSON Model; an object is an array of one."""
    limits = limits or Limits()
    given = _parse(text, limits)
    reader = _Reader(limits, fetch)
    data_sets = given if isinstance(given, list) else [given]
    return [reader.data_set(data_set, f"[{at}]", 0) for at, data_set in enumerate(data_sets)]


def _parse(text: str | bytes, limits: Limits) -> Any:
    if len(text) > limits.size:
        raise MalformedJSON(f"the JSON text is longer than {limits.size:,} characters")
    try:
        return json.loads(text, parse_float=_Number, parse_constant=_no_constant)
    except RecursionError:
        raise MalformedJSON("the JSON text is nested too deep") from None
    except ValueError as error:
        reason = getattr(error, "msg", "") or "a character or a number is malformed"
        at = f" at character {error.pos:,}" if isinstance(error, json.JSONDecodeError) else ""
        raise MalformedJSON(f"this is not JSON: {reason}{at}") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")


class _Reader:
    """A reader of what a parser of JSON gives, which counts the attributes."""

    def __init__(self, limits: Limits, fetch: FetchBulk | None) -> None:
        self.limits, self.fetch, self.count = limits, fetch, 0

    def data_set(self, given: object, path: str, depth: int) -> dict[int, Attribute]:
        """Return the attributes of an object."""
        if not isinstance(given, Mapping):
            raise MalformedJSON(f"{path or 'the JSON text'} is not an object")
        found = {}
        for key, member in given.items():
            self.count += 1
            if self.count > self.limits.elements:
                raise MalformedJSON(f"there are more than {self.limits.elements:,} attributes")
            if not isinstance(key, str) or len(key) != 8 or set(key.upper()) - set("0123456789ABCDEF"):
                raise MalformedJSON(
                    f"{path or 'the data set'} has a member that is not a tag of eight hexadecimal digits"
                )
            if not isinstance(member, Mapping):
                raise MalformedJSON(f"{path}{key} is not an object")
            tag = int(key, 16)
            if tag & 0xFFFF:
                found[tag] = self.attribute(tag, member, f"{path}{key}", depth)
        return found

    def attribute(self, tag: int, member: Mapping[str, Any], path: str, depth: int) -> Attribute:
        """Return the attribute of a member."""
        vr = member.get("vr", choose_vr(tag, tags.vr(tag)))
        if not isinstance(vr, str) or vr not in KNOWN:
            raise MalformedJSON(f"{path} has no VR that is known")
        held = [name for name in ("Value", "InlineBinary", "BulkDataURI") if member.get(name) is not None]
        if len(held) > 1:
            raise MalformedJSON(f"{path} has both {held[0]} and {held[1]}")
        if not held:
            return Attribute(vr, ())
        given = member[held[0]]
        if held[0] == "Value":
            return Attribute(vr, self.values(vr, given, path, depth))
        if vr == "SQ" or not isinstance(given, str):
            raise MalformedJSON(f"{path}.{held[0]} is not what VR {vr} may have")
        return Attribute(
            vr, decode(vr, self.octets(held[0], given, tag, vr, path), True, CharacterSets(("ISO_IR 192",), ("192",)))
        )

    def octets(self, held: str, given: str, tag: int, vr: str, path: str) -> bytes:
        """Return the bytes of a value that is binary, or elsewhere."""
        if held == "InlineBinary":
            try:
                return a2b_base64(given.encode("ascii"), strict_mode=True) if given else b""
            except (InvalidBase64, UnicodeEncodeError):
                raise MalformedJSON(f"{path}.InlineBinary is not base64") from None
        if self.fetch is None:
            raise MalformedJSON(f"{path} has bulk data elsewhere, which is not fetched here")
        return self.fetch(given, tag, vr)

    def values(self, vr: str, given: object, path: str, depth: int) -> tuple[Any, ...]:
        """Return the values of an array."""
        if not isinstance(given, list):
            raise MalformedJSON(f"{path}.Value is not an array")
        if vr in BYTES:
            raise MalformedJSON(f"{path} has VR {vr}, whose value is InlineBinary or BulkDataURI")
        if vr == "SQ":
            if depth >= self.limits.depth:
                raise MalformedJSON(f"sequences are nested more than {self.limits.depth} deep")
            items = ({} if item is None else item for item in given)
            return tuple(self.data_set(item, f"{path}[{at}].", depth + 1) for at, item in enumerate(items))
        values: list[Any] = []
        for at, value in enumerate(given):
            try:
                values.append(_value(vr, value))
            except (ValueError, OverflowError) as error:
                raise MalformedJSON(f"{path}.Value[{at}]: {error}") from None
        if vr in TEXT:
            return tuple(values) if any(values) or len(values) > 1 else ()
        return tuple(values)


def _value(vr: str, given: object) -> Any:
    """Return one value of a VR that is neither of bytes nor a sequence."""
    if given is True or given is False:
        raise ValueError("true and false are not values")
    if vr == "PN":
        return _name(given)
    if vr in TEXT:
        return _text(vr, given)
    if vr == "AT":
        if isinstance(given, str) and len(given) == 8 and not set(given.upper()) - set("0123456789ABCDEF"):
            return int(given, 16)
        raise ValueError("a tag has eight hexadecimal digits")
    if vr in ("FL", "FD"):
        if isinstance(given, str) and given in _NOT_FINITE:
            return _NOT_FINITE[given]
        if isinstance(given, (int, float, _Number)):
            return float(given)
        raise ValueError("this is not a number")
    return _integer(vr, given)


def _integer(vr: str, given: object) -> int:
    bits = 8 * WORD[vr]
    signed = NUMBERS[vr].islower()
    if isinstance(given, int):
        number = given
    elif isinstance(given, (float, _Number)):
        number = _whole(float(given))
    elif isinstance(given, str) and vr in ("SV", "UV"):
        number = int(given)
    else:
        raise ValueError("this is not a whole number")
    if not (-(1 << bits - 1) <= number < 1 << bits - 1 if signed else 0 <= number < 1 << bits):
        raise ValueError(f"this is beyond what VR {vr} can hold")
    return int(number)


def _whole(number: float) -> int:
    if not number.is_integer():
        raise ValueError("this is not a whole number")
    return int(number)


def _text(vr: str, given: object) -> str:
    if given is None:
        return ""
    if vr in ("DS", "IS") and isinstance(given, (int, float, _Number)):
        if vr == "IS":
            return str(given if isinstance(given, int) else _whole(float(given)))
        return decimal_string(given)
    if isinstance(given, str) and not isinstance(given, _Number):
        return given
    raise ValueError(f"VR {vr} has text")


def _name(given: object) -> str:
    if given is None:
        return ""
    if isinstance(given, str) and not isinstance(given, _Number):
        return given
    if not isinstance(given, Mapping) or not all(isinstance(given.get(group) or "", str) for group in _GROUPS):
        raise ValueError("a name has Alphabetic, Ideographic and Phonetic")
    return "=".join(given.get(group) or "" for group in _GROUPS).rstrip("=")
