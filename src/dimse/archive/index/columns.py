"""The columns of a patient, a study and a series, made of the attributes of an instance."""

from __future__ import annotations

from functools import cache
from typing import Any

from dimse.archive.index.attributes import Level, keys
from dimse.archive.index.attrs import write_attrs
from dimse.archive.index.row import Row
from dimse.data_set.attributes import Attributes
from dimse.matching import names
from dimse.matching.texts import composed, trim

Columns = dict[str, Any]

_NUMBERS = frozenset(("number",))
_LARGEST_NUMBER = 1 << 63
_LONGEST_TEXT = 64 * 1024


def normal_text(text: str) -> str:
    """Return text without case and accents, as columns ending in `_norm` have it."""
    return names.fold(text).strip(" ")


def normal_name(name: str) -> str:
    """Return a name without case and accents, its groups separated by `=`."""
    return "=".join(names.groups(name)).rstrip("=")


def normal_groups(name: str) -> tuple[str, str, str]:
    """Return the alphabetic, the ideographic and the phonetic group of a name without case and accents."""
    alphabetic, ideographic, phonetic = (*names.groups(name), "", "", "")[:3]
    return alphabetic, ideographic, phonetic


def whole_number(text: str) -> int | None:
    """Return the number in the text of an IS; None if it is malformed, or does not fit into 64 bits."""
    try:
        number = int(text.strip(" ")) if "_" not in text and text.isascii() else None
    except ValueError:
        return None
    return number if number is not None and -_LARGEST_NUMBER <= number < _LARGEST_NUMBER else None


def text_of(attributes: Attributes, tag: int) -> str:
    """Return the text of an attribute, its values separated by backslashes; empty if it has none."""
    attribute = attributes.get(tag)
    if attribute is None or not attribute.values:
        return ""
    # PostgreSQL takes no NUL in text.
    text = composed("\\".join(trim(attribute.vr, str(value)) for value in attribute.values)).replace("\0", "")
    return text[:_LONGEST_TEXT]


@cache
def _columns_of(level: Level) -> tuple[tuple[int, str], ...]:
    """Return the tags of a level that have a column of text or of a number, with its name."""
    return tuple(
        (key.tag, key.column) for key in keys().values() if key.level == level and key.column and not key.is_computed
    )


@cache
def _other_tags(level: Level) -> tuple[int, ...]:
    """Return the tags of a level that have no column."""
    return tuple(key.tag for key in keys().values() if key.level == level and not key.column and not key.is_computed)


def _level_columns(level: Level, attributes: Attributes) -> Columns:
    found: Columns = {}
    for tag, column in _columns_of(level):
        text = text_of(attributes, tag)
        found[column] = whole_number(text) if column in _NUMBERS else text
    found["attrs"] = write_attrs(attributes, _other_tags(level))
    return found


def patient_columns(row: Row) -> Columns:
    """Return the columns of the row's patient. A patient without Patient ID is one of the study alone."""
    found = _level_columns("PATIENT", row.attributes)
    found["name_norm"], found["name_i"], found["name_p"] = normal_groups(found["name"])
    if found["patient_id"]:
        found["only_study"] = ""
    else:
        found["only_study"], found["issuer"] = row.study_instance_uid, ""
    return found


def study_columns(row: Row) -> Columns:
    """Return the columns of the row's study, without counts and times."""
    found = _level_columns("STUDY", row.attributes)
    found["study_uid"] = row.study_instance_uid
    found["accession_norm"] = normal_text(found["accession"])
    found["description_norm"] = normal_text(found["description"])
    found["referring_norm"] = normal_name(found["referring"])
    return found


def series_columns(row: Row) -> Columns:
    """Return the columns of the row's series, without counts."""
    found = _level_columns("SERIES", row.attributes)
    found["series_uid"] = row.series_instance_uid
    found["description_norm"] = normal_text(found["description"])
    return found


def name_words(name: str) -> list[tuple[str, str]]:
    """Return the words of a name, each with its sound; empty if it has none."""
    return [(word, names.sound(word) or "") for word in dict.fromkeys(names.words(name))]
