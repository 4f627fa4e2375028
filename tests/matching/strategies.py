"""Hypothesis strategies of keys and stored elements, made so that about as many match as do not.

A key is made from what is stored: whole, with wild cards, as a range around it, in other case or padding. Some keys are
made without looking. Use the strategies to hold two implementations against each other:

    @given(pairs())
    def test_both_agree(pair: Pair) -> None:
        ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hypothesis import strategies as st

from tests.matching.reference import SEVERAL_VALUES, SINGLE_VALUED, WILD_CARDS, Element, Options

# Letters whose forms differ by case, marks and width; digits; what a name, a pattern or a database takes for its own.
LETTERS = "abAB12ÄäéßŁ山田やﾔヤ홍Жж"
MARKS = " ^=-,.%_'\"*?[]"
TEXT = st.text(LETTERS + MARKS, max_size=12)
WORD = st.text(LETTERS, min_size=1, max_size=6)

INTEGER_RANGES = {
    "US": (0, 65535),
    "SS": (-32768, 32767),
    "UL": (0, 2**32 - 1),
    "SL": (-(2**31), 2**31 - 1),
    "UV": (0, 2**64 - 1),
    "SV": (-(2**63), 2**63 - 1),
}
VRS = sorted(WILD_CARDS | set(INTEGER_RANGES) | {"AS", "AT", "DA", "DS", "DT", "FD", "FL", "IS", "TM", "UI"})


class Pair(NamedTuple):
    """A key and a stored element (None: absent) of one VR, and what was negotiated."""

    key: Element
    stored: Element | None
    options: Options
    keyword: str


def digits(first: int, last: int, width: int) -> st.SearchStrategy[str]:
    """Return a strategy of numbers from `first` to `last`, filled with zeros."""
    return st.integers(first, last).map(lambda number: f"{number:0{width}}")


def _joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


DAYS = _joined(st.sampled_from(["2023", "2024"]), digits(1, 12, 2), digits(1, 31, 2))
DATES = st.one_of(
    DAYS, DAYS.map(lambda day: f"{day[:4]}.{day[4:6]}.{day[6:]}"), st.sampled_from(["2024", "00000000", "x"])
)
FULL_TIMES = _joined(
    digits(0, 24, 2), digits(0, 60, 2), digits(0, 60, 2), st.sampled_from(["", ".5", ".500001", ".999999"])
)
TIMES = st.one_of(
    FULL_TIMES,
    FULL_TIMES.map(lambda time: time[:4]),
    FULL_TIMES.map(lambda time: time[:2]),
    FULL_TIMES.map(lambda time: f"{time[:2]}:{time[2:4]}"),
    FULL_TIMES.map(lambda time: f"{time[:2]}:{time[2:4]}:{time[4:]}"),
    st.just("x"),
)
OFFSETS = st.sampled_from(["", "", "+0000", "+0100", "-0500", "+1400", "-1200", "+1500"])
DATE_TIMES = st.one_of(
    _joined(DAYS, FULL_TIMES, OFFSETS),
    _joined(DAYS, OFFSETS),
    _joined(st.sampled_from(["2023", "2024", "202401", "2024022912", "202402291230"]), OFFSETS),
)
UIDS = st.one_of(
    st.sampled_from(["1.2.3", "1.2.30", "1.2", "1.2.03", "1..2", "abc"]), st.integers(1, 9).map(lambda n: f"1.2.{n}")
)
INTEGER_TEXTS = _joined(st.sampled_from(["", "+", "-", "00"]), st.integers(0, 12).map(str))
DECIMAL_TEXTS = st.sampled_from(
    ["1", "1.0", "01", "1.50", "1.5", "15e-1", "1.5E0", "-0", "0", ".5", "0.5", "5.", "x", "1,5"]
)
AGES = _joined(digits(0, 3, 3), st.sampled_from("DWMY"))
TAGS = st.sampled_from(["0010,0010", "0010,0020", "7FE0,0010", "7fe0,0010"])
NAMES = st.one_of(
    TEXT,
    st.lists(
        st.one_of(WORD, st.sampled_from(["Müller", "MULLER", "Smith", "Smyth", "Doe", "山田", "ﾔﾏﾀﾞ", "홍"])),
        min_size=1,
        max_size=3,
    ).map("^".join),
    st.lists(WORD, min_size=2, max_size=3).map("=".join),
)

VALUES: dict[str, st.SearchStrategy[str]] = {
    **dict.fromkeys(WILD_CARDS, TEXT),
    "PN": NAMES,
    "CS": st.sampled_from(["CT", "MR", "CR", "ct", "C", "CT_X"]),
    "AE": st.sampled_from(["STORESCP", "storescp", "STORE", "A B", "A"]),
    "AS": AGES,
    "AT": TAGS,
    "DA": DATES,
    "TM": TIMES,
    "DT": DATE_TIMES,
    "UI": UIDS,
    "IS": INTEGER_TEXTS,
    "DS": DECIMAL_TEXTS,
    "FL": st.sampled_from(["0", "-0", "0.1", "0.10000000149011612", "1e10"]),
    "FD": st.sampled_from(["0", "-0", "0.1", "0.10000000149011612", "1e10"]),
    **{vr: st.one_of(st.integers(*limits), st.integers(0, 3)).map(str) for vr, limits in INTEGER_RANGES.items()},
}

OPTIONS = st.builds(
    Options,
    match_case=st.booleans(),
    match_unknown=st.booleans(),
    multiple_values=st.booleans(),
    empty_values=st.booleans(),
    fuzzy=st.booleans(),
    offset=st.sampled_from([0, 60, -300]),
)
KEYWORDS = st.sampled_from(["", "PatientID", "AccessionNumber", "StudyDescription"])


CHANGES: list[Callable[[str], str]] = [
    str,
    str.swapcase,
    lambda text: f" {text} ",
    lambda text: text + "\0",
    lambda text: text[:-1],
    lambda text: text + "x",
]


@st.composite
def keys_for(draw: st.DrawFn, vr: str, stored: str) -> str:
    """Draw one value of a key that has to do with a stored value, or has not."""
    ways = ["stored", "changed", "other"]
    ways += ["wild", "wild"] if vr in WILD_CARDS else []
    ways += ["range", "range"] if vr in ("DA", "TM", "DT") else []
    way = draw(st.sampled_from(ways))
    if way == "changed":
        return draw(st.sampled_from(CHANGES))(stored)
    if way == "other":
        return draw(VALUES[vr])
    if way == "wild":
        return "".join(draw(st.sampled_from([character, character, "?", "*", ""])) for character in stored)
    if way == "range":
        bounds = st.one_of(VALUES[vr], st.just(stored), st.just(""))
        return f"{draw(bounds)}-{draw(bounds)}"
    return stored


def _values(vr: str) -> st.SearchStrategy[tuple[str, ...]]:
    most = 1 if vr in SINGLE_VALUED else 3
    several = st.lists(VALUES[vr].map(lambda value: _one_value(vr, value)), max_size=most).map(tuple)
    return st.one_of(VALUES[vr].map(lambda value: (_one_value(vr, value),)), several)


def _one_value(vr: str, value: str) -> str:
    return value if vr in SINGLE_VALUED else value.replace("\\", "")


@st.composite
def pairs(draw: st.DrawFn, vrs: tuple[str, ...] = tuple(VRS)) -> Pair:
    """Draw a key and a stored element of one of these VRs, and options."""
    vr = draw(st.sampled_from(vrs))
    stored = draw(st.one_of(st.none(), _values(vr), _values(vr), _values(vr)))
    base = stored or (draw(VALUES[vr]),)
    count = draw(st.integers(1, 3)) if vr in SEVERAL_VALUES and draw(st.integers(0, 4)) == 0 else 1
    values = tuple(draw(keys_for(vr, draw(st.sampled_from(base)))) for _ in range(count))
    key = Element(vr, draw(st.sampled_from([values, values, values, values, values, (), ("*",), ('""',)])))
    element = None if stored is None else Element(vr, stored)
    return Pair(key, element, draw(OPTIONS), draw(KEYWORDS))


# Keys and values for an item: few, so that an item often matches in one attribute and not in another.
INNER: list[tuple[Element, Element | None]] = [
    (Element(vr, (key,) if key else ()), None if stored is None else Element(vr, (stored,) if stored else ()))
    for vr, keys, values in (
        ("CS", ["CT", "C*", "?R", "ct", "", "*"], ["CT", "MR", "", None]),
        ("LO", ["chest", "CH*", "x", ""], ["Chest", "x", None]),
        ("DA", ["20240131", "20240101-20240131", "20240201-", ""], ["20240131", "2024.02.01", "x"]),
        ("PN", ["doe*", "MULLER", ""], ["Doe^John", "Müller"]),
    )
    for key in keys
    for stored in values
]


@st.composite
def items(draw: st.DrawFn, depth: int) -> tuple[Mapping[str, Element], Mapping[str, Element]]:
    """Draw an item of a key and an item of an entity with the same few attributes, some of them left out."""
    key: dict[str, Element] = {}
    entity: dict[str, Element] = {}
    for name in ("A", "B", "C")[: draw(st.integers(1, 3))]:
        wanted, stored = draw(st.sampled_from(INNER))
        if name == "C" and depth > 1:
            inner, inner_stored = draw(items(depth - 1))
            wanted, stored = Element("SQ", items=(inner,)), Element("SQ", items=(inner_stored,))
        key[name] = wanted
        if stored is not None:
            entity[name] = stored
    return key, entity


@st.composite
def sequences(draw: st.DrawFn, depth: int = 3) -> Pair:
    """Draw a sequence of at most one item as a key, and one of at most three items as what is stored."""
    drawn = draw(st.lists(items(depth), min_size=1, max_size=3))
    chosen = draw(st.sampled_from(["none", "empty", "one", "one", "one", "one"]))
    keys = {"none": (), "empty": ({},), "one": (drawn[-1][0],)}[chosen]
    stored = draw(st.sampled_from([False, True, True, True]))
    entities = tuple(entity for _, entity in drawn)
    return Pair(Element("SQ", items=keys), Element("SQ", items=entities) if stored else None, draw(OPTIONS), "")
