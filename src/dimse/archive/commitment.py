"""The judgement on instances for which storage commitment is requested: each has its row and its file, whole (PS3.4 Annex J)."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dimse.media.part10 import MAXIMUM_SIZE, NotPart10, parse
from dimse.message.status import CLASS_INSTANCE_CONFLICT, NO_SUCH_SOP_INSTANCE, PROCESSING_FAILURE
from dimse.services.commitment_information import Reference
from dimse.support.text import one_line

if TYPE_CHECKING:
    from dimse.archive.index.row import Location

LOGGER = logging.getLogger("dimse.archive")

# Bytes of a file that are read first; the File Meta Information rarely has more.
_HEAD = 1024


def judge(references: Sequence[Reference], locations: Iterable[Location]) -> dict[str, int]:
    """Return the Failure Reason (0008,1197) by SOP instance UID of each instance that an archive does not commit itself to.

    The reason is 0112H if the archive does not have the instance, and 0119H if its SOP class is another one. It is 0110H if the
    file is missing or has another size than was acknowledged, which is an error in the log.

    Args:
        references: SOP class UID and SOP instance UID of each instance.
        locations: The places of the instances that the index knows.
    """
    known = {location.sop_instance_uid: location for location in locations}
    failed = {}
    for sop_class_uid, sop_instance_uid in references:
        location = known.get(sop_instance_uid)
        if location is None:
            failed[sop_instance_uid] = NO_SUCH_SOP_INSTANCE
        elif location.sop_class_uid != sop_class_uid:
            failed[sop_instance_uid] = CLASS_INSTANCE_CONFLICT
        elif fault := _fault_of(location):
            LOGGER.error("the file of the acknowledged instance %s %s", one_line(sop_instance_uid), fault)
            failed[sop_instance_uid] = PROCESSING_FAILURE
    return failed


def _fault_of(location: Location) -> str:
    """Return what is wrong with a file; an empty text if nothing is."""
    try:
        with open(location.path, "rb", buffering=0) as file:
            meta = parse(file.read(_HEAD))
            if meta is None:
                file.seek(0)
                meta = parse(file.read(MAXIMUM_SIZE))
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except NotPart10 as error:
        return f"is damaged: {error}"
    if meta is None or size - meta.data_set_offset < location.size:
        return f"is cut short: {size:,} bytes"
    if size - meta.data_set_offset > location.size:
        return f"is too long: {size:,} bytes"
    return ""
