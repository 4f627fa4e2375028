"""Archives made of a seed, as rows of the index and as attributes that `dimse.matching` takes."""

from __future__ import annotations

from random import Random
from typing import Any

from dimse import tags
from dimse.archive.index import Index, normal
from dimse.archive.index.attributes import LEVELS, Level, keys
from dimse.archive.index.attrs import write_attrs
from dimse.archive.index.columns import text_of
from dimse.archive.index.row import Row, default_path
from dimse.data_set.attributes import Attribute, Attributes
from tests.archive.index.rows import ARCHIVE_FOLDER

PATIENT_ID, ISSUER, PATIENT_NAME = 0x00100020, 0x00100021, 0x00100010
NAMES = [
    *(
        "DOE^JOHN",
        "Doe^John",
        "doe^john^^Dr.^Jr.",
        "DOE",
        "Doe^Jane",
        "DOE^JOHN=",
        "Smith^Anna-Maria",
        "SCHMIDT^JOHN^Q",
    ),
    *(
        "Müller^Jörg",
        "MULLER^JORG",
        "Mueller^Joerg",
        "Buc^Jérôme",
        "Ærø^Åse",
        "Straße^Ümit",
        "STRASSE^UMIT",
        "İnce^Işık",
    ),
    *("Yamada^Tarou=山田^太郎=やまだ^たろう", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=ﾔﾏﾀﾞ^ﾀﾛｳ", "=山田^花子", "==やまだ", "ＤＯＥ^ＪＯＨＮ"),
    *("Hong^Gildong=洪^吉洞=홍^길동", "Wang^XiaoDong=王^小东", "Люкceмбypг", "Διονυσιος", "قباني^لنزار", "שרון^דבורה"),
    *(
        "O'Neil^Pat",
        'Quote"^D',
        "Per%cent^A",
        "Under_score^B",
        "Back!slash^C",
        "a*b^c?d",
        "X^^^^",
        " Doe ^ John ",
        "van der Berg^J",
    ),
    *(
        "",
        "^^",
        "A=B=C=D",
        "J\u030c^Z",
        "ﬁn^Ŀ",
        "ſmith^x",
        "K^e\u0301",
        "Doe^John\\Roe^Jane",
        "Drop^Table'; --",
        "\U0010ffff\U0001f600^q",
    ),
]
TEXTS = [
    *(
        "HEAD",
        "Head",
        "head CT",
        "CT Kopf",
        "Schädel",
        "SCHADEL",
        "schädel",
        "頭部",
        "두부",
        "100%",
        "100x",
        "a_b",
        "aXb",
        "a!b",
        "a'b",
    ),
    *(
        'say "x"',
        "a*b",
        "a?b",
        "",
        "  ",
        "STRASSE",
        "straße",
        "ſ",
        "İ",
        "ab\\cd",
        "x" * 70,
        "e\u0301",
        "é",
        "[a-z]",
        "x\0y",
    ),
]
IDS = [
    *("1", "01", "A1", "a1", "A%1", "A_1", "A1\\B2", "ID 7", "é7", "7*", "", "PAT?", "O'1", "'", '"', "!1", "日1"),
    *map(str, range(90, 120)),
]
DATES = [
    "",
    "20240101",
    "20240102",
    "20240131",
    "20240229",
    "20231231",
    "2024.01.02",
    "19500101",
    "20241301",
    "2024",
    "99991231",
    "00010101",
]
TIMES = [
    "",
    "10",
    "1010",
    "101010",
    "101010.5",
    "101010.500000",
    "10:10:10",
    "235959.999999",
    "000000",
    "240000",
    "1060",
    "09",
    "00",
]
NUMBERS = ["", "1", "2", "007", "7", "+7", "-3", "x", "1.5", "99999999999999999999", "12"]
MODALITIES = ["CT", "MR", "US", "SR", "ct", "PT", "", "C_", "OT"]
CLASSES = ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7"]
SYNTAXES = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.70"]

# By VR, for the attributes that have no list here.
_VALUES = {
    "PN": NAMES,
    "LO": TEXTS,
    "SH": TEXTS,
    "LT": TEXTS,
    "ST": TEXTS,
    "UT": TEXTS,
    "CS": ["M", "F", "O", "", "m", "HEAD", "L", "YES", "YES_NO"],
    "AS": ["018Y", "018M", "", "007Y"],
    "DA": DATES,
    "TM": TIMES,
    "DT": ["", "20240101101010", "20240101101010+0100", "2024"],
    "IS": NUMBERS,
    "DS": ["1.5", "1.50", "+1.5", "", "70", "7e1", "x"],
}
_OWN = {
    "PatientID": IDS,
    "IssuerOfPatientID": ["", "", "", "A", "B"],
    "AccessionNumber": IDS,
    "StudyID": IDS,
    "Modality": MODALITIES,
}

Entity = dict[int, Attribute]


def tag_of(keyword: str) -> int:
    """Return the tag of a keyword."""
    tag = tags.find(keyword)
    assert tag is not None
    return tag


def values_for(keyword: str) -> list[str]:
    """Return the values that an attribute may have in an archive."""
    return _OWN.get(keyword) or _VALUES[tags.vr(tag_of(keyword))]


def some_attribute(random: Random, tag: int, depth: int = 0) -> Attribute:
    """Return an attribute with values, or with none."""
    vr = tags.vr(tag)
    if vr == "SQ":
        return Attribute("SQ", tuple(_some_item(random, depth) for _ in range(random.choice((0, 1, 1, 2)))))
    if vr == "US":
        return Attribute(vr, (random.choice((1, 16, 512)),))
    text = random.choice(values_for(tags.keyword(tag)))
    # A data set separates values by backslashes where its VR allows several.
    values = (text,) if vr in ("LT", "ST", "UT") else tuple(text.split("\\"))
    return Attribute(vr, values if any(values) else ())


_ITEM = (
    "CodeValue",
    "CodeMeaning",
    "PatientID",
    "PatientName",
    "ScheduledProcedureStepID",
    "StudyDate",
    "CodeSequence",
)


def _some_item(random: Random, depth: int) -> Entity:
    found: Entity = {}
    for keyword in _ITEM:
        tag = {"CodeSequence": 0x00400260}.get(keyword) or tag_of(keyword)
        if random.random() < 0.5 and (depth < 2 or tags.vr(tag) != "SQ"):
            found[tag] = some_attribute(random, tag, depth + 1)
    return found


def some_attributes(random: Random, level: Level) -> Entity:
    """Return the attributes of an entity, unique keys aside."""
    found: Entity = {}
    for tag, key in keys().items():
        is_stored = not key.is_computed and tags.vr(tag) != "UI"
        if key.level == level and is_stored and random.random() < (0.85 if key.column else 0.4):
            found[tag] = some_attribute(random, tag)
    return found


class Archive:
    """An archive made of a seed.

    Attributes:
        entities: For each level its entities, in the order in which a search yields them, with the attributes of the levels above.
        rows: For each study its rows.
        files: For each path the attributes that only a file has.
    """

    def __init__(self, seed: int, patients: int = 50) -> None:
        self.random = Random(seed)
        self.entities: dict[Level, list[Entity]] = {level: [] for level in LEVELS}
        self.files: dict[str, Entity] = {}
        self.rows: list[list[Row]] = []
        self._keys = dict.fromkeys(LEVELS, 0)
        self._uid = 0
        self._taken: set[tuple[str, str]] = set()
        for _ in range(patients):
            self._add_patient()
        self._sort()

    def _next(self, level: Level) -> int:
        self._keys[level] += 1
        return self._keys[level]

    def _next_uid(self) -> str:
        self._uid += self.random.choice((1, 1, 7))
        return f"1.2.{self._uid}"

    def _add_patient(self) -> None:
        random, pk = self.random, self._next("PATIENT")
        found = some_attributes(random, "PATIENT")
        identity = (text_of(found, PATIENT_ID), text_of(found, ISSUER))
        if not identity[0] or identity in self._taken:
            # A patient without Patient ID has one study, and no issuer.
            found = {tag: attribute for tag, attribute in found.items() if tag not in (PATIENT_ID, ISSUER)}
        self._taken.add(identity)
        patient = expected(found)
        most = random.choice((1, 1, 2, 3)) if PATIENT_ID in found else 1
        studies = [self._add_study(found, patient) for _ in range(most)]
        totals = (len(studies), sum(series for series, _ in studies), sum(instances for _, instances in studies))
        for name, total in zip(("Studies", "Series", "Instances"), totals, strict=True):
            patient[tag_of(f"NumberOfPatientRelated{name}")] = Attribute("IS", (str(total),))
        self.entities["PATIENT"].append(patient)
        for level in LEVELS[1:]:
            for entity in self.entities[level]:
                if entity.pop(0, None) is not None:
                    entity.update((tag, patient[tag]) for tag in patient if tag >> 16 == 0x0020)
        self._note(patient, normal.name_columns(normal.values_of(PATIENT_NAME, found.get(PATIENT_NAME)))[0], pk)

    def _note(self, entity: Entity, *order: Any) -> None:
        """Note under a tag that no data set has what an entity is ordered by."""
        entity[1] = Attribute("UN", order)

    def _add_study(self, of_patient: Entity, patient: Entity) -> tuple[int, int]:
        random, pk, uid = self.random, self._next("STUDY"), self._next_uid()
        found = some_attributes(random, "STUDY")
        study = patient | expected(found) | {0x0020000D: Attribute("UI", (uid,)), 0: Attribute("UN", ())}
        self.rows.append([])
        most = random.choice((1, 2, 2, 3))
        series = [self._add_series(of_patient | found, pk, uid, study, is_first=not at) for at in range(most)]
        modalities = sorted({modality for modality, _ in series if modality})
        classes = sorted({sop_class for _, classes in series for sop_class in classes})
        instances = sum(len(classes) for _, classes in series)
        computed = {
            tag_of("ModalitiesInStudy"): Attribute("CS", tuple(modalities)),
            tag_of("SOPClassesInStudy"): Attribute("UI", tuple(classes)),
            tag_of("NumberOfStudyRelatedSeries"): Attribute("IS", (str(len(series)),)),
            tag_of("NumberOfStudyRelatedInstances"): Attribute("IS", (str(instances),)),
        }
        computed = {tag: attribute for tag, attribute in computed.items() if attribute.values}
        for level in LEVELS[2:]:
            for entity in self.entities[level]:
                if entity[0x0020000D].values == (uid,):
                    entity.update(computed)
        study.update(computed)
        self._note(study, text_of(found, tag_of("StudyDate")), uid)
        self.entities["STUDY"].append(study)
        return len(series), instances

    def _add_series(
        self, above: Entity, study_pk: int, study_uid: str, study: Entity, is_first: bool
    ) -> tuple[str, list[str]]:
        random, pk, uid = self.random, self._next("SERIES"), self._next_uid()
        if is_first and random.random() < 0.05:
            # One Series Instance UID in two studies occurs.
            uid = "1.2.3.4"
        found = some_attributes(random, "SERIES")
        series = study | expected(found) | {0x0020000E: Attribute("UI", (uid,))}
        most = random.choice((1, 2, 3))
        classes = [self._add_instance(above | found, pk, study_uid, uid, series) for _ in range(most)]
        count = {tag_of("NumberOfSeriesRelatedInstances"): Attribute("IS", (str(len(classes)),))}
        for entity in self.entities["IMAGE"][-len(classes) :]:
            entity.update(count)
        series.update(count)
        number = whole_number(found, 0x00200011)
        self._note(series, -study_pk, 2**63 if number is None else number, uid)
        self.entities["SERIES"].append(series)
        return text_of(found, 0x00080060), classes

    def _add_instance(self, above: Entity, series_pk: int, study_uid: str, series_uid: str, series: Entity) -> str:
        random, uid = self.random, self._next_uid()
        found = some_attributes(random, "IMAGE")
        sop_class, syntax = random.choice(CLASSES), random.choice(SYNTAXES)
        number = whole_number(found, 0x00200013)
        found.pop(0x00200013, None)
        path = default_path(study_uid, series_uid, uid)
        self.rows[-1].append(Row(uid, sop_class, syntax, study_uid, series_uid, above, number, path, 100, b"", 0.0))
        self.files[f"{ARCHIVE_FOLDER}/{path}"] = found
        image = series | {tag: attribute for tag, attribute in found.items() if attribute.values}
        image |= {
            0x00080016: Attribute("UI", (sop_class,)),
            0x00080018: Attribute("UI", (uid,)),
            tag_of("AvailableTransferSyntaxUID"): Attribute("UI", (syntax,)),
        }
        if number is not None:
            image[0x00200013] = Attribute("IS", (str(number),))
        self._note(image, series_pk, 2**63 if number is None else number, uid)
        self.entities["IMAGE"].append(image)
        return sop_class

    def _sort(self) -> None:
        """Sort the entities of each level into the order in which a search yields them."""
        for level, entities in self.entities.items():
            entities.sort(key=lambda entity: entity[1].values[1:])
            entities.sort(key=lambda entity: entity[1].values[0], reverse=level == "STUDY")
            for entity in entities:
                del entity[1]

    def add_to(self, index: Index) -> None:
        """Add the rows of the archive to an empty index."""
        for rows in self.rows:
            index.add(rows)


def whole_number(attributes: Attributes, tag: int) -> int | None:
    """Return the number that an attribute of VR IS is in the index; None if it is malformed."""
    return normal.whole_number(text_of(attributes, tag))


def expected(attributes: Attributes, in_item: bool = False) -> Entity:
    """Return the attributes of an entity or an item as the index is to have them: trimmed, and only those that have a value."""
    found: Entity = {}
    for tag, attribute in attributes.items():
        column = keys()[tag].column if tag in keys() and not in_item else ""
        values = _expected_values(attribute, column)
        is_kept = column or in_item or write_attrs({tag: Attribute(attribute.vr, values)}, [tag]) is not None
        if is_kept and any(value not in ("", None) for value in values):
            found[tag] = Attribute(attribute.vr, values)
    return found


def _expected_values(attribute: Attribute, column: str) -> tuple[Any, ...]:
    vr, values = attribute
    if vr == "SQ":
        return tuple(_expected_item(item) for item in values)
    if vr == "US":
        return values
    texts = tuple(normal.plain(vr, value) for value in values)
    if column == "number":
        number = normal.whole_number(normal.join(texts))
        return () if number is None else (str(number),)
    if vr == "PN" and not column:
        # A name in JSON has three groups.
        return tuple("=".join(text.split("=")[:3]).rstrip("=") for text in texts)
    return texts


def _expected_item(item: Attributes) -> Entity:
    found = expected(item, in_item=True)
    return found | {tag: Attribute(vr, ()) for tag, (vr, _) in item.items() if tag not in found}
