"""The moving of a study to another patient. The files stay as they are, so the move is kept beside what is derived from them."""

from __future__ import annotations

import json

from sqlalchemy import bindparam, select, update

from dimse.archive.index.changes import record_change
from dimse.archive.index.database import Writer
from dimse.archive.index.inserting import insert
from dimse.archive.index.normal import name_words
from dimse.archive.index.removing import MOVED, remove_patient_if_empty
from dimse.archive.index.schema import META, NAME_WORD, PATIENT, STUDY

_COLUMNS = tuple(column.name for column in PATIENT.columns if column.name != "pk")
_FIND_STUDY = (
    select(STUDY.c.pk, STUDY.c.patient_pk).where(STUDY.c.study_uid == bindparam("study_uid")).with_for_update()
)
_FIND_PATIENT = select(PATIENT.c.pk).where(
    PATIENT.c.patient_id == bindparam("patient_id"), PATIENT.c.issuer == bindparam("issuer"), PATIENT.c.only_study == ""
)
_LOAD_PATIENT = select(*(PATIENT.c[name] for name in _COLUMNS)).where(PATIENT.c.pk == bindparam("pk_"))
_INSERT_PATIENT = insert(PATIENT).values({name: bindparam(name) for name in _COLUMNS}).returning(PATIENT.c.pk)
_INSERT_WORD = insert(NAME_WORD).values({name: bindparam(name) for name in ("patient_pk", "word", "sound")})
_MOVE = update(STUDY).where(STUDY.c.pk == bindparam("pk_")).values(patient_pk=bindparam("patient_pk_"))
_KEEP = (
    insert(META)
    .values(key=bindparam("key"), value=bindparam("value"))
    .on_conflict_do_update(index_elements=["key"], set_={"value": bindparam("value")})
)


def move_study(writer: Writer, study_uid: str, patient_id: str, issuer: str = "") -> bool:
    """Give a study to another patient, and return False if there is no such study.

    A patient who is not in the index is made, with the name, the birth date and the sex of the present one.

    Args:
        writer: The writer, in a transaction.
        study_uid: The Study Instance UID.
        patient_id: The Patient ID of the other patient; not empty.
        issuer: The Issuer of Patient ID.
    """
    writer.lock_hierarchy()
    study = writer.one(_FIND_STUDY, {"study_uid": study_uid})
    if study is None:
        return False
    pk, before = int(study[0]), int(study[1])
    identity = {"patient_id": patient_id, "issuer": issuer}
    found = writer.one(_FIND_PATIENT, identity)
    patient = int(found[0]) if found is not None else _make_patient(writer, before, identity)
    writer.run(_KEEP, {"key": f"{MOVED}{study_uid}", "value": json.dumps([patient_id, issuer])})
    if patient != before:
        writer.run(_MOVE, {"pk_": pk, "patient_pk_": patient})
        remove_patient_if_empty(writer, before)
        writer.lock_changes()
        record_change(writer, "moved", study_uid)
    return True


def _make_patient(writer: Writer, before: int, identity: dict[str, str]) -> int:
    """Make a patient with the demographics of another one."""
    loaded = writer.one(_LOAD_PATIENT, {"pk_": before})
    assert loaded is not None
    columns = dict(zip(_COLUMNS, loaded, strict=True)) | identity | {"only_study": ""}
    # The driver of PostgreSQL parses JSON, and takes it as text.
    if not isinstance(columns["attrs"], str | None):
        columns["attrs"] = json.dumps(columns["attrs"], ensure_ascii=False)
    made = writer.one(_INSERT_PATIENT, columns)
    assert made is not None
    for word, sound in name_words(columns["name"]):
        writer.run(_INSERT_WORD, {"patient_pk": int(made[0]), "word": word, "sound": sound})
    return int(made[0])


def move_again(writer: Writer) -> None:
    """Repeat the moves that are kept, in an index that was built from files. Moves of studies that are gone are forgotten."""
    moves = writer.all(META.select().where(META.c.key.startswith(MOVED, autoescape=True)))
    for key, moved in moves:
        if not move_study(writer, key.removeprefix(MOVED), *json.loads(moved)):
            writer.run(_FORGET, {"key_": key})


_FORGET = META.delete().where(META.c.key == bindparam("key_"))
