"""Keys and stored values of every VR, near enough to each other that they often match."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.matching.reference import Element, Options

TEXT_VRS = ["AE", "AS", "CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"]
INTEGERS = {"SL": 32, "SS": 16, "SV": 64, "UL": 32, "US": 16, "UV": 64}

# Letters with and without marks and in both widths, what separates and what pads, wild cards in both widths.
_LETTERS = 'aAbBßÉé\u0301eＡ＊？？ﾞｶカガ山İıſσς1 ,-\0\t"\u3000\u00a0'
_WORDS = st.sampled_from(
    ["doe", "DOE", "Doe", "müller", "MULLER", "Smith", "Schmidt", "jo", "John", "山田", "O'Neil", "van der"]
)
_text = st.text(_LETTERS, max_size=6)


def with_wildcards(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return texts of which some characters are replaced by wild cards, and a few are changed otherwise."""

    @st.composite
    def changed(draw: st.DrawFn) -> str:
        text = draw(values)
        for _ in range(draw(st.integers(0, 3))):
            at, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
            text = text[:at] + draw(st.sampled_from(["*", "?", "", "", " ", "\\", "**", "^", "="])) + text[end:]
        return text

    return changed()


def swapped(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return texts, some in the other case."""
    return st.builds(lambda text, how: how(text), values, st.sampled_from([str, str.upper, str.lower, str.swapcase]))


names = st.lists(st.lists(st.one_of(_WORDS, _text), max_size=3).map("^".join), min_size=1, max_size=3).map("=".join)

_year = st.sampled_from(["2023", "2024", "0001", "9999", "0000"])
_two = st.sampled_from(["00", "01", "02", "10", "11", "12", "23", "24", "29", "31", "59", "60"])
_fraction = st.sampled_from([".0", ".5", ".50", ".123456", ".1234567", "."])
_offset = st.sampled_from(["", "", "", "+0000", "-0000", "+0100", "-0500", "+1400", "+1401", "-1200", "-1300", "-0060"])


@st.composite
def dates(draw: st.DrawFn) -> str:
    separator = draw(st.sampled_from(["", "", "", "."]))
    return separator.join((draw(_year), draw(_two), draw(_two)))


@st.composite
def times(draw: st.DrawFn) -> str:
    separator = draw(st.sampled_from(["", "", "", ":"]))
    parts = draw(st.lists(_two, min_size=1, max_size=3))
    return separator.join(parts) + draw(st.one_of(st.just(""), st.just(""), _fraction))


@st.composite
def date_times(draw: st.DrawFn) -> str:
    parts = draw(st.lists(_two, max_size=5))
    return draw(_year) + "".join(parts) + draw(st.one_of(st.just(""), st.just(""), _fraction)) + draw(_offset)


def ranges(moments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return moments and ranges of them, open ones too."""
    end = st.one_of(st.just(""), moments, moments)
    space = st.sampled_from(["", "", " "])
    return st.one_of(moments, st.tuples(end, space, st.just("-"), space, end).map("".join))


_digits = st.text("0123456789", max_size=4)
numbers = st.tuples(
    st.sampled_from(["", "", "+", "-", " "]),
    _digits,
    st.sampled_from(["", "", ".", ".0", ".5", ".50"]),
    st.sampled_from(["", "", "", "e0", "E+1", "e-1", "e", "x"]),
).map("".join)
uids = st.sampled_from(["1.2.3", "1.2.4", "1.2.30", "1.2.03", "1.2.", "1.2.*", "", "1.2.3 ", "1.2.3\0", "9" * 65])
ages = st.sampled_from(["018M", "018Y", "18Y", "", "018m", "018M "])


def lists(values: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[tuple[str, ...]]:
    """Return several values, most often one."""
    return st.one_of(values.map(lambda value: (value,)), st.lists(values, max_size=most).map(tuple))


@st.composite
def plain_pairs(draw: st.DrawFn) -> tuple[Element, Element, str]:
    """Return a key, a stored element of its VR, and a keyword, which decides about case for a few."""
    vr = draw(
        st.sampled_from([*TEXT_VRS, *["PN"] * 4, "DA", "TM", "DT", "DT", "IS", "DS", "UI", "AT", "FL", "FD", *INTEGERS])
    )
    keyword = draw(st.sampled_from(["", "", "PatientID", "StudyDescription", "AccessionNumber"]))
    stored: st.SearchStrategy[str]
    if vr == "PN":
        stored = names
    elif vr in TEXT_VRS:
        stored = ages if vr == "AS" else st.one_of(_text, _WORDS)
    else:
        kinds = {"DA": dates(), "TM": times(), "DT": date_times(), "IS": numbers, "DS": numbers, "UI": uids}
        stored = kinds[vr] if vr in kinds else _binary(vr)
    values = draw(lists(stored))
    wanted: st.SearchStrategy[str] = stored
    if vr in ("DA", "TM", "DT"):
        wanted = ranges(st.one_of(stored, st.sampled_from(values))) if values else ranges(stored)
    elif vr in ("PN", *TEXT_VRS):
        near = st.one_of(stored, st.sampled_from(values)) if values else stored
        wanted = with_wildcards(swapped(near))
    elif values:
        wanted = st.one_of(stored, st.sampled_from(values))
    keys = draw(
        lists(st.one_of(wanted, wanted, wanted, st.sampled_from(['""', "*", ""]) if vr not in _BINARY else wanted))
    )
    single = vr in ("LT", "ST", "UR", "UT")
    return Element(vr, keys[:1] if single else keys), Element(vr, values[:1] if single else values), keyword


_BINARY = frozenset(["AT", "FL", "FD", *INTEGERS])


def _binary(vr: str) -> st.SearchStrategy[str]:
    if vr == "AT":
        return st.sampled_from(["00100010", "00100020", "0010,0010"])
    if vr in ("FL", "FD"):
        return st.sampled_from(["0", "-0.0", "1.5", "0.1", "1e3"])
    most = 2 ** (INTEGERS[vr] - 1) - 1
    return st.sampled_from(["0", "1", "7", str(most)])


options = st.builds(
    Options,
    match_case=st.booleans(),
    match_unknown=st.booleans(),
    multiple_values=st.booleans(),
    empty_values=st.booleans(),
    fuzzy=st.booleans(),
    date_time=st.booleans(),
    offset=st.sampled_from([0, 60, -300]),
)

_TAGS_OF = {"PatientName": "PN", "CodeValue": "SH", "StudyDate": "DA", "StudyTime": "TM", "InstanceNumber": "IS"}


@st.composite
def items(draw: st.DrawFn, is_key: bool, depth: int = 0) -> dict[str, Element]:
    """Return the attributes of an entity or of an item, or keys for them."""
    found = {}
    of_vr = {"PN": names, "SH": st.one_of(_text, _WORDS), "DA": dates(), "TM": times(), "IS": numbers}
    for keyword, vr in _TAGS_OF.items():
        if draw(st.booleans()):
            values: st.SearchStrategy[str] = of_vr[vr]
            if is_key and vr in ("DA", "TM"):
                values = ranges(values)
            elif is_key and vr in ("PN", "SH"):
                values = with_wildcards(values)
            found[keyword] = Element(vr, (draw(values),))
    if depth < 2 and draw(st.booleans()):
        most = draw(st.sampled_from([1, 1, 1, 2])) if is_key else 3
        inner = draw(st.lists(items(is_key, depth + 1), max_size=most))
        found["ContentSequence"] = Element("SQ", items=tuple(inner))
    return found


# Specific Character Set, and letters that it has.
CHARACTER_SETS = [
    ((), "aB"),
    (("ISO_IR 100",), "aBüÜé"),
    (("ISO_IR 101",), "aBřŘ"),
    (("ISO_IR 144",), "aBлЛ"),
    (("ISO_IR 126",), "aBσςΣ"),
    (("ISO_IR 13",), "aBｱｶﾞ"),
    (("ISO_IR 192",), "aBü山ｱア홍é\u0301"),
    (("GB18030",), "aB王乗"),
    (("GBK",), "aB王乗"),
    (("", "ISO 2022 IR 87"), "aB山棔ア"),
    (("ISO 2022 IR 13", "ISO 2022 IR 87"), "aB山ｱｶﾞ"),
    (("", "ISO 2022 IR 149"), "aB홍洪"),
    (("", "ISO 2022 IR 58"), "aB张东"),
    (("ISO 2022 IR 100", "ISO 2022 IR 126"), "aBüσ"),
]


@st.composite
def encoded(draw: st.DrawFn, vr: str, is_key: bool) -> tuple[tuple[str, ...], str]:
    """Return the values of Specific Character Set, and a text that they have."""
    terms, letters = draw(st.sampled_from(CHARACTER_SETS))
    separators = ("^=" if vr == "PN" else "") + ("" if vr == "LT" else "\\") + " " + ("*?" if is_key else "")
    return terms, draw(st.text(letters * 2 + separators, max_size=8))
