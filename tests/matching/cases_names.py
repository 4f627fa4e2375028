"""Cases of attribute matching: names of persons, fuzzy matching too."""

from __future__ import annotations

from tests.matching.reference import Options
from tests.matching.table import NO, REFUSED, YES, Case, block

FUZZY = Options(fuzzy=True)
CASE = Options(match_case=True)

YAMADA = "Yamada^Tarou=山田^太郎=やまだ^たろう"
YAMADA_HALF_WIDTH = "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"
HONG = "Hong^Gildong=洪^吉洞=홍^길동"
WANG = "Wang^XiaoDong=王^小东="
ZHANG = "Zhang^XiaoDong=张^小东="

ORDINARY: list[Case] = [
    *block(
        "PN",
        "C.2.2.2.1.1: case of a name does not count",
        [
            ("DOE^JOHN", "Doe^John", YES),
            ("doe^john", "DOE^JOHN", YES),
            ("DOE^JOHN", "DOE^JON", NO),
            ("DOE", "DOE", YES),
            ("ИВАНОВ", "Иванов", YES),
            ("ΔΙΟΝΥΣΙΟΣ", "Διονυσιος", YES),
        ],
    ),
    *block(
        "PN", "C.2.2.2.1.1: case of a name does not count even where case of text does", [("doe", "DOE", YES)], CASE
    ),
    *block(
        "PN",
        "C.2.2.2.1: a name is matched whole",
        [
            ("DOE", "DOE^JOHN", NO),
            ("DOE^JOHN", "DOE", NO),
            ("JOHN", "DOE^JOHN", NO),
            ("DOE^J", "DOE^JOHN", NO),
            ("DO", "DOE", NO),
        ],
    ),
    *block(
        "PN",
        "C.2.2.2.4: wild cards in a name",
        [
            ("DOE*", "DOE^JOHN", YES),
            ("DOE^*", "DOE^JOHN", YES),
            ("DOE*", "DOE", YES),
            ("DOE*", "DOERING^ANNA", YES),
            ("DOE^*", "DOERING^ANNA", NO),
            ("*JOHN", "DOE^JOHN", YES),
            ("*JOHN*", "DOE^JOHN^M", YES),
            ("*^JOHN", "DOE^JOHN", YES),
            ("*^JOHN", "JOHN", NO),
            ("D?E^JOHN", "DOE^JOHN", YES),
            ("DOE?JOHN", "DOE^JOHN", YES),
            ("DOE^J*^M", "DOE^JOHN^M", YES),
            ("DOE^J*^X", "DOE^JOHN^M", NO),
            ("D*^J*", "Doe^John", YES),
            ("?*", "DOE", YES),
            ("DOE^^DR*", "DOE^^Dr", YES),
        ],
    ),
    *block(
        "PN",
        "PS3.5 6.2.1.1: delimiters at the end of a name do not count",
        [
            ("DOE^JOHN^^^", "DOE^JOHN", YES),
            ("DOE^JOHN", "DOE^JOHN^^^", YES),
            ("DOE^", "DOE", YES),
            ("DOE", "DOE^^^^", YES),
            ("DOE^JOHN", "DOE^JOHN==", YES),
            ("DOE^JOHN=", "DOE^JOHN", YES),
            ("DOE^JOHN==", "DOE^JOHN", YES),
            ("DOE^^JOHN", "DOE^JOHN", NO),
            ("^JOHN", "DOE^JOHN", NO),
            ("^JOHN", "^JOHN", YES),
        ],
    ),
    *block(
        "PN",
        "PS3.5 6.2.1: a stored name of delimiters alone has no value",
        [("DOE", "^^^^", NO), ("?*", "^^^^", NO), ("DOE", "==", NO)],
    ),
    *block(
        "PN",
        "PS3.5 6.2: spaces around a component do not count",
        [
            ("DOE ^JOHN", "DOE^JOHN", YES),
            ("DOE^ JOHN", "DOE^JOHN", YES),
            ("DOE^JOHN", "DOE ^ JOHN ", YES),
            (" DOE^JOHN ", "DOE^JOHN", YES),
            ("DOE^JOHN PAUL", "DOE^JOHN PAUL", YES),
            ("DOE^JOHN PAUL", "DOE^JOHNPAUL", NO),
            ("VAN DER BERG^*", "Van der Berg^Jan", YES),
            ("VANDERBERG^*", "Van der Berg^Jan", NO),
            ("DOE ^J* ", "DOE^JOHN", YES),
        ],
    ),
    *block(
        "PN",
        "PS3.5 6.2.1: a comma is not a delimiter",
        [("DOE,JOHN", "DOE^JOHN", NO), ("DOE,JOHN", "Doe,John", YES), ("DOE, JOHN", "DOE^JOHN", NO)],
    ),
    *block(
        "PN",
        "C.2.2.2.1.1: marks on letters do not count",
        [
            ("MULLER", "Müller", YES),
            ("MÜLLER", "Muller", YES),
            ("müller", "MÜLLER", YES),
            ("MUELLER", "Müller", NO),
            ("MU\u0308LLER", "M\u00fcller", YES),
            ("RENE^*", "René^Jérôme", YES),
            ("*^JEROME", "René^Jérôme", YES),
            ("M?LLER", "Müller", YES),
            ("M?LLER", "Mu\u0308ller", YES),
            ("STRAUSS", "Strauß", YES),
            ("NOVAK", "Novák", YES),
            ("DVORAK*", "Dvořák^Antonín", YES),
            ("ŁUKASZ", "łukasz", YES),
            ("SOREN", "Sören", YES),
        ],
    ),
    *block(
        "PN",
        "C.2.2.2.1.1: full width and half width are the same",
        [
            ("ＤＯＥ", "DOE", YES),
            ("DOE", "ｄｏｅ", YES),
            ("ﾔﾏﾀﾞ", "ヤマダ", YES),
            ("ヤマダ^*", "ﾔﾏﾀﾞ^ﾀﾛｳ", YES),
            ("DOE\u3000", "DOE", YES),
        ],
    ),
    *block(
        "PN",
        "Any value of several names may match",
        [("ROE", "DOE\\ROE", YES), ("DO*", "ROE\\DOE", YES), ("POE", "DOE\\ROE", NO)],
    ),
    *block(
        "PN",
        "Characters that a database takes for its own are themselves",
        [("D%", "DOE", NO), ("D_E", "DOE", NO), ("O'NEIL", "O'Neil", YES), ('"DOE"', "DOE", NO)],
    ),
    *block("PN", "A name with more than 32 stars apart is refused", [("A*" * 33, "A", REFUSED)]),
]

GROUPS: list[Case] = [
    *block(
        "PN",
        "PS3.5 6.2.1.1: a key without an equals sign matches any component group",
        [
            ("Yamada^Tarou", YAMADA, YES),
            ("山田^太郎", YAMADA, YES),
            ("やまだ^たろう", YAMADA, YES),
            ("YAMADA*", YAMADA, YES),
            ("山田*", YAMADA, YES),
            ("*太郎", YAMADA, YES),
            ("やまだ*", YAMADA, YES),
            ("山?^太郎", YAMADA, YES),
            ("山^*", YAMADA, NO),
            ("山田太郎", YAMADA, NO),
            ("田中*", YAMADA, NO),
            ("yamada^hanako", YAMADA, NO),
        ],
    ),
    *block(
        "PN",
        "PS3.5 6.2.1.1: with equals signs each group that is not empty matches its own",
        [
            (YAMADA, YAMADA, YES),
            ("Yamada^Tarou=山田^太郎", YAMADA, YES),
            ("=山田^太郎", YAMADA, YES),
            ("=山田*", YAMADA, YES),
            ("==やまだ*", YAMADA, YES),
            ("Yamada*==やまだ*", YAMADA, YES),
            ("Yamada*=田中*", YAMADA, NO),
            ("Tanaka*=山田*", YAMADA, NO),
            ("=Yamada^Tarou", YAMADA, NO),
            ("山田^太郎=", YAMADA, NO),
            ("==山田*", YAMADA, NO),
            ("=山田*", "Yamada^Tarou", NO),
            ("Yamada*=山田*", "Yamada^Tarou", NO),
        ],
    ),
    *block(
        "PN",
        "PS3.5 6.2.1.1: a star does not go beyond its group",
        [
            ("Yamada*たろう", YAMADA, NO),
            ("*山田*", "Yamada^Tarou=山田^太郎", YES),
            ("Yamada*太郎", "Yamada^Tarou=山田^太郎", NO),
            ("Yamada^Tarou?*", YAMADA, NO),
        ],
    ),
    *block(
        "PN",
        "PS3.5 H.3.1 and H.3.2: the example of Japan, in both widths",
        [
            ("ﾔﾏﾀﾞ^ﾀﾛｳ", YAMADA_HALF_WIDTH, YES),
            ("ヤマダ^タロウ", YAMADA_HALF_WIDTH, YES),
            ("=山田^太郎", YAMADA_HALF_WIDTH, YES),
            ("ヤマダ*=山田*=やまだ*", YAMADA_HALF_WIDTH, YES),
            ("Yamada*", YAMADA_HALF_WIDTH, NO),
        ],
    ),
    *block(
        "PN",
        "PS3.5 I.2: the example of Korea",
        [
            ("HONG^GILDONG", HONG, YES),
            ("洪^吉洞", HONG, YES),
            ("홍^길동", HONG, YES),
            ("홍*", HONG, YES),
            ("?^길?", HONG, YES),
            ("=洪*", HONG, YES),
            ("==홍^*", HONG, YES),
            ("홍길동", HONG, NO),
            ("\u1112\u1169\u11bc^\u1100\u1175\u11af\u1103\u1169\u11bc", HONG, YES),
            ("김*", HONG, NO),
        ],
    ),
    *block(
        "PN",
        "PS3.5 J.3 and J.4: the examples of China in UTF-8 and GB18030",
        [
            ("王^小东", WANG, YES),
            ("WANG^XIAODONG", WANG, YES),
            ("王*", WANG, YES),
            ("=王^*", WANG, YES),
            ("王^小東", WANG, NO),
            ("王小东", WANG, NO),
            ("张*", WANG, NO),
        ],
    ),
    *block(
        "PN",
        "PS3.5 K.2: the example of China in GB 2312",
        [("张^小东", ZHANG, YES), ("zhang*", ZHANG, YES), ("=张*", ZHANG, YES), ("張*", ZHANG, NO)],
    ),
    *block(
        "PN",
        "PS3.5 H: French",
        [("BUC^JEROME", "Buc^Jérôme", YES), ("Buc^Jérôme", "BUC^JEROME", YES), ("Buc^J?r?me", "Buc^Jérôme", YES)],
    ),
    *block(
        "PN",
        "PS3.5 H: German",
        [("Äneas^Rüdiger", "ÄNEAS^RÜDIGER", YES), ("ANEAS^*", "Äneas^Rüdiger", YES), ("AENEAS^*", "Äneas^Rüdiger", NO)],
    ),
    *block(
        "PN",
        "PS3.5 H: Greek",
        [("Διονυσιος", "ΔΙΟΝΥΣΙΟΣ", YES), ("Διονύσιος", "Διονυσιος", YES), ("Διον*", "Διονυσιος", YES)],
    ),
    *block(
        "PN",
        "PS3.5 H: Russian",
        [("Люкceмбypг", "ЛЮКCEМБYPГ", YES), ("люк*", "Люкceмбypг", YES), ("LYUK*", "Люкceмбypг", NO)],
    ),
    *block(
        "PN",
        "PS3.5 H: Arabic",
        [
            ("قباني^لنزار", "قباني^لنزار", YES),
            ("قباني*", "قباني^لنزار", YES),
            ("*لنزار", "قباني^لنزار", YES),
            ("لنزار*", "قباني^لنزار", NO),
        ],
    ),
    *block(
        "PN",
        "PS3.5 H: Hebrew",
        [("שרון^דבורה", "שרון^דבורה", YES), ("שרון^*", "שרון^דבורה", YES), ("דבורה", "שרון^דבורה", NO)],
    ),
    *block("PN", "PS3.5 6.1: Thai", [("นามสกุล*", "นามสกุล^ชื่อ", YES), ("ชื่อ*", "นามสกุล^ชื่อ", NO)]),
]

FUZZY_NAMES: list[Case] = [
    *block(
        "PN",
        "C.2.2.2.1.1, fuzzy: words in any order",
        [
            ("JOHN DOE", "Doe^John", YES),
            ("JOHN^DOE", "Doe^John", YES),
            ("DOE,JOHN", "Doe^John", YES),
            ("DOE-JOHN", "Doe^John", YES),
            ("DOE^JOHN", "Doe^John", YES),
            ("JANE DOE", "Doe^Robert", NO),
        ],
        FUZZY,
    ),
    *block(
        "PN",
        "C.2.2.2.1.1, fuzzy: a word may be the beginning of a word",
        [
            ("DO", "Doe^John", YES),
            ("J DOE", "Doe^John", YES),
            ("OHN", "Doe^John", NO),
            ("JOHNS", "Doe^Jo", NO),
            ("MÜLL", "Muller^Hans", YES),
            ("RUDI", "Müller^Rüdiger", YES),
        ],
        FUZZY,
    ),
    *block(
        "PN",
        "C.2.2.2.1.1, fuzzy: a middle name is a word too",
        [
            ("PAUL", "Doe^John^Paul", YES),
            ("DOE PAUL", "Doe^John^Paul", YES),
            ("DOE PETER", "Doe^John^Paul", NO),
            ("DR", "Doe^John^^Dr", YES),
        ],
        FUZZY,
    ),
    *block(
        "PN",
        "C.2.2.2.1.1, fuzzy: words that sound the same",
        [
            ("SMYTH", "Smith^Ann", YES),
            ("MEIER", "Mayer^Karl", YES),
            ("ROBERT", "Rupert^X", YES),
            ("ASHCRAFT", "Ashcroft^A", YES),
            ("TYMCZAK", "Tymczack^A", YES),
            ("SMITH", "Jones^Ann", NO),
            ("AL", "El^X", NO),
            ("SMYTH JON", "Smith^John", YES),
            ("SCHMIDT", "Smith^Ann", YES),
        ],
        FUZZY,
    ),
    *block(
        "PN",
        "C.2.2.2.1.1, fuzzy: letters other than a to z by their beginning only",
        [
            ("山", YAMADA, YES),
            ("太郎 山田", YAMADA, YES),
            ("田", YAMADA, NO),
            ("ИВАН", "Иванов^Пётр", YES),
            ("ЕВАНОВ", "Иванов^Пётр", NO),
            ("홍", HONG, YES),
        ],
        FUZZY,
    ),
    *block(
        "PN",
        "C.2.2.2.1.1, fuzzy: adds to what matches otherwise, and takes nothing away",
        [("*OHN", "Doe^John", YES), ("D?E*", "Doe^John", YES), ("=山田*", YAMADA, YES), ("DOE", "", NO)],
        FUZZY,
    ),
    *block(
        "PN",
        "C.2.2.2.1.1: none of it where it was not negotiated",
        [("JOHN DOE", "Doe^John", NO), ("SMYTH*", "Smith^Ann", NO), ("DO", "Doe^John", NO)],
    ),
    *block(
        "LO",
        "C.2.2.2.1.1: fuzzy matching is for names only",
        [("JOHN DOE", "Doe^John", NO), ("CHES", "Chest", NO)],
        FUZZY,
    ),
]

CASES: list[Case] = [*ORDINARY, *GROUPS, *FUZZY_NAMES]
