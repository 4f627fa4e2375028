"""A query/retrieve SCP over a list of data sets, for tests of programs that query and retrieve."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from dimse import matching, tags
from dimse.data_set.attributes import Attribute, Attributes
from dimse.data_set.identifier import Identifier
from dimse.message.status import IDENTIFIER_DOES_NOT_MATCH, MOVE_DESTINATION_UNKNOWN, Status
from dimse.services.features import Features
from dimse.services.handlers import Handlers
from dimse.services.information_models import LEVEL, UNIQUE_KEYS, levels_of_keys
from dimse.services.query import FindRequest
from dimse.services.retrieve_scp import MoveTo, RetrieveRequest
from dimse.serving.server import Server

if TYPE_CHECKING:
    from dimse.data_set.identifier import Keys
    from dimse.services.sources import Storable

RETRIEVE_AE_TITLE = 0x00080054
MODALITY, MODALITIES_IN_STUDY, SOP_CLASS_UID, SOP_CLASSES_IN_STUDY = 0x00080060, 0x00080061, 0x00080016, 0x00080062

# Counts that a response may ask for: the level whose entities are counted, by tag.
COUNTS = {
    0x00201200: "STUDY",
    0x00201202: "SERIES",
    0x00201204: "IMAGE",
    0x00201206: "SERIES",
    0x00201208: "IMAGE",
    0x00201209: "IMAGE",
}
# Attributes of a study that are collected from its instances.
COLLECTED = {MODALITIES_IN_STUDY: MODALITY, SOP_CLASSES_IN_STUDY: SOP_CLASS_UID}


class QueryRetrieveSCP:
    """A query/retrieve SCP in this process, over data sets in memory or in files.

    It listens on a free port of 127.0.0.1 within its `with` block, and answers C-ECHO, C-FIND, C-GET and C-MOVE. The models with
    levels are served relationally: each key matches at every level. The other models match their keys against each data set.
    Relational queries and retrievals, and combined date-time matching, are agreed to where they are proposed.

    Args:
        data_sets: The instances, or for models without levels the entities: pydicom data sets, mappings of keywords, DICOM JSON, or
            paths of Part 10 files. A file is sent as it is.
        statuses: The final statuses of the first queries in order; later ones are answered with success.
        destinations: Host and port of each destination of a C-MOVE, by its AE title; others are unknown.
        options: Arguments of `dimse.Server`: `ae_title`, `contexts`, `tls` ...

    Attributes:
        entities: The attributes of the data sets.
        requests: The C-FIND requests that came.
        retrievals: The C-GET and C-MOVE requests that came.
        destinations: As given; may be changed while it runs.
    """

    def __init__(
        self,
        data_sets: Iterable[Keys | os.PathLike[str]] = (),
        statuses: Iterable[int] = (),
        destinations: Mapping[str, tuple[str, int]] | None = None,
        **options: Any,
    ) -> None:
        self._given = list(data_sets)
        self.entities: list[Attributes] = [_attributes_of(given) for given in self._given]
        self.destinations = dict(destinations or {})
        self.retrievals: list[RetrieveRequest] = []
        self.requests: list[FindRequest] = []
        self._statuses = iter(statuses)
        self.ae_title: str = options.get("ae_title", "DIMSE")
        options.setdefault("extended", Features(relational=True, date_time=True).supported())
        self._server = Server(("127.0.0.1", 0), self.handlers(), **options)

    def handlers(self) -> Handlers:
        """Return the handlers of the server."""
        return Handlers(find=self.find, get=self.get, move=self.move)

    @property
    def port(self) -> int:
        """The port on 127.0.0.1.

        Raises:
            RuntimeError: The `with` block has not been entered.
        """
        return self._server.address[1]

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()

    def find(self, request: FindRequest) -> Iterator[Identifier | int]:
        """Yield the matches of a query, and its final status."""
        self.requests.append(request)
        keys = request.identifier.attributes
        try:
            query = matching.prepare(keys, matching.Rules(date_time=request.features.date_time))
        except matching.UnfitKey as error:
            yield Status(IDENTIFIER_DOES_NOT_MATCH, service="find", comment=str(error)[:64])
            return
        for entity in self.at_level(request.level) if request.level else self.entities:
            if query.matches(entity):
                yield self.response(keys, entity, request.level)
        status = next(self._statuses, None)
        if status is not None:
            yield status

    def get(self, request: RetrieveRequest) -> list[Storable] | int:
        """Return the instances that the keys of a C-GET match, or the status that refuses it."""
        self.retrievals.append(request)
        return self.matching_instances(request)

    def move(self, request: RetrieveRequest) -> MoveTo | int:
        """Return the instances that the keys of a C-MOVE match and their destination, or the status that refuses it."""
        self.retrievals.append(request)
        if request.destination not in self.destinations:
            return Status(MOVE_DESTINATION_UNKNOWN, service="move", comment=f"{request.destination} is not known")
        instances = self.matching_instances(request)
        return instances if isinstance(instances, int) else MoveTo(self.destinations[request.destination], instances)

    def matching_instances(self, request: RetrieveRequest) -> list[Storable] | int:
        """Return the instances that the keys of a retrieval match, or the status that refuses it."""
        try:
            query = matching.prepare(request.identifier.attributes)
        except matching.UnfitKey as error:
            return Status(IDENTIFIER_DOES_NOT_MATCH, service="get", comment=str(error)[:64])
        pairs = zip(self._given, self.entities, strict=True)
        return [_storable(given, entity) for given, entity in pairs if query.matches(entity)]

    def at_level(self, level: str) -> Iterator[Attributes]:
        """Yield an entity of a level for each value of its unique key, with the attributes of the levels above it too."""
        instances: dict[str, list[Attributes]] = {}
        for instance in self.entities:
            instances.setdefault(_text(instance, UNIQUE_KEYS[level]), []).append(instance)
        for own in instances.values():
            entity = dict(own[0])
            if level in ("PATIENT", "STUDY"):
                for tag, source in COLLECTED.items():
                    found = sorted({value for each in own if (value := _text(each, source))})
                    entity[tag] = Attribute("UI" if source == SOP_CLASS_UID else "CS", tuple(found))
                # A user who asks for Modality here means that of any series.
                entity[MODALITY] = entity[MODALITIES_IN_STUDY]
            for tag, counted in COUNTS.items():
                number = len({_text(each, UNIQUE_KEYS[counted]) for each in own})
                entity[tag] = Attribute("IS", (str(number),))
            yield entity

    def response(self, keys: Attributes, entity: Attributes, level: str) -> Identifier:
        """Return the response for an entity: the level, our AE title, and the keys that were asked for (PS3.4 C.4.1.1.3.2)."""
        below = _levels_below(level)
        found = {}
        for tag, key in keys.items():
            is_below = levels_of_keys().get(tag) in below and tag != MODALITY
            if tag != tags.SPECIFIC_CHARACTER_SET:
                found[tag] = entity.get(tag, Attribute(key.vr, ())) if not is_below else Attribute(key.vr, ())
        if level:
            found[LEVEL] = Attribute("CS", (level,))
            found[RETRIEVE_AE_TITLE] = Attribute("AE", (self.ae_title,))
        return Identifier(found)


def _attributes_of(given: Keys | os.PathLike[str]) -> Attributes:
    if not isinstance(given, os.PathLike):
        return Identifier.of(given).attributes
    from pydicom import dcmread

    return Identifier.of(dcmread(given, stop_before_pixels=True)).attributes


def _storable(given: Keys | os.PathLike[str], entity: Attributes) -> Storable:
    """Return an instance as `store` takes it."""
    if isinstance(given, os.PathLike) or hasattr(given, "SOPInstanceUID"):
        return cast("Storable", given)
    return Identifier(entity).dataset()


def _text(attributes: Attributes, tag: int) -> str:
    attribute = attributes.get(tag)
    return str(attribute.values[0]).strip(" \0") if attribute is not None and attribute.values else ""


def _levels_below(level: str) -> tuple[str, ...]:
    levels = tuple(UNIQUE_KEYS)
    return levels[levels.index(level) + 1 :] if level in levels else ()
