"""The index of an archive: a database derived from its files, which can be deleted and built again from them at any time.

Nothing here knows of DIMSE. A front end, such as C-FIND or a web service, searches, locates and ingests by `Index`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol
from unicodedata import normalize

from sqlalchemy import func, select

from dimse.archive.index.arriving import Arrivals
from dimse.archive.index.attributes import Level
from dimse.archive.index.committer import Committer
from dimse.archive.index.database import Database, Writer
from dimse.archive.index.deleting import Deleted, delete_rows, remove_files
from dimse.archive.index.duplicates import Duplicate, duplicates
from dimse.archive.index.entity import Entity
from dimse.archive.index.ingest import Ingest, OnDuplicate
from dimse.archive.index.levels import Root
from dimse.archive.index.locate import locations
from dimse.archive.index.migrations import prepare
from dimse.archive.index.moving import move_study
from dimse.archive.index.reading import StoredFiles, attributes_of_file
from dimse.archive.index.recovery import MARGIN, Recovered, recover
from dimse.archive.index.row import EVERYTHING, Added, Change, Counts, Location, Row, Scope
from dimse.archive.index.schema import CHANGE, DUPLICATE, INSTANCE, PATIENT, SERIES, STUDY
from dimse.archive.index.search import PAGE, entities
from dimse.archive.index.stores import Store, enter_store
from dimse.archive.index.upkeep import Upkeep
from dimse.archive.stored import Stored
from dimse.data_set.attributes import Attributes
from dimse.matching import Rules
from dimse.support.closing import Closing


class StoreLike(Protocol):
    """A store of files, such as `FileStore`."""

    @property
    def folder(self) -> str:
        """The absolute path of its folder."""


class Index(Closing):
    """The index of an archive in a database. Threads share it, and processes share its database.

    Args:
        database: The file of an SQLite database, created for its owner alone if it does not exist. Or a URL `postgresql://...`.
        store: The folder of the files, or a store with a `folder`. Paths of rows are relative to it.
        node: The name of the store. Several processes, each with a folder of its own, have different names in one database.
        on_duplicate: The treatment of a second data set with a SOP Instance UID that is served. "keep-both" serves the first
            and records the other one as a duplicate. "replace" serves the latest, and "reject" does not acknowledge the other one.
            No file is deleted.
        update: "first" keeps the values of a patient, study or series that came first, and fills in what is empty. "latest" takes
            those that came last.
        keep_changes: The days after which a process that serves removes entries of the change feed; None to keep all.

    Attributes:
        folder: The absolute path of the folder of the files.
        database: The database.
        store: The store in the database.
        commits: The number of transactions that added rows.

    Raises:
        DatabaseError: The database cannot be used. Every method raises it too.
    """

    def __init__(
        self,
        database: str | os.PathLike[str],
        store: str | os.PathLike[str] | StoreLike,
        *,
        node: str = "",
        on_duplicate: OnDuplicate = "keep-both",
        update: str = "first",
        keep_changes: float | None = 30.0,
    ) -> None:
        if on_duplicate not in ("keep-both", "reject", "replace"):
            raise ValueError(f"on_duplicate is 'keep-both', 'reject' or 'replace', not {on_duplicate!r}")
        if update not in ("first", "latest"):
            raise ValueError(f"update is 'first' or 'latest', not {update!r}")
        self._keep_changes = keep_changes
        self.folder = os.path.abspath(store if isinstance(store, str | os.PathLike) else store.folder)
        self.database = Database(database)
        try:
            prepare(self.database)
            self.store: Store = self.database.write(lambda writer: enter_store(writer, node, self.folder))
        except BaseException:
            self.database.close()
            raise
        self.on_duplicate: OnDuplicate = on_duplicate
        self._ingest = Ingest(self.store.pk, StoredFiles(self.folder), on_duplicate, latest=update == "latest")
        self._committer = Committer(self.add)
        self._upkeep: Upkeep | None = None
        self.commits = 0

    def close(self) -> None:
        """End the service and close the database. This is idempotent."""
        self._committer.close()
        if self._upkeep is not None:
            self._upkeep.close()
        self.database.close()

    # --- service ---

    def start(self) -> bool:
        """Mark the store as in use by this process until `close`, and keep the database meanwhile.

        Returns:
            False if the process that had it before has not ended in order. Then `recover` is to be called. Until it has returned, a
            search may miss instances that were acknowledged.
        """
        if self._upkeep is None:
            self._upkeep = Upkeep(self, recovered=self.store.was_clean, keep_changes=self._keep_changes)
        self.remove_files()
        return self._upkeep.recovered

    def recover(self, *, everything: bool = False, digest: bool = True) -> Recovered:
        """Add the rows that the index lacks, and mark the instances whose file is missing.

        Args:
            everything: Read all folders of the store, and not only those that changed since the rows were last synced.
            digest: Make the digest of the files that are added.

        Raises:
            OSError: The store cannot be read.
        """
        recovered = recover(self, 0.0 if everything else max(0.0, self.store.synced_at - MARGIN), digest=digest)
        if self._upkeep is not None:
            self._upkeep.recovered = True
        return recovered

    # --- ingest ---

    def add(self, rows: Sequence[Row]) -> list[Added]:
        """Add rows in one transaction, and return what became of each, in their order. All are visible then, or none."""
        return self._add(rows, found=False)

    def add_found(self, rows: Sequence[Row]) -> list[Added]:
        """Add the rows of files that a recovery has found, in one transaction, and return what became of each.

        Their times decide which of two data sets is served: with "replace" the later one, otherwise the earlier one.
        """
        return self._add(rows, found=True)

    def _add(self, rows: Sequence[Row], *, found: bool) -> list[Added]:
        if not rows:
            return []
        added = self._ingest.add_all(self.database, rows, found=found)
        self.commits += 1
        return added

    def commit(self, row: Row) -> Added:
        """Add a row together with those of other threads, and return what became of it once a search finds it."""
        return self._committer.commit(row)

    def queue(self, row: Row) -> Callable[[], Added]:
        """Queue a row to be added with the next ones, and return a callable that does what `commit` does."""
        return self._committer.queue(row)

    def begin(self, row: Row) -> Future[Added]:
        """Add a row as `commit` does, in another thread; the result is that of the future."""
        return self._committer.begin(row)

    def add_by_time(self) -> None:
        """Treat duplicates by the time when they were received from now on, as a rebuilding has to."""
        self._ingest.by_time = True

    def arrivals(self, added: Callable[[Stored, Added], None] | None = None) -> Arrivals:
        """Return the `stored` callable for a `FileStore`, with which each instance is in the index before it is acknowledged.

        The store needs `tags=arriving_tags()` and `required=REQUIRED_TAGS` of `dimse.archive.index.arriving`. It must keep both of
        two data sets with one name: `on_duplicate` of the index decides which of them is served.

        Args:
            added: Called with each instance and what became of it, before it is acknowledged.
        """
        return Arrivals(self, added)

    def delete(self, level: Level, uid: str) -> Deleted:
        """Delete the instances of an entity: first their rows, then their files, those of duplicates too.

        Args:
            level: "PATIENT", "STUDY", "SERIES" or "IMAGE".
            uid: The unique key of the entity; of a patient the Patient ID, whatever its issuer.

        Raises:
            OSError: A file cannot be removed. No search finds it, and the next `remove_files` tries again.
        """

        def work(writer: Writer) -> Deleted:
            self._ingest.forget()
            return delete_rows(writer, level, uid)

        # The files must not be gone while a power cut can bring back their rows.
        deleted = self.database.write_durably(work)
        self.remove_files()
        return deleted

    def move_study(self, uid: str, patient_id: str, issuer: str = "") -> bool:
        """Give a study to another patient, and return False if there is no such study.

        The files are not changed: they are retrieved as they came. A patient who is not in the index is made, with the name, the
        birth date and the sex of the present one. `reindex` repeats the move.

        Args:
            uid: The Study Instance UID.
            patient_id: The Patient ID of the other patient.
            issuer: The Issuer of Patient ID.

        Raises:
            ValueError: The Patient ID is empty.
        """
        if not patient_id:
            raise ValueError("the Patient ID is empty")
        # Texts of the index are in this form.
        patient_id, issuer = normalize("NFC", patient_id), normalize("NFC", issuer)

        def work(writer: Writer) -> bool:
            self._ingest.forget()
            return move_study(writer, uid, patient_id, issuer)

        return self.database.write(work)

    def remove_files(self) -> int:
        """Remove the files whose rows were deleted, and return their number; `delete` does it, and a start after a crash should.

        Raises:
            OSError: A file cannot be removed.
        """
        return remove_files(self.database, self.store.pk, self.folder)

    # --- searching ---

    def search(
        self,
        level: Level,
        keys: Attributes,
        *,
        root: Root = "study",
        rules: Rules | None = None,
        scope: Scope = EVERYTHING,
        limit: int = 0,
        page: int = PAGE,
    ) -> Iterator[Entity]:
        """Yield the entities of a level that match keys: studies newest first, patients by name, series and instances by number.

        Keys of the level and of those above it are matched, and other keys are passed over. Modality means Modalities in Study at
        STUDY level. An entity has all attributes of these levels that the index has. Those of an instance that the index does not
        have are read from its file. The numbers of a patient's studies, series and instances must be among the keys.

        Args:
            level: The level.
            keys: The keys.
            root: The root of the information model.
            rules: What was negotiated and configured; `Rules()` by default.
            scope: What the caller may see.
            limit: The most entities; 0 for no limit.
            page: Entities that are read in one transaction.

        Raises:
            UnfitKey: A key cannot be matched, or is the unique key of a lower level (PS3.4 C.4.1.1.3.2).
            ValueError: The root does not have the level.
            QueryTooLong: A page took too long; the iterator raises it.
        """
        return entities(
            self.database,
            level,
            keys,
            root=root,
            rules=rules,
            scope=scope,
            limit=limit,
            page=page,
            read_file=attributes_of_file,
        )

    def locate(
        self,
        level: Level,
        uids: Sequence[str],
        *,
        above: Mapping[Level, str] | None = None,
        issuer: str | None = None,
        scope: Scope = EVERYTHING,
        pixels: bool = False,
    ) -> Iterator[Location]:
        """Yield the places of the instances that unique keys name, series by series, and by Instance Number in each.

        Args:
            level: The level of the unique keys.
            uids: Patient IDs, or UIDs; without any nothing is found.
            above: Unique keys of levels above, one for each.
            issuer: The Issuer of Patient ID of the patients; None for any.
            scope: What the caller may see.
            pixels: Find the places of the Pixel Data too.

        Raises:
            UnfitKey: Patients of several issuers have one of the Patient IDs, and no issuer is given.
            QueryTooLong: A page took too long; the iterator raises it.
        """
        return locations(self.database, level, uids, above=above, issuer=issuer, scope=scope, pixels=pixels)

    # --- what it holds ---

    def changes(self, after: int = 0, limit: int = 1000) -> list[Change]:
        """Return changes in the order of their commits.

        Args:
            after: The number of the last change that is known.
            limit: The most changes to return.
        """
        query = select(CHANGE).where(CHANGE.c.number > after).order_by(CHANGE.c.number).limit(limit)
        with self.database.reading() as connection:
            return [Change(*row) for row in connection.execute(query)]

    def first_change(self) -> int:
        """Return the number of the first change that is kept; 0 without any. A reader who is behind it has missed some."""
        with self.database.reading() as connection:
            return connection.execute(select(func.min(CHANGE.c.number))).scalar() or 0

    def duplicates(self) -> Iterator[Duplicate]:
        """Yield the files that are kept beside the instances that are served, by SOP Instance UID.

        Raises:
            DatabaseError: The iterator raises it if the database cannot be read.
        """
        return duplicates(self.database)

    def counts(self) -> Counts:
        """Return the numbers of patients, studies, series, instances, and duplicates, and "size": the bytes of the data sets."""
        tables = {
            "patients": PATIENT,
            "studies": STUDY,
            "series": SERIES,
            "instances": INSTANCE,
            "duplicates": DUPLICATE,
        }
        numbers = [
            select(func.count()).select_from(table).scalar_subquery().label(name) for name, table in tables.items()
        ]
        size = func.coalesce(select(func.sum(STUDY.c.size)).scalar_subquery(), 0).label("size")
        with self.database.reading() as connection:
            return {
                name: int(number) for name, number in connection.execute(select(*numbers, size)).one()._mapping.items()
            }
