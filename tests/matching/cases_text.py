"""Cases of attribute matching: universal matching, and text other than names."""

from __future__ import annotations

from tests.matching.reference import Options
from tests.matching.table import NO, REFUSED, YES, Case, block, blocks

CASE = Options(match_case=True)
UNKNOWN = Options(match_unknown=True)
EMPTY = Options(empty_values=True)
MULTIPLE = Options(multiple_values=True)

UNIVERSAL: list[Case] = [
    *blocks(
        "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST SV TM UC UI UL UR US UT UV OB OW UN",
        "C.2.2.2.3: a key of zero length matches an element without a value",
        [("", "", YES)],
    ),
    *block("AE", "C.2.2.2.3: zero length matches every value", [("", "STORESCP", YES)]),
    *block("AS", "C.2.2.2.3: zero length matches every value", [("", "045Y", YES)]),
    *block("CS", "C.2.2.2.3: zero length matches every value", [("", "CT\\MR", YES), ("", None, YES)]),
    *block(
        "DA", "C.2.2.2.3: zero length matches every value, malformed ones too", [("", "20240131", YES), ("", "x", YES)]
    ),
    *block("DT", "C.2.2.2.3: zero length matches every value", [("", "2024", YES)]),
    *block("IS", "C.2.2.2.3: zero length matches every value", [("", "7", YES)]),
    *block("LO", "C.2.2.2.3: zero length matches every value", [("", "PAT1", YES), ("   ", "PAT1", YES)]),
    *block("PN", "C.2.2.2.3: zero length matches every value", [("", "DOE^JOHN", YES), ("  ", "DOE", YES)]),
    *block("UI", "C.2.2.2.3: zero length matches every value", [("", "1.2.3", YES), ("\0", "1.2.3", YES)]),
    *block("OB", "C.2.2.2.3: zero length matches every value", [("", "00FF", YES)]),
    *blocks(
        "AE CS LO LT PN SH ST UC UR UT",
        "C.2.2.2.4: a star alone is universal matching where wild cards are allowed, unknown values too",
        [("*", "X", YES), ("*", "", YES), ("*", None, YES)],
    ),
    *block("LO", "C.2.2.2.4: a run of stars is one star", [("**", "", YES), ("****", "A", YES), (" * ", "", YES)]),
    *block("LO", "C.2.2.2.4: a question mark wants a character", [("*?", "", NO), ("?", "", NO), ("?", None, NO)]),
]

UNKNOWN_VALUES: list[Case] = [
    *block(
        "LO",
        "C.2.2.1.2, departed from: no value matches no key",
        [("PAT1", "", NO), ("PAT1", None, NO), ("P*", "", NO)],
    ),
    *block("LO", "PS3.5 6.2: spaces and nothing else are no value", [("PAT1", "   ", NO), ("?*", "  ", NO)]),
    *block("PN", "C.2.2.1.2, departed from: no value matches no key", [("DOE", "", NO), ("DOE*", None, NO)]),
    *block(
        "DA", "C.2.2.1.2, departed from: no value is within no range", [("20240101-", "", NO), ("-20240101", None, NO)]
    ),
    *block("UI", "C.2.2.1.2, departed from: no value matches no key", [("1.2.3", "", NO), ("1.2\\1.3", None, NO)]),
    *block("IS", "C.2.2.1.2, departed from: no value is not zero", [("0", "", NO)]),
    *block("US", "C.2.2.1.2, departed from: no value is not zero", [("0", "", NO)]),
    *block("CS", "C.2.2.1.2, departed from: no value matches no key", [("CT\\MR", "", NO)]),
    *block(
        "LO", "C.2.2.1.2 to the letter: no value matches every key", [("PAT1", "", YES), ("PAT1", None, YES)], UNKNOWN
    ),
    *block("LO", "C.2.2.1.2: a value is compared all the same", [("PAT1", "PAT2", NO), ("PAT1", "PAT1", YES)], UNKNOWN),
    *block("PN", "C.2.2.1.2 to the letter: no value matches every key", [("DOE^*", "", YES)], UNKNOWN),
    *block("DA", "C.2.2.1.2 to the letter: no value matches every key", [("20240101-20240131", "", YES)], UNKNOWN),
    *block("UI", "C.2.2.1.2 to the letter: no value matches every key", [("1.2.3", None, YES)], UNKNOWN),
    *block("DS", "C.2.2.1.2 to the letter: no value matches every key", [("1.5", "", YES), ("1.5", "2", NO)], UNKNOWN),
]

SINGLE: list[Case] = [
    *block(
        "AE",
        "C.2.2.2.1 and PS3.5 6.2: exact with case; spaces at both ends do not count",
        [
            ("STORESCP", "STORESCP", YES),
            ("STORESCP", "STORESCP  ", YES),
            (" STORESCP", "STORESCP", YES),
            ("STORESCP", " STORESCP ", YES),
            ("STORESCP", "storescp", NO),
            ("STORE SCP", "STORESCP", NO),
            ("STORE SCP", "STORE SCP", YES),
            ("STORE", "STORESCP", NO),
        ],
    ),
    *block(
        "AS",
        "C.2.2.2.1: an age is compared as it stands",
        [("045Y", "045Y", YES), ("045Y", "45Y", NO), ("045Y", "045M", NO), ("045*", "045Y", NO), ("024M", "002Y", NO)],
    ),
    *block(
        "CS",
        "C.2.2.2.1: a code string is exact with case",
        [
            ("CT", "CT", YES),
            ("CT", "CT ", YES),
            ("CT ", "CT", YES),
            (" CT", "CT", YES),
            ("ct", "CT", NO),
            ("CT", "ct", NO),
            ("C", "CT", NO),
            ("CT", "C", NO),
            ("HEAD_NECK", "HEAD_NECK", YES),
            ("HEAD_NECK", "HEAD NECK", NO),
        ],
    ),
    *block(
        "LO",
        "C.2.2.2.1: text is the same in upper and lower case",
        [
            ("Chest", "CHEST", YES),
            ("CHEST", "chest", YES),
            ("Chest", "Chest PA", NO),
            ("Chest PA", "CHEST  PA", NO),
            ("MÜLLER", "müller", YES),
            ("MULLER", "MÜLLER", NO),
            ("STRASSE", "Straße", YES),
            ("Ω", "ω", YES),
            ("ИВАН", "иван", YES),
        ],
    ),
    *block("LO", "PS3.5 6.2: spaces at both ends do not count", [(" Chest", "Chest ", YES), ("Chest", "  chest", YES)]),
    *block("LO", "PS3.5 6.2: NUL padding does not count", [("Chest\0", "Chest", YES), ("Chest", "Chest\0\0", YES)]),
    *block(
        "LO",
        "PS3.5 6.1: one character may be composed or decomposed",
        [("e\u0301tude", "\u00e9tude", YES), ("\u00e9TUDE", "e\u0301tude", YES)],
    ),
    *block(
        "LO",
        "C.2.2.2.1: case counts where it is configured to",
        [("Chest", "CHEST", NO), ("Chest", "Chest", YES), ("Che*", "CHEST", NO), ("Che*", "Chest", YES)],
        CASE,
    ),
    *block(
        "LO",
        "C.2.2.2.1: case of a patient ID counts",
        [("pat1", "PAT1", NO), ("PAT1", "PAT1", YES)],
        keyword="PatientID",
    ),
    *block(
        "LO",
        "C.2.2.2.1: leading zeros of a patient ID count",
        [("0123", "123", NO), ("123", "0123", NO), ("0123", "0123 ", YES), ("pat*", "PAT1", NO), ("PAT?", "PAT1", YES)],
        keyword="PatientID",
    ),
    *block(
        "LO",
        "C.2.2.2.1: case of an issuer counts",
        [("hosp", "HOSP", NO), ("HOSP", "HOSP", YES)],
        keyword="IssuerOfPatientID",
    ),
    *block(
        "SH",
        "C.2.2.2.1: case of an accession number counts",
        [
            ("a100", "A100", NO),
            ("A100", "A100", YES),
            ("A1*", "a100", NO),
            ("A100", "A1000", NO),
            (" A100 ", "A100", YES),
        ],
        keyword="AccessionNumber",
    ),
    *block("SH", "C.2.2.2.1: case of a study ID counts", [("s1", "S1", NO), ("S1", "S1", YES)], keyword="StudyID"),
    *block(
        "SH",
        "C.2.2.2.1: text is the same in upper and lower case",
        [("station1", "STATION1", YES), ("STATION1", "STATION 1", NO), ("STATION1", "STATION1  ", YES)],
    ),
    *block(
        "LT",
        "PS3.5 6.2: leading spaces are significant, trailing ones are not",
        [(" note", "note", NO), (" note", " note", YES), ("note  ", "note", YES), ("NOTE", "note", YES)],
    ),
    *block("LT", "PS3.5 6.2: a backslash is text", [("a\\b", "a\\b", YES), ("a\\b", "a", NO), ("a", "a\\b", NO)]),
    *block(
        "LT",
        "PS3.5 6.2: line ends are text",
        [("a\r\nb", "a\r\nb", YES), ("a\r\nb", "a b", NO), ("a*b", "a\r\nb", YES)],
    ),
    *block(
        "ST",
        "PS3.5 6.2: leading spaces are significant, a backslash is text",
        [(" x", "x", NO), ("x ", "X", YES), ("x\\y", "X\\Y", YES), ("x\\y", "y", NO)],
    ),
    *block(
        "UT",
        "PS3.5 6.2: leading spaces are significant, a backslash is text",
        [(" x", "x", NO), ("x", "x   ", YES), ("x\\*", "X\\Y", YES), ("x", "X\\Y", NO)],
    ),
    *block(
        "UC",
        "PS3.5 6.2: may have several values, case does not count",
        [("b", "A\\B", YES), ("a\\c", "A\\B", YES), ("c", "A\\B", NO)],
    ),
    *block(
        "UR",
        "PS3.5 6.2: exact with case, trailing spaces do not count, a backslash is text",
        [
            ("http://a/b", "http://a/b ", YES),
            ("http://a/B", "http://a/b", NO),
            ("http://a/*", "http://a/b", YES),
            ("http://?/b", "http://a/b", YES),
            ("urn:a\\b", "urn:a", NO),
        ],
    ),
]

WILD: list[Case] = [
    *block(
        "LO",
        "C.2.2.2.4: a star is any run of characters, none too",
        [
            ("CH*", "CHEST", YES),
            ("*ST", "CHEST", YES),
            ("*ES*", "CHEST", YES),
            ("C*T", "CHEST", YES),
            ("C*T", "CT", YES),
            ("CHEST*", "CHEST", YES),
            ("*CHEST", "CHEST", YES),
            ("*X*", "CHEST", NO),
            ("C*X", "CHEST", NO),
            ("*H*S*", "CHEST", YES),
            ("*S*H*", "CHEST", NO),
            ("C**T", "CHEST", YES),
            ("ch*", "CHEST PA", YES),
        ],
    ),
    *block(
        "LO",
        "C.2.2.2.4: a question mark is exactly one character",
        [
            ("CH?ST", "CHEST", YES),
            ("?????", "CHEST", YES),
            ("????", "CHEST", NO),
            ("??????", "CHEST", NO),
            ("CHEST?", "CHEST", NO),
            ("?CHEST", "CHEST", NO),
            ("C?*", "CT", YES),
            ("C?*", "C", NO),
            ("C*?", "CT", YES),
            ("C*?", "C", NO),
            ("?", "Ü", YES),
            ("?", "山", YES),
            ("??", "山", NO),
        ],
    ),
    *block(
        "LO",
        "C.2.2.2.4: a star has to find its run again further on",
        [
            ("*AB", "AAB", YES),
            ("*AB", "ABAB", YES),
            ("A*AB", "AAAB", YES),
            ("*AB*AB", "ABAB", YES),
            ("*AB*AB", "ABA", NO),
            ("A*A", "A", NO),
            ("A*A", "AA", YES),
            ("*A?B", "AABAXB", YES),
        ],
    ),
    *block(
        "LO",
        "C.2.2.2.4: every other character is itself",
        [
            ("100%", "100%", YES),
            ("1%", "100", NO),
            ("A_C", "ABC", NO),
            ("A_C", "A_C", YES),
            ("%", "CHEST", NO),
            ("_", "X", NO),
            ("A.C", "ABC", NO),
            ("A.*", "A.B", YES),
            ("A.*", "AB", NO),
            ("[A-Z]*", "CHEST", NO),
            ("[A-Z]*", "[a-z]x", YES),
            ("(a|b)", "a", NO),
            ("$", "", NO),
            ("a+", "aa", NO),
            ("it's", "IT'S", YES),
            ('"x"', "x", NO),
            ("x' OR '1'='1", "x", NO),
        ],
    ),
    *block(
        "LO",
        "C.2.2.2.4: stored wild cards are text",
        [("A?C", "A*C", YES), ("ABC", "A*C", NO), ("ABC", "*", NO), ("A*", "*", NO), ("*", "*", YES), ("?", "?", YES)],
    ),
    *block(
        "CS",
        "C.2.2.2.4: wild cards in a code string",
        [("C*", "CT", YES), ("?R", "MR", YES), ("?R", "CR", YES), ("c*", "CT", NO)],
    ),
    *block(
        "AE",
        "C.2.2.2.4: wild cards in an AE title",
        [("STORE*", "STORESCP", YES), ("*SCU", "STORESCP", NO), ("ST?RESCP", "STORESCP", YES)],
    ),
    *block(
        "SH",
        "C.2.2.2.4: wild cards in a short string",
        [("A-*", "A-100", YES), ("A-???", "A-100", YES), ("A-??", "A-100", NO)],
    ),
    *block(
        "LT",
        "C.2.2.2.4: wild cards in a long text",
        [("*tumor*", "No TUMOR seen", YES), ("tumor*", "No tumor seen", NO)],
    ),
    *block("ST", "C.2.2.2.4: wild cards in a short text", [("*road*", "1 Long Road", YES), ("?*", "x", YES)]),
    *block("UT", "C.2.2.2.4: wild cards in an unlimited text", [("*end", "the END", YES), ("*end", "endless", NO)]),
    *block("UC", "C.2.2.2.4: wild cards in unlimited characters", [("a*", "ABC", YES), ("?c", "ABC", NO)]),
    *block(
        "LO",
        "PS3.5 6.2: padding of a key with wild cards does not count",
        [("CH* ", "CHEST", YES), (" *ST", "CHEST", YES), ("CHEST ?", "CHEST 1", YES)],
    ),
    *block("AS", "C.2.2.2.4: no wild cards in an age", [("0*Y", "045Y", NO), ("*", "045Y", NO), ("???Y", "045Y", NO)]),
    *block(
        "DA",
        "C.2.2.2.4: no wild cards in a date",
        [("2024*", "20240131", NO), ("*", "20240131", NO), ("202401??", "20240131", NO)],
    ),
    *block(
        "TM",
        "C.2.2.2.4: no wild cards in a time",
        [("10*", "101530", NO), ("*", "101530", NO), ("10????", "101530", NO)],
    ),
    *block("DT", "C.2.2.2.4: no wild cards in a date and time", [("2024*", "20240131", NO), ("*", "2024", NO)]),
    *block(
        "UI", "C.2.2.2.4: no wild cards in a UID", [("1.2.*", "1.2.3", NO), ("*", "1.2.3", NO), ("1.2.?", "1.2.3", NO)]
    ),
    *block("IS", "C.2.2.2.4: no wild cards in a number", [("1*", "12", NO), ("*", "12", NO), ("?", "1", NO)]),
    *block("DS", "C.2.2.2.4: no wild cards in a number", [("1*", "1.5", NO), ("1.?", "1.5", NO)]),
    *block("LO", "A key with 32 stars apart is matched", [("A*" * 32, "A" * 40, YES), ("A*" * 32 + "B", "A" * 40, NO)]),
    *block(
        "LO",
        "A key with more than 32 stars apart is refused",
        [("A*" * 33, "A" * 40, REFUSED), ("A*" * 33, "", REFUSED)],
    ),
    *block("LO", "Stars that stand together count once", [("A" + "*" * 60 + "B", "AXB", YES), ("*" * 40, "", YES)]),
    *block("LO", "A key that makes a naive matcher slow", [("*a" * 20 + "b", "a" * 60, NO)]),
]

SEVERAL: list[Case] = [
    *block(
        "CS",
        "C.2.2.2.1: any value of the entity may match",
        [("CT", "CT\\MR", YES), ("MR", "CT\\MR", YES), ("US", "CT\\MR", NO)],
    ),
    *block("CS", "C.2.2.2.4: wild cards look at each value by itself", [("C*R", "CT\\MR", NO), ("?R", "CT\\MR", YES)]),
    *block("CS", "PS3.5 6.4: each value has its own padding", [("MR", "CT \\ MR ", YES), ("CT", " CT\\MR", YES)]),
    *block(
        "CS",
        "Several values in the key, not negotiated: any of them (ModalitiesInStudy)",
        [
            ("CT\\MR", "MR", YES),
            ("CT\\MR", "US", NO),
            ("CT\\MR", "US\\CT", YES),
            ("CT\\MR", "CT\\MR", YES),
            ("C*\\US", "CR", YES),
            ("c*\\US", "CR", NO),
            ("CT \\ MR", "MR", YES),
        ],
    ),
    *block(
        "LO",
        "Several values in the key, not negotiated: any of them",
        [("a\\b", "B", YES), ("a\\b", "C", NO), ("x*\\b*", "BETA", YES)],
    ),
    *block(
        "SH", "Several values in the key, not negotiated: any of them", [("A1\\A2", "A2", YES), ("A1\\A2", "A3", NO)]
    ),
    *block(
        "AE",
        "Several values in the key, not negotiated: any of them",
        [("ONE\\TWO", "TWO", YES), ("ONE\\TWO", "THREE", NO)],
    ),
    *block(
        "AS",
        "Several values in the key, not negotiated: any of them",
        [("001Y\\002Y", "002Y", YES), ("001Y\\002Y", "003Y", NO)],
    ),
    *block("IS", "Several values in the key, not negotiated: any of them", [("1\\2", "02", YES), ("1\\2", "3", NO)]),
    *block(
        "PN",
        "Several values in the key, not negotiated: any of them",
        [("DOE\\ROE*", "Roe^Jane", YES), ("DOE\\ROE", "Doe^John", NO)],
    ),
    *block(
        "AT",
        "Several values in the key, not negotiated: any of them",
        [("0010,0010\\0010,0020", "0010,0020", YES), ("0010,0010\\0010,0020", "0008,0020", NO)],
    ),
    *block(
        "CS",
        "C.2.2.2.8, negotiated: every value of the key has to be there",
        [
            ("CT\\MR", "CT\\MR", YES),
            ("CT\\MR", "MR\\CT", YES),
            ("CT\\MR", "CT", NO),
            ("CT\\MR", "CT\\US\\MR", YES),
            ("CT\\MR", "CT\\US", NO),
            ("CT", "CT\\MR", YES),
        ],
        MULTIPLE,
    ),
    *block(
        "CS",
        "C.2.2.2.8, negotiated: no wild cards among several values",
        [("C*\\MR", "CT\\MR", NO), ("C*", "CT", YES)],
        MULTIPLE,
    ),
    *block(
        "LO",
        "C.2.2.2.8, negotiated: case as in single value matching",
        [("a\\B", "A\\b", YES), ("a\\B", "A", NO)],
        MULTIPLE,
    ),
    *block(
        "PN",
        "C.2.2.2.8, negotiated: every name has to be there",
        [("DOE\\ROE", "Roe\\Doe", YES), ("DOE\\ROE", "Doe", NO), ("D*\\ROE", "Doe\\Roe", NO)],
        MULTIPLE,
    ),
    *block(
        "UI", "C.2.2.2.2: a list of UIDs is any of them, whatever was negotiated", [("1.2\\1.3", "1.3", YES)], MULTIPLE
    ),
]

EMPTY_VALUES: list[Case] = [
    *block(
        "LO",
        "C.2.2.2.7, negotiated: the entity has no value",
        [('""', "", YES), ('""', None, YES), ('""', "X", NO), ('""', '""', NO)],
        EMPTY,
    ),
    *block(
        "PN",
        "C.2.2.2.7, negotiated: the entity has no value",
        [('""', "", YES), ('""', "^^^^", YES), ('""', "DOE", NO)],
        EMPTY,
    ),
    *block("DA", "C.2.2.2.7, negotiated: the entity has no value", [('""', "", YES), ('""', "20240131", NO)], EMPTY),
    *block("UI", "C.2.2.2.7, negotiated: the entity has no value", [('""', None, YES), ('""', "1.2.3", NO)], EMPTY),
    *block("IS", "C.2.2.2.7, negotiated: the entity has no value", [('""', "", YES), ('""', "0", NO)], EMPTY),
    *block("CS", "C.2.2.2.7, negotiated: spaces alone are no value", [('""', "  ", YES)], EMPTY),
    *block(
        "LO",
        "C.2.2.2.7, not negotiated: two quotation marks are text",
        [('""', "", NO), ('""', '""', YES), ('""', "X", NO)],
    ),
    *block(
        "DA",
        "C.2.2.2.7, not negotiated: two quotation marks are a malformed date",
        [('""', "", NO), ('""', "20240131", NO)],
    ),
    *block(
        "LO",
        "C.2.2.2.7: anything but exactly two quotation marks is text",
        [('"', "", NO), ('"""', "", NO), ('"x"', "", NO)],
        EMPTY,
    ),
]

CASES: list[Case] = [*UNIVERSAL, *UNKNOWN_VALUES, *SINGLE, *WILD, *SEVERAL, *EMPTY_VALUES]
