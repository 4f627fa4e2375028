"""Text from elsewhere fits on one line of a terminal, whatever is in it."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.support.text import counted, one_line, path_of, path_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("CT of M\u00fcller, \u6c34", "CT of M\u00fcller, \u6c34"),
        ("two\nlines\r\n", "two\\nlines\\r\\n"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("NUL\0 and DEL\x7f", "NUL\\x00 and DEL\\x7f"),
        ("\u202eright to left", "\\u202eright to left"),
        ("name\udcff.dcm", "name\\xff.dcm"),
        ("\ud800", "\\ud800"),
        ("\u2028", "\\u2028"),
    ],
)
def test_what_cannot_be_printed_is_escaped(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_what_is_too_long_is_cut() -> None:
    assert one_line("x" * 1024) == "x" * 1024
    assert one_line("x" * 1025) == "x" * 1024 + "..."
    assert one_line("abcdef", most=3) == "abc..."


@given(st.text(st.characters()))
def test_it_is_always_one_printable_line(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"caf\xc3\xa9.dcm", "caf\u00e9.dcm"),
        (b"a\\x41.dcm", r"a\x41.dcm"),
        (b"M\xfcller.dcm", r"M\xfcller.dcm"),
        (b"M\xfc\\xfc\\\\.dcm", r"M\xfc\\xfc\\\\.dcm"),
    ],
)
def test_bytes_of_a_path_that_are_not_text_are_escaped(path: bytes, text: str) -> None:
    assert path_text(os.fsdecode(path)) == text
    assert one_line(os.fsdecode(path)) == text


@given(st.binary().filter(lambda path: not os.fsdecode(path).isprintable()))
def test_an_escaped_path_can_be_told_from_every_other(path: bytes) -> None:
    name = os.fsdecode(path)
    text = path_text(name)
    text.encode("utf-8")
    assert text == name or path_of(text) == name


def test_a_number_agrees_with_its_noun() -> None:
    assert [counted(number, "file") for number in (0, 1, 2, 1000)] == ["0 files", "1 file", "2 files", "1000 files"]
    assert [counted(number, "study", "studies") for number in (1, 2)] == ["1 study", "2 studies"]
    assert counted(1, "study", "studies", at_least=True) == "1+ studies"
    assert counted(12345, "byte", separator=",") == "12,345 bytes"
