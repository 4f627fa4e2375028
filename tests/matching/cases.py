"""The table of cases for attribute matching: what each key of a C-FIND matches, by PS3.4 C.2.2.2."""

from __future__ import annotations

from tests.matching import cases_names, cases_numbers, cases_sequences, cases_text, cases_times
from tests.matching.table import Case

CASES: list[Case] = [
    *cases_text.CASES,
    *cases_numbers.CASES,
    *cases_times.CASES,
    *cases_names.CASES,
    *cases_sequences.CASES,
]
