"""Cases of attribute matching in bytes: key and stored value each in a character set of its own (PS3.5 6.1 and H to K)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.matching.table import NO, YES


class Encoded(NamedTuple):
    """A value field and the values of Specific Character Set that it is read by."""

    raw: bytes
    character_sets: Sequence[str] = ()


class EncodedCase(NamedTuple):
    """A row of the table: a key held against a stored value, both as bytes."""

    vr: str
    key: Encoded
    stored: Encoded
    expected: str
    why: str


UTF_8 = ("ISO_IR 192",)
JAPANESE = ("", "ISO 2022 IR 87")
JAPANESE_KATAKANA = ("ISO 2022 IR 13", "ISO 2022 IR 87")
JAPANESE_0212 = ("", "ISO 2022 IR 87", "ISO 2022 IR 159")
KOREAN = ("", "ISO 2022 IR 149")
LATIN_GREEK = ("ISO 2022 IR 100", "ISO 2022 IR 126")
CHINESE = ("", "ISO 2022 IR 58")

# What the Standard prints, and what it stands for.
YAMADA = Encoded(b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B", JAPANESE)
YAMADA_KATAKANA = Encoded(
    b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
    JAPANESE_KATAKANA,
)
HONG = Encoded(b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf", KOREAN)
WANG = Encoded("Wang^XiaoDong=王^小东=".encode(), UTF_8)
WANG_GB18030 = Encoded(b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", ("GB18030",))
ZHANG = Encoded(b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=", CHINESE)
BUC = Encoded(b"Buc^J\xe9r\xf4me", ("ISO_IR 100",))
AENEAS = Encoded(b"\xc4neas^R\xfcdiger", ("ISO_IR 100",))
DIONYSIOS = Encoded(b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", ("ISO_IR 126",))
RUSSIAN = Encoded(b"\xbb\xee\xdace\xdc\xd1yp\xd3", ("ISO_IR 144",))
ARABIC = Encoded(b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", ("ISO_IR 127",))
HEBREW = Encoded(b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", ("ISO_IR 138",))
THAI = Encoded("นามสกุล^ชื่อ".encode("tis_620"), ("ISO_IR 166",))
POLISH = Encoded("Wałęsa^Lech".encode("iso8859_2"), ("ISO_IR 101",))
TURKISH = Encoded("Şahin^Ayşe".encode("iso8859_9"), ("ISO_IR 148",))
MALTESE = Encoded("Għarb^Ġorġ".encode("iso8859_3"), ("ISO_IR 109",))
LATVIAN = Encoded("Bērziņš^Jānis".encode("iso8859_4"), ("ISO_IR 110",))


def utf_8(text: str) -> Encoded:
    """Return a key in UTF-8."""
    return Encoded(text.encode(), UTF_8)


def _found_by(
    stored: Encoded, why: str, *keys: Encoded | str, vr: str = "PN", expected: str = YES
) -> list[EncodedCase]:
    return [EncodedCase(vr, key if isinstance(key, Encoded) else utf_8(key), stored, expected, why) for key in keys]


EXAMPLES: list[EncodedCase] = [
    *_found_by(
        YAMADA, "PS3.5 H: ISO 2022 IR 87", YAMADA, "Yamada^Tarou", "=山田^太郎", "==やまだ^たろう", "山田*", "やまだ*"
    ),
    *_found_by(YAMADA, "PS3.5 H: ISO 2022 IR 87", Encoded(b"\x1b$B;3ED\x1b(B*", JAPANESE), Encoded(b"YAMADA*")),
    *_found_by(YAMADA, "PS3.5 H: ISO 2022 IR 87", "田中*", "=やまだ*", expected=NO),
    *_found_by(
        YAMADA_KATAKANA, "PS3.5 H: ISO 2022 IR 13 and 87", YAMADA_KATAKANA, "ﾔﾏﾀﾞ^ﾀﾛｳ", "ヤマダ^タロウ", "=山田*"
    ),
    *_found_by(YAMADA_KATAKANA, "PS3.5 H: one group found from the other set", YAMADA, expected=NO),
    *_found_by(YAMADA_KATAKANA, "PS3.5 H: ISO_IR 13 alone", Encoded(b"\xd4\xcf\xc0\xde*", ("ISO_IR 13",))),
    *_found_by(HONG, "PS3.5 I: ISO 2022 IR 149", HONG, "Hong^Gildong", "=洪^吉洞", "==홍^길동", "홍*", "洪*", "홍^길?"),
    *_found_by(HONG, "PS3.5 I: ISO 2022 IR 149", Encoded(b"\x1b$)C\xc8\xab^*", KOREAN)),
    *_found_by(HONG, "PS3.5 I: ISO 2022 IR 149", "김*", "=홍*", expected=NO),
    *_found_by(WANG, "PS3.5 J: UTF-8", WANG, WANG_GB18030, "王^小东", "wang*", "=王*"),
    *_found_by(WANG_GB18030, "PS3.5 J: GB18030", WANG, WANG_GB18030, "王^小东", "wang*"),
    *_found_by(WANG_GB18030, "PS3.5 J: GBK has the same bytes", Encoded(b"=\xcd\xf5^\xd0\xa1\xb6\xab", ("GBK",))),
    *_found_by(WANG_GB18030, "PS3.5 J: GB18030", "张*", expected=NO),
    *_found_by(
        ZHANG, "PS3.5 K: ISO 2022 IR 58", ZHANG, "张^小东", "=张*", "ZHANG*", Encoded(b"=\xd5\xc5*", ("GB18030",))
    ),
    *_found_by(ZHANG, "PS3.5 K: ISO 2022 IR 58", "王*", expected=NO),
    *_found_by(BUC, "PS3.5 6.1: ISO_IR 100", BUC, "Buc^Jérôme", "BUC^JEROME", Encoded(b"BUC^JEROME"), "Buc^J?r?me"),
    *_found_by(AENEAS, "PS3.5 6.1: ISO_IR 100", AENEAS, "äneas^rüdiger", Encoded(b"ANEAS^*"), "Äneas*"),
    *_found_by(DIONYSIOS, "PS3.5 6.1: ISO_IR 126", DIONYSIOS, "Διονυσιος", "Διον*", "ΔΙΟΝΥΣΙΟΣ"),
    *_found_by(RUSSIAN, "PS3.5 6.1: ISO_IR 144", RUSSIAN, "Люкceмбypг", "люк*"),
    *_found_by(ARABIC, "PS3.5 6.1: ISO_IR 127", ARABIC, "قباني^لنزار", "قباني*"),
    *_found_by(HEBREW, "PS3.5 6.1: ISO_IR 138", HEBREW, "שרון^דבורה", "*דבורה"),
    *_found_by(THAI, "PS3.5 6.1: ISO_IR 166", THAI, "นามสกุล^ชื่อ", "นามสกุล*"),
    *_found_by(POLISH, "PS3.5 6.1: ISO_IR 101", POLISH, "Wałęsa^Lech", "wałesa*"),
    *_found_by(TURKISH, "PS3.5 6.1: ISO_IR 148", TURKISH, "Şahin^Ayşe", "SAHIN^AYSE"),
    *_found_by(MALTESE, "PS3.5 6.1: ISO_IR 109", MALTESE, "Għarb^Ġorġ", "*^gorg"),
    *_found_by(LATVIAN, "PS3.5 6.1: ISO_IR 110", LATVIAN, "Bērziņš^Jānis", "BERZINS^JANIS"),
]

EDGES: list[EncodedCase] = [
    EncodedCase(
        "PN", Encoded(b"MULLER"), Encoded(b"M\xfcller", ("ISO_IR 100",)), YES, "An umlaut is found by the letter"
    ),
    EncodedCase(
        "PN", Encoded(b"M\xfcller"), Encoded(b"M\xc3\xbcller", UTF_8), YES, "8-bit without a set, not UTF-8: ISO_IR 100"
    ),
    EncodedCase(
        "PN", Encoded(b"M\xc3\xbcller"), Encoded(b"M\xfcller", ("ISO_IR 100",)), YES, "8-bit without a set: UTF-8"
    ),
    EncodedCase(
        "PN", Encoded(b"M\xc3\xbcller", ("",)), Encoded(b"M\xfcller", ("ISO_IR 100",)), YES, "An empty set is no set"
    ),
    EncodedCase(
        "PN",
        Encoded(b"M\xc3\xbcller", ("ISO_IR 100",)),
        Encoded(b"M\xfcller", ("ISO_IR 100",)),
        NO,
        "The set says otherwise",
    ),
    EncodedCase(
        "LO",
        utf_8("?"),
        Encoded(b"\xe9", ("ISO_IR 100",)),
        YES,
        "C.2.2.2.4: a question mark is a character, not a byte",
    ),
    EncodedCase(
        "LO",
        utf_8("?"),
        Encoded(b"\xcd\xf5", ("GB18030",)),
        YES,
        "C.2.2.2.4: a question mark is a character, not a byte",
    ),
    EncodedCase(
        "LO", utf_8("??"), Encoded(b"\x1b$B;3ED\x1b(B", JAPANESE), YES, "C.2.2.2.4: escape sequences are no characters"
    ),
    EncodedCase(
        "LO", utf_8("王"), Encoded(b"\xcd\xf5\\\xd0\xa1", ("GB18030",)), YES, "PS3.5 6.4: a backslash separates values"
    ),
    EncodedCase(
        "LO",
        utf_8("猏"),
        Encoded("猏".encode("gb18030"), ("GB18030",)),
        YES,
        "PS3.5 6.1.2.3: the second byte is not looked at",
    ),
    EncodedCase(
        "LO", utf_8("乗"), Encoded(b"\x81\x5c", ("GB18030",)), YES, "PS3.5 6.1.2.3: a backslash byte within a character"
    ),
    EncodedCase(
        "LO",
        utf_8("乗"),
        Encoded(b"A\\\x81\x5c", ("GB18030",)),
        YES,
        "PS3.5 6.1.2.3: a backslash byte within a character",
    ),
    EncodedCase(
        "LO", utf_8("乗"), Encoded(b"\x81\x5c", ("GBK",)), YES, "PS3.5 6.1.2.3: a backslash byte within a character"
    ),
    EncodedCase(
        "PN",
        utf_8("傁*"),
        Encoded("傁^A".encode("gb18030"), ("GB18030",)),
        YES,
        "PS3.5 6.1.2.3: a caret is a delimiter after a character",
    ),
    EncodedCase(
        "LO",
        utf_8("Müller"),
        Encoded("Müller".encode("iso8859_1"), ("ISO 2022 IR 100",)),
        YES,
        "PS3.5 6.1.2.5: the first set holds without an escape",
    ),
    EncodedCase("LO", utf_8("Δ"), Encoded(b"\x1b-F\xc4", LATIN_GREEK), YES, "PS3.5 6.1.2.5: a set after its escape"),
    EncodedCase(
        "LO",
        utf_8("B\u00c4"),
        Encoded(b"\x1b-F\xc4\\B\xc4", LATIN_GREEK),
        YES,
        "PS3.5 6.1.2.5.3: a backslash resets the sets",
    ),
    EncodedCase(
        "PN", utf_8("Δ^Ä"), Encoded(b"\x1b-F\xc4^\xc4", LATIN_GREEK), YES, "PS3.5 6.1.2.5.3: a caret resets the sets"
    ),
    EncodedCase(
        "PN",
        utf_8("Δ=Ä"),
        Encoded(b"\x1b-F\xc4=\xc4", LATIN_GREEK),
        YES,
        "PS3.5 6.1.2.5.3: an equals sign resets the sets",
    ),
    EncodedCase(
        "LO",
        utf_8("Δ^Δ"),
        Encoded(b"\x1b-F\xc4^\xc4", LATIN_GREEK),
        YES,
        "PS3.5 6.1.2.5.3: a caret is a character outside of a name",
    ),
    EncodedCase(
        "LT",
        utf_8("Δ\r\nÄ"),
        Encoded(b"\x1b-F\xc4\r\n\xc4", LATIN_GREEK),
        YES,
        "PS3.5 6.1.2.5.3: a line end resets the sets",
    ),
    EncodedCase(
        "LO", utf_8("丂"), Encoded(b"\x1b$(D0\x21\x1b(B", JAPANESE_0212), YES, "PS3.5 6.1.2.5: ISO 2022 IR 159"
    ),
    EncodedCase(
        "LO", utf_8("山"), Encoded(b"\x1b$B;3", JAPANESE), YES, "PS3.5 6.1.2.5: the return to ASCII is forgotten"
    ),
    EncodedCase(
        "LO",
        utf_8("AB"),
        Encoded(b"\x1b(JAB", JAPANESE_KATAKANA),
        YES,
        "PS3.5 6.1.2.5: JIS X 0201 Romaji is read as ASCII",
    ),
    EncodedCase(
        "CS",
        Encoded(b"CT", UTF_8),
        Encoded(b"CT", ("GB18030",)),
        YES,
        "PS3.5 6.1.2.2: a code string is ASCII in every set",
    ),
    EncodedCase(
        "PN",
        Encoded(b"DOE*", ("ISO_IR 6",)),
        Encoded(b"Doe^John", ("ISO_IR 100",)),
        YES,
        "PS3.5 6.1.2.1: ISO_IR 6 by its name",
    ),
]

CASES: list[EncodedCase] = [*EXAMPLES, *EDGES]
