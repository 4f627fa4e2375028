"""A second decoder of text in the character sets of PS3.5 6.1.2 and 6.1.2.5, as plain as the second matching.

decode(b"\\x1b$B;3ED\\x1b(B", ["", "ISO 2022 IR 87"])  # ["山田"]
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.matching.reference import SINGLE_VALUED

# One byte a character, without code extensions (PS3.3 Table C.12-2).
SINGLE_BYTE = {
    "ISO_IR 100": "iso8859_1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 127": "iso8859_6",
    "ISO_IR 126": "iso8859_7",
    "ISO_IR 138": "iso8859_8",
    "ISO_IR 148": "iso8859_9",
    "ISO_IR 166": "tis_620",
    "ISO_IR 13": "shift_jis",
}

# Several bytes a character, without code extensions (Table C.12-5).
MULTI_BYTE = {"ISO_IR 192": "utf_8", "GB18030": "gb18030", "GBK": "gbk"}

# The sets that an escape sequence puts into G0 or G1 (Tables C.12-3 and C.12-4): where, codec, bytes a character.
ASCII_G0 = ("G0", "ascii", 1)
ESCAPES = {
    b"\x1b(B": ASCII_G0,
    b"\x1b(J": ("G0", "jis_roman", 1),
    b"\x1b)I": ("G1", "shift_jis", 1),
    b"\x1b-A": ("G1", "iso8859_1", 1),
    b"\x1b-B": ("G1", "iso8859_2", 1),
    b"\x1b-C": ("G1", "iso8859_3", 1),
    b"\x1b-D": ("G1", "iso8859_4", 1),
    b"\x1b-L": ("G1", "iso8859_5", 1),
    b"\x1b-G": ("G1", "iso8859_6", 1),
    b"\x1b-F": ("G1", "iso8859_7", 1),
    b"\x1b-H": ("G1", "iso8859_8", 1),
    b"\x1b-M": ("G1", "iso8859_9", 1),
    b"\x1b-T": ("G1", "tis_620", 1),
    b"\x1b$B": ("G0", "jis_x_0208", 2),
    b"\x1b$(D": ("G0", "jis_x_0212", 2),
    b"\x1b$)C": ("G1", "euc_kr", 2),
    b"\x1b$)A": ("G1", "gb2312", 2),
}

# The set that the first value of (0008,0005) puts into G1 at the beginning, and after each reset.
FIRST_G1 = {f"ISO 2022 IR {number.removeprefix('ISO_IR ')}": codec for number, codec in SINGLE_BYTE.items()}


def decode(raw: bytes, character_sets: Sequence[str], vr: str = "LO") -> list[str]:
    """Return the values of a value field.

    Args:
        raw: The bytes of the field.
        character_sets: The values of Specific Character Set (0008,0005), none where it is absent.
        vr: The value representation, which decides about backslashes, and about resets in names.

    Raises:
        LookupError: The character set is not one of the Standard's.
    """
    text = _decoded(raw, [name.strip() for name in character_sets], vr)
    return [text] if vr in SINGLE_VALUED else text.split("\\")


def _decoded(raw: bytes, character_sets: list[str], vr: str) -> str:
    if not any(character_sets):
        return _guessed(raw)
    first = character_sets[0]
    if len(character_sets) == 1 and first in SINGLE_BYTE:
        return raw.decode(SINGLE_BYTE[first], "replace")
    if len(character_sets) == 1 and first in MULTI_BYTE:
        return raw.decode(MULTI_BYTE[first], "replace")
    if len(character_sets) == 1 and first == "ISO_IR 6":
        return raw.decode("ascii", "replace")
    for name in character_sets:
        if name and not name.startswith("ISO 2022 IR "):
            raise LookupError(f"unknown character set {name!r}")
    return _with_code_extensions(raw, FIRST_G1.get(first), vr)


def _guessed(raw: bytes) -> str:
    """Return 8-bit text without a character set: UTF-8 if it is valid UTF-8, else Latin alphabet No. 1."""
    try:
        return raw.decode("utf_8")
    except UnicodeDecodeError:
        return raw.decode("iso8859_1")


def _with_code_extensions(raw: bytes, first_g1: str | None, vr: str) -> str:
    """Return text of ISO 2022: each escape sequence holds until the next, or until a delimiter resets both sets."""
    resets = b"\r\n\f\t" + (b"" if vr in SINGLE_VALUED else b"\\") + (b"^=" if vr == "PN" else b"")
    initial = {"G0": ASCII_G0, "G1": ("G1", first_g1, 1)}
    sets = dict(initial)
    text, at = "", 0
    while at < len(raw):
        escape = next((sequence for sequence in ESCAPES if raw.startswith(sequence, at)), None)
        if escape is not None:
            sets[ESCAPES[escape][0]] = ESCAPES[escape]
            at += len(escape)
            continue
        byte = raw[at]
        _, codec, length = sets["G1" if byte >= 0x80 else "G0"]
        # Control characters and the space are outside of every set; so is a delimiter, unless it is half a character.
        if byte <= 0x20 or (length == 1 and byte in resets):
            text += chr(byte)
            if byte in resets:
                sets = dict(initial)
            at += 1
            continue
        text += _character(raw[at : at + length], codec)
        at += length
    return text


def _character(code: bytes, codec: str | None) -> str:
    if codec is None:
        return "\N{REPLACEMENT CHARACTER}" * len(code)
    if codec == "jis_roman":
        return {b"\\": "\\", b"~": "\N{OVERLINE}"}.get(code) or code.decode("ascii")
    if codec == "jis_x_0208":
        return bytes(byte | 0x80 for byte in code).decode("euc_jp", "replace")
    if codec == "jis_x_0212":
        return (b"\x8f" + bytes(byte | 0x80 for byte in code)).decode("euc_jp", "replace")
    return code.decode(codec, "replace")
