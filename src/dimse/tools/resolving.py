"""The option --resolve of getscu and movescu: keys become UIDs by C-FIND, for peers that retrieve by nothing else."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

import dimse
from dimse import settings
from dimse.data_set.attributes import Attribute
from dimse.data_set.identifier import Identifier
from dimse.services.information_models import LEVEL, UNIQUE_KEYS, InformationModel
from dimse.support.text import counted
from dimse.tools import query_options, requesting, running, wording

# UIDs of one request: a list of about 1,000 is longer than the 16-bit length of its element.
MOST_UIDS = 500

# The values of the unique keys from the top level to that of a match.
_Path = tuple[str, ...]


def resolve(
    options: argparse.Namespace, identifiers: list[Identifier], logger: logging.Logger
) -> tuple[list[Identifier], int]:
    """Return identifiers that name UIDs in place of those that do not, and the exit status that the queries deserve."""
    model = query_options.model_of(options)
    unresolved = [each for each in identifiers if not _is_resolved(each)]
    if not unresolved:
        return identifiers, running.SUCCESS
    found = [each for each in identifiers if _is_resolved(each)]
    status = running.SUCCESS
    syntaxes = requesting.chosen_syntaxes(options) or settings.DEFAULT_TRANSFER_SYNTAXES
    try:
        with requesting.associate(options, [(model.find, syntaxes)]) as association:
            for identifier in unresolved:
                matches = _ask(association, options, model, identifier)
                paths: dict[_Path, None] = {}
                with suppress(dimse.StatusError):
                    for match in matches:
                        paths[_path(model, identifier, match.identifier)] = None
                if matches.status is not None and not matches.status.is_success:
                    logger.error("%s", wording.explain_status(matches.status))
                    status = running.SHORTFALL
                level = identifier.text(LEVEL)
                logger.info("%s found at the level %s", counted(len(paths), "match", "matches"), level)
                found += _identifiers(model, level, filter(all, paths))
    except dimse.DimseError as error:
        wording.log_failure(logger, wording.explain_request(error, options), error)
        return [], running.NO_ASSOCIATION
    if not found and not status and options.fail_empty:
        logger.error("Nothing matched")
        status = running.SHORTFALL
    return found, status


def _is_resolved(identifier: Identifier) -> bool:
    """Return True if an identifier names the unique key of its level."""
    tag = UNIQUE_KEYS.get(identifier.text(LEVEL).strip())
    text = identifier.text(tag).strip(" \0") if tag is not None else "-"
    return bool(text) and not set(text) & set("*?")


def _ask(
    association: dimse.Association, options: argparse.Namespace, model: InformationModel, identifier: Identifier
) -> dimse.blocking.Matches:
    """Return the matches of an identifier, which is asked for the unique keys too."""
    attributes = dict(identifier.attributes)
    for level in _levels(model, identifier.text(LEVEL)):
        attributes.setdefault(UNIQUE_KEYS[level], Attribute("LO" if level == "PATIENT" else "UI", ()))
    return association.find(Identifier(attributes), model=model.name, level="", charset=options.charset)


def _levels(model: InformationModel, level: str) -> tuple[str, ...]:
    """Return the levels of a model from the top to this one."""
    return model.levels[: model.levels.index(model.check_level(level)) + 1]


def _path(model: InformationModel, identifier: Identifier, match: Identifier) -> _Path:
    """Return the values of the unique keys of a match; of what the peer does not return they are those that were asked for."""
    tags = [UNIQUE_KEYS[level] for level in _levels(model, identifier.text(LEVEL))]
    return tuple((match.text(tag) or identifier.text(tag)).strip(" \0") for tag in tags)


def _identifiers(model: InformationModel, level: str, paths: Iterable[_Path]) -> Iterator[Identifier]:
    """Yield the identifiers that retrieve what was found: one each, and lists of instances for each series."""
    tags = [UNIQUE_KEYS[each] for each in _levels(model, level)]
    lists: dict[_Path, list[str]] = {}
    for *above, last in paths:
        # Some peers do not retrieve several studies at a time.
        lists.setdefault((*above, "" if level == "IMAGE" else last), []).append(last)
    for above_and_own, uids in lists.items():
        left = iter(uids)
        while some := tuple(islice(left, MOST_UIDS)):
            attributes = {LEVEL: Attribute("CS", (level,))}
            for tag, value in zip(tags[:-1], above_and_own[:-1], strict=True):
                attributes[tag] = Attribute("LO" if tag == UNIQUE_KEYS["PATIENT"] else "UI", (value,))
            attributes[tags[-1]] = Attribute("LO" if tags[-1] == UNIQUE_KEYS["PATIENT"] else "UI", some)
            yield Identifier(attributes)
