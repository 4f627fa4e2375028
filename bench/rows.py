"""Rows of an archive of any size, made of a seed: studies of ten years, with names, modalities and sizes as a hospital has them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from random import Random

from dimse import tags, uids
from dimse.archive.index.row import Frames, Row, default_path
from dimse.data_set.attributes import Attribute

_ROOT = "1.2.826.0.1.3680043.8.498"
_FAMILY = """Smith Müller García Rossi Nowak Jensen O'Neil Dubois Silva Kowalski Yamada Kim Wang Ivanova Schmidt Johansson
    Hansen Fischer Weber Novák Horvat Papadopoulos Öztürk Andersson Meier Lefebvre Costa Fernández Moreau Brown""".split()
_GIVEN = """Anna Peter Maria Jan Eva Thomas Laura Michael Sofia Paul Julia Martin Emma Karl Lena David Clara Felix Nina Jonas
    Ida Oskar Zoë Émile Ayşe Taro Hana Igor Olga Lucía""".split()
_PARTS = "HEAD CHEST ABDOMEN PELVIS SPINE KNEE HAND FOOT NECK BREAST".split()
_KINDS = (
    # Modality, its SOP class, and its share of the studies
    ("CT", uids.CTImageStorage, 25),
    ("MR", uids.MRImageStorage, 15),
    ("CR", uids.ComputedRadiographyImageStorage, 30),
    ("US", uids.UltrasoundImageStorage, 20),
    ("PT", uids.PositronEmissionTomographyImageStorage, 3),
    ("MG", uids.DigitalMammographyXRayImageStorageForPresentation, 7),
)
# One image without a table of its frames.
_PIXELS = Frames(1_600, 524_288, 1, 512, 512, 16)
_FIRST_DAY = datetime.date(2015, 1, 1)
_DAYS = 3333
_FIRST_SECOND = 1_700_000_000.0


def study_uid(study: int, seed: int = 16) -> str:
    """Return the Study Instance UID of a study, by its number from 0 on."""
    return f"{_ROOT}.{seed}.{study}"


def studies(number: int, seed: int = 16, instances: int = 10) -> Iterator[list[Row]]:
    """Yield the rows of each study, the same ones for the same seed.

    Args:
        number: The number of studies. There are three patients for four of them, and 30 a day if they are 100,000.
        seed: The seed.
        instances: Instances of a study, in two series.
    """
    random = Random(seed)
    patients = max(1, number * 3 // 4)
    for study in range(number):
        yield _rows(random, study, random.randrange(patients), instances, seed)


def _rows(random: Random, study: int, patient: int, instances: int, seed: int) -> list[Row]:
    of_patient = Random(f"{seed} {patient}")
    day = _FIRST_DAY + datetime.timedelta(random.randrange(_DAYS))
    modality, sop_class, _ = random.choices(_KINDS, [share for _, _, share in _KINDS])[0]
    part = random.choice(_PARTS)
    time = f"{random.randrange(7, 19):02}{random.randrange(60):02}{random.randrange(60):02}"
    said = {
        "PatientID": f"P{patient:07}",
        "PatientName": f"{of_patient.choice(_FAMILY)}^{of_patient.choice(_GIVEN)}^{patient % 1000}",
        "PatientBirthDate": f"{of_patient.randrange(1930, 2015)}{of_patient.randrange(1, 13):02}{of_patient.randrange(1, 29):02}",
        "PatientSex": of_patient.choice("FM"),
        "StudyDate": f"{day:%Y%m%d}",
        "StudyTime": time,
        "AccessionNumber": f"A{study:08}",
        "StudyID": f"{study % 10_000}",
        "StudyDescription": f"{modality} {part.title()}",
        "ReferringPhysicianName": f"{random.choice(_FAMILY)}^{random.choice(_GIVEN)}",
        "PatientAge": f"{random.randrange(90):03}Y",
        "BodyPartExamined": part,
        "Manufacturer": random.choice(("Acme", "Example Medical", "Another")),
        "StationName": f"{modality}{random.randrange(4)}",
        "InstitutionName": "Example Hospital",
    }
    uid = study_uid(study, seed)
    rows = []
    for number in range(instances):
        series = number * 2 // instances
        # A few studies have a report or a second modality.
        is_report = series == 1 and study % 20 == 0
        words = said | {
            "Modality": "SR" if is_report else modality,
            "SeriesNumber": f"{series + 1}",
            "SeriesDescription": f"{part.title()} {series + 1}",
            "SeriesDate": said["StudyDate"],
            "SeriesTime": time,
        }
        rows.append(
            Row(
                f"{uid}.{series}.{number}",
                uids.BasicTextSRStorage if is_report else sop_class,
                uids.ExplicitVRLittleEndian,
                uid,
                f"{uid}.{series}",
                _attributes(words),
                number + 1,
                default_path(uid, f"{uid}.{series}", f"{uid}.{series}.{number}"),
                526_000,
                number.to_bytes(4, "big") * 8,
                _FIRST_SECOND + study,
                "MODALITY",
                None if is_report else _PIXELS,
                fingerprint=b"%d %d" % (study, series),
            )
        )
    return rows


def _attributes(said: dict[str, str]) -> dict[int, Attribute]:
    found = {}
    for keyword, value in said.items():
        tag = tags.find(keyword)
        assert tag is not None
        found[tag] = Attribute(tags.vr(tag), (value,))
    return found
