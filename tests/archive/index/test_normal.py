"""The form of values in the columns of the index."""

from __future__ import annotations

import pytest

from dimse import tags
from dimse.archive.index import normal
from dimse.archive.index.columns import text_of
from dimse.data_set.attributes import Attribute
from tests.archive.index.archives import tag_of


@pytest.mark.parametrize("values", [(), ("a",), ("a", "b"), ("a", "", "b"), ("", "b"), ("a", "")])
def test_several_values_come_back_as_they_were(values: tuple[str, ...]) -> None:
    assert normal.split(normal.join(values)) == values


@pytest.mark.parametrize(
    ("keyword", "values", "column"),
    [
        ("PatientID", (" 1 ",), "1"),
        ("PatientID", ("1", "2"), "\\1\\2"),
        ("PatientID", ("1\\2",), "\\1\\2"),
        ("PatientID", ("", " "), ""),
        ("PatientID", ("a\0b\ud800",), "a\ufffdb\ufffd"),
        ("PatientID", ("e\u0301",), "é"),
        ("PatientID", ("x" * 2000,), ""),
        ("StudyDate", ("2024.01.31",), "20240131"),
        ("StudyDate", ("2024.13.31",), "2024.13.31"),
        ("StudyDate", ("20240131", "20240201"), "20240131"),
        ("StudyTime", ("10:20:30.5",), "102030.5"),
        ("PatientName", ("^^",), ""),
    ],
)
def test_a_column_has_text_in_one_form(keyword: str, values: tuple[str, ...], column: str) -> None:
    tag = tag_of(keyword)
    assert text_of({tag: Attribute(tags.vr(tag), values)}, tag) == column


def test_a_value_that_is_not_text_is_left_out() -> None:
    tag = tag_of("PatientID")
    assert text_of({tag: Attribute("US", (7,))}, tag) == ""
    assert text_of({}, tag) == ""


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("Müller^Jörg^^", ("muller^jorg", "", "")),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ("yamada^tarou", "山田^太郎", "やまた^たろう")),
        ("A=B=C=D", ("\\", "", "")),
        ("", ("", "", "")),
    ],
)
def test_the_groups_of_a_name_have_columns(name: str, columns: tuple[str, str, str]) -> None:
    assert normal.name_columns((name,) if name else ()) == columns


def test_a_name_of_several_values_is_compared_by_its_words() -> None:
    assert normal.name_columns(("Doe^John", "Roe^Jane"))[0] == "\\"
    assert [word for word, _ in normal.name_words("\\Doe^John\\Roe^Jane")] == ["doe", "john", "roe", "jane"]
    assert dict(normal.name_words("Li^Robert")) == {"li": "", "robert": "r163"}
