"""The conformance statement says what the package does."""

from __future__ import annotations

from scripts import make_conformance


def test_the_tables_of_the_page_are_those_of_the_package() -> None:
    text = make_conformance.PAGE.read_text(encoding="utf-8")
    assert make_conformance.page(text) == text
