"""The removal of series, studies and patients that have no instance left, with the counts and lists of what encloses them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, func, select, update

from dimse.archive.index.database import Writer
from dimse.archive.index.schema import INSTANCE, META, NAME_WORD, PATIENT, SERIES, STUDY, UID_NAME

MOVED = "moved:"
"""The beginning of the keys of `meta` that name a study which was moved to another patient."""

_FIND_SERIES = select(SERIES.c.study_pk).where(SERIES.c.pk == bindparam("pk_"), SERIES.c.n_instances <= 0)
_DELETE_SERIES = SERIES.delete().where(SERIES.c.pk == bindparam("pk_"))
_COUNT_SERIES = select(func.count()).select_from(SERIES).where(SERIES.c.study_pk == bindparam("pk_"))
_PATIENT_OF = select(STUDY.c.patient_pk).where(STUDY.c.pk == bindparam("pk_"))
_UID_OF = select(STUDY.c.study_uid).where(STUDY.c.pk == bindparam("pk_"))
_FORGET_MOVE = META.delete().where(META.c.key == bindparam("key_"))
_DELETE_STUDY = STUDY.delete().where(STUDY.c.pk == bindparam("pk_"))
_STUDIES_OF = select(func.count()).select_from(STUDY).where(STUDY.c.patient_pk == bindparam("pk_"))
_DELETE_WORDS = NAME_WORD.delete().where(NAME_WORD.c.patient_pk == bindparam("pk_"))
_DELETE_PATIENT = PATIENT.delete().where(PATIENT.c.pk == bindparam("pk_"))
_MODALITIES = select(SERIES.c.modality).where(SERIES.c.study_pk == bindparam("pk_")).distinct()
_SOP_CLASSES = (
    select(UID_NAME.c.uid)
    .join(INSTANCE, INSTANCE.c.sop_class == UID_NAME.c.pk)
    .join(SERIES, SERIES.c.pk == INSTANCE.c.series_pk)
    .where(SERIES.c.study_pk == bindparam("pk_"))
    .distinct()
)
_SET_LISTS = (
    update(STUDY)
    .where(STUDY.c.pk == bindparam("pk_"))
    .values(modalities=bindparam("modalities_"), sop_classes=bindparam("sop_classes_"), n_series=bindparam("n_series_"))
)


def remove_empty(writer: Writer, series: Iterable[int]) -> bool:
    """Remove those of the series that have no instance left, and what encloses them if it is empty then.

    Args:
        writer: The writer, in a transaction.
        series: The keys of series.

    Returns:
        True if something was removed.
    """
    studies = set()
    for pk in series:
        found = writer.one(_FIND_SERIES, {"pk_": pk})
        if found is not None:
            writer.run(_DELETE_SERIES, {"pk_": pk})
            studies.add(int(found[0]))
    for pk in sorted(studies):
        remove_or_renew_study(writer, pk)
    return bool(studies)


def remove_or_renew_study(writer: Writer, pk: int) -> None:
    """Remove a study without series, and its patient without studies; list anew what another study has."""
    left = writer.one(_COUNT_SERIES, {"pk_": pk})
    if left is not None and left[0]:
        renew_lists(writer, pk, int(left[0]))
        return
    patient = writer.one(_PATIENT_OF, {"pk_": pk})
    if (found := writer.one(_UID_OF, {"pk_": pk})) is not None:
        # If it comes again, it has the patient that its instances name.
        writer.run(_FORGET_MOVE, {"key_": f"{MOVED}{found[0]}"})
    writer.run(_DELETE_STUDY, {"pk_": pk})
    if patient is not None:
        remove_patient_if_empty(writer, int(patient[0]))


def remove_patient_if_empty(writer: Writer, pk: int) -> None:
    """Remove a patient who has no study."""
    studies = writer.one(_STUDIES_OF, {"pk_": pk})
    if studies is None or not studies[0]:
        writer.run(_DELETE_WORDS, {"pk_": pk})
        writer.run(_DELETE_PATIENT, {"pk_": pk})


def renew_lists(writer: Writer, pk: int, n_series: int) -> None:
    """Make the lists of modalities and SOP classes of a study anew."""
    modalities = {one for (text,) in writer.all(_MODALITIES, {"pk_": pk}) for one in text.split("\\") if one}
    sop_classes = {text for (text,) in writer.all(_SOP_CLASSES, {"pk_": pk})}
    parameters = {"modalities_": "\\".join(sorted(modalities)), "sop_classes_": "\\".join(sorted(sop_classes))}
    writer.run(_SET_LISTS, parameters | {"pk_": pk, "n_series_": n_series})
