"""Text in the character sets of Specific Character Set (0008,0005) (PS3.5 6.1.2, Annexes H to K; PS3.3 C.12.1.1.2).

Text is decoded before it is split into values. In ISO 2022 IR 87, GBK and GB18030 a byte of a character may be that of a backslash.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from dimse.support.values import value

ESCAPE = 0x1B
# Behind these the character sets are the initial ones again (PS3.5 6.1.2.5.3): TAB, LF, FF and CR.
_RESETTING_CONTROLS = frozenset(b"\t\n\f\r")
_TO_HIGH = bytes(byte | 0x80 for byte in range(256))
_TO_LOW = bytes(byte & 0x7F for byte in range(256))


@value
class GraphicSet:
    """A set of graphic characters that an escape sequence invokes (PS3.3 Tables C.12-3 and C.12-4).

    Attributes:
        escape: The bytes that invoke it.
        is_high: It is invoked as G1, bytes 80H to FFH; else as G0.
        width: Bytes for a character.
        codec: Python's codec; for two bytes that of the EUC encoding, which has them as G1.
        prefix: What the EUC encoding puts before its characters of this set.
    """

    escape: bytes
    is_high: bool
    width: int
    codec: str
    prefix: bytes = b""

    def decode(self, run: bytes) -> str:
        """Return the characters of a run of bytes; U+FFFD for what is not one."""
        if self.width == 1:
            return run.decode(self.codec, "replace")
        pairs = run.translate(_TO_HIGH)
        if self.prefix:
            pairs = b"".join(self.prefix + pairs[at : at + 2] for at in range(0, len(pairs), 2))
        return pairs.decode(self.codec, "replace")

    def encode(self, character: str) -> bytes | None:
        """Return the bytes of a character; None if the set does not have it."""
        try:
            encoded = character.encode(self.codec)
        except UnicodeEncodeError:
            return None
        if not encoded.startswith(self.prefix):
            return None
        encoded = encoded[len(self.prefix) :]
        # Of the Roman set of JIS X 0201 ASCII only: its yen sign would be the byte of a backslash.
        is_extended = self.is_high or self.width == 2
        is_graphic = all(byte >= 0xA0 for byte in encoded) if is_extended else character.isascii()
        if len(encoded) != self.width or not is_graphic:
            return None
        return encoded if self.is_high else encoded.translate(_TO_LOW)


ASCII = GraphicSet(b"\x1b(B", False, 1, "ascii")
_ROMAJI = GraphicSet(b"\x1b(J", False, 1, "shift_jis")
_KATAKANA = GraphicSet(b"\x1b)I", True, 1, "shift_jis")
_JIS_X_0208 = GraphicSet(b"\x1b$B", False, 2, "euc_jp")
_JIS_X_0212 = GraphicSet(b"\x1b$(D", False, 2, "euc_jp", b"\x8f")

# By the number in the defined term: the set of G0, if it is not ASCII, and that of G1.
_SETS: dict[str, tuple[GraphicSet, ...]] = {
    "6": (ASCII,),
    "100": (ASCII, GraphicSet(b"\x1b-A", True, 1, "iso8859_1")),
    "101": (ASCII, GraphicSet(b"\x1b-B", True, 1, "iso8859_2")),
    "109": (ASCII, GraphicSet(b"\x1b-C", True, 1, "iso8859_3")),
    "110": (ASCII, GraphicSet(b"\x1b-D", True, 1, "iso8859_4")),
    "144": (ASCII, GraphicSet(b"\x1b-L", True, 1, "iso8859_5")),
    "127": (ASCII, GraphicSet(b"\x1b-G", True, 1, "iso8859_6")),
    "126": (ASCII, GraphicSet(b"\x1b-F", True, 1, "iso8859_7")),
    "138": (ASCII, GraphicSet(b"\x1b-H", True, 1, "iso8859_8")),
    "148": (ASCII, GraphicSet(b"\x1b-M", True, 1, "iso8859_9")),
    "203": (ASCII, GraphicSet(b"\x1b-b", True, 1, "iso8859_15")),
    "166": (ASCII, GraphicSet(b"\x1b-T", True, 1, "iso8859_11")),
    "13": (_ROMAJI, _KATAKANA),
    "87": (_JIS_X_0208,),
    "159": (_JIS_X_0212,),
    "149": (GraphicSet(b"\x1b$)C", True, 2, "euc_kr"),),
    "58": (GraphicSet(b"\x1b$)A", True, 2, "gb2312"),),
}
# Codecs that have ASCII below 80H and the set of G1 above: without an escape sequence they decode all of a text.
_SINGLE_BYTE = {
    term: sets[1].codec for term, sets in _SETS.items() if len(sets) == 2 and sets[1].codec.startswith("iso8859")
}
_BY_ESCAPE = {found.escape: found for sets in _SETS.values() for found in sets}
# Some writers name the edition of 1978.
_BY_ESCAPE[b"\x1b$@"] = _JIS_X_0208

# Those that admit no escape sequences, by defined term without punctuation. GB 18030 contains GBK.
_WHOLE = {"192": "utf_8", "GB18030": "gb18030", "GBK": "gb18030"}
_ENCODE_AS = {"GBK": "gbk"}
_ALIASES = {"UTF8": "192"}


@value
class CharacterSets:
    """The character sets of a data set.

    Attributes:
        terms: The values of Specific Character Set as they were given; none if it is absent or empty.
        known: Those of them that are known, by number or name.
        unknown: The rest of them, as they were given.
    """

    terms: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def is_default(self) -> bool:
        """True if the data set names no character set that is known: its text should be ASCII."""
        return not self.known

    def decode(self, raw: bytes, delimiters: bytes = b"\\") -> str:
        r"""Return text in Unicode, U+FFFD for bytes that the character sets do not have.

        Where no character set is known, bytes above 7FH are taken as UTF-8 if they are, else as ISO 8859-1.

        Args:
            raw: The bytes of a value field.
            delimiters: ASCII characters that end the effect of escape sequences: ``\`` between values, ``^`` and ``=`` in names.
        """
        if ESCAPE not in raw:
            if raw.isascii():
                return raw.decode("ascii")
            if not self.known:
                return _guess(raw)
            if self.known[0] in _WHOLE:
                return raw.decode(_WHOLE[self.known[0]], "replace")
            if self.known[0] in _SINGLE_BYTE:
                return raw.decode(_SINGLE_BYTE[self.known[0]], "replace")
        elif self.known and self.known[0] in _WHOLE:
            return raw.decode(_WHOLE[self.known[0]], "replace")
        return self._decode_extended(raw, frozenset(delimiters))

    def _decode_extended(self, raw: bytes, delimiters: frozenset[int]) -> str:
        first, first_high, fallback = self._initial()
        low, high = first, first_high or fallback
        out, at, end = [], 0, len(raw)
        while at < end:
            byte, start = raw[at], at
            if byte == ESCAPE:
                found = _BY_ESCAPE.get(raw[at : at + 4]) or _BY_ESCAPE.get(raw[at : at + 3])
                if found is None:
                    out.append("\ufffd")
                    at += 1
                    continue
                at += len(found.escape)
                low, high = (low, found) if found.is_high else (found, high)
            elif byte >= 0x80:
                while at < end and raw[at] >= 0x80:
                    at += 1
                out.append(high.decode(raw[start:at]) if high else _guess(raw[start:at]))
            elif byte <= 0x20 or (low.width == 1 and byte in delimiters):
                at += 1
                out.append(chr(byte))
                if byte in delimiters or byte in _RESETTING_CONTROLS:
                    # Without a set of its own for G1 the initial state leaves the last one: some writers rely on that.
                    low, high = first, first_high or high
            else:
                while at < end and 0x20 < raw[at] < 0x80 and raw[at] != ESCAPE:
                    if low.width == 1 and raw[at] in delimiters:
                        break
                    at += 1
                out.append(low.decode(raw[start:at]))
        return "".join(out)

    def _initial(self) -> tuple[GraphicSet, GraphicSet | None, GraphicSet | None]:
        """Return the sets at the beginning of a value: G0, G1, and what G1 is taken for if it has no set."""
        low, high = ASCII, None
        sets = [_SETS.get(term, ()) for term in self.known]
        for found in sets[0] if sets else ():
            if found.is_high:
                high = found
            elif found.width == 1:
                low = found
        others = (found for group in sets for found in group if found.is_high)
        return low, high, next(others, None)

    def encode(self, text: str, delimiters: str = "\\") -> bytes:
        """Return text in these character sets.

        Args:
            text: The values of an element, with what separates them.
            delimiters: As in `decode`.

        Raises:
            UnicodeEncodeError: The character sets do not have one of the characters.
        """
        if text.isascii():
            return text.encode("ascii")
        if not self.known:
            return text.encode("ascii")  # raises the error
        first = self.known[0]
        if first in _WHOLE:
            return text.encode(_ENCODE_AS.get(first, _WHOLE[first]))
        return self._encode_extended(text, delimiters)

    def _encode_extended(self, text: str, delimiters: str) -> bytes:
        first, first_high, _ = self._initial()
        if first_high is not None and first_high.width == 2:
            # No value may begin in a set of two bytes (PS3.3 C.12.1.1.2).
            first_high = None
        usable = [found for term in self.known for found in _SETS.get(term, ())] if self.is_extensible else []
        low, high = first, first_high
        out: list[bytes] = []
        for at, character in enumerate(text):
            if character in delimiters or character in "\t\n\f\r":
                out += _escapes_between((low, high), (first, first_high))
                low, high = first, first_high
            current = [] if high is None else [high]
            found = ASCII if character.isascii() and first is ASCII else None
            candidates = [found] if found else [low, *current, first, *usable]
            for graphic in candidates:
                encoded = graphic.encode(character)
                if encoded is not None:
                    break
            else:
                raise UnicodeEncodeError("/".join(self.terms), text, at, at + 1, "not in the character sets")
            if graphic.is_high:
                if graphic != high:
                    out.append(graphic.escape)
                    high = graphic
            elif graphic != low:
                out.append(graphic.escape)
                low = graphic
            out.append(encoded)
        out += _escapes_between((low, high), (first, first_high))
        return b"".join(out)

    @property
    def is_extensible(self) -> bool:
        """True if escape sequences may invoke other sets than the first."""
        return len(self.known) > 1 or any("2022" in term for term in self.terms)

    def holds(self, text: str) -> bool:
        """Return whether the character sets have every character of a text."""
        try:
            self.encode(text)
        except UnicodeEncodeError:
            return False
        return True

    def replaced(self, text: str) -> str:
        """Return a text with a question mark for each character that the character sets do not have."""
        return text if self.holds(text) else "".join(char if self.holds(char) else "?" for char in text)


def _escapes_between(
    now: tuple[GraphicSet, GraphicSet | None], then: tuple[GraphicSet, GraphicSet | None]
) -> list[bytes]:
    """Return the escape sequences that lead back to the initial sets."""
    escapes = []
    if now[0] != then[0]:
        escapes.append(then[0].escape)
    if now[1] != then[1] and then[1] is not None:
        escapes.append(then[1].escape)
    return escapes


def _guess(raw: bytes) -> str:
    try:
        return raw.decode("utf_8")
    except UnicodeDecodeError:
        return raw.decode("iso8859_1")


def character_sets(terms: Sequence[str]) -> CharacterSets:
    """Return the character sets that the values of Specific Character Set name.

    Spelling is tolerated as it is met: ``ISO IR 100``, ``ISO-IR 100``, ``iso_ir 192``.
    """
    if sum(map(len, terms)) > _CACHED_LENGTH:
        return _character_sets.__wrapped__(tuple(terms))
    return _character_sets(tuple(terms))


_CACHED_LENGTH = 256


@lru_cache(maxsize=256)
def _character_sets(terms: tuple[str, ...]) -> CharacterSets:
    given = tuple(term.strip(" \0") for term in terms)
    if not any(given):
        return CharacterSets()
    known, unknown = [], []
    for term in given:
        number = _number_of(term)
        if number in _SETS or number in _WHOLE:
            known.append(number)
        else:
            unknown.append(term)
    whole = [number for number in known if number in _WHOLE]
    return CharacterSets(given, tuple(whole[:1] or known), tuple(unknown))


def _number_of(term: str) -> str:
    """Return the number that a defined term ends in, or its letters and digits; 6 for an empty one (PS3.3 C.12.1.1.2)."""
    letters = "".join(filter(str.isalnum, term.upper()))
    letters = _ALIASES.get(letters, letters)
    for prefix in ("ISO2022IR", "ISOIR"):
        letters = letters.removeprefix(prefix)
    return letters or "6"
