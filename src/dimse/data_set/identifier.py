"""Identifiers of queries and retrievals (PS3.4 C.4): made of what users give, encoded, and read from what peers send.

`encode` makes the bytes of an identifier of a mapping of keywords, a pydicom data set, DICOM JSON, bytes, or an `Identifier`. An
`Identifier` is a view of an encoded one, whose values are decoded when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from dimse import tags
from dimse.data_set import keys, reader, writer
from dimse.data_set.attributes import (
    BYTES,
    IN_CHARACTER_SETS,
    NUMBERS,
    SINGLE,
    TEXT,
    Attribute,
    Attributes,
    Decoded,
    choose_vr,
)
from dimse.data_set.decimals import decimal_string, json_number
from dimse.data_set.encoding import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, LONG_FORM, SHORT_FORM
from dimse.data_set.text import CharacterSets, character_sets
from dimse.uids import TransferSyntax

if TYPE_CHECKING:
    from pydicom import Dataset

    from dimse.data_set.json import BulkURI

UNICODE = "ISO_IR 192"
"""The character set of an identifier that has characters beyond ASCII, where no other is asked for."""

Keys: TypeAlias = "Identifier | Dataset | Mapping[Any, Any] | str | bytes"
"""The forms of an identifier; a text is DICOM JSON, and bytes are an encoded data set."""


# --- Making ----------------------------------------------------------------------------------------------------------


def encode(given: Keys, syntax: TransferSyntax, charset: str | None = None, *, replace: bool = False) -> bytes:
    r"""Return an encoded identifier.

    Args:
        given: A mapping of keywords or tags to values, a pydicom data set, DICOM JSON, an encoded data set, or an `Identifier`.
            In a mapping None and "" ask for a value, and a list has several. A mapping in it, or a list of them, is a sequence.
        syntax: The transfer syntax, one that does not compress pixel data.
        charset: Its Specific Character Set, several separated by ``\``. By default the one that it has. Without one, text
            beyond ASCII is encoded in ISO_IR 192.
        replace: Write a question mark for each character that the character set does not have.

    Raises:
        ValueError: A keyword, a value or the character set is not one, or the character set does not have all characters.
        TypeError: A value is of no type that its VR has.
    """
    attributes = keys.copy(attributes_of(given))
    sets = _choose_character_sets(attributes, charset)
    if replace:
        attributes = _replaced(attributes, sets)
    return writer.write(attributes, syntax, sets)


def _choose_character_sets(attributes: keys.Tree, charset: str | None) -> CharacterSets:
    """Return the character sets to encode text in, and put them among the attributes if there is something to say."""
    held = attributes.get(tags.SPECIFIC_CHARACTER_SET, Attribute("CS", ())).values
    _remove_inner_character_sets(attributes)
    if not charset and _is_ascii(attributes):
        return CharacterSets()
    terms = tuple(charset.split("\\")) if charset else held or (UNICODE,)
    sets = character_sets(terms)
    if sets.unknown:
        raise ValueError(f"{sets.unknown[0]!r} is not a character set of PS3.3 C.12.1.1.2")
    attributes[tags.SPECIFIC_CHARACTER_SET] = Attribute("CS", terms)
    return sets


def fitting_charset(given: Keys, wanted: str | None = None) -> str | None:
    """Return the Specific Character Set for a response, whose text should be in that of the request.

    Args:
        given: The response, as `encode` takes it.
        wanted: The Specific Character Set of the request.

    Returns:
        None while all text is ASCII, `wanted` if it has every character, else ISO_IR 192.
    """
    attributes = attributes_of(given)
    if _is_ascii(attributes):
        return None
    sets = character_sets((wanted or "").split("\\"))
    fits = not sets.unknown and all(sets.holds("\\".join(values)) for values in _texts(attributes))
    return wanted if fits else UNICODE


def _replaced(attributes: Attributes, sets: CharacterSets) -> keys.Tree:
    """Return attributes whose text has question marks for what the character sets do not have."""
    return {
        tag: Attribute(vr, tuple(_replaced(item, sets) if vr == "SQ" else sets.replaced(item) for item in values))
        if vr == "SQ" or vr in TEXT
        else Attribute(vr, values)
        for tag, (vr, values) in attributes.items()
    }


def _remove_inner_character_sets(attributes: keys.Tree) -> None:
    """Remove the character sets of items: all text is encoded in those of the identifier."""
    for vr, values in attributes.values():
        for item in values if vr == "SQ" else ():
            item.pop(tags.SPECIFIC_CHARACTER_SET, None)
            _remove_inner_character_sets(item)


def _is_ascii(attributes: Attributes) -> bool:
    # A C-FIND SCP asks it of each match, and a generator takes three times as long.
    for vr, values in attributes.values():
        if vr == "SQ":
            if not all(map(_is_ascii, values)):
                return False
        elif vr in TEXT:
            for value in values:
                if not value.isascii():
                    return False
    return True


def attributes_of(given: Keys) -> Attributes:
    """Return the attributes of what a user gives as an identifier; see `encode`.

    Raises:
        ValueError: A keyword or a value is not one.
        TypeError: A value is of no type that its VR has, or `given` is not an identifier.
    """
    if isinstance(given, Identifier):
        return given.attributes
    if isinstance(given, str):
        return _of_json(given)
    if isinstance(given, (bytes, bytearray, memoryview)):
        return Identifier.read(bytes(given), _guess_syntax(bytes(given[:8]))).attributes
    if hasattr(given, "to_json_dict") and hasattr(given, "elements"):
        return _of_data_set(given)
    if not isinstance(given, Mapping):
        raise TypeError(
            f"an identifier is a mapping, a pydicom data set, DICOM JSON or bytes, not {type(given).__name__}"
        )
    if given and all(isinstance(member, Mapping) and "vr" in member for member in given.values()):
        return _of_json(given)
    return _of_mapping(given)


def _of_json(given: str | Mapping[str, Any]) -> Attributes:
    from dimse.data_set import json

    return json.read(given)


def _guess_syntax(start: bytes) -> TransferSyntax:
    has_vr = start[4:6] in SHORT_FORM | LONG_FORM
    return EXPLICIT_VR_LITTLE_ENDIAN if has_vr else IMPLICIT_VR_LITTLE_ENDIAN


def _of_data_set(data_set: Any) -> keys.Tree:
    """Return the attributes of a pydicom data set."""
    attributes: keys.Tree = {}
    for element in data_set:
        tag, vr, value = int(element.tag), str(element.VR), element.value
        if vr == "SQ":
            attributes[tag] = Attribute("SQ", tuple(_of_data_set(item) for item in value or ()))
        elif tag & 0xFFFF and tag >> 16 != 0x0002:
            several = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
            values = value if several else () if value is None or value in ("", b"") else (value,)
            vr = choose_vr(tag, vr)
            # Names, and numbers with the text that they came in, are classes of pydicom's own.
            attributes[tag] = Attribute(vr, tuple(str(one) if vr in TEXT else one for one in values))
    return attributes


def _of_mapping(given: Mapping[Any, Any]) -> keys.Tree:
    attributes: keys.Tree = {}
    for key, value in given.items():
        tag = key if isinstance(key, int) else keys.find_tag(key)
        vr = keys.default_vr(tag)
        try:
            attributes[tag] = Attribute(vr, _values(vr, value))
        except (ValueError, TypeError) as error:
            raise type(error)(f"{tags.label(tag)}: {error}") from error
    return attributes


def _values(vr: str, given: Any) -> tuple[Any, ...]:
    """Return the values that a user gives for an attribute."""
    if given is None or (isinstance(given, (str, bytes)) and not given):
        return ()
    several = given if isinstance(given, Sequence) and not isinstance(given, (str, bytes)) else (given,)
    if vr == "SQ":
        return tuple(_of_mapping(item) if isinstance(item, Mapping) else _no_item(item) for item in several)
    if isinstance(given, str) and vr not in BYTES:
        return keys.parse_value(vr, given)
    values = tuple(_value(vr, value) for value in several)
    return () if values == ("",) else values


def _no_item(item: object) -> Any:
    raise TypeError(f"an item of a sequence is a mapping, not {type(item).__name__}")


def _value(vr: str, given: Any) -> Any:
    """Return one value of a VR that is not SQ."""
    if vr in TEXT:
        if given is None:
            return ""
        if hasattr(given, "isoformat"):
            return _date(vr, given)
        if isinstance(given, str) or (isinstance(given, (int, float)) and not isinstance(given, bool)):
            return decimal_string(given) if vr == "DS" and not isinstance(given, str) else str(given)
    elif vr in NUMBERS or vr == "AT":
        if isinstance(given, str):
            return keys.number(vr, given)
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            return float(given) if vr in ("FL", "FD") else _whole(given)
    elif isinstance(given, (bytes, bytearray, memoryview)):
        return bytes(given)
    raise TypeError(f"VR {vr} has no value of type {type(given).__name__}")


def _whole(given: int | float) -> int:
    if given != int(given):
        raise ValueError(f"{given} is not a whole number")
    return int(given)


def _date(vr: str, given: Any) -> str:
    """Return a date, a time or both, as DICOM has it."""
    date, _, time = given.isoformat().rpartition("T") if hasattr(given, "hour") else (given.isoformat(), "", "")
    sign = "+" if "+" in time else "-"
    clock, _, offset = time.partition(sign)
    day, clock = date.replace("-", ""), clock.replace(":", "")
    if vr not in ("DA", "TM", "DT") or not (clock if vr == "TM" else day):
        raise TypeError(f"VR {vr} has no value of type {type(given).__name__}")
    if vr == "DT":
        return f"{day}{clock}{sign if offset else ''}{offset.replace(':', '')[:4]}"
    return str(day if vr == "DA" else clock)


# --- Reading ---------------------------------------------------------------------------------------------------------


class Identifier:
    """An identifier, or any small data set, whose values are decoded when they are asked for.

    ``identifier["PatientName"]`` is a value; tags are taken as well as keywords. Text is a `str`, IS an `int` and DS a `float`, and
    malformed numbers are text. An attribute without a value is None. One with several values is a tuple, and a sequence is a tuple
    of identifiers. Iteration gives the tags.

    Attributes:
        attributes: The attributes by tag, with all their values and their VR.
    """

    __slots__ = ("attributes",)

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes

    @classmethod
    def read(
        cls,
        data: bytes | memoryview,
        syntax: TransferSyntax,
        assume_charset: str | None = None,
        limits: reader.Limits | None = None,
    ) -> Identifier:
        """Read an identifier that a peer sent.

        Args:
            data: The encoded data set.
            syntax: Its transfer syntax.
            assume_charset: The Specific Character Set of a data set that does not name any. Without one, text is taken as UTF-8 if
                it is valid, else as ISO 8859-1.
            limits: Limits on the data set.

        Raises:
            MalformedDataSet: The bytes are not a data set, or are beyond the limits.
        """
        assumed = character_sets(assume_charset.split("\\")) if assume_charset else None
        return cls(Decoded(reader.read(data, syntax, limits), assumed))

    @classmethod
    def of(cls, given: Keys) -> Identifier:
        """Make an identifier of what `encode` takes."""
        return given if isinstance(given, Identifier) else cls(attributes_of(given))

    def __getitem__(self, key: int | str) -> Any:
        tag = key if isinstance(key, int) else _tag_of(key)
        try:
            vr, values = self.attributes[tag]
        except KeyError:
            raise KeyError(f"the data set has no {tags.label(tag)}") from None
        return _typed(vr, values)

    def get(self, key: int | str, default: Any = None) -> Any:
        """Return the value of an attribute, and `default` if the data set does not have the attribute.

        Raises:
            KeyError: `key` is neither a tag nor a keyword of PS3.6.
        """
        tag = key if isinstance(key, int) else _tag_of(key)
        return self[tag] if tag in self.attributes else default

    def text(self, key: int | str) -> str:
        r"""Return the values of an attribute as one text, separated by ``\``; an empty one without values.

        Raises:
            KeyError: `key` is neither a tag nor a keyword of PS3.6.
        """
        tag = key if isinstance(key, int) else _tag_of(key)
        vr, values = self.attributes.get(tag) or Attribute("UN", ())
        if vr == "SQ":
            return ""
        return "\\".join(value.hex() if isinstance(value, bytes) else str(value) for value in values)

    def __contains__(self, key: object) -> bool:
        tag = tags.find(key) if isinstance(key, str) else key
        return tag in self.attributes

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self.attributes))

    def __len__(self) -> int:
        return len(self.attributes)

    def __eq__(self, other: object) -> bool:
        return dict(self.attributes) == dict(other.attributes) if isinstance(other, Identifier) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # Without values, which may be a patient's.
        return f"<Identifier: {', '.join(map(tags.label, self))}>"

    @property
    def character_sets(self) -> CharacterSets:
        """The character sets that the data set names, or that it was read by."""
        if isinstance(self.attributes, Decoded):
            return self.attributes.sets
        return character_sets(self.attributes.get(tags.SPECIFIC_CHARACTER_SET, Attribute("CS", ())).values)

    @property
    def has_guessed_text(self) -> bool:
        """True if there is text beyond ASCII, and no character set is known for it."""
        return self.character_sets.is_default and _has_guessed_text(self.attributes)

    def json(self, bulk_uri: BulkURI | None = None) -> str:
        """Return the identifier as an object of the DICOM JSON Model (PS3.18 Annex F).

        Args:
            bulk_uri: Says which values are left out, as in `dimse.data_set.json.write`.
        """
        from dimse.data_set import json

        decoded = self.attributes if isinstance(self.attributes, Decoded) else self._encoded().attributes
        assert isinstance(decoded, Decoded)
        return json.write(decoded.elements, bulk_uri, decoded.sets)

    def _encoded(self) -> Identifier:
        return Identifier.read(encode(self, EXPLICIT_VR_LITTLE_ENDIAN), EXPLICIT_VR_LITTLE_ENDIAN)

    def dataset(self) -> Dataset:
        """Return the identifier as a pydicom data set."""
        from io import BytesIO

        from pydicom.filereader import read_dataset

        charset = fitting_charset(self, self.text(tags.SPECIFIC_CHARACTER_SET))
        data = encode(self, EXPLICIT_VR_LITTLE_ENDIAN, charset)
        return read_dataset(BytesIO(data), is_implicit_VR=False, is_little_endian=True)


def _tag_of(key: str) -> int:
    try:
        return keys.find_tag(key)
    except ValueError as error:
        raise KeyError(str(error)) from None


def _texts(attributes: Attributes) -> Iterator[tuple[str, ...]]:
    for vr, values in attributes.values():
        if vr == "SQ":
            for item in values:
                yield from _texts(item)
        elif vr in TEXT:
            yield values


def _has_guessed_text(attributes: Attributes) -> bool:
    return any(
        any(map(_has_guessed_text, values))
        if vr == "SQ"
        else vr in IN_CHARACTER_SETS and not all(value.isascii() for value in values)
        for vr, values in attributes.values()
    )


def _typed(vr: str, values: tuple[Any, ...]) -> Any:
    """Return the values of an attribute as Python has them."""
    if vr == "SQ":
        return tuple(map(Identifier, values))
    if vr in ("IS", "DS"):
        values = tuple(_number(vr, value) for value in values)
    elif vr not in SINGLE and vr in TEXT:
        values = tuple(value.strip(" ") for value in values)
    if len(values) > 1:
        return values
    return values[0] if values and values[0] != "" else None


def _number(vr: str, text: str) -> int | float | str:
    number = json_number(text.strip(" "))
    if number is None or len(number) > 64:
        return text
    if vr == "DS":
        return float(number)
    return int(number) if number.lstrip("-").isdigit() else text
