"""Cases of attribute matching: numbers, tags and unique identifiers."""

from __future__ import annotations

from tests.matching.table import NO, REFUSED, YES, Case, block, blocks

LONGEST = "1.2.840.10008." + "1" * 50
TOO_LONG = "1.2.840.10008." + "1" * 51

NUMBERS: list[Case] = [
    *block(
        "IS",
        "C.2.2.2.1: an integer string is compared as a number",
        [
            ("7", "7", YES),
            ("007", "7", YES),
            ("7", "007", YES),
            ("+7", "7", YES),
            ("-7", "7", NO),
            ("-7", "-07", YES),
            ("0", "-0", YES),
            (" 7 ", "7", YES),
            ("7", "70", NO),
            ("7", "1\\7\\9", YES),
            ("8", "1\\7\\9", NO),
            ("2147483647", "2147483647", YES),
        ],
    ),
    *block(
        "IS",
        "C.2.2.2.1: a malformed number is compared as text",
        [
            ("x", "x", YES),
            ("7x", "7", NO),
            ("7.0", "7", NO),
            ("1e1", "10", NO),
            ("1-9", "5", NO),
            ("٧", "7", NO),
            ("1_0", "10", NO),
        ],
    ),
    *block(
        "DS",
        "C.2.2.2.1: a decimal string is compared as a number",
        [
            ("1.5", "1.5", YES),
            ("1.50", "1.5", YES),
            ("1.5", "01.500", YES),
            ("15e-1", "1.5", YES),
            ("1.5E0", "+1.5", YES),
            ("1", "1.0", YES),
            ("1.", "1", YES),
            (".5", "0.5", YES),
            ("-0", "0", YES),
            ("1.5", "1.50001", NO),
            ("0.1", "0.1\\0.2", YES),
            ("0.2", "0.1\\0.2", YES),
        ],
    ),
    *block(
        "DS",
        "C.2.2.2.1: a malformed number is compared as text",
        [
            ("1,5", "1.5", NO),
            ("1,5", "1,5", YES),
            ("nan", "nan", YES),
            ("inf", "1e999", NO),
            ("1-2", "1.5", NO),
            ("0x10", "16", NO),
        ],
    ),
    *blocks(
        "US UL UV",
        "C.2.2.2.1: a binary number is compared as a number",
        [("512", "512", YES), ("512", "256", NO), ("512", "256\\512", YES), ("0", "0", YES)],
    ),
    *blocks(
        "SS SL SV",
        "C.2.2.2.1: a binary number is compared as a number",
        [("-5", "-5", YES), ("-5", "5", NO), ("5", "-5\\5", YES)],
    ),
    *block(
        "FL",
        "C.2.2.2.1: a float of 32 bits is compared after rounding",
        [("0.1", "0.1", YES), ("0.1", "0.10000000149011612", YES), ("0.5", "0.25", NO)],
    ),
    *block(
        "FD",
        "C.2.2.2.1: a float of 64 bits",
        [("0.1", "0.1", YES), ("0.1", "0.10000000149011612", NO), ("1e3", "1000", YES)],
    ),
    *block(
        "AT",
        "C.2.2.2.1: an attribute tag",
        [
            ("0010,0010", "0010,0010", YES),
            ("0010,0010", "0010,0020", NO),
            ("7fe0,0010", "7FE0,0010", YES),
            ("0010,0010", "0008,0005\\0010,0010", YES),
        ],
    ),
    *blocks("OB OW OF OD OL OV UN", "C.2.2.2: a key of bulk data with a value is refused", [("00FF", "00FF", REFUSED)]),
]

UIDS: list[Case] = [
    *block(
        "UI",
        "C.2.2.2.1: a UID is exact",
        [
            ("1.2.3", "1.2.3", YES),
            ("1.2.3", "1.2.30", NO),
            ("1.2.3", "1.2", NO),
            ("1.2.3\0", "1.2.3", YES),
            ("1.2.3", "1.2.3\0", YES),
            ("1.2.3 ", "1.2.3", YES),
            (LONGEST, LONGEST, YES),
        ],
    ),
    *block(
        "UI",
        "C.2.2.2.2: any UID of the list",
        [
            ("1.2.3\\1.2.4", "1.2.4", YES),
            ("1.2.3\\1.2.4", "1.2.3", YES),
            ("1.2.3\\1.2.4", "1.2.5", NO),
            ("1.2.3\0\\1.2.4", "1.2.4", YES),
            ("1.2.4", "1.2.3\\1.2.4", YES),
            ("1.2.3\\1.2.9", "1.2.8\\1.2.9", YES),
            ("1.2.3\\1.2.3", "1.2.3", YES),
            ("\\".join(f"1.2.{number}" for number in range(1, 1001)), "1.2.1000", YES),
            ("\\".join(f"1.2.{number}" for number in range(1, 1001)), "1.2.1001", NO),
        ],
    ),
    *block(
        "UI",
        "PS3.5 9.1: no component begins with a zero, but instances that have such UIDs are found by them",
        [
            ("1.2.03", "1.2.03", YES),
            ("1.2.03", "1.2.3", NO),
        ],
    ),
    *block(
        "UI",
        "PS3.5 9.1: what is not a UID matches nothing, itself neither",
        [
            ("1..2", "1..2", NO),
            ("abc", "abc", NO),
            (".1.2", ".1.2", NO),
            ("1.2.", "1.2.", NO),
            (TOO_LONG, TOO_LONG, NO),
            ("1.2.3-1.2.5", "1.2.4", NO),
            ("1.2.3;DROP", "1.2.3", NO),
            ("abc\\1.2.3", "1.2.3", YES),
            ("1.2.*\\1.2.3", "1.2.3", YES),
            ("1.2.*\\1.2.3", "1.2.4", NO),
        ],
    ),
]

CASES: list[Case] = [*NUMBERS, *UIDS]
