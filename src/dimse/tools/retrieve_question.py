"""The question that getscu asks before a C-GET: the SOP classes of the studies, so that the contexts fit them (PS3.4 C.3.4)."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Iterator
from itertools import islice

import dimse
from dimse import settings
from dimse.data_set.identifier import Identifier
from dimse.services.information_models import InformationModel
from dimse.tools import requesting

# Series whose class is asked for one by one, where the peer does not know the classes of a study.
MOST_SERIES = 500
UPPER_KEYS = ("PatientID", "StudyInstanceUID")


def sop_classes(
    options: argparse.Namespace, model: InformationModel, identifiers: Iterable[Identifier], logger: logging.Logger
) -> list[str]:
    """Return the SOP classes of the studies that identifiers name; none if they name none, or the peer does not tell.

    Raises:
        ConnectError: No transport connection could be made.
        AssociationRejected: The peer rejects associations.
    """
    studies = [_upper(identifier) for identifier in identifiers]
    if not model.find or "STUDY" not in model.levels or not all("StudyInstanceUID" in keys for keys in studies):
        return []
    syntaxes = requesting.chosen_syntaxes(options) or settings.DEFAULT_TRANSFER_SYNTAXES
    found: dict[str, None] = {}
    try:
        with requesting.associate(options, [(model.find, syntaxes)]) as association:
            for keys in studies:
                known = list(_classes(association, model, keys))
                if not known:
                    return []
                found.update(dict.fromkeys(known))
    except (dimse.ConnectError, dimse.AssociationRejected):
        raise
    except dimse.DimseError as error:
        logger.debug("the peer does not tell the SOP classes: %s", error)
        return []
    logger.info("SOP classes of the studies: %d", len(found))
    return list(found)


def _upper(identifier: Identifier) -> dict[str, str]:
    """Return the keys of an identifier that name one study."""
    given = {key: identifier.text(key).strip(" \0") for key in UPPER_KEYS}
    return {key: text for key, text in given.items() if text and not set(text) & set("*?\\")}


def _classes(association: dimse.Association, model: InformationModel, keys: dict[str, str]) -> Iterator[str]:
    """Yield the SOP classes of a study: as the peer knows them, else the class of one instance of each series."""
    for match in association.find(keys | {"SOPClassesInStudy": ""}, model=model.name, level="STUDY"):
        yield from filter(None, match.identifier.text("SOPClassesInStudy").split("\\"))
        if match.identifier.text("SOPClassesInStudy"):
            return
    if "IMAGE" not in model.levels:
        return
    for uid in list(_first(association, model, "SERIES", keys, "SeriesInstanceUID", MOST_SERIES)):
        # The instances of a series hardly ever differ in their class. The second pass of getscu retrieves those that do.
        series = keys | {"SeriesInstanceUID": uid, "SOPInstanceUID": ""}
        yield from filter(None, _first(association, model, "IMAGE", series, "SOPClassUID", 1))


def _first(
    association: dimse.Association, model: InformationModel, level: str, keys: dict[str, str], wanted: str, most: int
) -> Iterator[str]:
    """Yield the value of an attribute in each of the first matches at a level, and have the peer leave out the others."""
    with association.find(keys | {wanted: ""}, model=model.name, level=level) as matches:
        for match in islice(matches, most):
            yield match.identifier.text(wanted).strip(" \0")
