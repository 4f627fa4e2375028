"""Attribute matching is bounded: keys beyond the limits are refused by name, and no key costs more than its length."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.data_set.attributes import Attribute, Attributes
from dimse.data_set.keys import parse
from dimse.matching import Query, Rules, UnfitKey, matches, prepare
from dimse.matching.query import MOST_KEYS, MOST_UIDS
from dimse.matching.wildcards import MOST_ASTERISKS, TooManyWildcards, pattern

NAME, COMMENTS, CONTENTS = 0x00100010, 0x00104000, 0x0040A730
LONG = 65_536


def text(tag: int, vr: str, *values: str) -> Attributes:
    """Return one attribute of text."""
    return {tag: Attribute(vr, values)}


@given(st.text("ab?*", max_size=14), st.text("ab", max_size=14))
def test_wild_cards_mean_what_a_regular_expression_says(wanted: str, value: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(character, character) for character in wanted)
    assert pattern(wanted)(value) is (re.fullmatch(expression, value) is not None)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("*" + "a" * (LONG - 2) + "*", "a" * (LONG - 1)),
        ("*" + "a*" * 30 + "b", "a" * LONG),
        ("*" + "a" * 1000 + "?b*", "a" * LONG),
        ("*" + "?" * 1022 + "*", "a" * LONG),
        ("*" + "?a" * 500 + "b*", "a" * LONG),
        ("=" * (LONG - 1), "=" * LONG),
        ("^*" * 30, "^" * LONG),
        ("-" * LONG, "-" * LONG),
        ("a " * (LONG // 2), "a " * (LONG // 2)),
        (" ".join(map(str, range(10_000, 20_000))), " ".join(map(str, range(20_000, 30_000)))),
        (" ".join(map(str, range(32))), " ".join(map(str, range(20_000, 30_000)))),
    ],
    ids=lambda value: value[:12],
)
@pytest.mark.parametrize("vr", ["LT", "PN", "DT", "DS", "UI"])
def test_no_key_costs_more_than_its_length(vr: str, wanted: str, found: str) -> None:
    started = time.process_time()
    with suppress(UnfitKey):
        matches(text(COMMENTS, vr, wanted), text(COMMENTS, vr, found), Rules(fuzzy=True))
    assert time.process_time() - started < 5


def test_runs_of_asterisks_are_limited() -> None:
    most = "*a" * MOST_ASTERISKS
    assert pattern(most)("a" * MOST_ASTERISKS)
    assert pattern("**a" * MOST_ASTERISKS)("a" * MOST_ASTERISKS)
    with pytest.raises(TooManyWildcards):
        pattern(most + "*")
    with pytest.raises(TooManyWildcards):
        pattern("?" * 1025)
    with pytest.raises(UnfitKey, match="PatientName has more than 32 runs of asterisks") as caught:
        prepare(text(NAME, "PN", most + "*"))
    assert caught.value.tag == NAME


def test_keys_are_limited() -> None:
    some = {0x00280000 + number: Attribute("US", (1,)) for number in range(1, MOST_KEYS + 1)}
    prepare(some)
    with pytest.raises(UnfitKey, match="more than 256 keys"):
        prepare({**some, **text(NAME, "PN", "x")})
    with pytest.raises(UnfitKey, match="more than 256 keys"):
        prepare({CONTENTS: Attribute("SQ", (some,))})


def test_uids_and_characters_are_limited() -> None:
    uids = [f"1.2.{number}" for number in range(MOST_UIDS)]
    assert matches(text(0x0020000D, "UI", *uids), text(0x0020000D, "UI", uids[-1]))
    with pytest.raises(UnfitKey, match="StudyInstanceUID has 10,001 UIDs"):
        prepare(text(0x0020000D, "UI", *uids, "1.3"))
    with pytest.raises(UnfitKey, match="ModalitiesInStudy has 257 values, more than 256"):
        prepare(text(0x00080061, "CS", *["CT"] * 257))
    with pytest.raises(UnfitKey, match="PatientComments has more than 65,536 characters"):
        prepare(text(COMMENTS, "LT", "x" * (LONG + 1)))


def nested(depth: int, inner: Attributes) -> Attributes:
    """Return attributes within so many sequences."""
    for _ in range(depth):
        inner = {CONTENTS: Attribute("SQ", (inner,))}
    return inner


def test_sequences_are_limited() -> None:
    key = text(0x00080100, "SH", "A")
    assert matches(nested(8, key), nested(8, key))
    with pytest.raises(UnfitKey, match="ContentSequence is nested more than 8"):
        prepare(nested(9, key))
    with pytest.raises(UnfitKey, match="ContentSequence has 2 items"):
        prepare({CONTENTS: Attribute("SQ", (key, key))})


def test_fuzzy_matching_adds_nothing_without_words() -> None:
    query = query_of("PatientName=-,", fuzzy=True)
    assert not query.matches(parse(["PatientName=Doe"]))
    assert query.matches(parse(["PatientName=-,"]))


def test_a_name_of_nothing_but_marks_is_not_in_any_name() -> None:
    assert not query_of("PatientName=\u0301").matches(parse(["PatientName=Doe"]))
    assert query_of("PatientName=\u0301=").matches(parse(["PatientName=Doe"]))


def test_a_message_never_holds_a_value() -> None:
    with pytest.raises(UnfitKey) as caught:
        prepare(text(0x00080020, "DA", "20240101", "20240102"))
    assert str(caught.value) == "StudyDate has several values, which a key of VR DA has not"
    with pytest.raises(UnfitKey) as caught:
        prepare({0x00420011: Attribute("OB", (b"secret",))})
    assert str(caught.value) == "EncapsulatedDocument has VR OB, of which values are not matched"


# --- Queries ---------------------------------------------------------------------------------------------------------


def query_of(*keys: str, **rules: Any) -> Query:
    """Return the query of keys as a user writes them."""
    return prepare(parse(keys), Rules(**rules))


def test_what_says_how_to_query_is_not_matched() -> None:
    keys = ("SpecificCharacterSet=ISO_IR 100", "QueryRetrieveLevel=STUDY", "QueryRetrieveView=CLASSIC", "PatientName=")
    assert query_of(*keys).is_universal
    assert query_of(*keys).matches({})
    assert not query_of("PatientID=1").is_universal


def test_the_keys_that_a_response_contradicts_are_named() -> None:
    query = query_of("PatientName=DOE*", "PatientID=1", "Modality=CT", "StudyDate=2024-")
    entity = parse(["PatientName=ROE", "PatientID=", "Modality=CT", "StudyDate=20240101"])
    assert query.contradicted(entity) == [0x00100010, 0x00080020]
    assert query.contradicted({}) == []
    joint = query_of("StudyDate=20240101-", "StudyTime=1200-", date_time=True)
    assert joint.contradicted(parse(["StudyDate=20240101", "StudyTime=1100"])) == [0x00080020]
    assert joint.contradicted(parse(["StudyDate=20240101"])) == []


def test_an_item_without_a_value_contradicts_nothing() -> None:
    query = query_of("ProcedureCodeSequence[0].CodeValue=A")
    assert query.contradicted(parse(["ProcedureCodeSequence[0].CodeMeaning=x"])) == []
    assert not query.matches(parse(["ProcedureCodeSequence[0].CodeMeaning=x"]))
    assert query.contradicted(parse(["ProcedureCodeSequence[0].CodeValue=B"])) == [0x00081032]


def test_a_private_attribute_is_found_in_whatever_block_it_has() -> None:
    query = query_of("[ACME]0029,1010:LO=x")
    assert query.matches(parse(["[ACME]0029,1010:LO=X"]))
    assert query.matches(parse(["[OTHER]0029,1010:LO=y", "[ACME]0029,1110:LO=x"]))
    assert not query.matches(parse(["[OTHER]0029,1010:LO=x"]))
    assert not query.matches(parse(["[ACME]0029,1010:LO=y", "[OTHER]0029,1110:LO=x"]))
    assert query_of("0029,1010:LO=x").matches(parse(["[ACME]0029,1010:LO=x"]))


def test_values_of_another_type_do_not_match_and_do_not_raise() -> None:
    values: list[Attribute] = [
        Attribute("PN", ("x",)),
        Attribute("US", (1,)),
        Attribute("OB", (b"x",)),
        Attribute("SQ", ({},)),
    ]
    for key in (
        Attribute("PN", ("y",)),
        Attribute("US", (2,)),
        Attribute("UI", ("1.2",)),
        Attribute("DA", ("20240101",)),
    ):
        for value in values:
            assert not matches({NAME: key}, {NAME: value})
    sequence = {NAME: Attribute("SQ", ({0x00080100: Attribute("SH", ("A",))},))}
    assert not matches(sequence, {NAME: values[0]})


def test_dates_of_a_sequence_are_matched_together_too() -> None:
    steps = "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStart"
    query = query_of(f"{steps}Date=20240101-20240102", f"{steps}Time=1200-0800", date_time=True)
    assert query.matches(parse([f"{steps}Date=20240101", f"{steps}Time=2300"]))
    assert query.matches(parse([f"{steps}Date=20240102", f"{steps}Time=0700"]))
    assert not query.matches(parse([f"{steps}Date=20240102", f"{steps}Time=0900"]))
    assert not query.matches(parse([f"{steps}Date=2024010x", f"{steps}Time=0900"]))
