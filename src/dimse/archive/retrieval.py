"""A C-GET or C-MOVE to an archive: the instances that its identifier names (PS3.4 C.4.2.2.1)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, cast

from dimse.archive.index.attributes import LEVELS, Level
from dimse.archive.index.row import EVERYTHING, Location, Scope
from dimse.data_set.attributes import Attribute, Attributes
from dimse.errors import DatabaseError
from dimse.instances import KnownFile
from dimse.logs import Private
from dimse.logs.notices import notice
from dimse.matching import UnfitKey
from dimse.matching.limits import verify_limits
from dimse.message.status import IDENTIFIER_DOES_NOT_MATCH, UNABLE_TO_COUNT_MATCHES, Status
from dimse.services.information_models import LEVEL, UNIQUE_KEYS
from dimse.support.text import one_line
from dimse.tags import SPECIFIC_CHARACTER_SET

if TYPE_CHECKING:
    from dimse.archive.index import Index
    from dimse.services.retrieve_scp import RetrieveRequest

LOGGER = logging.getLogger("dimse.archive")

ISSUER_OF_PATIENT_ID = 0x00100021


class Wanted:
    """The instances that a C-GET or C-MOVE names.

    Args:
        request: The request.

    Attributes:
        level: The Query/Retrieve Level.
        uids: The values of its unique key.
        above: The value of the unique key of each level above that has one.
        ignored: The tags of the keys that are ignored, because they are not unique keys.

    Raises:
        UnfitKey: The unique key of the level is missing or empty, one has too many values, or the identifier is beyond the limits.
    """

    def __init__(self, request: RetrieveRequest) -> None:
        keys = request.identifier.attributes
        verify_limits(keys)
        self.level = cast(Level, request.level)
        self.uids = _values(keys, UNIQUE_KEYS[self.level])
        if not self.uids:
            raise UnfitKey(UNIQUE_KEYS[self.level], f"needs a value: it is the unique key of the level {self.level}")
        if self.level == "PATIENT" and len(self.uids) > 1:
            raise UnfitKey(UNIQUE_KEYS[self.level], "has several values")
        self.above: dict[Level, str] = {}
        for level in LEVELS[: LEVELS.index(self.level)]:
            values = _values(keys, UNIQUE_KEYS[level])
            if len(values) > 1:
                raise UnfitKey(UNIQUE_KEYS[level], f"has several values above the level {self.level}")
            if values:
                self.above[level] = values[0]
        self._issuer = "".join(_values(keys, ISSUER_OF_PATIENT_ID)) or None
        taken = {LEVEL, SPECIFIC_CHARACTER_SET, ISSUER_OF_PATIENT_ID, *UNIQUE_KEYS.values()}
        self.ignored = tuple(sorted(tag for tag in keys if tag not in taken))

    def locate(self, index: Index, scope: Scope = EVERYTHING) -> Iterator[Location]:
        """Return the places of the instances: series after series, in the order of their numbers.

        Raises:
            UnfitKey: The Patient ID is one of several patients, of several issuers.
        """
        return index.locate(self.level, self.uids, above=self.above, issuer=self._issuer, scope=scope)


def files_of(
    request: RetrieveRequest, index: Index, most: int, service: str, scope: Scope = EVERYTHING
) -> list[KnownFile] | int:
    """Return the files of the instances that a request names, or the status of a failure.

    Args:
        request: The request.
        index: The index of the archive.
        most: The most instances; 0 is unlimited.
        service: "get" or "move".
        scope: The part of the archive that the peer may see.
    """
    try:
        wanted = Wanted(request)
        located = wanted.locate(index, scope)
        found = list(islice(located, most + 1) if most else located)
    except UnfitKey as error:
        return Status(IDENTIFIER_DOES_NOT_MATCH, service=service, comment=str(error)[:64])
    except DatabaseError as error:
        LOGGER.error("a retrieval has failed: %s", Private(one_line(str(error)), "the database cannot be used"))
        return Status(UNABLE_TO_COUNT_MATCHES, service=service, comment="the index cannot be read")
    if wanted.ignored:
        words = "%s keys of a request of %s were ignored, because they are no unique keys"
        title = one_line(request.peer.ae_title, 16)
        notice("ignored keys", request.peer.address[0], words, len(wanted.ignored), title)
    if most and len(found) > most:
        return Status(UNABLE_TO_COUNT_MATCHES, service=service, comment=f"more than {most:,} instances")
    return [
        KnownFile(
            one.path,
            one.sop_class_uid,
            one.sop_instance_uid,
            one.transfer_syntax_uid,
            one.size,
            one.study_instance_uid,
            one.series_instance_uid,
            one.patient_id,
        )
        for one in found
    ]


def _values(keys: Attributes, tag: int) -> list[str]:
    """Return the values of a unique key that are not empty, each once."""
    values = keys.get(tag, Attribute("UI", ())).values
    return list(dict.fromkeys(text for value in values if (text := str(value).strip(" \0"))))
