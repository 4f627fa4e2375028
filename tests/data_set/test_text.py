"""Text in the character sets of PS3.5 6.1 and its Annexes H to K: decoded, encoded, and tolerated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.data_set.text import CharacterSets, character_sets
from tests.matching import cases_character_sets as examples
from tests.matching.character_sets import decode as decode_plainly

PN = "\\^="

SINGLE_BYTE = {
    "100": "Müller",
    "101": "Dvořák",
    "109": "Ĝoja",
    "110": "Ķēniņš",
    "144": "Люксембург",
    "127": "قباني^لنزار",
    "126": "Διονυσιος",
    "138": "שרון^דבורה",
    "148": "Çavuşoğlu",
    "166": "นามสกุล",
    "13": "ﾔﾏﾀﾞ^ﾀﾛｳ",
}

# Specific Character Set, and a name that only it, or it and ASCII, can hold.
NAMES = [
    *(((f"ISO_IR {number}",), name) for number, name in SINGLE_BYTE.items()),
    *(((f"ISO 2022 IR {number}",), name) for number, name in SINGLE_BYTE.items()),
    (("", "ISO 2022 IR 87"), "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    (("ISO 2022 IR 13", "ISO 2022 IR 87"), "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    (("", "ISO 2022 IR 87", "ISO 2022 IR 159"), "Yamada=丂丄 丅=やまだ"),
    (("", "ISO 2022 IR 87", "ISO 2022 IR 159"), "丂山丄"),
    (("", "ISO 2022 IR 149"), "Hong^Gildong=洪^吉洞=홍^길동"),
    (("ISO 2022 IR 149",), "홍^길동"),
    (("", "ISO 2022 IR 58"), "Zhang^XiaoDong=张^小东="),
    (("ISO 2022 IR 100", "ISO 2022 IR 126"), "Müller^Διονυσιος^é"),
    (("ISO 2022 IR 6", "ISO 2022 IR 144", "ISO 2022 IR 101"), "Люксембург Dvořák\\Люк"),
    (("ISO_IR 192",), "Wang^XiaoDong=王^小东"),
    (("GB18030",), "Wang^XiaoDong=王^小东\\𠀀"),
    (("GBK",), "Wang^XiaoDong=王^小东"),
]


@pytest.mark.parametrize(("terms", "name"), NAMES, ids=ascii)
def test_a_name_survives_being_encoded(terms: tuple[str, ...], name: str) -> None:
    sets = character_sets(terms)
    raw = sets.encode(name, PN)
    assert sets.decode(raw, PN.encode()) == name
    assert "\\".join(decode_plainly(raw, terms, "PN")) == name
    assert sets.holds(name)
    assert sets.unknown == ()
    assert not sets.is_default


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (examples.YAMADA, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (examples.YAMADA_KATAKANA, "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        (examples.HONG, "Hong^Gildong=洪^吉洞=홍^길동"),
        (examples.WANG_GB18030, "Wang^XiaoDong=王^小东="),
        (examples.ZHANG, "Zhang^XiaoDong=张^小东="),
        (examples.DIONYSIOS, "Διονυσιος"),
        (examples.RUSSIAN, "Люкceмбypг"),
        (examples.ARABIC, "قباني^لنزار"),
        (examples.HEBREW, "שרון^דבורה"),
    ],
    ids=ascii,
)
def test_the_examples_of_the_standard_are_decoded(encoded: examples.Encoded, text: str) -> None:
    assert character_sets(encoded.character_sets).decode(encoded.raw, PN.encode()) == text


@pytest.mark.parametrize(
    "spelling",
    [
        "ISO_IR 100",
        "ISO IR 100",
        "ISO-IR 100",
        "iso_ir_100",
        "ISO_IR100",
        " ISO_IR 100 ",
        "ISO_IR 100\0",
        "ISO 2022 IR 100",
    ],
)
def test_spellings_of_a_term_are_tolerated(spelling: str) -> None:
    assert character_sets([spelling]).decode(b"M\xfcller") == "Müller"


def test_utf_8_by_another_name_is_tolerated() -> None:
    assert character_sets(["UTF-8"]).decode("Müller".encode()) == "Müller"


def test_a_set_without_escape_sequences_is_the_only_one() -> None:
    assert character_sets(["ISO 2022 IR 6", "ISO_IR 192"]).decode("山田\x1b".encode()) == "山田\x1b"


@pytest.mark.parametrize(
    ("terms", "raw", "text"),
    [
        ((), "Müller".encode(), "Müller"),
        ((), b"M\xfcller", "Müller"),
        (("KOI8-R",), b"M\xfcller", "Müller"),
        (("ISO_IR 6",), b"M\xfcller", "Müller"),
        (("ISO_IR 192",), b"M\xfcller", "M\ufffdller"),
        (("", "ISO 2022 IR 149"), b"\xfb\xf3^\xd1\xce", "洪^吉"),
        (("", "ISO 2022 IR 149"), b"\x1b$)C\xfb\xf3^\xd1\xce\xd4\xd7", "洪^吉洞"),
        (("ISO_IR 100",), b"\x1b$B;3ED\x1b(B", "山田"),
        (("ISO 2022 IR 87",), b"\x1b$B;3ED\x1b(B", "山田"),
        (("", "ISO 2022 IR 87"), b"\x1b$@;3ED\x1b(B", "山田"),
        (("", "ISO 2022 IR 87"), b"\x1bXab\x1b", "\ufffdXab\ufffd"),
        (("", "ISO 2022 IR 87"), b"\x1b$B;3E", "山\ufffd"),
        (("", "ISO 2022 IR 87"), b"\x1b$B;3\r\nED", "山\r\nED"),
        (("ISO 2022 IR 149",), b"\xfb\xf3", "洪"),
    ],
    ids=ascii,
)
def test_what_peers_send_is_read(terms: tuple[str, ...], raw: bytes, text: str) -> None:
    assert character_sets(terms).decode(raw, PN.encode()) == text


@pytest.mark.parametrize("terms", [("GB18030",), ("GBK",), ("", "ISO 2022 IR 87")], ids=ascii)
def test_no_value_is_split_inside_a_character(terms: tuple[str, ...]) -> None:
    sets = character_sets(terms)
    with_backslash = {"GB18030": "乗", "GBK": "乗", "": "棔"}[terms[0]]
    raw = sets.encode(f"{with_backslash}\\b")
    assert raw.count(b"\\") == 2
    assert sets.decode(raw).split("\\") == [with_backslash, "b"]


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ((), "ü"),
        (("ISO_IR 6",), "ü"),
        (("ISO_IR 100",), "山"),
        (("ISO_IR 13",), "¥"),
        (("ISO_IR 13",), "山"),
        (("ISO_IR 100", "ISO_IR 126"), "山"),
        (("GBK",), "𠀀"),
        (("", "ISO 2022 IR 149"), "뷁"),
    ],
    ids=ascii,
)
def test_what_a_set_does_not_have_is_not_encoded(terms: tuple[str, ...], text: str) -> None:
    assert not character_sets(terms).holds(text)
    with pytest.raises(UnicodeEncodeError):
        character_sets(terms).encode(text)


def test_what_is_known_and_what_is_not_are_told() -> None:
    sets = character_sets(["ISO 2022 IR 6", "KOI8-R"])
    assert (sets.known, sets.unknown) == (("6",), ("KOI8-R",))
    assert character_sets(["", " "]) == CharacterSets()
    assert CharacterSets().is_default


def test_a_long_term_is_not_kept() -> None:
    assert character_sets(["x" * 1000]).unknown == ("x" * 1000,)


@given(st.binary(max_size=40), st.sampled_from([terms for terms, _ in NAMES]))
def test_any_bytes_are_decoded(raw: bytes, terms: tuple[str, ...]) -> None:
    assert isinstance(character_sets(terms).decode(raw, PN.encode()), str)


@given(st.data())
def test_any_text_of_a_set_survives(data: st.DataObject) -> None:
    terms, name = data.draw(st.sampled_from(NAMES))
    text = data.draw(st.text(sorted(set(name) | set("aA^=\\ \r\n")), max_size=20))
    sets = character_sets(terms)
    raw = sets.encode(text, PN)
    assert sets.decode(raw, PN.encode()) == text
    assert "\\".join(decode_plainly(raw, terms, "PN")) == text
