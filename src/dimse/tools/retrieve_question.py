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

# Instances whose class is asked for one by one, where the peer does not know the classes of a study.
MOST_INSTANCES = 2_000
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
    """Yield the SOP classes of a study: as the peer knows them, else those of its instances."""
    for match in association.find(keys | {"SOPClassesInStudy": ""}, model=model.name, level="STUDY"):
        yield from filter(None, match.identifier.text("SOPClassesInStudy").split("\\"))
        if match.identifier.text("SOPClassesInStudy"):
            return
    if "IMAGE" not in model.levels:
        return
    left = MOST_INSTANCES
    series = [
        match.identifier.text("SeriesInstanceUID").strip(" \0")
        for match in association.find(keys | {"SeriesInstanceUID": ""}, model=model.name, level="SERIES")
    ]
    for uid in series:
        asked = keys | {"SeriesInstanceUID": uid, "SOPInstanceUID": "", "SOPClassUID": ""}
        for match in islice(association.find(asked, model=model.name, level="IMAGE"), left):
            left -= 1
            if sop_class := match.identifier.text("SOPClassUID").strip(" \0"):
                yield sop_class
