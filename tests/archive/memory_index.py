"""An index in memory, for tests of an archive that are not about databases: a list of rows, matched one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pydicom

from dimse import matching
from dimse.archive import Stored
from dimse.archive.index.row import EVERYTHING, Location, Row, Scope
from dimse.data_set.attributes import Attribute, Attributes
from dimse.data_set.identifier import Identifier
from dimse.matching import Rules
from dimse.services.information_models import UNIQUE_KEYS
from dimse.testing import QueryRetrieveSCP


class MemoryIndex:
    """A stand-in for `dimse.archive.index.Index`.

    Attributes:
        rows: The rows, by SOP Instance UID.
        error: Raised by the next commits; None for none.
    """

    def __init__(self, database: object = None, store: object = None) -> None:
        self.rows: dict[str, Row] = {}
        self.error: Exception | None = None

    def commit(self, row: Row) -> None:
        if self.error is not None:
            raise self.error
        self.rows[row.sop_instance_uid] = row

    def search(
        self,
        level: str,
        keys: Attributes,
        *,
        root: str = "study",
        rules: Rules | None = None,
        limit: int = 0,
        **_: object,
    ) -> Iterator[Attributes]:
        query = matching.prepare(keys, rules)
        archive = QueryRetrieveSCP()
        archive.entities = [row.attributes for row in self.rows.values()]
        number = 0
        for entity in archive.at_level(level):
            if query.matches(entity):
                yield entity
                number += 1
                if number == limit:
                    return

    def locate(
        self, level: str, uids: Sequence[str], *, above: Mapping[str, str] = {}, scope: Scope = EVERYTHING
    ) -> Iterator[Location]:
        wanted = {level: set(uids)} | {each: {uid} for each, uid in above.items()}
        for row in self.rows.values():
            if all(_text(row.attributes, UNIQUE_KEYS[each]) in values for each, values in wanted.items()):
                yield Location(
                    row.sop_instance_uid, row.sop_class_uid, row.transfer_syntax_uid, row.path, row.size,
                    row.study_instance_uid, row.series_instance_uid,
                )  # fmt: skip

    def close(self) -> None:
        pass


def row_of(stored: Stored) -> Row:
    """Return the row of a stored instance, whose path is absolute."""
    attributes = Identifier.of(pydicom.dcmread(stored.path, stop_before_pixels=True)).attributes
    return Row(
        stored.sop_instance_uid, stored.sop_class_uid, stored.transfer_syntax_uid, stored.study_instance_uid,
        stored.series_instance_uid, attributes, None, stored.path, stored.size, b"", stored.received,
        stored.calling_ae_title,
    )  # fmt: skip


def _text(attributes: Attributes, tag: int) -> str:
    return "".join(map(str, attributes.get(tag, Attribute("UI", ())).values))
