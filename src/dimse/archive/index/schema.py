"""The tables of the index, declared with SQLAlchemy: the same on SQLite and on PostgreSQL.

UIDs, dates and times are text, as DICOM writes them. A number that is malformed is NULL. Text is Unicode in normalization form C. A
column that ends in `_norm` has the same text without case and accents, for searching.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

VERSION = 1
"""The version of the schema, as `meta` has it under "schema"."""

METADATA = MetaData()

# SQLite numbers rows by itself only where the type of the key is exactly INTEGER.
_KEY = BigInteger().with_variant(Integer, "sqlite")
# On PostgreSQL the order of code points, which is the order of SQLite and of Python.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


class _Json(TypeDecorator[Any]):
    """A column of JSON, which PostgreSQL has as `jsonb`. Its dialect takes long to import, and SQLite does without it."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type for a dialect."""
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON())
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB())


_JSON = _Json()


def _text(name: str) -> Column[str]:
    return Column(name, _TEXT, nullable=False, server_default="")


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _key() -> Column[int]:
    return Column("pk", _KEY, primary_key=True)


def _parent(name: str, table: str) -> Column[int]:
    return Column(name, _KEY, ForeignKey(f"{table}.pk"), nullable=False)


META = Table("meta", METADATA, Column("key", _TEXT, primary_key=True), _text("value"))

# SOP classes and transfer syntaxes, which repeat.
UID_NAME = Table("uid_name", METADATA, _key(), Column("uid", _TEXT, nullable=False, unique=True))

PATIENT = Table(
    "patient",
    METADATA,
    _key(),
    _text("patient_id"),
    _text("issuer"),
    # The Study Instance UID of a patient without Patient ID: strangers are never one patient.
    _text("only_study"),
    _text("name"),
    _text("name_norm"),
    # The ideographic and the phonetic group of the name, normalized.
    _text("name_i"),
    _text("name_p"),
    _text("birth_date"),
    _text("sex"),
    Column("attrs", _JSON),
    Index("patient_by_id", "patient_id", "issuer", "only_study", unique=True),
    Index("patient_by_name", "name_norm", "pk"),
    *(
        # The condition for PostgreSQL is added by `indexes_of`.
        Index(f"patient_by_{name}", name, sqlite_where=text(f"{name} <> ''"))
        for name in ("name_i", "name_p")
    ),
)

# The words of names, for fuzzy matching, each with its sound.
NAME_WORD = Table(
    "name_word",
    METADATA,
    _parent("patient_pk", "patient"),
    _text("word"),
    _text("sound"),
    Index("name_word_by_word", "word"),
    Index("name_word_by_sound", "sound"),
    Index("name_word_by_patient", "patient_pk"),
)

STUDY = Table(
    "study",
    METADATA,
    _key(),
    _parent("patient_pk", "patient"),
    Column("study_uid", _TEXT, nullable=False, unique=True),
    _text("study_date"),
    _text("study_time"),
    _text("accession"),
    _text("accession_norm"),
    _text("study_id"),
    _text("description"),
    _text("description_norm"),
    _text("referring"),
    _text("referring_norm"),
    # Distinct values, sorted, separated by backslashes.
    _text("modalities"),
    _text("sop_classes"),
    _count("n_series"),
    _count("n_instances"),
    # Bytes.
    _count("size"),
    # Seconds since 1970-01-01 UTC.
    Column("first_received", Float, nullable=False),
    Column("last_received", Float, nullable=False),
    # Instances whose demographics differ from those in force.
    _count("differing"),
    Column("attrs", _JSON),
    Index("study_by_date", text("study_date DESC"), text("study_uid")),
    Index("study_by_patient", "patient_pk"),
    Index("study_by_accession", "accession"),
    Index("study_by_last_received", "last_received"),
)

SERIES = Table(
    "series",
    METADATA,
    _key(),
    _parent("study_pk", "study"),
    Column("series_uid", _TEXT, nullable=False),
    _text("modality"),
    Column("number", BigInteger),
    _text("description"),
    _text("description_norm"),
    _text("body_part"),
    _text("station"),
    _text("date"),
    _text("time"),
    _count("n_instances"),
    Column("attrs", _JSON),
    # One Series Instance UID in two studies occurs.
    UniqueConstraint("series_uid", "study_pk"),
    Index("series_by_study", "study_pk"),
    Index("series_by_modality", "modality", "study_pk"),
)

# A folder of files; a process has one to itself, and reads from all.
STORE = Table(
    "store",
    METADATA,
    _key(),
    Column("node", _TEXT, nullable=False, unique=True),
    _text("root"),
    # 1 if its process has ended in order.
    Column("clean", Integer, nullable=False, server_default="1"),
    # Rows of files that were received before this are on the disk; seconds since 1970-01-01 UTC.
    Column("synced_at", Float, nullable=False, server_default="0"),
)

INSTANCE = Table(
    "instance",
    METADATA,
    _key(),
    _parent("series_pk", "series"),
    Column("sop_uid", _TEXT, nullable=False, unique=True),
    Column("sop_class", _KEY, ForeignKey("uid_name.pk"), nullable=False),
    Column("ts", _KEY, ForeignKey("uid_name.pk"), nullable=False),
    Column("number", BigInteger),
    _parent("store", "store"),
    # Relative to the store; NULL if it is what the default layout makes of the UIDs.
    Column("path", _TEXT),
    # Bytes of the data set, without the File Meta Information.
    Column("size", BigInteger, nullable=False),
    # SHA-256 of transfer syntax UID and data set; NULL if it was not computed.
    Column("digest", LargeBinary),
    Column("received", Float, nullable=False),
    _text("calling_ae"),
    # 1 if the file was missing at a check.
    Column("missing", Integer, nullable=False, server_default="0"),
    Index("instance_by_series", "series_pk", "number"),
)

# Other data sets with the SOP Instance UID of an instance, kept beside it.
DUPLICATE = Table(
    "duplicate",
    METADATA,
    _key(),
    _text("sop_uid"),
    _parent("store", "store"),
    _text("path"),
    Column("digest", LargeBinary),
    Column("received", Float, nullable=False),
    _text("calling_ae"),
    _text("why"),
    UniqueConstraint("store", "path"),
    Index("duplicate_by_uid", "sop_uid"),
)

# Pixel Data of an instance: where its value lies in the data set, and where its frames lie in the value.
PIXELS = Table(
    "pixels",
    METADATA,
    Column("instance_pk", _KEY, ForeignKey("instance.pk"), primary_key=True),
    # Bytes from the beginning of the data set.
    Column("offset", BigInteger, nullable=False),
    # Bytes; -1 if the length is undefined.
    Column("length", BigInteger, nullable=False),
    _count("frames"),
    _count("rows"),
    _count("columns"),
    _count("bits"),
    # Offsets and lengths of compressed frames, as `dimse.archive.index.frames` packs them.
    Column("table", LargeBinary),
)

# What happened, in the order of commits. The last row always stays, so that its number is not used again.
CHANGE = Table(
    "change",
    METADATA,
    Column("number", _KEY, primary_key=True),
    _text("what"),
    _text("study"),
    _text("series"),
    _text("instance"),
    Column("at", Float, nullable=False),
)

# Files whose row was deleted, and which are not removed yet.
DELETED = Table(
    "deleted",
    METADATA,
    _key(),
    _parent("store", "store"),
    _text("path"),
    Column("at", Float, nullable=False),
)

# Transactions of storage commitment, and their references (PS3.4 J.3).
COMMITMENT = Table(
    "commitment",
    METADATA,
    _key(),
    Column("transaction_uid", _TEXT, nullable=False),
    # The AE title that asked, and the address to report to; empty if it has none.
    _text("ae_title"),
    _text("called_ae"),
    _text("host"),
    Column("port", Integer, nullable=False, server_default="0"),
    # "open", "reported" or "given up".
    _text("state"),
    Column("asked_at", Float, nullable=False),
    Column("next_at", Float, nullable=False),
    _count("attempts"),
    # 1 if another transaction of this UID was open when it came (0131H for each reference).
    Column("repeated", Integer, nullable=False, server_default="0"),
    Index("commitment_by_uid", "transaction_uid"),
    Index("commitment_by_time", "state", "next_at"),
)

COMMITMENT_ITEM = Table(
    "commitment_item",
    METADATA,
    _parent("commitment_pk", "commitment"),
    _text("sop_class"),
    _text("sop_uid"),
    Index("commitment_item_by_commitment", "commitment_pk"),
)


def indexes_of(table: Table, *, is_sqlite: bool) -> list[Index]:
    """Return the indexes of a table by name, with their conditions for the database."""
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    if not is_sqlite:
        for index in indexes:
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]
    return indexes
