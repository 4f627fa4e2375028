"""Text from elsewhere fits on one line of a terminal, whatever is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.support.text import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("CT of M\u00fcller, \u6c34", "CT of M\u00fcller, \u6c34"),
        ("two\nlines\r\n", "two\\nlines\\r\\n"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("NUL\0 and DEL\x7f", "NUL\\x00 and DEL\\x7f"),
        ("\u202eright to left", "\\u202eright to left"),
        ("name\udcff.dcm", "name\\udcff.dcm"),
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
