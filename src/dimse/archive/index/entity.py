"""Entities that a search has found: rows of the index as attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, TypeAlias, cast

from sqlalchemy import ColumnElement, Integer, select

from dimse import tags
from dimse.archive.index import normal
from dimse.archive.index.attributes import Key, Level, keys
from dimse.archive.index.levels import levels_to
from dimse.archive.index.locate import LOCATION, location_of
from dimse.archive.index.row import Location
from dimse.archive.index.schema import UID_NAME
from dimse.archive.index.tables import TABLES, Dialect
from dimse.data_set import json
from dimse.data_set.attributes import Attribute, Attributes

Decode: TypeAlias = "Callable[[Any], tuple[str, ...]]"
Places: TypeAlias = "dict[int, tuple[int, str, Decode]]"
"""For each attribute with a column its place in a row, its VR, and the function that decodes it."""
ReadFile: TypeAlias = "Callable[[Location, frozenset[int]], Attributes]"
"""Returns the attributes that a file has of those that are wanted."""

_SETS = frozenset(("ModalitiesInStudy", "SOPClassesInStudy"))
_UID_NAMES = frozenset(("sop_class", "ts"))


@cache
def _columns_of(level: Level, dialect: Dialect) -> tuple[tuple[ColumnElement[Any], ...], Places, dict[Level, int]]:
    """Return the columns of the entities of a level, the places of their attributes, and those of the JSON of each level."""
    columns: list[ColumnElement[Any]] = []
    places: dict[int, tuple[int, str, Decode]] = {}
    attrs: dict[Level, int] = {}
    for tag, key in keys().items():
        if key.column and key.level in levels_to(level):
            places[tag] = (len(columns), tags.vr(tag), _decoder(key))
            columns.append(_selected(key))
    for above in levels_to(level):
        if above != "IMAGE":
            attrs[above] = len(columns)
            columns.append(dialect.json_text(TABLES[above].c.attrs))
    return (*columns, *(LOCATION if level == "IMAGE" else ())), places, attrs


class Layout:
    """The columns that are selected of the entities of a level, and where the attributes are in them.

    Attributes:
        level: The level.
        columns: The columns.
        places: The places of attributes among them.
        attrs: For each level the place of its JSON.
        location: The place of the first column of an instance's location; -1 above the level IMAGE.
        wanted: The tags of the attributes that are read from the file of an instance together.
        read: A function that reads them.
    """

    def __init__(self, level: Level, dialect: Dialect, wanted: frozenset[int], read: ReadFile) -> None:
        self.level, self.read = level, read
        self.columns, self.places, self.attrs = _columns_of(level, dialect)
        self.location = len(self.columns) - len(LOCATION) if level == "IMAGE" else -1
        self.wanted = frozenset(tag for tag in wanted if self.is_in_file(tag))

    def add(self, tag: int, column: ColumnElement[Any]) -> None:
        """Add a number that is computed for each entity."""
        self.places = self.places | {tag: (len(self.columns), tags.vr(tag), _number)}
        self.columns = (*self.columns, column)

    def is_in_file(self, tag: int) -> bool:
        """Return whether an attribute is read from the file of an instance."""
        if self.level != "IMAGE" or tag in self.places:
            return False
        key = keys().get(tag)
        return key is None or (key.level == "IMAGE" and not key.is_computed)


class Entity(Mapping[int, Attribute]):
    """A patient, study, series or instance that a search has found: its attributes that have values, and those of the levels above.

    An attribute is decoded when it is first asked for. One of an instance that is not in the index is read from its file.
    """

    __slots__ = ("_found", "_layout", "_row")

    def __init__(self, row: Sequence[Any], layout: Layout) -> None:
        self._row, self._layout = row, layout
        # None: the entity does not have the attribute.
        self._found: dict[int, Attribute | None] = {}

    def get(self, tag: int, default: Any = None) -> Any:
        """Return an attribute, or `default` if the entity has no value for it."""
        found = self._found
        if tag not in found:
            found[tag] = None
            place = self._layout.places.get(tag)
            if place is not None:
                at, vr, decode = place
                values = decode(self._row[at])
                if values:
                    found[tag] = Attribute(vr, values)
            elif self._layout.is_in_file(tag):
                self._read_file(tag)
            else:
                self._read_json(tag)
        attribute = found[tag]
        return default if attribute is None else attribute

    def __getitem__(self, tag: int) -> Attribute:
        attribute = self.get(tag)
        if attribute is None:
            raise KeyError(tag)
        return cast(Attribute, attribute)

    def __contains__(self, tag: object) -> bool:
        return isinstance(tag, int) and self.get(tag) is not None

    def __iter__(self) -> Iterator[int]:
        levels = levels_to(self._layout.level)
        # Attributes that only a file has are in `_found` once one of them was asked for.
        known = [tag for tag, key in keys().items() if key.level in levels]
        return iter([tag for tag in {*known, *self._layout.wanted} if self.get(tag) is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        # Without values, which may be a patient's.
        return f"<Entity of level {self._layout.level}>"

    @property
    def location(self) -> Location:
        """The place of an instance.

        Raises:
            ValueError: The entity is not an instance.
        """
        at = self._layout.location
        if at < 0:
            raise ValueError(f"an entity of level {self._layout.level} has no file")
        return location_of(self._row[at : at + len(LOCATION)])

    def _read_json(self, tag: int) -> None:
        """Find the attributes of a level that are in JSON."""
        key = keys().get(tag)
        at = self._layout.attrs.get(key.level) if key is not None else None
        text = "" if at is None else self._row[at]
        if f'"{tag:08X}"' in text:
            self._found.update(_with_values(json.read(text)))

    def _read_file(self, tag: int) -> None:
        """Find the attributes of an instance that are in its file."""
        wanted = self._layout.wanted if tag in self._layout.wanted else frozenset((tag,))
        self._found.update(dict.fromkeys(wanted))
        with suppress(OSError):
            self._found.update(_with_values(self._layout.read(self.location, wanted)))


def _with_values(attributes: Attributes) -> Iterator[tuple[int, Attribute]]:
    return ((tag, one) for tag, one in attributes.items() if any(value != "" for value in one.values))


def _selected(key: Key) -> ColumnElement[Any]:
    column = TABLES[key.level].c[key.column]
    if key.column in _UID_NAMES:
        return select(UID_NAME.c.uid).where(UID_NAME.c.pk == column).scalar_subquery()
    return column


def _decoder(key: Key) -> Decode:
    if key.keyword in _SETS:
        return _members
    is_number = isinstance(TABLES[key.level].c[key.column].type, Integer) and key.column not in _UID_NAMES
    return _number if is_number else normal.split


def _number(number: int | None) -> tuple[str, ...]:
    return () if number is None else (str(number),)


def _members(text: str) -> tuple[str, ...]:
    return tuple(text.split("\\")) if text else ()
