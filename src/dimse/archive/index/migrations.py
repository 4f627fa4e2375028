"""The schema of a database: made in an empty one, and brought up to date in an older one, step by step."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.schema import CreateIndex, CreateTable

from dimse.archive.index.database import APPLICATION_ID, Database, Writer
from dimse.archive.index.inserting import insert
from dimse.archive.index.schema import META, METADATA, VERSION, indexes_of
from dimse.errors import DatabaseError
from dimse.support.text import one_line

# A commit writes each page that it changes to the log. Those of 8 KiB took a quarter more time for an instance.
_PAGE_SIZE = 4 * 1024

Step = Callable[[Writer], None]

STEPS: dict[int, Step] = {}
"""The steps that bring a database from the version before to a version, by the latter."""

_SET = (
    insert(META)
    .values(key="schema", value=str(VERSION))
    .on_conflict_do_update(index_elements=["key"], set_={"value": str(VERSION)})
)
_VERSION = META.select().where(META.c.key == "schema")


def prepare(database: Database) -> None:
    """Make the tables in an empty database, or bring older ones up to date.

    Raises:
        DatabaseError: The database is another one, of a later version, or cannot be used.
    """
    database.run_alone(_verify)
    database.write(lambda writer: _prepare(database, writer))


def _verify(writer: Writer) -> None:
    """Verify that an SQLite database is empty, or an index, and only then choose its form."""
    if writer.is_sqlite:
        (application_id,) = writer.text("PRAGMA application_id").fetchone()
        (tables,) = writer.text("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application_id != APPLICATION_ID:
            raise DatabaseError("this is a database of another program: name another file")
        # Both stay in the file.
        writer.text(f"PRAGMA page_size = {_PAGE_SIZE}")
        writer.text("PRAGMA journal_mode = WAL").fetchall()


def _prepare(database: Database, writer: Writer) -> None:
    writer.lock_hierarchy()
    there_is = (
        "SELECT name FROM sqlite_master WHERE name = 'meta'" if writer.is_sqlite else "SELECT to_regclass('meta')"
    )
    if not (writer.text(there_is).fetchone() or (None,))[0]:
        for table in METADATA.sorted_tables:
            writer.run(CreateTable(table))
            for index in indexes_of(table, is_sqlite=writer.is_sqlite):
                writer.run(CreateIndex(index))
        if writer.is_sqlite:
            writer.text(f"PRAGMA application_id = {APPLICATION_ID}")
        writer.run(_SET)
        return
    found = writer.one(_VERSION)
    version = int(found[1]) if found is not None else 0
    if version > VERSION:
        raise DatabaseError(
            f"the index {one_line(database.name)} has version {version}, and only {VERSION} is supported: update dimse"
        )
    for step in range(version + 1, VERSION + 1):
        if step not in STEPS:
            raise DatabaseError(f"the index {one_line(database.name)} has version {version}, which is too old: reindex")
        STEPS[step](writer)
    if version < VERSION:
        writer.run(_SET)
