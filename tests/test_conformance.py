"""The conformance statement says what the package does."""

from __future__ import annotations

import re
from collections import Counter

from scripts import make_conformance


def test_the_tables_of_the_page_are_those_of_the_package() -> None:
    text = make_conformance.PAGE.read_text(encoding="utf-8")
    assert make_conformance.page(text) == text


def test_no_two_rows_have_one_name() -> None:
    names = re.findall(
        r"^\| (.+) \| 1\.2\.840[.0-9]+ \|$", make_conformance.PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert {"Ultrasound Multi-frame Image Storage", "Ultrasound Multi-frame Image Storage (Retired)"} <= set(names)
