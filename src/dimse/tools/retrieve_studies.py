"""The studies that `dimse retrieve` is to retrieve: those that the user names, those of lists, and those that match keys."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dimse import settings, tags
from dimse.logs.notices import notice
from dimse.services.information_models import LEVEL
from dimse.support.text import counted
from dimse.tools import query_options, requesting

if TYPE_CHECKING:
    from dimse import matching
    from dimse.data_set.identifier import Identifier
    from dimse.tools.study_list import Selection

# Attributes of an identifier by which nothing is selected.
NO_KEYS = {LEVEL, tags.SPECIFIC_CHARACTER_SET}
# Modality and Modalities in Study: what a peer returns for them is held against the key.
MODALITIES = {0x00080060, 0x00080061}


def wanted(
    options: argparse.Namespace, logger: logging.Logger, fall_short: Callable[[], object]
) -> Iterator[Selection]:
    """Yield the studies and series that the options ask for.

    Args:
        options: The parsed options.
        logger: The logger of the tool.
        fall_short: Called if not all of what the options ask for is known.

    Raises:
        UnusableKeys: A list or a key cannot be used.
        DimseError: The peer cannot be queried.
    """
    yield from options.studies
    if lists := getattr(options, "from"):
        from dimse.tools import study_list

        def report_line(words: str) -> None:
            logger.error("%s", words)
            fall_short()

        for path in lists:
            yield from study_list.studies(path, report_line)
    if query_options.has_keys(options):
        query = _Query(options, logger)
        # The association of the query is not kept while the studies are retrieved.
        yield from query.found()
        if query.is_empty and options.fail_empty:
            logger.error("Nothing matched")
            fall_short()


class _Query:
    """The query for studies, or for series with `--level series`.

    Attributes:
        is_empty: True if nothing has matched.
    """

    def __init__(self, options: argparse.Namespace, logger: logging.Logger) -> None:
        self._options, self._logger = options, logger
        self.is_empty = True
        self._answered: set[int] = set()
        self._left_out = 0
        options.level = options.level or "STUDY"
        asked = ["StudyInstanceUID", "SeriesInstanceUID"] if options.level == "SERIES" else ["StudyInstanceUID"]
        getattr(options, "return").extend(asked)
        self._identifiers = query_options.identifiers(options, logger)

    def found(self) -> list[Selection]:
        """Return what matches, each once."""
        options = self._options
        model = query_options.model_of(options)
        syntaxes = requesting.chosen_syntaxes(options) or settings.DEFAULT_TRANSFER_SYNTAXES
        found: dict[Selection, None] = {}
        with requesting.associate(options, [(model.find, syntaxes)]) as association:
            for identifier in self._identifiers:
                modality = _modality_query(identifier)
                for match in association.find(identifier, model=model.name, level="", charset=options.charset):
                    self._answered |= _valued(match.identifier)
                    if modality is not None and modality.contradicted(match.identifier.attributes):
                        self._left_out += 1
                    elif selection := self._selection(match.identifier):
                        found[selection] = None
        self.is_empty = not found
        words = ("series", "series") if options.level == "SERIES" else ("study", "studies")
        self._logger.info("Found %s", counted(len(found), *words))
        if self._left_out:
            matches = counted(self._left_out, "match", "matches")
            notice("modality", "", "The peer does not match the modality: %s left out", matches)
        if found or self._left_out:
            self._warn_of_ignored()
        return list(found)

    def _selection(self, identifier: Identifier) -> Selection | None:
        """Return the study or series of a match; None if it has no UID."""
        study, series = (identifier.text(key).strip(" \0") for key in ("StudyInstanceUID", "SeriesInstanceUID"))
        if self._options.level == "SERIES":
            return (study, series) if study and series else None
        return study or None

    def _warn_of_ignored(self) -> None:
        """Log the keys with a value that no match has returned, as warnings."""
        asked = set[int]().union(*map(_valued, self._identifiers))
        for tag in sorted(asked - self._answered):
            words = "The peer ignores the key %s: what is retrieved may not match it"
            notice("key ignored", "", words, tags.label(tag))


def _valued(identifier: Identifier) -> set[int]:
    """Return the tags of the attributes that have a value, as a key that selects studies has."""
    return {tag for tag, attribute in identifier.attributes.items() if any(attribute.values)} - NO_KEYS


def _modality_query(identifier: Identifier) -> matching.Query | None:
    """Return the part of a query that is about modalities; None if it asks for none."""
    keys = {tag: attribute for tag, attribute in identifier.attributes.items() if tag in MODALITIES}
    if not any(any(attribute.values) for attribute in keys.values()):
        return None
    from dimse import matching

    try:
        return matching.prepare(keys)
    except matching.UnfitKey:
        return None
